/*
 * A result written row by row, straight from DuckDB's column chunks, as JSON, NDJSON, CSV or GeoJSON.
 *
 *     auto_rows struct rows r = {0};
 *     TRY(rows_begin(&r, result, ROWS_JSON, err));
 *     while (rows_next(&r, out)) {}                a chunk (at most 2,048 rows) each time
 *
 * JSON gives objects with commas between; the caller writes the brackets around them. NDJSON gives
 * one object a line. CSV (RFC 4180) begins with a line of names; a text that a spreadsheet would
 * take for a formula gets ' in front. Times are RFC 3339 UTC, whole numbers are whole at any size,
 * what is not finite is null. Lists become arrays, in CSV "a; b". GeoJSON gives features with commas
 * between, whose properties are the row: a point at `latitude` and `longitude`, a line from
 * `server_latitude` and `server_longitude` to it where there are such columns, no geometry where one
 * of them is unknown; the caller writes what stands around them (rows_geojson_head, _tail).
 *
 * A column whose name begins with '_' is not written; rows_last_*() read it, for cursors. Of a statement
 * that is not ours (rows_begin_foreign) every column is written, and a name that was there already gets
 * _1, _2, ...; see also cell_type.is_foreign. One thread; out's overflow is the caller's to check, once,
 * at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/cell.h"
#include "store/store.h"

struct lookup;
struct rows_column;
enum rows_format { ROWS_JSON = 1, ROWS_NDJSON, ROWS_CSV, ROWS_GEOJSON };
extern const char rows_geojson_head[], rows_geojson_tail[];

struct rows {
    duckdb_result result; /* borrowed: must outlive it */
    enum rows_format format;
    size_t column_count;
    struct rows_column *columns;
    duckdb_data_chunk chunk; /* the newest */
    int64_t count;           /* rows so far */
    int64_t most;            /* rows that are written; 0: all */
    bool has_more;           /* there were further ones */
    bool is_begun;
    bool is_going_on; /* may be set: rows of another result were written before, no names then */
    enum status status; /* of reading names: what rows_next() ended with */
    struct error error;
    const struct rows_column *place[2], *from[2]; /* GeoJSON: latitude, longitude; NULL: no such column */
};

/* INTERNAL where a column's type has no text form, or GeoJSON is asked of rows without a place. */
enum status rows_begin(struct rows *r, duckdb_result result, enum rows_format format,
                       struct error *err);
enum status rows_begin_foreign(struct rows *r, duckdb_result result, enum rows_format format,
                               int64_t most, struct error *err);
/* A column of numbers whose name is that of the names (it begins with '@') is written as the columns that
 * they have. Before the first rows_next(); they are borrowed until rows_done(). */
enum status rows_look_up(struct rows *r, struct lookup *const *names, size_t count, struct error *err);
/* What a column is called in the answer. */
const char *rows_name(const struct rows *r, size_t column);
duckdb_type rows_type(const struct rows *r, size_t column);
/* Appends the next chunk's rows; false when there are none left, or (r->status) names could not be read. */
bool rows_next(struct rows *r, struct buf *out);
/* Of the last row written: a column of BIGINT, INTEGER or TIMESTAMP; `fallback` where NULL, where
 * there was no row or no such column. */
int64_t rows_last_int(const struct rows *r, const char *column, int64_t fallback);
/* The same of VARCHAR; empty instead. Borrowed until the next rows_next() or rows_done(). */
struct str rows_last_text(const struct rows *r, const char *column);
void rows_done(struct rows *r);
#define auto_rows __attribute__((cleanup(rows_done)))
