/* Logging in by plex.tv: the page begins, opens the window, and asks until somebody is known. */
#include "api/login.h"

#include "auth/plex_login.h"
#include "base/logger.h"

#include "base/banned.h"

static bool has_plex(struct request *r)
{
    if (r->api->config.plex != NULL)
        return true;
    request_failf(r, STATUS_DENIED, "", "AUTH_MODE has no plex: there is no login by Plex");
    return false;
}

static void forget_cookie(struct request *r)
{
    login_set_cookie(r, PLEX_COOKIE, "", 0);
}

static void begun(void *ctx, const struct plex_begun *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        log_warn("auth", "no login by Plex", LF_TEXT("address", r->asker.address),
                 LF_ERROR(&result->error));
        request_fail(r, &result->error);
        return;
    }
    login_set_cookie(r, PLEX_COOKIE, result->cookie, result->lifetime_s);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "url", result->url);
    jw_kv_int(&w, "lifetime_s", result->lifetime_s);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_login_plex(struct request *r)
{
    if (!has_plex(r))
        return;
    http_keep(r->x);
    plex_login_begin(r->api->config.plex, r->asker.address, begun, r);
}

static void reply_state(struct request *r, const struct auth_user *user)
{
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "state", user != NULL ? "done" : "waiting");
    if (user != NULL)
        login_write_user(&w, user);
    else
        jw_kv_null(&w, "user");
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

static void entered(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    forget_cookie(r);
    if (result->status != STATUS_OK) {
        if (result->status == STATUS_DENIED)
            watchers_check(r->api); /* sessions there were have ended */
        request_fail(r, &result->error);
        return;
    }
    login_set(r, result);
    reply_state(r, &result->user);
}

void handle_login_plex_state(struct request *r)
{
    if (!has_plex(r))
        return;
    char cookie[PLEX_COOKIE_MAX];
    bool has_cookie = http_cookie(r->x, PLEX_COOKIE, cookie, sizeof cookie);
    bool is_known = false;
    struct auth_identity who;
    struct error err = {0};
    if (plex_login_ask(r->api->config.plex, has_cookie ? cookie : NULL, &is_known, &who, &err) !=
        STATUS_OK) {
        log_warn("auth", "login refused", LF_TEXT("address", r->asker.address), LF_ERROR(&err));
        forget_cookie(r);
        request_fail(r, &err);
        return;
    }
    if (!is_known) {
        reply_state(r, NULL);
        return;
    }
    http_keep(r->x);
    if (auth_enter_identity(r->api->config.auth, &who, r->asker.address, entered, r, &err) == STATUS_OK)
        return;
    forget_cookie(r);
    request_fail(r, &err);
}

void handle_login_plex_cancel(struct request *r)
{
    if (!has_plex(r))
        return;
    char cookie[PLEX_COOKIE_MAX];
    if (http_cookie(r->x, PLEX_COOKIE, cookie, sizeof cookie))
        plex_login_cancel(r->api->config.plex, cookie);
    forget_cookie(r);
    request_no_content(r);
}
