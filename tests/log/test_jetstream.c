/* What only the stream has to hold: a server that dies, comes back, is full, has lost something, is
 * another's, or wants to know who we are. Against the real nats-server. */
#include "../test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "helpers.h"
#include "log/log.h"

extern char **environ;

static char folder[64];
static int port;
static pid_t server;

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static void run(const char *command)
{
    auto_free char *in_folder = xasprintf("cd %s && { %s; } >>out.txt 2>&1", folder, command);
    assert_int_equal(system(in_folder), 0);
}

static void choose_port(void)
{
    auto_fd int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    port = ntohs(a.sin_port);
}

static void start(const char *more)
{
    auto_free char *conf = xasprintf("%s/conf", folder);
    auto_free char *out = xasprintf("%s/out.txt", folder);
    FILE *f = fopen(conf, "we");
    fprintf(f, "listen: \"127.0.0.1:%d\"\n%s\n", port, more);
    fclose(f);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, out, O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    const char *argv[] = {"/usr/sbin/nats-server", "-c", conf, NULL};
    assert_int_equal(posix_spawn(&server, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ),
                     0);
    posix_spawn_file_actions_destroy(&actions);
}

static void start_plainly(void)
{
    auto_free char *more = xasprintf("jetstream { store_dir: \"%s/store\" }", folder);
    start(more);
}

static void end(int sig)
{
    kill(server, sig);
    waitpid(server, NULL, 0);
    server = 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cartographus-js-XXXXXX");
    assert_non_null(mkdtemp(folder));
    choose_port();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (server)
        end(SIGKILL);
    remove_folder(folder);
    return 0;
}

static enum status open_with(struct log_nats c, struct log **ret, struct error *err)
{
    auto_free char *url = xasprintf("nats://127.0.0.1:%d", port);
    if (!c.url)
        c.url = url;
    c.stream = "TEST";
    if (!c.patience_us)
        c.patience_us = 20 * US_PER_S;
    return log_open_nats(&c, ret, err);
}

