#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

/* --- ids ---------------------------------------------------------------------------------------- */

enum { PLEX_FIRST_KEY = 1001, EMBY_FIRST_ID = 4180000 };

const char *id_item(const struct sim_server *s, unsigned item, char dst[static ID_MAX])
{
    switch (s->kind) {
    case KIND_PLEX:
        snprintf(dst, ID_MAX, "%u", PLEX_FIRST_KEY + item);
        break;
    case KIND_EMBY:
        snprintf(dst, ID_MAX, "%u", EMBY_FIRST_ID + item);
        break;
    case KIND_JELLYFIN:
        snprintf(dst, ID_MAX, "%016" PRIx64 "%016" PRIx64, mix(s->salt, item), s->salt ^ item);
        break;
    }
    return dst;
}

/* 32 hex digits, dashes allowed, into two halves. */
static bool hex_halves(const char *id, uint64_t half[2])
{
    unsigned n = 0;
    half[0] = half[1] = 0;
    for (; *id; id++) {
        if (*id == '-')
            continue;
        int c = *id | 0x20;
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v < 0 || n >= 32)
            return false;
        half[n / 16] = half[n / 16] << 4 | (uint64_t)v;
        n++;
    }
    return n == 32;
}

int item_by_id(const struct sim_server *s, const char *id)
{
    int64_t n = -1;
    if (s->kind == KIND_JELLYFIN) {
        uint64_t half[2];
        if (!hex_halves(id, half) || (half[1] ^ s->salt) >= s->sim->world->n_items ||
            mix(s->salt, half[1] ^ s->salt) != half[0])
            return -1;
        n = (int64_t)(half[1] ^ s->salt);
    } else {
        if (!str_to_i64(str_of(id), &n))
            return -1;
        n -= s->kind == KIND_PLEX ? PLEX_FIRST_KEY : EMBY_FIRST_ID;
    }
    return n >= 0 && n < (int64_t)s->sim->world->n_items ? (int)n : -1;
}

const char *id_user(const struct sim_server *s, unsigned person, char dst[static ID_MAX])
{
    if (s->kind == KIND_PLEX)
        /* The owner has a local id; all others bring theirs from plex.tv. */
        snprintf(dst, ID_MAX, "%u", person == 0 ? 1 : 20010007 + person * 3301);
    else
        snprintf(dst, ID_MAX, "%016" PRIx64 "%016" PRIx64, mix(s->salt ^ 5, person),
                 (s->salt + 99) ^ person);
    return dst;
}

int user_by_id(const struct sim_server *s, const char *id)
{
    char own[ID_MAX];
    uint64_t wanted[2], half[2];
    bool is_hex = s->kind != KIND_PLEX;
    if (is_hex && !hex_halves(id, wanted))
        return -1;
    for (unsigned p = 0; p < s->sim->world->n_people; p++) {
        id_user(s, p, own);
        if (is_hex ? hex_halves(own, half) && half[0] == wanted[0] && half[1] == wanted[1]
                   : streq(own, id))
            return (int)p;
    }
    return -1;
}

/* --- the push channel --------------------------------------------------------------------------- */

static void hub_opened(void *ctx, uint64_t client, void *user)
{
    struct sim_server *s = ctx;
    struct ws_user *u = user;
    pthread_mutex_lock(&s->ws_lock);
    u->client = client;
    u->is_open = true;
    if (s->n_users < WS_MAX)
        s->users[s->n_users++] = u;
    pthread_mutex_unlock(&s->ws_lock);
    if (s->kind == KIND_JELLYFIN)
        ws_hub_send(s->hub, client, STR("{\"MessageType\":\"ForceKeepAlive\",\"Data\":60}"));
}

static void hub_closed(void *ctx, uint64_t client, void *user)
{
    struct sim_server *s = ctx;
    pthread_mutex_lock(&s->ws_lock);
    for (unsigned i = 0; i < s->n_users; i++)
        if (s->users[i] == user) {
            s->users[i] = s->users[--s->n_users];
            break;
        }
    pthread_mutex_unlock(&s->ws_lock);
    free(user);
}

