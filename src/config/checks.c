#include "config/loading.h"

#include <ctype.h>
#include <math.h>

#include "base/address.h"
#include "base/logger.h"

#include "base/banned.h"

enum { SECRET_KEY_LEAST = 32 };

/* --- placeholders --------------------------------------------------------------------------- */

/* Texts of samples that are no secrets. A phrase of whole words is looked for, words being what
 * - _ . and blanks part; `openssl rand -base64` writes none of those, so that its output is never
 * refused by chance. Words alone only where they are all there is. */
static const char *const phrases[] = {
    "change me",   "changeme",     "replace me",   "replaceme",   "replace with", "placeholder",
    "your secret", "your password", "your jwt",    "your token",  "your random",  "example only",
    "insert your", "todo",         "fixme",        "xxx"};
static const char *const alone[] = {"secret", "password", "admin", "example", "test", "changeme",
                                    "passw0rd", "password123", "password1234", "adminadmin",
                                    "administrator", "correcthorsebatterystaple"};

static bool is_placeholder(const char *value)
{
    auto_buf struct buf words = {0};
    buf_putc(&words, ' ');
    for (const char *p = value; *p; p++)
        buf_putc(&words, strchr("-_. \t", *p) ? ' ' : (char)tolower((unsigned char)*p));
    buf_putc(&words, ' ');
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        auto_free char *whole = xasprintf(" %s ", phrases[i]);
        if (strstr(buf_text(&words), whole))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(alone); i++)
        if (str_eq_nocase(str_of(value), str_of(alone[i])))
            return true;
    return false;
}

/* --- checks --------------------------------------------------------------------------------- */

static void check_jwt_secret(struct loading *l)
{
    const char *secret = l->out->jwt_secret;
    size_t n = strlen(secret);
    if (n < 32)
        config_fault(l, "JWT_SECRET: JWT secret too short: %zu characters found, at least 32 are "
                        "needed; make one with: openssl rand -base64 48", n);
    else if (is_placeholder(secret))
        config_fault(l, "JWT_SECRET: this is the text of a sample, not a secret; make one with: "
                        "openssl rand -base64 48");
}

static void check_admin_password(struct loading *l)
{
    const struct config *c = l->out;
    size_t n = strlen(c->admin_password);
    if (n < 12)
        config_fault(l, "ADMIN_PASSWORD: %zu characters found, at least 12 are needed; make one "
                        "with: openssl rand -base64 18", n);
    else if (is_placeholder(c->admin_password))
        config_fault(l, "ADMIN_PASSWORD: this is the text of a sample, not a password; make one "
                        "with: openssl rand -base64 18");
    else if (*c->admin_username && str_eq_nocase(str_of(c->admin_password), str_of(c->admin_username)))
        config_fault(l, "ADMIN_PASSWORD: is the same as ADMIN_USERNAME; make one with: "
                        "openssl rand -base64 18");
}

static void check_trusted_proxies(struct loading *l)
{
    struct str rest = str_of(l->out->trusted_proxies), piece;
    while (*l->out->trusted_proxies && str_next(&rest, ',', &piece)) {
        struct address_range ignored;
        struct error err;
        if (address_range_parse(str_trim(piece), &ignored, &err) != STATUS_OK)
            config_fault(l, "TRUSTED_PROXIES: %s", err.text);
    }
}

static void tell_idle(const struct loading *l, const char *option)
{
    if (!config_is_given(l, option))
        return;
    log_warn("config", *l->out->nats_url ? "this has no effect: the server at NATS_URL has its own limits"
                                         : "this has no effect: it limits the nats-server that "
                                           "NATS_EMBEDDED=true starts, and that is not set",
             LF_TEXT("option", option));
}

static void check_nats(struct loading *l)
{
    const struct config *c = l->out;
    if (*c->nats_url && c->nats_embedded)
        config_fault(l, "NATS_EMBEDDED: is set, and so is NATS_URL; take one of them out");
    if (*c->nats_token && (*c->nats_user || *c->nats_password))
        config_fault(l, "NATS_TOKEN: is set, and so is NATS_USER or NATS_PASSWORD; take one of them out");
    else if (*c->nats_password && !*c->nats_user)
        config_fault(l, "NATS_PASSWORD: goes together with NATS_USER, which is missing");
    for (const char *p = c->nats_stream; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-') {
            config_fault(l, "NATS_STREAM: '%s' is not right; it must be letters, digits, _ and -",
                         c->nats_stream);
            break;
        }
    if (c->nats_embedded)
        return;
    tell_idle(l, "NATS_MAX_MEMORY");
    tell_idle(l, "NATS_MAX_STORE");
}

