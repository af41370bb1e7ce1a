/*
 * Logins: who there is, and who is logged in, in DATA/cartographus.sqlite. The configured administrator
 * is read at every start and is the truth: another password replaces the stored one and ends the
 * account's sessions. A session is a random id in a cookie, signed with JWT_SECRET; only its hash is
 * kept. What a login may see is asked anew for each request and each frame: a change holds at once.
 *
 * Passwords are hashed (argon2id) in one worker thread behind a bounded queue; checking a session
 * takes no lock that is held across I/O, so an http thread may do it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/token.h"
#include "base/error.h"
#include "base/mem.h"
#include "model/scope.h"

#define AUTH_COOKIE "cartographus_session"
/* The issuer of who somebody is at plex.tv, wherever that is asked. */
#define PLEX_ISSUER "https://plex.tv"
/* From which device an account has logged in before; tells its tries from those of strangers. */
#define AUTH_DEVICE_COOKIE "cartographus_device"

/* In order: each may do what the one before may. */
enum role { ROLE_NOBODY = 1, ROLE_VIEWER, ROLE_ADMIN };
const char *role_name(enum role r); /* "admin" */
enum role role_parse(const char *text); /* ROLE_NOBODY: no role of somebody who may log in */

enum {
    AUTH_NAME_MAX = 65,
    AUTH_PASSWORD_LEAST = 12,
    AUTH_PASSWORD_MAX = 1024,
    AUTH_TOKEN_MAX = TOKEN_MAX, /* of either cookie's value, with its NUL */
    AUTH_DEVICE_DAYS = 400,
    AUTH_ISSUERS_MOST = 2,
    AUTH_ISSUER_MAX = 512,
    AUTH_SUBJECT_MAX = 256,
};

struct auth_user {
    int64_t id;
    char name[AUTH_NAME_MAX];
    enum role role;
};

struct auth_config {
    const char *path; /* DATA/cartographus.sqlite; ":memory:" in tests */
    const char *jwt_secret;
    const char *admin_username; /* NULL: nobody logs in by password */
    const char *admin_password;
    const char *issuers[AUTH_ISSUERS_MOST]; /* who identities may be of, NULL: none; sessions of others end */
    bool is_offline;    /* accounts stay as they are, nobody logs in */
    int64_t session_timeout_us;
    int64_t audit_keep_rows, audit_keep_us; /* auth/audit.h */
};

struct auth;
/* Opens or makes the file, brings the configured account up to date, starts the worker. Texts of
 * the configuration are copied. */
enum status auth_open(const struct auth_config *c, struct auth **ret, struct error *err);
/* Answers what waits with UNAVAILABLE; afterwards nothing can be asked but auth_session(). */
void auth_stop(struct auth *a);
/* Stops, then frees. NULL is fine. */
void auth_close(struct auth *a);

struct auth_try {
    const char *name;
    const char *password;
    const char *address;
    const char *device; /* value of AUTH_DEVICE_COOKIE; NULL: none */
};

struct auth_login_result {
    enum status status; /* OK, UNAUTHORIZED, INTERNAL, UNAVAILABLE */
    struct error error;
    char token[AUTH_TOKEN_MAX]; /* "" of auth_verify() */
    char device[AUTH_TOKEN_MAX]; /* "": the one it came with still serves */
    struct auth_user user;
};
typedef void auth_login_done(void *ctx, const struct auth_login_result *r);

/* Queues a login try. `done` runs in the worker, once, if OK is returned. RATE_LIMITED (with
 * *ret_retry_after_s) after failures, UNAVAILABLE when the queue is full. Any thread. */
enum status auth_login(struct auth *a, const struct auth_try *t, auth_login_done *done, void *ctx,
                       int64_t *ret_retry_after_s, struct error *err);
/* As auth_login() but for one request: no session is made, and name and password are then known
 * to auth_remembers() for five minutes. */
enum status auth_verify(struct auth *a, const struct auth_try *t, auth_login_done *done, void *ctx,
                        int64_t *ret_retry_after_s, struct error *err);
