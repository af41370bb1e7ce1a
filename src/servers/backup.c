#include "base/mem.h"
#include "servers/rows.h"
#include "servers/servers.h"

#include "base/banned.h"

enum { BUSY_MS = 5000 };

static bool has_table(sqlite3 *db, const char *schema)
{
    auto_free char *sql = xasprintf("select 1 from %s.sqlite_schema where name = 'media_server'", schema);
    auto_stmt sqlite3_stmt *s = NULL;
    return sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
}

size_t servers_count_stored(const char *path, const char *kind)
{
    auto_db sqlite3 *db = NULL;
    auto_stmt sqlite3_stmt *s = NULL;
    size_t count = 0;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK && has_table(db, "main") &&
        sqlite3_prepare_v2(db, "select count(*) from media_server where kind = ?1 or ?1 is null", -1, &s,
                           NULL) == SQLITE_OK &&
        sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        count = (size_t)sqlite3_column_int64(s, 0);
    return count;
}

enum status servers_backup(const char *from, const char *to, struct error *err)
{
    auto_db sqlite3 *db = NULL;
    auto_stmt sqlite3_stmt *attach = NULL;
    bool is_done =
        sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, BUSY_MS) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "attach ?1 as live", -1, &attach, NULL) == SQLITE_OK &&
        sqlite3_bind_text(attach, 1, from, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(attach) == SQLITE_DONE;
    if (is_done && has_table(db, "live"))
        is_done = sqlite3_exec(db, servers_schema, NULL, NULL, NULL) == SQLITE_OK &&
                  sqlite3_exec(db, "insert into main.media_server select key, kind, name, url, x'',"
                                   " machine_id, is_enabled, is_tls_verified, added_us"
                                   " from live.media_server", NULL, NULL, NULL) == SQLITE_OK;
    return is_done ? STATUS_OK
                   : fail(err, STATUS_IO, "copy the list of servers to '%s': %s", to,
                          db ? sqlite3_errmsg(db) : "out of memory");
}
