/* What an ID token says (OpenID Connect Core, 3.1.3.7), once its signature is known to be right.
 * Pure; any thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/error.h"

enum { ID_CLOCK_SKEW_S = 60 };

struct id_token_expected {
    const char *issuer;
    const char *client_id;
    const char *nonce;
    int64_t now_us;
};

/* UNAUTHORIZED with the claim at fault as its field: iss, aud, azp, exp, iat, nbf, nonce, sub. */
enum status id_token_check(const json_t *claims, const struct id_token_expected *e,
                           struct error *err);
/* Whether the claim (its name, or a path of names with dots between) is or holds one of `wanted`, a
 * list with commas. An e-mail address counts only if the provider has verified it. */
bool id_token_has_role(const json_t *claims, const char *claim, const char *wanted);
/* What to call them: preferred_username, name, email, sub, the first there is. */
void id_token_name(const json_t *claims, char ret[static AUTH_NAME_MAX]);
