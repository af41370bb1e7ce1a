/*
 * The one live list of media servers: those of the configuration, which nobody changes while we run,
 * and after them those that were added on the page or by the command line, one row each in
 * DATA/cartographus.sqlite, their tokens sealed (seal.h). A server's key is what its plays are kept
 * under: it never changes, and is given again only to the same machine.
 *
 * Readers take the list as it is at that moment (servers_get()), which stays as it is for as long as
 * they hold it. Changes come one after the other; each is on disk before it is seen. Any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

enum { SERVER_NAME_MAX = 64, SERVER_TOKEN_MAX = 1024 };

struct server_entry {
    struct server_config config; /* token NULL: it is stored, but cannot be opened with our key */
    bool is_stored;              /* else configured: read-only */
    bool is_enabled;             /* false: not watched */
    char *machine_id;            /* of a stored one, as the server said when it was tested; "": not known */
};

struct server_list {
    atomic_uint refs;
    size_t count;
    struct server_entry *entries; /* at most SERVERS_MAX */
};

/* NULL: no such server. */
const struct server_entry *server_list_find(const struct server_list *l, const char *key);
void server_list_unref(struct server_list *l); /* NULL is fine */
static inline void auto_server_list_fn(struct server_list **l)
{
    server_list_unref(*l);
}
#define auto_server_list __attribute__((cleanup(auto_server_list_fn)))

struct servers_config {
    const char *path;     /* DATA/cartographus.sqlite; ":memory:" in tests */
    const char *key_path; /* DATA/secret.key */
    const char *secret;   /* SECRET_KEY; "": the file */
    const struct server_config *configured; /* copied */
    size_t configured_count;
    /* What nobody says of a stored one is as the options of its kind say: live updates, polling. */
    struct server_config usual[SERVER_KINDS];
    bool is_looking; /* makes no file; for `check`. Nothing can be changed then */
};

struct servers;
/* A stored server that goes by the key of a configured one is a fault: the plays of both would be
 * taken for one server's. */
enum status servers_open(const struct servers_config *c, struct servers **ret, struct error *err);
void servers_close(struct servers *s); /* NULL is fine */
/* `changed` is called after each change in the thread that made it, in their order, and now if the list is
 * no more the one that the caller has `seen` and still holds. It must not change anything itself. NULL:
 * nobody. */
void servers_listen(struct servers *s, const struct server_list *seen,
                    void (*changed)(void *ctx, const struct server_list *l), void *ctx);
/* The list; server_list_unref() it. Never NULL. */
struct server_list *servers_get(struct servers *s);

/* For servers_add() and servers_edit(): NULL and -1 leave it as it is, or as is usual. */
struct server_change {
    const char *url, *token;
    const char *name;       /* "": as it calls itself */
    const char *machine_id; /* that answered there */
    int is_enabled, is_tls_verified;
};
#define SERVER_CHANGE_NOTHING ((struct server_change){.is_enabled = -1, .is_tls_verified = -1})

/* `key` NULL: a new one; else one that the same machine had before. CONFLICT: the key or the machine is
 * in the list; TOO_LARGE: SERVERS_MAX. ret_key gets the key. */
enum status servers_add(struct servers *s, enum server_kind kind, const char *key,
                        const struct server_change *c, char ret_key[static SERVER_KEY_MAX + 1],
                        struct error *err);
/* NOT_FOUND; CONFLICT: it is a configured one. */
enum status servers_edit(struct servers *s, const char *key, const struct server_change *c,
                         struct error *err);
enum status servers_remove(struct servers *s, const char *key, struct error *err);

/* How many of a kind ("plex"; NULL: of any) are stored in the file at `path`; 0 when it cannot be read.
 * Makes nothing. */
size_t servers_count_stored(const char *path, const char *kind);
/* Copies the rows of the file `from` into `to`, which is made or has other tables, without tokens. */
enum status servers_backup(const char *from, const char *to, struct error *err);
