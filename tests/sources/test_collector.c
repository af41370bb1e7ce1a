/* The collector against a Plex server's wire, over real sockets. */
#include "../test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/ws_accept.h"
#include "sources/alive.h"
#include "sources/collector.h"

#define CONTAINER(rows) "{\"MediaContainer\":{\"size\":1,\"Metadata\":[" rows "]}}"
#define SESSION(state)                                                                      \
    CONTAINER("{\"sessionKey\":\"1\",\"ratingKey\":\"5\",\"type\":\"movie\",\"title\":\"Film\"," \
              "\"viewOffset\":1000,\"User\":{\"id\":\"1\",\"title\":\"ann\"},"                   \
              "\"Player\":{\"machineIdentifier\":\"m\",\"state\":\"" state "\"}}")

enum phase { PHASE_EMPTY, PHASE_PLAYING, PHASE_PAUSED, PHASE_REFUSED, PHASE_PHASES };

struct server {
    int listener, port;
    atomic_int phase, polls, ws_fd;
    pthread_t thread;
};

static void reply(int fd, const char *code, const char *type, const char *body)
{
    auto_buf struct buf b = {0};
    buf_printf(&b, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
               code, type, strlen(body), body);
    (void)!send(fd, b.data, b.len, MSG_NOSIGNAL);
}

static void answer(struct server *s, int *fd, const char *request)
{
    static const char *const sessions[] = {"{\"MediaContainer\":{\"size\":0}}",
                                           SESSION("playing"), SESSION("paused")};
    int phase = atomic_load(&s->phase);
    const char *key = strcasestr(request, "Sec-WebSocket-Key: ");
    if (phase == PHASE_REFUSED || !strstr(request, "X-Plex-Token: secret-token")) {
        reply(*fd, "401 Unauthorized", "text/html", "<h1>401 Unauthorized</h1>");
    } else if (key) {
        char accept[WS_ACCEPT_TEXT];
        ws_accept_key((struct str){key + 19, 24}, accept);
        auto_buf struct buf b = {0};
        buf_printf(&b, "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
        (void)!send(*fd, b.data, b.len, MSG_NOSIGNAL);
        atomic_store(&s->ws_fd, steal_fd(fd));
    } else if (strstr(request, "GET /status/sessions HTTP")) {
        atomic_fetch_add(&s->polls, 1);
        reply(*fd, "200 OK", "application/json", sessions[phase]);
    } else if (strstr(request, "GET /status/sessions/history/all")) {
        reply(*fd, "200 OK", "application/json",
              CONTAINER("{\"historyKey\":\"/status/sessions/history/3\",\"ratingKey\":\"5\","
                        "\"title\":\"Film\",\"type\":\"movie\",\"viewedAt\":1700000000,"
                        "\"accountID\":1}"));
    } else if (strstr(request, "GET / HTTP")) {
        reply(*fd, "200 OK", "application/json",
              "{\"MediaContainer\":{\"machineIdentifier\":\"abc\",\"friendlyName\":\"Den\"}}");
    } else if (strstr(request, "GET /library/sections HTTP")) {
        reply(*fd, "200 OK", "application/json",
              "{\"MediaContainer\":{\"Directory\":[{\"key\":\"1\",\"type\":\"movie\"}]}}");
    } else if (strstr(request, "GET /library/sections/1/all")) {
        reply(*fd, "500 Oops", "text/html", "<h1>500</h1>");
    } else if (strstr(request, "GET /library/metadata/")) {
        reply(*fd, "404 Not Found", "text/html", "<h1>404</h1>");
    } else {
        reply(*fd, "200 OK", "application/json", "{\"MediaContainer\":{\"size\":0}}");
    }
}

static void *serve(void *ctx)
{
    struct server *s = ctx;
    for (;;) {
        auto_fd int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        char request[4096];
        size_t len = 0;
        while (len + 1 < sizeof(request)) {
            ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);
            if (n <= 0)
                break;
            len += (size_t)n;
            request[len] = '\0';
            if (strstr(request, "\r\n\r\n")) {
                answer(s, &fd, request);
                break;
            }
        }
    }
}

