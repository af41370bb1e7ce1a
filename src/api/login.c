/* Logging in and out. */
#include "api/request.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"

#include "base/banned.h"

/* Behind TLS the cookie is for TLS only; a trusted proxy says so. */
static void set_cookie(struct request *r, const char *name, const char *value, int64_t seconds)
{
    bool is_tls = r->asker.scheme != NULL && streq(r->asker.scheme, "https");
    char text[320];
    snprintf(text, sizeof text, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", name,
             value, (long long)seconds, is_tls ? "; Secure" : "");
    http_add_header(r->x, "Set-Cookie", text);
    secret_wipe(text, sizeof text);
}

static void set_login(struct request *r, const struct auth_login_result *result)
{
    set_cookie(r, AUTH_COOKIE, result->token, auth_session_seconds(r->api->config.auth));
    if (*result->device)
        set_cookie(r, AUTH_DEVICE_COOKIE, result->device, AUTH_DEVICE_DAYS * (US_PER_DAY / US_PER_S));
}

static void logged_in(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        request_fail(r, &result->error);
        return;
    }
    set_login(r, result);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_object(&w, "user");
    jw_kv_text(&w, "name", result->user.name);
    jw_kv_text(&w, "role", role_name(result->user.role));
    jw_object_end(&w);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_login(struct request *r)
{
    struct error err = {0};
    if (!config_has_auth_mode(r->api->config.config, "jwt")) {
        request_failf(r, STATUS_DENIED, "", "AUTH_MODE has no jwt: there is no login by form");
        return;
    }
    auto_json json_t *body = NULL;
    if (json_parse(http_body(r->x), 16 * 1024, 4, &body, &err) != STATUS_OK) {
        request_failf(r, STATUS_INVALID, "", "the body must be JSON: %s", err.text);
        return;
    }
    const char *name = jstr(body, "username");
    const char *password = jstr(body, "password");
    if (name[0] == '\0' || password[0] == '\0') {
        request_failf(r, STATUS_INVALID, name[0] == '\0' ? "username" : "password", "is missing");
        return;
    }
    char device[AUTH_TOKEN_MAX];
    bool has_device = http_cookie(r->x, AUTH_DEVICE_COOKIE, device, sizeof device);
    struct auth_try try = {name, password, r->asker.address, has_device ? device : NULL};
    int64_t retry_after_s = 0;
    http_keep(r->x);
    if (auth_login(r->api->config.auth, &try, logged_in, r, &retry_after_s, &err) == STATUS_OK)
        return;
    request_retry_after(r, retry_after_s);
    request_fail(r, &err);
}

static void entered(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        request_fail(r, &result->error);
        return;
    }
    set_login(r, result);
    request_redirect(r, "/");
}

/* Where the page goes in mode basic: the browser asks for name and password and has a session. */
void handle_login_basic(struct request *r)
{
    if (!config_has_auth_mode(r->api->config.config, "basic")) {
        request_failf(r, STATUS_DENIED, "", "AUTH_MODE has no basic: there is no login by HTTP Basic");
        return;
    }
    if (r->has_session || r->user.id == 0) {
        request_redirect(r, "/");
        return;
    }
    struct error err = {0};
    http_keep(r->x);
    if (auth_enter(r->api->config.auth, &r->user, entered, r, &err) != STATUS_OK)
        request_fail(r, &err);
}

static void logged_out(void *ctx, enum status s)
{
    struct request *r = ctx;
    set_cookie(r, AUTH_COOKIE, "", 0);
    if (s == STATUS_OK)
        watchers_check(r->api);
    if (s == STATUS_OK)
        request_no_content(r);
    else
        request_failf(r, s, "", "the logout could not be stored");
}

void handle_logout(struct request *r)
{
    char token[AUTH_TOKEN_MAX];
    if (!http_cookie(r->x, AUTH_COOKIE, token, sizeof token))
        token[0] = '\0';
    struct error err = {0};
    http_keep(r->x);
    if (auth_logout(r->api->config.auth, token, logged_out, r, &err) != STATUS_OK)
        request_fail(r, &err);
    secret_wipe(token, sizeof token);
}

void handle_logout_everywhere(struct request *r)
{
    struct error err = {0};
    http_keep(r->x);
    if (auth_logout_everywhere(r->api->config.auth, r->user.id, logged_out, r, &err) != STATUS_OK)
        request_fail(r, &err);
}
