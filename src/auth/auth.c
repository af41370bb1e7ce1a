#include "auth/auth.h"

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>

#include "auth/remembered.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/str.h"

#include "base/banned.h"

/* argon2id, small on purpose: the machine is a home server and logins are throttled. */
enum { HASH_PASSES = 2, HASH_BYTES = 16 * 1024 * 1024, QUEUE_MOST = 16, SESSIONS_MOST = 1000 };

/* A session's place in memory, so that a check never waits for the disk. */
struct session {
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t expires_us;
    struct auth_user user;
};

enum job_kind {
    JOB_LOGIN = 1,
    JOB_VERIFY,
    JOB_ENTER,
    JOB_ENTER_IDENTITY,
    JOB_LOGOUT,
    JOB_LOGOUT_EVERYWHERE,
    JOB_RESET,
};

struct job {
    enum job_kind kind;
    char name[AUTH_NAME_MAX];
    char password[AUTH_PASSWORD_MAX];
    char address[64];
    char device[AUTH_TOKEN_MAX]; /* "": none that is known */
    unsigned char hash[TOKEN_HASH_BYTES];
    struct remembered_key key; /* JOB_VERIFY */
    struct auth_identity who;  /* JOB_ENTER_IDENTITY */
    struct auth_user user;     /* JOB_ENTER, JOB_LOGOUT_EVERYWHERE */
    auth_login_done *login_done;
    auth_logout_done *logout_done;
    void *ctx;
};

struct auth {
    sqlite3 *db; /* auth_open(), then the worker only */
    char *jwt_secret;
    char *admin_username;
    char *admin_password;
    int64_t session_timeout_us;
    char nobody_hash[crypto_pwhash_STRBYTES]; /* what an unknown name is checked against */
    struct throttle *throttle;
    struct remembered *remembered;
    struct queue *queue;
    pthread_t worker;
    bool is_stopped;
    pthread_mutex_t mutex; /* guards sessions */
    struct session *sessions;
    size_t session_count;
};

static void auto_stmt_fn(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
}
#define auto_stmt __attribute__((cleanup(auto_stmt_fn)))

const char *role_name(enum role r)
{
    switch (r) {
    case ROLE_NOBODY:
        return "nobody";
    case ROLE_VIEWER:
        return "viewer";
    case ROLE_ADMIN:
        return "admin";
    }
    return "nobody";
}

static enum role role_parse(const char *text)
{
    if (streq(text, "admin"))
        return ROLE_ADMIN;
    return streq(text, "viewer") ? ROLE_VIEWER : ROLE_NOBODY;
}

static enum status db_fail(const struct auth *a, struct error *err, const char *doing)
{
    return fail(err, STATUS_IO, "%s: %s", doing, sqlite3_errmsg(a->db));
}

static enum status prepare(struct auth *a, const char *sql, sqlite3_stmt **ret, struct error *err)
{
    if (sqlite3_prepare_v2(a->db, sql, -1, ret, NULL) != SQLITE_OK)
        return db_fail(a, err, "accounts");
    return STATUS_OK;
}

static enum status run(struct auth *a, sqlite3_stmt *s, struct error *err)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        return db_fail(a, err, "accounts");
    return STATUS_OK;
}

static const char SCHEMA[] =
    "pragma journal_mode=wal; pragma synchronous=full; pragma busy_timeout=5000;"
    "create table if not exists user (user_id integer primary key, name text not null unique,"
    "  role text not null, password text not null, is_configured integer not null,"
    "  created_us integer not null) strict;"
    "create table if not exists session (hash blob primary key, user_id integer not null,"
    "  created_us integer not null, expires_us integer not null) strict, without rowid;"
    /* Whom a provider knows. Their user has no password, and a name that nobody can type. */
    "create table if not exists identity (user_id integer primary key, issuer text not null,"
    "  subject text not null, name text not null, unique (issuer, subject)) strict;";

