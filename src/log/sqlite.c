/* The log's default home: a SQLite file in WAL mode, each append one transaction on the disk. */
#include <sqlite3.h>

#include "base/mem.h"
#include "log/home.h"

#include "base/banned.h"

enum { BUSY_TIMEOUT_MS = 5000 };

/* One connection behind one lock: an append takes about 0.3 ms, a read of a batch less. */
struct sqlite_log {
    struct log base;
    pthread_mutex_t db_lock;
    sqlite3 *db;
    sqlite3_stmt *insert, *select, *trim, *begin, *commit, *rollback;
};

static enum status fail_sqlite(struct sqlite_log *l, const char *doing, struct error *err)
{
    int code = sqlite3_errcode(l->db);
    return fail(err, code == SQLITE_FULL || code == SQLITE_IOERR ? STATUS_IO : STATUS_UNAVAILABLE,
                "%s the log: %s", doing, sqlite3_errmsg(l->db));
}

static bool prepare(struct sqlite_log *l, const char *sql, sqlite3_stmt **ret)
{
    return sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static bool run(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

static int64_t read_last(struct sqlite_log *l)
{
    sqlite3_stmt *s = NULL;
    int64_t last = 0;
    /* sqlite_sequence keeps the highest number ever given out, also when all rows are gone. */
    if (prepare(l, "select seq from sqlite_sequence where name = 'record'", &s) &&
        sqlite3_step(s) == SQLITE_ROW)
        last = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return last;
}

/* Caller holds the lock. */
static bool append_locked(struct sqlite_log *l, struct log_record *records, size_t count)
{
    if (!run(l->begin))
        return false;
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int(l->insert, 1, (int)records[i].kind);
        sqlite3_bind_int64(l->insert, 2, records[i].appended_us);
        sqlite3_bind_text64(l->insert, 3, records[i].payload.ptr, records[i].payload.len,
                            SQLITE_STATIC, SQLITE_UTF8);
        if (!run(l->insert))
            return false;
        records[i].seq = sqlite3_last_insert_rowid(l->db);
    }
    return run(l->commit);
}

static enum status sqlite_append(struct log *base, struct log_record *records, size_t count,
                                 struct error *err)
{
    struct sqlite_log *l = (struct sqlite_log *)base;
    pthread_mutex_lock(&l->db_lock);
    enum status s = STATUS_OK;
    if (!append_locked(l, records, count)) {
        s = fail_sqlite(l, "append to", err);
        if (!sqlite3_get_autocommit(l->db))
            (void)run(l->rollback);
    }
    pthread_mutex_unlock(&l->db_lock);
    return s;
}

static enum status sqlite_read(struct log *base, int64_t after, size_t most, log_each *each,
                               void *ctx, struct error *err)
{
    struct sqlite_log *l = (struct sqlite_log *)base;
    auto_log_copy struct log_copy copy = LOG_COPY_INIT;
    pthread_mutex_lock(&l->db_lock);
    sqlite3_bind_int64(l->select, 1, after);
    sqlite3_bind_int64(l->select, 2, (int64_t)most);
    int rc;
    while ((rc = sqlite3_step(l->select)) == SQLITE_ROW && copy.texts.len < LOG_READ_BYTES &&
           !copy.texts.is_overflowed) {
        const char *text = (const char *)sqlite3_column_text(l->select, 3);
        size_t len = (size_t)sqlite3_column_bytes(l->select, 3);
        struct log_record r = {.seq = sqlite3_column_int64(l->select, 0),
                               .kind = (enum log_kind)sqlite3_column_int(l->select, 1),
                               .appended_us = sqlite3_column_int64(l->select, 2),
                               .payload = {text ? text : "", len}};
        log_copy_add(&copy, &r);
    }
    enum status s = STATUS_OK;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        s = fail_sqlite(l, "read", err);
    sqlite3_reset(l->select);
    pthread_mutex_unlock(&l->db_lock);
    TRY(s);
    return log_copy_tell(&copy, each, ctx, err);
}

static enum status sqlite_trim(struct log *base, int64_t seq, struct error *err)
{
    struct sqlite_log *l = (struct sqlite_log *)base;
    pthread_mutex_lock(&l->db_lock);
    sqlite3_bind_int64(l->trim, 1, seq);
    enum status s = run(l->trim) ? STATUS_OK : fail_sqlite(l, "trim", err);
    pthread_mutex_unlock(&l->db_lock);
    return s;
}

static void sqlite_close(struct log *base)
{
    struct sqlite_log *l = (struct sqlite_log *)base;
    sqlite3_stmt *all[] = {l->insert, l->select, l->trim, l->begin, l->commit, l->rollback};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(l->db);
    pthread_mutex_destroy(&l->db_lock);
    log_done(base);
    free(l);
}

/* backup.c writes the table; else it is not there. */
static char *read_rest_of(struct sqlite_log *l)
{
    sqlite3_stmt *s = NULL;
    char *home = NULL;
    if (prepare(l, "select home from rest_of", &s) && sqlite3_step(s) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        home = xstrdup(text ? text : "");
    }
    sqlite3_finalize(s);
    return home;
}

static enum status sqlite_rest_done(struct log *base, struct error *err)
{
    struct sqlite_log *l = (struct sqlite_log *)base;
    pthread_mutex_lock(&l->db_lock);
    bool is_done = sqlite3_exec(l->db, "drop table if exists rest_of", NULL, NULL, NULL) == SQLITE_OK;
    enum status s = is_done ? STATUS_OK
                            : fail(err, STATUS_IO, "the log: %s", sqlite3_errmsg(l->db));
    pthread_mutex_unlock(&l->db_lock);
    return s;
}

enum status log_open(const char *path, struct log **ret, struct error *err)
{
    static const struct log_ops ops = {sqlite_append, sqlite_read, sqlite_trim,
                                       sqlite_rest_done, sqlite_close};
    struct sqlite_log *l = xcalloc(1, sizeof *l);
    log_init(&l->base, &ops);
    l->base.home = xstrdup("sqlite");
    pthread_mutex_init(&l->db_lock, NULL);
    static const char set_up[] =
        "pragma journal_mode = wal; pragma synchronous = full; pragma trusted_schema = off;"
        "create table if not exists record (seq integer primary key autoincrement,"
        " kind integer not null, appended_us integer not null, payload text not null) strict;";
    if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(l->db, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(l->db, set_up, NULL, NULL, NULL) != SQLITE_OK ||
        !prepare(l, "insert into record (kind, appended_us, payload) values (?1, ?2, ?3)",
                 &l->insert) ||
        !prepare(l,
                 "select seq, kind, appended_us, payload from record where seq > ?1 order by seq"
                 " limit ?2",
                 &l->select) ||
        !prepare(l, "delete from record where seq <= ?1", &l->trim) ||
        !prepare(l, "begin immediate", &l->begin) || !prepare(l, "commit", &l->commit) ||
        !prepare(l, "rollback", &l->rollback)) {
        enum status s = fail(err, STATUS_IO, "open the log '%s': %s", path,
                             l->db ? sqlite3_errmsg(l->db) : "out of memory");
        sqlite_close(&l->base);
        return s;
    }
    l->base.last = read_last(l);
    l->base.rest_of = read_rest_of(l);
    *ret = &l->base;
    return STATUS_OK;
}
