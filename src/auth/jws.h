/* JSON Web Signatures (RFC 7515) in their compact form. Pure; any thread. */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"

enum { JWS_MOST_BYTES = 64 * 1024, JWS_MOST_KEYS = 32 };

/*
 * What a token says, if one of the keys (a JSON Web Key Set) has signed it by RS256 or ES256. The
 * key has to be of the kind that the signature needs: a public RSA key is never a shared secret.
 * UNAUTHORIZED names what is wrong; NOT_FOUND: its key is not among these, which may be old ones.
 */
enum status jws_verify(struct str token, const json_t *keys, json_t **ret_claims,
                       struct error *err);
