/* Inside of api: what lists that an administrator pages through have in common. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "analytics/filter.h"
#include "base/json_write.h"
#include "base/str.h"
#include "store/store.h"

struct request;

/* A query's rows as members of the JSON list that is open. `values` come on top of the filter's (NULL: it
 * has none). */
enum status listing_rows(struct store_conn *c, const struct filter *f, const char *sql,
                         const struct store_named *values, size_t count, struct buf *out,
                         int64_t *ret_count, struct error *err);
/* The same; *ret_total: the last row's column _total, which is not sent; 0 where there is no row. */
enum status listing_rows_total(struct store_conn *c, const struct filter *f, const char *sql,
                               const struct store_named *values, size_t count, struct buf *out,
                               int64_t *ret_count, int64_t *ret_total, struct error *err);
/* Takes limit and cursor; what is right instead, or NULL. "" is as if it were not there. */
const char *listing_page(const struct request *r, const char *name, const char *value, int64_t *limit,
                         int64_t *from, bool *ret_is_known);
/* What is right for `find` instead, or NULL. */
const char *listing_find(const char *value);
/* INVALID: what is right for the parameter, NULL: there is none of that name. */
enum status listing_fail(const char *name, const char *value, const char *right, struct error *err);
/* A GET of what was decided and what went by itself, newest first, by pages: members {"events",
 * "next_cursor"}. The query takes `about` (0: of all), page_limit and page_from. Ends the request. */
void listing_history(struct request *r, const char *sql, const char *about);
/* Ends a list's object with next_cursor and total; `to`: rows up to here were sent. */
void listing_end(struct json_writer *w, int64_t to, int64_t total);
