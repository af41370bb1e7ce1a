/*
 * The HTTP API and the page: route table, roles, query workers, WebSocket. What it says is in
 * docs/internals/api.md.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "config/config.h"
#include "net/http_server.h"

struct api_backups;
struct api_imports;
struct api_restores;
struct auth;
struct collector;
struct ingest;
struct live;
struct log;
struct oidc;
struct plex_login;
struct scope_account;
struct server_list;
struct servers;
struct store;

/* Everything is borrowed until api_free(). */
struct api_config {
    const struct config *config;
    const char *version;
    const char *client_id; /* by which media servers know us */
    struct auth *auth;
    struct oidc *oidc; /* NULL: AUTH_MODE has no oidc */
    struct plex_login *plex; /* NULL: AUTH_MODE has no plex */
    struct servers *servers;
    struct store *store;
    struct live *live;
    struct ingest *ingest;
    struct log *log;
    /* Asks each media server for what watching needs, a line each; a query worker, for seconds. */
    void (*probe)(const struct config *c, const struct server_list *l, struct buf *out);
    const struct api_imports *imports; /* api/imports.h */
    const char *import_folder;         /* where files to import arrive */
    const struct api_backups *backups; /* api/backups.h */
    const struct api_restores *restores; /* api/restores.h */
};

struct api;
/* Starts query workers and the WebSocket hub. */
enum status api_new(const struct api_config *c, struct api **ret, struct error *err);
/* From now on sync can be asked for; NULL again before the collector stops. */
void api_set_collector(struct api *a, struct collector *collector);
/* Answers what waits with 503, logins too, closes WebSockets. The HTTP server may still run. */
void api_stop(struct api *a);
void api_free(struct api *a); /* after the HTTP server has stopped; NULL is fine */

/* For struct http_server_config; ctx is the struct api. http thread. */
struct http_body_policy api_body_policy(void *ctx, struct http_exchange *x);
void api_handle(void *ctx, struct http_exchange *x);
/* A frame to every administrator's browser; ctx is the struct api. Any thread. */
void api_broadcast(void *ctx, struct str frame);
/* A frame about what an account plays, to viewers who may see it; `whose` NULL: to who sees everything.
 * Any thread. */
void api_tell_session(struct api *a, const struct scope_account *whose, struct str frame);
