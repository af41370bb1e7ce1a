#include "auth/audit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth/inside.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { WAITING_MOST = 256, PRUNE_EVERY = 200, REFUSED_SHARE = 10, BUSY_TIMEOUT_MS = 5000 };

struct audit {
    int64_t keep_rows, keep_us;
    _Atomic int64_t logins, refused, lost;
    int64_t told_lost;     /* the worker */
    unsigned until_prune;  /* the worker: rows to write before; 0: now */
    pthread_mutex_t mutex; /* guards what waits */
    struct audit_row waiting[WAITING_MOST];
    size_t count;
};

static const char *const kind_names[] = {[AUDIT_LOGIN] = "login", [AUDIT_REFUSED] = "refused",
                                         [AUDIT_CHANGE] = "change", [AUDIT_EXPORT] = "export"};

const char *audit_kind_name(enum audit_kind k)
{
    return kind_names[k];
}

bool audit_kind_parse(const char *text, enum audit_kind *ret)
{
    for (size_t i = AUDIT_LOGIN; i < ARRAY_LEN(kind_names); i++)
        if (streq(text, kind_names[i])) {
            *ret = (enum audit_kind)i;
            return true;
        }
    return false;
}

struct audit *audit_new(int64_t keep_rows, int64_t keep_us)
{
    struct audit *d = xcalloc(1, sizeof *d);
    d->keep_rows = keep_rows;
    d->keep_us = keep_us;
    pthread_mutex_init(&d->mutex, NULL);
    return d;
}

void audit_free(struct audit *d)
{
    if (d == NULL)
        return;
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

void audit_note(struct auth *a, const struct audit_row *row)
{
    struct audit *d = a->audit;
    if (row->kind == AUDIT_LOGIN)
        d->logins++;
    else if (row->kind == AUDIT_REFUSED)
        d->refused++;
    auto_free char *detail = logger_redact(row->detail);
    pthread_mutex_lock(&d->mutex);
    bool has_room = d->count < WAITING_MOST;
    if (has_room) {
        struct audit_row *mine = &d->waiting[d->count++];
        *mine = *row;
        mine->at_us = clock_now_us();
        snprintf(mine->detail, sizeof mine->detail, "%s", detail);
    } else {
        d->lost++;
    }
    pthread_mutex_unlock(&d->mutex);
    auth_wake(a);
}

void audit_get_counts(struct auth *a, struct audit_counts *ret)
{
    struct audit *d = a->audit;
    *ret = (struct audit_counts){.refused_logins = d->refused, .logins = d->logins, .lost = d->lost};
}

/* --- the file ---------------------------------------------------------------------------------- */

static enum status db_fail(sqlite3 *db, struct error *err)
{
    return fail(err, STATUS_IO, "audit log: %s", sqlite3_errmsg(db));
}

static enum status prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct error *err)
{
    return sqlite3_prepare_v2(db, sql, -1, ret, NULL) == SQLITE_OK ? STATUS_OK : db_fail(db, err);
}

