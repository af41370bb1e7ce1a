/*
 * A WebSocket client: curl makes the connection, the handshake is done here (RFC 6455, 4.1), wslay
 * frames. Frames may come in pieces; what a call cannot take now is taken when the socket is ready.
 */
#include <curl/curl.h>
#include <errno.h>
#include <sys/random.h>
#include <wslay/wslay.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/loop_socket.h"
#include "net/ws_accept.h"

#include "base/banned.h"

enum {
    PING_INTERVAL_MS_DEFAULT = 15000,
    MOST_BYTES_DEFAULT = 4 * 1024 * 1024,
    HANDSHAKE_TIMEOUT_MS = 15000,
    HANDSHAKE_BYTES_MAX = 16 * 1024,
    QUEUED_BYTES_MAX = 4 * 1024 * 1024,
    READ_BYTES_A_TURN = 1024 * 1024,
    MISSED_PINGS_MAX = 2,
};

enum ws_phase { WS_CONNECTING, WS_HANDSHAKE, WS_OPEN, WS_ENDED };

struct ws_client {
    struct loop_socket socket; /* first: the loop's view of it */
    struct loop *loop;
    enum ws_phase phase;
    struct ws_client_events events;
    void *ctx;
    int64_t ping_interval_ms;
    struct buf request;
    size_t request_sent;
    struct buf answer; /* handshake, then what came behind it */
    size_t answer_used;
    char accept[WS_ACCEPT_TEXT];
    wslay_event_context_ptr frames;
    size_t turn_bytes;
    bool is_cut; /* the peer's end of the stream was seen */
    unsigned missed_pings;
    int64_t heard_us;
    struct loop_timer *timer; /* handshake deadline, then pings */
    struct loop_timer *more;  /* the turn's share of reading was used up */
    struct error why;
};

static struct ws_client *of_socket(struct loop_socket *s)
{
    return (struct ws_client *)(void *)s;
}

static void stop_timers(struct ws_client *c)
{
    loop_timer_cancel(c->loop, c->timer);
    loop_timer_cancel(c->loop, c->more);
    c->timer = c->more = NULL;
}

/* Tells the owner, once. Nothing of c may be used after it. */
static void end(struct ws_client *c)
{
    if (c->phase == WS_ENDED || c->socket.is_closed)
        return;
    c->phase = WS_ENDED;
    c->socket.wants_read = c->socket.wants_write = false;
    stop_timers(c);
    c->events.closed(c->ctx, &c->why);
}

static void end_with(struct ws_client *c, enum status s, const char *text)
{
    (void)fail(&c->why, s, "%s", text);
    end(c);
}

static void flush_frames(struct ws_client *c);
static void read_frames(struct ws_client *c);

/* --- frames ------------------------------------------------------------------------------- */

