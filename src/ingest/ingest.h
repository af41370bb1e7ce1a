/*
 * The writer: the one thread that changes the store. It reads the log in order, runs each record
 * through the session machine and the small tables, derives the plays it touches and commits all
 * of it together with the log position, so that after kill -9 it goes on exactly where it was.
 * Whatever else changes the store (imports, decisions, re-derivation) runs on it as a job.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/derive.h"
#include "ingest/dims.h"
#include "ingest/rederive.h"
#include "log/log.h"
#include "model/observation.h"
#include "store/store.h"

enum { INGEST_BATCH_MAX = 500 };

struct ingest;
struct ingest_config {
    struct log *log;     /* both borrowed until ingest_stop() */
    struct store *store;
    struct log *former; /* another home of the log: what it still holds is applied first, if it was the
                           last one in use; only for ingest_start(). NULL: none is at hand */
    struct knobs knobs;
    place_lookup *lookup; /* NULL: no places */
    void *lookup_ctx;
    /* Writer's thread, after each COMMIT that changed data; quick. NULL: nobody listens. */
    void (*applied)(void *ctx, int64_t data_version);
    void *ctx;
    size_t batch_max;    /* records a transaction, fewer where they are long (log_read()); 0:
                            INGEST_BATCH_MAX */
    int64_t progress_us; /* how long mere progress may wait for company; 0: 15 s, < 0: not */
};

/* Applies everything that is in the log already, then starts the thread. */
enum status ingest_start(const struct ingest_config *c, struct ingest **ret, struct error *err);
/* Joins the thread, applies a last batch, checkpoints; of a long log the rest waits for the next
 * start. Jobs that wait end as UNAVAILABLE. No other call may follow. NULL is fine. */
void ingest_stop(struct ingest *i);
/* The last observation of every session that is still open, to go on with after a restart; before
 * the collector starts. Texts live in the arena. Any thread but the writer's. */
const struct observation *ingest_open_sessions(struct ingest *i, struct arena *a, size_t *ret_count);
/* ret[i]: the newest LOG_POSITION record about servers[i], in the arena; left as it is: none. Waits for
 * the batch that is being applied. Any thread but the writer's. */
void ingest_positions(struct ingest *i, const char *const *servers, size_t count, struct arena *a,
                      const char **ret);
/* The id and the name of the person that an account belongs to; 0 while none is known. Any thread;
 * waits for nothing. */
int32_t ingest_person(struct ingest *i, const char *server, const char *account_key, char *ret_name,
                      size_t size);
/* The id of a server by its key, and its name; 0 while it has none. Any thread; waits for nothing. */
int32_t ingest_server(struct ingest *i, const char *key, char *ret_name, size_t size);
/* By which machine identifier it knows itself, also from a run before this one; false: it never said. Any
 * thread; waits for nothing. */
bool ingest_machine(struct ingest *i, const char *server, char *ret, size_t size);
/* Applies everything up to log position `seq` at once and waits for it; false after timeout_us.
 * Any thread but the writer's. */
bool ingest_wait(struct ingest *i, int64_t seq, int64_t timeout_us);

/* What counts, here. Any thread. */
const struct knobs *ingest_knobs(const struct ingest *i);

/* A change to the store, in an open transaction: committed when it returns STATUS_OK, rolled back
 * otherwise. It must not begin or end one itself. */
typedef enum status ingest_job(void *ctx, struct store_conn *c, struct dims *d, struct error *err);
/* Runs `job` on the writer's thread, after a batch of what is in the log by now, and waits for it:
 * batches and jobs take turns. Any thread but the writer's. RATE_LIMITED when too many wait,
 * UNAVAILABLE when stopping, else what the job says. */
enum status ingest_run(struct ingest *i, ingest_job *job, void *ctx, struct error *err);
/* What a re-derivation did. */
struct rederive_report {
    int64_t plays_before, plays_after, segments_before, segments_after;
    bool is_changed; /* any row of them */
};
/* Makes all plays again from the inputs. ret may be NULL. As ingest_run(). */
enum status ingest_rederive(struct ingest *i, struct rederive_report *ret, struct error *err);
/* Has people matched anew, soon: also without that, at the start, once an hour and whenever accounts
 * change. Any thread; waits for nothing. */
void ingest_match_people(struct ingest *i);
/* How far the one that runs is; -1: none runs. Any thread. */
int ingest_rederive_percent(struct ingest *i);

struct ingest_stats {
    int64_t position; /* last log record applied */
    int64_t skipped;  /* records that were left out since the start; each is told in our own log */
    int64_t failures; /* batches rolled back since the start */
};
/* Any thread. */
void ingest_get_stats(struct ingest *i, struct ingest_stats *ret);