static enum status hash_password(const char *password, char dst[static crypto_pwhash_STRBYTES],
                                 struct error *err)
{
    if (crypto_pwhash_str_alg(dst, password, strlen(password), HASH_PASSES, HASH_BYTES,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(err, STATUS_NOMEM, "no memory to hash a password");
    return STATUS_OK;
}

static enum status drop_sessions_of(struct auth *a, const char *where, const char *name,
                                    struct error *err)
{
    auto_free char *sql =
        xasprintf("delete from session where user_id in (select user_id from user where %s)", where);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a, sql, &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    return run(a, s, err);
}

/* The configuration is the truth: another name, password or provider ends what was. */
static enum status apply_configured(struct auth *a, const char *issuer, struct error *err)
{
    const char *name = a->admin_username ? a->admin_username : "";
    TRY(drop_sessions_of(a, "is_configured = 1 and name <> ?1", name, err));
    TRY(drop_sessions_of(a, "user_id in (select user_id from identity where issuer <> ?1)",
                         issuer ? issuer : "", err));
    {
        auto_stmt sqlite3_stmt *s = NULL;
        TRY(prepare(a, "delete from user where is_configured = 1 and name <> ?1", &s, err));
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
        TRY(run(a, s, err));
    }
    if (a->admin_username == NULL)
        return STATUS_OK;
    {
        auto_stmt sqlite3_stmt *s = NULL;
        TRY(prepare(a, "select password from user where name = ?1 and role = 'admin'", &s, err));
        sqlite3_bind_text(s, 1, a->admin_username, -1, SQLITE_STATIC);
        if (sqlite3_step(s) == SQLITE_ROW) {
            const char *stored = (const char *)sqlite3_column_text(s, 0);
            if (stored != NULL && crypto_pwhash_str_verify(stored, a->admin_password,
                                                           strlen(a->admin_password)) == 0)
                return STATUS_OK;
        }
    }
    TRY(drop_sessions_of(a, "name = ?1", a->admin_username, err));
    char hash[crypto_pwhash_STRBYTES];
    TRY(hash_password(a->admin_password, hash, err));
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a,
                "insert into user (name, role, password, is_configured, created_us)"
                " values (?1, 'admin', ?2, 1, ?3)"
                " on conflict (name) do update set password = ?2, role = 'admin',"
                " is_configured = 1",
                &s, err));
    sqlite3_bind_text(s, 1, a->admin_username, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, clock_now_us());
    return run(a, s, err);
}

static void keep_session(struct auth *a, const struct session *new_one)
{
    pthread_mutex_lock(&a->mutex);
    if (a->session_count == SESSIONS_MOST) {
        size_t soonest = 0;
        for (size_t i = 1; i < a->session_count; i++) {
            if (a->sessions[i].expires_us < a->sessions[soonest].expires_us)
                soonest = i;
        }
        a->sessions[soonest] = *new_one;
    } else {
        a->sessions[a->session_count++] = *new_one;
    }
    pthread_mutex_unlock(&a->mutex);
}

static enum status load_sessions(struct auth *a, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a,
                "select s.hash, s.expires_us, u.user_id, coalesce(i.name, u.name), u.role"
                " from session s join user u using (user_id) left join identity i using (user_id)"
                " where s.expires_us > ?1",
                &s, err));
    sqlite3_bind_int64(s, 1, clock_now_us());
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct session one = {.expires_us = sqlite3_column_int64(s, 1)};
        const void *hash = sqlite3_column_blob(s, 0);
        const char *name = (const char *)sqlite3_column_text(s, 3);
        const char *role = (const char *)sqlite3_column_text(s, 4);
        if (hash == NULL || sqlite3_column_bytes(s, 0) != TOKEN_HASH_BYTES || !name || !role)
            continue;
        memcpy(one.hash, hash, TOKEN_HASH_BYTES);
        one.user.id = sqlite3_column_int64(s, 2);
        snprintf(one.user.name, sizeof one.user.name, "%s", name);
        one.user.role = role_parse(role);
        keep_session(a, &one);
    }
    return step == SQLITE_DONE ? STATUS_OK : db_fail(a, err, "sessions");
}

/* The purposes of tokens. */
#define SESSION "session"
#define DEVICE "device"

static bool read_session(const struct auth *a, const char *token,
                         unsigned char hash[static TOKEN_HASH_BYTES])
{
    return token_read(a->jwt_secret, SESSION, "", token, hash);
}

bool auth_session(struct auth *a, const char *token, struct auth_user *ret)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (!read_session(a, token, hash))
        return false;
    int64_t now = clock_now_us();
    bool is_found = false;
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->session_count; i++) {
        const struct session *s = &a->sessions[i];
        if (memcmp(s->hash, hash, TOKEN_HASH_BYTES) == 0 && s->expires_us > now) {
            *ret = s->user;
            is_found = true;
            break;
        }
    }
    pthread_mutex_unlock(&a->mutex);
    return is_found;
}

int64_t auth_session_seconds(const struct auth *a)
{
    return a->session_timeout_us / US_PER_S;
}

