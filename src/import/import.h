/*
 * Imports: what another tool has recorded becomes segments of our own (segment_in), with where they
 * came from. A foreign file is copied to a private folder, recognised by its bytes, read-only, and
 * trusted in nothing.
 *
 * An import runs once from begin to end, in parts that are committed one by one; its rows count
 * from the last one on. When the process dies it is found again by imports_unfinished() and run
 * again: the rows come out the same. What is there already is passed over and said so, so that a
 * second import of a file adds nothing.
 *
 *     import_begin(&job, &id, &err);       the thread that took the file
 *     import_run(&job, id, &report, &err); the jobs thread
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "store/store.h"

/* X(name, text): what the API and import.state say. */
#define IMPORT_STATES(X)                                                           \
    X(COUNTING, "counting")   /* waits, or is being looked through */              \
    X(RUNNING, "running")                                                          \
    X(DONE, "done")                                                                \
    X(FAILED, "failed")       /* its rows, if any, do not count */                 \
    X(CANCELLED, "cancelled") /* the same */                                       \
    X(UNDONE, "undone")       /* the same, by hand */

enum import_state {
#define X(name, text) IMPORT_##name,
    IMPORT_STATES(X)
#undef X
    IMPORT_STATE_COUNT
};
const char *import_state_name(enum import_state s);

enum { IMPORT_REASONS_MAX = 16, IMPORT_SAMPLE_MAX = 160, IMPORT_NAME_MAX = 256 };

/* Why rows were left out, or (a note) taken in changed; with one of them as a sample. */
struct import_reason {
    char reason[96];
    char sample[IMPORT_SAMPLE_MAX]; /* "row 17: ..." */
    int64_t count;
};

/* How an import stands. Plain data. */
struct import_report {
    int64_t import_id; /* negative: a dry run, which leaves no trace */
    enum import_state state;
    bool is_dry_run;
    char source[16];                 /* "tautulli" */
    char file[IMPORT_NAME_MAX];      /* as its owner calls it */
    char server[64];                 /* key of the server that the rows belong to */
    int64_t rows_total;              /* that the file has; 0 until counted */
    int64_t rows_read, rows_added, rows_skipped;
    int64_t people, titles;          /* distinct ones among the rows added */
    int64_t from_us, to_us;          /* first start and last end of them; TIME_NONE: none (yet) */
    int64_t started_us, ended_us;    /* of the import itself; TIME_NONE: not yet */
    struct import_reason skips[IMPORT_REASONS_MAX];
    size_t skip_count;
    struct import_reason notes[IMPORT_REASONS_MAX];
    size_t note_count;
    char error[ERROR_TEXT_MAX];      /* "" none */
};

/* What is wished of a running import. PAUSE: the program stops; it goes on after the next start. */
enum import_wish { IMPORT_GO_ON, IMPORT_CANCEL, IMPORT_PAUSE };

/* What to import and how. Everything is borrowed and outlives the calls. */
struct import_job {
    struct ingest *ingest;  /* NULL in a dry run is fine */
    struct store *store;
    struct knobs knobs;
    const char *folder;     /* DATA/imports; made with mode 0700 if it is not there */
    const char *path;       /* the file; not needed any more after import_begin() */
    bool is_given;          /* the file is ours: taken or removed by import_begin(), not copied */
    const char *name;       /* its owner's name for it, for show */
    const char *server_key; /* NULL: the server that the file itself names, else likely_server_key,
                               else one of its own */
    const char *likely_server_key; /* the only Plex server that is watched; NULL: none, or several */
    bool is_dry_run;
    int64_t max_bytes;      /* most that the database may take, unpacked */
    unsigned chunk_rows;    /* a third of what is committed at once; 0: IMPORT_CHUNK_ROWS */
    /* Jobs thread, a few times a second. NULL: nobody listens, nobody wishes. */
    void (*progress)(void *ctx, const struct import_report *r);
    enum import_wish (*wish)(void *ctx);
    void *ctx;
};

/* Recognises the file by its bytes (a SQLite database, or a backup zip with one in it), copies or
 * unpacks it into the private folder and enters the import in the store. INVALID: no known format;
 * TOO_LARGE: more than max_bytes, or a zip that unpacks to too many times its size; CONFLICT:
 * another import has not ended. A dry run enters nothing and gives a negative id that means
 * something to this process only. Any thread but the writer's. */
enum status import_begin(const struct import_job *job, int64_t *ret_id, struct error *err);
/* Reads it all. *ret is filled in any case. The copy is removed at the end, however it ends; only
 * where the store does not answer or the wish is PAUSE (both UNAVAILABLE) it stays, for a run after
 * the next start. CANCELLED, INVALID (not what it says it is, damaged) and the like are also said
 * in the report and the store. Jobs thread. */
enum status import_run(const struct import_job *job, int64_t id, struct import_report *ret,
                       struct error *err);
/* Ids of imports that were begun and neither ended nor given up, oldest first; the caller frees
 * *ret_ids. A job for one needs no path. Any thread. */
enum status imports_unfinished(struct store_conn *c, int64_t **ret_ids, size_t *ret_count,
                               struct error *err);
/* Removes from the folder whatever no unfinished import needs: what a killed process left. Before
 * any import begins. */
void imports_sweep(const char *folder, const int64_t *unfinished, size_t count);

/* Newest first, at most `most`; the caller frees *ret. The connection's thread. */
enum status imports_list(struct store_conn *c, size_t most, struct import_report **ret,
                         size_t *ret_count, struct error *err);
/* NOT_FOUND. The connection's thread. */
enum status import_get(struct store_conn *c, int64_t id, struct import_report *ret,
                       struct error *err);
/* Takes an import's rows out of every count, for good unless the file is imported again: its rows
 * are then taken back as they were, and what was deleted of them stays deleted. `who`: the login.
 * NOT_FOUND; CONFLICT when it is not done. Any thread but the writer's. */
enum status import_undo(struct ingest *i, const struct knobs *k, int64_t id, const char *who,
                        struct error *err);
/* The report as docs/internals/api.md has it (I). */
void import_report_write(struct json_writer *w, const struct import_report *r);
