/* The support bundle: what a report of a fault needs, and nothing of whom it is about. */
#include <stdatomic.h>
#include <stdio.h>

#include "api/about.h"
#include "api/metrics.h"
#include "api/pool.h"
#include "api/servers_now.h"
#include "api/scrub.h"
#include "backup/bundle.h"
#include "backup/files.h"
#include "base/clock.h"
#include "base/log_tail.h"
#include "base/logger.h"
#include "base/mem.h"
#include "sources/source.h"
#include "store/cursor.h"

#include "base/banned.h"

static const char README[] =
    "This bundle was made by Cartographus for a report of a fault. Look through it before you hand it\n"
    "on: it is text.\n"
    "\n"
    "about.json    version, system, sizes, whether all is well\n"
    "config.txt    the options: numbers and switches; of texts only whether they are set\n"
    "check.txt     each media server, tried as `cartographus check` does\n"
    "sync.json     how each media server is watched\n"
    "store.txt     the schema's steps, and rows of each table\n"
    "metrics.txt   as GET /metrics has them\n"
    "log.txt       the last lines of the log since the start; a short run has few\n"
    "\n"
    "Not in it: passwords, keys, tokens and other secrets; plays; the audit log; cookies.\n"
    "Media servers go by their place in the configuration. In check.txt, sync.json and log.txt names,\n"
    "titles, addresses, host names, URLs, paths and whatever stood in quotes are pseudonyms, such as\n"
    "address-2 or name-1: the same for the same thing within this bundle, kept nowhere else. Names of\n"
    "one or two letters are not recognised in the words of an error.\n";

/* --- names that must not stay ------------------------------------------------------------------ */

/* Names of the store that occur in the text. */
static enum status add_names(struct store_conn *c, struct scrubber *s, struct str text, struct error *err)
{
    static const char sql[] =
        "with known(name) as (select name from person union select name from account"
        " union select email from account union select key from account"
        " union select title from title union select parent_title from title"
        " union select grandparent_title from title union select name from server"
        " union select machine_id from server union select name from library"
        " union select player from device union select machine_id from device"
        " union select address from address union select city from place union select file from import)"
        " select distinct trim(name) from known where length(trim(name)) >= 3"
        " and contains(lower($1), lower(trim(name))) limit 10000";
    struct store_value v = {.kind = SV_TEXT, .s = text};
    auto_cursor struct cursor k = {0};
    TRY(cursor_open(c, sql, &v, 1, &k, err));
    while (cursor_next(&k)) {
        struct str found = cursor_text(&k, 0);
        auto_free char *name = xstrndup(found.ptr, found.len);
        scrubber_add_name(s, name);
    }
    return STATUS_OK;
}

static void add_host(struct scrubber *s, const char *url)
{
    const char *host = url ? strstr(url, "://") : NULL;
    if (host == NULL)
        return;
    const char *at = strchr(host + 3, '@');
    host = at ? at + 1 : host + 3;
    auto_free char *name = xstrndup(host, strcspn(host, ":/?#"));
    scrubber_add_name(s, name);
}

static void add_configured(struct scrubber *s, const struct config *c, const struct server_list *l)
{
    scrubber_add_name(s, c->admin_username);
    scrubber_add_name(s, c->nats_user);
    scrubber_add_name(s, c->oidc_client_id);
    scrubber_add_name(s, c->data_dir);
    scrubber_add_name(s, c->backup_dir);
    add_host(s, c->oidc_issuer_url);
    add_host(s, c->oidc_redirect_url);
    add_host(s, c->nats_url);
    for (size_t i = 0; i < l->count; i++) {
        scrubber_add_name(s, l->entries[i].config.name);
        scrubber_add_name(s, l->entries[i].config.key);
        add_host(s, l->entries[i].config.url);
    }
}

/* --- the files --------------------------------------------------------------------------------- */

enum { ABOUT, CONFIG, CHECK, SYNC, STORE, METRICS, LOG, FILES };
static const char *const names[FILES] = {"about.json", "config.txt", "check.txt", "sync.json",
                                         "store.txt", "metrics.txt", "log.txt"};

static void write_error(struct scrubber *s, struct json_writer *w, const char *key, const char *text)
{
    auto_buf struct buf clean = {0};
    scrub_text(s, str_of(text), &clean);
    jw_kv_text(w, key, buf_text(&clean));
}

static void write_sync(const struct servers_now *now, struct scrubber *s, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_array(&w);
    for (size_t i = 0; i < now->list->count; i++) {
        const struct source_status *status = &now->all[i].status;
        jw_object(&w);
        jw_kv_int(&w, "server", (int64_t)i + 1);
        jw_kv_text(&w, "kind", server_kind_name(now->all[i].entry->config.kind));
        jw_kv_text(&w, "state", now->all[i].state);
        jw_kv_int(&w, "percent", status->percent);
        jw_kv_int(&w, "open_sessions", status->open_sessions);
        jw_kv_time(&w, "last_event_at", status->last_event_us);
        write_error(s, &w, "error", status->error);
        write_error(s, &w, "history_error", status->history_error);
        jw_kv_int(&w, "items", status->items);
        write_error(s, &w, "items_error", status->items_error);
        jw_object_end(&w);
    }
    jw_array_end(&w);
}

