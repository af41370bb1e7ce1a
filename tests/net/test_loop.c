/* The client side over real sockets, against a peer that says scripted bytes. */
#include "../test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/ws_accept.h"

#define WS_KEY_MARK "@ACCEPT@"

/* Takes connections one after another; answers each with the next script, piece by piece. */
struct peer {
    int listener;
    int port;
    const char *const *scripts; /* NULL-terminated; "|" cuts a script into pieces */
    size_t most_requests;
    char last_request[4096];
    pthread_t thread;
};

static void send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void answer(struct peer *p, int fd, const char *script)
{
    char accept[WS_ACCEPT_TEXT] = "";
    const char *key = strstr(p->last_request, "Sec-WebSocket-Key: ");
    if (key)
        ws_accept_key((struct str){key + 19, 24}, accept);
    struct str rest = str_of(script);
    struct str piece;
    while (str_next(&rest, '|', &piece)) {
        const char *mark = memmem(piece.ptr, piece.len, WS_KEY_MARK, strlen(WS_KEY_MARK));
        if (mark) {
            size_t before = (size_t)(mark - piece.ptr);
            send_all(fd, piece.ptr, before);
            send_all(fd, accept, strlen(accept));
            send_all(fd, mark + strlen(WS_KEY_MARK),
                     piece.len - before - strlen(WS_KEY_MARK));
        } else {
            send_all(fd, piece.ptr, piece.len);
        }
        usleep(10000);
    }
}

static void *serve(void *ctx)
{
    struct peer *p = ctx;
    for (size_t i = 0; p->scripts[i]; i++) {
        auto_fd int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        size_t len = 0;
        while (len + 1 < sizeof(p->last_request)) {
            ssize_t n = recv(fd, p->last_request + len, sizeof(p->last_request) - 1 - len, 0);
            if (n <= 0)
                break;
            len += (size_t)n;
            p->last_request[len] = '\0';
            if (strstr(p->last_request, "\r\n\r\n"))
                break;
        }
        answer(p, fd, p->scripts[i]);
        shutdown(fd, SHUT_WR);
        char drop[256];
        while (recv(fd, drop, sizeof(drop), 0) > 0)
            ;
    }
    return NULL;
}

static void peer_start(struct peer *p, const char *const *scripts)
{
    *p = (struct peer){.scripts = scripts};
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(p->listener, 8), 0);
    socklen_t len = sizeof(a);
    getsockname(p->listener, (struct sockaddr *)&a, &len);
    p->port = ntohs(a.sin_port);
    pthread_create(&p->thread, NULL, serve, p);
}

static void peer_stop(struct peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
}

struct seen {
    struct loop *loop;
    struct ws_client *ws;
    enum status status;
    int code;
    char text[2048];
    char error[ERROR_TEXT_MAX];
    unsigned messages, opened, closed;
};

static void took_answer(void *ctx, const struct http_answer *a)
{
    struct seen *s = ctx;
    s->status = a->status;
    s->code = a->code;
    snprintf(s->text, sizeof(s->text), "%.*s", (int)a->body.len, a->body.ptr ? a->body.ptr : "");
    snprintf(s->error, sizeof(s->error), "%s", a->error.text);
    loop_stop(s->loop);
}

