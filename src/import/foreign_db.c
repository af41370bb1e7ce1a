#include "import/foreign_db.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum {
    TEXT_MAX = 16 * 1024 * 1024, /* one value or row */
    OPS_BETWEEN_LOOKS = 20000,
    COLUMNS_MAX = 2000
};
#define STATEMENT_US (5 * US_PER_MIN)

/* SQLite asks now and then whether to go on. */
static int look_up(void *ctx)
{
    struct foreign_db *d = ctx;
    d->is_late = clock_monotonic_us() > d->deadline_us;
    return d->is_late || (d->stop && *d->stop);
}

static enum status fail_sqlite(struct foreign_db *d, int rc, struct error *err)
{
    switch (rc & 0xff) {
    case SQLITE_INTERRUPT:
        if (d->is_late)
            return fail(err, STATUS_TOO_LARGE, "reading the database takes too long; it may be"
                        " made to");
        return fail(err, STATUS_CANCELLED, "cancelled");
    case SQLITE_TOOBIG:
        return fail(err, STATUS_TOO_LARGE, "the database holds a value of more than %d bytes",
                    TEXT_MAX);
    case SQLITE_NOMEM:
        return fail(err, STATUS_NOMEM, "no memory to read the database");
    default:
        return fail(err, STATUS_INVALID, "the database cannot be read: %.200s",
                    sqlite3_errmsg(d->db));
    }
}

/* Only reading, and only what our own statements are made of. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *schema,
                     const char *trigger)
{
    (void)ctx;
    (void)schema;
    if (trigger) /* a view or trigger in the middle */
        return SQLITE_DENY;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
        return SQLITE_OK;
    case SQLITE_PRAGMA:
        return a && streq(a, "table_info") && b ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return b && streq(b, "count") ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static void defend(sqlite3 *db)
{
    static const int off[] = {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
                              SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
                              SQLITE_DBCONFIG_ENABLE_FKEY, SQLITE_DBCONFIG_DQS_DDL,
                              SQLITE_DBCONFIG_DQS_DML};
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(off); i++)
        sqlite3_db_config(db, off[i], 0, NULL);
    static const int limits[][2] = {{SQLITE_LIMIT_LENGTH, TEXT_MAX},
                                    {SQLITE_LIMIT_SQL_LENGTH, 100000},
                                    {SQLITE_LIMIT_COLUMN, COLUMNS_MAX},
                                    {SQLITE_LIMIT_EXPR_DEPTH, 50},
                                    {SQLITE_LIMIT_COMPOUND_SELECT, 2},
                                    {SQLITE_LIMIT_ATTACHED, 0},
                                    {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
                                    {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        sqlite3_limit(db, limits[i][0], limits[i][1]);
}

enum status foreign_db_open(struct foreign_db *d, const char *path, const atomic_bool *stop,
                            struct error *err)
{
    *d = (struct foreign_db){.stop = stop};
    auto_buf struct buf uri = {0};
    buf_puts(&uri, "file:");
    struct str rest = str_of(path), piece;
    for (bool is_first = true; str_next(&rest, '/', &piece); is_first = false) {
        if (!is_first)
            buf_putc(&uri, '/');
        buf_add_urlencoded(&uri, piece);
    }
    buf_puts(&uri, "?immutable=1");
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE;
    foreign_db_start(d);
    int rc = sqlite3_open_v2(buf_text(&uri), &d->db, flags, NULL);
    if (rc != SQLITE_OK) {
        enum status s = fail_sqlite(d, rc, err);
        foreign_db_close(d);
        return s;
    }
    defend(d->db);
    sqlite3_progress_handler(d->db, OPS_BETWEEN_LOOKS, look_up, d);
    sqlite3_set_authorizer(d->db, authorize, d);
    return STATUS_OK;
}

void foreign_db_close(struct foreign_db *d)
{
    sqlite3_close(d->db);
    d->db = NULL;
}

void foreign_db_start(struct foreign_db *d)
{
    d->deadline_us = clock_monotonic_us() + STATEMENT_US;
}

enum status foreign_db_prepare(struct foreign_db *d, const char *sql, sqlite3_stmt **ret,
                               struct error *err)
{
    int rc = sqlite3_prepare_v2(d->db, sql, -1, ret, NULL);
    return rc == SQLITE_OK ? STATUS_OK : fail_sqlite(d, rc, err);
}

enum status foreign_db_step(struct foreign_db *d, sqlite3_stmt *q, bool *ret_has_row,
                            struct error *err)
{
    int rc = sqlite3_step(q);
    *ret_has_row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? STATUS_OK : fail_sqlite(d, rc, err);
}

/* A row of sqlite_schema by that name: a table with pages of its own, or something to refuse. */
static enum status find_table(struct foreign_db *d, const char *table, bool *ret_is_there,
                              struct error *err)
{
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(foreign_db_prepare(d, "select type, rootpage from sqlite_schema"
                              " where name = ?1 collate nocase and type in ('table', 'view')",
                           &q, err));
    sqlite3_bind_text(q, 1, table, -1, SQLITE_STATIC);
    foreign_db_start(d);
    TRY(foreign_db_step(d, q, ret_is_there, err));
    if (!*ret_is_there)
        return STATUS_OK;
    const char *type = (const char *)sqlite3_column_text(q, 0);
    if (!type || !streq(type, "table") || sqlite3_column_int64(q, 1) <= 0)
        return fail(err, STATUS_INVALID, "'%s' is no real table: this file was made to do harm",
                    table);
    return STATUS_OK;
}

enum status foreign_db_columns(struct foreign_db *d, const char *table, char **ret,
                               struct error *err)
{
    bool is_there;
    *ret = NULL;
    TRY(find_table(d, table, &is_there, err));
    if (!is_there)
        return STATUS_OK;
    auto_free char *sql = xasprintf("pragma table_info(%s)", table);
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(foreign_db_prepare(d, sql, &q, err));
    auto_buf struct buf names = {0};
    buf_putc(&names, '\x1f');
    foreign_db_start(d);
    for (;;) {
        bool has_row;
        TRY(foreign_db_step(d, q, &has_row, err));
        if (!has_row)
            break;
        const char *name = (const char *)sqlite3_column_text(q, 1);
        for (const char *p = name ? name : ""; *p; p++)
            buf_putc(&names, *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p);
        buf_putc(&names, '\x1f');
    }
    *ret = buf_steal(&names);
    return STATUS_OK;
}

bool foreign_db_has(const char *columns, const char *name)
{
    if (!columns)
        return false;
    auto_free char *wanted = xasprintf("\x1f%s\x1f", name);
    return strstr(columns, wanted) != NULL;
}

int64_t foreign_int(sqlite3_stmt *q, int column, int64_t fallback)
{
    switch (sqlite3_column_type(q, column)) {
    case SQLITE_INTEGER:
        return sqlite3_column_int64(q, column);
    case SQLITE_FLOAT: {
        double v = sqlite3_column_double(q, column);
        return v > -9e18 && v < 9e18 ? (int64_t)v : fallback;
    }
    case SQLITE_TEXT: {
        int64_t v;
        const char *text = (const char *)sqlite3_column_text(q, column);
        struct str s = {text, (size_t)sqlite3_column_bytes(q, column)};
        return text && s.len && str_to_i64(str_trim(s), &v) ? v : fallback;
    }
    default:
        return fallback;
    }
}
