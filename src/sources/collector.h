/*
 * The collector: one thread that watches every configured media server. Each observation is in the
 * log before anyone hears of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "log/log.h"
#include "model/observation.h"
#include "sources/source.h"

struct collector;
struct collector_config {
    const struct source_config *sources; /* borrowed until collector_stop() */
    size_t source_count;
    struct log *log;
    const char *alive_path; /* DATA/alive; borrowed until collector_stop() */
    /* Sessions still open in the store, as last observed; borrowed for the call. */
    const struct observation *open;
    size_t open_count;
    /* Collector's thread: an observation that is in the log now. NULL: nobody listens. */
    void (*live)(void *ctx, const struct observation *o);
    void *ctx;
};

enum status collector_start(const struct collector_config *c, struct collector **ret,
                            struct error *err);
/* Tells the log that nobody watches any more, joins the thread. NULL is fine. */
void collector_stop(struct collector *c);
/* Copies the state of at most `room` servers, in the order of the configuration; returns how many
 * there are. Any thread. */
size_t collector_status(struct collector *c, struct source_status *ret, size_t room);
/* Starts a backfill of one server (NULL: all) unless one runs. Any thread. NOT_FOUND. */
enum status collector_sync_now(struct collector *c, const char *key, struct error *err);
