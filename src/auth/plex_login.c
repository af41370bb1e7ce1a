#include "auth/plex_login.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>

#include "auth/outside.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

enum {
    LOGINS_MOST = 16,
    OF_ADDRESS_MOST = 4,
    BEGUN_A_MINUTE_MOST = 30,
    SEED_BYTES = 32,
    FAILURES_MOST = 4, /* in a row, of a plex.tv that may be well again at once */
    SLOWER_MOST = 3,
    OWNED_MOST = 4, /* servers by which one login may be proved an owner's */
};
#define POLL_US (2 * US_PER_S) /* between two questions about one PIN */
#define LEFT_US (2 * US_PER_MIN) /* a browser in the background asks once a minute */

enum stage {
    STAGE_FREE,
    STAGE_MAKING, /* until STAGE_KNOWN it is the loop's, which alone frees it */
    STAGE_WAITING,
    STAGE_KNOWN,
    STAGE_FAILED,
};

struct login {
    struct plex_login *p;
    /* Guarded by the mutex. */
    enum stage stage;
    bool is_dropped;
    unsigned char seed[SEED_BYTES];
    char address[64];
    int64_t asked_us; /* monotonic: when the browser last did */
    struct auth_identity who;
    struct error error;
    /* The loop's. */
    void (*begun)(void *ctx, const struct plex_begun *r);
    void *ctx;
    struct plex_pin pin;
    int64_t ends_us; /* monotonic */
    unsigned failures;
    char owned[OWNED_MOST][PLEX_MACHINE_MAX]; /* by plex.tv's list, still to be proved */
    size_t n_owned;
};

struct plex_login {
    char *base_url, *client_id, *window_url;
    struct plex_login_config config;
    struct outside *outside;
    pthread_mutex_t mutex; /* guards what follows */
    struct login logins[LOGINS_MOST];
    int64_t minute_us; /* monotonic: since when `begun` is counted */
    unsigned begun;
    bool is_stopped;
};

/* --- the table ------------------------------------------------------------------------------- */

/* Under the mutex, as the next ones. */
static void set_free(struct login *l)
{
    struct plex_login *p = l->p;
    secret_wipe(l, sizeof *l);
    *l = (struct login){.p = p};
}

static bool is_loops(const struct login *l)
{
    return l->stage == STAGE_MAKING || l->stage == STAGE_WAITING;
}

static bool is_left(const struct login *l)
{
    return l->is_dropped || clock_monotonic_us() - l->asked_us > LEFT_US;
}

static struct login *find(struct plex_login *p, const char *cookie)
{
    unsigned char seed[SEED_BYTES];
    size_t len = 0;
    if (cookie == NULL || strlen(cookie) != 2 * SEED_BYTES ||
        sodium_hex2bin(seed, sizeof seed, cookie, 2 * SEED_BYTES, NULL, &len, NULL) != 0 ||
        len != sizeof seed)
        return NULL;
    struct login *found = NULL;
    for (size_t i = 0; i < LOGINS_MOST; i++) {
        struct login *l = &p->logins[i];
        bool is_it = sodium_memcmp(l->seed, seed, sizeof seed) == 0;
        if (is_it && l->stage != STAGE_FREE && l->stage != STAGE_MAKING && !l->is_dropped)
            found = l;
    }
    return found;
}

/* A place for one more, if there may be one. */
static enum status take_place(struct plex_login *p, const char *address, struct login **ret,
                              struct error *err)
{
    int64_t now = clock_monotonic_us();
    if (p->is_stopped)
        return fail(err, STATUS_UNAVAILABLE, "the server is stopping");
    if (now - p->minute_us >= US_PER_MIN) {
        p->minute_us = now;
        p->begun = 0;
    }
    size_t of_address = 0;
    struct login *place = NULL;
    for (size_t i = 0; i < LOGINS_MOST; i++) {
        struct login *l = &p->logins[i];
        if (!is_loops(l) && l->stage != STAGE_FREE && is_left(l))
            set_free(l);
        if (l->stage == STAGE_FREE)
            place = l;
        else if (streq(l->address, address))
            of_address++;
    }
    if (place == NULL || of_address >= OF_ADDRESS_MOST || p->begun >= BEGUN_A_MINUTE_MOST)
        return fail(err, STATUS_RATE_LIMITED, "too many logins by Plex at once: try again in a minute");
    p->begun++;
    place->stage = STAGE_MAKING;
    snprintf(place->address, sizeof place->address, "%s", address);
    randombytes_buf(place->seed, sizeof place->seed);
    place->asked_us = now;
    *ret = place;
    return STATUS_OK;
}

