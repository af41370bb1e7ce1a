#include "log/log.h"

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { BUSY_TIMEOUT_MS = 5000 };

/* A read ends with the record that reaches this. */
enum { READ_BYTES = 1 << 20 };

/* One connection behind one lock: an append takes about 0.3 ms, a read of a batch less. */
struct log {
    pthread_mutex_t lock;
    pthread_cond_t appended;
    sqlite3 *db;
    sqlite3_stmt *insert, *select, *trim, *begin, *commit, *rollback;
    int64_t last;
    bool is_woken;
};

static enum status fail_sqlite(struct log *l, const char *doing, struct error *err)
{
    int code = sqlite3_errcode(l->db);
    return fail(err, code == SQLITE_FULL || code == SQLITE_IOERR ? STATUS_IO : STATUS_UNAVAILABLE,
                "%s the log: %s", doing, sqlite3_errmsg(l->db));
}

static bool prepare(struct log *l, const char *sql, sqlite3_stmt **ret)
{
    return sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static bool run(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

static int64_t read_last(struct log *l)
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

enum status log_open(const char *path, struct log **ret, struct error *err)
{
    struct log *l = xcalloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->appended, &attr);
    pthread_condattr_destroy(&attr);
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
        log_close(l);
        return s;
    }
    l->last = read_last(l);
    *ret = l;
    return STATUS_OK;
}

void log_close(struct log *l)
{
    if (!l)
        return;
    sqlite3_stmt *all[] = {l->insert, l->select, l->trim, l->begin, l->commit, l->rollback};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(l->db);
    pthread_cond_destroy(&l->appended);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Caller holds the lock. */
static bool append_locked(struct log *l, struct log_record *records, size_t count)
{
    if (!run(l->begin))
        return false;
    for (size_t i = 0; i < count; i++) {
        records[i].appended_us = clock_now_us();
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

enum status log_append(struct log *l, struct log_record *records, size_t count, struct error *err)
{
    if (!count)
        return STATUS_OK;
    pthread_mutex_lock(&l->lock);
    enum status s = STATUS_OK;
    if (append_locked(l, records, count)) {
        l->last = records[count - 1].seq;
        pthread_cond_broadcast(&l->appended);
    } else {
        s = fail_sqlite(l, "append to", err);
        if (!sqlite3_get_autocommit(l->db))
            (void)run(l->rollback);
    }
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* A record copied out, so that `each` runs without the lock. */
struct copied {
    struct log_record record;
    size_t at; /* of the payload in the buffer */
};

enum status log_read(struct log *l, int64_t after, size_t most,
                     enum status (*each)(void *ctx, const struct log_record *r, struct error *err),
                     void *ctx, struct error *err)
{
    auto_buf struct buf texts = BUF_INIT(256u << 20);
    auto_free struct copied *list = NULL;
    size_t count = 0, room = 0;
    pthread_mutex_lock(&l->lock);
    sqlite3_bind_int64(l->select, 1, after);
    sqlite3_bind_int64(l->select, 2, (int64_t)most);
    int rc;
    while ((rc = sqlite3_step(l->select)) == SQLITE_ROW && texts.len < READ_BYTES &&
           !texts.is_overflowed) {
        if (count == room)
            list = xreallocarray(list, room = room ? room * 2 : 64, sizeof *list);
        struct copied *c = &list[count++];
        const char *text = (const char *)sqlite3_column_text(l->select, 3);
        size_t len = (size_t)sqlite3_column_bytes(l->select, 3);
        *c = (struct copied){.record = {.seq = sqlite3_column_int64(l->select, 0),
                                        .kind = (enum log_kind)sqlite3_column_int(l->select, 1),
                                        .appended_us = sqlite3_column_int64(l->select, 2),
                                        .payload = {NULL, len}},
                             .at = texts.len};
        buf_add(&texts, text ? text : "", len);
    }
    if (texts.is_overflowed && count)
        count--; /* the rest comes with the next call */
    enum status s = STATUS_OK;
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        s = fail_sqlite(l, "read", err);
    sqlite3_reset(l->select);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        list[i].record.payload.ptr = buf_text(&texts) + list[i].at;
        s = each(ctx, &list[i].record, err);
    }
    return s;
}

bool log_wait(struct log *l, int64_t after, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % US_PER_S * 1000;
    until.tv_sec += (time_t)(timeout_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&l->lock);
    int rc = 0;
    while (l->last <= after && !l->is_woken && rc == 0)
        rc = pthread_cond_timedwait(&l->appended, &l->lock, &until);
    bool has = l->last > after;
    l->is_woken = false;
    pthread_mutex_unlock(&l->lock);
    return has;
}

void log_wake(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_woken = true;
    pthread_cond_broadcast(&l->appended);
    pthread_mutex_unlock(&l->lock);
}

int64_t log_last(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t last = l->last;
    pthread_mutex_unlock(&l->lock);
    return last;
}

enum status log_trim(struct log *l, int64_t seq, struct error *err)
{
    pthread_mutex_lock(&l->lock);
    sqlite3_bind_int64(l->trim, 1, seq);
    enum status s = run(l->trim) ? STATUS_OK : fail_sqlite(l, "trim", err);
    pthread_mutex_unlock(&l->lock);
    return s;
}
