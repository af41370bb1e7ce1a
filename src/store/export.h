/*
 * Rows as a file that has no name: it is gone with its descriptor, be it that the process is killed.
 * Text is written a chunk of rows at a time, Parquet by DuckDB itself; in memory is never more than
 * one statement's rows. The connection's thread.
 *
 *     auto_export struct export e;
 *     TRY(export_open(data_dir, EXPORT_CSV, &e, err));
 *     TRY(export_query(&e, conn, sql, values, count, err));    once, or for text as often as one likes
 *     TRY(export_end(&e, err));
 *     http_reply_fd(..., steal_fd(&e.fd), e.size);
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "store/rows.h"
#include "store/store.h"

enum export_format { EXPORT_CSV = 1, EXPORT_NDJSON, EXPORT_PARQUET, EXPORT_GEOJSON };
/* A word of the `format` parameter, which is the name's ending, too; false when it is none. */
bool export_parse(const char *word, enum export_format *ret);
const char *export_word(enum export_format f);
const char *export_media_type(enum export_format f); /* with charset */

/* So much of the disk is left free: the store needs it. A file smaller than EXPORT_SMALL may be
 * written always. */
enum { EXPORT_LEAVES = 64 * 1024 * 1024, EXPORT_SMALL = 1024 * 1024 };

struct export {
    int fd; /* mode 0600, without a name */
    enum export_format format;
    uint64_t size;
    int64_t rows;     /* of text */
    uint64_t checked; /* size at which the free disk was looked at */
    struct lookup *const *names; /* of the rows (rows_look_up); may be set, borrowed */
    size_t name_count;
};

/* In `folder`. */
enum status export_open(const char *folder, enum export_format f, struct export *ret,
                        struct error *err);
/* Closes the file, if it is still there. */
void export_done(struct export *e);
#define auto_export __attribute__((cleanup(export_done)))
/* IO where the disk has not so much free, and EXPORT_LEAVES beside. */
enum status export_need_room(const struct export *e, uint64_t bytes, struct error *err);
/* Appends all rows of a result, which has the same columns each time; text only. `ret_rows` (may be
 * NULL) is left at the last row, for rows_last_*(); the caller frees it. */
enum status export_rows(struct export *e, duckdb_result result, struct rows *ret_rows,
                        struct error *err);
/* Runs `sql` and writes its rows. */
enum status export_query(struct export *e, struct store_conn *c, const char *sql,
                         const struct store_named *values, size_t count, struct error *err);
/* After the last row. */
enum status export_end(struct export *e, struct error *err);
