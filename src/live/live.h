/*
 * What plays now: a table in memory, fed by the collector, read by the API, told to browsers as
 * frames. Nothing here touches a disk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json_write.h"
#include "model/observation.h"
#include "model/scope.h"

enum { LIVE_NAME_MAX = 256 };

/* How names are found; each may be NULL. Called with the table locked, must be quick. */
struct live_lookup {
    void *ctx;
    /* "Berlin, Germany" and the address's class ("public", "lan", ...); false: no place known. */
    bool (*place)(void *ctx, const char *address, char ret_place[static LIVE_NAME_MAX],
                  const char **ret_class);
    /* The id and the name of the person an account belongs to; 0: not known. */
    int64_t (*person)(void *ctx, const char *server, const char *account_key,
                   char ret_name[static LIVE_NAME_MAX]);
    /* Id, name and kind of a configured server; 0, and no name, while it has no id yet. */
    int64_t (*server)(void *ctx, const char *server, char ret_name[static LIVE_NAME_MAX],
                      const char **ret_kind);
};

struct live_config {
    struct live_lookup lookup;
    /* Gets each frame's text, borrowed, in the thread that called live_observe(); twice: for who
     * sees everything (`whose` NULL), and for who may see that account, with its own name in place
     * of the person's, which may come from another account. An account without a key is nobody's. */
    void (*frame)(void *ctx, const struct scope_account *whose, struct str text);
    void *ctx;
};

struct live;
struct live *live_new(const struct live_config *c);
void live_free(struct live *l); /* NULL is fine */
/* Any thread; one at a time for each server. */
void live_observe(struct live *l, const struct observation *o);
/* Writes the open sessions that the scope has as a JSON array, longest playing first. Any thread. */
void live_write(struct live *l, const struct scope *scope, struct json_writer *w);
size_t live_count(struct live *l);
/* Each open session as last observed, with the table locked. Any thread. */
void live_each(struct live *l, void (*each)(void *ctx, const struct observation *o), void *ctx);
