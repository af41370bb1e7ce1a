/*
 * Ingest: the one writer. It reads the log behind the store's applied position, runs each record
 * through the session machine and the small tables, derives the plays it touches, and commits all
 * of it together with the new position. Whatever else changes the store (imports, decisions,
 * re-derivation) runs on the same thread as a job.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "ingest/derive.h"
#include "ingest/dims.h"
#include "log/log.h"
#include "model/observation.h"
#include "store/store.h"

enum { INGEST_BATCH_MAX = 500 };

struct ingest_config {
    struct log *log;     /* borrowed until ingest_stop() */
    struct store *store; /* borrowed until ingest_stop() */
    struct knobs knobs;
    place_lookup *lookup; /* see dims.h; writer thread */
    void *lookup_ctx;
    /* After each commit that changed data; writer thread, must be quick. May be NULL. */
    void (*on_applied)(void *ctx, int64_t position, int64_t data_version);
    void *ctx;
    size_t batch_max;      /* records a transaction; 0: INGEST_BATCH_MAX */
    int64_t progress_us;   /* how long mere progress may wait; 0: 15 s, negative: not at all */
    int64_t checkpoint_us; /* between checkpoints while data changes; 0: 5 min */
};

struct ingest;
/* Reads what is known from the store and starts the writer thread. */
enum status ingest_start(const struct ingest_config *c, struct ingest **ret, struct error *err);
/* Applies what is in the log, checkpoints, joins the thread. No other call may run or follow.
 * NULL is fine. */
void ingest_stop(struct ingest *g);

/* A change to the store. Runs in an open transaction that is committed when it returns STATUS_OK
 * and rolled back otherwise; it must not begin or end one itself. */
typedef enum status ingest_job(void *ctx, struct store_conn *c, struct dims *d, struct error *err);
/* Runs `job` on the writer thread, after the records that are in the log by now, and waits for it.
 * Any thread but the writer. UNAVAILABLE when stopping, else what the job says. */
enum status ingest_run(struct ingest *g, ingest_job *job, void *ctx, struct error *err);

/* Makes all plays again from the inputs. Any thread but the writer. */
enum status ingest_rederive(struct ingest *g, struct error *err);
/* The last observation of each session that has not ended, once the log is applied, to seed the
 * sources; *ret and its texts live in the arena. Any thread but the writer. */
enum status ingest_open_sessions(struct ingest *g, struct arena *a, struct observation **ret,
                                 size_t *ret_count, struct error *err);

struct ingest_stats {
    int64_t position; /* last log record applied */
    int64_t applied;  /* records since the start */
    int64_t skipped;  /* of these, the ones that could not be used: each is in our own log */
    int64_t failures; /* batches that were rolled back */
};
/* Any thread. */
void ingest_get_stats(struct ingest *g, struct ingest_stats *ret);
