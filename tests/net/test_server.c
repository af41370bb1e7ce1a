#include "../test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "net/ws_hub.h"

/* A server with one address for each thing that is checked, and a client loop. */
struct rig {
    struct http_server *server;
    struct ws_hub *hub;
    struct loop *loop;
    char folder[64];
    char url[64];
    /* the last answer */
    int code;
    enum status status;
    char body[256];
    /* the WebSocket */
    bool is_open, is_closed;
    char frame[256];
    size_t frame_bytes;
    unsigned frames;
    _Atomic unsigned admitted; /* clients the hub has taken in */
};

static void *reply_later(void *arg)
{
    usleep(20000);
    http_reply(arg, 200, "text/plain", STR("later"));
    return NULL;
}

static void on_upgraded(void *ctx, int fd, char *leftover, size_t len)
{
    struct rig *r = ctx;
    (void)!ws_hub_add(r->hub, fd, leftover, len, NULL);
}

static void handle(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    const char *path = http_path(x);
    if (streq(path, "/echo")) {
        http_add_header(x, "X-Test", "1");
        http_reply(x, 200, "text/plain", http_body(x));
    } else if (streq(path, "/query")) {
        const char *v = http_query(x, "a b");
        http_reply(x, v ? 200 : 404, "text/plain", str_of(v ? v : ""));
    } else if (streq(path, "/later")) {
        pthread_t t;
        http_keep(x);
        pthread_create(&t, NULL, reply_later, x);
        pthread_detach(t);
    } else if (streq(path, "/file")) {
        struct stat st = {0};
        const char *file = http_body_file(x);
        char text[64];
        int n = snprintf(text, sizeof text, "%lld",
                         file && stat(file, &st) == 0 ? (long long)st.st_size : -1);
        http_reply(x, 200, "text/plain", (struct str){text, (size_t)n});
    } else if (streq(path, "/ws")) {
        http_upgrade(x, on_upgraded, r);
    } else {
        http_reply(x, 404, "text/plain", STR("no"));
    }
}

static struct http_body_policy policy(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    if (streq(http_path(x), "/file"))
        return (struct http_body_policy){.most_bytes = 4 << 20, .into_folder = r->folder};
    return (struct http_body_policy){.most_bytes = 100};
}

static void echo(void *ctx, uint64_t client, void *user, struct str text)
{
    struct rig *r = ctx;
    (void)user;
    ws_hub_send(r->hub, client, text);
}

static void admitted(void *ctx, uint64_t client, void *user)
{
    struct rig *r = ctx;
    (void)client;
    (void)user;
    r->admitted++;
}

/* The handshake's answer may be read before the hub has its side of the socket. */
static void wait_until_admitted(struct rig *r, unsigned count)
{
    for (int i = 0; i < 500 && r->admitted < count; i++)
        usleep(10000);
    assert_int_equal(r->admitted, count);
}

static int set_up(void **state)
{
    struct rig *r = xcalloc(1, sizeof *r);
    struct error err;
    snprintf(r->folder, sizeof r->folder, "/tmp/cartographus-net-XXXXXX");
    if (!mkdtemp(r->folder))
        return -1;
    struct ws_hub_config hub = {.ctx = r, .message = echo, .opened = admitted, .most_clients = 1,
                                .queue_bytes = 1000, .resync_message = "resync"};
    struct http_server_config server = {
        .host = "127.0.0.1", .ctx = r, .handle = handle, .body_policy = policy};
    if (ws_hub_start(&hub, &r->hub, &err) != STATUS_OK ||
        http_server_start(&server, &r->server, &err) != STATUS_OK ||
        loop_new(&r->loop, &err) != STATUS_OK)
        return -1;
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", http_server_port(r->server));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    loop_free(r->loop);
    ws_hub_stop(r->hub);
    http_server_stop(r->server);
    rmdir(r->folder);
    free(r);
    return 0;
}

static void answered(void *ctx, const struct http_answer *a)
{
    struct rig *r = ctx;
    r->status = a->status;
    r->code = a->code;
    snprintf(r->body, sizeof r->body, "%.*s", (int)a->body.len, a->body.ptr);
    loop_stop(r->loop);
}

static void call(struct rig *r, const char *method, const char *path, struct str body)
{
    auto_free char *url = xasprintf("%s%s", r->url, path);
    struct http_request q = {.method = method, .url = url, .body = body, .timeout_ms = 5000};
    http_fetch(r->loop, &q, answered, r);
    loop_run(r->loop);
}

