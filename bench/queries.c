/*
 * Every query on a store of invented plays: bench_queries FOLDER PLAYS. Prints, of each, the first
 * CPU milliseconds, the best of some, the same SQL run without counting or writing rows, and the
 * cached answer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "analytics/analytics.h"
#include "analytics/answer.h"
#include "base/clock.h"
#include "base/mem.h"

/* Three years up to 2026-03-20 of plays, the newest last, as history comes in. */
static const char plays_sql[] =
    "insert into server (server_id, key, kind, name, machine_id, version,"
    " latitude, longitude) select i, 'plex-' || i, 'plex', 'Server ' || i, null, null, 52.5, 13.4"
    "  from range(1, 4) t(i);"
    "insert into person select i, 'Person ' || i from range(1, 201) t(i);"
    "insert into account (account_id, server_id, key, name, email,"
    " is_owner, person_id) select i, 1 + i % 3, 'a' || i, 'Account ' || i, null, false, 1 + i % 200"
    "  from range(1, 301) t(i);"
    "insert into library select i, 1 + i % 3, 'l' || i, 'Library ' || i, 'movie' from range(1, 10) t(i);"
    "insert into title select i, case when i % 10 < 2 then 'movie' when i % 10 < 9 then 'episode'"
    "  else 'track' end, 'Title ' || i, null, 'Show ' || (i // 40), 1, i % 40, 1970 + i % 55,"
    "  2400000, null, ['Drama'], 'Show ' || (i // 40) || ' - Title ' || i from range(1, 20001) t(i);"
    "insert into device select i, 'm' || i, 'Player ' || i, 'Plex', '1', 'Platform ' || (i % 12), '1'"
    "  from range(1, 601) t(i);"
    "insert into quality (quality_id, transcode_decision, video_decision, audio_decision, container,"
    "  video_codec, video_resolution, audio_codec) select i,"
    "  ['direct play', 'copy', 'transcode'][1 + i % 3], ['direct play', 'copy', 'transcode'][1 + i % 3],"
    "  'copy', 'mkv', 'hevc', ['4k', '1080', '720'][1 + i % 3], 'aac' from range(1, 301) t(i);"
    "insert into place select i, 'DE', 'Germany', null, 'City ' || i, 40 + i % 20, i % 30"
    "  from range(1, 401) t(i);"
    "insert into address select i, '1.2.3.' || i, case when i % 5 = 0 then 'lan' else 'public' end,"
    "  case when i % 5 > 0 then 1 + i % 400 end from range(1, 2001) t(i);"
    "insert into coverage select 1 + i % 3, timestamp '2023-03-20' + interval (i) day,"
    "  timestamp '2023-03-20' + interval (i) day + interval 20 minute, 'blind', 'restart'"
    "  from range(1, 1000, 30) t(i);"
    "create temp table seed as select i as id, timestamp '2023-03-20 00:00:00'"
    "    + to_microseconds((i * (94608000000000 / $plays))::bigint) as started,"
    "  1 + (hash(i) % 300)::bigint as account, 1 + (hash(i + 1) % 20000)::bigint as title_id, (10 + hash(i + 2) % 80)::bigint as minutes,"
    "  (hash(i + 3) % 100)::bigint as luck from range(1, $plays + 1) t(i);"
    "insert into segment select id, id, case when luck < 50 then 'live' else 'import' end,"
    "  1 + account % 3, account, title_id, 1 + title_id % 9, 1 + account * 2 % 600, 1 + (id % 300),"
    "  1 + (account * 7 + luck // 30) % 2000, started, started + to_minutes(minutes), minutes * 54000,"
    "  minutes * 54000, minutes * 54000, minutes * 6000, 0, minutes * 60000, 2400000, null, 'lan', true,"
    "  false, 8000, 8000, 6000, false, false, case when luck < 50 then [epoch_us(started),"
    "  epoch_us(started) + minutes * 24000000, epoch_us(started) + minutes * 30000000,"
    "  epoch_us(started) + minutes * 60000000] end from seed;"
    "insert into play select id, 'play', case when luck < 50 then 'live' else 'import' end,"
    "  1 + account % 3, account, title_id, 1 + title_id % 9, media_type, started,"
    "  started + to_minutes(minutes), minutes * 54000, minutes * 54000, minutes * 54000, minutes * 6000,"
    "  minutes * 60000, 2400000, least(100.0, minutes * 2.5), minutes > 35, luck = 99, false, 1, luck = 98,"
    "  case when luck = 98 then 'deleted' end from seed join title using (title_id) order by started;"
    "insert into observation select id * 4 + k, id, ['playing', 'paused', 'playing'][k + 1],"
    "  started + to_minutes(k * 3), started + to_minutes(k * 3 + 2), null, null, k * 180000,"
    "  k * 180000, 0, false, null from seed, range(3) states(k) where luck < 25;"
    "checkpoint;";

