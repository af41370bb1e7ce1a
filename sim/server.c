#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

/* --- ids ---------------------------------------------------------------------------------------- */

enum { PLEX_FIRST_KEY = 1001, EMBY_FIRST_ID = 4180000 };

/* A library that is built anew gives the ids that it had to other items. */
static unsigned moved_on(const struct sim_server *s, unsigned item)
{
    return (item + 37 * s->rebuilds) % s->sim->world->n_items;
}

static uint64_t item_salt(const struct sim_server *s)
{
    return s->salt + s->rebuilds;
}

const char *id_item(const struct sim_server *s, unsigned item, char dst[static ID_MAX])
{
    switch (s->kind) {
    case KIND_PLEX:
        snprintf(dst, ID_MAX, "%u", PLEX_FIRST_KEY + moved_on(s, item));
        break;
    case KIND_EMBY:
        snprintf(dst, ID_MAX, "%u", EMBY_FIRST_ID + moved_on(s, item));
        break;
    case KIND_JELLYFIN:
        snprintf(dst, ID_MAX, "%016" PRIx64 "%016" PRIx64, mix(item_salt(s), item),
                 item_salt(s) ^ item);
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
        uint64_t salt = item_salt(s);
        if (!hex_halves(id, half) || (half[1] ^ salt) >= s->sim->world->n_items ||
            mix(salt, half[1] ^ salt) != half[0])
            return -1;
        n = (int64_t)(half[1] ^ salt);
    } else {
        if (!str_to_i64(str_of(id), &n))
            return -1;
        n -= s->kind == KIND_PLEX ? PLEX_FIRST_KEY : EMBY_FIRST_ID;
        if (n < 0 || n >= (int64_t)s->sim->world->n_items)
            return -1;
        unsigned first = moved_on(s, 0), count = s->sim->world->n_items;
        n = (n + count - first) % count;
    }
    return n >= 0 && n < (int64_t)s->sim->world->n_items ? (int)n : -1;
}

const char *user_name(const struct sim_server *s, unsigned person)
{
    return s->renamed && *s->renamed[person].username ? s->renamed[person].username
                                                      : s->sim->world->people[person].username;
}

const char *user_email(const struct sim_server *s, unsigned person)
{
    return s->renamed ? s->renamed[person].email : "";
}

