/*
 * Inside of auth: what its files share. users.c knows who there is, sessions.c who is logged in,
 * file.c the SQLite file below both; auth.c has the worker and what others call.
 *
 * The file is the truth; `users` and `sessions` are what is asked at each request, made from it. The
 * file is written in the worker only (and in auth_open(), before it runs).
 */
#pragma once

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>

#include "auth/auth.h"
#include "auth/remembered.h"
#include "auth/throttle.h"
#include "base/queue.h"

enum { SESSIONS_MOST = 1000, USERS_MOST = 5000, LINKS_MOST = 500 };

/* A session's place in memory, so that a check never waits for the disk. */
struct session {
    unsigned char hash[TOKEN_HASH_BYTES];
    int64_t expires_us;
    int64_t user_id;
};

/* Somebody who can log in, or could. */
struct user {
    int64_t id;
    char name[AUTH_NAME_MAX]; /* to be called by */
    enum role role;
    bool is_configured, is_disabled;
    struct arena arena;            /* owns the texts that follow */
    const char *issuer, *subject;  /* NULL: by a password of this program */
    int64_t created_us, last_login_us; /* TIME_NONE: never */
    struct auth_link *links;
    size_t link_count;
    struct scope scope;
};

enum job_kind {
    JOB_LOGIN = 1,
    JOB_VERIFY,
    JOB_ENTER,
    JOB_ENTER_IDENTITY,
    JOB_LOGOUT,
    JOB_LOGOUT_EVERYWHERE,
    JOB_RESET,
    JOB_CHANGE,
    JOB_CALL,
};

/* Run in the worker, once, also while auth stops. */
typedef void auth_call(struct auth *a, void *ctx);


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
    struct auth_change change; /* JOB_CHANGE; its texts are in name, password, server, account */
    char server[SCOPE_KEY_MAX], account[SCOPE_KEY_MAX];
    auth_login_done *login_done;
    auth_logout_done *logout_done;
    auth_change_done *change_done;
    auth_call *call; /* JOB_CALL */
    void *ctx;
};

struct api_tokens;
struct audit;

struct auth {
    sqlite3 *db; /* auth_open(), then the worker only */
    char *jwt_secret;
    char *admin_username;
    char *admin_password;
    int64_t session_timeout_us;
    char nobody_hash[crypto_pwhash_STRBYTES]; /* what an unknown name is checked against */
    struct throttle *throttle;
    struct remembered *remembered;
    struct api_tokens *tokens;
    struct audit *audit;
    bool are_accounts_changed; /* the worker: since the tokens were read */
    _Atomic bool is_woken;
    struct queue *queue;
    pthread_t worker;
    bool is_stopped;
    pthread_mutex_t mutex; /* guards what follows */
    struct session *sessions;
    size_t session_count;
    struct user *users; /* by id */
    size_t user_count;
};

/* --- file.c ---------------------------------------------------------------------------------- */

static inline void auto_stmt_fn(sqlite3_stmt **s)
{
    sqlite3_finalize(*s);
}
#define auto_stmt __attribute__((cleanup(auto_stmt_fn)))

/* Opens or makes it, with the tables of today. */
enum status auth_file_open(struct auth *a, const char *path, struct error *err);
enum status auth_file_fail(const struct auth *a, struct error *err, const char *doing);
enum status auth_file_prepare(struct auth *a, const char *sql, sqlite3_stmt **ret, struct error *err);
/* Prepares a statement with an id as ?1 and up to two texts as ?2 and ?3 (NULL: not), and runs it. */
enum status auth_file_change(struct auth *a, const char *sql, int64_t id, const char *second,
                        const char *third, struct error *err);
enum status auth_file_run(struct auth *a, sqlite3_stmt *s, struct error *err);

/* --- sessions.c ------------------------------------------------------------------------------ */