/* --- ends of a login, in the loop's thread --------------------------------------------------- */

static void forget_token(struct login *l)
{
    secret_wipe(l->pin.token, sizeof l->pin.token);
    l->pin.token[0] = '\0';
}

/* Hands the place over to the browser that asks next. */
static void end(struct login *l, enum stage stage)
{
    struct plex_login *p = l->p;
    forget_token(l);
    pthread_mutex_lock(&p->mutex);
    if (l->is_dropped)
        set_free(l);
    else
        l->stage = stage;
    pthread_mutex_unlock(&p->mutex);
}

static void end_failed(struct login *l, const struct error *err)
{
    struct plex_login *p = l->p;
    if (l->begun == NULL) {
        pthread_mutex_lock(&p->mutex);
        l->error = *err;
        pthread_mutex_unlock(&p->mutex);
        end(l, STAGE_FAILED);
        return;
    }
    void (*begun)(void *ctx, const struct plex_begun *r) = l->begun;
    void *ctx = l->ctx;
    struct plex_begun r = {.status = err->status, .error = *err};
    pthread_mutex_lock(&p->mutex);
    set_free(l);
    pthread_mutex_unlock(&p->mutex);
    begun(ctx, &r);
}

/* True, after having freed it, where nobody waits any more. */
static bool was_left(struct login *l)
{
    struct plex_login *p = l->p;
    pthread_mutex_lock(&p->mutex);
    bool is = is_left(l);
    if (is)
        set_free(l);
    pthread_mutex_unlock(&p->mutex);
    return is;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool is_passing(const struct http_answer *a)
{
    if (a->status != STATUS_OK)
        return a->status != STATUS_CANCELLED && a->status != STATUS_TOO_LARGE &&
               a->status != STATUS_DENIED;
    return a->code == 429 || a->code >= 500;
}

/* OK for an answer to look at, else what is wrong with it. */
static enum status check_answer(const struct plex_login *p, const struct http_answer *a,
                                struct error *err)
{
    if (a->status == STATUS_CANCELLED)
        return fail(err, STATUS_UNAVAILABLE, "the server is stopping");
    if (a->status == STATUS_TOO_LARGE)
        return fail(err, STATUS_PROTOCOL, "%.200s answers with more than can be right", p->base_url);
    if (a->status != STATUS_OK)
        return fail(err, STATUS_UNAVAILABLE, "%.200s cannot be reached: %.200s", p->base_url,
                    a->error.text);
    if (a->code == 429)
        return fail(err, STATUS_RATE_LIMITED, "%.200s takes no more logins from here for now (429): try "
                    "again in some minutes", p->base_url);
    if (a->code >= 200 && a->code < 300)
        return STATUS_OK;
    return fail(err, STATUS_PROTOCOL, "%.200s answers %d", p->base_url, a->code);
}

static void ask(struct login *l, struct http_request r, const char *token, const char *path,
                void (*done)(void *ctx, const struct http_answer *a))
{
    const struct plex_login *p = l->p;
    auto_free char *url = xasprintf("%s%s", p->base_url, path);
    auto_free char *client = xasprintf("X-Plex-Client-Identifier: %s", p->client_id);
    auto_free char *with_token = xasprintf("X-Plex-Token: %s", token);
    const char *const headers[] = {client, "Accept: application/json", "X-Plex-Product: Cartographus",
                                   "X-Plex-Platform: Linux", "X-Plex-Device-Name: Cartographus",
                                   *token ? with_token : NULL, NULL};
    r.url = url;
    r.headers = headers;
    outside_ask(p->outside, r, done, l);
    secret_wipe(with_token, strlen(with_token));
}

/* --- PIN -> token -> who -> where -> whether it is theirs -> what they may --------------------- */

static void end_known(struct login *l, enum role role)
{
    pthread_mutex_lock(&l->p->mutex);
    l->who.role = role;
    pthread_mutex_unlock(&l->p->mutex);
    end(l, STAGE_KNOWN);
}

static void prove_owner(struct login *l, struct error *why);

static void got_owner(void *ctx, const struct http_answer *a)
{
    struct login *l = ctx;
    struct error err = {0};
    struct auth_identity owner;
    enum status s = check_answer(l->p, a, &err);
    if (a->status == STATUS_CANCELLED) {
        end_failed(l, &err);
        return;
    }
    if (s == STATUS_OK)
        s = plex_read_user(a->body, &owner, &err);
    if (s != STATUS_OK)
        (void)fail_prefix(&err, "whose the server's token is, is not known");
    else if (!streq(owner.subject, l->who.subject))
        s = fail(&err, STATUS_DENIED, "the server's token is of another account");
    if (s == STATUS_OK)
        end_known(l, ROLE_ADMIN);
    else
        prove_owner(l, &err);
}

/* Asks whose the token of the next server is that should be theirs. Without a proof they have access
 * only; why: what is wrong with the last one. */
static void prove_owner(struct login *l, struct error *why)
{
    const struct plex_login *p = l->p;
    char token[PLEX_TOKEN_MAX] = "";
    bool is_asked = false;
    while (l->n_owned > 0 && !is_asked) {
        is_asked = p->config.token(p->config.ctx, l->owned[--l->n_owned], token);
        if (is_asked)
            ask(l, (struct http_request){0}, token, "/api/v2/user", got_owner);
        else
            (void)fail(why, STATUS_NOT_FOUND, "there is no token of the server that can be used");
    }
    secret_wipe(token, sizeof token);
    if (is_asked)
        return;
    log_warn("auth", "who owns the Plex server by plex.tv's list is not proved to, and is a viewer",
             LF_TEXT("user", l->who.name), LF_ERROR(why));
    end_known(l, ROLE_VIEWER);
}

static void got_servers(void *ctx, const struct http_answer *a)
{
    struct login *l = ctx;
    struct plex_login *p = l->p;
    struct error err = {0};
    char machines[PLEX_SERVERS_MOST][PLEX_MACHINE_MAX];
    size_t count = p->config.machines(p->config.ctx, machines);
    enum role roles[PLEX_SERVERS_MOST], role = ROLE_NOBODY;
    enum status s = check_answer(p, a, &err);
    if (s == STATUS_OK)
        s = plex_read_roles(a->body, (const char (*)[PLEX_MACHINE_MAX])machines, count, roles, &err);
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        role = roles[i] > role ? roles[i] : role;
        if (roles[i] == ROLE_ADMIN && l->n_owned < OWNED_MOST)
            memcpy(l->owned[l->n_owned++], machines[i], sizeof machines[i]);
    }
    if (s == STATUS_PROTOCOL)
        s = fail_prefix(&err, "which servers the account has access to is not known");
    if (s == STATUS_OK && count == 0)
        s = fail(&err, STATUS_UNAVAILABLE, "no Plex server has said yet who it is, so that nobody can be "
                 "known to have access to it: it must have been reached once");
    if (s == STATUS_OK && role == ROLE_NOBODY)
        s = fail(&err, STATUS_DENIED, "%s has no access to the Plex server that is watched here",
                 l->who.name);
    if (s != STATUS_OK) {
        end_failed(l, &err);
        return;
    }
    forget_token(l);
    if (role == ROLE_ADMIN)
        prove_owner(l, &err);
    else
        end_known(l, role);
}

