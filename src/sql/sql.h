/*
 * People's own SQL, the server's side: one thread that takes questions in turn. It keeps a copy of what
 * may be seen (tables.h), made by a read connection, and has each question answered by a process of its
 * own (child.h), which it kills at the time limit, when the asker has gone, and when the server stops.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sql/order.h"

struct sql;
struct store;

struct sql_config {
    struct store *store; /* borrowed */
    const char *folder;  /* where copy and answers lie, in files without a name; borrowed */
    const char *time_zone;
    int64_t timeout_us;
    int64_t max_memory;
    int64_t most_rows;
};

struct sql_answer {
    enum status status;
    struct error error;
    int fd; /* the answer, from its beginning; the callee's to close */
    int64_t bytes, rows;
};

struct sql_question {
    const char *sql; /* copied */
    enum sql_format format;
    int64_t most_rows; /* further ones are left out; 0: the configuration's most, more is an error of
                          CSV and NDJSON, and is left out of JSON */
    void *ctx;
    bool (*is_gone)(void *ctx); /* whether nobody waits for it any more; the thread of sql */
    void (*done)(void *ctx, const struct sql_answer *a); /* once; the thread of sql, or sql_stop()'s */
};

enum status sql_start(const struct sql_config *c, struct sql **ret, struct error *err);
/* UNAVAILABLE, and done is not called: too many wait. Any thread. */
enum status sql_ask(struct sql *s, const struct sql_question *q, struct error *err);
/* Kills what runs and answers what waits with UNAVAILABLE; then sql_ask() does, too. NULL is fine. */
void sql_stop(struct sql *s);
void sql_free(struct sql *s); /* NULL is fine */
