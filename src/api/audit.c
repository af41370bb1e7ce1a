/* The audit log: what of a request goes into it, and how it is read. */
#include "auth/audit.h"

#include "api/request.h"
#include "base/mem.h"

#include "base/banned.h"

/* --- what is noted ----------------------------------------------------------------------------- */

void request_note(struct request *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->note, sizeof r->note, fmt, ap);
    va_end(ap);
}

void request_add_attachment(struct request *r, const char *name)
{
    auto_free char *text = xasprintf("attachment; filename=\"%s\"", name);
    http_add_header(r->x, "Content-Disposition", text);
    r->is_download = true;
}

/* Every change that somebody who is known has asked for, done or refused, and every file that was
 * given out. Logins are noted where they are checked. Of strangers only the trigger that is open to
 * them counts, else anybody could fill the log. */
static bool is_noted(const struct request *r, int http_status)
{
    if (r->route == NULL || r->route->handle == handle_login)
        return false;
    if (streq(r->route->method, "GET"))
        return r->is_download && http_status == 200;
    return r->is_logged_in || (r->route->handle == handle_sync_trigger && http_status < 400);
}

/* The parameters of the path and of the query, and what the handler has to say. */
static void describe(const struct request *r, char *dst, size_t size)
{
    auto_buf struct buf text = {0}, clean = {0};
    for (size_t i = 0; i < REQUEST_PARAMS_MAX && *r->params[i]; i++)
        buf_printf(&text, "%s%s", text.len ? ", " : "", r->params[i]);
    const char *query = http_query_text(r->x);
    if (*query)
        buf_printf(&text, "%s?%s", text.len ? " " : "", query);
    if (*r->note)
        buf_printf(&text, "%s%s", text.len ? ": " : "", r->note);
    buf_add_clean_utf8(&clean, buf_str(&text));
    snprintf(dst, size, "%s", buf_text(&clean));
}

void audit_request(const struct request *r, int http_status)
{
    if (!is_noted(r, http_status))
        return;
    struct audit_row row = {.kind = is_change(r->route->method) ? AUDIT_CHANGE : AUDIT_EXPORT,
                            .status = http_status};
    snprintf(row.who, sizeof row.who, "%s", r->is_logged_in ? r->user.name : "");
    snprintf(row.via, sizeof row.via, "%s", r->is_logged_in ? r->via : "nothing");
    snprintf(row.token, sizeof row.token, "%s", r->token_name);
    snprintf(row.address, sizeof row.address, "%s", http_is_control(r->x) ? "" : r->asker.address);
    snprintf(row.action, sizeof row.action, "%s %s", r->route->method, r->route->pattern);
    describe(r, row.detail, sizeof row.detail);
    audit_note(r->api->config.auth, &row);
}

/* --- how it is read ---------------------------------------------------------------------------- */

static void write_row(struct json_writer *w, const struct audit_row *row)
{
    jw_object(w);
    jw_kv_int(w, "id", row->id);
    jw_kv_time(w, "at", row->at_us);
    jw_kv_text(w, "kind", audit_kind_name(row->kind));
    jw_kv_text(w, "who", *row->who ? row->who : NULL);
    jw_kv_text(w, "via", row->via);
    jw_kv_text(w, "token", *row->token ? row->token : NULL);
    jw_kv_text(w, "address", *row->address ? row->address : NULL);
    jw_kv_text(w, "action", row->action);
    jw_kv_text(w, "detail", *row->detail ? row->detail : NULL);
    jw_kv_int(w, "status", row->status);
    jw_object_end(w);
}

static void listed(void *ctx, const struct audit_answer *answer)
{
    struct request *r = ctx;
    if (answer->status != STATUS_OK) {
        request_fail(r, &answer->error);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "rows");
    for (size_t i = 0; i < answer->count; i++)
        write_row(&w, &answer->rows[i]);
    jw_array_end(&w);
    if (answer->has_more)
        jw_kv_int(&w, "next_before", answer->rows[answer->count - 1].id);
    else
        jw_kv_null(&w, "next_before");
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

struct reading {
    const struct config *config;
    struct audit_filter filter;
    enum status status;
    struct error err;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    struct audit_filter *f = &g->filter;
    int64_t n = 0;
    bool is_number = str_to_i64(str_of(value), &n);
    if (*value == '\0')
        return true;
    if (!str_is_utf8(str_of(value)))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "this is no UTF-8 text");
    else if (streq(name, "kind") && audit_kind_parse(value, &f->kind))
        return true;
    else if (streq(name, "kind"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "'%.60s' in kind is not right; it must be "
                               "login, refused, change or export", value);
    else if (streq(name, "about") && strlen(value) < sizeof f->search)
        snprintf(f->search, sizeof f->search, "%s", value);
    else if (streq(name, "about"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "at most %zu bytes of text",
                               sizeof f->search - 1);
    else if (streq(name, "before") && is_number && n >= 1)
        f->before_id = n;
    else if (streq(name, "before"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "'%.60s' in before is not right; it must be "
                               "a next_before of an answer", value);
    else if (streq(name, "limit") && is_number && n >= 1 && n <= g->config->api_max_page_size)
        f->limit = (size_t)n;
    else if (streq(name, "limit"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "'%.60s' in limit is not right; it must be "
                               "a whole number from 1 to %lld (API_MAX_PAGE_SIZE)", value,
                               (long long)g->config->api_max_page_size);
    else
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    return g->status == STATUS_OK;
}

void handle_audit(struct request *r)
{
    const struct config *c = r->api->config.config;
    struct reading g = {.config = c, .filter.limit = (size_t)c->api_default_page_size};
    http_query_each(r->x, read_parameter, &g);
    http_keep(r->x);
    if (g.status != STATUS_OK ||
        audit_list(r->api->config.auth, &g.filter, listed, r, &g.err) != STATUS_OK)
        request_fail(r, &g.err);
}
