#include "api/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "analytics/analytics.h"
#include "api/backups.h"
#include "api/pool.h"
#include "api/process.h"
#include "api/servers_now.h"
#include "auth/audit.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "live/live.h"
#include "log/log.h"
#include "net/ws_hub.h"
#include "sources/source.h"

#include "base/banned.h"

/* Upper bounds, in microseconds, and as Prometheus has them. */
static const struct {
    int64_t us;
    const char *le;
} buckets[] = {{1000, "0.001"},   {5000, "0.005"},   {25000, "0.025"},   {100000, "0.1"},
               {250000, "0.25"},  {1000000, "1"},    {2500000, "2.5"},   {10000000, "10"}};

enum { CLASSES = 5 }; /* 1xx to 5xx */

struct route_counts {
    _Atomic int64_t classes[CLASSES];
    _Atomic int64_t buckets[ARRAY_LEN(buckets) + 1]; /* the last: longer than all of them */
    _Atomic int64_t took_us;
};

static const struct {
    const char *label, *file;
} files[] = {{"store", "cartographus.duckdb"}, {"store_wal", "cartographus.duckdb.wal"},
             {"log", "log.sqlite"},            {"accounts", "cartographus.sqlite"}};

/* What a look at disk and store has found. */
struct looked {
    bool is_there;
    int64_t plays;
    size_t servers;
    struct {
        enum server_kind kind;
        int64_t gaps, blind_s;
    } coverage[SERVERS_MAX];
    int64_t bytes[ARRAY_LEN(files)];
    int64_t backups, backup_made_us, backup_bytes;
};

struct metrics {
    struct route_counts *routes;
    size_t route_count;
    _Atomic bool is_looking;
    pthread_mutex_t mutex; /* guards looked */
    struct looked looked;
};

struct metrics *metrics_new(size_t routes)
{
    struct metrics *m = xcalloc(1, sizeof *m);
    m->routes = xcalloc(routes, sizeof *m->routes);
    m->route_count = routes;
    pthread_mutex_init(&m->mutex, NULL);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->mutex);
    free(m->routes);
    free(m);
}

void metrics_count(struct metrics *m, size_t route, int http_status, int64_t took_us)
{
    if (route >= m->route_count || http_status < 100 || http_status >= 100 * (CLASSES + 1))
        return;
    struct route_counts *c = &m->routes[route];
    size_t b = 0;
    while (b < ARRAY_LEN(buckets) && took_us > buckets[b].us)
        b++;
    c->classes[http_status / 100 - 1]++;
    c->buckets[b]++;
    c->took_us += took_us;
}

/* --- the look ---------------------------------------------------------------------------------- */

static enum status look_at_coverage(struct api *a, struct store_conn *c, struct looked *l,
                                    struct error *err)
{
    static const char gaps[] = "select count(*) from coverage join server using (server_id)"
                               " where key = $1 and state = 'blind'";
    static const char blind[] =
        "select coalesce(sum(epoch(coalesce(ended, now() at time zone 'UTC') - started)), 0)::bigint"
        " from coverage join server using (server_id) where key = $1 and state = 'blind'";
    auto_server_list struct server_list *servers = servers_get(a->config.servers);
    for (; l->servers < servers->count && l->servers < SERVERS_MAX; l->servers++) {
        const struct server_config *server = &servers->entries[l->servers].config;
        struct store_value key = {.kind = SV_TEXT, .s = str_of(server->key)};
        l->coverage[l->servers].kind = server->kind;
        TRY(store_query_int(c, gaps, &key, 1, 0, &l->coverage[l->servers].gaps, err));
        TRY(store_query_int(c, blind, &key, 1, 0, &l->coverage[l->servers].blind_s, err));
    }
    return STATUS_OK;
}

static void look_at_files(const char *folder, struct looked *l)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        auto_free char *path = xasprintf("%s/%s", folder, files[i].file);
        struct stat st;
        l->bytes[i] = stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
    }
}

static void look_at_backups(const char *folder, struct looked *l)
{
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    if (backup_list(folder, &list, &count, NULL) != STATUS_OK || count == 0)
        return;
    l->backups = (int64_t)count;
    l->backup_made_us = list[0].made_us;
    l->backup_bytes = list[0].bytes;
}

static void look(void *ctx, struct store_conn *c)
{
    struct api *a = ctx;
    struct metrics *m = a->metrics;
    struct looked l = {.is_there = true};
    struct error err = {0};
    enum status s = store_query_int(c, "select count(*) from play where not is_hidden and kind = 'play'",
                                    NULL, 0, 0, &l.plays, &err);
    if (s == STATUS_OK)
        s = look_at_coverage(a, c, &l, &err);
    look_at_files(a->config.config->data_dir, &l);
    look_at_backups(a->config.backups->folder, &l);
    if (s != STATUS_OK) {
        log_debug("metrics", "the store could not be looked at", LF_ERROR(&err));
        l.is_there = false;
    }
    pthread_mutex_lock(&m->mutex);
    m->looked = l;
    pthread_mutex_unlock(&m->mutex);
    m->is_looking = false;
}

