/*
 * Reading a result row by row, by column number, without minding chunks and NULL. One thread;
 * texts are borrowed until the next cursor_next().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum { CURSOR_COLUMNS_MAX = 96 }; /* further ones cannot be read */

struct cursor {
    duckdb_result result;
    duckdb_data_chunk chunk;
    idx_t at, size, columns;
    /* Of the chunk. */
    const void *data[CURSOR_COLUMNS_MAX];
    const uint64_t *validity[CURSOR_COLUMNS_MAX]; /* NULL: no NULLs */
    duckdb_type type[CURSOR_COLUMNS_MAX];
};

/* Runs the query; the caller owns *ret (cursor_done, or auto_cursor). */
enum status cursor_open(struct store_conn *c, const char *sql, const struct store_value *values,
                        size_t count, struct cursor *ret, struct error *err);
/* False when there is no further row. */
bool cursor_next(struct cursor *r);
/* A column of INTEGER, BIGINT, TIMESTAMP (microseconds) or BOOLEAN; `fallback` where NULL. */
int64_t cursor_int(const struct cursor *r, idx_t column, int64_t fallback);
/* A column of VARCHAR; empty where NULL. */
struct str cursor_text(const struct cursor *r, idx_t column);
void cursor_done(struct cursor *r);
#define auto_cursor __attribute__((cleanup(cursor_done)))
