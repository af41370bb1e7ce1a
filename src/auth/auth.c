/* The worker that hashes and writes, and what others call. */
#include "auth/inside.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { QUEUE_MOST = 16 };

/* The purpose of tokens that tell a device. */
#define DEVICE "device"

/* --- the worker ------------------------------------------------------------------------------ */

static void job_free(struct job *j)
{
    secret_wipe(j->password, sizeof j->password);
    free(j);
}

static enum status check_login(struct auth *a, const struct job *j, struct auth_login_result *r,
                               struct error *err)
{
    if (j->kind == JOB_ENTER) {
        r->user = j->user;
    } else if (j->kind == JOB_ENTER_IDENTITY) {
        TRY(auth_users_check_identity(a, &j->who, &r->user, err));
    } else if (j->kind == JOB_LOGIN ||
               !remembered_find(a->remembered, &j->key, clock_monotonic_us(), &r->user)) {
        TRY(auth_users_check_password(a, j, &r->user, err));
    }
    /* What was found out before a change that stood in the queue before it may be over. */
    if (!auth_current(a, r->user.id, &r->user))
        return fail(err, STATUS_DENIED, "this login is disabled, or gone");
    if (j->kind == JOB_VERIFY)
        return STATUS_OK;
    TRY(auth_sessions_make(a, r, err));
    return auth_users_has_entered(a, r->user.id, err);
}

static struct throttle_who who_of(const struct job *j)
{
    return (struct throttle_who){j->name, j->address, *j->device ? j->device : NULL};
}

/* What is to be kept of a password that was right. */
static void proved(struct auth *a, const struct job *j, struct auth_login_result *r)
{
    struct throttle_who who = who_of(j);
    throttle_succeeded(a->throttle, &who);
    unsigned char ignored[TOKEN_HASH_BYTES];
    if (j->kind == JOB_LOGIN && !*j->device)
        token_make(a->jwt_secret, DEVICE, j->name, r->device, ignored);
}

static void do_login(struct auth *a, const struct job *j)
{
    struct auth_login_result r = {0};
    if (queue_is_closed(a->queue))
        r.status = fail(&r.error, STATUS_UNAVAILABLE, "the server is stopping");
    else
        r.status = check_login(a, j, &r, &r.error);
    if (j->kind == JOB_VERIFY)
        remembered_end(a->remembered, &j->key, clock_monotonic_us(),
                       r.status == STATUS_OK ? &r.user : NULL);
    if (r.status == STATUS_OK && (j->kind == JOB_LOGIN || j->kind == JOB_VERIFY))
        proved(a, j, &r);
    if (r.status == STATUS_OK)
        log_info("auth", "logged in", LF_TEXT("user", r.user.name), LF_TEXT("address", j->address));
    else
        log_warn("auth", "login refused", LF_TEXT("address", j->address), LF_ERROR(&r.error));
    j->login_done(j->ctx, &r);
    secret_wipe(r.token, sizeof r.token);
}

static enum status end_sessions(struct auth *a, const struct job *j, struct error *err)
{
    if (j->kind == JOB_RESET)
        return auth_users_reset(a, j->name, err);
    /* Also what a login before it in the queue has made. */
    return j->kind == JOB_LOGOUT ? auth_sessions_end(a, j->hash, err)
                                 : auth_sessions_end_all_of(a, j->user.id, err);
}

static void do_logout(struct auth *a, const struct job *j)
{
    struct error err = {0};
    enum status s = end_sessions(a, j, &err);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND)
        log_error("auth", "logout not stored", LF_ERROR(&err));
    j->logout_done(j->ctx, s);
}

static const char *change_name(enum auth_change_kind kind)
{
    switch (kind) {
    case AUTH_ADD:
        return "added";
    case AUTH_REMOVE:
        return "deleted";
    case AUTH_SET_ROLE:
        return "role";
    case AUTH_SET_PASSWORD:
        return "password";
    case AUTH_DISABLE:
        return "disabled";
    case AUTH_ENABLE:
        return "enabled";
    case AUTH_LINK:
        return "account given";
    case AUTH_UNLINK:
        return "account taken";
    }
    return "?";
}

static void do_change(struct auth *a, const struct job *j)
{
    struct auth_change_result r = {0};
    if (queue_is_closed(a->queue))
        r.status = fail(&r.error, STATUS_UNAVAILABLE, "the server is stopping");
    else
        r.status = auth_users_change(a, j, &r.user_id, &r.error);
    if (r.status == STATUS_OK)
        log_info("auth", "a login has been changed", LF_INT("login", r.user_id),
                 LF_TEXT("what", change_name(j->change.kind)), LF_TEXT("by", j->user.name));
    j->change_done(j->ctx, &r);
}

