/*
 * Reads Tautulli's (and PlexPy's) SQLite database of any year: which columns there are is asked,
 * not assumed. The file is a stranger's: it is opened for reading only, as immutable (so that one
 * copied without its -wal opens), with SQLite's defences on, and only real tables of the expected
 * names are read. Tokens and passwords in it are in no statement of ours.
 *
 * One thread each; several may have the same file open.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "import/rows.h"

struct tautulli;
/* `stop`: set to true by anybody, it ends a read that is under way with CANCELLED. INVALID: not
 * Tautulli's, or damaged; says in what. */
enum status tautulli_open(const char *path, const atomic_bool *stop, struct tautulli **ret,
                          struct error *err);
void tautulli_close(struct tautulli *t); /* NULL is fine */

/* Rows of history that it holds. */
enum status tautulli_count(struct tautulli *t, int64_t *ret, struct error *err);
/* The machine id of the Plex server that most of its libraries are of; "" where it says nothing. */
const char *tautulli_machine_id(const struct tautulli *t);

struct tautulli_user {
    int64_t user_id;       /* at plex.tv; 0: whoever is at home without an account */
    const char *name, *friendly_name, *email; /* "" unknown */
    bool is_owner;         /* of the server */
};
/* Valid until tautulli_close(). */
const struct tautulli_user *tautulli_users(const struct tautulli *t, size_t *ret_count);
/* Which user is the server's owner, where the file does not say so itself. */
void tautulli_set_owner(struct tautulli *t, int64_t user_id);

struct tautulli_library {
    int64_t section;
    const char *name, *kind;
};
const struct tautulli_library *tautulli_libraries(const struct tautulli *t, size_t *ret_count);

/* The account key that a user has at its server: the owner is local account 1 there. The text is
 * the caller's arena's. */
const char *tautulli_account_key(const struct tautulli *t, int64_t user_id, struct arena *a);

/* The last of the `count` rows after row number `after`; *ret_is_end when there is none. */
enum status tautulli_bound(struct tautulli *t, int64_t after, int64_t count, int64_t *ret_last,
                           bool *ret_is_end, struct error *err);
/* Reads rows after c->after up to c->last, at most IMPORT_CHUNK_ROWS, into the emptied chunk, whose
 * `known` is set. */
enum status tautulli_read(struct tautulli *t, struct import_chunk *c, struct error *err);
