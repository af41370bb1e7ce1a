/*
 * A SQLite database of a stranger, opened so that nothing in it can act: read-only and immutable,
 * defensive, its schema not trusted, no views, no triggers, no extensions, no files beside it, with
 * limits on lengths and on the time of one statement. One thread.
 */
#pragma once

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct foreign_db {
    sqlite3 *db;
    const atomic_bool *stop; /* true: what runs ends with CANCELLED */
    int64_t deadline_us;     /* of the statement that runs */
    bool is_late;
};

/* d stays where it is until foreign_db_close(). `stop` may be NULL. INVALID: no usable database. */
enum status foreign_db_open(struct foreign_db *d, const char *path, const atomic_bool *stop,
                            struct error *err);
void foreign_db_close(struct foreign_db *d);

/* The columns of a real table as "\x1f" "name" "\x1f" ... in lower case, the caller frees them; NULL
 * where there is no such table. INVALID where something else goes by its name. */
enum status foreign_db_columns(struct foreign_db *d, const char *table, char **ret,
                               struct error *err);
/* Whether `columns` has it. */
bool foreign_db_has(const char *columns, const char *name);

enum status foreign_db_prepare(struct foreign_db *d, const char *sql, sqlite3_stmt **ret,
                               struct error *err);
/* True and a row, or false at the end. The clock of a statement starts with foreign_db_start(). */
enum status foreign_db_step(struct foreign_db *d, sqlite3_stmt *q, bool *ret_has_row,
                            struct error *err);
void foreign_db_start(struct foreign_db *d);

/* A whole number, also from text; `fallback` for nothing, '' and what is none. */
int64_t foreign_int(sqlite3_stmt *q, int column, int64_t fallback);

static inline void auto_stmt_fn(sqlite3_stmt **q)
{
    sqlite3_finalize(*q);
}
#define auto_stmt __attribute__((cleanup(auto_stmt_fn)))