static void *work(void *arg)
{
    struct auth *a = arg;
    logger_set_thread("auth");
    while (true) {
        struct job *j = queue_pop(a->queue, 10 * US_PER_MIN);
        if (j == NULL) {
            if (queue_is_closed(a->queue))
                return NULL;
            auth_sessions_forget_expired(a);
            continue;
        }
        if (j->login_done != NULL)
            do_login(a, j);
        else if (j->change_done != NULL)
            do_change(a, j);
        else
            do_logout(a, j);
        job_free(j);
    }
}

static enum status submit(struct auth *a, struct job *j, struct error *err)
{
    if (queue_try_push(a->queue, j))
        return STATUS_OK;
    job_free(j);
    return fail(err, STATUS_UNAVAILABLE, "too many logins at once");
}

/* LOGIN or VERIFY. A pair whose check is under way already is not counted once more. */
static enum status submit_try(struct auth *a, enum job_kind kind, const struct auth_try *t,
                              auth_login_done *done, void *ctx, int64_t *ret_retry_after_s,
                              struct error *err)
{
    if (strlen(t->name) >= AUTH_NAME_MAX || strlen(t->password) >= AUTH_PASSWORD_MAX)
        return fail(err, STATUS_UNAUTHORIZED, "wrong user name or password");
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = kind;
    snprintf(j->name, sizeof j->name, "%s", t->name);
    snprintf(j->password, sizeof j->password, "%s", t->password);
    snprintf(j->address, sizeof j->address, "%s", t->address);
    if (token_read(a->jwt_secret, DEVICE, t->name, t->device, j->hash))
        snprintf(j->device, sizeof j->device, "%s", t->device);
    j->login_done = done;
    j->ctx = ctx;
    j->key = remembered_key(a->remembered, j->name, j->password);
    struct remembered_key key = j->key;
    bool is_counted = kind == JOB_VERIFY && remembered_begin(a->remembered, &key);
    struct throttle_who who = who_of(j);
    int64_t wait_us = is_counted ? 0 : throttle_try(a->throttle, &who, clock_monotonic_us());
    enum status s;
    if (wait_us > 0) {
        job_free(j);
        *ret_retry_after_s = (wait_us + US_PER_S - 1) / US_PER_S;
        s = fail(err, STATUS_RATE_LIMITED, "too many failed logins: try again in %lld s",
                 (long long)*ret_retry_after_s);
    } else {
        *ret_retry_after_s = 1;
        s = submit(a, j, err);
    }
    if (s != STATUS_OK && kind == JOB_VERIFY)
        remembered_end(a->remembered, &key, 0, NULL);
    return s;
}

enum status auth_login(struct auth *a, const struct auth_try *t, auth_login_done *done, void *ctx,
                       int64_t *ret_retry_after_s, struct error *err)
{
    return submit_try(a, JOB_LOGIN, t, done, ctx, ret_retry_after_s, err);
}

enum status auth_verify(struct auth *a, const struct auth_try *t, auth_login_done *done, void *ctx,
                        int64_t *ret_retry_after_s, struct error *err)
{
    return submit_try(a, JOB_VERIFY, t, done, ctx, ret_retry_after_s, err);
}

bool auth_remembers(struct auth *a, const char *name, const char *password, struct auth_user *ret)
{
    struct remembered_key key = remembered_key(a->remembered, name, password);
    return remembered_find(a->remembered, &key, clock_monotonic_us(), ret) &&
           auth_current(a, ret->id, ret);
}

enum status auth_enter(struct auth *a, const struct auth_user *user, auth_login_done *done,
                       void *ctx, struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_ENTER;
    j->user = *user;
    j->login_done = done;
    j->ctx = ctx;
    return submit(a, j, err);
}

enum status auth_enter_identity(struct auth *a, const struct auth_identity *who,
                                const char *address, auth_login_done *done, void *ctx,
                                struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_ENTER_IDENTITY;
    j->who = *who;
    snprintf(j->address, sizeof j->address, "%s", address);
    j->login_done = done;
    j->ctx = ctx;
    return submit(a, j, err);
}

enum status auth_logout(struct auth *a, const char *token, auth_logout_done *done, void *ctx,
                        struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_LOGOUT;
    j->logout_done = done;
    j->ctx = ctx;
    if (auth_sessions_hash(a, token, j->hash))
        auth_sessions_forget(a, j->hash);
    return submit(a, j, err);
}