static ssize_t frames_recv(wslay_event_context_ptr ctx, uint8_t *data, size_t len, int flags,
                           void *user)
{
    struct ws_client *c = user;
    if (c->socket.is_closed || c->phase != WS_OPEN) {
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    size_t left = c->answer.len - c->answer_used;
    if (left) {
        size_t n = left < len ? left : len;
        memcpy(data, c->answer.data + c->answer_used, n);
        c->answer_used += n;
        return (ssize_t)n;
    }
    if (c->turn_bytes >= READ_BYTES_A_TURN) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t got = 0;
    CURLcode code = curl_easy_recv(c->socket.easy, data, len, &got);
    if (code == CURLE_AGAIN) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (code != CURLE_OK || got == 0) {
        c->is_cut = true;
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    c->turn_bytes += got;
    return (ssize_t)got;
}

static ssize_t frames_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                           void *user)
{
    struct ws_client *c = user;
    size_t sent = 0;
    CURLcode code = c->socket.easy ? curl_easy_send(c->socket.easy, data, len, &sent)
                                   : CURLE_SEND_ERROR;
    if (code == CURLE_AGAIN || (code == CURLE_OK && sent == 0)) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (code != CURLE_OK) {
        c->is_cut = true;
        wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)sent;
}

static int frames_genmask(wslay_event_context_ptr ctx, uint8_t *data, size_t len, void *user)
{
    return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

static void frames_message(wslay_event_context_ptr ctx,
                           const struct wslay_event_on_msg_recv_arg *m, void *user)
{
    struct ws_client *c = user;
    if (c->socket.is_closed || c->phase != WS_OPEN)
        return;
    c->missed_pings = 0;
    c->heard_us = clock_now_us();
    if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME)
        c->events.message(c->ctx, (struct str){m->msg ? (const char *)m->msg : "", m->msg_length});
}

static void update_wants(struct ws_client *c)
{
    c->socket.wants_read = wslay_event_want_read(c->frames);
    c->socket.wants_write = wslay_event_want_write(c->frames);
}

/* True when the connection is over and the owner was told. */
static bool is_over(struct ws_client *c, int result)
{
    if (c->socket.is_closed || c->phase != WS_OPEN)
        return true;
    if (result == WSLAY_ERR_NOMEM) {
        end_with(c, STATUS_NOMEM, "out of memory");
        return true;
    }
    if (c->is_cut || result != 0) {
        end_with(c, STATUS_UNAVAILABLE, "the connection was lost");
        return true;
    }
    if (!wslay_event_want_read(c->frames) && !wslay_event_want_write(c->frames)) {
        uint16_t sent = wslay_event_get_status_code_sent(c->frames);
        if (sent == WSLAY_CODE_MESSAGE_TOO_BIG) {
            end_with(c, STATUS_TOO_LARGE, "a message was too large");
        } else if (sent && sent != WSLAY_CODE_NORMAL_CLOSURE &&
                   sent != wslay_event_get_status_code_received(c->frames)) {
            end_with(c, STATUS_PROTOCOL, "the peer broke the WebSocket protocol");
        } else {
            (void)fail(&c->why, STATUS_UNAVAILABLE, "the server closed the connection (%u)",
                       (unsigned)wslay_event_get_status_code_received(c->frames));
            end(c);
        }
        return true;
    }
    update_wants(c);
    return false;
}

static void flush_frames(struct ws_client *c)
{
    (void)is_over(c, wslay_event_send(c->frames));
}

static void read_more(void *ctx)
{
    struct ws_client *c = ctx;
    c->more = NULL;
    read_frames(c);
}

static void read_frames(struct ws_client *c)
{
    c->turn_bytes = 0;
    if (is_over(c, wslay_event_recv(c->frames)))
        return;
    if (c->turn_bytes >= READ_BYTES_A_TURN && !c->more)
        c->more = loop_timer_start(c->loop, 0, read_more, c);
    flush_frames(c);
}

static void ping(void *ctx)
{
    struct ws_client *c = ctx;
    c->timer = NULL;
    if (c->missed_pings >= MISSED_PINGS_MAX) {
        end_with(c, STATUS_TIMEOUT, "the server no longer answers pings");
        return;
    }
    c->missed_pings++;
    c->timer = loop_timer_start(c->loop, c->ping_interval_ms * US_PER_MS, ping, c);
    struct wslay_event_msg m = {.opcode = WSLAY_PING};
    if (wslay_event_queue_msg(c->frames, &m) == 0)
        flush_frames(c);
}

/* --- handshake ---------------------------------------------------------------------------- */

static struct str header_value(struct str head, const char *name)
{
    struct str line;
    (void)str_next(&head, '\n', &line);
    while (str_next(&head, '\n', &line)) {
        struct str key;
        if (str_next(&line, ':', &key) && str_eq_nocase(str_trim(key), str_of(name)))
            return str_trim(line);
    }
    return STR("");
}

static enum status check_answer(struct ws_client *c, struct str head, struct error *err)
{
    struct str line = head;
    struct str first, word;
    int64_t code = 0;
    if (!str_next(&line, '\n', &first) || !str_has_prefix(first, STR("HTTP/1.1 ")) ||
        !str_next(&first, ' ', &word) || !str_next(&first, ' ', &word) ||
        !str_to_i64(str_trim(word), &code))
        return fail(err, STATUS_PROTOCOL, "the answer to the handshake is not HTTP");
    if (code == 401 || code == 403)
        return fail(err, STATUS_DENIED, "the server refused the WebSocket (HTTP %d)", (int)code);
    if (code != 101)
        return fail(err, STATUS_UNAVAILABLE, "no WebSocket there (HTTP %d)", (int)code);
    if (!str_eq_nocase(header_value(head, "Upgrade"), STR("websocket")) ||
        !str_eq(header_value(head, "Sec-WebSocket-Accept"), str_of(c->accept)))
        return fail(err, STATUS_PROTOCOL, "the answer to the handshake is wrong");
    return STATUS_OK;
}

static void start_frames(struct ws_client *c)
{
    c->phase = WS_OPEN;
    c->heard_us = clock_now_us();
    loop_timer_cancel(c->loop, c->timer);
    c->timer = loop_timer_start(c->loop, c->ping_interval_ms * US_PER_MS, ping, c);
    update_wants(c);
    c->events.opened(c->ctx);
    if (!c->socket.is_closed && c->phase == WS_OPEN)
        read_frames(c);
}

static void read_handshake(struct ws_client *c)
{
    for (;;) {
        char piece[2048];
        size_t got = 0;
        CURLcode code = curl_easy_recv(c->socket.easy, piece, sizeof(piece), &got);
        if (code == CURLE_AGAIN)
            return;
        if (code != CURLE_OK || got == 0) {
            end_with(c, STATUS_UNAVAILABLE, "the server closed the connection");
            return;
        }
        buf_add(&c->answer, piece, got);
        char *tail = memmem(c->answer.data, c->answer.len, "\r\n\r\n", 4);
        if (tail) {
            c->answer_used = (size_t)(tail - c->answer.data) + 4;
            struct str head = {c->answer.data, c->answer_used};
            if (check_answer(c, head, &c->why) != STATUS_OK)
                end(c);
            else
                start_frames(c);
            return;
        }
        if (c->answer.len > HANDSHAKE_BYTES_MAX || c->answer.is_overflowed) {
            end_with(c, STATUS_TOO_LARGE, "the answer to the handshake is too large");
            return;
        }
    }
}

static void send_handshake(struct ws_client *c)
{
    while (c->request_sent < c->request.len) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(c->socket.easy, c->request.data + c->request_sent,
                                       c->request.len - c->request_sent, &sent);
        if (code == CURLE_AGAIN || (code == CURLE_OK && sent == 0))
            return;
        if (code != CURLE_OK) {
            end_with(c, STATUS_UNAVAILABLE, "the connection was lost");
            return;
        }
        c->request_sent += sent;
    }
    c->socket.wants_write = false;
}