bool config_has_auth_mode(const struct config *c, const char *mode)
{
    struct str rest = str_of(c->auth_mode), piece;
    while (str_next(&rest, ',', &piece))
        if (str_eq(str_trim(piece), str_of(mode)))
            return true;
    return false;
}

static void check_metrics_token(struct loading *l)
{
    size_t n = strlen(l->out->metrics_token);
    if (n < 16)
        config_fault(l, "METRICS_TOKEN: %zu characters found, at least 16 are needed; make one with: "
                        "openssl rand -hex 24", n);
}

static void check_auth_mode(struct loading *l)
{
    static const char *const modes[] = {"jwt", "basic", "oidc", "plex"};
    struct str rest = str_of(l->out->auth_mode), piece;
    while (str_next(&rest, ',', &piece)) {
        piece = str_trim(piece);
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(modes); i++)
            is_known = is_known || str_eq(piece, str_of(modes[i]));
        if (!is_known)
            config_fault(l, "AUTH_MODE: '%.*s' is not known; it must be jwt, basic, oidc or plex, or "
                            "several with commas between", (int)piece.len, piece.ptr);
    }
}

/* Stands in cookies, addresses and the page as it is: letters, digits and what needs no escape. */
static void check_base_path(struct loading *l)
{
    const char *path = l->out->base_path;
    if (!*path)
        return;
    struct str rest = str_of(path), piece;
    (void)str_next(&rest, '/', &piece);
    bool is_right = piece.len == 0 && *path == '/';
    for (bool is_first = true; is_right && str_next(&rest, '/', &piece); is_first = false) {
        is_right = piece.len > 0 && piece.ptr[0] != '.';
        for (size_t i = 0; i < piece.len; i++)
            is_right = is_right && (isalnum((unsigned char)piece.ptr[i]) || strchr("-_.~", piece.ptr[i]));
        if (is_first && (str_eq(piece, STR("api")) || str_eq(piece, STR("assets"))))
            is_right = false;
    }
    if (!is_right)
        config_fault(l, "BASE_PATH: '%s' is not right; it must begin with / and not end with one, be made of "
                        "letters, digits, - _ . ~ and /, and not begin with /api or /assets, such as "
                        "/cartographus", path);
}

static bool is_web_address(const char *url)
{
    struct str s = str_of(url);
    return (str_has_prefix(s, STR("https://")) && s.len > 8) ||
           (str_has_prefix(s, STR("http://")) && s.len > 7);
}

static void check_oidc(struct loading *l)
{
    const struct config *c = l->out;
    if (*c->oidc_issuer_url && (!is_web_address(c->oidc_issuer_url) || strpbrk(c->oidc_issuer_url, "?#")))
        config_fault(l, "OIDC_ISSUER_URL: '%s' is no https:// address without ? and #", c->oidc_issuer_url);
    const char *url = c->oidc_redirect_url;
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
    auto_free char *callback = xasprintf("%s/api/auth/oidc/callback", c->base_path);
    auto_free char *with_version = xasprintf("%s/api/v1/auth/oidc/callback", c->base_path);
    if (*url && (!is_web_address(url) || !path || (!streq(path, callback) && !streq(path, with_version))))
        config_fault(l, "OIDC_REDIRECT_URL: '%s' is not right; it must be the page's own address%s with "
                        "/api/auth/oidc/callback, such as https://cartographus.example.org%s",
                     url, *c->base_path ? ", BASE_PATH too," : "", callback);
    bool has_openid = false;
    auto_free char *scopes = xstrdup(c->oidc_scopes);
    char *rest = scopes, *one;
    while ((one = strsep(&rest, ", \t")) != NULL)
        has_openid = has_openid || streq(one, "openid");
    if (!has_openid)
        config_fault(l, "OIDC_SCOPES: '%s' lacks openid", c->oidc_scopes);
}

