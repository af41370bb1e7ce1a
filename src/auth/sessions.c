/* Who is logged in: in memory for the checks, in the file for the next start. */
#include "auth/inside.h"

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

/* The purpose of the tokens. */
#define SESSION "session"

static void keep(struct auth *a, const struct session *new_one)
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

enum status auth_sessions_load(struct auth *a, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select hash, expires_us, user_id from session where expires_us > ?1", &s, err));
    sqlite3_bind_int64(s, 1, clock_now_us());
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct session one = {.expires_us = sqlite3_column_int64(s, 1),
                              .user_id = sqlite3_column_int64(s, 2)};
        const void *hash = sqlite3_column_blob(s, 0);
        if (hash == NULL || sqlite3_column_bytes(s, 0) != TOKEN_HASH_BYTES)
            continue;
        memcpy(one.hash, hash, TOKEN_HASH_BYTES);
        keep(a, &one);
    }
    return step == SQLITE_DONE ? STATUS_OK : auth_file_fail(a, err, "sessions");
}

bool auth_sessions_hash(const struct auth *a, const char *token, unsigned char ret[static TOKEN_HASH_BYTES])
{
    return token_read(a->jwt_secret, SESSION, "", token, ret);
}

/* Whose it is; false: nobody's, or of somebody who may not log in any more. */
bool auth_session(struct auth *a, const char *token, struct auth_user *ret)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (!auth_sessions_hash(a, token, hash))
        return false;
    int64_t now = clock_now_us();
    const struct user *user = NULL;
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->session_count; i++) {
        const struct session *s = &a->sessions[i];
        if (memcmp(s->hash, hash, TOKEN_HASH_BYTES) == 0 && s->expires_us > now) {
            user = auth_users_find(a, s->user_id);
            break;
        }
    }
    bool is_good = user != NULL && !user->is_disabled && user->role >= ROLE_VIEWER;
    if (is_good) {
        *ret = (struct auth_user){.id = user->id, .role = user->role};
        memcpy(ret->name, user->name, sizeof ret->name);
    }
    pthread_mutex_unlock(&a->mutex);
    return is_good;
}

int64_t auth_session_seconds(const struct auth *a)
{
    return a->session_timeout_us / US_PER_S;
}

enum status auth_sessions_make(struct auth *a, struct auth_login_result *r, struct error *err)
{
    struct session one = {.user_id = r->user.id};
    token_make(a->jwt_secret, SESSION, "", r->token, one.hash);
    int64_t now = clock_now_us();
    one.expires_us = now + a->session_timeout_us;
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "insert into session values (?1, ?2, ?3, ?4)", &s, err));
    sqlite3_bind_blob(s, 1, one.hash, TOKEN_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, r->user.id);
    sqlite3_bind_int64(s, 3, now);
    sqlite3_bind_int64(s, 4, one.expires_us);
    TRY(auth_file_run(a, s, err));
    keep(a, &one);
    return STATUS_OK;
}

/* --- their end ------------------------------------------------------------------------------- */

/* Those of a hash (NULL: any), of somebody (0: anybody), that run out by then (0: whenever). */
static void forget(struct auth *a, const unsigned char *hash, int64_t user_id, int64_t until_us)
{
    pthread_mutex_lock(&a->mutex);
    for (size_t i = 0; i < a->session_count;) {
        const struct session *s = &a->sessions[i];
        bool is_meant = (hash == NULL || memcmp(s->hash, hash, TOKEN_HASH_BYTES) == 0) &&
                        (user_id == 0 || s->user_id == user_id) &&
                        (until_us == 0 || s->expires_us <= until_us);
        if (is_meant)
            a->sessions[i] = a->sessions[--a->session_count];
        else
            i++;
    }
    pthread_mutex_unlock(&a->mutex);
}

void auth_sessions_forget(struct auth *a, const unsigned char hash[static TOKEN_HASH_BYTES])
{
    forget(a, hash, 0, 0);
}

enum status auth_sessions_end(struct auth *a, const unsigned char hash[static TOKEN_HASH_BYTES],
                         struct error *err)
{
    auth_sessions_forget(a, hash);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "delete from session where hash = ?1", &s, err));
    sqlite3_bind_blob(s, 1, hash, TOKEN_HASH_BYTES, SQLITE_STATIC);
    return auth_file_run(a, s, err);
}

void auth_sessions_forget_all_of(struct auth *a, int64_t user_id)
{
    if (user_id != 0) /* the command line has none */
        forget(a, NULL, user_id, 0);
}

enum status auth_sessions_end_all_of(struct auth *a, int64_t user_id, struct error *err)
{
    auth_sessions_forget_all_of(a, user_id);
    return auth_file_change(a, "delete from session where user_id = ?1", user_id, NULL, NULL, err);
}

void auth_sessions_forget_expired(struct auth *a)
{
    int64_t now = clock_now_us();
    struct error err = {0};
    forget(a, NULL, 0, now);
    if (auth_file_change(a, "delete from session where expires_us <= ?1", now, NULL, NULL, &err) != STATUS_OK)
        log_warn("auth", "expired sessions stay in the file", LF_ERROR(&err));
}