static enum status exec(sqlite3 *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : db_fail(db, err);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
    sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static enum status insert(sqlite3 *db, const struct audit_row *rows, size_t count, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(db,
                "insert into audit (at_us, kind, who, via, token, address, action, detail, status)"
                " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &s, err));
    for (size_t i = 0; i < count; i++) {
        const struct audit_row *r = &rows[i];
        sqlite3_bind_int64(s, 1, r->at_us);
        bind_text(s, 2, audit_kind_name(r->kind));
        bind_text(s, 3, r->who);
        bind_text(s, 4, r->via);
        bind_text(s, 5, r->token);
        bind_text(s, 6, r->address);
        bind_text(s, 7, r->action);
        bind_text(s, 8, r->detail);
        sqlite3_bind_int(s, 9, r->status);
        if (sqlite3_step(s) != SQLITE_DONE)
            return db_fail(db, err);
        sqlite3_reset(s);
    }
    return STATUS_OK;
}

static enum status delete_where(sqlite3 *db, const char *where, int64_t value, struct error *err)
{
    auto_free char *sql = xasprintf("delete from audit where %s", where);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(db, sql, &s, err));
    sqlite3_bind_int64(s, 1, value);
    return sqlite3_step(s) == SQLITE_DONE ? STATUS_OK : db_fail(db, err);
}

static enum status prune(struct audit *d, sqlite3 *db, struct error *err)
{
    int64_t refused = d->keep_rows / REFUSED_SHARE;
    TRY(delete_where(db,
                     "kind <> 'refused' and audit_id <= (select audit_id from audit"
                     " where kind <> 'refused' order by audit_id desc limit 1 offset ?1)",
                     d->keep_rows, err));
    TRY(delete_where(db,
                     "kind = 'refused' and audit_id <= (select audit_id from audit"
                     " where kind = 'refused' order by audit_id desc limit 1 offset ?1)",
                     refused < 1 ? 1 : refused, err));
    return delete_where(db,
                        "audit_id < coalesce((select audit_id from audit where at_us >= ?1"
                        " order by audit_id limit 1), 9223372036854775807)",
                        clock_now_us() - d->keep_us, err);
}

static enum status write_rows(struct audit *d, sqlite3 *db, const struct audit_row *rows,
                              size_t count, struct error *err)
{
    TRY(exec(db, "begin immediate", err));
    enum status s = insert(db, rows, count, err);
    if (s == STATUS_OK && d->until_prune == 0)
        s = prune(d, db, err);
    if (s == STATUS_OK)
        s = exec(db, "commit", err);
    if (s != STATUS_OK)
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    return s;
}

void audit_write(struct audit *d, sqlite3 *db)
{
    pthread_mutex_lock(&d->mutex);
    size_t count = d->count;
    auto_free struct audit_row *rows = xcalloc(count + 1, sizeof *rows);
    memcpy(rows, d->waiting, count * sizeof *rows);
    d->count = 0;
    pthread_mutex_unlock(&d->mutex);
    if (count > 0) {
        struct error err = {0};
        d->until_prune = d->until_prune > count ? d->until_prune - (unsigned)count : 0;
        if (write_rows(d, db, rows, count, &err) == STATUS_OK) {
            d->until_prune = d->until_prune == 0 ? PRUNE_EVERY : d->until_prune;
        } else {
            d->lost += (int64_t)count;
            log_error("audit", "rows of the audit log could not be written", LF_ERROR(&err));
        }
    }
    int64_t lost = d->lost;
    if (lost > d->told_lost)
        log_error("audit", "rows of the audit log are lost", LF_INT("rows", lost - d->told_lost));
    d->told_lost = lost;
}

enum status audit_note_offline(const char *path, const struct audit_row *row, struct error *err)
{
    sqlite3 *db = NULL;
    struct audit_row mine = *row;
    mine.at_us = clock_now_us();
    enum status s;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(db, AUDIT_SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
        s = fail(err, STATUS_IO, "'%s': %s", path, db ? sqlite3_errmsg(db) : "no memory");
    else
        s = insert(db, &mine, 1, err);
    sqlite3_close(db);
    return s;
}

/* --- what is asked for ------------------------------------------------------------------------- */

struct asked {
    struct audit_filter filter;
    audit_done *done;
    void *ctx;
};

static void copy_text(sqlite3_stmt *s, int column, char *dst, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(dst, size, "%s", text ? text : "");
}

static void read_row(sqlite3_stmt *s, struct audit_row *ret)
{
    char kind[16];
    *ret = (struct audit_row){.id = sqlite3_column_int64(s, 0), .at_us = sqlite3_column_int64(s, 1),
                              .status = sqlite3_column_int(s, 9)};
    copy_text(s, 2, kind, sizeof kind);
    if (!audit_kind_parse(kind, &ret->kind))
        ret->kind = AUDIT_CHANGE;
    copy_text(s, 3, ret->who, sizeof ret->who);
    copy_text(s, 4, ret->via, sizeof ret->via);
    copy_text(s, 5, ret->token, sizeof ret->token);
    copy_text(s, 6, ret->address, sizeof ret->address);
    copy_text(s, 7, ret->action, sizeof ret->action);
    copy_text(s, 8, ret->detail, sizeof ret->detail);
}

static enum status select_rows(sqlite3 *db, const struct audit_filter *f, struct audit_row *rows,
                               size_t *ret_count, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(db,
                "select audit_id, at_us, kind, who, via, token, address, action, detail, status"
                " from audit where (?1 = 0 or audit_id < ?1) and (?2 = '' or kind = ?2)"
                " and (?3 = '' or instr(lower(who || char(10) || token || char(10) || address"
                " || char(10) || action || char(10) || detail), lower(?3)))"
                " order by audit_id desc limit ?4", &s, err));
    sqlite3_bind_int64(s, 1, f->before_id);
    bind_text(s, 2, f->kind ? audit_kind_name(f->kind) : "");
    bind_text(s, 3, f->search);
    sqlite3_bind_int64(s, 4, (int64_t)f->limit + 1);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW)
        read_row(s, &rows[(*ret_count)++]);
    return step == SQLITE_DONE ? STATUS_OK : db_fail(db, err);
}

static void answer(struct auth *a, void *ctx)
{
    auto_free struct asked *q = ctx;
    struct audit_answer said = {0};
    audit_write(a->audit, a->db); /* what was done before is in it */
    auto_free struct audit_row *rows = xcalloc(q->filter.limit + 1, sizeof *rows);
    said.status = select_rows(a->db, &q->filter, rows, &said.count, &said.error);
    said.has_more = said.count > q->filter.limit;
    if (said.has_more)
        said.count--;
    said.rows = rows;
    q->done(q->ctx, &said);
}

enum status audit_list(struct auth *a, const struct audit_filter *f, audit_done *done, void *ctx,
                       struct error *err)
{
    struct asked *q = xmalloc(sizeof *q);
    *q = (struct asked){*f, done, ctx};
    enum status s = auth_submit_call(a, answer, q, err);
    if (s != STATUS_OK)
        free(q);
    return s;
}
