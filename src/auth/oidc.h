/*
 * Logging in at an OpenID Connect provider: authorization code with PKCE (S256), state and nonce;
 * discovery; keys fetched anew when a token is signed with one that is not known.
 *
 * Between its two halves a login leaves nothing here: the browser's cookie holds a random seed, from
 * which state, nonce and verifier are derived under JWT_SECRET, so that no number of logins begun
 * and left takes memory or another's place. What comes from outside is bounded, and so is how many
 * logins ask the provider at once. One thread with its own loop (net/loop.h) does all of it.
 */
#pragma once

#include "auth/auth.h"
#include "base/error.h"

#define OIDC_COOKIE "cartographus_oidc"
enum { OIDC_COOKIE_MAX = 64, OIDC_LOGIN_S = 600 };

struct oidc_config {
    const char *issuer;
    const char *client_id;
    const char *client_secret; /* "": a public client */
    const char *redirect_url;
    const char *scopes;      /* commas or blanks between */
    const char *roles_claim; /* id_token_has_role() */
    const char *admin_roles;
    const char *viewer_roles; /* "*": all whom the provider lets in; "": nobody */
    const char *jwt_secret;
};

struct oidc;
/* Texts are copied. */
enum status oidc_start(const struct oidc_config *c, struct oidc **ret, struct error *err);
/* Answers what waits with UNAVAILABLE and takes nothing more. NULL is fine. */
void oidc_stop(struct oidc *o);
/* Stops, then frees. NULL is fine. */
void oidc_free(struct oidc *o);

/* Both: any thread; `done` runs once, in the loop's thread or at once. */

struct oidc_begun {
    enum status status;
    struct error error;
    const char *url; /* where the browser goes */
    char cookie[OIDC_COOKIE_MAX];
};
void oidc_begin(struct oidc *o, void (*done)(void *ctx, const struct oidc_begun *r), void *ctx);

/* What the browser brings back; any may be NULL. */
struct oidc_return {
    const char *cookie;
    const char *state;
    const char *code;
    const char *issuer; /* iss, where the provider says it */
    const char *error;
    const char *error_description;
};
struct oidc_person {
    enum status status;
    struct error error;
    struct auth_identity who;
};
void oidc_finish(struct oidc *o, const struct oidc_return *back,
                 void (*done)(void *ctx, const struct oidc_person *r), void *ctx);
