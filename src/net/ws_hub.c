#include "net/ws_hub.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/logger.h"
#include "net/upgraded.h"

#include "base/banned.h"

enum { EVENTS_MAX = 64, TICK_MS = 1000, CLOSE_GRACE_MS = 2000, CLOSE_REASON_MAX = 124 };

/* One reader. Owned by the hub's thread. */
struct client {
    UT_hash_handle hh;
    uint64_t id;
    struct ws_hub *hub;
    int fd;
    void *user;
    wslay_event_context_ptr ws;
    char *leftover;
    size_t leftover_at, leftover_len;
    int64_t slow_since_us; /* 0: keeps up; else when it was told to resync */
    int64_t last_heard_us, pinged_us, closing_since_us;
    bool is_waiting_for_room; /* EPOLLOUT is armed */
    bool is_dead;
};

enum task_kind { TASK_ADD, TASK_SEND, TASK_BROADCAST, TASK_SWEEP, TASK_KICK };

/* A call of another thread, in order. */
struct task {
    struct task *next;
    enum task_kind kind;
    uint64_t client;
    struct client *added;
    char *text;
    size_t len;
    bool (*wants)(void *ctx, const void *about, void *user);
    void *about;
    bool (*keeps)(void *ctx, void *user);
    int code;
    bool is_abrupt;
};

struct ws_hub {
    struct ws_hub_config config;
    char *resync;
    pthread_t thread;
    int epoll_fd, wake_fd;
    _Atomic unsigned count;
    _Atomic bool is_stopping;
    struct client *clients;
    pthread_mutex_t lock; /* tasks, next_id */
    struct task *first, *last;
    uint64_t next_id;
};

static void append(struct ws_hub *h, struct task *t) /* holding the lock */
{
    if (h->last)
        h->last->next = t;
    else
        h->first = t;
    h->last = t;
}

