/*
 * The log: durable, ordered hand-over from the sources to ingest. A record that log_append()
 * accepted survives kill -9. One interface, two homes: a SQLite file (the default; it survives power
 * loss too) and a stream of NATS JetStream.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum log_kind {
    LOG_NOTHING = 0,     /* a number without a record; only read, never appended */
    LOG_OBSERVATION = 1, /* model/observation.h's wire form */
    LOG_COVERAGE = 2,    /* {"server","at_us","state":"connected|polling|blind","why"} */
    LOG_ACCOUNTS = 3,    /* {"server","accounts":[{"key","name","email","is_owner"}]} */
    LOG_LIBRARIES = 4,   /* {"server","libraries":[{"key","name","kind"}]} */
    LOG_VIEWS = 5,       /* backfill: {"server","views":[{"source_id","account_key","at_us",
                            "ended_us" or absent, item members as in an observation}]} */
    LOG_SERVER = 6,      /* {"server","kind","name","machine_id","version"}, and where it is: either
                            "latitude","longitude" or "public_address"; all but "server" may be absent */
    LOG_POSITION = 7,    /* a backfill ended: {"server","machine_id","position":{...}}, the source's
                            own note of how far it read; all its views are in the log before it.
                            With "inventory": the same of what its libraries hold */
    LOG_ITEMS = 8,       /* what a library holds: {"server","pass_us","library_key","items":[{item and
                            stream members as in an observation, "added_us","size_bytes","file_key"}]} */
    LOG_ITEMS_END = 9,   /* a library was read whole: what of it ("library_key" absent: of all of the
                            server) was not told under this pass_us is not there any more */
};

struct log_record {
    int64_t seq; /* grows; set by log_append */
    enum log_kind kind;
    int64_t appended_us;
    struct str payload; /* JSON */
};

struct log;
/* Opens or makes DATA/log.sqlite. */
enum status log_open(const char *path, struct log **ret, struct error *err);

struct log_nats {
    const char *url;    /* nats:// or tls://, [user:password@ or token@]host[:port] */
    const char *user, *password, *token; /* "" or NULL: none, or in the URL */
    const char *ca_file; /* "" or NULL: the system's */
    const char *stream;
    int64_t max_bytes;  /* of the stream; 0: the server's own limits, and those of an administrator */
    int64_t patience_us; /* how long to wait for a server that does not answer yet */
};
/* Opens or makes a stream. What `c` points to is read only now; its secrets are registered with the
 * logger. */
enum status log_open_nats(const struct log_nats *c, struct log **ret, struct error *err);
/* Whether such a stream can be opened or made there: asks, and changes nothing. */
enum status log_try_nats(const struct log_nats *c, struct error *err);
/* Whether `url` has the right form; else says what is wrong. */
enum status log_check_nats_url(const char *url, struct error *err);

void log_close(struct log *l);
/* Which log the numbers are of: "sqlite", or the stream's name and when it was made. */
const char *log_home(const struct log *l);
/* Appends all or nothing; sets seq of each. One thread at a time. After a failure the next append
 * begins with the same records: some may be there already, and are not doubled. */
enum status log_append(struct log *l, struct log_record *records, size_t count, struct error *err);
/* Calls `each` for records with seq > after, in order, at most `most` and no more after a megabyte of
 * payload; stops when it does not return STATUS_OK and hands that on. Where numbers follow that have
 * no record, the last of them comes as LOG_NOTHING. Any thread. */
enum status log_read(struct log *l, int64_t after, size_t most,
                     enum status (*each)(void *ctx, const struct log_record *r, struct error *err),
                     void *ctx, struct error *err);
/* Waits until there is something after `after`, at most timeout_us; true if there is. */
bool log_wait(struct log *l, int64_t after, int64_t timeout_us);
/* Makes the log_wait() that runs, or else the next one, return early: there is other work. Any
 * thread. */
void log_wake(struct log *l);
int64_t log_last(struct log *l); /* highest seq ever given out, 0 when none */
/* Forgets records up to and including seq (numbers are never given out again). */
enum status log_trim(struct log *l, int64_t seq, struct error *err);

/* A copy of what comes after `after`, in the new SQLite file `to`, whatever home the log has. For a
 * whole that lacks nothing: first this with a position that has been applied, then the store's
 * snapshot, then log_backup_end() with the position that was applied in it, which leaves only what
 * comes after. Any thread. */
enum status log_backup(struct log *l, int64_t after, const char *to, struct error *err);
enum status log_backup_end(const char *to, int64_t applied, struct error *err);
/* Of such a copy of another home's log: which one its records and their numbers are of; "" for any
 * other log. */
const char *log_rest_of(const struct log *l);
/* It has been read to its end: from now on it is a log like any other. */
enum status log_rest_done(struct log *l, struct error *err);