enum status auth_logout_everywhere(struct auth *a, int64_t user_id, auth_logout_done *done,
                                   void *ctx, struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_LOGOUT_EVERYWHERE;
    j->user.id = user_id;
    j->logout_done = done;
    j->ctx = ctx;
    auth_sessions_forget_all_of(a, user_id);
    return submit(a, j, err);
}

enum status auth_reset(struct auth *a, const char *name, auth_logout_done *done, void *ctx,
                       struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_RESET;
    snprintf(j->name, sizeof j->name, "%s", name);
    j->logout_done = done;
    j->ctx = ctx;
    return submit(a, j, err);
}

enum status auth_change(struct auth *a, const struct auth_change *c, auth_change_done *done,
                        void *ctx, struct error *err)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->kind = JOB_CHANGE;
    j->change = *c;
    j->change_done = done;
    j->ctx = ctx;
    snprintf(j->user.name, sizeof j->user.name, "%s", c->by_name ? c->by_name : "");
    const struct {
        const char *from, *field;
        char *to;
        size_t size;
    } texts[] = {{c->name, "name", j->name, sizeof j->name},
                 {c->password, "password", j->password, sizeof j->password},
                 {c->server, "server", j->server, sizeof j->server},
                 {c->account, "account", j->account, sizeof j->account}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        size_t len = texts[i].from ? strlen(texts[i].from) : 0;
        if (len >= texts[i].size) {
            job_free(j);
            return fail_field(err, STATUS_INVALID, texts[i].field, "it has more than %zu bytes",
                              texts[i].size - 1);
        }
        if (len > 0)
            memcpy(texts[i].to, texts[i].from, len);
    }
    return submit(a, j, err);
}

/* --- start and stop -------------------------------------------------------------------------- */

static void auth_free(struct auth *a)
{
    if (a->db != NULL)
        sqlite3_close(a->db);
    throttle_free(a->throttle);
    remembered_free(a->remembered);
    queue_free(a->queue);
    pthread_mutex_destroy(&a->mutex);
    char *secrets[] = {a->jwt_secret, a->admin_password};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        if (secrets[i] != NULL)
            secret_wipe(secrets[i], strlen(secrets[i]));
        free(secrets[i]);
    }
    free(a->admin_username);
    secret_wipe(a->sessions, SESSIONS_MOST * sizeof *a->sessions);
    free(a->sessions);
    auth_users_free(a->users, a->user_count);
    free(a);
}

static enum status open_to_logins(struct auth *a, const struct auth_config *c, struct error *err)
{
    char random[33];
    unsigned char bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(random, sizeof random, bytes, sizeof bytes);
    TRY(auth_users_hash_password(random, a->nobody_hash, err));
    return auth_users_apply_configured(a, c->issuer, err);
}

static enum status open_file(struct auth *a, const struct auth_config *c, struct error *err)
{
    TRY(auth_file_open(a, c->path, err));
    if (!c->is_offline)
        TRY(open_to_logins(a, c, err));
    TRY(auth_users_load(a, err));
    return auth_sessions_load(a, err);
}
enum status auth_open(const struct auth_config *c, struct auth **ret, struct error *err)
{
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium has no source of random numbers");
    struct auth *a = xcalloc(1, sizeof *a);
    a->jwt_secret = xstrdup(c->jwt_secret);
    if (c->admin_username != NULL) {
        a->admin_username = xstrdup(c->admin_username);
        a->admin_password = xstrdup(c->admin_password);
    }
    a->session_timeout_us = c->session_timeout_us;
    a->throttle = throttle_new();
    a->remembered = remembered_new();
    a->queue = queue_new(QUEUE_MOST);
    a->sessions = xcalloc(SESSIONS_MOST, sizeof *a->sessions);
    pthread_mutex_init(&a->mutex, NULL);
    enum status s = open_file(a, c, err);
    if (s == STATUS_OK && pthread_create(&a->worker, NULL, work, a) != 0)
        s = fail(err, STATUS_UNAVAILABLE, "no thread for logins");
    if (s != STATUS_OK) {
        auth_free(a);
        return s;
    }
    *ret = a;
    return STATUS_OK;
}

void auth_stop(struct auth *a)
{
    if (a->is_stopped)
        return;
    a->is_stopped = true;
    queue_close(a->queue);
    pthread_join(a->worker, NULL);
}

void auth_close(struct auth *a)
{
    if (a == NULL)
        return;
    auth_stop(a);
    auth_free(a);
}
