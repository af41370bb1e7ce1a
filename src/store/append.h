/*
 * Appending rows, column by column, with this project's ways of saying "unknown". Errors of a
 * single column come out at append_row(). One thread; on an error the transaction is lost.
 */
#pragma once

#include <stdint.h>

#include "store/store.h"

/* catalog: NULL, or "temp" for a temporary table. The caller owns *ret (auto_appender). */
enum status append_open(struct store_conn *c, const char *catalog, const char *table,
                        duckdb_appender *ret, struct error *err);
/* Ends the row. */
enum status append_row(duckdb_appender a, struct error *err);
/* Hands what there is to the table, which DuckDB does by itself only every 204,800 rows. */
enum status append_flush(duckdb_appender a, struct error *err);
/* Writes what is left; nothing is appended after it. */
enum status append_close(duckdb_appender a, struct error *err);

static inline void auto_appender_fn(duckdb_appender *a)
{
    duckdb_appender_destroy(a);
}
#define auto_appender __attribute__((cleanup(auto_appender_fn)))

void append_int(duckdb_appender a, int64_t v);
void append_bool(duckdb_appender a, bool v);
void append_null(duckdb_appender a);
/* INTEGER; NULL where 0. */
void append_id(duckdb_appender a, int64_t v);
/* BIGINT, INTEGER, BOOLEAN; NULL where negative (or too large). */
void append_known(duckdb_appender a, int64_t v);
void append_known32(duckdb_appender a, int64_t v);
void append_known_bool(duckdb_appender a, int64_t v);
/* NULL where "". */
void append_text(duckdb_appender a, const char *v);
/* Microseconds; NULL where TIME_NONE. */
void append_time(duckdb_appender a, int64_t us);
/* BIGINT[]. */
void append_list(duckdb_appender a, const int64_t *values, size_t count);
