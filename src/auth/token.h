/*
 * What a cookie holds: a random id and its MAC under JWT_SECRET, hex(id) "." hex(mac). A forged one
 * is found out without a look into any table. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    TOKEN_ID_BYTES = 32,
    TOKEN_HASH_BYTES = 32,
    TOKEN_MAX = 2 * (TOKEN_ID_BYTES + TOKEN_HASH_BYTES) + 2, /* with its NUL */
};

/* HMAC-SHA-256 of purpose, owner and data, under the secret. Purpose and owner keep apart what is
 * made for different things and people; owner may be "". */
void keyed_hash(const char *secret, const char *purpose, const char *owner, const void *data,
                size_t len, unsigned char ret[static TOKEN_HASH_BYTES]);

/* A new one; *ret_hash is what to know it by, from which it cannot be made. */
void token_make(const char *secret, const char *purpose, const char *owner,
                char ret[static TOKEN_MAX], unsigned char ret_hash[static TOKEN_HASH_BYTES]);
/* False: not made by us for that purpose and owner. NULL is none. */
bool token_read(const char *secret, const char *purpose, const char *owner, const char *text,
                unsigned char ret_hash[static TOKEN_HASH_BYTES]);