void metrics_refresh(struct api *a)
{
    struct metrics *m = a->metrics;
    if (!atomic_exchange(&m->is_looking, true) && !pool_call(a->pool, look, a))
        m->is_looking = false;
}

/* --- the text ---------------------------------------------------------------------------------- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help, int64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void seconds(struct buf *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %.6f\n", name, value);
}

/* A text as a label's value has it. */
static void add_label(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            buf_putc(out, '\\');
        buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

static void write_process(const struct api *a, struct buf *out)
{
    struct process_facts p;
    process_look(&p);
    int64_t uptime_us = clock_monotonic_us() - a->started_us;
    head(out, "cartographus_build_info", "gauge", "The version that runs; always 1.");
    buf_puts(out, "cartographus_build_info{version=\"");
    add_label(out, a->config.version);
    buf_puts(out, "\"} 1\n");
    seconds(out, "cartographus_uptime_seconds", "gauge", "Since the start.", (double)uptime_us / 1e6);
    seconds(out, "process_start_time_seconds", "gauge", "When the process started, in Unix time.",
            (double)(clock_now_us() - uptime_us) / 1e6);
    seconds(out, "process_cpu_seconds_total", "counter", "Time of a processor that was used.", p.cpu_s);
    one(out, "process_resident_memory_bytes", "gauge", "Memory in use.", p.memory_bytes);
    one(out, "process_virtual_memory_bytes", "gauge", "Addresses in use.", p.virtual_bytes);
    one(out, "process_open_fds", "gauge", "Open files and sockets.", p.open_files);
    one(out, "process_max_fds", "gauge", "Most that may be open.", p.most_files);
    one(out, "cartographus_memory_peak_bytes", "gauge", "Most memory ever in use.", p.memory_peak_bytes);
    one(out, "cartographus_threads", "gauge", "Threads of the process.", p.threads);
}

static int64_t answers_of(const struct route_counts *c)
{
    int64_t all = 0;
    for (size_t k = 0; k < CLASSES; k++)
        all += c->classes[k];
    return all;
}

static void add_route(struct buf *out, const char *name, const struct route *r)
{
    buf_printf(out, "%s{method=\"%s\",route=\"%s\"", name, r->method, r->pattern);
}

static void write_durations(const struct route *r, const struct route_counts *c, struct buf *out)
{
    int64_t sum = 0;
    for (size_t b = 0; b <= ARRAY_LEN(buckets); b++) {
        sum += c->buckets[b];
        add_route(out, "cartographus_http_request_duration_seconds_bucket", r);
        buf_printf(out, ",le=\"%s\"} %lld\n", b < ARRAY_LEN(buckets) ? buckets[b].le : "+Inf",
                   (long long)sum);
    }
    add_route(out, "cartographus_http_request_duration_seconds_sum", r);
    buf_printf(out, "} %.6f\n", (double)c->took_us / 1e6);
    add_route(out, "cartographus_http_request_duration_seconds_count", r);
    buf_printf(out, "} %lld\n", (long long)sum);
}

static void write_requests(const struct metrics *m, struct buf *out)
{
    head(out, "cartographus_http_requests_total", "counter",
         "Requests answered, by route and class of the status.");
    for (size_t i = 0; i < m->route_count; i++)
        for (size_t k = 0; k < CLASSES; k++)
            if (m->routes[i].classes[k] > 0) {
                add_route(out, "cartographus_http_requests_total", &api_routes[i]);
                buf_printf(out, ",status=\"%zuxx\"} %lld\n", k + 1, (long long)m->routes[i].classes[k]);
            }
    head(out, "cartographus_http_request_duration_seconds", "histogram",
         "Time from a request to its answer, by route.");
    for (size_t i = 0; i < m->route_count; i++)
        if (answers_of(&m->routes[i]) > 0)
            write_durations(&api_routes[i], &m->routes[i], out);
}

static void write_queries(struct api *a, struct buf *out)
{
    struct pool_stats p;
    struct analytics_stats c;
    pool_get_stats(a->pool, &p);
    analytics_get_stats(a->analytics, &c);
    one(out, "cartographus_query_queue_length", "gauge", "Requests that wait for a query worker.",
        (int64_t)p.waiting);
    one(out, "cartographus_query_queue_capacity", "gauge", "Most that may wait; more are answered with 503.",
        (int64_t)p.most_waiting);
    one(out, "cartographus_query_workers", "gauge", "Query workers.", p.workers);
    one(out, "cartographus_query_workers_busy", "gauge", "Query workers that answer a request now.", p.busy);
    one(out, "cartographus_cache_hits_total", "counter", "Answers given from memory.", c.hits);
    one(out, "cartographus_cache_misses_total", "counter", "Answers that were worked out.", c.misses);
    one(out, "cartographus_cache_bytes", "gauge", "Answers kept in memory.", (int64_t)c.bytes);
    one(out, "cartographus_cache_entries", "gauge", "How many they are.", (int64_t)c.entries);
}

static void write_looked(const struct looked *l, struct buf *out)
{
    one(out, "cartographus_plays", "gauge", "Plays in the store.", l->plays);
    head(out, "cartographus_file_bytes", "gauge", "Size of each database in the data folder.");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        buf_printf(out, "cartographus_file_bytes{file=\"%s\"} %lld\n", files[i].label,
                   (long long)l->bytes[i]);
    one(out, "cartographus_backups", "gauge", "Backups that there are.", l->backups);
    if (l->backups > 0) {
        int64_t age_us = clock_now_us() - l->backup_made_us;
        one(out, "cartographus_backup_age_seconds", "gauge", "Age of the newest backup.",
            age_us > 0 ? age_us / US_PER_S : 0);
        one(out, "cartographus_backup_bytes", "gauge", "Size of the newest backup.", l->backup_bytes);
    }
    head(out, "cartographus_coverage_gaps", "gauge", "Spans in which a server was not seen.");
    for (size_t i = 0; i < l->servers; i++)
        buf_printf(out, "cartographus_coverage_gaps{server=\"%zu\",kind=\"%s\"} %lld\n", i + 1,
                   server_kind_name(l->coverage[i].kind), (long long)l->coverage[i].gaps);
    head(out, "cartographus_coverage_gap_seconds", "gauge", "Their length in all.");
    for (size_t i = 0; i < l->servers; i++)
        buf_printf(out, "cartographus_coverage_gap_seconds{server=\"%zu\",kind=\"%s\"} %lld\n", i + 1,
                   server_kind_name(l->coverage[i].kind), (long long)l->coverage[i].blind_s);
}

static void write_servers(struct api *a, struct buf *out)
{
    auto_servers_now struct servers_now now = servers_now_get(a);
    head(out, "cartographus_server_state", "gauge", "State of each media server: 1 for the one it is in.");
    for (size_t i = 0; i < now.list->count; i++)
        buf_printf(out, "cartographus_server_state{server=\"%zu\",kind=\"%s\",state=\"%s\"} 1\n", i + 1,
                   server_kind_name(now.all[i].entry->config.kind), now.all[i].state);
    head(out, "cartographus_server_up", "gauge", "1: it is watched, by live updates or by asking.");
    for (size_t i = 0; i < now.list->count; i++)
        buf_printf(out, "cartographus_server_up{server=\"%zu\",kind=\"%s\"} %d\n", i + 1,
                   server_kind_name(now.all[i].entry->config.kind), server_is_watched(&now.all[i]));
}

static const char *const decisions[] = {"direct play", "copy", "transcode", "unknown"};
struct decided {
    int64_t counts[ARRAY_LEN(decisions)];
};

static void count_session(void *ctx, const struct observation *o)
{
    struct decided *d = ctx;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(decisions) &&
           !streq(o->transcode_decision, decisions[i]))
        i++;
    d->counts[i]++;
}