void user_rename(struct sim_server *s, unsigned person, const char *username, const char *email)
{
    if (!s->renamed)
        s->renamed = xcalloc(s->sim->world->n_people, sizeof(*s->renamed));
    struct renamed *r = &s->renamed[person];
    if (*username)
        snprintf(r->username, sizeof(r->username), "%s", username);
    if (*email)
        snprintf(r->email, sizeof(r->email), "%s", email);
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

/* A message that is out of order is so by at most this. */
#define REORDER_US (400 * US_PER_MS)

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
    struct ws_user *u = user;
    free(u->held);
    free(u);
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
                interval = number; /* the servers know no shortest one */
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

static struct fault fault_now(struct sim_server *s)
{
    pthread_mutex_lock(&s->sim->lock);
    struct fault fault = s->fault;
    pthread_mutex_unlock(&s->sim->lock);
    return fault;
}

static enum fault_kind fault_of(struct sim_server *s)
{
    return fault_now(s).kind;
}

static const char garbage_message[] =
    "{\"NotificationContainer\":{\"type\":\"playing\",\"si";

/* Under ws_lock. The oldest is lost when there are too many. */
static void hold(struct sim_server *s, const char *text)
{
    if (s->n_held == HELD_MAX) {
        free(s->held[0].text);
        memmove(s->held, s->held + 1, --s->n_held * sizeof(*s->held));
    }
    s->held[s->n_held++] = (struct held){xstrdup(text), clock_monotonic_us()};
}

/* Sends what was held since before `until_us`, in its order. */
static void release(struct sim_server *s, int64_t until_us)
{
    for (;;) {
        pthread_mutex_lock(&s->ws_lock);
        bool is_due = s->n_held && s->held[0].since_us <= until_us;
        auto_free char *text = is_due ? s->held[0].text : NULL;
        if (is_due)
            memmove(s->held, s->held + 1, --s->n_held * sizeof(*s->held));
        pthread_mutex_unlock(&s->ws_lock);
        if (!text)
            return;
        ws_hub_broadcast(s->hub, str_of(text), NULL);
    }
}

void server_broadcast(struct sim_server *s, const char *text)
{
    switch (fault_of(s)) {
    case FAULT_RESTART:
    case FAULT_UNAUTHORIZED:
        return;
    case FAULT_STALL: /* told when it is well again */
        pthread_mutex_lock(&s->ws_lock);
        hold(s, text);
        pthread_mutex_unlock(&s->ws_lock);
        return;
    case FAULT_GARBAGE:
        ws_hub_broadcast(s->hub, str_of(garbage_message), NULL);
        if (fault_now(s).every <= 1)
            return;
        break;
    case FAULT_DUPLICATE:
        ws_hub_broadcast(s->hub, str_of(text), NULL);
        break;
    case FAULT_REORDER: {
        pthread_mutex_lock(&s->ws_lock);
        bool is_first = s->n_held == 0;
        if (is_first)
            hold(s, text);
        pthread_mutex_unlock(&s->ws_lock);
        if (is_first)
            return;
        ws_hub_broadcast(s->hub, str_of(text), NULL);
        release(s, INT64_MAX);
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

/* Who gets a snapshot now. */
static unsigned due_users(struct sim_server *s, bool is_changed, uint64_t due[WS_MAX])
{
    unsigned n = 0;
    int64_t now = clock_monotonic_us();
    enum fault_kind fault = fault_of(s);
    bool is_silent = fault == FAULT_STALL || fault == FAULT_RESTART || fault == FAULT_UNAUTHORIZED;
    pthread_mutex_lock(&s->ws_lock);
    for (unsigned i = 0; i < s->n_users; i++) {
        struct ws_user *u = s->users[i];
        u->is_owed |= is_changed;
        if (is_silent || !u->is_subscribed || !u->is_owed ||
            now - u->sent_us < u->interval_ms * US_PER_MS)
            continue;
        u->is_owed = false;
        u->sent_us = now;
        due[n++] = u->client;
    }
    pthread_mutex_unlock(&s->ws_lock);
    return n;
}

/* FAULT_REORDER: a snapshot is held, and follows the one after it, or comes REORDER_US late. */
static char *held_snapshot(struct sim_server *s, uint64_t client, char *next)
{
    char *held = next;
    pthread_mutex_lock(&s->ws_lock);
    for (unsigned i = 0; i < s->n_users; i++) {
        struct ws_user *u = s->users[i];
        bool is_it = u->client == client;
        if (is_it && next && !u->held) {
            u->held = next;
            u->held_us = clock_monotonic_us();
            held = NULL;
        } else if (is_it && u->held && (next || clock_monotonic_us() - u->held_us > REORDER_US)) {
            held = steal_ptr(&u->held);
        }
    }
    pthread_mutex_unlock(&s->ws_lock);
    return held;
}

static void push_held(struct sim_server *s)
{
    uint64_t clients[WS_MAX];
    pthread_mutex_lock(&s->ws_lock);
    unsigned n = s->n_users;
    for (unsigned i = 0; i < n; i++)
        clients[i] = s->users[i]->client;
    pthread_mutex_unlock(&s->ws_lock);
    for (unsigned i = 0; i < n; i++) {
        auto_free char *late = held_snapshot(s, clients[i], NULL);
        if (late)
            ws_hub_send(s->hub, clients[i], str_of(late));
    }
}

static void push_to(struct sim_server *s, uint64_t client, struct str message)
{
    struct fault now_is = fault_now(s);
    enum fault_kind fault = now_is.kind;
    if (fault == FAULT_REORDER) {
        char *now = xstrndup(message.ptr, message.len);
        auto_free char *late = held_snapshot(s, client, now);
        if (!late)
            return; /* it waits */
        if (late == now) {
            ws_hub_send(s->hub, client, message);
            return;
        }
        free(now);
        ws_hub_send(s->hub, client, message);
        ws_hub_send(s->hub, client, str_of(late));
        return;
    }
    if (fault == FAULT_GARBAGE)
        ws_hub_send(s->hub, client, (struct str){message.ptr, message.len / 2});
    if (fault != FAULT_GARBAGE || now_is.every > 1)
        ws_hub_send(s->hub, client, message);
    if (fault == FAULT_DUPLICATE)
        ws_hub_send(s->hub, client, message);
}

void server_push(struct sim_server *s)
{
    if (s->kind == KIND_PLEX)
        return;
    pthread_mutex_lock(&s->sim->lock);
    bool is_changed = s->is_changed;
    s->is_changed = false;
    pthread_mutex_unlock(&s->sim->lock);
    push_held(s);
    uint64_t due[WS_MAX];
    unsigned n = due_users(s, is_changed, due);
    if (!n)
        return;
    pthread_mutex_lock(&s->sim->lock);
    auto_free char *text = mb_sessions_message(s);
    pthread_mutex_unlock(&s->sim->lock);
    for (unsigned i = 0; i < n; i++)
        push_to(s, due[i], str_of(text));
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

/* The clock that the server thinks is right. */
static void tell_date(struct sim_server *s, struct http_exchange *x)
{
    pthread_mutex_lock(&s->sim->lock);
    time_t now = (time_t)((clock_now_us() + server_skew_us(s)) / US_PER_S);
    pthread_mutex_unlock(&s->sim->lock);
    struct tm parts;
    char text[64];
    if (gmtime_r(&now, &parts) &&
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
        http_add_header(x, "Date", text);
}

/* Answers an exchange that nothing is wrong with. */
static void answer(struct sim_server *s, struct http_exchange *x)
{
    const char *path = http_path(x);
    bool is_allowed = s->kind == KIND_PLEX ? plex_is_allowed(s, x) : mb_is_allowed(s, x);
    bool is_denied_now = fault_of(s) == FAULT_UNAUTHORIZED;
    tell_date(s, x);
    if (is_socket_path(s, x)) {
        if (fault_of(s) == FAULT_DROP || fault_of(s) == FAULT_RESTART) {
            http_reply(x, 503, "text/html", STR("<h1>503</h1>"));
            return;
        }
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

static void note_request(struct sim_server *s, const struct http_exchange *x)
{
    const char *query = http_query_text(x);
    pthread_mutex_lock(&s->sim->lock);
    struct request *r = &s->sim->requests[s->sim->n_requests++ % REQUESTS_MAX];
    r->server = s->number;
    snprintf(r->text, sizeof(r->text), "%s %s%s%s", http_method(x), http_path(x), *query ? "?" : "",
             query);
    pthread_mutex_unlock(&s->sim->lock);
}

static bool is_garbage_turn(struct sim_server *s)
{
    pthread_mutex_lock(&s->sim->lock);
    bool is_turn = s->fault.count++ % s->fault.every == 0;
    pthread_mutex_unlock(&s->sim->lock);
    return is_turn;
}

static void handle(void *ctx, struct http_exchange *x)
{
    struct sim_server *s = ctx;
    enum fault_kind fault = fault_of(s);
    note_request(s, x);
    if (fault == FAULT_GARBAGE && !is_socket_path(s, x) && is_garbage_turn(s)) {
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

/* Before the HTTP server stops, which takes the exchanges along, they are only let go. */
static void end_stalled(struct sim_server *s, bool is_answered)
{
    for (;;) {
        pthread_mutex_lock(&s->sim->lock);
        struct http_exchange *x = s->n_stalled ? s->stalled[--s->n_stalled] : NULL;
        pthread_mutex_unlock(&s->sim->lock);
        if (!x)
            return;
        if (is_answered)
            answer(s, x);
        else
            http_reply(x, 503, NULL, STR(""));
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

void server_fault(struct sim_server *s, enum fault_kind kind, int64_t ms, unsigned every)
{
    pthread_mutex_lock(&s->sim->lock);
    s->fault = (struct fault){.kind = kind, .ms = ms, .every = every,
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
        end_stalled(s, false);
        /* The HTTP server has to outlive the sockets that it handed over. */
        for (unsigned i = 0; i < 200 && ws_hub_count(s->hub) > 0; i++)
            usleep(5000);
        usleep(20000);
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
    if (kind != FAULT_STALL || is_over) {
        end_stalled(s, true);
        release(s, clock_monotonic_us() - (kind == FAULT_REORDER && !is_over ? REORDER_US : 0));
    }
}

void server_close(struct sim_server *s)
{
    end_stalled(s, true);
    http_server_stop(s->http);
    ws_hub_stop(s->hub);
    free(s->renamed);
    free(s->added_us);
    for (unsigned i = 0; i < s->n_held; i++)
        free(s->held[i].text);
}
