#include "api/server_try.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "config/server_url.h"
#include "sources/prober.h"

#include "base/banned.h"

void server_try_free(struct server_try *t)
{
    if (!t)
        return;
    if (t->token)
        secret_wipe(t->token, strlen(t->token));
    free(t->key);
    free(t->url);
    free(t->token);
    free(t->name);
    free(t->likely_url);
    free(t);
}

/* --- the body ------------------------------------------------------------------------------------ */

static enum status read_token(const char *given, char **ret, struct error *err)
{
    struct str s = str_trim(str_of(given));
    if (s.len > SERVER_TOKEN_MAX)
        return fail_field(err, STATUS_INVALID, "token", "has over %d characters", SERVER_TOKEN_MAX);
    for (size_t i = 0; i < s.len; i++)
        if (isspace((unsigned char)s.ptr[i]) || iscntrl((unsigned char)s.ptr[i]))
            return fail_field(err, STATUS_INVALID, "token", "has white space in it; copy it once more");
    *ret = s.len ? xstrndup(s.ptr, s.len) : NULL;
    return STATUS_OK;
}

static enum status read_name(const json_t *body, char **ret, struct error *err)
{
    if (!json_is_string(jget(body, "name")))
        return STATUS_OK;
    struct str s = str_trim(str_of(jstr(body, "name")));
    if (s.len > SERVER_NAME_MAX)
        return fail_field(err, STATUS_INVALID, "name", "has over %d bytes", SERVER_NAME_MAX);
    for (size_t i = 0; i < s.len; i++)
        if (iscntrl((unsigned char)s.ptr[i]))
            return fail_field(err, STATUS_INVALID, "name", "has a control character in it");
    *ret = xstrndup(s.len ? s.ptr : "", s.len);
    return STATUS_OK;
}

/* Scheme, host and port: who gets to see the token. */
static bool is_same_origin(const char *a, const char *b)
{
    const char *path_a = strchr(strstr(a, "://") + 3, '/'), *path_b = strchr(strstr(b, "://") + 3, '/');
    size_t len_a = path_a ? (size_t)(path_a - a) : strlen(a);
    size_t len_b = path_b ? (size_t)(path_b - b) : strlen(b);
    return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

static enum status read_url(struct server_try *t, const char *given, struct error *err)
{
    struct error why = {0};
    t->url = server_url_check(t->kind, given, &t->likely_url, &why);
    if (t->url)
        return STATUS_OK;
    if (t->wish != SERVER_WISH_TEST)
        return fail_field(err, STATUS_INVALID, "url", "%s", why.text);
    t->address = why;
    return STATUS_OK;
}

static enum status read_new(struct server_try *t, const json_t *body, struct error *err)
{
    if (!server_kind_parse(str_of(jstr(body, "kind")), &t->kind)) /* not given, which a test may */
        return fail_field(err, STATUS_INVALID, "kind", "is missing");
    TRY(read_url(t, jstr(body, "url"), err));
    TRY(read_token(jstr(body, "token"), &t->token, err));
    return t->token ? STATUS_OK
                    : fail_field(err, STATUS_INVALID, "token", "is missing; give %s",
                                 server_kinds[t->kind].token);
}

/* What is not given is as it is. The token goes to no other address than the one that it is for. */
static enum status read_known(struct server_try *t, const struct server_entry *e, const json_t *body,
                              struct error *err)
{
    t->kind = e->config.kind;
    if (json_is_string(jget(body, "url")))
        TRY(read_url(t, jstr(body, "url"), err));
    TRY(read_token(jstr(body, "token"), &t->token, err));
    if (t->url && !t->token && !is_same_origin(t->url, e->config.url))
        return fail_field(err, STATUS_INVALID, "token", "give the token again: it would be sent to another "
                                                        "address than before");
    bool is_tried = t->wish == SERVER_WISH_TEST || t->url || t->token || t->is_tls_verified >= 0;
    if (is_tried && !t->token && !e->config.token)
        return fail_field(err, STATUS_INVALID, "token", "is not known any more; give it again");
    return STATUS_OK;
}

static enum status read_body(struct request *r, struct server_try *t, const struct server_list *l,
                             struct error *err)
{
    const json_t *body = r->body;
    TRY(read_name(body, &t->name, err));
    t->is_enabled = jbool(body, "enabled");
    t->is_tls_verified = jbool(body, "tls_verify");
    t->is_untested = jbool(body, "untested") == 1;
    if (t->wish == SERVER_WISH_EDIT)
        t->key = xstrdup(r->params[0]);
    else if (t->wish == SERVER_WISH_TEST && *jstr(body, "key"))
        t->key = xstrdup(jstr(body, "key"));
    if (!t->key)
        return read_new(t, body, err);
    const struct server_entry *e = server_list_find(l, t->key);
    if (!e)
        return fail_field(err, STATUS_NOT_FOUND, "key", "there is no media server '%.60s'", t->key);
    return read_known(t, e, body, err);
}

/* --- trying it ----------------------------------------------------------------------------------- */

static void probed(void *ctx, const struct probe_result *result)
{
    struct request *r = ctx;
    r->server_try->is_probed = true;
    r->server_try->result = *result;
    request_to_worker(r);
}

static bool is_probe_due(const struct server_try *t)
{
    if (t->address.text[0] || t->is_untested)
        return false;
    return t->wish != SERVER_WISH_EDIT || t->url || t->token || t->is_tls_verified >= 0;
}

static enum status probe(struct request *r, const struct server_list *l, struct error *err)
{
    const struct server_try *t = r->server_try;
    const struct server_entry *e = t->key ? server_list_find(l, t->key) : NULL;
    bool is_unverified = t->is_tls_verified >= 0 ? !t->is_tls_verified : e && e->config.is_tls_unverified;
    struct source_config c = {.kind = t->kind,
                              .url = t->url || !e ? t->url : e->config.url,
                              .token = t->token || !e ? t->token : e->config.token,
                              .client_id = r->api->config.client_id,
                              .tls = {.is_unverified = is_unverified}};
    return prober_ask(r->api->prober, &c, probed, r, err);
}

bool server_try_begin(struct request *r, enum server_wish wish)
{
    struct error err = {0};
    auto_server_list struct server_list *l = servers_get(r->api->config.servers);
    r->server_try = xcalloc(1, sizeof *r->server_try);
    r->server_try->wish = wish;
    enum status s = STATUS_OK;
    if (wish != SERVER_WISH_TEST && r->api->config.config->is_demo)
        s = fail(&err, STATUS_CONFLICT, "this is the demo, which takes nothing real: start without DEMO");
    if (s == STATUS_OK)
        s = read_body(r, r->server_try, l, &err);
    bool is_due = s == STATUS_OK && is_probe_due(r->server_try);
    if (is_due) {
        http_keep(r->x);
        s = probe(r, l, &err);
    }
    if (s != STATUS_OK)
        request_fail(r, &err);
    else if (!is_due)
        request_to_worker(r);
    return s == STATUS_OK;
}
