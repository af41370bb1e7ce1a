/*
 * Logging in with an account of plex.tv, by PIN: the browser shows plex.tv's own page in a window,
 * this program asks plex.tv whether somebody has logged in there, then who it is and which servers
 * they have access to. Nothing is sent back to an address of ours, so it works at any.
 *
 * A login that was begun belongs to the browser that holds its cookie. How many there are at once, of
 * one address and in all, and how many are begun a minute is bounded; one that no browser asks for any
 * more ends. The token that plex.tv gives answers these questions and is then wiped: it is never
 * stored, logged or sent on. One thread with its own loop (auth/outside.h) does the asking.
 *
 * An administrator is who owns a server by plex.tv's list and has the account of the token by which that
 * server is watched. The list alone is no proof: it goes by a machine identifier, which is no secret, so
 * that a server of somebody else's could be claimed under it.
 */
#pragma once

#include "auth/auth.h"
#include "auth/plex_answers.h"
#include "base/error.h"

#define PLEX_COOKIE "cartographus_plex"
enum { PLEX_COOKIE_MAX = 65, PLEX_SERVERS_MOST = 64 };

struct plex_login_config {
    const char *base_url; /* https://plex.tv, without a slash at the end */
    const char *client_id;
    /* The machine identifiers of the Plex servers that are watched, as far as they are known: writes at
     * most PLEX_SERVERS_MOST and returns how many. In the loop's thread; waits for nothing. */
    size_t (*machines)(void *ctx, char (*ret)[PLEX_MACHINE_MAX]);
    /* The token by which the server of this machine identifier is watched; false: there is none. It is
     * wiped when plex.tv has been asked whose it is. As above. */
    bool (*token)(void *ctx, const char *machine, char ret[static PLEX_TOKEN_MAX]);
    void *ctx;
};

struct plex_login;
/* Texts are copied. */
enum status plex_login_start(const struct plex_login_config *c, struct plex_login **ret,
                             struct error *err);
/* Answers what waits with UNAVAILABLE and takes nothing more. NULL is fine. */
void plex_login_stop(struct plex_login *p);
/* Stops, then frees. NULL is fine. */
void plex_login_free(struct plex_login *p);

/* All that follows: any thread. */

struct plex_begun {
    enum status status; /* RATE_LIMITED, UNAVAILABLE, PROTOCOL */
    struct error error;
    const char *url; /* of the window; it names the PIN's code */
    char cookie[PLEX_COOKIE_MAX];
    int64_t lifetime_s;
};
/* Makes a PIN at plex.tv. `done` runs once, in the loop's thread or at once. address: whose. */
void plex_login_begin(struct plex_login *p, const char *address,
                      void (*done)(void *ctx, const struct plex_begun *r), void *ctx);
/* How the login of this cookie stands: OK with *ret_is_known, and then who it is, once; any failure
 * ends it. DENIED: it is not known here, or the account has no access. */
enum status plex_login_ask(struct plex_login *p, const char *cookie, bool *ret_is_known,
                           struct auth_identity *ret, struct error *err);
/* Nobody waits for it any more. Unknown cookies are fine. */
void plex_login_cancel(struct plex_login *p, const char *cookie);

/* Whether plex.tv answers at all. `done` runs once, in the loop's thread. Not after a stop. */
void plex_login_try(struct plex_login *p, void (*done)(void *ctx, const struct error *why),
                    void *ctx);