struct seen {
    pthread_mutex_t lock;
    char text[2048];
};

static void heard(void *ctx, const struct observation *o)
{
    struct seen *s = ctx;
    pthread_mutex_lock(&s->lock);
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof(s->text) - used, "%s%s;", play_state_name(o->state),
             o->is_interrupted ? " interrupted" : "");
    pthread_mutex_unlock(&s->lock);
}

static void wait_until_heard(struct seen *s, const char *text, int64_t most_us)
{
    int64_t until_us = clock_monotonic_us() + most_us;
    bool is_there = false;
    while (!is_there && clock_monotonic_us() < until_us) {
        pthread_mutex_lock(&s->lock);
        is_there = streq(s->text, text);
        pthread_mutex_unlock(&s->lock);
        usleep(5000);
    }
    if (!is_there)
        fail_msg("heard '%s', not '%s'", s->text, text);
}

static void wait_for_state(struct collector *c, enum source_state state)
{
    struct source_status status = {0};
    int64_t until_us = clock_monotonic_us() + 5 * US_PER_S;
    do {
        usleep(5000);
        assert_true(collector_status(c, "plex-1", &status));
    } while (status.state != state && clock_monotonic_us() < until_us);
    assert_string_equal(source_state_name(status.state), source_state_name(state));
    assert_null(strstr(status.error, "secret-token"));
}

/* What a library holds cannot be read: the history is, and says nothing of it. */
static void wait_for_backfill(struct collector *c)
{
    struct source_status status = {0};
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    do {
        usleep(5000);
        assert_true(collector_status(c, "plex-1", &status));
    } while (status.percent != 100 && clock_monotonic_us() < until_us);
    assert_int_equal(status.percent, 100);
    assert_string_equal(status.history_error, "");
    assert_string_equal(status.items_error, "the server answers HTTP 500");
    assert_int_equal(status.items, -1);
}

static enum status count_kinds(void *ctx, const struct log_record *r, struct error *err)
{
    ((unsigned *)ctx)[r->kind]++;
    return STATUS_OK;
}

struct reasons {
    bool has_removed;
};

static enum status find_reasons(void *ctx, const struct log_record *r, struct error *err)
{
    struct reasons *why = ctx;
    if (r->kind == LOG_COVERAGE && memmem(r->payload.ptr, r->payload.len, "\"removed\"", 9))
        why->has_removed = true;
    return STATUS_OK;
}

struct first_coverage {
    char text[256];
};

static enum status find_coverage(void *ctx, const struct log_record *r, struct error *err)
{
    struct first_coverage *first = ctx;
    if (r->kind == LOG_COVERAGE && !first->text[0])
        snprintf(first->text, sizeof(first->text), "%.*s", (int)r->payload.len, r->payload.ptr);
    return STATUS_OK;
}

static void notify(struct server *s)
{
    static const char frame[] = "\x81\x05hello"; /* garbage: a hint all the same */
    (void)!send(atomic_load(&s->ws_fd), frame, sizeof(frame) - 1, MSG_NOSIGNAL);
}

static char *listen_on(struct server *s)
{
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    socklen_t len = sizeof(a);
    getsockname(s->listener, (struct sockaddr *)&a, &len);
    pthread_create(&s->thread, NULL, serve, s);
    return xasprintf("http://127.0.0.1:%d/", ntohs(a.sin_port));
}

