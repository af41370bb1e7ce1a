/* Inside of servers: the table of stored servers. */
#pragma once

#include <sqlite3.h>

#include "base/error.h"

extern const char servers_schema[]; /* one statement */

static inline void auto_stmt_fn(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
}
#define auto_stmt __attribute__((cleanup(auto_stmt_fn)))
static inline void auto_db_fn(sqlite3 **db)
{
    sqlite3_close(*db);
}
#define auto_db __attribute__((cleanup(auto_db_fn)))