static void got_user(void *ctx, const struct http_answer *a)
{
    struct login *l = ctx;
    struct error err = {0};
    struct auth_identity who;
    enum status s = check_answer(l->p, a, &err);
    if (s == STATUS_OK)
        s = plex_read_user(a->body, &who, &err);
    if (s == STATUS_PROTOCOL)
        (void)fail_prefix(&err, "who logged in there is not known");
    if (s != STATUS_OK) {
        end_failed(l, &err);
        return;
    }
    pthread_mutex_lock(&l->p->mutex);
    l->who = who;
    pthread_mutex_unlock(&l->p->mutex);
    ask(l, (struct http_request){.most_bytes = PLEX_RESOURCES_MOST}, l->pin.token, "/api/v2/resources",
        got_servers);
}

static void poll_pin(void *ctx);

static void poll_later(struct login *l)
{
    unsigned slower = l->failures < SLOWER_MOST ? l->failures : SLOWER_MOST;
    (void)loop_timer_start(outside_loop(l->p->outside), POLL_US << slower, poll_pin, l);
}

static void got_state(void *ctx, const struct http_answer *a)
{
    struct login *l = ctx;
    struct error err = {0};
    if (is_passing(a) && ++l->failures < FAILURES_MOST) {
        poll_later(l);
        return;
    }
    struct plex_pin now;
    enum status s;
    if (a->status == STATUS_OK && a->code == 404)
        s = fail(&err, STATUS_DENIED, "the login at plex.tv was not finished: it was refused there, or "
                                      "has run out; sign in again");
    else if ((s = check_answer(l->p, a, &err)) == STATUS_OK)
        s = plex_read_pin(a->body, &now, &err);
    if (s == STATUS_OK && now.id != l->pin.id)
        s = fail(&err, STATUS_PROTOCOL, "its answer is about another PIN");
    if (s == STATUS_PROTOCOL)
        (void)fail_prefix(&err, "how the login stands at plex.tv is not known");
    if (s != STATUS_OK) {
        end_failed(l, &err);
        return;
    }
    l->failures = 0;
    memcpy(l->pin.token, now.token, sizeof now.token);
    secret_wipe(&now, sizeof now);
    if (*l->pin.token)
        ask(l, (struct http_request){0}, l->pin.token, "/api/v2/user", got_user);
    else
        poll_later(l);
}