static void sessions_are_followed_through_loss_and_refusal(void **state)
{
    struct server s = {.ws_fd = -1};
    auto_free char *url = listen_on(&s);
    char folder[] = "/tmp/collector-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *path = xasprintf("%s/log.sqlite", folder);
    auto_free char *alive = xasprintf("%s/alive", folder);
    struct log *log;
    struct error err;
    assert_int_equal(log_open(path, &log, &err), STATUS_OK);
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct source_config source = {.key = "plex-1",
                                   .kind = SERVER_PLEX,
                                   .name = NULL,
                                   .url = url,
                                   .token = "secret-token",
                                   .client_id = "client",
                                   .is_realtime = true};
    struct collector *c;
    struct collector_config config = {.sources = &source, .source_count = 1, .log = log,
                                      .alive_path = alive, .live = heard, .ctx = &seen};
    assert_int_equal(collector_start(&config, &c, &err), STATUS_OK);
    wait_for_state(c, SOURCE_CONNECTED);
    atomic_store(&s.phase, PHASE_PLAYING);
    notify(&s);
    wait_until_heard(&seen, "playing;", US_PER_S);
    atomic_store(&s.phase, PHASE_PAUSED);
    notify(&s);
    wait_until_heard(&seen, "playing;paused;", US_PER_S);
    /* A flood of hints is few requests and no news. */
    int before = atomic_load(&s.polls);
    for (int i = 0; i < 200; i++)
        notify(&s);
    usleep(300000);
    assert_true(atomic_load(&s.polls) - before <= 4);
    wait_until_heard(&seen, "playing;paused;", US_PER_S);
    wait_for_backfill(c);

    atomic_store(&s.phase, PHASE_REFUSED);
    shutdown(atomic_load(&s.ws_fd), SHUT_RDWR);
    wait_for_state(c, SOURCE_UNAUTHORIZED);
    atomic_store(&s.phase, PHASE_EMPTY);
    wait_until_heard(&seen, "playing;paused;paused;stopped interrupted;", 8 * US_PER_S);
    collector_stop(c);

    unsigned kinds[16] = {0};
    assert_int_equal(log_read(log, 0, 1000, count_kinds, kinds, &err), STATUS_OK);
    assert_int_equal(kinds[LOG_OBSERVATION], 4);
    assert_true(kinds[LOG_COVERAGE] >= 3);
    assert_true(kinds[LOG_SERVER] >= 1);
    assert_int_equal(kinds[LOG_VIEWS], 1);
    assert_int_equal(kinds[LOG_ACCOUNTS], 1);
    assert_int_equal(kinds[LOG_POSITION], 1);
    assert_int_equal(kinds[LOG_ITEMS] + kinds[LOG_ITEMS_END], 0);

    /* After a kill, from when DATA/alive says on: nobody watched, whatever the log says. */
    atomic_store(&s.phase, PHASE_EMPTY);
    struct first_coverage first = {0};
    int64_t last = log_last(log);
    assert_true(alive_write(alive, &(struct alive_entry){"plex-1", INT64_C(1700000000000000)}, 1));
    assert_int_equal(collector_start(&config, &c, &err), STATUS_OK);
    wait_for_state(c, SOURCE_CONNECTED);
    collector_stop(c);
    assert_int_equal(log_read(log, last, 1000, find_coverage, &first, &err), STATUS_OK);
    assert_string_equal(first.text, "{\"server\":\"plex-1\",\"at_us\":1700000000000000,"
                                    "\"state\":\"blind\",\"why\":\"not running\"}");
    log_close(log);
    shutdown(s.listener, SHUT_RDWR);
    pthread_join(s.thread, NULL);
    close(s.listener);
    close(atomic_load(&s.ws_fd));
    auto_free char *wal = xasprintf("%s-wal", path);
    auto_free char *shm = xasprintf("%s-shm", path);
    unlink(wal);
    unlink(shm);
    unlink(path);
    unlink(alive);
    rmdir(folder);
}

static void wait_until_gone(struct collector *c)
{
    struct source_status status;
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    while (collector_status(c, "plex-1", &status) && clock_monotonic_us() < until_us)
        usleep(5000);
    assert_false(collector_status(c, "plex-1", &status));
}

/* A server is added, called otherwise, asked by another token, switched off and removed, while others
 * read and ask for a backfill. */
