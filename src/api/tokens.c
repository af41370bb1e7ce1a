/* API tokens: one's own, an administrator's all. */
#include "auth/api_token.h"

#include "api/request.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"

#include "base/banned.h"

/* Whose tokens they may see and remove; 0: everybody's. */
static int64_t account_of(const struct request *r)
{
    return r->user.role >= ROLE_ADMIN ? 0 : r->user.id;
}

static void write_token(struct json_writer *w, const struct api_token *t)
{
    bool is_expired = t->expires_us != TIME_NONE && t->expires_us <= clock_now_us();
    jw_object(w);
    jw_kv_int(w, "id", t->id);
    jw_kv_text(w, "name", t->name);
    jw_kv_text(w, "account", t->owner.name);
    jw_kv_text(w, "scope", token_scope_name(t->scope));
    jw_kv_time(w, "created_at", t->created_us);
    jw_kv_time(w, "expires_at", t->expires_us);
    jw_kv_bool(w, "is_expired", is_expired);
    jw_kv_time(w, "last_used_at", t->used_us);
    jw_kv_text(w, "last_used_from", *t->used_from ? t->used_from : NULL);
    jw_object_end(w);
}

/* --- list -------------------------------------------------------------------------------------- */

static void listed(void *ctx, const struct api_tokens_answer *answer)
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
    jw_kv_array(&w, "tokens");
    for (size_t i = 0; i < answer->count; i++)
        write_token(&w, &answer->tokens[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_tokens(struct request *r)
{
    struct error err = {0};
    http_keep(r->x);
    if (auth_token_list(r->api->config.auth, account_of(r), listed, r, &err) != STATUS_OK)
        request_fail(r, &err);
}

/* --- make -------------------------------------------------------------------------------------- */

static void added(void *ctx, const struct api_tokens_answer *answer)
{
    struct request *r = ctx;
    if (answer->status != STATUS_OK) {
        request_fail(r, &answer->error);
        return;
    }
    const struct api_token *t = answer->tokens;
    request_note(r, "%s, of %s, scope %s", t->name, t->owner.name, token_scope_name(t->scope));
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "secret", answer->text);
    jw_key(&w, "token");
    write_token(&w, t);
    jw_object_end(&w);
    request_reply(r, 201, &out);
}

static enum status copy_text(const struct request *r, const char *key, char *dst, size_t size,
                             struct error *err)
{
    const char *text = jstr(r->body, key);
    if (strlen(text) >= size)
        return fail_field(err, STATUS_INVALID, key, "is too long: at most %zu bytes", size - 1);
    snprintf(dst, size, "%s", text);
    return STATUS_OK;
}

static enum status read_order(const struct request *r, struct api_token_order *ret, struct error *err)
{
    const char *scope = jstr(r->body, "scope");
    *ret = (struct api_token_order){.account_id = r->user.id, .scope = TOKEN_READ,
                                    .days = jint(r->body, "days", API_TOKEN_DAYS)};
    TRY(copy_text(r, "name", ret->name, sizeof ret->name, err));
    TRY(copy_text(r, "account", ret->account, sizeof ret->account, err));
    if (*scope)
        (void)token_scope_parse(scope, &ret->scope); /* one of its words */
    if (*ret->account && r->user.role < ROLE_ADMIN)
        return fail_field(err, STATUS_DENIED, "account", "only an administrator may make a token for "
                          "another account");
    return STATUS_OK;
}

void handle_token_add(struct request *r)
{
    struct error err = {0};
    struct api_token_order order;
    http_keep(r->x);
    if (read_order(r, &order, &err) != STATUS_OK ||
        auth_token_add(r->api->config.auth, &order, added, r, &err) != STATUS_OK)
        request_fail(r, &err);
}

/* --- remove ------------------------------------------------------------------------------------ */

static void removed(void *ctx, const struct api_tokens_answer *answer)
{
    struct request *r = ctx;
    if (answer->status != STATUS_OK) {
        request_fail(r, &answer->error);
        return;
    }
    request_note(r, "%s, of %s", answer->tokens->name, answer->tokens->owner.name);
    watchers_check(r->api);
    request_no_content(r);
}

void handle_token_remove(struct request *r)
{
    int64_t id;
    struct error err = {0};
    if (!str_to_i64(str_of(r->params[0]), &id)) {
        request_failf(r, STATUS_NOT_FOUND, "id", "there is no token '%s'", r->params[0]);
        return;
    }
    http_keep(r->x);
    if (auth_token_remove(r->api->config.auth, id, account_of(r), removed, r, &err) != STATUS_OK)
        request_fail(r, &err);
}