static void hub_message(void *ctx, uint64_t client, void *user, struct str text)
{
    struct sim_server *s = ctx;
    struct ws_user *u = user;
    if (s->kind == KIND_PLEX)
        return;
    auto_json json_t *root = NULL;
    if (json_parse(text, 65536, 16, &root, NULL) != STATUS_OK)
        return;
    const char *type = jstr(root, "MessageType");
    if (streq(type, "KeepAlive") && s->kind == KIND_JELLYFIN) {
        ws_hub_send(s->hub, client,
                    STR("{\"MessageType\":\"KeepAlive\","
                        "\"MessageId\":\"5c0d6e2f7b1a4e3d9f8071625a4b3c2d\"}"));
    } else if (streq(type, "SessionsStart") || streq(type, "SessionsStop")) {
        struct str rest = str_of(jstr(root, "Data")), piece;
        int64_t number = 0, interval = 1500;
        for (unsigned i = 0; str_next(&rest, ',', &piece); i++)
            if (i == 1 && str_to_i64(str_trim(piece), &number))
                interval = number < 1500 ? 1500 : number;
        pthread_mutex_lock(&s->ws_lock);
        u->is_subscribed = streq(type, "SessionsStart");
        u->interval_ms = interval;
        pthread_mutex_unlock(&s->ws_lock);
    }
}

static void upgraded(void *ctx, int fd, char *leftover, size_t leftover_len)
{
    struct ws_user *u = ctx;
    struct sim_server *s = u->server;
    if (!ws_hub_add(s->hub, fd, leftover, leftover_len, u))
        free(u);
}

static enum fault_kind fault_of(struct sim_server *s)
{
    pthread_mutex_lock(&s->sim->lock);
    enum fault_kind kind = s->fault.kind;
    pthread_mutex_unlock(&s->sim->lock);
    return kind;
}

void server_broadcast(struct sim_server *s, const char *text)
{
    switch (fault_of(s)) {
    case FAULT_STALL:
    case FAULT_RESTART:
    case FAULT_UNAUTHORIZED:
        return;
    case FAULT_GARBAGE:
        ws_hub_broadcast(s->hub, STR("{\"NotificationContainer\":{\"type\":\"playing\",\"si"), NULL);
        return;
    case FAULT_DUPLICATE:
        ws_hub_broadcast(s->hub, str_of(text), NULL);
        break;
    case FAULT_REORDER: {
        pthread_mutex_lock(&s->ws_lock);
        char *held = s->held_message;
        s->held_message = held ? NULL : xstrdup(text);
        pthread_mutex_unlock(&s->ws_lock);
        if (!held)
            return;
        ws_hub_broadcast(s->hub, str_of(text), NULL);
        ws_hub_broadcast(s->hub, str_of(held), NULL);
        free(held);
        return;
    }
    case FAULT_FORBIDDEN:
    case FAULT_NONE:
    case FAULT_DROP:
    case FAULT_SKEW:
        break;
    }
    ws_hub_broadcast(s->hub, str_of(text), NULL);
}

void server_push(struct sim_server *s)
{
    if (s->kind == KIND_PLEX)
        return;
    enum fault_kind fault = fault_of(s);
    pthread_mutex_lock(&s->sim->lock);
    bool is_changed = s->is_changed;
    s->is_changed = false;
    pthread_mutex_unlock(&s->sim->lock);

    uint64_t due[WS_MAX];
    unsigned n = 0;
    int64_t now = clock_monotonic_us();
    pthread_mutex_lock(&s->ws_lock);
    for (unsigned i = 0; i < s->n_users; i++) {
        struct ws_user *u = s->users[i];
        u->is_owed |= is_changed;
        if (!u->is_subscribed || !u->is_owed || now - u->sent_us < u->interval_ms * US_PER_MS)
            continue;
        u->is_owed = false;
        u->sent_us = now;
        due[n++] = u->client;
    }
    pthread_mutex_unlock(&s->ws_lock);
    if (!n || fault == FAULT_STALL || fault == FAULT_RESTART || fault == FAULT_UNAUTHORIZED)
        return;
    pthread_mutex_lock(&s->sim->lock);
    auto_free char *text = mb_sessions_message(s);
    pthread_mutex_unlock(&s->sim->lock);
    struct str message = str_of(text);
    if (fault == FAULT_GARBAGE)
        message.len /= 2;
    for (unsigned i = 0; i < n; i++) {
        ws_hub_send(s->hub, due[i], message);
        if (fault == FAULT_DUPLICATE)
            ws_hub_send(s->hub, due[i], message);
    }
}

/* --- HTTP ----------------------------------------------------------------------------------------- */