static void poll_pin(void *ctx)
{
    struct login *l = ctx;
    if (was_left(l))
        return;
    if (clock_monotonic_us() > l->ends_us) {
        struct error err = {0};
        (void)fail(&err, STATUS_DENIED, "the login at plex.tv was not finished in time: sign in again");
        end_failed(l, &err);
        return;
    }
    auto_free char *path = xasprintf("/api/v2/pins/%" PRId64, l->pin.id);
    ask(l, (struct http_request){0}, "", path, got_state);
}

/* The window's address. What follows # stays in the browser. */
static char *window_of(const struct plex_login *p, const char *code)
{
    auto_buf struct buf b = {0};
    buf_printf(&b, "%s/auth#?clientID=", p->window_url);
    buf_add_urlencoded(&b, str_of(p->client_id));
    buf_puts(&b, "&code=");
    buf_add_urlencoded(&b, str_of(code));
    buf_puts(&b, "&context%5Bdevice%5D%5Bproduct%5D=Cartographus");
    return xstrdup(buf_text(&b));
}

static void got_pin(void *ctx, const struct http_answer *a)
{
    struct login *l = ctx;
    struct plex_login *p = l->p;
    struct error err = {0};
    enum status s = check_answer(p, a, &err);
    if (s == STATUS_OK)
        s = plex_read_pin(a->body, &l->pin, &err);
    if (s == STATUS_PROTOCOL)
        (void)fail_prefix(&err, "plex.tv made no PIN");
    if (s != STATUS_OK) {
        end_failed(l, &err);
        return;
    }
    forget_token(l); /* nobody can have logged in with it */
    l->ends_us = clock_monotonic_us() + l->pin.lifetime_s * US_PER_S;
    auto_free char *url = window_of(p, l->pin.code);
    struct plex_begun r = {.status = STATUS_OK, .url = url, .lifetime_s = l->pin.lifetime_s};
    void (*begun)(void *ctx, const struct plex_begun *r) = steal_ptr(&l->begun);
    pthread_mutex_lock(&p->mutex);
    sodium_bin2hex(r.cookie, sizeof r.cookie, l->seed, sizeof l->seed);
    l->stage = STAGE_WAITING;
    l->asked_us = clock_monotonic_us();
    pthread_mutex_unlock(&p->mutex);
    poll_later(l);
    begun(l->ctx, &r);
    secret_wipe(r.cookie, sizeof r.cookie);
}

static void make_pin(void *ctx)
{
    ask(ctx, (struct http_request){.method = "POST"}, "", "/api/v2/pins?strong=true", got_pin);
}

/* --- for the browser ------------------------------------------------------------------------- */

void plex_login_begin(struct plex_login *p, const char *address,
                      void (*done)(void *ctx, const struct plex_begun *r), void *ctx)
{
    _Static_assert(PLEX_COOKIE_MAX > 2 * SEED_BYTES, "the cookie holds a seed");
    struct plex_begun r = {0};
    struct login *l = NULL;
    pthread_mutex_lock(&p->mutex);
    r.status = take_place(p, address, &l, &r.error);
    if (l != NULL) {
        l->begun = done;
        l->ctx = ctx;
        outside_post(p->outside, make_pin, l);
    }
    pthread_mutex_unlock(&p->mutex);
    if (l == NULL)
        done(ctx, &r);
}

