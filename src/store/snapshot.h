/*
 * A consistent copy of the store in a file of its own, made inside DuckDB while the writer goes on,
 * and what is in it: so that a copy can be held against what it was made of.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct store_conn;

enum { STORE_NAME_MAX = 64, STORE_SUM_MAX = 48 };

struct store_table {
    char name[STORE_NAME_MAX];
    int64_t rows;
    char sum[STORE_SUM_MAX]; /* of all rows' hashes, whatever their order; by this DuckDB */
};

struct store_summary {
    int64_t schema;   /* number of the last migration */
    int64_t position; /* of the log, applied */
    size_t table_count;
    struct store_table *tables; /* by name */
};
void store_summary_done(struct store_summary *s);

/* DuckDB's version; sums of another one may differ. */
const char *store_engine(void);

/* Writes the new file `to`; the summary is of the very same instant. On failure the file may be
 * there, unfinished; the store is not touched. The connection must have no open transaction. */
enum status store_snapshot(struct store_conn *c, const char *to, struct store_summary *ret,
                           struct error *err);
/* Of a store in a file that nobody has open; it is read as it is, not migrated. Any thread. */
enum status store_summarize(const char *path, struct store_summary *ret, struct error *err);
/* When the first and the last play in such a file began; TIME_NONE: there is none. Any thread. */
enum status store_play_span(const char *path, int64_t *ret_first_us, int64_t *ret_last_us,
                            struct error *err);