static void socket_connected(struct loop_socket *s, CURLcode code, const char *detail)
{
    struct ws_client *c = of_socket(s);
    if (c->phase != WS_CONNECTING)
        return;
    if (code != CURLE_OK || s->fd == CURL_SOCKET_BAD) {
        (void)loop_curl_error(s->easy, code == CURLE_OK ? CURLE_COULDNT_CONNECT : code, detail,
                              &c->why);
        end(c);
        return;
    }
    c->phase = WS_HANDSHAKE;
    s->wants_read = s->wants_write = true;
    send_handshake(c);
}

static void socket_ready(struct loop_socket *s)
{
    struct ws_client *c = of_socket(s);
    if (c->phase == WS_HANDSHAKE && c->request_sent < c->request.len)
        send_handshake(c);
    if (c->phase == WS_HANDSHAKE)
        read_handshake(c);
    else if (c->phase == WS_OPEN)
        read_frames(c);
}

static void socket_cancelled(struct loop_socket *s)
{
    end_with(of_socket(s), STATUS_CANCELLED, "cancelled");
}

static void socket_release(struct loop_socket *s)
{
    struct ws_client *c = of_socket(s);
    if (c->frames)
        wslay_event_context_free(c->frames);
    secret_wipe(c->request.data, c->request.len);
    buf_done(&c->request);
    buf_done(&c->answer);
    free(c);
}

static void handshake_timed_out(void *ctx)
{
    struct ws_client *c = ctx;
    c->timer = NULL;
    end_with(c, STATUS_TIMEOUT, "the server does not finish the WebSocket handshake");
}

static void report_failure(void *ctx)
{
    struct ws_client *c = ctx;
    c->timer = NULL;
    end(c);
}