static const char plex_denied[] =
    "<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>";

static bool plex_is_allowed(const struct sim_server *s, struct http_exchange *x)
{
    const char *token = http_header(x, "X-Plex-Token");
    if (!token)
        token = http_query(x, "X-Plex-Token");
    return token && streq(token, s->token);
}

static bool is_socket_path(const struct sim_server *s, struct http_exchange *x)
{
    const char *path = http_path(x);
    if (s->kind == KIND_PLEX)
        return streq(path, "/:/websockets/notifications") ||
               streq(path, "/:/websocket/notifications");
    if (s->kind == KIND_EMBY && str_has_prefix(str_of(path), STR("/emby/")))
        path += 5;
    return streq(path, s->kind == KIND_EMBY ? "/embywebsocket" : "/socket");
}

/* FAULT_FORBIDDEN: the token is one of an account that is no administrator. */
static bool is_for_admins(const struct sim_server *s, struct http_exchange *x)
{
    const char *path = http_path(x);
    if (s->kind == KIND_PLEX)
        return str_has_prefix(str_of(path), STR("/status/")) || streq(path, "/accounts");
    return strcasestr(path, "/System/ActivityLog") != NULL || strcasestr(path, "/Users") != NULL;
}

/* Answers an exchange that nothing is wrong with. */
static void answer(struct sim_server *s, struct http_exchange *x)
{
    const char *path = http_path(x);
    bool is_allowed = s->kind == KIND_PLEX ? plex_is_allowed(s, x) : mb_is_allowed(s, x);
    bool is_denied_now = fault_of(s) == FAULT_UNAUTHORIZED;
    if (is_socket_path(s, x)) {
        if (!is_allowed || is_denied_now) {
            http_reply(x, s->kind == KIND_JELLYFIN ? 403 : 401, "text/html",
                       str_of(plex_denied));
            return;
        }
        struct ws_user *u = xcalloc(1, sizeof(*u));
        u->server = s;
        http_upgrade(x, upgraded, u);
        return;
    }
    bool is_public = s->kind == KIND_PLEX
                         ? streq(path, "/identity")
                         : strcasestr(path, "/System/Info/Public") != NULL ||
                               strcasestr(path, "/System/Ping") != NULL ||
                               strcasestr(path, "/Images/") != NULL ||
                               strcasestr(path, "/Users/AuthenticateByName") != NULL;
    if ((!is_allowed || is_denied_now) && !is_public) {
        if (s->kind == KIND_PLEX)
            http_reply(x, 401, "text/html", str_of(plex_denied));
        else
            http_reply(x, 401, "text/plain",
                       s->kind == KIND_EMBY ? STR("Access token is invalid or expired.") : STR(""));
        return;
    }
    if (fault_of(s) == FAULT_FORBIDDEN && !is_public && is_for_admins(s, x)) {
        http_reply(x, 403, s->kind == KIND_PLEX ? "text/html" : "text/plain", STR(""));
        return;
    }
    struct answer a = {.status = 404, .total = -1};
    struct outbox *o = outbox_new();
    pthread_mutex_lock(&s->sim->lock);
    if (s->kind == KIND_PLEX)
        plex_answer(s, x, &a, o);
    else
        mb_answer(s, x, &a, o);
    pthread_mutex_unlock(&s->sim->lock);
    outbox_send(o);
    if (a.total >= 0) {
        char number[24];
        snprintf(number, sizeof(number), "%" PRId64, a.total);
        http_add_header(x, "X-Plex-Container-Total-Size", number);
        snprintf(number, sizeof(number), "%" PRId64, a.start);
        http_add_header(x, "X-Plex-Container-Start", number);
    }
    if (a.body)
        http_reply_take(x, a.status, a.content_type, a.body, strlen(a.body));
    else if (a.status == 404 && s->kind == KIND_PLEX)
        http_reply(x, 404, "text/html", STR("<html><body><h1>404 Not Found</h1></body></html>"));
    else
        http_reply(x, a.status, a.content_type, STR(""));
}