static void requests_are_answered(void **state)
{
    static char large[200], huge[1 << 20];
    memset(large, 'x', sizeof large);
    memset(huge, 'y', sizeof huge);
    static const struct {
        const char *method, *path;
        const char *body;
        size_t len;
        int code;
        const char *expected;
    } rows[] = {
        {"GET", "/none", "", 0, 404, "no"},
        {"POST", "/echo", "hello", 5, 200, "hello"},
        {"GET", "/query?a%20b=c%26d", "", 0, 200, "c&d"},
        {"GET", "/later", "", 0, 200, "later"},
        {"POST", "/file", huge, sizeof huge, 200, "1048576"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        call(*state, rows[i].method, rows[i].path, (struct str){rows[i].body, rows[i].len});
        struct rig *r = *state;
        if (r->code != rows[i].code || !streq(r->body, rows[i].expected))
            fail_msg("%s: %d '%s'", rows[i].path, r->code, r->body);
    }
    call(*state, "POST", "/echo", (struct str){large, sizeof large});
    struct rig *r = *state;
    assert_int_equal(r->code, 413);
    assert_non_null(strstr(r->body, "over the limit of 100 bytes"));
}

static void a_taken_port_names_its_holder(void **state)
{
    struct rig *r = *state;
    struct http_server_config again = {
        .host = "127.0.0.1", .port = http_server_port(r->server), .handle = handle};
    struct http_server *second = NULL;
    struct error err;
    assert_int_equal(http_server_start(&again, &second, &err), STATUS_CONFLICT);
    char expected[64];
    snprintf(expected, sizeof expected, "port %u is taken by process %d", again.port, getpid());
    if (!strstr(err.text, expected))
        fail_msg("%s", err.text);
}

static void ws_opened(void *ctx)
{
    struct rig *r = ctx;
    r->is_open = true;
    loop_stop(r->loop);
}

static void ws_message(void *ctx, struct str text)
{
    struct rig *r = ctx;
    snprintf(r->frame, sizeof r->frame, "%.*s", (int)text.len, text.ptr);
    r->frames++;
    r->frame_bytes = text.len;
    loop_stop(r->loop);
}

static void ws_closed(void *ctx, const struct error *why)
{
    struct rig *r = ctx;
    (void)why;
    r->is_closed = true;
    loop_stop(r->loop);
}

static const struct ws_client_events events = {ws_opened, ws_message, ws_closed};

static void a_websocket_opens_echoes_and_is_refused_when_full(void **state)
{
    struct rig *r = *state;
    struct error err;
    auto_free char *url = xasprintf("%s/ws", r->url);
    struct ws_client_options o = {.url = url};
    struct ws_client *c = ws_open(r->loop, &o, &events, r);
    loop_run(r->loop);
    assert_true(r->is_open);
    wait_until_admitted(r, 1);
    assert_int_equal(ws_send(c, STR("ping pong"), &err), STATUS_OK);
    loop_run(r->loop);
    assert_string_equal(r->frame, "ping pong");

    struct rig *second = xcalloc(1, sizeof *second);
    second->loop = r->loop;
    struct ws_client *c2 = ws_open(r->loop, &o, &events, second);
    for (int i = 0; i < 3 && !second->is_closed; i++)
        loop_run(r->loop);
    assert_true(second->is_closed);
    ws_close(r->loop, c2);
    free(second);

    ws_hub_kick(r->hub, 1, 1000, true);
    loop_run(r->loop);
    assert_true(r->is_closed);
    ws_close(r->loop, c);
}

static void a_reader_that_falls_behind_is_told_to_resync(void **state)
{
    struct rig *r = *state;
    auto_free char *url = xasprintf("%s/ws", r->url);
    struct ws_client_options o = {.url = url};
    for (int i = 0; i < 100 && ws_hub_count(r->hub); i++)
        usleep(10000);
    r->frames = 0;
    struct ws_client *c = ws_open(r->loop, &o, &events, r);
    loop_run(r->loop);
    wait_until_admitted(r, 2);
    /* One message larger than the whole queue. */
    static char text[2000];
    memset(text, 'z', sizeof text);
    ws_hub_broadcast(r->hub, (struct str){text, sizeof text}, NULL);
    loop_run(r->loop);
    assert_string_equal(r->frame, "resync");
    ws_close(r->loop, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(a_taken_port_names_its_holder),
        cmocka_unit_test(a_websocket_opens_echoes_and_is_refused_when_full),
        cmocka_unit_test(a_reader_that_falls_behind_is_told_to_resync),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
