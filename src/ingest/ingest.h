/*
 * The writer: the one thread that changes the store. It reads the log in order and applies a batch
 * in one transaction together with the log position, so that after kill -9 it goes on exactly
 * where it was.
 */
#pragma once

#include "base/error.h"
#include "ingest/derive.h"
#include "ingest/dims.h"
#include "log/log.h"
#include "model/observation.h"
#include "store/store.h"

struct ingest;
struct ingest_config {
    struct log *log;
    struct store *store;
    struct knobs knobs;
    place_lookup *lookup; /* NULL: no places */
    void *lookup_ctx;
    /* Writer's thread, after each COMMIT that changed data. NULL: nobody listens. */
    void (*applied)(void *ctx, int64_t data_version);
    void *ctx;
};

/* Applies everything that is in the log already, then starts the thread. */
enum status ingest_start(const struct ingest_config *c, struct ingest **ret, struct error *err);
/* Applies what is still in the log, checkpoints, joins the thread. NULL is fine. */
void ingest_stop(struct ingest *i);
/* The last observation of every session that is still open, to go on with after a restart; before
 * the collector starts. Texts live in the arena. */
const struct observation *ingest_open_sessions(struct ingest *i, struct arena *a, size_t *ret_count);
/* Waits until everything up to log position `seq` is applied; false after timeout_us. Any thread. */
bool ingest_wait(struct ingest *i, int64_t seq, int64_t timeout_us);
