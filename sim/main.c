#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/logger.h"
#include "base/mem.h"
#include "sim.h"

#include "base/banned.h"

static volatile sig_atomic_t is_ended;

static const char *const words[] = {
#define SERVER_KIND(NAME, word, ...) #word,
#include "model/server_kinds.def"
#undef SERVER_KIND
};
static const char *const labels[] = {
#define SERVER_KIND(NAME, word, article, label, ...) label,
#include "model/server_kinds.def"
#undef SERVER_KIND
};

static void on_signal(int number)
{
    is_ended = 1;
}

/* Up to KINDS: how many servers of each kind. */
enum option_key { OPT_SEED = KINDS, OPT_SESSIONS, OPT_SPEED, OPT_DAYS, OPT_PORT_BASE, OPT_OUT,
                  OPT_ROWS, OPT_LEGACY_OFF, OPT_UNTIL, OPT_SERVERS };

struct settings {
    int64_t count[KINDS], seed, sessions, days, port_base, rows, until_s, servers;
    double speed;
    const char *out;
    bool is_legacy_auth_off;
};

static const char usage[] =
    "usage: cartographus-sim serve"
#define SERVER_KIND(NAME, word, ...) " [--" #word " N]"
#include "model/server_kinds.def"
#undef SERVER_KIND
    "\n"
    "                              [--seed S] [--sessions M] [--speed X] [--days D] [--until T]\n"
    "                              [--port-base P] [--legacy-auth-off]\n"
    "       cartographus-sim tautulli --out FILE [--seed S] [--days D] [--until T] [--rows N]\n"
    "                              [--servers N]\n"
    "Without a number of servers: one of each kind. The past are the D days before T (seconds since\n"
    "1970; else now); with 0 there is none. A database made with the same seed, days, T and number of\n"
    "servers is the past of the first server.\n";

static bool read_settings(int argc, char **argv, struct settings *t)
{
    static const struct option options[] = {
#define SERVER_KIND(NAME, word, ...) {#word, required_argument, NULL, KIND_##NAME},
#include "model/server_kinds.def"
#undef SERVER_KIND
        {"seed", required_argument, NULL, OPT_SEED},
        {"sessions", required_argument, NULL, OPT_SESSIONS},
        {"speed", required_argument, NULL, OPT_SPEED},
        {"days", required_argument, NULL, OPT_DAYS},
        {"port-base", required_argument, NULL, OPT_PORT_BASE},
        {"out", required_argument, NULL, OPT_OUT},
        {"rows", required_argument, NULL, OPT_ROWS},
        {"until", required_argument, NULL, OPT_UNTIL},
        {"servers", required_argument, NULL, OPT_SERVERS},
        {"legacy-auth-off", no_argument, NULL, OPT_LEGACY_OFF},
        {0},
    };
    *t = (struct settings){.seed = 1, .sessions = 4, .days = 365, .speed = 1, .servers = 1,
                           .until_s = clock_now_us() / US_PER_S};
    int64_t *const numbers[] = {
        [OPT_SEED] = &t->seed, [OPT_SESSIONS] = &t->sessions, [OPT_DAYS] = &t->days,
        [OPT_PORT_BASE] = &t->port_base, [OPT_ROWS] = &t->rows, [OPT_UNTIL] = &t->until_s,
        [OPT_SERVERS] = &t->servers};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == '?')
            return false;
        if (c == OPT_OUT)
            t->out = optarg;
        else if (c == OPT_LEGACY_OFF)
            t->is_legacy_auth_off = true;
        else if (c == OPT_SPEED) {
            if (!str_to_double(str_of(optarg), &t->speed) || t->speed <= 0)
                return false;
        } else {
            int64_t *number = c < KINDS ? &t->count[c] : numbers[c];
            if (!str_to_i64(str_of(optarg), number) || *number < 0)
                return false;
        }
    }
    int64_t all = 0;
    for (unsigned k = 0; k < KINDS; k++)
        all += t->count[k];
    for (unsigned k = 0; k < KINDS && !all; k++)
        t->count[k] = 1;
    return t->days <= 36500 && t->port_base <= 65000 && t->rows <= 20000000 &&
           t->until_s <= (int64_t)100000 * 86400 && t->servers >= 1 && t->servers <= 48 &&
           all <= SERVERS_MAX;
}

