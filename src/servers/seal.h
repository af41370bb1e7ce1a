/*
 * Secrets at rest: sealed (libsodium's secretbox) under DATA/secret.key, or under SECRET_KEY where that
 * is given. What is sealed is bound to its owner's name, so that it opens for nobody else. Pure but for
 * seal_key_load(); any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

enum { SEAL_KEY_BYTES = 32, SEAL_SECRET_LEAST = 32 };

struct seal_key {
    bool is_there;
    unsigned char bytes[SEAL_KEY_BYTES];
};

/* From `secret` unless that is "", else from the file at `path`. A file that is not there is made (0600,
 * random) if may_make, else *ret is a key that opens nothing. INVALID: the file holds no key. */
enum status seal_key_load(const char *secret, const char *path, bool may_make, struct seal_key *ret,
                          struct error *err);
/* Appends it, sealed, to `ret`. */
void seal(const struct seal_key *k, const char *owner, const char *text, struct buf *ret);
/* The text, which the caller wipes and frees; NULL: sealed by another key, for another owner, or
 * damaged. */
char *seal_open(const struct seal_key *k, const char *owner, const void *sealed, size_t len);
