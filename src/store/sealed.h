/*
 * DuckDB for SQL that is not ours. What may be seen is copied out of the store into a file of its own
 * (extract_write, where the store is open); another process opens that file, shuts everything else and
 * runs one statement (sealed_*). That process must not have the store open: DuckDB's settings are of
 * the whole instance, and what a statement may do to one is more than to read (docs/internals/sql.md).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct store_conn;

struct extract_table {
    const char *name;
    const char *sql; /* "select ... from ..." of the store */
};
/* Writes the new file `to` with these tables, all of one instant. On failure the file may be there,
 * unfinished. The connection's thread; store_interrupt() stops it. */
enum status extract_write(struct store_conn *c, const char *to, const struct extract_table *tables,
                          size_t count, struct error *err);

struct sealed;
struct sealed_config {
    int fd; /* of such a file, open for reading; borrowed while it is open */
    int64_t max_memory;
    const char *time_zone;
};
/* One thread, no temporary files, no other file. It is open until the process ends. */
enum status sealed_open(const struct sealed_config *c, struct sealed **ret, struct error *err);
/* Runs the one statement of the text, which must only read; its rows come as they are fetched, and
 * duckdb_result_error() says how that ended. INVALID with all that DuckDB says where it does not run.
 * The caller owns *ret. */
enum status sealed_ask(struct sealed *s, const char *sql, duckdb_result *ret, struct error *err);
/* DuckDB's message: TOO_LARGE where it tells of memory, else INVALID. */
enum status sealed_fail(const char *message, struct error *err);
