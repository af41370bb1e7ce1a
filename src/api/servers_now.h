/* Inside of api: the media servers as they are at this moment, each with what the collector says. */
#pragma once

#include "api/request.h"
#include "servers/servers.h"
#include "sources/collector.h"

struct server_now {
    const struct server_entry *entry;
    struct source_status status; /* where it is not watched: its key and name, nothing read */
    const char *state;           /* the collector's word; "disabled", "needs_token": it is not watched */
};

struct servers_now {
    struct server_list *list;
    struct server_now *all; /* list->count of them, in its order */
};

/* servers_now_done() it. Any thread. */
struct servers_now servers_now_get(struct api *a);
void servers_now_done(struct servers_now *n);
#define auto_servers_now __attribute__((cleanup(servers_now_done)))
/* By live updates, or by asking. */
bool server_is_watched(const struct server_now *s);
/* Whether a backfill of it runs, or of any. */
bool server_is_syncing(const struct server_now *s);
bool servers_now_is_syncing(const struct servers_now *n);
/* 202: they are asked, or were being asked already. Ends the request. */
void request_sync_asked(struct request *r, bool was_syncing);

/* Members of an open object. What of a server is for whom: anybody, a viewer, an administrator; each has
 * what the one before has. Addresses and the texts of errors name other things of the household. */
void server_write(struct json_writer *w, const struct server_now *s, size_t ordinal, enum role reader);

/* What the store knows of a server: how many plays it has, and the version it said. */
struct server_facts {
    int64_t plays; /* -1: the store does not answer */
    char version[64];
    char name[128], machine_id[128]; /* "": not known */
};
void server_facts(struct store_conn *c, const char *key, struct server_facts *ret);
/* For administrators: when something was last heard tells of others. */
void server_write_counts(struct json_writer *w, const struct server_now *s, const struct server_facts *f);