static void handle(void *ctx, struct http_exchange *x)
{
    struct sim_server *s = ctx;
    enum fault_kind fault = fault_of(s);
    if (fault == FAULT_GARBAGE) {
        http_reply(x, 200, s->kind == KIND_PLEX ? "text/xml;charset=utf-8" : "application/json",
                   STR("<html>\x01{\"MediaContainer\":[[[<Video title=\"&nope;"));
        return;
    }
    if (fault == FAULT_STALL) {
        pthread_mutex_lock(&s->sim->lock);
        bool has_room = s->n_stalled < STALLED_MAX && s->fault.kind == FAULT_STALL;
        if (has_room) {
            http_keep(x);
            s->stalled[s->n_stalled++] = x;
        }
        pthread_mutex_unlock(&s->sim->lock);
        if (has_room)
            return;
    }
    answer(s, x);
}

enum status server_listen(struct sim_server *s, uint16_t port, struct error *err)
{
    if (!s->hub) {
        const struct ws_hub_config hub = {.ctx = s, .opened = hub_opened, .message = hub_message,
                                          .closed = hub_closed, .most_clients = WS_MAX,
                                          .queue_bytes = 4 * 1024 * 1024};
        TRY(ws_hub_start(&hub, &s->hub, err));
    }
    const struct http_server_config http = {.host = "127.0.0.1", .port = port, .threads = 1,
                                            .ctx = s, .handle = handle};
    TRY(http_server_start(&http, &s->http, err));
    s->port = http_server_port(s->http);
    return STATUS_OK;
}

static void answer_stalled(struct sim_server *s)
{
    for (;;) {
        pthread_mutex_lock(&s->sim->lock);
        struct http_exchange *x = s->n_stalled ? s->stalled[--s->n_stalled] : NULL;
        pthread_mutex_unlock(&s->sim->lock);
        if (!x)
            return;
        answer(s, x);
    }
}

static void cut_sockets(struct sim_server *s)
{
    uint64_t clients[WS_MAX];
    pthread_mutex_lock(&s->ws_lock);
    unsigned n = s->n_users;
    for (unsigned i = 0; i < n; i++)
        clients[i] = s->users[i]->client;
    pthread_mutex_unlock(&s->ws_lock);
    for (unsigned i = 0; i < n; i++)
        ws_hub_kick(s->hub, clients[i], 1001, true);
}

void server_fault(struct sim_server *s, enum fault_kind kind, int64_t ms)
{
    pthread_mutex_lock(&s->sim->lock);
    s->fault = (struct fault){.kind = kind, .ms = ms,
                              .until_us = clock_monotonic_us() + ms * US_PER_MS};
    if (kind == FAULT_SKEW) /* a clock stays wrong until it is set */
        s->fault.until_us = INT64_MAX;
    pthread_mutex_unlock(&s->sim->lock);
    if (kind == FAULT_DROP)
        cut_sockets(s);
}

void server_tend(struct sim_server *s)
{
    pthread_mutex_lock(&s->sim->lock);
    enum fault_kind kind = s->fault.kind;
    bool is_over = kind != FAULT_NONE && clock_monotonic_us() >= s->fault.until_us;
    if (is_over)
        s->fault.kind = FAULT_NONE;
    pthread_mutex_unlock(&s->sim->lock);
    if (kind == FAULT_RESTART && !is_over && s->http) {
        cut_sockets(s);
        http_server_stop(steal_ptr(&s->http));
    }
    if ((kind != FAULT_RESTART || is_over) && !s->http) {
        /* Up again: players come back on their own, under new keys. */
        pthread_mutex_lock(&s->sim->lock);
        s->next_key = 1;
        for (unsigned i = 0; i < s->sim->n_sessions; i++) {
            struct session *n = s->sim->sessions[i];
            if (&s->sim->servers[n->server] == s && n->state != STATE_STOPPED)
                n->plex_key = s->next_key++;
        }
        s->is_changed = true;
        pthread_mutex_unlock(&s->sim->lock);
        struct error err;
        if (server_listen(s, s->port, &err) != STATUS_OK)
            log_warn("sim", "cannot listen again, trying on", LF_ERROR(&err));
    }
    if (kind != FAULT_STALL || is_over)
        answer_stalled(s);
    if (is_over && kind == FAULT_REORDER) {
        pthread_mutex_lock(&s->ws_lock);
        auto_free char *held = s->held_message;
        s->held_message = NULL;
        pthread_mutex_unlock(&s->ws_lock);
        if (held)
            server_broadcast(s, held);
    }
}

void server_close(struct sim_server *s)
{
    answer_stalled(s);
    http_server_stop(s->http);
    ws_hub_stop(s->hub);
    free(s->held_message);
}
