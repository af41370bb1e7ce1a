/*
 * The DuckDB store: the only code that opens the .duckdb file or includes duckdb.h outside the
 * typed results below. One writing connection (the writer thread), a pool of reading ones.
 */
#pragma once

#include <duckdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

struct store;
struct store_config {
    const char *path;      /* DATA/cartographus.duckdb, or ":memory:" in tests */
    const char *temp_path; /* spill folder, NULL: beside it */
    const char *max_memory;/* "2GB"; NULL: DuckDB's own choice, and nothing is trimmed */
    unsigned threads;      /* 0: CPUs */
};

/* Opens, migrates to the newest schema (sql/migrations/NNN_name.sql, embedded), self-tests. A WAL
 * that is damaged is set aside as .wal.damaged-TIME and reported through *ret_wal_was_damaged (the log
 * is then replayed from the last checkpoint); one that only cannot be replayed now fails the opening. */
enum status store_open(const struct store_config *c, struct store **ret, bool *ret_wal_was_damaged,
                       struct error *err);
void store_close(struct store *s);
/* Whether a time zone has that name; without any file, in a few milliseconds. */
enum status store_knows_time_zone(const char *name, bool *ret, struct error *err);

/* A connection belongs to one thread. */
struct store_conn;
enum status store_connect(struct store *s, struct store_conn **ret, struct error *err);
void store_disconnect(struct store_conn *c);
/* Whether the store can be read and its file is there, not emptied, and still the one in use. */
enum status store_check(struct store_conn *c, struct error *err);
void store_interrupt(struct store_conn *c); /* any thread: stops the running statement */
duckdb_connection store_duckdb(struct store_conn *c);

/* Fails with the first line of DuckDB's message (the rest quotes the statement): CANCELLED, NOMEM or IO
 * where it tells of that, else INTERNAL. */
enum status store_fail(const char *message, const char *doing, struct error *err);
/* Runs one or more statements without parameters or result. */
enum status store_exec(struct store_conn *c, const char *sql, struct error *err);
/* A value to bind. */
struct store_value {
    enum { SV_NULL, SV_INT, SV_DOUBLE, SV_TEXT, SV_TIME, SV_BOOL } kind;
    int64_t i; /* also microseconds and boolean */
    double d;
    struct str s;
};
/* Prepares, binds positionally ($1...), runs; the caller owns *ret (duckdb_destroy_result, or
 * auto_result). */
enum status store_query(struct store_conn *c, const char *sql, const struct store_value *values,
                        size_t count, duckdb_result *ret, struct error *err);
#define auto_result __attribute__((cleanup(duckdb_destroy_result)))
#define auto_type __attribute__((cleanup(duckdb_destroy_logical_type)))
#define auto_aggregate __attribute__((cleanup(duckdb_destroy_aggregate_function)))
/* The same with values by name ($name in the text); names that the text does not have are passed
 * over, a name of the text without a value is INTERNAL. */
struct store_named {
    const char *name; /* without $ */
    struct store_value value;
};
enum status store_query_named(struct store_conn *c, const char *sql,
                              const struct store_named *values, size_t count, duckdb_result *ret,
                              struct error *err);
/* First column of the first row; `fallback` when none or NULL. */
enum status store_query_int(struct store_conn *c, const char *sql, const struct store_value *values,
                            size_t count, int64_t fallback, int64_t *ret, struct error *err);
/* BEGIN; f; COMMIT, or ROLLBACK on any failure (a COMMIT after an error lies). */
enum status store_transaction(struct store_conn *c,
                              enum status (*f)(void *ctx, struct store_conn *c, struct error *err),
                              void *ctx, struct error *err);
/* CHECKPOINT; UNAVAILABLE means later. Afterwards *ret_position is the applied log position that
 * is safe in the main file. */
enum status store_checkpoint(struct store_conn *c, int64_t *ret_position, struct error *err);
/* Gives back to the system what DuckDB has freed, which it keeps for seconds and after bulk work is
 * as much as it holds, and what it has read, unless a statement runs. In a transaction, too. Not
 * while another thread appends. */
enum status store_trim(struct store_conn *c, struct error *err);
/* Grows by one with every committed change of data; ETags and caches hang on it. Any thread. */
int64_t store_data_version(struct store *s);
void store_bump_data_version(struct store *s); /* writer, after its COMMIT */
