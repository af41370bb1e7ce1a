/* The whole store as files that other programs read: a tar of one Parquet file a table. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/pool.h"
#include "api/request.h"
#include "backup/files.h"
#include "backup/tar.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/cursor.h"
#include "store/export.h"
#include "store/tables.h"

#include "base/banned.h"

/* A table may take long; the whole is given up when the client goes. */
#define TABLE_MOST_US (30 * US_PER_MIN)
enum { TABLES_MOST = 200 };

struct table {
    char *name, *columns; /* columns: as they are selected */
    int64_t rows;
};

struct store_export {
    struct request *r;
    int64_t made_us;
    int64_t schema;
    struct table tables[TABLES_MOST];
    size_t count;
    struct export whole; /* the tar */
};

static void export_free(struct store_export *x)
{
    for (size_t i = 0; i < x->count; i++) {
        free(x->tables[i].name);
        free(x->tables[i].columns);
    }
    export_done(&x->whole);
}

/* Times say that they are of UTC; JSON is text in every reader. Names are our own schema's. */
static const char tables_sql[] =
    "select c.table_name, string_agg(case when data_type like 'TIMESTAMP%' then"
    " 'timezone(''UTC'', \"' || column_name || '\") as \"' || column_name || '\"'"
    " when data_type = 'JSON' then '\"' || column_name || '\"::varchar as \"' || column_name || '\"'"
    " else '\"' || column_name || '\"' end, ', ' order by column_index)"
    " from duckdb_columns() c join duckdb_tables() t on t.table_oid = c.table_oid"
    " and t.database_oid = c.database_oid"
    " where c.database_name = current_database() and c.schema_name = 'main' and not t.temporary"
    " group by 1 order by 1";

static enum status list_tables(struct store_export *x, struct error *err)
{
    struct store_conn *c = x->r->conn;
    auto_cursor struct cursor rows = {0};
    TRY(cursor_open(c, tables_sql, NULL, 0, &rows, err));
    while (cursor_next(&rows)) {
        if (x->count == TABLES_MOST)
            return fail(err, STATUS_INTERNAL, "the store has more than %d tables", TABLES_MOST);
        struct str name = cursor_text(&rows, 0), columns = cursor_text(&rows, 1);
        x->tables[x->count++] = (struct table){.name = xstrndup(name.ptr, name.len),
                                               .columns = xstrndup(columns.ptr, columns.len)};
    }
    for (size_t i = 0; i < x->count; i++) {
        auto_free char *sql = xasprintf("select count(*) from \"%s\"", x->tables[i].name);
        TRY(store_query_int(c, sql, NULL, 0, 0, &x->tables[i].rows, err));
    }
    return store_query_int(c, "select max(number) from schema_version", NULL, 0, 0, &x->schema, err);
}

static void write_readme(const struct store_export *x, struct buf *out)
{
    char made[TIME_TEXT_MAX];
    buf_printf(out, "Everything that the store of Cartographus holds, as of one instant: one Parquet file a"
                    " table.\n\nmade at         %s\nversion         %s\nschema version  %" PRId64 "\n\n",
               time_format(x->made_us, made), x->r->api->config.version, x->schema);
    buf_puts(out,
             "Columns and what they mean are told in the project's sql/migrations/, step by step up to\n"
             "that schema version. Times are UTC. Any program that reads Parquet opens them, such as\n"
             "DuckDB:\n\n"
             "    select count(*) from 'play.parquet'\n"
             "    where not is_hidden and kind <> 'extra' and not is_short\n\n"
             "PRIVATE: it has people's names, what they watched and when, their e-mail addresses (account)\n"
             "and their network addresses (address). Passwords, tokens and settings are not in it. This is\n"
             "no backup: there is no way to take it in again; cartographus backup makes those.\n\n");
    for (size_t i = 0; i < x->count; i++)
        buf_printf(out, "%-24s %12" PRId64 "  %s\n", x->tables[i].name, x->tables[i].rows,
                   store_table_meaning(x->tables[i].name));
}

static enum status add_table(struct store_export *x, struct tar *tar, const struct table *t,
                             struct error *err)
{
    struct request *r = x->r;
    auto_export struct export e = {.fd = -1};
    auto_free char *name = xasprintf("%s.parquet", t->name);
    auto_free char *sql = xasprintf("select %s from \"%s\"", t->columns, t->name);
    if (http_is_gone(r->x))
        return fail(err, STATUS_CANCELLED, "the client has gone");
    pool_allow(r, TABLE_MOST_US);
    TRY(export_open(r->api->config.config->data_dir, EXPORT_PARQUET, &e, err));
    TRY(export_query(&e, r->conn, sql, NULL, 0, err));
    TRY(export_need_room(&x->whole, e.size, err));
    return tar_add_file(tar, name, e.fd, e.size, x->made_us, err);
}

/* In one transaction: the tables fit each other. */
static enum status write_tables(void *ctx, struct store_conn *c, struct error *err)
{
    struct store_export *x = ctx;
    auto_tar struct tar *tar = NULL;
    auto_buf struct buf readme = {0};
    (void)c;
    TRY(list_tables(x, err));
    write_readme(x, &readme);
    TRY(tar_begin(x->whole.fd, &tar, err));
    TRY(tar_add_text(tar, "README.txt", buf_str(&readme), x->made_us, err));
    for (size_t i = 0; i < x->count; i++)
        TRY(add_table(x, tar, &x->tables[i], err));
    TRY(tar_end(tar, err));
    struct stat st;
    if (fstat(x->whole.fd, &st) != 0)
        return fail_errno(err, errno, "look at the export");
    x->whole.size = (uint64_t)st.st_size;
    return STATUS_OK;
}

/* A table is written packed, so that all of them take less than the store does. */
static enum status make(struct store_export *x, struct error *err)
{
    const char *folder = x->r->api->config.config->data_dir;
    auto_free char *path = xasprintf("%s/cartographus.duckdb", folder);
    struct stat st;
    TRY(export_open(folder, EXPORT_PARQUET, &x->whole, err));
    TRY(export_need_room(&x->whole, stat(path, &st) == 0 ? (uint64_t)st.st_size : 0, err));
    return store_transaction(x->r->conn, write_tables, x, err);
}

void handle_export_store(struct request *r)
{
    auto_cleanup(export_free) struct store_export x = {
        .r = r, .made_us = clock_now_us(), .whole = {.fd = -1}};
    struct error err = {0};
    if (!request_begin_export(r))
        return;
    enum status s = make(&x, &err);
    r->api->is_exporting = false;
    if (s != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    char stamp[FILES_STAMP_MAX];
    files_stamp(x.made_us, stamp);
    auto_free char *name = xasprintf("cartographus-store-%s.tar", stamp);
    request_note(r, "%zu tables", x.count);
    request_add_attachment(r, name);
    struct http_exchange *exchange = r->x;
    request_release_no_store(r, 200);
    http_reply_fd(exchange, 200, "application/x-tar", steal_fd(&x.whole.fd), x.whole.size);
}