static void http_answers_come_with_their_limits(void **state)
{
    static const struct {
        const char *scripts[6];
        size_t most_bytes;
        enum status status;
        int code;
        const char *text;
    } rows[] = {
        {{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe|llo"}, 0, STATUS_OK, 200, "hello"},
        {{"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"}, 0, STATUS_OK, 404, "x"},
        {{"HTTP/1.1 200 OK\r\n\r\nmuch too long"}, 5, STATUS_TOO_LARGE, 200, ""},
        {{"garbage\r\n\r\n"}, 0, STATUS_PROTOCOL, 0, ""},
        {{"HTTP/1.1 302 Found\r\nLocation: /web\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
         0, STATUS_OK, 200, "ok"},
        {{"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/steal\r\nContent-Length: 0\r\n\r\n"},
         0, STATUS_DENIED, 302, ""},
        {{"HTTP/1.1 302 F\r\nLocation: /1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
          "HTTP/1.1 302 F\r\nLocation: /2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
          "HTTP/1.1 302 F\r\nLocation: /3\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
          "HTTP/1.1 302 F\r\nLocation: /4\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
         0, STATUS_DENIED, 302, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct peer p;
        peer_start(&p, rows[i].scripts);
        struct seen s = {0};
        struct error err;
        assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
        auto_free char *url = xasprintf("http://127.0.0.1:%d/x?token=hidden", p.port);
        const char *headers[] = {"X-Plex-Token: hidden", NULL};
        struct http_request r = {
            .url = url, .headers = headers, .timeout_ms = 3000, .most_bytes = rows[i].most_bytes};
        http_fetch(s.loop, &r, took_answer, &s);
        loop_run(s.loop);
        loop_free(s.loop);
        peer_stop(&p);
        assert_int_equal(s.status, rows[i].status);
        assert_int_equal(s.code, rows[i].code);
        assert_string_equal(s.text, rows[i].text);
        assert_null(strstr(s.error, "hidden"));
    }
}

static void an_unreachable_server_is_unavailable(void **state)
{
    struct peer p;
    const char *const none[] = {NULL};
    peer_start(&p, none);
    peer_stop(&p);
    struct seen s = {0};
    struct error err;
    assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
    auto_free char *url = xasprintf("http://127.0.0.1:%d/", p.port);
    http_fetch(s.loop, &(struct http_request){.url = url}, took_answer, &s);
    loop_run(s.loop);
    loop_free(s.loop);
    assert_int_equal(s.status, STATUS_UNAVAILABLE);
}

static void ws_opened(void *ctx)
{
    struct seen *s = ctx;
    s->opened++;
}

static void ws_message(void *ctx, struct str text)
{
    struct seen *s = ctx;
    s->messages++;
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof(s->text) - used, "%.*s;", (int)text.len, text.ptr);
}

static void ws_closed(void *ctx, const struct error *why)
{
    struct seen *s = ctx;
    s->closed++;
    s->status = why->status;
    snprintf(s->error, sizeof(s->error), "%s", why->text);
    ws_close(s->loop, s->ws);
    loop_stop(s->loop);
}

static const struct ws_client_events ws_events = {ws_opened, ws_message, ws_closed};

#define SWITCHED                                                                      \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: " WS_KEY_MARK "\r\n\r\n"

static void websockets_take_frames_in_any_pieces(void **state)
{
    static const struct {
        const char *scripts[2];
        size_t most_bytes;
        enum status status;
        unsigned opened;
        const char *text;
    } rows[] = {
        {{SWITCHED "\x81\x02hi|\x81|\x05he|llo"}, 0, STATUS_UNAVAILABLE, 1, "hi;hello;"},
        {{SWITCHED "|\x01\x02" "ab|\x80\x01" "c|\x88\x02\x03\xe8"}, 0, STATUS_UNAVAILABLE, 1, "abc;"},
        {{SWITCHED "\x81\x06toobig"}, 5, STATUS_TOO_LARGE, 1, ""},
        {{SWITCHED "\xf1\x02xx\x81\x02xx"}, 0, STATUS_PROTOCOL, 1, ""},
        {{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"}, 0, STATUS_DENIED, 0, ""},
        {{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, 0, STATUS_UNAVAILABLE, 0, ""},
        {{"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"},
         0, STATUS_PROTOCOL, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct peer p;
        peer_start(&p, rows[i].scripts);
        struct seen s = {0};
        struct error err;
        assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
        auto_free char *url = xasprintf("ws://127.0.0.1:%d/socket?ApiKey=hidden", p.port);
        s.ws = ws_open(s.loop,
                       &(struct ws_client_options){.url = url, .most_bytes = rows[i].most_bytes},
                       &ws_events, &s);
        loop_run(s.loop);
        loop_free(s.loop);
        peer_stop(&p);
        assert_non_null(strstr(p.last_request, "GET /socket?ApiKey=hidden HTTP/1.1\r\n"));
        assert_int_equal(s.status, rows[i].status);
        assert_int_equal(s.opened, rows[i].opened);
        assert_int_equal(s.closed, 1);
        assert_string_equal(s.text, rows[i].text);
        assert_null(strstr(s.error, "hidden"));
    }
}

static void a_silent_peer_is_given_up(void **state)
{
    struct peer p;
    /* The peer reads pings and never answers: after the script it only drains. */
    const char *const scripts[] = {SWITCHED, NULL};
    peer_start(&p, scripts);
    struct seen s = {0};
    struct error err;
    assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
    auto_free char *url = xasprintf("ws://127.0.0.1:%d/", p.port);
    s.ws = ws_open(s.loop, &(struct ws_client_options){.url = url, .ping_interval_ms = 50},
                   &ws_events, &s);
    loop_run(s.loop);
    loop_free(s.loop);
    peer_stop(&p);
    assert_int_equal(s.closed, 1);
    assert_true(s.status == STATUS_TIMEOUT || s.status == STATUS_UNAVAILABLE);
}

static void posted_stop(void *ctx)
{
    struct seen *s = ctx;
    s->messages++;
    loop_stop(s->loop);
}

static void *post_from_elsewhere(void *ctx)
{
    struct seen *s = ctx;
    usleep(20000);
    loop_post(s->loop, posted_stop, s);
    return NULL;
}

static void count_fired(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static void timers_fire_and_posts_wake(void **state)
{
    struct seen s = {0};
    struct error err;
    unsigned fired = 0;
    assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
    loop_timer_start(s.loop, 1000, count_fired, &fired);
    struct loop_timer *t = loop_timer_start(s.loop, 2000, count_fired, &fired);
    loop_timer_cancel(s.loop, t);
    pthread_t thread;
    pthread_create(&thread, NULL, post_from_elsewhere, &s);
    int64_t begun_us = clock_monotonic_us();
    loop_run(s.loop);
    pthread_join(thread, NULL);
    loop_free(s.loop);
    assert_int_equal(fired, 1);
    assert_int_equal(s.messages, 1);
    assert_true(clock_monotonic_us() - begun_us < 5 * US_PER_S);
}

static void what_is_open_is_cancelled(void **state)
{
    struct seen s = {0};
    struct error err;
    assert_int_equal(loop_new(&s.loop, &err), STATUS_OK);
    http_fetch(s.loop, &(struct http_request){.url = "http://127.0.0.1:1/"}, took_answer, &s);
    loop_free(s.loop);
    assert_int_equal(s.status, STATUS_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_answers_come_with_their_limits),
        cmocka_unit_test(an_unreachable_server_is_unavailable),
        cmocka_unit_test(websockets_take_frames_in_any_pieces),
        cmocka_unit_test(a_silent_peer_is_given_up),
        cmocka_unit_test(timers_fire_and_posts_wake),
        cmocka_unit_test(what_is_open_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