static enum status write_list(struct store_conn *c, const char *sql, struct buf *out, struct error *err)
{
    auto_cursor struct cursor k = {0};
    TRY(cursor_open(c, sql, NULL, 0, &k, err));
    while (cursor_next(&k)) {
        buf_add_str(out, cursor_text(&k, 0));
        buf_putc(out, '\n');
    }
    return STATUS_OK;
}

static enum status write_store(struct store_conn *c, struct buf *out, struct error *err)
{
    auto_buf struct buf tables = {0};
    TRY(write_list(c, "select 'schema ' || number || ' ' || name from schema_version order by number", out,
                   err));
    TRY(write_list(c, "select table_name from duckdb_tables() where not internal order by 1", &tables, err));
    struct str rest = buf_str(&tables), table;
    while (str_next(&rest, '\n', &table)) {
        if (table.len == 0)
            continue;
        auto_free char *sql = xasprintf("select count(*) from \"%.*s\"", (int)table.len, table.ptr);
        int64_t rows = 0;
        TRY(store_query_int(c, sql, NULL, 0, 0, &rows, err));
        buf_printf(out, "%-20.*s %lld rows\n", (int)table.len, table.ptr, (long long)rows);
    }
    return STATUS_OK;
}

static enum status fill(struct request *r, struct buf *files, struct error *err)
{
    struct api *a = r->api;
    const struct config *k = a->config.config;
    struct json_writer w;
    jw_begin(&w, &files[ABOUT]);
    about_write(a, r->conn, &w);
    config_describe(k, &files[CONFIG]);
    auto_buf struct buf probed = {0}, words = BUF_INIT(4 * LOG_TAIL_BYTES);
    auto_servers_now struct servers_now now = servers_now_get(a);
    a->config.probe(k, now.list, &probed);
    pool_extend(r);
    metrics_write(a, &files[METRICS]);
    TRY(write_store(r->conn, &files[STORE], err));
    /* Last, so that it tells of the above. */
    auto_free char *tail = log_tail_copy();
    buf_add_clean_utf8(&words, buf_str(&probed));
    buf_add_clean_utf8(&words, str_of(tail));
    for (size_t i = 0; i < now.list->count; i++)
        buf_printf(&words, "%s\n%s\n%s\n", now.all[i].status.error, now.all[i].status.history_error,
                   now.all[i].status.items_error);
    struct scrubber *s = scrubber_new();
    add_configured(s, k, now.list);
    enum status status = add_names(r->conn, s, buf_str(&words), err);
    if (status == STATUS_OK) {
        scrub_text(s, buf_str(&probed), &files[CHECK]);
        write_sync(&now, s, &files[SYNC]);
        scrub_log(s, str_of(tail), &files[LOG]);
    }
    scrubber_free(s);
    return status;
}

static enum status make(struct request *r, const char *folder, struct buf *out, struct error *err)
{
    struct buf files[FILES] = {0};
    struct bundle_file listed[FILES + 1] = {{"README.txt", {README, sizeof README - 1}}};
    enum status s = fill(r, files, err);
    for (size_t i = 0; i < FILES; i++) {
        char *clean = logger_redact(buf_text(&files[i]));
        buf_done(&files[i]);
        files[i] = (struct buf){0};
        buf_puts(&files[i], clean);
        free(clean);
        listed[i + 1] = (struct bundle_file){names[i], buf_str(&files[i])};
    }
    if (s == STATUS_OK)
        s = bundle_pack(folder, listed, ARRAY_LEN(listed), clock_now_us(), out, err);
    for (size_t i = 0; i < FILES; i++)
        buf_done(&files[i]);
    return s;
}

void handle_support_bundle(struct request *r)
{
    char stamp[FILES_STAMP_MAX];
    files_stamp(clock_now_us(), stamp);
    auto_free char *folder = xasprintf("cartographus-support-%s", stamp);
    struct buf out = {0};
    struct error err = {0};
    /* It may wait for media servers: one at a time keeps the other workers free. */
    if (!request_begin_export(r))
        return;
    enum status s = make(r, folder, &out, &err);
    r->api->is_exporting = false;
    if (s != STATUS_OK) {
        buf_done(&out);
        request_fail(r, &err);
        return;
    }
    struct http_exchange *x = r->x;
    auto_free char *name = xasprintf("%s.tar.gz", folder);
    request_add_attachment(r, name);
    size_t len = out.len;
    request_release_no_store(r, 200);
    http_reply_take(x, 200, "application/gzip", buf_steal(&out), len);
}