/* --- the worker ------------------------------------------------------------------------------ */

static void job_free(struct job *j)
{
    secret_wipe(j->password, sizeof j->password);
    free(j);
}

static enum status make_session(struct auth *a, struct auth_login_result *r, struct error *err)
{
    struct session one = {.user = r->user};
    token_make(a->jwt_secret, SESSION, "", r->token, one.hash);
    int64_t now = clock_now_us();
    one.expires_us = now + a->session_timeout_us;
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a, "insert into session values (?1, ?2, ?3, ?4)", &s, err));
    sqlite3_bind_blob(s, 1, one.hash, TOKEN_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, r->user.id);
    sqlite3_bind_int64(s, 3, now);
    sqlite3_bind_int64(s, 4, one.expires_us);
    TRY(run(a, s, err));
    keep_session(a, &one);
    return STATUS_OK;
}

static enum status check_password(struct auth *a, const struct job *j, struct auth_user *ret,
                                  struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a, "select user_id, role, password from user where name = ?1", &s, err));
    sqlite3_bind_text(s, 1, j->name, -1, SQLITE_STATIC);
    bool is_known = sqlite3_step(s) == SQLITE_ROW;
    const char *stored = is_known ? (const char *)sqlite3_column_text(s, 2) : NULL;
    /* An unknown name takes as long as a known one. */
    bool is_right = crypto_pwhash_str_verify(stored ? stored : a->nobody_hash, j->password,
                                             strlen(j->password)) == 0;
    if (!is_right || stored == NULL)
        return fail(err, STATUS_UNAUTHORIZED, "wrong user name or password");
    ret->id = sqlite3_column_int64(s, 0);
    const char *role = (const char *)sqlite3_column_text(s, 1);
    ret->role = role_parse(role ? role : "");
    snprintf(ret->name, sizeof ret->name, "%s", j->name);
    return STATUS_OK;
}

/* The account of an identity, with what the provider says of it now. */
static enum status store_identity(struct auth *a, const struct auth_identity *who,
                                  struct auth_user *ret, struct error *err)
{
    auto_free char *key = xasprintf("%s %s", who->issuer, who->subject);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a,
                "insert into user (name, role, password, is_configured, created_us)"
                " values (?1, ?2, '', 0, ?3) on conflict (name) do update set role = ?2"
                " returning user_id",
                &s, err));
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, role_name(who->role), -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, clock_now_us());
    if (sqlite3_step(s) != SQLITE_ROW)
        return db_fail(a, err, "accounts");
    *ret = (struct auth_user){.id = sqlite3_column_int64(s, 0), .role = who->role};
    snprintf(ret->name, sizeof ret->name, "%s", who->name);
    TRY(run(a, s, err));
    auto_stmt sqlite3_stmt *i = NULL;
    TRY(prepare(a,
                "insert into identity values (?1, ?2, ?3, ?4)"
                " on conflict (user_id) do update set name = ?4",
                &i, err));
    sqlite3_bind_int64(i, 1, ret->id);
    sqlite3_bind_text(i, 2, who->issuer, -1, SQLITE_STATIC);
    sqlite3_bind_text(i, 3, who->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(i, 4, who->name, -1, SQLITE_STATIC);
    return run(a, i, err);
}

static enum status end_all_of(struct auth *a, int64_t user_id, struct error *err);

static enum status check_identity(struct auth *a, const struct job *j, struct auth_user *ret,
                                  struct error *err)
{
    TRY(store_identity(a, &j->who, ret, err));
    if (j->who.role >= ROLE_ADMIN)
        return STATUS_OK;
    TRY(end_all_of(a, ret->id, err));
    return fail(err, STATUS_DENIED,
                "%s is known to %s, but only administrators may log in: none of the roles there is one "
                "of OIDC_ADMIN_ROLES", j->who.name, j->who.issuer);
}

