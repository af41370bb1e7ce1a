/*
 * Names and passwords that were right, for five minutes, so that not every request of HTTP Basic
 * costs a hash. Kept as a keyed hash under a key of this run: nothing that could be tried elsewhere.
 * Bounded: what runs out soonest makes room. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"

struct remembered_key {
    unsigned char bytes[TOKEN_HASH_BYTES];
};

struct remembered;
struct remembered *remembered_new(void);
void remembered_free(struct remembered *m); /* NULL is fine */
struct remembered_key remembered_key(const struct remembered *m, const char *name,
                                     const char *password);
/* Forgets what somebody has proved. */
void remembered_forget(struct remembered *m, int64_t user_id);
bool remembered_find(struct remembered *m, const struct remembered_key *k, int64_t now_us,
                     struct auth_user *ret);
/* A check of this pair begins. True: another one is under way, so this is no further guess. */
bool remembered_begin(struct remembered *m, const struct remembered_key *k);
/* It ends: `user` is whose it is, NULL: nobody's. */
void remembered_end(struct remembered *m, const struct remembered_key *k, int64_t now_us,
                    const struct auth_user *user);
