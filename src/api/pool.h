/*
 * Query workers: each owns one read connection and takes requests from one bounded queue. A query
 * that runs too long, or whose client has gone, is interrupted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store;
struct store_conn;
struct request;
struct pool;

struct pool_config {
    struct store *store;
    unsigned workers;      /* 0: 2 */
    unsigned most_waiting; /* 0: 64 */
    int64_t most_us;       /* of one query */
    /* The ticker's thread, five times a second. */
    void (*tick)(void *ctx);
    void *ctx;
};

enum status pool_start(const struct pool_config *c, struct pool **ret, struct error *err);
/* What waits is answered with 503; submitting fails from then on. NULL is fine. */
void pool_close(struct pool *p);
/* Closes and frees. NULL is fine. */
void pool_stop(struct pool *p);
/* Hands the request over; false when full or stopping: the caller keeps it. Any thread. */
bool pool_submit(struct pool *p, struct request *r);
/* Runs `call` in a worker with its connection; false when full. Any thread. */
bool pool_call(struct pool *p, void (*call)(void *ctx, struct store_conn *c), void *ctx);
/* The time limit begins anew: for a request that is made of many queries. Its worker's thread. */
void pool_extend(struct request *r);
/* It is that long from now: for one query that may take longer than most. Its worker's thread. */
void pool_allow(struct request *r, int64_t most_us);
/* What waits and works now. Any thread. */
struct pool_stats {
    size_t waiting, most_waiting;
    unsigned workers, busy;
};
void pool_get_stats(struct pool *p, struct pool_stats *ret);
/* The request leaves the watch; called before it is answered, because it ends there. */
void pool_forget(struct request *r);