bool auth_remembers(struct auth *a, const char *name, const char *password, struct auth_user *ret);
/* Somebody as an OpenID Connect provider or plex.tv knows them: the two of these are who it is, for good. */
struct auth_identity {
    char issuer[AUTH_ISSUER_MAX];
    char subject[AUTH_SUBJECT_MAX];
    char name[AUTH_NAME_MAX]; /* to be called by; no proof of anything */
    enum role role;
};
/* A session for them. DENIED if they have no role (ROLE_NOBODY), or their login is disabled; sessions
 * they may have had then end. */
enum status auth_enter_identity(struct auth *a, const struct auth_identity *who,
                                const char *address, auth_login_done *done, void *ctx,
                                struct error *err);
/* A session for an account that has been verified. */
enum status auth_enter(struct auth *a, const struct auth_user *user, const char *address,
                       auth_login_done *done, void *ctx, struct error *err);
typedef void auth_logout_done(void *ctx, enum status s);
/* Ends a session; `done` runs in the worker when that is on disk. Unknown tokens are fine. */
enum status auth_logout(struct auth *a, const char *token, auth_logout_done *done, void *ctx,
                        struct error *err);
/* Ends all sessions of an account, wherever they are. */
enum status auth_logout_everywhere(struct auth *a, int64_t user_id, auth_logout_done *done,
                                   void *ctx, struct error *err);
/* The same for whoever is called so, and no try for that name has to wait any more. NOT_FOUND (to
 * `done`): there is nobody. */
enum status auth_reset(struct auth *a, const char *name, auth_logout_done *done, void *ctx,
                       struct error *err);
/* Whose session a cookie's value is; false when none, expired, revoked or forged. Any thread. */
bool auth_session(struct auth *a, const char *token, struct auth_user *ret);
/* Seconds a new cookie may live. */
int64_t auth_session_seconds(const struct auth *a);
/* Somebody by their id, as they are now; false: gone, or disabled. Any thread. */
bool auth_current(struct auth *a, int64_t user_id, struct auth_user *ret);
/* What they may see now: the caller's, for scope_done(). Nothing where they are gone or disabled. Any
 * thread. */
void auth_scope(struct auth *a, int64_t user_id, struct scope *ret);

/* --- who there is ---------------------------------------------------------------------------- */

struct auth_link {
    const char *server, *account; /* keys */
    int64_t linked_us;
};
struct auth_login {
    int64_t id;
    const char *name;
    const char *issuer, *subject; /* NULL: logs in by a password of this program */
    enum role role;
    bool is_configured, is_disabled;
    int64_t created_us, last_login_us; /* TIME_NONE: never */
    char plex_id[SCOPE_PLEX_ID_MAX];   /* whose accounts are theirs without a link; "": nobody's */
    const struct auth_link *links;
    size_t link_count;
    size_t sessions; /* now */
};
/* All, by id; in the arena. Any thread. */
struct auth_login *auth_logins(struct auth *a, struct arena *arena, size_t *ret_count);

enum auth_change_kind {
    AUTH_ADD = 1, /* name, password, role */
    AUTH_REMOVE,
    AUTH_SET_ROLE,     /* of a login that was made here */
    AUTH_SET_PASSWORD, /* of the same; ends its sessions */
    AUTH_DISABLE,      /* ends its sessions; it stays, and cannot log in */
    AUTH_ENABLE,
    AUTH_LINK, /* server, account: from now on theirs */
    AUTH_UNLINK,
};
struct auth_change {
    enum auth_change_kind kind;
    int64_t user_id; /* whom it is about; not AUTH_ADD */
    int64_t by_id;   /* who does it; 0: the command line */
    const char *by_name;
    enum role role;
    const char *name, *password, *server, *account; /* copied; NULL: not of this kind */
};
struct auth_change_result {
    enum status status; /* INVALID, NOT_FOUND, CONFLICT, TOO_LARGE, ... */
    struct error error;
    int64_t user_id;
};
typedef void auth_change_done(void *ctx, const struct auth_change_result *r);
/* Queues a change; `done` runs in the worker, once, if OK is returned, when it is on disk and in force.
 * Any thread. */
enum status auth_change(struct auth *a, const struct auth_change *c, auth_change_done *done,
                        void *ctx, struct error *err);
