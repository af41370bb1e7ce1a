/*
 * What is measured for GET /metrics. Counting costs a few atomic additions; what needs a look at disk
 * or store is looked at now and then by a query worker, never by a scrape. No name, title, address or
 * URL is in it: servers go by their place in the configuration.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct api;
struct buf;
struct metrics;
/* For that many routes. */
struct metrics *metrics_new(size_t routes);
void metrics_free(struct metrics *m); /* NULL is fine */
/* An answer to a request of the route of that number in the table. Any thread. */
void metrics_count(struct metrics *m, size_t route, int http_status, int64_t took_us);
/* All of them, as text. Any thread. */
void metrics_write(struct api *a, struct buf *out);
