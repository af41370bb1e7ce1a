/*
 * Inside of ingest: what a record of the log is applied with, whatever its kind. Writer's thread, in
 * the transaction of a batch.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "ingest/derive.h"
#include "ingest/dims.h"
#include "ingest/rederive.h"
#include "log/log.h"
#include "store/store.h"

struct writer {
    struct store_conn *conn;
    struct dims *dims;
    const struct knobs *knobs;
    place_lookup *lookup; /* NULL: no places */
    void *lookup_ctx;
    int64_t next_input; /* the next free id of an input */
    atomic_int_least64_t skipped;

    /* Of the batch: what is to be derived again, and whether anything else has changed. */
    struct derive_key *keys;
    size_t key_count, key_room;
    bool has_changes;
    bool has_new_names; /* of servers */
};

/* The plays of this account and title are to be derived again. */
void writer_touch(struct writer *w, const struct fact_ids *ids);
/* Runs a statement whose result nobody wants. */
enum status writer_exec(struct writer *w, const char *sql, const struct store_value *v, size_t n,
                        struct error *err);
/* Says that a record makes no sense and is left out. */
void writer_skip(struct writer *w, const struct log_record *r, const char *why);

/* Times that a store, a browser and a person can make sense of: 1970 to 2200. */
#define LATEST_US (INT64_C(7258118400) * US_PER_S)
static inline bool is_time(int64_t us)
{
    return us >= 0 && us <= LATEST_US;
}

static inline struct store_value sv_int(int64_t i)
{
    return (struct store_value){.kind = SV_INT, .i = i};
}

static inline struct store_value sv_time(int64_t us)
{
    return (struct store_value){.kind = SV_TIME, .i = us};
}

/* NULL where "". */
static inline struct store_value sv_text(const char *s)
{
    return *s ? (struct store_value){.kind = SV_TEXT, .s = str_of(s)}
              : (struct store_value){.kind = SV_NULL};
}