enum status auth_sessions_load(struct auth *a, struct error *err);
/* A new one of r->user; its token into r->token. */
enum status auth_sessions_make(struct auth *a, struct auth_login_result *r, struct error *err);
/* The hash that a cookie's value is known by; false: not made by us. */
bool auth_sessions_hash(const struct auth *a, const char *token, unsigned char ret[static TOKEN_HASH_BYTES]);
/* Out of memory at once (any thread), and out of the file. */
void auth_sessions_forget(struct auth *a, const unsigned char hash[static TOKEN_HASH_BYTES]);
enum status auth_sessions_end(struct auth *a, const unsigned char hash[static TOKEN_HASH_BYTES],
                         struct error *err);
void auth_sessions_forget_all_of(struct auth *a, int64_t user_id);
enum status auth_sessions_end_all_of(struct auth *a, int64_t user_id, struct error *err);
void auth_sessions_forget_expired(struct auth *a);

/* --- users.c --------------------------------------------------------------------------------- */

/* The configuration is the truth: another name, password or provider ends what was. */
enum status auth_users_apply_configured(struct auth *a, const char *const *issuers,
                                        struct error *err);
/* Reads who there is from the file. */
enum status auth_users_load(struct auth *a, struct error *err);
void auth_users_free(struct user *all, size_t count);
/* Holding a->mutex; NULL: there is nobody. */
const struct user *auth_users_find(const struct auth *a, int64_t id);
enum status auth_users_check_password(struct auth *a, const struct job *j, struct auth_user *ret,
                                 struct error *err);
/* The login of an identity, with what the provider says of it now. DENIED (after storing it): they have
 * no role, or are disabled; their sessions have ended. */
enum status auth_users_check_identity(struct auth *a, const struct auth_identity *who,
                                 struct auth_user *ret, struct error *err);
enum status auth_users_has_entered(struct auth *a, int64_t id, struct error *err);
enum status auth_users_reset(struct auth *a, const char *name, struct error *err);
/* Does what j->change says; *ret_id is whom it is about. */
enum status auth_users_change(struct auth *a, const struct job *j, int64_t *ret_id, struct error *err);
enum status auth_users_hash_password(const char *password, char dst[static crypto_pwhash_STRBYTES],
                                struct error *err);

/* --- auth.c: the worker, for what is not a login ---------------------------------------------- */

/* UNAVAILABLE when the queue is full. Any thread. */
enum status auth_submit_call(struct auth *a, auth_call *call, void *ctx, struct error *err);
/* Has the worker write soon what waits to be written. Any thread; waits for nothing. */
void auth_wake(struct auth *a);

/* --- api_token.c: in the worker, or before it starts ------------------------------------------ */

struct api_tokens *api_tokens_new(void);
void api_tokens_free(struct api_tokens *t); /* NULL is fine */
/* Reads the tokens anew, as accounts have changed. */
enum status api_tokens_load(struct auth *a, struct error *err);
/* Ends the tokens of the accounts that `where` names: a condition on the table user, with ?1. */
enum status api_tokens_end(struct auth *a, const char *where, const char *value, struct error *err);
/* Writes when and from where tokens were used last, where that is due or `is_last`. */
void api_tokens_write_uses(struct auth *a, bool is_last);

/* --- audit.c ---------------------------------------------------------------------------------- */

#define AUDIT_SCHEMA                                                                          \
    "create table if not exists audit (audit_id integer primary key autoincrement,"           \
    "  at_us integer not null, kind text not null, who text not null, via text not null,"     \
    "  token text not null, address text not null, action text not null, detail text not null," \
    "  status integer not null) strict;"                                                      \
    "create index if not exists audit_kind on audit (kind, audit_id);"

struct audit *audit_new(int64_t keep_rows, int64_t keep_us);
void audit_free(struct audit *d); /* NULL is fine */
/* Writes what was noted; the worker, or nobody else any more. */
void audit_write(struct audit *d, sqlite3 *db);