/* Of all threads, so that other work on the machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

static double ms_since(int64_t us)
{
    return (double)(cpu_us() - us) / 1000;
}

static int give_up(const struct error *err)
{
    fprintf(stderr, "%s\n", err->text);
    return 1;
}

static enum status make_store(struct store_conn *c, const char *plays, struct error *err)
{
    struct str rest = STR(""), piece;
    auto_buf struct buf sql = {0};
    rest = str_of(plays_sql);
    while (str_next(&rest, '$', &piece)) {
        if (sql.len)
            buf_puts(&sql, plays);
        buf_add_str(&sql, sql.len ? (struct str){piece.ptr + 5, piece.len - 5} : piece);
    }
    return store_exec(c, buf_text(&sql), err);
}

struct timing {
    double first, best, direct, cached;
    size_t bytes;
};

static const struct filter_config all = {
    .time_zone = "Europe/Berlin", .now_us = INT64_C(1774000000000000), .sees_all = true};

/* The window, and for a query that takes any text what BENCH_TEXT says. */
static enum status take(struct question *q, const char *days, struct error *err)
{
    const struct query *query = question_query(q);
    const char *text = getenv("BENCH_TEXT");
    for (size_t i = 0; i < query->param_count; i++)
        if (query->params[i].type == QUERY_TEXT && !query->params[i].choices)
            TRY(question_take(q, query->params[i].name, text ? text : "tilte 4711", err));
    return question_take(q, "days", days, err);
}

static enum status ask(struct analytics *a, const struct query *query, const char *days,
                       struct store_conn *c, struct buf *out, struct error *err)
{
    struct question *q = question_new(query, &all);
    auto_buf struct buf key = {0};
    enum status s = take(q, days, err);
    if (s == STATUS_OK)
        s = question_finish(q, err);
    analytics_key(a, q, &key);
    if (s == STATUS_OK && !analytics_remembered(a, q, buf_text(&key), out))
        s = analytics_answer(a, q, buf_text(&key), c, out, err);
    question_free(q);
    return s;
}

static enum status measure(struct store *store, struct store_conn *c, const struct query *query,
                           const char *days, struct timing *ret, struct error *err)
{
    *ret = (struct timing){.best = 1e9, .direct = 1e9};
    for (int i = 0; i < 4; i++) {
        struct analytics *a = analytics_new(store, 1 << 24);
        auto_buf struct buf out = {0};
        int64_t started = cpu_us();
        TRY(ask(a, query, days, c, &out, err));
        double took = ms_since(started);
        ret->first = i ? ret->first : took;
        ret->best = took < ret->best ? took : ret->best;
        ret->bytes = out.len;
        buf_clear(&out);
        started = cpu_us();
        TRY(ask(a, query, days, c, &out, err));
        ret->cached = ms_since(started);
        analytics_free(a);
        struct question *q = question_new(query, &all);
        TRY(take(q, days, err));
        TRY(question_resolve(q, c, err));
        started = cpu_us();
        enum status s = answer_discard(q, c, err);
        took = ms_since(started);
        ret->direct = took < ret->direct ? took : ret->direct;
        question_free(q);
        TRY(s);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_queries FOLDER PLAYS\n");
        return 2;
    }
    struct error err = {0};
    auto_free char *path = xasprintf("%s/bench-%s.duckdb", argv[1], argv[2]);
    struct stat known;
    bool is_new = stat(path, &known) != 0;
    struct store_config config = {.path = path, .max_memory = "1GB"};
    struct store *store = NULL;
    struct store_conn *c = NULL;
    if (store_open(&config, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &c, &err) != STATUS_OK)
        return give_up(&err);
    if (is_new && make_store(c, argv[2], &err) != STATUS_OK)
        return give_up(&err);
    printf("%-20s %-5s %10s %10s %10s %6s %10s %9s\n", "query", "days", "first ms", "best ms",
           "direct ms", "ratio", "cached ms", "bytes");
    static const char *const windows[] = {"", "365", "30"};
    for (size_t i = 0; i < query_count; i++) {
        if (argc > 3 && !strstr(argv[3], query_catalogue[i].name))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(windows); k++) {
            struct timing t;
            if (measure(store, c, &query_catalogue[i], windows[k], &t, &err) != STATUS_OK) {
                (void)fail_prefix(&err, "%s", query_catalogue[i].name);
                return give_up(&err);
            }
            printf("%-20s %-5s %10.1f %10.1f %10.1f %6.2f %10.3f %9zu\n", query_catalogue[i].name,
                   *windows[k] ? windows[k] : "all", t.first, t.best, t.direct, t.best / t.direct,
                   t.cached, t.bytes);
            fflush(stdout);
        }
    }
    store_disconnect(c);
    store_close(store);
    return 0;
}
