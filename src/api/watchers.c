/* Who has a live page open: the WebSockets, and which frame is for whom. */
#include "api/request.h"

#include "base/mem.h"
#include "net/ws_hub.h"

#include "base/banned.h"

/* Whose socket it is: it must not outlive the login. */
struct watcher {
    struct api *api;
    int64_t user_id;            /* 0: the command line */
    char name[AUTH_NAME_MAX];   /* ids may be given again */
    char token[AUTH_TOKEN_MAX]; /* the session's or the API token; "": by HTTP Basic, the command line */
};

static void watcher_free(void *user)
{
    struct watcher *w = user;
    if (w == NULL)
        return;
    secret_wipe(w, sizeof *w);
    free(w);
}

void watcher_closed(void *ctx, uint64_t client, void *user)
{
    watcher_free(user);
}

/* Who it is now; false: somebody who is logged in no more. */
static bool find_user(const struct watcher *w, struct auth_user *ret)
{
    struct auth *auth = w->api->config.auth;
    *ret = (struct auth_user){.role = ROLE_ADMIN};
    if (w->user_id == 0)
        return true;
    if (str_has_prefix(str_of(w->token), STR(API_TOKEN_PREFIX)) && !auth_token_lives(auth, w->token))
        return false;
    if (*w->token != '\0' && !str_has_prefix(str_of(w->token), STR(API_TOKEN_PREFIX)))
        return auth_session(auth, w->token, ret);
    return auth_current(auth, w->user_id, ret) && streq(ret->name, w->name);
}

static bool is_logged_in_still(void *ctx, void *user)
{
    struct auth_user ignored;
    return find_user(user, &ignored);
}

void watchers_check(struct api *a)
{
    ws_hub_sweep(a->hub, 1008, is_logged_in_still);
}

/* --- which frame is for whom ----------------------------------------------------------------- */

/* The hub copies it, so that it has all texts inside. */
struct audience {
    enum role role;  /* only these; ROLE_NOBODY: whatever their role */
    int64_t user_id; /* only them; 0: anybody */
    bool is_session; /* only who may see what this account plays */
    char server[SCOPE_KEY_MAX], kind[16], account[SCOPE_KEY_MAX];
};

/* Asked for each frame, so that a link that is taken back, or a login that ends, holds from the next. */
static bool wants(void *ctx, const void *about, void *user)
{
    const struct audience *a = about;
    const struct watcher *w = user;
    struct auth_user who;
    if (!find_user(w, &who) || (a->user_id != 0 && a->user_id != who.id))
        return false;
    if (a->role != ROLE_NOBODY && a->role != who.role)
        return false;
    if (!a->is_session || who.role == ROLE_ADMIN)
        return true;
    auto_scope struct scope scope = {0};
    auth_scope(w->api->config.auth, who.id, &scope);
    return scope_has(&scope, &(struct scope_account){a->server, a->kind, a->account});
}

static void tell(struct api *a, struct str frame, const struct audience *audience)
{
    struct ws_readers readers = {.wants = wants, .about = audience, .about_size = sizeof *audience};
    ws_hub_broadcast(a->hub, frame, &readers);
}

void watchers_tell(struct api *a, struct str frame, enum role role, const struct scope_account *whose)
{
    struct audience audience = {.role = role, .is_session = whose != NULL};
    if (whose != NULL) { /* live.c has seen to their length */
        snprintf(audience.server, sizeof audience.server, "%s", whose->server);
        snprintf(audience.kind, sizeof audience.kind, "%s", whose->kind);
        snprintf(audience.account, sizeof audience.account, "%s", whose->account);
    }
    tell(a, frame, &audience);
}

void watchers_resync(struct api *a, int64_t user_id)
{
    tell(a, STR("{\"type\":\"resync\",\"data\":{}}"),
         &(struct audience){.role = ROLE_NOBODY, .user_id = user_id});
}

/* --- opening --------------------------------------------------------------------------------- */

static void upgraded(void *ctx, int fd, char *leftover, size_t leftover_len)
{
    struct watcher *w = ctx;
    if (!ws_hub_add(w->api->hub, fd, leftover, leftover_len, w))
        watcher_free(w);
}

void handle_ws(struct request *r)
{
    struct api *a = r->api;
    struct http_exchange *x = r->x;
    if (!http_wants_upgrade(x)) {
        request_fail_upgrade(r);
        return;
    }
    struct watcher *w = xcalloc(1, sizeof *w);
    w->api = a;
    w->user_id = r->user.id;
    memcpy(w->name, r->user.name, sizeof w->name);
    if (r->is_by_token)
        snprintf(w->token, sizeof w->token, "%s", request_bearer(r));
    else if (!r->has_session || !http_cookie(x, AUTH_COOKIE, w->token, sizeof w->token))
        w->token[0] = '\0';
    request_release(r, 101);
    http_upgrade(x, upgraded, w);
}
