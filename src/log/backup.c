#include "log/log.h"

#include <sqlite3.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { READ_MOST = 500 };

struct copy {
    sqlite3 *db;
    sqlite3_stmt *insert;
    int64_t last; /* seq of the last record that was read */
};

static void auto_db_fn(sqlite3 **db)
{
    sqlite3_close(*db);
}
#define auto_db __attribute__((cleanup(auto_db_fn)))

static void auto_copy_fn(struct copy *k)
{
    sqlite3_finalize(k->insert);
    sqlite3_close(k->db);
}

static enum status fail_copy(sqlite3 *db, struct error *err)
{
    return fail(err, STATUS_IO, "copy the log to '%s': %s", db ? sqlite3_db_filename(db, "main") : "?",
                db ? sqlite3_errmsg(db) : "out of memory");
}

static enum status run(sqlite3 *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : fail_copy(db, err);
}

/* The tables are as an open makes them. */
static enum status open_copy(const char *to, struct copy *k, struct error *err)
{
    struct log *empty = NULL;
    TRY(log_open(to, &empty, err));
    log_close(empty);
    if (sqlite3_open_v2(to, &k->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_exec(k->db, "pragma journal_mode = delete; begin", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(k->db, "insert into record (seq, kind, appended_us, payload)"
                                  " values (?1, ?2, ?3, ?4)", -1, &k->insert, NULL) != SQLITE_OK)
        return fail_copy(k->db, err);
    return STATUS_OK;
}

static enum status copy_record(void *ctx, const struct log_record *r, struct error *err)
{
    struct copy *k = ctx;
    k->last = r->seq;
    if (r->kind == LOG_NOTHING)
        return STATUS_OK;
    sqlite3_bind_int64(k->insert, 1, r->seq);
    sqlite3_bind_int(k->insert, 2, (int)r->kind);
    sqlite3_bind_int64(k->insert, 3, r->appended_us);
    sqlite3_bind_text64(k->insert, 4, r->payload.ptr, r->payload.len, SQLITE_STATIC, SQLITE_UTF8);
    int rc = sqlite3_step(k->insert);
    sqlite3_reset(k->insert);
    return rc == SQLITE_DONE ? STATUS_OK : fail_copy(k->db, err);
}

static enum status note_home(sqlite3 *db, const char *home, struct error *err)
{
    char *sql = sqlite3_mprintf("create table rest_of (home text not null);"
                                "insert into rest_of values (%Q)", home);
    enum status s = sql ? run(db, sql, err) : fail_copy(db, err);
    sqlite3_free(sql);
    return s;
}

enum status log_backup(struct log *l, int64_t after, const char *to, struct error *err)
{
    auto_cleanup(auto_copy_fn) struct copy k = {.last = after};
    TRY(open_copy(to, &k, err));
    int64_t before;
    do {
        before = k.last;
        TRY(log_read(l, before, READ_MOST, copy_record, &k, err));
    } while (k.last > before);
    if (!streq(log_home(l), "sqlite")) /* it is opened where that home may not be */
        TRY(note_home(k.db, log_home(l), err));
    return run(k.db, "commit", err);
}

enum status log_backup_end(const char *to, int64_t applied, struct error *err)
{
    auto_db sqlite3 *db = NULL;
    if (sqlite3_open_v2(to, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return fail_copy(db, err);
    auto_free char *sql = xasprintf(
        "begin; delete from record where seq <= %lld; delete from sqlite_sequence; insert into"
        " sqlite_sequence select 'record', max(%lld, ifnull(max(seq), 0)) from record; commit",
        (long long)applied, (long long)applied);
    return run(db, sql, err);
}