static void write_live(struct api *a, struct buf *out)
{
    struct decided d = {0};
    live_each(a->config.live, count_session, &d);
    head(out, "cartographus_sessions", "gauge", "What plays now, by how it is delivered.");
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++)
        buf_printf(out, "cartographus_sessions{decision=\"%s\"} %lld\n", decisions[i],
                   (long long)d.counts[i]);
    one(out, "cartographus_websocket_clients", "gauge", "Browsers with live updates.",
        (int64_t)ws_hub_count(a->hub));
}

static void write_log(struct api *a, struct buf *out)
{
    struct ingest_stats i;
    ingest_get_stats(a->config.ingest, &i);
    int64_t lag = log_last(a->config.log) - i.position;
    one(out, "cartographus_log_position", "gauge", "Newest record of the log that is in the store.",
        i.position);
    one(out, "cartographus_log_lag", "gauge", "Records of the log that wait for it.", lag > 0 ? lag : 0);
    one(out, "cartographus_log_skipped_total", "counter", "Records that were left out.", i.skipped);
    one(out, "cartographus_store_failures_total", "counter", "Batches that the store refused.", i.failures);
}

static void write_access(struct api *a, struct buf *out)
{
    struct audit_counts c;
    audit_get_counts(a->config.auth, &c);
    one(out, "cartographus_logins_total", "counter", "Logins that were right.", c.logins);
    one(out, "cartographus_logins_refused_total", "counter", "Logins that were refused.", c.refused_logins);
    one(out, "cartographus_audit_lost_total", "counter", "Rows of the audit log that were not written.",
        c.lost);
}

void metrics_write(struct api *a, struct buf *out)
{
    struct metrics *m = a->metrics;
    pthread_mutex_lock(&m->mutex);
    struct looked l = m->looked;
    pthread_mutex_unlock(&m->mutex);
    write_process(a, out);
    write_requests(m, out);
    write_queries(a, out);
    if (l.is_there)
        write_looked(&l, out);
    write_servers(a, out);
    write_live(a, out);
    write_log(a, out);
    write_access(a, out);
}

void handle_metrics(struct request *r)
{
    struct buf out = {0};
    metrics_write(r->api, &out);
    struct http_exchange *x = r->x;
    size_t len = out.len;
    request_release_no_store(r, 200);
    http_reply_take(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_steal(&out), len);
}
