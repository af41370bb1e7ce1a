/* Query workers: a query that runs too long, or that nobody waits for any more, is interrupted. */
#include "../test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/pool.h"
#include "api/request.h"
#include "base/clock.h"

enum { MOST_WAIT_S = 120 };

struct rig {
    struct store *store;
    struct pool *pool;
    struct http_server *server;
    struct route route;
    _Atomic bool has_begun, has_ended, is_timed_out;
    _Atomic int status;
};

/* Would take days. */
static void run_for_ever(struct request *r)
{
    struct rig *rig = (struct rig *)(void *)r->api;
    struct http_exchange *x = r->x;
    struct error err = {0};
    int64_t n = 0;
    rig->has_begun = true;
    enum status s = store_query_int(r->conn, "select sum(hash(range) % 7)::bigint from range(1000000000000)",
                                     NULL, 0, 0, &n, &err);
    pool_forget(r);
    rig->is_timed_out = r->is_timed_out;
    rig->status = (int)s;
    free(r);
    http_reply(x, 504, "text/plain", STR("stopped"));
    rig->has_ended = true;
}

static void handle(void *ctx, struct http_exchange *x)
{
    struct rig *rig = ctx;
    struct request *r = xcalloc(1, sizeof *r);
    r->api = ctx; /* the handler's way to the rig: neither it nor the pool looks into it */
    r->x = x;
    r->route = &rig->route;
    http_keep(x);
    if (!pool_submit(rig->pool, r)) {
        free(r);
        http_reply(x, 503, "text/plain", STR("full"));
    }
}

static void begin(struct rig *rig, int64_t most_us)
{
    struct store_config c = {.path = ":memory:", .max_memory = "256MB", .threads = 1};
    struct error err = {0};
    rig->route.handle = run_for_ever;
    assert_int_equal(store_open(&c, &rig->store, NULL, &err), STATUS_OK);
    struct pool_config p = {.store = rig->store, .workers = 1, .most_us = most_us};
    assert_int_equal(pool_start(&p, &rig->pool, &err), STATUS_OK);
    struct http_server_config h = {.host = "127.0.0.1", .ctx = rig, .handle = handle};
    assert_int_equal(http_server_start(&h, &rig->server, &err), STATUS_OK);
}

static void end(struct rig *rig)
{
    pool_close(rig->pool);
    http_server_stop(rig->server);
    pool_stop(rig->pool);
    store_close(rig->store);
}

static int ask(const struct rig *rig)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(http_server_port(rig->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), (ssize_t)(sizeof request - 1));
    return fd;
}

static void wait_for(_Atomic bool *what)
{
    int64_t late_us = clock_monotonic_us() + (int64_t)MOST_WAIT_S * US_PER_S;
    while (!*what && clock_monotonic_us() < late_us)
        usleep(20 * 1000);
    assert_true(*what);
}

static void a_query_past_its_limit_is_interrupted(void **state)
{
    struct rig rig = {0};
    begin(&rig, 300 * US_PER_MS);
    int fd = ask(&rig);
    char answer[512] = "";
    assert_true(read(fd, answer, sizeof answer - 1) > 0);
    assert_non_null(strstr(answer, " 504 "));
    wait_for(&rig.has_ended);
    assert_true(rig.is_timed_out);
    assert_int_not_equal(rig.status, STATUS_OK);
    close(fd);
    end(&rig);
}

static void a_query_whose_client_has_gone_is_interrupted(void **state)
{
    struct rig rig = {0};
    begin(&rig, (int64_t)3600 * US_PER_S);
    int fd = ask(&rig);
    wait_for(&rig.has_begun);
    assert_false(rig.has_ended);
    close(fd);
    wait_for(&rig.has_ended);
    assert_false(rig.is_timed_out);
    assert_int_not_equal(rig.status, STATUS_OK);
    end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_past_its_limit_is_interrupted),
        cmocka_unit_test(a_query_whose_client_has_gone_is_interrupted),
    };
    return cmocka_run_group_tests_name("api/pool", tests, NULL, NULL);
}