/* Writes the request and returns the URL to connect to in *ret_url (free()). */
static enum status make_request(struct ws_client *c, const struct ws_client_options *o,
                                char **ret_url, struct error *err)
{
    struct str url = str_of(o->url);
    const char *scheme = "http";
    static const struct {
        const char *from, *to;
    } schemes[] = {
        {"ws://", "http"}, {"wss://", "https"}, {"http://", "http"}, {"https://", "https"}};
    size_t skip = 0;
    for (size_t i = 0; i < ARRAY_LEN(schemes) && !skip; i++) {
        struct str from = str_of(schemes[i].from);
        if (url.len > from.len && str_eq_nocase((struct str){url.ptr, from.len}, from)) {
            skip = from.len;
            scheme = schemes[i].to;
        }
    }
    if (!skip)
        return fail(err, STATUS_INVALID, "a WebSocket address begins with ws:// or wss://");
    auto_free char *full = xasprintf("%s://%s", scheme, o->url + skip);
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
    CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, full, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OK) {
        unsigned char nonce[16];
        char key[25];
        if (getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce))
            memset(nonce, 0x5a, sizeof(nonce));
        ws_base64(nonce, sizeof(nonce), key);
        ws_accept_key(str_of(key), c->accept);
        (void)curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
        (void)curl_url_get(u, CURLUPART_QUERY, &query, 0);
        buf_printf(&c->request,
                   "GET %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                   path, query ? "?" : "", query ? query : "", host, port ? ":" : "",
                   port ? port : "", key);
        for (size_t i = 0; o->headers && o->headers[i]; i++)
            buf_printf(&c->request, "%s\r\n", o->headers[i]);
        buf_puts(&c->request, "\r\n");
        *ret_url = steal_ptr(&full);
    }
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_url_cleanup(u);
    if (code != CURLUE_OK)
        return fail(err, STATUS_INVALID, "not a usable address: %s", curl_url_strerror(code));
    return STATUS_OK;
}

static const struct loop_socket_ops socket_ops = {
    .connected = socket_connected,
    .ready = socket_ready,
    .cancelled = socket_cancelled,
    .release = socket_release,
};

struct ws_client *ws_open(struct loop *l, const struct ws_client_options *o,
                          const struct ws_client_events *events, void *ctx)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = frames_recv,
        .send_callback = frames_send,
        .genmask_callback = frames_genmask,
        .on_msg_recv_callback = frames_message,
    };
    struct ws_client *c = xcalloc(1, sizeof(*c));
    c->socket.ops = &socket_ops;
    c->socket.fd = CURL_SOCKET_BAD;
    c->loop = l;
    c->events = *events;
    c->ctx = ctx;
    c->ping_interval_ms = o->ping_interval_ms > 0 ? o->ping_interval_ms : PING_INTERVAL_MS_DEFAULT;
    c->request = BUF_INIT(64 * 1024);
    c->answer = BUF_INIT(HANDSHAKE_BYTES_MAX + 4096);
    auto_free char *url = NULL;
    enum status s = STATUS_OK;
    if (wslay_event_context_client_init(&c->frames, &callbacks, c) != 0) {
        c->frames = NULL;
        s = fail(&c->why, STATUS_NOMEM, "out of memory");
    }
    if (s == STATUS_OK) {
        wslay_event_config_set_max_recv_msg_length(c->frames,
                                                   o->most_bytes ? o->most_bytes
                                                                 : MOST_BYTES_DEFAULT);
        s = make_request(c, o, &url, &c->why);
    }
    if (s == STATUS_OK)
        s = loop_socket_open(l, &c->socket, url, &o->tls, &c->why);
    c->timer = s == STATUS_OK
                   ? loop_timer_start(l, HANDSHAKE_TIMEOUT_MS * US_PER_MS, handshake_timed_out, c)
                   : loop_timer_start(l, 0, report_failure, c);
    return c;
}

enum status ws_send(struct ws_client *c, struct str text, struct error *err)
{
    if (c->phase != WS_OPEN || c->socket.is_closed)
        return fail(err, STATUS_UNAVAILABLE, "the WebSocket is not open");
    if (wslay_event_get_queued_msg_length(c->frames) + text.len > QUEUED_BYTES_MAX)
        return fail(err, STATUS_TOO_LARGE, "too much is waiting to be sent");
    struct wslay_event_msg m = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text.ptr, .msg_length = text.len};
    if (wslay_event_queue_msg(c->frames, &m) != 0)
        return fail(err, STATUS_UNAVAILABLE, "the WebSocket is closing");
    /* Only what fits now; losing the connection is told by the loop, never from in here. */
    if (wslay_event_send(c->frames) != 0)
        c->is_cut = true;
    update_wants(c);
    c->socket.wants_read = true;
    return STATUS_OK;
}

int64_t ws_heard_us(const struct ws_client *c)
{
    return c->heard_us;
}

void ws_close(struct loop *l, struct ws_client *c)
{
    if (!c || c->socket.is_closed)
        return;
    stop_timers(c);
    if (c->phase == WS_OPEN &&
        wslay_event_queue_close(c->frames, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0) == 0)
        (void)wslay_event_send(c->frames);
    c->phase = WS_ENDED;
    loop_socket_close(l, &c->socket);
}
