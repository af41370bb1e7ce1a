/* Inside of api: one request on its way, the route table's shape, and how to answer. */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "analytics/filter.h"
#include "api/assets.h"
#include "auth/api_token.h"
#include "auth/auth.h"
#include "auth/forwarded.h"
#include "base/error.h"
#include "base/json_write.h"
#include "base/str.h"
#include "net/http_server.h"
#include "store/export.h"
#include "store/store.h"

struct analytics;
struct metrics;
struct source_status;
struct sql;
struct pool;
struct prober;
struct server_try;
struct worker;

struct api {
    struct api_config config;
    struct trusted_proxies proxies;
    struct pool *pool;
    struct ws_hub *hub;
    struct analytics *analytics;
    struct page page;
    struct metrics *metrics;
    struct prober *prober;
    struct sql *sql;
    _Atomic bool is_set_up; /* there is a media server, or was one: stays so */
    int64_t started_us; /* monotonic */
    _Atomic int64_t anonymous_trigger_us;
    pthread_mutex_t mutex; /* guards collector; held while it is asked */
    struct collector *collector;
    unsigned ticks;       /* ticker */
    int64_t told_version; /* ticker: data version the browsers know */
    char *told_sync;      /* ticker: the servers' states they know, as a frame; NULL: none yet */
    _Atomic bool is_rederiving;
    _Atomic bool is_exporting; /* one at a time: it keeps a query worker for long */
};

enum { REQUEST_PARAMS_MAX = 3, REQUEST_PARAM_MAX = 128 };

/* Where a handler runs. */
enum run_in {
    RUN_AT_ONCE = 1, /* http thread: must not block */
    RUN_QUERY,       /* a query worker: r->conn is its connection */
    RUN_BOTH,        /* http thread, r->conn NULL; again in a worker after request_to_worker() */
};

/* How what a viewer gets is limited to their own plays; see routes.c. */
enum scoped { SCOPED_NOTHING = 1, SCOPED_FILTER, SCOPED_FRAMES };

struct request;
struct route {
    const char *method;
    const char *pattern; /* "/plays/{id}", below /api/v1 */
    enum role role;
    enum scoped scoped;
    enum run_in run_in;
    bool is_for_setup; /* served also while there is no media server yet */
    void (*handle)(struct request *r);
    const char *summary;
};

/* Whether a request by that method changes something. */
static inline bool is_change(const char *method)
{
    return !streq(method, "GET");
}

/* All routes; the only place that says who may ask what. */
extern const struct route api_routes[];
extern const size_t api_route_count;

struct request {
    struct api *api;
    struct http_exchange *x;
    const struct route *route;
    struct asker asker;
    bool is_logged_in;
    bool has_session; /* by the cookie, not by HTTP Basic, a token or the control socket */
    bool is_by_token;
    bool is_read_only; /* by a token that may no more */
    struct auth_user user;
    struct scope scope;   /* what they may see; nothing without a login */
    bool is_scope_asked;  /* request_filter_config() was called */
    const char *via; /* how they are known: "session", "token", ...; static */
    char token_name[API_TOKEN_NAME_MAX]; /* "": by no token */
    bool is_download; /* rows are taken out; so where the answer is a file, request_add_attachment() */
    char note[200];   /* for the audit log, see request_note() */
    char params[REQUEST_PARAMS_MAX][REQUEST_PARAM_MAX];
    json_t *body; /* an object as the description says; NULL: the route takes none. Wiped with the request */
    struct store_conn *conn;
    int64_t started_us; /* monotonic */
    bool is_timed_out;  /* set by the pool when it interrupted the query */
    struct worker *watch; /* the pool's, while a worker has it */
    struct server_try *server_try; /* what is asked of the list of servers; NULL: nothing */
};

