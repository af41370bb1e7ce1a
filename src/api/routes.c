#include "api/request.h"

#include "base/banned.h"

/*
 * A row without a role does not compile: ROUTE takes exactly these six, and NOBODY (no login) or ADMIN. A
 * viewer sees only their own plays, so that a row for viewers has to say in what way, too: VIEWER_ROUTE.
 *   NOTHING  nothing that anybody has played is in the answer
 *   FILTER   by the filter's relations (analytics/filter.h), in SQL
 *   FRAMES   each frame is for certain readers (api/watchers.c)
 */
#define ROUTE(method, pattern, role, run_in, name, summary) \
    {method, pattern, FOR_##role, RUN_##run_in, handle_##name, summary}
#define VIEWER_ROUTE(method, pattern, scoped, run_in, name, summary) \
    {method, pattern, ROLE_VIEWER, SCOPED_##scoped, RUN_##run_in, handle_##name, summary}
#define FOR_NOBODY ROLE_NOBODY, SCOPED_NOTHING
#define FOR_ADMIN ROLE_ADMIN, SCOPED_NOTHING

const struct route api_routes[] = {
    ROUTE("GET", "/health", NOBODY, QUERY, health, "Whether all is well, the version and for how long"),
    ROUTE("GET", "/health/live", NOBODY, AT_ONCE, live, "Whether the process answers"),
    ROUTE("GET", "/health/ready", NOBODY, QUERY, ready, "Whether requests can be served"),
    ROUTE("GET", "/app", NOBODY, AT_ONCE, app, "What the page needs before a login"),
    ROUTE("POST", "/auth/login", NOBODY, AT_ONCE, login, "Log in; sets the session cookie"),
    VIEWER_ROUTE("GET", "/auth/basic", NOTHING, AT_ONCE, login_basic,
          "Log in by HTTP Basic; sets the session cookie and goes on to the page"),
    ROUTE("GET", "/auth/oidc/login", NOBODY, AT_ONCE, login_oidc,
          "Log in at the OpenID Connect provider: sends the browser there"),
    ROUTE("GET", "/auth/oidc/callback", NOBODY, AT_ONCE, oidc_callback,
          "Where the provider sends it back; sets the session cookie and goes on to the page"),
    ROUTE("POST", "/auth/logout", NOBODY, AT_ONCE, logout, "Log out; the session is revoked"),
    VIEWER_ROUTE("POST", "/auth/logout/all", NOTHING, AT_ONCE, logout_everywhere,
          "Log out everywhere: all sessions of the account are revoked"),
    ROUTE("GET", "/users", ADMIN, QUERY, users, "Who can log in, and whose plays they see"),
    ROUTE("POST", "/users", ADMIN, AT_ONCE, user_add, "Make a login with a password"),
    ROUTE("GET", "/user-accounts", ADMIN, QUERY, user_accounts,
          "Accounts on the media servers, to give to a login"),
    ROUTE("PUT", "/users/{user}", ADMIN, AT_ONCE, user_change,
          "Change a login: its role, its password, or whether it is disabled"),
    ROUTE("DELETE", "/users/{user}", ADMIN, AT_ONCE, user_remove, "Delete a login"),
    ROUTE("PUT", "/users/{user}/links/{server}/{key}", ADMIN, QUERY, user_link,
          "From now on an account's plays are a login's own"),
    ROUTE("DELETE", "/users/{user}/links/{server}/{key}", ADMIN, AT_ONCE, user_unlink, "Take that back"),
    ROUTE("POST", "/users/{account}/reset", ADMIN, AT_ONCE, user_reset,
          "End all sessions of an account, and let it try to log in at once"),
    ROUTE("GET", "/sync/status", NOBODY, QUERY, sync_status, "State of each media server"),
    ROUTE("POST", "/sync/trigger", NOBODY, AT_ONCE, sync_trigger, "Ask all media servers now"),
    VIEWER_ROUTE("GET", "/sessions", FILTER, QUERY, sessions, "What plays now"),
    VIEWER_ROUTE("GET", "/plays", FILTER, QUERY, plays, "Plays, newest first, by pages"),
    VIEWER_ROUTE("GET", "/plays/{id}", FILTER, QUERY, play, "A play with all that is known of it"),
    ROUTE("DELETE", "/plays/{id}", ADMIN, QUERY, play_delete, "Delete a play; it can be restored"),
    ROUTE("POST", "/plays/{id}/restore", ADMIN, QUERY, play_restore, "Take a deletion back"),
    ROUTE("GET", "/people", ADMIN, QUERY, people, "People with their accounts and what they watched"),
    ROUTE("GET", "/people/suggestions", ADMIN, QUERY, people_suggestions,
          "Who may be one person, and what speaks for and against it"),
    ROUTE("GET", "/people/history", ADMIN, QUERY, people_history,
          "Who was joined or parted, when, by whom and why"),
    ROUTE("POST", "/people/history/{id}/undo", ADMIN, QUERY, people_undo,
          "Take a decision about people back"),
    ROUTE("POST", "/people/merge", ADMIN, QUERY, people_merge, "These people are one"),
    ROUTE("POST", "/people/split", ADMIN, QUERY, people_split,
          "Take accounts out of their person, or keep people apart"),
    ROUTE("GET", "/people/{id}", ADMIN, QUERY, person, "A person with all that is known of them"),
    ROUTE("PATCH", "/people/{id}", ADMIN, QUERY, person_rename, "Give a person another name"),
    VIEWER_ROUTE("GET", "/filters", FILTER, QUERY, filters, "What can be filtered on"),
    ROUTE("GET", "/rederive", ADMIN, AT_ONCE, rederive_status, "How far a re-derivation is"),
    ROUTE("POST", "/rederive", ADMIN, QUERY, rederive, "Derive all plays anew"),
    VIEWER_ROUTE("GET", "/analytics", NOTHING, AT_ONCE, queries, "The queries there are"),
    VIEWER_ROUTE("GET", "/analytics/{name}", FILTER, BOTH, query, "Ask one of them"),
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
    VIEWER_ROUTE("GET", "/ws", FRAMES, AT_ONCE, ws, "Live updates (WebSocket)"),
};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