static void servers_come_change_and_go_while_it_runs(void **state)
{
    struct server s = {.ws_fd = -1};
    auto_free char *url = listen_on(&s);
    char folder[] = "/tmp/collector-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *path = xasprintf("%s/log.sqlite", folder);
    auto_free char *alive = xasprintf("%s/alive", folder);
    struct log *log;
    struct error err;
    assert_int_equal(log_open(path, &log, &err), STATUS_OK);
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct collector *c;
    struct collector_config config = {.log = log, .alive_path = alive, .live = heard, .ctx = &seen};
    assert_int_equal(collector_start(&config, &c, &err), STATUS_OK);
    struct source_status status;
    assert_false(collector_status(c, "plex-1", &status));
    assert_int_equal(collector_sync_now(c, "plex-1", &err), STATUS_NOT_FOUND);

    struct source_config one = {.key = "plex-1", .kind = SERVER_PLEX, .url = url, .token = "secret-token",
                                .client_id = "client", .is_realtime = true, .is_polling = true};
    collector_set(c, &one, 1);
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    while (!collector_status(c, "plex-1", &status) && clock_monotonic_us() < until_us)
        usleep(5000);
    wait_for_state(c, SOURCE_CONNECTED);
    atomic_store(&s.phase, PHASE_PLAYING);
    notify(&s);
    wait_until_heard(&seen, "playing;", 10 * US_PER_S);

    /* Another name needs no other connection. */
    int fd = atomic_load(&s.ws_fd);
    one.name = "Attic";
    collector_set(c, &one, 1);
    until_us = clock_monotonic_us() + 10 * US_PER_S;
    do {
        usleep(5000);
        assert_true(collector_status(c, "plex-1", &status));
    } while (!streq(status.name, "Attic") && clock_monotonic_us() < until_us);
    assert_string_equal(status.name, "Attic");
    assert_int_equal(atomic_load(&s.ws_fd), fd);

    /* Another token does; what plays goes on. */
    one.token = "wrong-token";
    collector_set(c, &one, 1);
    wait_for_state(c, SOURCE_UNAUTHORIZED);
    one.token = "secret-token";
    collector_set(c, &one, 1);
    wait_for_state(c, SOURCE_CONNECTED);
    assert_int_equal(collector_sync_now(c, "plex-1", &err), STATUS_OK);
    pthread_mutex_lock(&seen.lock);
    assert_null(strstr(seen.text, "stopped"));
    pthread_mutex_unlock(&seen.lock);

    /* Many changes at once: the last one counts. */
    for (int i = 0; i < 200; i++) {
        one.off = i % 2 ? NULL : "switched off";
        collector_set(c, &one, 1);
    }
    wait_for_state(c, SOURCE_CONNECTED);
    collector_set(c, NULL, 0);
    wait_until_gone(c);
    assert_int_equal(collector_sync_now(c, "plex-1", &err), STATUS_NOT_FOUND);
    assert_int_equal(collector_sync_now(c, NULL, &err), STATUS_OK);
    collector_set(c, &one, 1); /* may be on its way when it stops */
    collector_stop(c);

    pthread_mutex_lock(&seen.lock);
    assert_non_null(strstr(seen.text, "stopped interrupted;"));
    pthread_mutex_unlock(&seen.lock);
    struct reasons why = {0};
    assert_int_equal(log_read(log, 0, 1000, find_reasons, &why, &err), STATUS_OK);
    assert_true(why.has_removed);
    log_close(log);
    shutdown(s.listener, SHUT_RDWR);
    pthread_join(s.thread, NULL);
    close(s.listener);
    close(atomic_load(&s.ws_fd));
    static const char *const names[] = {"log.sqlite", "log.sqlite-wal", "log.sqlite-shm", "alive"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *file = xasprintf("%s/%s", folder, names[i]);
        unlink(file);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_followed_through_loss_and_refusal),
        cmocka_unit_test(servers_come_change_and_go_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
