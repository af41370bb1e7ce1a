/*
 * The collector: one thread that watches the media servers it is told to. Each observation is in the
 * log before anyone hears of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "log/log.h"
#include "model/observation.h"
#include "sources/source.h"

enum { SOURCES_MAX = 64 };

struct collector;
struct collector_config {
    const struct source_config *sources; /* copied */
    size_t source_count;                 /* at most SOURCES_MAX */
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
/* From now on these are watched, at most SOURCES_MAX, with keys that differ; copied. Who is no longer
 * among them is left, who is among them with other settings is asked by those, with its open sessions
 * going on. Soon, in the collector's own thread; of several calls before that the last one counts. Any
 * thread. */
void collector_set(struct collector *c, const struct source_config *all, size_t count);
/* The state of the server that goes by the key; false: it is not watched, or not yet. Any thread. */
bool collector_status(struct collector *c, const char *key, struct source_status *ret);
/* Starts a backfill of one server (NULL: all) unless one runs. Any thread. NOT_FOUND: it is not watched. */
enum status collector_sync_now(struct collector *c, const char *key, struct error *err);
