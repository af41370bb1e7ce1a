/*
 * What somebody may see: everything, or the plays of some accounts. An account is named by its server's
 * key and its own key there, which re-deriving the store does not change; never by a person, since
 * people are merged from accounts by names, and rights must not follow a name.
 *
 * The same rule is here (for what plays now) and in SQL (analytics/filter_sql.c, for what is stored).
 * A zeroed scope sees nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Between the two keys of an account, and between accounts; no key holds one. */
#define SCOPE_KEY_SEPARATOR '\x1f'
#define SCOPE_ACCOUNT_SEPARATOR '\x1e'

enum { SCOPE_KEY_MAX = 128, SCOPE_PLEX_ID_MAX = 24 };

struct scope {
    bool sees_all;
    /* Who they are at plex.tv: the account of that key on every Plex server is theirs. "": nobody. */
    char plex_id[SCOPE_PLEX_ID_MAX];
    /* Accounts an administrator has said are theirs, "server\x1f" "account" with \x1e between,
     * sorted, so that equal scopes are equal texts; owned. NULL: none. */
    char *accounts;
};

void scope_done(struct scope *s); /* leaves one that sees nothing; NULL is fine */
#define auto_scope __attribute__((cleanup(scope_done)))
void scope_copy(const struct scope *from, struct scope *ret);

/* A key that can name a server or an account: 1 to 127 bytes without control characters. */
bool scope_is_key(const char *key);
/* Adds an account, once. Both are keys. */
void scope_add(struct scope *s, const char *server, const char *account);
/* Who somebody is at plex.tv, if the text can be an account's id there. '1' is what each Plex server
 * calls its own owner, and never taken. */
void scope_set_plex_id(struct scope *s, const char *id);

/* An account as it is seen now; kind: the word of its server's kind. */
struct scope_account {
    const char *server, *kind, *account;
};
bool scope_has(const struct scope *s, const struct scope_account *a);