static struct log *open_log(int64_t max_bytes)
{
    struct log *l = NULL;
    struct error err;
    if (open_with((struct log_nats){.max_bytes = max_bytes}, &l, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return l;
}

static enum status append_text(struct log *l, const char *text, struct error *err)
{
    struct log_record one = {.kind = LOG_COVERAGE, .payload = str_of(text)};
    return log_append(l, &one, 1, err);
}

/* As soon as the server is there again. */
static void append_soon(struct log *l, const char *text)
{
    struct error err = {0};
    enum status s = STATUS_UNAVAILABLE;
    for (int i = 0; i < 200 && s != STATUS_OK; i++) {
        s = append_text(l, text, &err);
        if (s != STATUS_OK)
            pause_ms(50);
    }
    if (s != STATUS_OK)
        fail_msg("%s", err.text);
}

static enum status collect(void *ctx, const struct log_record *r, struct error *err)
{
    (void)err;
    buf_printf(ctx, "%lld:%.*s ", (long long)r->seq, r->kind == LOG_NOTHING ? 1 : (int)r->payload.len,
               r->kind == LOG_NOTHING ? "-" : r->payload.ptr);
    return STATUS_OK;
}

#define assert_log_is(l, want)                                                        \
    do {                                                                              \
        auto_buf struct buf seen_ = {0};                                              \
        struct error why_ = {0};                                                      \
        if (log_read(l, 0, 100, collect, &seen_, &why_) != STATUS_OK)                 \
            fail_msg("%s", why_.text);                                                \
        assert_string_equal(buf_text(&seen_), want);                                  \
    } while (0)

/* --- a server that is killed ------------------------------------------------------------------- */

enum { BATCH = 7, KILLS = 12 };

struct appender {
    struct log *log;
    atomic_bool is_ending;
    int count, failures;
};

/* As the collector does: what was not taken waits and comes first the next time, with what is new. */
static void *append_all(void *ctx)
{
    struct appender *a = ctx;
    static char texts[4096][16];
    struct log_record records[4096];
    size_t waiting = 0;
    while (!atomic_load(&a->is_ending) || waiting) {
        for (int i = 0; i < BATCH && waiting < 4096 && !atomic_load(&a->is_ending); i++) {
            int n = snprintf(texts[waiting], sizeof texts[0], "%d", a->count++);
            records[waiting] = (struct log_record){.kind = LOG_COVERAGE,
                                                   .payload = {texts[waiting], (size_t)n}};
            waiting++;
        }
        struct error err;
        if (log_append(a->log, records, waiting, &err) == STATUS_OK) {
            waiting = 0;
        } else {
            a->failures++;
            pause_ms(20);
        }
    }
    return NULL;
}

struct checked {
    int64_t seq;
    int next;
};

static enum status check_next(void *ctx, const struct log_record *r, struct error *err)
{
    struct checked *c = ctx;
    int64_t n = -1;
    (void)err;
    assert_int_equal(r->kind, LOG_COVERAGE);
    assert_true(str_to_i64(r->payload, &n));
    assert_int_equal(n, c->next++);
    assert_int_equal(r->seq, c->seq + 1);
    c->seq = r->seq;
    return STATUS_OK;
}

static void a_server_that_is_killed_loses_and_doubles_nothing(void **state)
{
    start_plainly();
    struct appender a = {.log = open_log(0)};
    pthread_t thread;
    pthread_create(&thread, NULL, append_all, &a);
    unsigned seed = 1;
    for (int i = 0; i < KILLS; i++) {
        pause_ms(50 + rand_r(&seed) % 400);
        end(SIGKILL);
        pause_ms(rand_r(&seed) % 200);
        start_plainly();
    }
    pause_ms(1500);
    atomic_store(&a.is_ending, true);
    pthread_join(thread, NULL);
    print_message("%d records, %d failed appends\n", a.count, a.failures);
    assert_true(a.failures >= KILLS);
    struct checked c = {0};
    struct error err;
    while (c.seq < log_last(a.log))
        if (log_read(a.log, c.seq, 500, check_next, &c, &err) != STATUS_OK)
            fail_msg("%s", err.text);
    assert_int_equal(c.next, a.count);
    log_close(a.log);
}

/* --- a server that has lost something ------------------------------------------------------------ */

static void what_a_server_has_lost_is_passed_over_and_its_numbers_are_not_given_out_again(void **state)
{
    struct error err;
    start_plainly();
    struct log *l = open_log(0);
    assert_int_equal(append_text(l, "a", &err), STATUS_OK);
    end(SIGTERM);
    run("cp -r store before");
    start_plainly();
    append_soon(l, "b");
    append_soon(l, "c");
    end(SIGTERM);
    run("rm -r store && mv before store");
    start_plainly();
    append_soon(l, "d");
    assert_log_is(l, "1:a 4:d ");
    log_close(l);
}

/* --- a full one ------------------------------------------------------------------------------------ */

static void a_full_stream_takes_nothing_and_goes_on_when_it_is_trimmed(void **state)
{
    struct error err;
    start_plainly();
    struct log *l = open_log(2 << 20);
    auto_buf struct buf text = {0};
    for (int i = 0; i < 700000; i++)
        buf_putc(&text, 'x');
    struct log_record three[3];
    for (int i = 0; i < 3; i++)
        three[i] = (struct log_record){.kind = LOG_VIEWS, .payload = buf_str(&text)};
    assert_int_equal(append_text(l, "a", &err), STATUS_OK);
    assert_int_equal(log_append(l, three, 2, &err), STATUS_OK);
    assert_int_equal(log_append(l, three, 3, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "maximum bytes"));
    assert_int_equal(log_last(l), 3);
    assert_int_equal(log_trim(l, 3, &err), STATUS_OK);
    assert_int_equal(log_append(l, three, 2, &err), STATUS_OK);
    assert_int_equal(three[1].seq, 5);
    log_close(l);
}

static void a_record_whose_end_never_came_is_none(void **state)
{
    struct error err;
    start_plainly();
    struct log *l = open_log(2 << 20);
    auto_buf struct buf text = {0};
    for (int i = 0; i < 3000000; i++)
        buf_putc(&text, 'x');
    assert_int_equal(append_text(l, "a", &err), STATUS_OK);
    assert_int_equal(append_text(l, buf_text(&text), &err), STATUS_UNAVAILABLE);
    log_close(l);
    l = open_log(8 << 20);
    assert_int_equal(log_last(l), 3);
    assert_log_is(l, "1:a 3:- ");
    assert_int_equal(append_text(l, "b", &err), STATUS_OK);
    assert_log_is(l, "1:a 4:b ");
    log_close(l);
}

/* --- whose it is ----------------------------------------------------------------------------------- */

static void a_second_program_on_the_stream_is_told(void **state)
{
    struct error err;
    start_plainly();
    struct log *first = open_log(0), *second = open_log(0);
    assert_int_equal(append_text(first, "a", &err), STATUS_OK);
    assert_int_equal(append_text(second, "b", &err), STATUS_CONFLICT);
    assert_int_equal(append_text(second, "b", &err), STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "NATS_STREAM"));
    assert_log_is(first, "1:a ");
    log_close(first);
    log_close(second);
}

static void assert_refused(struct log_nats c, enum status want, const char *text)
{
    struct log *l = NULL;
    struct error err = {0};
    assert_int_equal(open_with(c, &l, &err), want);
    assert_null(l);
    if (!strstr(err.text, text))
        fail_msg("'%s' is not in: %s", text, err.text);
    assert_null(strstr(err.text, "wrong-secret"));
    auto_free char *shown = logger_redact("wrong-secret");
    if (c.token || c.password)
        assert_string_equal(shown, "***");
}

static void assert_opens(struct log_nats c)
{
    struct log *l = NULL;
    struct error err;
    if (open_with(c, &l, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    log_close(l);
}

static void who_logs_in_wrongly_is_told(void **state)
{
    auto_free char *more = xasprintf("authorization { user: me, password: right-secret }\n"
                                     "jetstream { store_dir: \"%s/store\" }", folder);
    auto_free char *url = xasprintf("nats://me:right-secret@127.0.0.1:%d", port);
    auto_free char *wrong = xasprintf("nats://me:wrong-secret@127.0.0.1:%d", port);
    start(more);
    assert_opens((struct log_nats){.user = "me", .password = "right-secret"});
    assert_opens((struct log_nats){.url = url});
    assert_refused((struct log_nats){0}, STATUS_UNAUTHORIZED, "NATS_PASSWORD");
    assert_refused((struct log_nats){.user = "me", .password = "wrong-secret"}, STATUS_UNAUTHORIZED,
                   "NATS_PASSWORD");
    assert_refused((struct log_nats){.url = wrong}, STATUS_UNAUTHORIZED, "NATS_PASSWORD");
    end(SIGTERM);
    auto_free char *with_token = xasprintf("authorization { token: right-secret }\n"
                                           "jetstream { store_dir: \"%s/store\" }", folder);
    auto_free char *token_url = xasprintf("nats://right-secret@127.0.0.1:%d", port);
    start(with_token);
    assert_opens((struct log_nats){.token = "right-secret"});
    assert_opens((struct log_nats){.url = token_url});
    assert_refused((struct log_nats){.token = "wrong-secret"}, STATUS_UNAUTHORIZED, "NATS_TOKEN");
}

static void a_server_without_jetstream_is_told(void **state)
{
    start("");
    assert_refused((struct log_nats){0}, STATUS_INVALID, "-js");
}

static void where_no_server_is_the_address_is_told(void **state)
{
    auto_free char *where = xasprintf("127.0.0.1:%d", port);
    assert_refused((struct log_nats){.patience_us = 1}, STATUS_UNAVAILABLE, where);
}

static void a_certificate_must_be_known_and_be_the_hosts(void **state)
{
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem");
    auto_free char *more = xasprintf("tls { cert_file: \"%s/cert.pem\", key_file: \"%s/key.pem\" }\n"
                                     "jetstream { store_dir: \"%s/store\" }", folder, folder, folder);
    auto_free char *ca = xasprintf("%s/cert.pem", folder);
    auto_free char *url = xasprintf("tls://localhost:%d", port);
    auto_free char *by_number = xasprintf("tls://127.0.0.1:%d", port);
    start(more);
    assert_opens((struct log_nats){.url = url, .ca_file = ca});
    assert_refused((struct log_nats){.url = url}, STATUS_DENIED, "certificate");
    assert_refused((struct log_nats){.url = by_number, .ca_file = ca}, STATUS_DENIED, "SSL");
    assert_refused((struct log_nats){0}, STATUS_DENIED, "certificate");
    assert_refused((struct log_nats){.url = url, .ca_file = "/no/such"}, STATUS_INVALID, "/no/such");
}

static void an_address_has_to_be_one(void **state)
{
    static const struct {
        const char *url;
        bool is_right;
    } cases[] = {{"nats://a:4222", true},      {"tls://u:p@a", true},  {"nats://t@[::1]:4222/", true},
                 {"http://a:4222", false},     {"a:4222", false},      {"nats://", false},
                 {"nats://:4222", false},      {"nats://a,b", false},  {"nats://a/path", false},
                 {"nats://a b", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err;
        enum status s = log_check_nats_url(cases[i].url, &err);
        if ((s == STATUS_OK) != cases[i].is_right)
            fail_msg("%s", cases[i].url);
    }
}

int main(void)
{
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_server_that_is_killed_loses_and_doubles_nothing),
        T(what_a_server_has_lost_is_passed_over_and_its_numbers_are_not_given_out_again),
        T(a_full_stream_takes_nothing_and_goes_on_when_it_is_trimmed),
        T(a_record_whose_end_never_came_is_none),
        T(a_second_program_on_the_stream_is_told),
        T(who_logs_in_wrongly_is_told),
        T(a_server_without_jetstream_is_told),
        T(where_no_server_is_the_address_is_told),
        T(a_certificate_must_be_known_and_be_the_hosts),
        T(an_address_has_to_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
