/* Logging in and out. */
#include "api/login.h"

#include "auth/audit.h"
#include "auth/oidc.h"
#include "auth/origin.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

#define PROBLEM_COOKIE "cartographus_problem"
enum { PROBLEM_S = 60 };

/* More of it than that it is for the whole page: `more` are attributes. Behind TLS a cookie is for
 * TLS only; a trusted proxy says so. */
static void add_cookie(struct request *r, const char *name, const char *value, int64_t seconds,
                       const char *more)
{
    bool is_tls = r->asker.scheme != NULL && streq(r->asker.scheme, "https");
    const char *base = r->api->config.config->base_path;
    auto_free char *text = xasprintf("%s=%s; Path=%s; Max-Age=%lld; %s%s", name, value, *base ? base : "/",
                                     (long long)seconds, more, is_tls ? "; Secure" : "");
    http_add_header(r->x, "Set-Cookie", text);
    secret_wipe(text, strlen(text));
}

void login_set_cookie(struct request *r, const char *name, const char *value, int64_t seconds)
{
    add_cookie(r, name, value, seconds, "HttpOnly; SameSite=Strict");
}

void login_set(struct request *r, const struct auth_login_result *result)
{
    login_set_cookie(r, AUTH_COOKIE, result->token, auth_session_seconds(r->api->config.auth));
    if (*result->device)
        login_set_cookie(r, AUTH_DEVICE_COOKIE, result->device, AUTH_DEVICE_DAYS * (US_PER_DAY / US_PER_S));
}

void login_write_user(struct json_writer *w, const struct auth_user *user)
{
    jw_kv_object(w, "user");
    jw_kv_text(w, "name", user->name);
    jw_kv_text(w, "role", role_name(user->role));
    jw_object_end(w);
}

static void logged_in(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        request_fail(r, &result->error);
        return;
    }
    login_set(r, result);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    login_write_user(&w, &result->user);
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
    const char *name = jstr(r->body, "username");
    const char *password = jstr(r->body, "password");
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
    login_set(r, result);
    request_redirect_to_page(r);
}

/* Where the page goes in mode basic: the browser asks for name and password and has a session. */
void handle_login_basic(struct request *r)
{
    if (!config_has_auth_mode(r->api->config.config, "basic")) {
        request_failf(r, STATUS_DENIED, "", "AUTH_MODE has no basic: there is no login by HTTP Basic");
        return;
    }
    if (r->has_session || r->is_by_token || r->user.id == 0) {
        request_redirect_to_page(r);
        return;
    }
    struct error err = {0};
    http_keep(r->x);
    if (auth_enter(r->api->config.auth, &r->user, r->asker.address, entered, r, &err) != STATUS_OK)
        request_fail(r, &err);
}

/* --- OpenID Connect -------------------------------------------------------------------------- */

/* Back to the page, which says what went wrong. By a cookie: what an address says anybody may have
 * written. */
static void fail_on_page(struct request *r, const struct error *err)
{
    auto_buf struct buf clean = {0}, text = {0};
    buf_add_clean_utf8(&clean, str_of(err->text));
    buf_add_urlencoded(&text, buf_str(&clean));
    add_cookie(r, PROBLEM_COOKIE, buf_text(&text), PROBLEM_S, "SameSite=Strict");
    log_warn("auth", "login refused", LF_TEXT("address", r->asker.address), LF_ERROR(err));
    request_redirect_to_page(r);
}

/* The cookie comes back with a visit from the provider's site: not Strict. */
static void set_oidc_cookie(struct request *r, const char *value, int64_t seconds)
{
    add_cookie(r, OIDC_COOKIE, value, seconds, "HttpOnly; SameSite=Lax");
}

static bool has_oidc(struct request *r)
{
    if (r->api->config.oidc != NULL)
        return true;
    request_failf(r, STATUS_DENIED, "", "AUTH_MODE has no oidc: there is no login by OpenID Connect");
    return false;
}

/* The cookie is for this host: the provider must send the browser back to it. */
static bool is_sent_back_here(const struct request *r)
{
    const char *url = r->api->config.config->oidc_redirect_url;
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
    if (path == NULL)
        return false;
    auto_free char *origin = xstrndup(url, (size_t)(path - url));
    return auth_is_same_origin(origin, r->asker.scheme, r->asker.host, NULL);
}

static void oidc_begun(void *ctx, const struct oidc_begun *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        fail_on_page(r, &result->error);
        return;
    }
    set_oidc_cookie(r, result->cookie, OIDC_LOGIN_S);
    request_redirect(r, result->url);
}

void handle_login_oidc(struct request *r)
{
    if (!has_oidc(r))
        return;
    if (!is_sent_back_here(r)) {
        struct error err = {0};
        (void)fail(&err, STATUS_INVALID,
                   "OIDC_REDIRECT_URL is '%.200s', but this page was opened at '%.100s': the provider would "
                   "send you back elsewhere", r->api->config.config->oidc_redirect_url, r->asker.host);
        fail_on_page(r, &err);
        return;
    }
    http_keep(r->x);
    oidc_begin(r->api->config.oidc, oidc_begun, r);
}

static void identity_entered(void *ctx, const struct auth_login_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        if (result->status == STATUS_DENIED)
            watchers_check(r->api); /* sessions there were have ended */
        fail_on_page(r, &result->error);
        return;
    }
    login_set(r, result);
    request_redirect_to_page(r);
}

static void oidc_finished(void *ctx, const struct oidc_person *result)
{
    struct request *r = ctx;
    set_oidc_cookie(r, "", 0);
    struct error err = {0};
    if (result->status != STATUS_OK) {
        struct audit_row row = {.kind = AUDIT_REFUSED, .via = "oidc", .action = "login",
                                .status = status_http(result->status)};
        snprintf(row.address, sizeof row.address, "%s", r->asker.address);
        audit_note(r->api->config.auth, &row);
        fail_on_page(r, &result->error);
    } else if (auth_enter_identity(r->api->config.auth, &result->who, r->asker.address, identity_entered, r,
                                   &err) != STATUS_OK) {
        fail_on_page(r, &err);
    }
}

void handle_oidc_callback(struct request *r)
{
    if (!has_oidc(r))
        return;
    char cookie[OIDC_COOKIE_MAX];
    bool has_cookie = http_cookie(r->x, OIDC_COOKIE, cookie, sizeof cookie);
    struct oidc_return back = {.cookie = has_cookie ? cookie : NULL,
                               .state = http_query(r->x, "state"),
                               .code = http_query(r->x, "code"),
                               .issuer = http_query(r->x, "iss"),
                               .error = http_query(r->x, "error"),
                               .error_description = http_query(r->x, "error_description")};
    http_keep(r->x);
    oidc_finish(r->api->config.oidc, &back, oidc_finished, r);
}

/* --- logging out ----------------------------------------------------------------------------- */

static void logged_out(void *ctx, enum status s)
{
    struct request *r = ctx;
    login_set_cookie(r, AUTH_COOKIE, "", 0);
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

static void has_reset(void *ctx, enum status s)
{
    struct request *r = ctx;
    if (s == STATUS_NOT_FOUND) {
        request_failf(r, s, "account", "nobody is called '%s'", r->params[0]);
        return;
    }
    if (s != STATUS_OK) {
        request_failf(r, s, "", "it could not be stored");
        return;
    }
    watchers_check(r->api);
    request_no_content(r);
}

void handle_user_reset(struct request *r)
{
    struct error err = {0};
    http_keep(r->x);
    if (auth_reset(r->api->config.auth, r->params[0], has_reset, r, &err) != STATUS_OK)
        request_fail(r, &err);
}