static enum status check_login(struct auth *a, const struct job *j, struct auth_login_result *r,
                               struct error *err)
{
    if (j->kind == JOB_ENTER) {
        r->user = j->user;
    } else if (j->kind == JOB_ENTER_IDENTITY) {
        TRY(check_identity(a, j, &r->user, err));
    } else if (j->kind == JOB_LOGIN ||
               !remembered_find(a->remembered, &j->key, clock_monotonic_us(), &r->user)) {
        TRY(check_password(a, j, &r->user, err));
    }
    return j->kind == JOB_VERIFY ? STATUS_OK : make_session(a, r, err);
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

/* Whether a logout ends this session. */
static bool is_ended_by(const struct job *j, const struct session *s)
{
    return j->kind == JOB_LOGOUT ? memcmp(s->hash, j->hash, sizeof j->hash) == 0
                                 : s->user.id == j->user.id;
}

static void forget_ended(struct auth *a, const struct job *j)
{
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->session_count;) {
        if (is_ended_by(j, &a->sessions[i]))
            a->sessions[i] = a->sessions[--a->session_count];
        else
            i++;
    }
    pthread_mutex_unlock(&a->mutex);
}

static enum status delete_ended(struct auth *a, const struct job *j, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    if (j->kind == JOB_LOGOUT) {
        TRY(prepare(a, "delete from session where hash = ?1", &s, err));
        sqlite3_bind_blob(s, 1, j->hash, TOKEN_HASH_BYTES, SQLITE_STATIC);
    } else {
        TRY(prepare(a, "delete from session where user_id = ?1", &s, err));
        sqlite3_bind_int64(s, 1, j->user.id);
    }
    return run(a, s, err);
}

static enum status end_all_of(struct auth *a, int64_t user_id, struct error *err)
{
    struct job end = {.kind = JOB_LOGOUT_EVERYWHERE, .user.id = user_id};
    forget_ended(a, &end);
    return delete_ended(a, &end, err);
}

static enum status reset(struct auth *a, const char *name, struct error *err)
{
    throttle_succeeded(a->throttle, &(struct throttle_who){name, "", NULL});
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(prepare(a,
                "select user_id from user u left join identity i using (user_id)"
                " where u.name = ?1 or i.name = ?1",
                &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    bool is_any = false;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        is_any = true;
        TRY(end_all_of(a, sqlite3_column_int64(s, 0), err));
    }
    if (step != SQLITE_DONE)
        return db_fail(a, err, "accounts");
    return is_any ? STATUS_OK : fail(err, STATUS_NOT_FOUND, "nobody is called '%s'", name);
}

static enum status end_sessions(struct auth *a, const struct job *j, struct error *err)
{
    if (j->kind == JOB_RESET)
        return reset(a, j->name, err);
    forget_ended(a, j); /* also what a login before it in the queue has made */
    return delete_ended(a, j, err);
}

static void do_logout(struct auth *a, const struct job *j)
{
    struct error err = {0};
    enum status s = end_sessions(a, j, &err);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND)
        log_error("auth", "logout not stored", LF_ERROR(&err));
    j->logout_done(j->ctx, s);
}

static void forget_expired(struct auth *a)
{
    int64_t now = clock_now_us();
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->session_count;) {
        if (a->sessions[i].expires_us <= now)
            a->sessions[i] = a->sessions[--a->session_count];
        else
            i++;
    }
    pthread_mutex_unlock(&a->mutex);
    auto_stmt sqlite3_stmt *s = NULL;
    struct error err = {0};
    if (prepare(a, "delete from session where expires_us <= ?1", &s, &err) != STATUS_OK) {
        log_warn("auth", "expired sessions stay in the file", LF_ERROR(&err));
        return;
    }
    sqlite3_bind_int64(s, 1, now);
    if (run(a, s, &err) != STATUS_OK)
        log_warn("auth", "expired sessions stay in the file", LF_ERROR(&err));
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
            forget_expired(a);
            continue;
        }
        if (j->login_done != NULL)
            do_login(a, j);
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
    return remembered_find(a->remembered, &key, clock_monotonic_us(), ret);
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
    if (read_session(a, token, j->hash))
        forget_ended(a, j);
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
    forget_ended(a, j);
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
    free(a);
}

static enum status open_file(struct auth *a, const struct auth_config *c, struct error *err)
{
    const char *path = c->path;
    if (sqlite3_open(path, &a->db) != SQLITE_OK)
        return fail(err, STATUS_IO, "open '%s': %s", path,
                    a->db ? sqlite3_errmsg(a->db) : "no memory");
    if (sqlite3_exec(a->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
        return fail(err, STATUS_IO, "'%s': %s", path, sqlite3_errmsg(a->db));
    if (c->is_offline)
        return STATUS_OK;
    char random[33];
    unsigned char bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2hex(random, sizeof random, bytes, sizeof bytes);
    TRY(hash_password(random, a->nobody_hash, err));
    TRY(apply_configured(a, c->issuer, err));
    return load_sessions(a, err);
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