static enum status add_server(struct sim *m, enum server_kind kind, unsigned nth, int64_t port_base,
                              struct error *err)
{
    static const char *const versions[KINDS] = {
        [KIND_PLEX] = "1.43.3.10611-1e34174b1",
        [KIND_JELLYFIN] = "10.11.11",
        [KIND_EMBY] = "4.8.11.0",
    };
    struct sim_server *s = &m->servers[m->n_servers];
    s->sim = m;
    s->number = m->n_servers++;
    s->kind = kind;
    s->next_key = 1;
    s->salt = mix(m->world->seed, 1000 + s->number);
    pthread_mutex_init(&s->ws_lock, NULL);
    snprintf(s->name, sizeof(s->name), "%s %u", labels[kind], nth + 1);
    snprintf(s->version, sizeof(s->version), "%s",
             kind == KIND_JELLYFIN && m->is_legacy_auth_off ? "12.0.0" : versions[kind]);
    snprintf(s->token, sizeof(s->token), "%016llx%016llx",
             (unsigned long long)mix(s->salt, 1), (unsigned long long)mix(s->salt, 2));
    world_machine_id(m->world->seed, s->number, kind == KIND_PLEX, s->id);
    uint16_t port = port_base ? (uint16_t)(port_base + s->number) : 0;
    return server_listen(s, port, err);
}

static void say_ready(const struct sim *m)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    char url[64];
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_array(&w, "servers");
    for (unsigned i = 0; i < m->n_servers; i++) {
        snprintf(url, sizeof(url), "http://127.0.0.1:%u", m->servers[i].port);
        jw_object(&w);
        jw_kv_text(&w, "kind", words[m->servers[i].kind]);
        jw_kv_text(&w, "url", url);
        jw_kv_text(&w, "token", m->servers[i].token);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", http_server_port(m->control));
    jw_kv_text(&w, "control", url);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", plex_tv_port(m));
    jw_kv_text(&w, "plex_tv", url);
    jw_object_end(&w);
    puts(buf_text(&b));
    fflush(stdout);
}

/* Until standard input is closed or a signal comes: who started us takes us along. */
static void wait_for_end(void)
{
    while (!is_ended) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        char drop[256];
        if (poll(&in, 1, 500) > 0 && read(STDIN_FILENO, drop, sizeof(drop)) <= 0)
            break;
    }
}

static int serve(const struct settings *t)
{
    struct error err = {0};
    struct sim *m = xcalloc(1, sizeof(*m));
    pthread_mutex_init(&m->lock, NULL);
    m->world = world_new((uint64_t)t->seed, 20);
    m->rng.state = mix((uint64_t)t->seed, 9);
    m->speed = t->speed;
    m->most_sessions = (unsigned)t->sessions;
    m->is_legacy_auth_off = t->is_legacy_auth_off;
    m->born_us = clock_now_us();
    unsigned all = 0;
    for (unsigned kind = 0; kind < KINDS; kind++)
        all += (unsigned)t->count[kind];
    m->n_past = world_history(m->world, all, t->until_s, (unsigned)t->days, 0, &m->past);
    enum status status = STATUS_OK;
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned n = 0; n < t->count[kind] && status == STATUS_OK; n++)
            status = add_server(m, (enum server_kind)kind, n, t->port_base, &err);
    const struct http_server_config control = {
        .host = "127.0.0.1", .port = t->port_base ? (uint16_t)(t->port_base + all) : 0,
        .threads = 1, .ctx = m, .handle = control_handle};
    if (status == STATUS_OK)
        status = http_server_start(&control, &m->control, &err);
    if (status == STATUS_OK)
        status = plex_tv_open(m, t->port_base ? (uint16_t)(t->port_base + all + 1) : 0, &err);
    if (status != STATUS_OK) {
        fprintf(stderr, "cartographus-sim: %s\n", err.text);
        return 1;
    }
    pthread_t engine;
    if (pthread_create(&engine, NULL, engine_run, m) != 0)
        return 1;
    say_ready(m);
    wait_for_end();
    atomic_store(&m->is_over, true);
    pthread_join(engine, NULL);
    http_server_stop(m->control);
    plex_tv_close(m);
    for (unsigned i = 0; i < m->n_servers; i++)
        server_close(&m->servers[i]);
    for (unsigned i = 0; i < m->n_sessions; i++)
        free(m->sessions[i]);
    free(m->past);
    world_free(m->world);
    free(m);
    return 0;
}

int main(int argc, char **argv)
{
    struct settings t;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    logger_setup(LOG_WARN, LOG_FORMAT_LOGFMT);
    if (argc >= 2 && read_settings(argc - 1, argv + 1, &t)) {
        if (streq(argv[1], "serve"))
            return serve(&t);
        const struct tautulli_options o = {.path = t.out, .seed = (uint64_t)t.seed,
                                           .days = (unsigned)t.days, .rows = (size_t)t.rows,
                                           .until_s = t.until_s, .servers = (unsigned)t.servers};
        if (streq(argv[1], "tautulli") && t.out)
            return tautulli_write(&o);
    }
    fputs(usage, stderr);
    return 2;
}
