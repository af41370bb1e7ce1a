#include "auth/oidc.h"

#include <pthread.h>
#include <sodium.h>

#include "auth/id_token.h"
#include "auth/jws.h"
#include "auth/outside.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

enum {
    FLIGHTS_MOST = 16,
    SEED_BYTES = 16,
    TEXT_BYTES = sodium_base64_ENCODED_LEN(TOKEN_HASH_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
    CODE_MOST = 4096,
};
#define KEPT_US US_PER_HOUR /* what the provider says of itself, and its keys */

/* What the cookie of a login that was begun stands for. */
struct seed {
    unsigned char random[SEED_BYTES];
    int64_t made_us;
};

struct flight {
    struct oidc *o;
    void (*begun)(void *ctx, const struct oidc_begun *r); /* one of the two */
    void (*finished)(void *ctx, const struct oidc_person *r);
    void *ctx;
    struct seed seed;
    char *code;
    char *id_token;
    char *access_token;
    json_t *claims;
    bool has_new_keys;
    void (*then)(struct flight *f); /* what it waits for the provider or its keys for */
    struct flight *next;
};

struct oidc {
    char *issuer, *client_id, *client_secret, *redirect_url, *scopes;
    char *roles_claim, *admin_roles, *viewer_roles;
    char *jwt_secret;
    struct outside *outside;
    json_t *provider; /* the loop's thread: its description */
    int64_t provider_us;
    json_t *keys;
    int64_t keys_us;
    pthread_mutex_t mutex; /* guards what follows */
    struct flight *flights;
    size_t flight_count;
    bool is_stopped;
};

/* --- state, nonce and verifier --------------------------------------------------------------- */

static void derive(const struct oidc *o, const char *purpose, const struct seed *seed,
                   char ret[static TEXT_BYTES])
{
    unsigned char hash[TOKEN_HASH_BYTES];
    keyed_hash(o->jwt_secret, "oidc", purpose, seed, sizeof *seed, hash);
    sodium_bin2base64(ret, TEXT_BYTES, hash, sizeof hash, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool read_seed(const char *cookie, struct seed *ret)
{
    size_t len = 0;
    return cookie != NULL && strlen(cookie) == 2 * sizeof *ret &&
           sodium_hex2bin((unsigned char *)ret, sizeof *ret, cookie, 2 * sizeof *ret, NULL, &len,
                          NULL) == 0 &&
           len == sizeof *ret;
}

/* The seed needs no MAC: a state that fits it can only have been made here. */
static enum status check_state(const struct oidc *o, const struct oidc_return *back,
                               struct seed *ret, struct error *err)
{
    int64_t now = clock_now_us();
    if (!read_seed(back->cookie, ret) || ret->made_us > now ||
        now - ret->made_us > OIDC_LOGIN_S * US_PER_S)
        return fail_field(err, STATUS_DENIED, "state",
                          "this login was begun in another browser or more than %d minutes ago: log in "
                          "again", OIDC_LOGIN_S / 60);
    char state[TEXT_BYTES];
    derive(o, "state", ret, state);
    if (back->state == NULL || strlen(back->state) != strlen(state) ||
        sodium_memcmp(back->state, state, strlen(state)) != 0)
        return fail_field(err, STATUS_DENIED, "state",
                          "what came back is not of the login that this browser began (state): log in "
                          "again");
    return STATUS_OK;
}

/* --- flights --------------------------------------------------------------------------------- */

static void flight_free(struct flight *f)
{
    char *secrets[] = {f->code, f->id_token, f->access_token};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (secrets[i] != NULL)
            secret_wipe(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    json_decref(f->claims);
    free(f);
}

static void unlink_flight(struct flight *f)
{
    struct oidc *o = f->o;
    pthread_mutex_lock(&o->mutex);
    for (struct flight **at = &o->flights; *at; at = &(*at)->next) {
        if (*at == f) {
            *at = f->next;
            o->flight_count--;
            break;
        }
    }
    pthread_mutex_unlock(&o->mutex);
}

static void land_failed(struct flight *f, const struct error *err)
{
    unlink_flight(f);
    if (f->begun != NULL) {
        struct oidc_begun r = {.status = err->status, .error = *err};
        f->begun(f->ctx, &r);
    } else {
        struct oidc_person r = {.status = err->status, .error = *err};
        f->finished(f->ctx, &r);
    }
    flight_free(f);
}

static void land_failedf(struct flight *f, enum status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void land_failedf(struct flight *f, enum status s, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct error err = {0};
    (void)fail(&err, s, "%s", text);
    land_failed(f, &err);
}

/* Into the loop's thread, unless too many are on their way. */
static void start(struct flight *f, void (*call)(void *ctx))
{
    struct oidc *o = f->o;
    pthread_mutex_lock(&o->mutex);
    bool is_taken = !o->is_stopped && o->flight_count < FLIGHTS_MOST;
    if (is_taken) {
        f->next = o->flights;
        o->flights = f;
        o->flight_count++;
        outside_post(o->outside, call, f);
    }
    pthread_mutex_unlock(&o->mutex);
    if (!is_taken)
        land_failedf(f, STATUS_UNAVAILABLE, "too many logins at once");
}

/* --- asking the provider --------------------------------------------------------------------- */

static void ask(struct flight *f, struct http_request r,
                void (*done)(void *ctx, const struct http_answer *a))
{
    outside_ask(f->o->outside, r, done, f);
}

/* Addresses may not leave the protection that the issuer's has. */
static enum status check_endpoint(const struct oidc *o, const json_t *provider, const char *name,
                                  struct error *err)
{
    struct str url = str_of(jstr(provider, name));
    bool is_https = str_has_prefix(url, STR("https://"));
    bool may_be_plain = str_has_prefix(str_of(o->issuer), STR("http://"));
    if (is_https || (may_be_plain && str_has_prefix(url, STR("http://"))))
        return STATUS_OK;
    return fail(err, STATUS_PROTOCOL, "the provider's %s '%.100s' is %s", name, url.ptr,
                url.len ? "no https address" : "missing");
}

static enum status check_provider(const struct oidc *o, const json_t *provider, struct error *err)
{
    const char *issuer = jstr(provider, "issuer");
    if (!streq(issuer, o->issuer))
        return fail(err, STATUS_PROTOCOL,
                    "the provider at OIDC_ISSUER_URL '%.150s' calls itself '%.150s': the two must be the "
                    "same, to the letter", o->issuer, issuer);
    static const char *const needed[] = {"authorization_endpoint", "token_endpoint", "jwks_uri"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        TRY(check_endpoint(o, provider, needed[i], err));
    if (*jstr(provider, "userinfo_endpoint"))
        TRY(check_endpoint(o, provider, "userinfo_endpoint", err));
    return STATUS_OK;
}

static void got_provider(void *ctx, const struct http_answer *a)
{
    struct flight *f = ctx;
    struct oidc *o = f->o;
    struct error err = {0};
    auto_json json_t *provider = NULL;
    auto_free char *what = xasprintf("OIDC_ISSUER_URL '%.150s'", o->issuer);
    enum status s = outside_read(a, what, &provider, &err);
    if (s == STATUS_PROTOCOL)
        (void)fail(&err, s, "%s is no provider's: its /.well-known/openid-configuration answers %d, "
                            "and not with what it should", what, a->code);
    if (s == STATUS_OK)
        s = check_provider(o, provider, &err);
    if (s != STATUS_OK) {
        land_failed(f, &err);
        return;
    }
    json_decref(o->provider);
    o->provider = steal_ptr(&provider);
    o->provider_us = clock_monotonic_us();
    f->then(f);
}

static void with_provider(struct flight *f, void (*then)(struct flight *f))
{
    struct oidc *o = f->o;
    if (o->provider != NULL && clock_monotonic_us() - o->provider_us < KEPT_US) {
        then(f);
        return;
    }
    f->then = then;
    size_t len = strlen(o->issuer);
    auto_free char *url = xasprintf("%s%s.well-known/openid-configuration", o->issuer,
                                    len && o->issuer[len - 1] == '/' ? "" : "/");
    ask(f, (struct http_request){.url = url}, got_provider);
}

/* --- beginning ------------------------------------------------------------------------------- */

static void add_parameter(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s%s=", b->len ? "&" : "", name);
    buf_add_urlencoded(b, str_of(value));
}

static void add_scopes(struct buf *b, const char *scopes)
{
    auto_buf struct buf text = {0};
    for (const char *p = scopes; *p; p++) {
        bool is_gap = strchr(", \t", *p) != NULL;
        if (!is_gap)
            buf_putc(&text, *p);
        else if (text.len && text.data[text.len - 1] != ' ')
            buf_putc(&text, ' ');
    }
    add_parameter(b, "scope", buf_text(&text));
}

static void send_away(struct flight *f)
{
    const struct oidc *o = f->o;
    char state[TEXT_BYTES], nonce[TEXT_BYTES], verifier[TEXT_BYTES], challenge[TEXT_BYTES];
    derive(o, "state", &f->seed, state);
    derive(o, "nonce", &f->seed, nonce);
    derive(o, "verifier", &f->seed, verifier);
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)verifier, strlen(verifier));
    sodium_bin2base64(challenge, sizeof challenge, hash, sizeof hash,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    auto_buf struct buf query = {0};
    add_parameter(&query, "response_type", "code");
    add_parameter(&query, "client_id", o->client_id);
    add_parameter(&query, "redirect_uri", o->redirect_url);
    add_scopes(&query, o->scopes);
    add_parameter(&query, "state", state);
    add_parameter(&query, "nonce", nonce);
    add_parameter(&query, "code_challenge", challenge);
    add_parameter(&query, "code_challenge_method", "S256");
    const char *at = jstr(o->provider, "authorization_endpoint");
    auto_free char *url = xasprintf("%s%c%s", at, strchr(at, '?') ? '&' : '?', buf_text(&query));
    struct oidc_begun r = {.status = STATUS_OK, .url = url};
    sodium_bin2hex(r.cookie, sizeof r.cookie, (const unsigned char *)&f->seed, sizeof f->seed);
    unlink_flight(f);
    f->begun(f->ctx, &r);
    flight_free(f);
}

static void begin(void *ctx)
{
    with_provider(ctx, send_away);
}

void oidc_begin(struct oidc *o, void (*done)(void *ctx, const struct oidc_begun *r), void *ctx)
{
    _Static_assert(OIDC_COOKIE_MAX > 2 * sizeof(struct seed), "the cookie holds a seed");
    struct flight *f = xcalloc(1, sizeof *f);
    f->o = o;
    f->begun = done;
    f->ctx = ctx;
    randombytes_buf(f->seed.random, sizeof f->seed.random);
    f->seed.made_us = clock_now_us();
    start(f, begin);
}

/* --- finishing: code -> tokens -> keys -> claims -> who --------------------------------------- */

/* Nobody is let in by default: a provider is often that of more people than this household. */
static enum role role_of(const struct oidc *o, const json_t *claims)
{
    if (id_token_has_role(claims, o->roles_claim, o->admin_roles))
        return ROLE_ADMIN;
    bool is_viewer = streq(o->viewer_roles, "*") ||
                     id_token_has_role(claims, o->roles_claim, o->viewer_roles);
    return is_viewer ? ROLE_VIEWER : ROLE_NOBODY;
}

static void land(struct flight *f)
{
    const struct oidc *o = f->o;
    struct oidc_person r = {.status = STATUS_OK};
    snprintf(r.who.issuer, sizeof r.who.issuer, "%s", o->issuer);
    snprintf(r.who.subject, sizeof r.who.subject, "%s", jstr(f->claims, "sub"));
    id_token_name(f->claims, r.who.name);
    r.who.role = role_of(o, f->claims);
    unlink_flight(f);
    f->finished(f->ctx, &r);
    flight_free(f);
}

static void got_userinfo(void *ctx, const struct http_answer *a)
{
    struct flight *f = ctx;
    struct error err = {0};
    auto_json json_t *info = NULL;
    if (outside_read(a, "the provider's userinfo_endpoint", &info, &err) != STATUS_OK) {
        land_failed(f, &err);
    } else if (!streq(jstr(info, "sub"), jstr(f->claims, "sub"))) {
        land_failedf(f, STATUS_UNAUTHORIZED, "the provider's userinfo_endpoint tells of somebody else (sub)");
    } else {
        json_object_update_missing(f->claims, info);
        land(f);
    }
}

/* Many providers put into the token only who it is, and tell the rest when asked. */
static void complete(struct flight *f)
{
    const struct oidc *o = f->o;
    const char *url = jstr(o->provider, "userinfo_endpoint");
    bool has_all = (jget(f->claims, o->roles_claim) || jpath(f->claims, o->roles_claim)) &&
                   (jget(f->claims, "preferred_username") || jget(f->claims, "name"));
    if (has_all || !*url || f->access_token == NULL) {
        land(f);
        return;
    }
    auto_free char *header = xasprintf("Authorization: Bearer %s", f->access_token);
    const char *const headers[] = {header, "Accept: application/json", NULL};
    ask(f, (struct http_request){.url = url, .headers = headers}, got_userinfo);
    secret_wipe(header, strlen(header));
}

static void with_keys(struct flight *f);

static void got_keys(void *ctx, const struct http_answer *a)
{
    struct flight *f = ctx;
    struct oidc *o = f->o;
    struct error err = {0};
    auto_json json_t *keys = NULL;
    if (outside_read(a, "the provider's jwks_uri", &keys, &err) != STATUS_OK) {
        land_failed(f, &err);
        return;
    }
    json_decref(o->keys);
    o->keys = steal_ptr(&keys);
    o->keys_us = clock_monotonic_us();
    f->has_new_keys = true;
    with_keys(f);
}

static void fetch_keys(struct flight *f)
{
    ask(f, (struct http_request){.url = jstr(f->o->provider, "jwks_uri")}, got_keys);
}

static void with_keys(struct flight *f)
{
    const struct oidc *o = f->o;
    if (!f->has_new_keys && (o->keys == NULL || clock_monotonic_us() - o->keys_us >= KEPT_US)) {
        fetch_keys(f);
        return;
    }
    struct error err = {0};
    enum status s = jws_verify(str_of(f->id_token), o->keys, &f->claims, &err);
    if (s == STATUS_NOT_FOUND && !f->has_new_keys) { /* the provider may sign with new ones by now */
        fetch_keys(f);
        return;
    }
    if (s == STATUS_OK) {
        char nonce[TEXT_BYTES];
        derive(o, "nonce", &f->seed, nonce);
        struct id_token_expected e = {o->issuer, o->client_id, nonce, clock_now_us()};
        s = id_token_check(f->claims, &e, &err);
    }
    if (s == STATUS_OK) {
        complete(f);
        return;
    }
    err.status = STATUS_UNAUTHORIZED;
    land_failed(f, &err);
}

/* The provider's refusal in its own words, and what to look at. */
static void refuse_tokens(struct flight *f, const json_t *answer, int code)
{
    auto_buf struct buf said = {0};
    buf_add_clean_utf8(&said, str_of(jstr(answer, "error")));
    if (*jstr(answer, "error_description"))
        buf_puts(&said, ": ");
    buf_add_clean_utf8(&said, str_of(jstr(answer, "error_description")));
    const char *error = jstr(answer, "error"), *hint = "";
    if (streq(error, "invalid_client") || code == 401)
        hint = ": look at OIDC_CLIENT_ID and OIDC_CLIENT_SECRET";
    else if (streq(error, "invalid_grant"))
        hint = ": the code is used or too old, or OIDC_REDIRECT_URL is another one than was registered";
    land_failedf(f, STATUS_UNAUTHORIZED, "the provider's token_endpoint answers %d (%.150s)%s", code,
                 buf_text(&said), hint);
}

static void got_tokens(void *ctx, const struct http_answer *a)
{
    struct flight *f = ctx;
    struct error err = {0};
    auto_json json_t *tokens = NULL;
    if (a->status == STATUS_OK && a->code >= 400 && a->code < 500) {
        (void)!json_parse(a->body, OUTSIDE_ANSWER_MOST, 8, &tokens, NULL);
        refuse_tokens(f, tokens, a->code);
        return;
    }
    if (outside_read(a, "the provider's token_endpoint", &tokens, &err) != STATUS_OK) {
        land_failed(f, &err);
        return;
    }
    const char *access_token = jstr(tokens, "access_token");
    f->id_token = xstrdup(jstr(tokens, "id_token"));
    /* It goes into a header. */
    if (*access_token && strpbrk(access_token, "\r\n") == NULL)
        f->access_token = xstrdup(access_token);
    if (*f->id_token)
        with_keys(f);
    else
        land_failedf(f, STATUS_PROTOCOL, "the provider's token_endpoint gives no id_token: OIDC_SCOPES "
                                         "needs openid");
}

static bool takes_secret_by_basic(const json_t *provider)
{
    const json_t *methods = jget(provider, "token_endpoint_auth_methods_supported");
    bool is_there = methods == NULL; /* what is meant where nothing is said */
    for (size_t i = 0; i < json_array_size(methods) && !is_there; i++) {
        const char *one = json_string_value(json_array_get(methods, i));
        is_there = one != NULL && streq(one, "client_secret_basic");
    }
    return is_there;
}

/* "Authorization: Basic ..." as RFC 6749 has it. The caller wipes and frees it. */
static char *secret_header(const struct oidc *o)
{
    auto_buf struct buf pair = {0};
    buf_add_urlencoded(&pair, str_of(o->client_id));
    buf_putc(&pair, ':');
    buf_add_urlencoded(&pair, str_of(o->client_secret));
    size_t size = sodium_base64_encoded_len(pair.len, sodium_base64_VARIANT_ORIGINAL);
    auto_free char *text = xmalloc(size);
    sodium_bin2base64(text, size, (const unsigned char *)pair.data, pair.len,
                      sodium_base64_VARIANT_ORIGINAL);
    char *header = xasprintf("Authorization: Basic %s", text);
    secret_wipe(pair.data, pair.len);
    secret_wipe(text, size);
    return header;
}

static void redeem(struct flight *f)
{
    const struct oidc *o = f->o;
    char verifier[TEXT_BYTES];
    derive(o, "verifier", &f->seed, verifier);
    bool is_basic = *o->client_secret && takes_secret_by_basic(o->provider);
    auto_buf struct buf body = {0};
    add_parameter(&body, "grant_type", "authorization_code");
    add_parameter(&body, "code", f->code);
    add_parameter(&body, "redirect_uri", o->redirect_url);
    add_parameter(&body, "code_verifier", verifier);
    if (!is_basic)
        add_parameter(&body, "client_id", o->client_id);
    if (!is_basic && *o->client_secret)
        add_parameter(&body, "client_secret", o->client_secret);
    auto_free char *secret = is_basic ? secret_header(o) : NULL;
    const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                   "Accept: application/json", secret, NULL};
    ask(f, (struct http_request){.method = "POST",
                                 .url = jstr(o->provider, "token_endpoint"),
                                 .headers = headers,
                                 .body = buf_str(&body)},
        got_tokens);
    secret_wipe(body.data, body.len);
    if (secret != NULL)
        secret_wipe(secret, strlen(secret));
}

static void finish(void *ctx)
{
    with_provider(ctx, redeem);
}

static enum status check_return(const struct oidc *o, const struct oidc_return *back,
                                struct seed *ret, struct error *err)
{
    TRY(check_state(o, back, ret, err));
    if (back->issuer != NULL && !streq(back->issuer, o->issuer))
        return fail_field(err, STATUS_DENIED, "iss",
                          "what came back is of another issuer (iss '%.100s'), not of OIDC_ISSUER_URL",
                          back->issuer);
    if (back->error != NULL)
        return fail(err, STATUS_DENIED, "the provider refused the login: %.80s%s%.200s", back->error,
                    back->error_description ? ": " : "",
                    back->error_description ? back->error_description : "");
    if (back->code == NULL || !*back->code || strlen(back->code) > CODE_MOST)
        return fail_field(err, STATUS_INVALID, "code", "the provider sent no code that could be used");
    return STATUS_OK;
}

void oidc_finish(struct oidc *o, const struct oidc_return *back,
                 void (*done)(void *ctx, const struct oidc_person *r), void *ctx)
{
    struct flight *f = xcalloc(1, sizeof *f);
    f->o = o;
    f->finished = done;
    f->ctx = ctx;
    struct error err = {0};
    if (check_return(o, back, &f->seed, &err) != STATUS_OK) {
        land_failed(f, &err);
        return;
    }
    f->code = xstrdup(back->code);
    start(f, finish);
}

/* --- start and stop -------------------------------------------------------------------------- */

enum status oidc_start(const struct oidc_config *c, struct oidc **ret, struct error *err)
{
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium has no source of random numbers");
    struct outside *outside = NULL;
    TRY(outside_start("oidc", &outside, err));
    struct oidc *o = xcalloc(1, sizeof *o);
    o->outside = outside;
    o->issuer = xstrdup(c->issuer);
    o->client_id = xstrdup(c->client_id);
    o->client_secret = xstrdup(c->client_secret);
    o->redirect_url = xstrdup(c->redirect_url);
    o->scopes = xstrdup(c->scopes);
    o->roles_claim = xstrdup(c->roles_claim);
    o->admin_roles = xstrdup(c->admin_roles);
    o->viewer_roles = xstrdup(c->viewer_roles);
    o->jwt_secret = xstrdup(c->jwt_secret);
    pthread_mutex_init(&o->mutex, NULL);
    *ret = o;
    return STATUS_OK;
}

void oidc_stop(struct oidc *o)
{
    if (o == NULL || o->is_stopped)
        return;
    pthread_mutex_lock(&o->mutex);
    o->is_stopped = true;
    pthread_mutex_unlock(&o->mutex);
    outside_stop(o->outside);  /* its calls land as cancelled */
    while (o->flights != NULL) /* not yet taken by it */
        land_failedf(o->flights, STATUS_UNAVAILABLE, "the server is stopping");
}

void oidc_free(struct oidc *o)
{
    if (o == NULL)
        return;
    oidc_stop(o);
    outside_free(o->outside);
    char *secrets[] = {o->client_secret, o->jwt_secret};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        secret_wipe(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    char *texts[] = {o->issuer, o->client_id, o->redirect_url, o->scopes, o->roles_claim, o->admin_roles,
                     o->viewer_roles};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    json_decref(o->provider);
    json_decref(o->keys);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}