static void wake(struct ws_hub *h)
{
    uint64_t one = 1;
    while (write(h->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void post(struct ws_hub *h, struct task *t)
{
    pthread_mutex_lock(&h->lock);
    append(h, t);
    pthread_mutex_unlock(&h->lock);
    wake(h);
}

/* --- wslay's callbacks --------------------------------------------------------------------- */

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *dst, size_t len, int flags, void *user)
{
    struct client *c = user;
    (void)flags;
    if (c->leftover_at < c->leftover_len) {
        size_t n = c->leftover_len - c->leftover_at;
        if (n > len)
            n = len;
        memcpy(dst, c->leftover + c->leftover_at, n);
        c->leftover_at += n;
        return (ssize_t)n;
    }
    ssize_t n;
    do
        n = recv(c->fd, dst, len, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    wslay_event_set_error(ws, n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
                                  ? WSLAY_ERR_WOULDBLOCK
                                  : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    struct client *c = user;
    (void)flags;
    ssize_t n;
    do
        n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    wslay_event_set_error(ws, errno == EAGAIN || errno == EWOULDBLOCK ? WSLAY_ERR_WOULDBLOCK
                                                                      : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    struct client *c = user;
    (void)ws;
    if (wslay_is_ctrl_frame(arg->opcode))
        return;
    struct str text = {arg->msg ? (const char *)arg->msg : "", arg->msg_length};
    if (c->hub->config.message)
        c->hub->config.message(c->hub->config.ctx, c->id, c->user, text);
}

/* --- one client ---------------------------------------------------------------------------- */

static void arm(struct client *c)
{
    bool wants_room = wslay_event_want_write(c->ws) != 0;
    if (wants_room == c->is_waiting_for_room)
        return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (wants_room ? EPOLLOUT : 0u),
                            .data.ptr = c};
    epoll_ctl(c->hub->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->is_waiting_for_room = wants_room;
}

static void flush(struct client *c)
{
    if (c->is_dead)
        return;
    if (wslay_event_want_write(c->ws) && wslay_event_send(c->ws) != 0)
        c->is_dead = true;
    else if (!wslay_event_want_write(c->ws) && !wslay_event_want_read(c->ws))
        c->is_dead = true;
    else
        arm(c);
    if (!wslay_event_get_queued_msg_count(c->ws))
        c->slow_since_us = 0;
}

static void receive(struct client *c)
{
    if (c->is_dead)
        return;
    c->last_heard_us = clock_monotonic_us();
    c->pinged_us = 0;
    if (wslay_event_recv(c->ws) != 0)
        c->is_dead = true;
    flush(c);
}

static void queue_text(struct client *c, struct str text)
{
    struct wslay_event_msg m = {.opcode = WSLAY_TEXT_FRAME,
                                .msg = (const uint8_t *)text.ptr,
                                .msg_length = text.len};
    if (wslay_event_queue_msg(c->ws, &m) != 0)
        c->is_dead = true;
}

/* Sends, or tells a reader that does not keep up to ask again. */
static void send_to(struct client *c, struct str text)
{
    if (c->is_dead || c->closing_since_us || c->slow_since_us)
        return;
    const struct ws_hub_config *config = &c->hub->config;
    if (wslay_event_get_queued_msg_length(c->ws) + text.len > config->queue_bytes) {
        if (!c->hub->resync) {
            c->is_dead = true;
            return;
        }
        c->slow_since_us = clock_monotonic_us();
        queue_text(c, str_of(c->hub->resync));
        log_debug("net", "a slow reader is told to resync", LF_INT("client", c->id));
    } else {
        queue_text(c, text);
    }
    flush(c);
}

static void kick(struct client *c, int code, bool is_abrupt)
{
    if (is_abrupt) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        shutdown(c->fd, SHUT_RDWR);
        c->is_dead = true;
        return;
    }
    wslay_event_queue_close(c->ws, (uint16_t)code, NULL, 0);
    c->closing_since_us = clock_monotonic_us();
    flush(c);
}

static void client_free(struct client *c)
{
    if (c->ws)
        wslay_event_context_free(c->ws);
    upgraded_close(c->fd);
    free(c->leftover);
    free(c);
}

static void admit(struct ws_hub *h, struct client *c)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    if (wslay_event_context_server_init(&c->ws, &callbacks, c) != 0) {
        c->ws = NULL;
        h->count--;
        client_free(c);
        return;
    }
    wslay_event_config_set_max_recv_msg_length(c->ws, h->config.most_message_bytes);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->last_heard_us = clock_monotonic_us();
    HASH_ADD(hh, h->clients, id, sizeof c->id, c);
    if (h->config.opened)
        h->config.opened(h->config.ctx, c->id, c->user);
    if (c->leftover_len)
        receive(c);
}

static void bury(struct ws_hub *h, struct client *c)
{
    HASH_DEL(h->clients, c);
    epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    h->count--;
    if (h->config.closed)
        h->config.closed(h->config.ctx, c->id, c->user);
    client_free(c);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void run_tasks(struct ws_hub *h)
{
    pthread_mutex_lock(&h->lock);
    struct task *t = h->first;
    h->first = h->last = NULL;
    pthread_mutex_unlock(&h->lock);
    while (t) {
        struct task *next = t->next;
        struct client *c = NULL, *other;
        HASH_FIND(hh, h->clients, &t->client, sizeof t->client, c);
        struct str text = {t->text, t->len};
        if (t->kind == TASK_ADD) {
            admit(h, t->added);
        } else if (t->kind == TASK_BROADCAST) {
            HASH_ITER(hh, h->clients, c, other)
                if (!t->wants || t->wants(h->config.ctx, t->about, c->user))
                    send_to(c, text);
        } else if (t->kind == TASK_SWEEP) {
            HASH_ITER(hh, h->clients, c, other)
                if (!c->closing_since_us && !t->keeps(h->config.ctx, c->user))
                    kick(c, t->code, false);
        } else if (c && t->kind == TASK_SEND) {
            send_to(c, text);
        } else if (c) {
            kick(c, t->code, t->is_abrupt);
        }
        free(t->text);
        free(t->about);
        free(t);
        t = next;
    }
}

static void tick(struct ws_hub *h)
{
    int64_t now = clock_monotonic_us();
    int64_t ping_us = h->config.ping_interval_ms * US_PER_MS;
    struct client *c, *other;
    HASH_ITER(hh, h->clients, c, other) {
        if (c->slow_since_us && now - c->slow_since_us > h->config.slow_deadline_ms * US_PER_MS)
            c->is_dead = true;
        if (c->closing_since_us && now - c->closing_since_us > CLOSE_GRACE_MS * US_PER_MS)
            c->is_dead = true;
        if (c->pinged_us && now - c->pinged_us > ping_us)
            c->is_dead = true;
        if (!c->is_dead && !c->pinged_us && now - c->last_heard_us > ping_us) {
            struct wslay_event_msg m = {.opcode = WSLAY_PING};
            wslay_event_queue_msg(c->ws, &m);
            c->pinged_us = now;
            flush(c);
        }
        if (c->is_dead)
            bury(h, c);
    }
}

static void *run(void *arg)
{
    struct ws_hub *h = arg;
    logger_set_thread("hub");
    int64_t next_tick = clock_monotonic_us() + TICK_MS * US_PER_MS;
    while (!h->is_stopping) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(h->epoll_fd, events, EVENTS_MAX, TICK_MS);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (!c) {
                uint64_t ignored;
                (void)!read(h->wake_fd, &ignored, sizeof ignored);
                continue;
            }
            if (events[i].events & EPOLLOUT)
                flush(c);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive(c);
        }
        run_tasks(h);
        struct client *c, *other;
        HASH_ITER(hh, h->clients, c, other)
            if (c->is_dead)
                bury(h, c);
        if (clock_monotonic_us() >= next_tick) {
            tick(h);
            next_tick = clock_monotonic_us() + TICK_MS * US_PER_MS;
        }
    }
    run_tasks(h);
    struct client *c, *other;
    HASH_ITER(hh, h->clients, c, other) {
        kick(c, 1001, false);
        bury(h, c);
    }
    return NULL;
}

/* --- public -------------------------------------------------------------------------------- */

enum status ws_hub_start(const struct ws_hub_config *config, struct ws_hub **ret, struct error *err)
{
    struct ws_hub *h = xcalloc(1, sizeof *h);
    h->config = *config;
    if (!h->config.most_clients)
        h->config.most_clients = 1024;
    if (!h->config.queue_bytes)
        h->config.queue_bytes = 256 * 1024;
    if (!h->config.most_message_bytes)
        h->config.most_message_bytes = 64 * 1024;
    if (!h->config.ping_interval_ms)
        h->config.ping_interval_ms = 30 * 1000;
    if (!h->config.slow_deadline_ms)
        h->config.slow_deadline_ms = 10 * 1000;
    h->resync = config->resync_message ? xstrdup(config->resync_message) : NULL;
    pthread_mutex_init(&h->lock, NULL);
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    if (h->epoll_fd < 0 || h->wake_fd < 0 ||
        epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->wake_fd, &e) != 0 ||
        pthread_create(&h->thread, NULL, run, h) != 0) {
        int why = errno;
        close(h->epoll_fd);
        close(h->wake_fd);
        free(h->resync);
        free(h);
        return fail_errno(err, why, "start the WebSocket hub");
    }
    *ret = h;
    return STATUS_OK;
}

void ws_hub_close(struct ws_hub *h)
{
    if (!h || h->is_stopping)
        return;
    pthread_mutex_lock(&h->lock); /* whoever was taken in before is seen by the thread's last turn */
    h->is_stopping = true;
    pthread_mutex_unlock(&h->lock);
    wake(h);
    pthread_join(h->thread, NULL);
}

void ws_hub_stop(struct ws_hub *h)
{
    if (!h)
        return;
    ws_hub_close(h);
    run_tasks(h); /* what came since then is for nobody */
    close(h->epoll_fd);
    close(h->wake_fd);
    pthread_mutex_destroy(&h->lock);
    free(h->resync);
    free(h);
}

unsigned ws_hub_count(struct ws_hub *h)
{
    return h->count;
}

/* 1013 "try again later" (IANA) and why, as a server's unmasked close frame. */
static void refuse(const struct ws_hub *h, int fd)
{
    unsigned char frame[4 + CLOSE_REASON_MAX] = {0x88, 0, 0x03, 0xf5};
    int n = snprintf((char *)frame + 4, CLOSE_REASON_MAX,
                     h->is_stopping ? "the server is stopping"
                                    : "all %u live connections are taken; try again later",
                     h->config.most_clients);
    frame[1] = (unsigned char)(2 + n);
    (void)!send(fd, frame, (size_t)n + 4, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool ws_hub_add(struct ws_hub *h, int fd, char *leftover, size_t leftover_len, void *user)
{
    unsigned count = h->count;
    do {
        if (count >= h->config.most_clients || h->is_stopping) {
            refuse(h, fd);
            upgraded_close(fd);
            free(leftover);
            return false;
        }
    } while (!atomic_compare_exchange_strong(&h->count, &count, count + 1));
    struct client *c = xcalloc(1, sizeof *c);
    c->hub = h;
    c->fd = fd;
    c->leftover = leftover;
    c->leftover_len = leftover_len;
    c->user = user;
    struct task *t = xcalloc(1, sizeof *t);
    t->kind = TASK_ADD;
    t->added = c;
    pthread_mutex_lock(&h->lock);
    bool is_taken = !h->is_stopping;
    if (is_taken) {
        c->id = ++h->next_id;
        append(h, t);
    }
    pthread_mutex_unlock(&h->lock);
    if (is_taken) {
        wake(h);
        return true;
    }
    h->count--;
    refuse(h, fd);
    client_free(c);
    free(t);
    return false;
}

static struct task *text_task(enum task_kind kind, struct str text)
{
    struct task *t = xcalloc(1, sizeof *t);
    t->kind = kind;
    t->text = xmalloc(text.len ? text.len : 1);
    memcpy(t->text, text.ptr, text.len);
    t->len = text.len;
    return t;
}

void ws_hub_send(struct ws_hub *h, uint64_t client, struct str text)
{
    struct task *t = text_task(TASK_SEND, text);
    t->client = client;
    post(h, t);
}

void ws_hub_broadcast(struct ws_hub *h, struct str text, const struct ws_readers *readers)
{
    if (!h->count)
        return;
    struct task *t = text_task(TASK_BROADCAST, text);
    if (readers) {
        t->wants = readers->wants;
        t->about = xmalloc(readers->about_size ? readers->about_size : 1);
        if (readers->about_size)
            memcpy(t->about, readers->about, readers->about_size);
    }
    post(h, t);
}

void ws_hub_sweep(struct ws_hub *h, int code, bool (*keeps)(void *ctx, void *user))
{
    if (!h->count)
        return;
    struct task *t = xcalloc(1, sizeof *t);
    t->kind = TASK_SWEEP;
    t->code = code;
    t->keeps = keeps;
    post(h, t);
}

void ws_hub_kick(struct ws_hub *h, uint64_t client, int code, bool is_abrupt)
{
    struct task *t = xcalloc(1, sizeof *t);
    t->kind = TASK_KICK;
    t->client = client;
    t->code = code;
    t->is_abrupt = is_abrupt;
    post(h, t);
}
