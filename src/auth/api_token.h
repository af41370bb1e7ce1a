/*
 * API tokens: what a program logs in with, in the header Authorization: Bearer cgt_... . A token
 * belongs to an account, never may more than it, and ends with it. Only its hash is kept; it is shown
 * once, when it is made. Checking one takes no lock that is held across I/O; when it was used last is
 * written now and then.
 */
#pragma once

#include "auth/auth.h"

#define API_TOKEN_PREFIX "cgt_"

enum {
    API_TOKEN_MAX = 48, /* of its text, with its NUL */
    API_TOKEN_NAME_MAX = 65,
    API_TOKENS_OF_ONE = 50, /* of one account */
    API_TOKEN_DAYS = 365,   /* it lives, if nothing is said */
    API_TOKEN_DAYS_MOST = 3650,
};

/* read: asks what a viewer may ask, and changes nothing; it sees what its account sees. admin: may
 * what its account may. */
enum token_scope { TOKEN_READ = 1, TOKEN_ADMIN };
const char *token_scope_name(enum token_scope s); /* "read" */
bool token_scope_parse(const char *text, enum token_scope *ret);

struct api_token {
    int64_t id;
    char name[API_TOKEN_NAME_MAX];
    struct auth_user owner; /* as its account is now */
    enum token_scope scope;
    int64_t created_us;
    int64_t expires_us; /* TIME_NONE: never */
    int64_t used_us;    /* TIME_NONE: not yet */
    char used_from[64]; /* "" not yet */
};

/* Whose token it is, and counts the use. UNAUTHORIZED: none of ours, or past its time; after some of
 * those from one address RATE_LIMITED, with *ret_retry_after_s. Any thread. */
enum status auth_token(struct auth *a, const char *text, const char *address,
                       struct api_token *ret, int64_t *ret_retry_after_s, struct error *err);
/* Whether it is still one; counts nothing. Any thread. */
bool auth_token_lives(struct auth *a, const char *text);

/* What a call below says; all of it is valid during `done` only. */
struct api_tokens_answer {
    enum status status;
    struct error error;
    char text[API_TOKEN_MAX]; /* of the new one */
    const struct api_token *tokens;
    size_t count;
};
typedef void api_tokens_done(void *ctx, const struct api_tokens_answer *answer);

/* For each: `done` runs in auth's worker, once, if OK is returned; UNAVAILABLE when too much waits.
 * Any thread. */

/* A new one. For the account of that name, or "": of that id, or with neither: the configured
 * administrator's. INVALID, CONFLICT (its name is taken, too many), NOT_FOUND (the account). */
struct api_token_order {
    char name[API_TOKEN_NAME_MAX];
    char account[AUTH_NAME_MAX];
    int64_t account_id;
    enum token_scope scope;
    int64_t days; /* 0: for ever */
};
enum status auth_token_add(struct auth *a, const struct api_token_order *order,
                           api_tokens_done *done, void *ctx, struct error *err);
/* Those of one account, 0: of all; newest first. */
enum status auth_token_list(struct auth *a, int64_t account_id, api_tokens_done *done, void *ctx,
                            struct error *err);
/* NOT_FOUND: there is none of that id, or it is another's than the account's (0: anybody's). */
enum status auth_token_remove(struct auth *a, int64_t id, int64_t account_id,
                              api_tokens_done *done, void *ctx, struct error *err);
