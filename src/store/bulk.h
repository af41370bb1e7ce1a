/*
 * Appending many rows: as append.h, but values go straight into DuckDB's vectors, which costs a
 * tenth. The columns of a row are given one after the other, each in the type it has in the table.
 * One thread; on an error the transaction is lost.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "store/store.h"

enum { BULK_COLUMNS_MAX = 64 };

struct bulk {
    duckdb_appender appender;
    duckdb_data_chunk chunk;
    idx_t columns, column; /* column: the next one of the row */
    idx_t rows, room;
    void *data[BULK_COLUMNS_MAX];
    uint64_t *validity[BULK_COLUMNS_MAX]; /* NULL: no NULLs in this chunk yet */
    uint8_t size[BULK_COLUMNS_MAX];       /* bytes of a value; 0: not a plain one */
};

/* catalog: NULL, or "temp". The caller owns *ret (bulk_done, or auto_bulk). */
enum status bulk_open(struct store_conn *c, const char *catalog, const char *table,
                      struct bulk *ret, struct error *err);
/* As append_flush(). */
enum status bulk_flush(struct bulk *b, struct error *err);
/* Writes what is left; nothing is appended after it. */
enum status bulk_close(struct bulk *b, struct error *err);
void bulk_done(struct bulk *b);
#define auto_bulk __attribute__((cleanup(bulk_done)))

/* Hands the rows of the vectors to the appender. */
enum status bulk_chunk(struct bulk *b, struct error *err);

/* Ends the row. */
static inline enum status bulk_row(struct bulk *b, struct error *err)
{
    assert(b->column == b->columns);
    b->column = 0;
    return ++b->rows == b->room ? bulk_chunk(b, err) : STATUS_OK;
}

/* Where the next value of the row goes. */
static inline void *bulk_place(struct bulk *b, size_t size)
{
    assert(b->column < b->columns && b->size[b->column] == size);
    return (char *)b->data[b->column++] + b->rows * size;
}

void bulk_null(struct bulk *b);
/* VARCHAR; NULL where "". */
void bulk_text(struct bulk *b, const char *v);

/* BIGINT. */
static inline void bulk_int(struct bulk *b, int64_t v)
{
    *(int64_t *)bulk_place(b, sizeof v) = v;
}

static inline void bulk_int32(struct bulk *b, int32_t v)
{
    *(int32_t *)bulk_place(b, sizeof v) = v;
}

static inline void bulk_bool(struct bulk *b, bool v)
{
    *(bool *)bulk_place(b, sizeof v) = v;
}

static inline void bulk_double(struct bulk *b, double v)
{
    *(double *)bulk_place(b, sizeof v) = v;
}

/* INTEGER; NULL where 0. */
static inline void bulk_id(struct bulk *b, int64_t v)
{
    if (v > 0 && v <= INT32_MAX)
        bulk_int32(b, (int32_t)v);
    else
        bulk_null(b);
}

/* BIGINT, INTEGER, BOOLEAN; NULL where negative. */
static inline void bulk_known(struct bulk *b, int64_t v)
{
    if (v >= 0)
        bulk_int(b, v);
    else
        bulk_null(b);
}

static inline void bulk_known32(struct bulk *b, int32_t v)
{
    if (v >= 0)
        bulk_int32(b, v);
    else
        bulk_null(b);
}

static inline void bulk_known_bool(struct bulk *b, int v)
{
    if (v >= 0)
        bulk_bool(b, v != 0);
    else
        bulk_null(b);
}

/* TIMESTAMP, microseconds; NULL where TIME_NONE. */
static inline void bulk_time(struct bulk *b, int64_t us)
{
    if (us == TIME_NONE)
        bulk_null(b);
    else
        bulk_int(b, us);
}
