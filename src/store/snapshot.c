#include "store/snapshot.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/cursor.h"
#include "store/store.h"

#include "base/banned.h"

/* What the copy is called while it is attached. */
#define COPY "snapshot"

void store_summary_done(struct store_summary *s)
{
    free(s->tables);
    *s = (struct store_summary){0};
}

const char *store_engine(void)
{
    return duckdb_library_version();
}

/* Name or path as SQL wants it. */
static char *quoted(const char *text, char quote)
{
    auto_buf struct buf b = {0};
    buf_putc(&b, quote);
    for (; *text; text++) {
        if (*text == quote)
            buf_putc(&b, quote);
        buf_putc(&b, *text);
    }
    buf_putc(&b, quote);
    return buf_steal(&b);
}

/* --- what is in a store ------------------------------------------------------------------------ */

static enum status sum_table(struct store_conn *c, const char *catalog, struct store_table *t,
                             struct error *err)
{
    auto_free char *name = quoted(t->name, '"');
    auto_free char *sql = xasprintf("select count(*), coalesce(sum(hash(t)), 0)::varchar"
                                    " from %s.main.%s t", catalog, name);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    if (!cursor_next(&r))
        return fail(err, STATUS_INTERNAL, "the table %s cannot be counted", t->name);
    t->rows = cursor_int(&r, 0, 0);
    struct str sum = cursor_text(&r, 1);
    snprintf(t->sum, sizeof t->sum, "%.*s", (int)sum.len, sum.ptr);
    return STATUS_OK;
}

static enum status list_tables(struct store_conn *c, const char *database,
                               struct store_summary *ret, struct error *err)
{
    struct store_value v = {.kind = SV_TEXT, .s = str_of(database)};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select table_name from duckdb_tables() where database_name = $1 and"
                       " schema_name = 'main' and not temporary order by 1", &v, 1, &r, err));
    while (cursor_next(&r)) {
        struct str name = cursor_text(&r, 0);
        if (name.len >= STORE_NAME_MAX)
            return fail(err, STATUS_INVALID, "a table's name has %zu characters", name.len);
        ret->tables = xreallocarray(ret->tables, ret->table_count + 1, sizeof *ret->tables);
        struct store_table *t = &ret->tables[ret->table_count++];
        *t = (struct store_table){0};
        memcpy(t->name, name.ptr, name.len);
    }
    return STATUS_OK;
}

/* In the transaction that is open, of an attached database. */
static enum status summarize(struct store_conn *c, const char *database, struct store_summary *ret,
                             struct error *err)
{
    auto_free char *catalog = quoted(database, '"');
    auto_free char *schema =
        xasprintf("select max(number) from %s.main.schema_version", catalog);
    auto_free char *position = xasprintf("select position from %s.main.applied", catalog);
    TRY(store_query_int(c, schema, NULL, 0, 0, &ret->schema, err));
    TRY(store_query_int(c, position, NULL, 0, 0, &ret->position, err));
    TRY(list_tables(c, database, ret, err));
    for (size_t i = 0; i < ret->table_count; i++)
        TRY(sum_table(c, catalog, &ret->tables[i], err));
    return STATUS_OK;
}

/* --- the copy ---------------------------------------------------------------------------------- */

static enum status copy(void *ctx, struct store_conn *c, struct error *err)
{
    struct store_summary *ret = ctx;
    auto_free char *database = NULL;
    {
        auto_cursor struct cursor r = {0};
        TRY(cursor_open(c, "select current_database()", NULL, 0, &r, err));
        struct str name = cursor_next(&r) ? cursor_text(&r, 0) : STR("");
        database = xstrndup(name.ptr, name.len);
    }
    TRY(summarize(c, database, ret, err)); /* its first statement fixes the instant */
    auto_free char *from = quoted(database, '"');
    auto_free char *sql = xasprintf("copy from database %s to " COPY, from);
    return store_exec(c, sql, err);
}

enum status store_snapshot(struct store_conn *c, const char *to, struct store_summary *ret,
                           struct error *err)
{
    auto_free char *path = quoted(to, '\'');
    auto_free char *attach = xasprintf("attach %s as " COPY, path);
    TRY(store_exec(c, attach, err));
    *ret = (struct store_summary){0};
    enum status s = store_transaction(c, copy, ret, err);
    if (s == STATUS_OK)
        s = store_exec(c, "checkpoint " COPY, err); /* here a full disk may show, too */
    struct error late;
    enum status end = store_exec(c, "detach " COPY, &late);
    if (s == STATUS_OK && end != STATUS_OK)
        s = fail(err, end, "%s", late.text);
    if (s != STATUS_OK)
        store_summary_done(ret);
    return s;
}

/* Asks of a file that nobody has open, attached read-only. */
static enum status ask_file(const char *path,
                            enum status (*ask)(void *ctx, struct store_conn *c, struct error *err),
                            void *ctx, struct error *err)
{
    static const struct store_config nowhere = {
        .path = ":memory:", .max_memory = "512MB", .threads = 1};
    struct store *s = NULL;
    struct store_conn *c = NULL;
    TRY(store_open(&nowhere, &s, NULL, err));
    auto_free char *file = quoted(path, '\'');
    auto_free char *attach = xasprintf("attach %s as " COPY " (read_only)", file);
    enum status status = store_connect(s, &c, err);
    if (status == STATUS_OK)
        status = store_exec(c, attach, err);
    if (status == STATUS_OK)
        status = ask(ctx, c, err);
    store_disconnect(c);
    store_close(s);
    return status;
}

static enum status ask_summary(void *ctx, struct store_conn *c, struct error *err)
{
    return summarize(c, COPY, ctx, err);
}

enum status store_summarize(const char *path, struct store_summary *ret, struct error *err)
{
    *ret = (struct store_summary){0};
    enum status s = ask_file(path, ask_summary, ret, err);
    if (s != STATUS_OK)
        store_summary_done(ret);
    return s;
}

static enum status ask_span(void *ctx, struct store_conn *c, struct error *err)
{
    int64_t *span = ctx;
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select epoch_us(min(started)), epoch_us(max(started)) from " COPY ".main.play",
                    NULL, 0, &r, err));
    if (!cursor_next(&r))
        return fail(err, STATUS_INTERNAL, "the plays cannot be counted");
    span[0] = cursor_int(&r, 0, TIME_NONE);
    span[1] = cursor_int(&r, 1, TIME_NONE);
    return STATUS_OK;
}

enum status store_play_span(const char *path, int64_t *ret_first_us, int64_t *ret_last_us,
                            struct error *err)
{
    int64_t span[2] = {TIME_NONE, TIME_NONE};
    TRY(ask_file(path, ask_span, span, err));
    *ret_first_us = span[0];
    *ret_last_us = span[1];
    return STATUS_OK;
}
