#include "api/request.h"

#include "base/banned.h"

/*
 * A row without a role does not compile: ROUTE takes exactly these six, and NOBODY (no login) or ADMIN. A
 * viewer sees only their own plays, so that a row for viewers has to say in what way, too: VIEWER_ROUTE.
 *   NOTHING  nothing that anybody has played is in the answer
 *   FILTER   by the filter's relations (analytics/filter.h), in SQL
 *   FRAMES   each frame is for certain readers (api/watchers.c)
 * SETUP_ROUTE and SETUP_VIEWER_ROUTE are the same for what is served also while there is no media server
 * yet (SETUP=true).
 */
#define ROUTE(method, pattern, role, run_in, name, summary) \
    {method, pattern, FOR_##role, RUN_##run_in, false, handle_##name, summary}
#define SETUP_ROUTE(method, pattern, role, run_in, name, summary) \
    {method, pattern, FOR_##role, RUN_##run_in, true, handle_##name, summary}
#define VIEWER_ROUTE(method, pattern, scoped, run_in, name, summary) \
    {method, pattern, ROLE_VIEWER, SCOPED_##scoped, RUN_##run_in, false, handle_##name, summary}
#define SETUP_VIEWER_ROUTE(method, pattern, scoped, run_in, name, summary) \
    {method, pattern, ROLE_VIEWER, SCOPED_##scoped, RUN_##run_in, true, handle_##name, summary}
#define FOR_NOBODY ROLE_NOBODY, SCOPED_NOTHING
#define FOR_ADMIN ROLE_ADMIN, SCOPED_NOTHING

const struct route api_routes[] = {
    SETUP_ROUTE("GET", "/health", NOBODY, QUERY, health, "Whether all is well, the version and for how long"),
    SETUP_ROUTE("GET", "/health/live", NOBODY, AT_ONCE, live, "Whether the process answers"),
    SETUP_ROUTE("GET", "/health/ready", NOBODY, QUERY, ready, "Whether requests can be served"),
    SETUP_ROUTE("GET", "/app", NOBODY, AT_ONCE, app, "What the page needs before a login"),
    SETUP_ROUTE("POST", "/auth/login", NOBODY, AT_ONCE, login, "Log in; sets the session cookie"),
    SETUP_VIEWER_ROUTE("GET", "/auth/basic", NOTHING, AT_ONCE, login_basic,
          "Log in by HTTP Basic; sets the session cookie and goes on to the page"),
    SETUP_ROUTE("GET", "/auth/oidc/login", NOBODY, AT_ONCE, login_oidc,
          "Log in at the OpenID Connect provider: sends the browser there"),
    SETUP_ROUTE("GET", "/auth/oidc/callback", NOBODY, AT_ONCE, oidc_callback,
          "Where the provider sends it back; sets the session cookie and goes on to the page"),
    SETUP_ROUTE("POST", "/auth/plex", NOBODY, AT_ONCE, login_plex,
          "Log in by plex.tv: makes a PIN and says where to log in with it"),
    SETUP_ROUTE("POST", "/auth/plex/state", NOBODY, AT_ONCE, login_plex_state,
          "How that login stands; when it is done, sets the session cookie"),
    SETUP_ROUTE("DELETE", "/auth/plex", NOBODY, AT_ONCE, login_plex_cancel, "Give that login up"),
    SETUP_ROUTE("POST", "/auth/logout", NOBODY, AT_ONCE, logout, "Log out; the session is revoked"),
    SETUP_VIEWER_ROUTE("POST", "/auth/logout/all", NOTHING, AT_ONCE, logout_everywhere,
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
          "End all sessions and API tokens of an account, and let it try to log in at once"),
    VIEWER_ROUTE("GET", "/tokens", NOTHING, AT_ONCE, tokens, "API tokens: one's own, an administrator's all"),
    VIEWER_ROUTE("POST", "/tokens", NOTHING, AT_ONCE, token_add, "Make an API token; it is shown this once"),
    VIEWER_ROUTE("DELETE", "/tokens/{id}", NOTHING, AT_ONCE, token_remove, "Remove an API token"),
    ROUTE("GET", "/audit", ADMIN, AT_ONCE, audit, "Logins, changes and exports, newest first"),
    ROUTE("GET", "/metrics", ADMIN, AT_ONCE, metrics, "Metrics in Prometheus' text form; also at /metrics"),
    ROUTE("GET", "/about", ADMIN, QUERY, about, "Version, system and whether all is well"),
    ROUTE("GET", "/support-bundle", ADMIN, QUERY, support_bundle,
          "What a report of a fault needs, without secrets, names, titles and addresses"),
    ROUTE("GET", "/export/store", ADMIN, QUERY, export_store,
          "Everything that is stored: a tar of one Parquet file a table"),
    SETUP_ROUTE("GET", "/sync/status", NOBODY, QUERY, sync_status, "State of each media server"),
    ROUTE("POST", "/sync/trigger", NOBODY, AT_ONCE, sync_trigger, "Ask all media servers now"),
    VIEWER_ROUTE("GET", "/sessions", FILTER, QUERY, sessions, "What plays now"),
    SETUP_ROUTE("GET", "/servers", ADMIN, QUERY, servers, "The media servers, configured and added"),
    SETUP_ROUTE("POST", "/servers", ADMIN, BOTH, server_add, "Try a media server, and watch it from now on"),
    SETUP_ROUTE("POST", "/servers/test", ADMIN, BOTH, server_test, "Try a media server: address and token"),
    ROUTE("PATCH", "/servers/{server_key}", ADMIN, BOTH, server_edit,
          "Change one that was added: address, token, name, whether it is watched"),
    ROUTE("DELETE", "/servers/{server_key}", ADMIN, QUERY, server_remove,
          "Watch it no longer; its plays are kept, or deleted"),
    ROUTE("POST", "/servers/{server_key}/sync", ADMIN, AT_ONCE, server_sync, "Ask this media server now"),
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
    ROUTE("POST", "/backups/job/cancel", ADMIN, QUERY, backup_cancel, "Stop the backup that is being made"),
    ROUTE("DELETE", "/backups", ADMIN, QUERY, backup_prune, "Remove the backups that are not to be kept"),
    ROUTE("GET", "/backups/{backup}", ADMIN, QUERY, backup, "A backup's file"),
    ROUTE("DELETE", "/backups/{backup}", ADMIN, QUERY, backup_delete, "Remove a backup"),
    ROUTE("GET", "/restore", ADMIN, QUERY, restore,
          "What is being restored, or waits for the next start, and what was restored last"),
    ROUTE("POST", "/restore", ADMIN, QUERY, restore_begin,
          "Look at a backup to restore it: the body is its file, or backup names one that is kept"),
    ROUTE("POST", "/restore/unlock", ADMIN, QUERY, restore_unlock, "Give the passphrase of an encrypted one"),
    ROUTE("POST", "/restore/confirm", ADMIN, QUERY, restore_confirm,
          "Stage it: the next start of the program restores it"),
    ROUTE("DELETE", "/restore", ADMIN, QUERY, restore_drop, "Give it up, also when it is staged"),
    ROUTE("DELETE", "/restore/last", ADMIN, QUERY, restore_forget,
          "Put away the note of what was restored last; the former data stays"),
    SETUP_ROUTE("GET", "/openapi.json", NOBODY, AT_ONCE, openapi, "This description"),
    VIEWER_ROUTE("GET", "/ws", FRAMES, AT_ONCE, ws, "Live updates (WebSocket)"),
};
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];