static void check_oidc_is_whole(struct loading *l)
{
    const struct config *c = l->out;
    if (!config_has_auth_mode(c, "oidc"))
        return;
    if (!*c->oidc_issuer_url && !config_has_fault(l, "OIDC_ISSUER_URL"))
        config_fault(l, "OIDC_ISSUER_URL: is missing; AUTH_MODE has oidc");
    if (!*c->oidc_client_id && !config_has_fault(l, "OIDC_CLIENT_ID"))
        config_fault(l, "OIDC_CLIENT_ID: is missing; AUTH_MODE has oidc");
    if (!*c->oidc_redirect_url && !config_has_fault(l, "OIDC_REDIRECT_URL"))
        config_fault(l, "OIDC_REDIRECT_URL: is missing; it is this page's own address with "
                        "/api/auth/oidc/callback");
}

/* Whether what is asked there stays on this machine. */
static bool is_loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(url, hosts[i], len) == 0 && (url[len] == ':' || url[len] == '/' || !url[len]))
            return true;
    }
    return false;
}

static void check_plex_login(struct loading *l)
{
    const struct config *c = l->out;
    const char *url = c->plex_tv_url;
    size_t len = strlen(url);
    bool is_whole = is_web_address(url) && !strpbrk(url, "?#@ \t") && url[len - 1] != '/';
    if (!is_whole || (strncmp(url, "https://", 8) != 0 && !is_loopback(url)))
        config_fault(l, "PLEX_TV_URL: '%s' is no https:// address without / at its end and ?, # and @ in "
                        "it; http:// is possible at this machine's own addresses only", url);
    const char *id = c->plex_auth_client_id;
    bool is_id = !*id || strlen(id) >= 8;
    for (const char *p = id; *p; p++)
        is_id = is_id && (isalnum((unsigned char)*p) || *p == '-');
    if (!is_id)
        config_fault(l, "PLEX_AUTH_CLIENT_ID: '%s' is not right; it must be at least 8 letters, digits "
                        "and -", id);
}

void config_check_values(struct loading *l)
{
    const struct config *c = l->out;
    struct error err;
    if (*c->jwt_secret)
        check_jwt_secret(l);
    if (*c->admin_password)
        check_admin_password(l);
    if (logger_set_levels(c->log_level, &err) != STATUS_OK)
        config_fault(l, "LOG_LEVEL: %s", err.text);
    if (!streq(c->log_format, "logfmt") && !streq(c->log_format, "console") &&
        !streq(c->log_format, "json"))
        config_fault(l, "LOG_FORMAT: '%s' is not known; it must be logfmt (or its other name, "
                        "console) or json", c->log_format);
    check_base_path(l);
    if (*c->metrics_token)
        check_metrics_token(l);
    if (*c->secret_key && strlen(c->secret_key) < SECRET_KEY_LEAST)
        config_fault(l, "SECRET_KEY: %zu characters found, at least %d are needed; make one with: "
                        "openssl rand -base64 48", strlen(c->secret_key), SECRET_KEY_LEAST);
    if (!streq(c->backup_compression, "gzip") && !streq(c->backup_compression, "zstd"))
        config_fault(l, "BACKUP_COMPRESSION: '%s' is not known; it must be gzip or zstd",
                     c->backup_compression);
    check_auth_mode(l);
    check_oidc(l);
    check_plex_login(l);
    check_trusted_proxies(l);
    check_nats(l);
    if (isnan(c->server_latitude) != isnan(c->server_longitude))
        config_fault(l, "SERVER_LATITUDE: goes together with SERVER_LONGITUDE; one of them is missing");
    if (c->api_default_page_size > c->api_max_page_size)
        config_fault(l, "API_DEFAULT_PAGE_SIZE: %lld is more than API_MAX_PAGE_SIZE, which is %lld",
                     (long long)c->api_default_page_size, (long long)c->api_max_page_size);
}

void config_check_for_serving(struct loading *l)
{
    const struct config *c = l->out;
    if (!*c->jwt_secret && !config_has_fault(l, "JWT_SECRET"))
        check_jwt_secret(l);
    bool has_password = config_has_auth_mode(c, "jwt") || config_has_auth_mode(c, "basic");
    if (has_password && !*c->admin_username && !config_has_fault(l, "ADMIN_USERNAME"))
        config_fault(l, "ADMIN_USERNAME: is missing; choose the administrator's name");
    if (has_password && !*c->admin_password && !config_has_fault(l, "ADMIN_PASSWORD"))
        check_admin_password(l);
    check_oidc_is_whole(l);
}