enum status plex_login_ask(struct plex_login *p, const char *cookie, bool *ret_is_known,
                           struct auth_identity *ret, struct error *err)
{
    enum status s = STATUS_OK;
    *ret_is_known = false;
    pthread_mutex_lock(&p->mutex);
    struct login *l = find(p, cookie);
    if (l == NULL) {
        s = fail(err, STATUS_DENIED, "this login was begun in another browser, or is over: sign in again");
    } else {
        l->asked_us = clock_monotonic_us();
        *ret_is_known = l->stage == STAGE_KNOWN;
        if (l->stage == STAGE_KNOWN)
            *ret = l->who;
        if (l->stage == STAGE_FAILED)
            s = fail(err, l->error.status, "%s", l->error.text);
        if (!is_loops(l))
            set_free(l);
    }
    pthread_mutex_unlock(&p->mutex);
    return s;
}

void plex_login_cancel(struct plex_login *p, const char *cookie)
{
    pthread_mutex_lock(&p->mutex);
    struct login *l = find(p, cookie);
    if (l != NULL && is_loops(l))
        l->is_dropped = true; /* the loop's timer or answer frees it */
    else if (l != NULL)
        set_free(l);
    pthread_mutex_unlock(&p->mutex);
}

/* --- whether it is there --------------------------------------------------------------------- */

struct try {
    struct plex_login *p;
    void (*done)(void *ctx, const struct error *why);
    void *ctx;
};

static void tried(void *ctx, const struct http_answer *a)
{
    struct try *t = ctx;
    struct error err = {0};
    bool is_there = a->status == STATUS_OK && a->code < 500 && a->code != 429;
    bool is_well = is_there || check_answer(t->p, a, &err) == STATUS_OK;
    t->done(t->ctx, is_well ? NULL : &err);
    free(t);
}

static void try_it(void *ctx)
{
    struct try *t = ctx;
    auto_free char *url = xasprintf("%s/api/v2/ping", t->p->base_url);
    outside_ask(t->p->outside, (struct http_request){.url = url}, tried, t);
}

void plex_login_try(struct plex_login *p, void (*done)(void *ctx, const struct error *why),
                    void *ctx)
{
    struct try *t = xcalloc(1, sizeof *t);
    *t = (struct try){p, done, ctx};
    outside_post(p->outside, try_it, t);
}

/* --- start and stop -------------------------------------------------------------------------- */

enum status plex_login_start(const struct plex_login_config *c, struct plex_login **ret,
                             struct error *err)
{
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium has no source of random numbers");
    struct outside *outside = NULL;
    TRY(outside_start("plex", &outside, err));
    struct plex_login *p = xcalloc(1, sizeof *p);
    p->outside = outside;
    p->config = *c;
    p->base_url = xstrdup(c->base_url);
    p->client_id = xstrdup(c->client_id);
    p->window_url = xstrdup(streq(c->base_url, PLEX_ISSUER) ? "https://app.plex.tv" : c->base_url);
    pthread_mutex_init(&p->mutex, NULL);
    p->minute_us = clock_monotonic_us();
    for (size_t i = 0; i < LOGINS_MOST; i++)
        p->logins[i].p = p;
    *ret = p;
    return STATUS_OK;
}

void plex_login_stop(struct plex_login *p)
{
    if (p == NULL || p->is_stopped)
        return;
    pthread_mutex_lock(&p->mutex);
    p->is_stopped = true;
    pthread_mutex_unlock(&p->mutex);
    outside_stop(p->outside); /* what it asks lands as cancelled */
    struct error err = {0};
    (void)fail(&err, STATUS_UNAVAILABLE, "the server is stopping");
    for (size_t i = 0; i < LOGINS_MOST; i++)
        if (p->logins[i].stage == STAGE_MAKING) /* not yet taken by it */
            end_failed(&p->logins[i], &err);
}

void plex_login_free(struct plex_login *p)
{
    if (p == NULL)
        return;
    plex_login_stop(p);
    outside_free(p->outside);
    secret_wipe(p->logins, sizeof p->logins);
    char *texts[] = {p->base_url, p->client_id, p->window_url};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}
