/* Imports: a file in, how they stand, cancel, undo. */
#include "api/imports.h"

#include <stdio.h>

#include "api/request.h"
#include "base/mem.h"
#include "servers/servers.h"

#include "base/banned.h"

enum { LIST_MOST = 200 };

static void reply_import(struct request *r, int http_status, const struct import_report *i)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key(&w, "import");
    import_report_write(&w, i);
    jw_object_end(&w);
    request_reply(r, http_status, &out);
}

/* The number in the path; false after having answered. */
static bool read_id(struct request *r, int64_t *ret)
{
    if (str_to_i64(str_of(r->params[0]), ret))
        return true;
    request_failf(r, STATUS_NOT_FOUND, "id", "there is no import '%s'", r->params[0]);
    return false;
}

static enum status find(struct request *r, int64_t id, struct import_report *ret,
                        struct error *err)
{
    const struct api_imports *m = r->api->config.imports;
    if (m->find(m->ctx, id, ret))
        return STATUS_OK;
    return import_get(r->conn, id, ret, err);
}

/* --- a file in --------------------------------------------------------------------------------- */

struct reading {
    struct api_import import;
    struct error err;
    enum status status;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    if (!str_is_utf8(str_of(value)))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "this is no UTF-8 text");
    else if (streq(name, "name") && strlen(value) < IMPORT_NAME_MAX)
        g->import.name = *value ? value : g->import.name;
    else if (streq(name, "name"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "at most %d bytes of text",
                               IMPORT_NAME_MAX - 1);
    else if (streq(name, "server"))
        g->import.server_key = *value ? value : NULL;
    else if (streq(name, "dry_run") && (streq(value, "0") || streq(value, "1") || !*value))
        g->import.is_dry_run = streq(value, "1");
    else if (streq(name, "dry_run"))
        g->status = fail_field(&g->err, STATUS_INVALID, name,
                               "'%.60s' is not right; it must be 0 or 1", value);
    else
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    return g->status == STATUS_OK;
}

/* A server that is watched, or has been. */
static enum status check_server(struct request *r, const char *key, struct error *err)
{
    auto_server_list struct server_list *l = servers_get(r->api->config.servers);
    if (server_list_find(l, key))
        return STATUS_OK;
    struct store_value v[] = {{.kind = SV_TEXT, .s = str_of(key)}};
    int64_t known;
    TRY(store_query_int(r->conn, "select count(*) from server where key = $1", v, 1, 0, &known,
                        err));
    if (known)
        return STATUS_OK;
    return fail_field(err, STATUS_INVALID, "server", "there is no media server '%.60s'; it must be"
                      " a key as /sync/status names it, such as plex-1", key);
}

static enum status begin(struct request *r, struct reading *g, struct import_report *ret)
{
    const struct api_imports *m = r->api->config.imports;
    http_query_each(r->x, read_parameter, g);
    TRY(g->status);
    if (g->import.server_key)
        TRY(check_server(r, g->import.server_key, &g->err));
    if (!http_body_file(r->x))
        return fail(&g->err, STATUS_INVALID, "the request's body must be the file");
    auto_free char *path = http_steal_body_file(r->x);
    g->import.path = path;
    return m->begin(m->ctx, &g->import, ret, &g->err);
}

void handle_import_begin(struct request *r)
{
    struct reading g = {.import = {.name = "upload"}};
    struct import_report report;
    if (begin(r, &g, &report) == STATUS_OK)
        reply_import(r, 202, &report);
    else
        request_fail(r, &g.err);
}

/* --- how they stand ---------------------------------------------------------------------------- */

void handle_imports(struct request *r)
{
    const struct api_imports *m = r->api->config.imports;
    auto_free struct import_report *list = NULL;
    size_t count = 0;
    struct error err = {0};
    if (imports_list(r->conn, LIST_MOST, &list, &count, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "imports");
    for (size_t i = 0; i < count; i++) {
        (void)m->find(m->ctx, list[i].import_id, &list[i]);
        import_report_write(&w, &list[i]);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

static void reply_found(struct request *r, int http_status, int64_t id)
{
    struct import_report report;
    struct error err = {0};
    if (find(r, id, &report, &err) == STATUS_OK)
        reply_import(r, http_status, &report);
    else
        request_fail(r, &err);
}

void handle_import(struct request *r)
{
    int64_t id;
    if (read_id(r, &id))
        reply_found(r, 200, id);
}

void handle_import_cancel(struct request *r)
{
    const struct api_imports *m = r->api->config.imports;
    int64_t id;
    struct import_report report;
    struct error err = {0};
    if (!read_id(r, &id))
        return;
    enum status s = find(r, id, &report, &err);
    if (s == STATUS_OK)
        s = m->cancel(m->ctx, id, &err);
    if (s == STATUS_OK)
        reply_found(r, 202, id);
    else
        request_fail(r, &err);
}

void handle_import_undo(struct request *r)
{
    const struct api_imports *m = r->api->config.imports;
    int64_t id;
    struct error err = {0};
    if (!read_id(r, &id))
        return;
    if (m->undo(m->ctx, id, r->user.name, &err) == STATUS_OK)
        reply_found(r, 200, id);
    else
        request_fail(r, &err);
}
