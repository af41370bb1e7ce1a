#include "api/request.h"

#include "base/banned.h"

/* A row without a role does not compile: ROUTE takes exactly these six. */
#define ROUTE(method, pattern, role, run_in, name, summary) \
    {method, pattern, ROLE_##role, RUN_##run_in, handle_##name, summary}

const struct route api_routes[] = {
    ROUTE("GET", "/health", NOBODY, QUERY, health, "Whether all is well, the version and for how long"),
    ROUTE("GET", "/health/live", NOBODY, AT_ONCE, live, "Whether the process answers"),
    ROUTE("GET", "/health/ready", NOBODY, QUERY, ready, "Whether requests can be served"),
    ROUTE("GET", "/app", NOBODY, AT_ONCE, app, "What the page needs before a login"),
    ROUTE("POST", "/auth/login", NOBODY, AT_ONCE, login, "Log in; sets the session cookie"),
    ROUTE("GET", "/auth/basic", VIEWER, AT_ONCE, login_basic,
          "Log in by HTTP Basic; sets the session cookie and goes on to the page"),
    ROUTE("GET", "/auth/oidc/login", NOBODY, AT_ONCE, login_oidc,
          "Log in at the OpenID Connect provider: sends the browser there"),
    ROUTE("GET", "/auth/oidc/callback", NOBODY, AT_ONCE, oidc_callback,
          "Where the provider sends it back; sets the session cookie and goes on to the page"),
    ROUTE("POST", "/auth/logout", NOBODY, AT_ONCE, logout, "Log out; the session is revoked"),
    ROUTE("POST", "/auth/logout/all", VIEWER, AT_ONCE, logout_everywhere,
          "Log out everywhere: all sessions of the account are revoked"),
    ROUTE("POST", "/users/{account}/reset", ADMIN, AT_ONCE, user_reset,
          "End all sessions of an account, and let it try to log in at once"),
    ROUTE("GET", "/sync/status", NOBODY, QUERY, sync_status, "State of each media server"),
    ROUTE("POST", "/sync/trigger", NOBODY, AT_ONCE, sync_trigger, "Ask all media servers now"),
    ROUTE("GET", "/sessions", VIEWER, QUERY, sessions, "What plays now"),
    ROUTE("GET", "/plays", VIEWER, QUERY, plays, "Plays, newest first, by pages"),
    ROUTE("GET", "/plays/{id}", VIEWER, QUERY, play, "A play with all that is known of it"),
    ROUTE("DELETE", "/plays/{id}", ADMIN, QUERY, play_delete, "Delete a play; it can be restored"),
    ROUTE("POST", "/plays/{id}/restore", ADMIN, QUERY, play_restore, "Take a deletion back"),
    ROUTE("GET", "/filters", VIEWER, QUERY, filters, "What can be filtered on"),
    ROUTE("GET", "/rederive", ADMIN, AT_ONCE, rederive_status, "How far a re-derivation is"),
    ROUTE("POST", "/rederive", ADMIN, QUERY, rederive, "Derive all plays anew"),
    ROUTE("GET", "/analytics", VIEWER, AT_ONCE, queries, "The queries there are"),
    ROUTE("GET", "/analytics/{name}", VIEWER, BOTH, query, "Ask one of them"),
    ROUTE("POST", "/import", ADMIN, QUERY, import_begin,
          "Import another tool's history: the body is its file"),
    ROUTE("GET", "/import", ADMIN, QUERY, imports, "Imports, newest first"),
    ROUTE("GET", "/import/{id}", ADMIN, QUERY, import, "How an import stands"),
    ROUTE("POST", "/import/{id}/cancel", ADMIN, QUERY, import_cancel, "Stop an import that runs"),
    ROUTE("DELETE", "/import/{id}", ADMIN, QUERY, import_undo, "Undo: take an import's rows out again"),
    ROUTE("GET", "/backups", ADMIN, QUERY, backups, "Backups, newest first, and the one that is made"),
    ROUTE("POST", "/backups", ADMIN, QUERY, backup_begin, "Make a backup now"),
    ROUTE("DELETE", "/backups", ADMIN, QUERY, backup_prune, "Remove the backups that are not to be kept"),
    ROUTE("GET", "/backups/{backup}", ADMIN, QUERY, backup, "A backup's file"),
    ROUTE("DELETE", "/backups/{backup}", ADMIN, QUERY, backup_delete, "Remove a backup"),
    ROUTE("GET", "/openapi.json", NOBODY, AT_ONCE, openapi, "This description"),
    ROUTE("GET", "/ws", VIEWER, AT_ONCE, ws, "Live updates (WebSocket)"),
};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