/* Each ends the request: r must not be touched after it. Any thread. */
void request_reply(struct request *r, int http_status, struct buf *json); /* takes json's memory */
void request_fail(struct request *r, const struct error *err);
/* 200 with json where all went well, else the error; takes json's memory. */
void request_end(struct request *r, enum status s, struct buf *json, const struct error *err);
void request_failf(struct request *r, enum status s, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* With a status and code that the closed list of statuses has not. */
void request_fail_as(struct request *r, int http_status, const char *code, const struct error *err);
/* 426: only a WebSocket can be opened here. */
void request_fail_upgrade(struct request *r);
void request_no_content(struct request *r);
void request_redirect(struct request *r, const char *to); /* 303 */
void request_redirect_to_page(struct request *r);         /* 303 to where the page begins */
void request_retry_after(struct request *r, int64_t seconds); /* the header; 0: none */
/* The answer is a file of that name. */
void request_add_attachment(struct request *r, const char *name);
/* Exports that keep a query worker for long are made one at a time: false after having answered that
 * another one is. After true: r->api->is_exporting = false. */
bool request_begin_export(struct request *r);
/* The answer is that file, whose descriptor it takes, called `name` with the format's ending. Whether it
 * may be kept the caller has said by a header. */
void request_end_export(struct request *r, struct export *e, const char *name);
/* What the audit log says beside the parameters of path and query; no secret. */
void request_note(struct request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Notes the request in the audit log, if it is of those that are; once it is answered. */
void audit_request(const struct request *r, int http_status);
/* Whether the query of the address has only what the description names for the route, each once and as
 * text; handlers need not look. Any thread. */
enum status request_check_parameters(const struct request *r, struct error *err);
/* Reads the body into r->body, where the route takes one in JSON, which must be as the description says:
 * each member, its type, and its words where they are few. Any thread. */
enum status request_read_body(struct request *r, struct error *err);
/* Has the handler called in a query worker, or answers 503 when too many wait. http thread. */
void request_to_worker(struct request *r);
/* Headers that every answer under /api carries, then logs and frees r but not its exchange, for
 * handlers that answer by other means (http_reply_*, http_upgrade). */
void request_release(struct request *r, int http_status);
void request_release_no_store(struct request *r, int http_status); /* answers nobody may keep */

/* The asker's scope, time zone and today; borrowed from the request. An answer of a route that is
 * SCOPED_FILTER is refused (INTERNAL) where nobody has asked this. */
struct filter_config request_filter_config(struct request *r);

/* What follows "Bearer" in the header Authorization; NULL: nothing of the kind is there. */
const char *request_bearer(const struct request *r);

/* Closes the WebSockets of logins that have ended. Any thread. */
void watchers_check(struct api *a);
/* Has the pages of a login ask again: what they may see has changed. Any thread. */
void watchers_resync(struct api *a, int64_t user_id);
/* A frame to readers of one role and no other (ROLE_NOBODY: to all); with `whose`, only to those of
 * them who may see that account's plays. Any thread. */
void watchers_tell(struct api *a, struct str frame, enum role role, const struct scope_account *whose);
/* Tells browsers the state of the media servers where it has changed. Ticker. */
void sync_tell(struct api *a);
/* For the hub: a WebSocket is gone. */
void watcher_closed(void *ctx, uint64_t client, void *user);

/* Has a worker look anew at what a scrape should not: rows, files, backups. Ticker. */
void metrics_refresh(struct api *a);
/* Frees what a request knows of a server that is to be tried. NULL is fine. */
void server_try_free(struct server_try *t);
/* Whether there is nothing to serve yet but login and the first media server (SETUP=true). Any thread. */
bool setup_is_due(struct api *a);

/* Has a worker try that every query fits the store; says so in the log. */
void api_check_queries(struct api *a);

/* The handlers. */
#define HANDLER(name) void handle_##name(struct request *r)
HANDLER(health);
HANDLER(live);
HANDLER(ready);
HANDLER(app);
HANDLER(login);
HANDLER(login_basic);
HANDLER(login_oidc);
HANDLER(oidc_callback);
HANDLER(login_plex);
HANDLER(login_plex_state);
HANDLER(login_plex_cancel);
HANDLER(logout);
HANDLER(logout_everywhere);
HANDLER(user_reset);
HANDLER(users);
HANDLER(user_add);
HANDLER(user_accounts);
HANDLER(user_change);
HANDLER(user_remove);
HANDLER(user_link);
HANDLER(user_unlink);
HANDLER(tokens);
HANDLER(token_add);
HANDLER(token_remove);
HANDLER(audit);
HANDLER(metrics);
HANDLER(about);
HANDLER(support_bundle);
HANDLER(export_store);
HANDLER(sync_status);
HANDLER(sync_trigger);
HANDLER(sessions);
HANDLER(servers);
HANDLER(server_test);
HANDLER(server_add);
HANDLER(server_edit);
HANDLER(server_remove);
HANDLER(server_sync);
HANDLER(plays);
HANDLER(play);
HANDLER(play_delete);
HANDLER(play_restore);
HANDLER(people);
HANDLER(person);
HANDLER(person_rename);
HANDLER(people_suggestions);
HANDLER(people_history);
HANDLER(people_merge);
HANDLER(people_split);
HANDLER(people_undo);
HANDLER(titles);
HANDLER(title);
HANDLER(titles_suggestions);
HANDLER(titles_history);
HANDLER(titles_merge);
HANDLER(titles_split);
HANDLER(titles_undo);
HANDLER(filters);
HANDLER(rederive);
HANDLER(rederive_status);
HANDLER(import_begin);
HANDLER(imports);
HANDLER(import);
HANDLER(import_cancel);
HANDLER(import_undo);
HANDLER(backups);
HANDLER(backup_begin);
HANDLER(backup_cancel);
HANDLER(backup_prune);
HANDLER(backup);
HANDLER(backup_delete);
HANDLER(restore);
HANDLER(restore_begin);
HANDLER(restore_unlock);
HANDLER(restore_confirm);
HANDLER(restore_drop);
HANDLER(restore_forget);
HANDLER(queries);
HANDLER(sql);
HANDLER(sql_tables);
HANDLER(query);
HANDLER(openapi);
HANDLER(ws);
#undef HANDLER
