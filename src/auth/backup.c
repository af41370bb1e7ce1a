#include "auth/backup.h"

#include <sqlite3.h>

#include "base/mem.h"

#include "base/banned.h"

enum { BUSY_TIMEOUT_MS = 5000 };

static void auto_db_fn(sqlite3 **db)
{
    sqlite3_close(*db);
}

static void auto_sqlite_fn(char **text)
{
    sqlite3_free(*text);
}

/* Who there is, but no session and no API token; and the audit log. */
static const char *const tables[] = {"user", "identity", "link", "audit"};

/* A table as it is in the live file; the others are made by the next open. */
static int copy_table(sqlite3 *db, const char *name)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "select sql from live.sqlite_schema where type = 'table'"
                                    " and name = ?1", -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        rc = sqlite3_exec(db, (const char *)sqlite3_column_text(s, 0), NULL, NULL, NULL);
    sqlite3_finalize(s);
    return rc;
}

static int copy_tables(sqlite3 *db)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        int rc = copy_table(db, tables[i]);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

enum status auth_backup(const char *from, const char *to, struct error *err)
{
    auto_cleanup(auto_db_fn) sqlite3 *db = NULL;
    auto_cleanup(auto_sqlite_fn) char *attach = sqlite3_mprintf("attach %Q as live", from);
    if (attach &&
        sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS) == SQLITE_OK &&
        sqlite3_exec(db, attach, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "pragma temp_store = memory", NULL, NULL, NULL) == SQLITE_OK &&
        copy_tables(db) == SQLITE_OK &&
        /* In memory until it has no passwords, so that none is ever in a page of the file. */
        sqlite3_exec(db, "begin; create temp table account as select * from live.user;"
                         "update account set password = '';"
                         "insert into main.user select * from account;"
                         "insert into main.identity select * from live.identity;"
                         "insert into main.link select * from live.link;"
                         "insert into main.audit select * from live.audit; commit",
                     NULL, NULL, NULL) == SQLITE_OK)
        return STATUS_OK;
    return fail(err, STATUS_IO, "copy the accounts to '%s': %s", to,
                db ? sqlite3_errmsg(db) : "out of memory");
}
