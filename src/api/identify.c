#include "api/identify.h"

#include <sodium.h>
#include <strings.h>

#include "api/request.h"
#include "base/logger.h"

#include "base/banned.h"

bool request_is_allowed(const struct request *r)
{
    if (r->is_read_only && (is_change(r->route->method) || r->route->role > ROLE_VIEWER))
        return false;
    if (r->route->role == ROLE_NOBODY)
        return true;
    return r->is_logged_in && r->user.role >= r->route->role;
}

const char *request_bearer(const struct request *r)
{
    static const char scheme[] = "Bearer ";
    const char *header = http_header(r->x, "Authorization");
    if (header == NULL || strncasecmp(header, scheme, strlen(scheme)) != 0)
        return NULL;
    header += strlen(scheme);
    return header + strspn(header, " ");
}

/* METRICS_TOKEN opens its one route and no other. */
static bool has_metrics_token(const struct request *r, const char *bearer)
{
    const char *right = r->api->config.config->metrics_token;
    unsigned char a[crypto_generichash_BYTES], b[crypto_generichash_BYTES];
    if (*right == '\0' || bearer == NULL || r->route == NULL || r->route->handle != handle_metrics)
        return false;
    /* Hashes have one length: the time tells nothing of the token's. */
    crypto_generichash(a, sizeof a, (const unsigned char *)right, strlen(right), NULL, 0);
    crypto_generichash(b, sizeof b, (const unsigned char *)bearer, strlen(bearer), NULL, 0);
    return sodium_memcmp(a, b, sizeof a) == 0;
}

static enum status identify_by_token(struct request *r, const char *bearer, struct error *err)
{
    struct api_token token;
    int64_t retry_after_s = 0;
    enum status s = auth_token(r->api->config.auth, bearer, r->asker.address, &token, &retry_after_s, err);
    if (s != STATUS_OK) {
        log_warn("auth", "API token refused", LF_TEXT("address", r->asker.address), LF_ERROR(err));
        http_add_header(r->x, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
        request_retry_after(r, retry_after_s);
        return s;
    }
    r->is_logged_in = r->is_by_token = true;
    r->is_read_only = token.scope == TOKEN_READ;
    r->via = "token";
    r->user = token.owner;
    snprintf(r->token_name, sizeof r->token_name, "%s", token.name);
    return STATUS_OK;
}

enum status request_identify(struct request *r, struct error *err)
{
    if (http_is_control(r->x)) {
        r->is_logged_in = true;
        r->via = "command line";
        r->user = (struct auth_user){.name = "command line", .role = ROLE_ADMIN};
        return STATUS_OK;
    }
    const char *bearer = request_bearer(r);
    if (has_metrics_token(r, bearer)) {
        r->is_logged_in = r->is_by_token = true;
        r->via = "METRICS_TOKEN";
        r->user = (struct auth_user){.name = "metrics", .role = ROLE_ADMIN};
        return STATUS_OK;
    }
    if (bearer != NULL && str_has_prefix(str_of(bearer), STR(API_TOKEN_PREFIX)))
        return identify_by_token(r, bearer, err);
    char token[AUTH_TOKEN_MAX];
    if (http_cookie(r->x, AUTH_COOKIE, token, sizeof token))
        r->has_session = auth_session(r->api->config.auth, token, &r->user);
    secret_wipe(token, sizeof token);
    r->is_logged_in = r->has_session;
    r->via = "session";
    return STATUS_OK;
}

void request_challenge(struct request *r)
{
    bool is_page = http_header(r->x, "Referer") != NULL || http_header(r->x, "Origin") != NULL;
    if (config_has_auth_mode(r->api->config.config, "basic") &&
        (!is_page || (r->route != NULL && r->route->handle == handle_login_basic)))
        http_add_header(r->x, "WWW-Authenticate", "Basic realm=\"Cartographus\", charset=\"UTF-8\"");
}

/* Says in what way one can log in. */
static void refuse_unknown(struct request *r)
{
    const struct config *c = r->api->config.config;
    const char *way = config_has_auth_mode(c, "oidc") ? "in a browser, at /api/v1/auth/oidc/login"
                                                      : "in a browser, on the page, by Plex";
    if (config_has_auth_mode(c, "jwt"))
        way = "POST /api/v1/auth/login with username and password";
    else if (config_has_auth_mode(c, "basic"))
        way = "HTTP Basic with user name and password (before sending a file, with GET /api/v1/auth/basic)";
    request_challenge(r);
    request_failf(r, STATUS_UNAUTHORIZED, "", "login required: %s; or an API token, in the header "
                  "Authorization: Bearer " API_TOKEN_PREFIX "...", way);
}

void request_refuse(struct request *r)
{
    if (r->is_read_only)
        request_failf(r, STATUS_DENIED, "Authorization",
                      "the API token '%s' may only read, and not what is for administrators: this needs "
                      "one of scope admin", r->token_name);
    else if (r->is_logged_in)
        request_failf(r, STATUS_DENIED, "", "this needs an administrator");
    else
        refuse_unknown(r);
}

static const char *const forwarded_names[] = {"X-Forwarded-For", "X-Forwarded-Proto",
                                              "X-Forwarded-Host"};
struct forwarded {
    struct buf values[ARRAY_LEN(forwarded_names)];
};

/* A header that is there twice says both. */
static bool add_forwarded(void *ctx, const char *name, const char *value)
{
    struct forwarded *f = ctx;
    for (size_t i = 0; i < ARRAY_LEN(forwarded_names); i++)
        if (str_eq_nocase(str_of(name), str_of(forwarded_names[i])))
            buf_printf(&f->values[i], "%s%s", f->values[i].len ? "," : "", value);
    return true;
}

void request_find_asker(struct request *r)
{
    struct forwarded f = {0};
    http_header_each(r->x, add_forwarded, &f);
    struct request_origin said = {.peer = http_peer(r->x),
                                  .host = http_header(r->x, "Host"),
                                  .forwarded_for = f.values[0].data,
                                  .forwarded_proto = f.values[1].data,
                                  .forwarded_host = f.values[2].data};
    asker_find(&r->api->proxies, &said, &r->asker);
    for (size_t i = 0; i < ARRAY_LEN(f.values); i++)
        buf_done(&f.values[i]);
}

void request_find_scope(struct request *r)
{
    if (http_is_control(r->x))
        r->scope.sees_all = true;
    else if (r->is_logged_in)
        auth_scope(r->api->config.auth, r->user.id, &r->scope);
}
