/*
 * Every query on a store of invented plays, FOLDER/cartographus.duckdb, which is made where it is not
 * there. Prints, of each, the first CPU milliseconds, the best of some, the same SQL run without
 * counting or writing rows, and the cached answer. With `sum` a sum of the rows of each, to compare two builds by; with `profile` what DuckDB
 * spent where, as JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
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
    "  epoch_us(started) + minutes * 60000000] end, media_type, 'play', luck = 99, luck = 98,"
    "  case when luck = 98 then 'deleted' end, started, true from seed join title using (title_id) order by id;"
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
    double first, best, direct, cached; /* CPU ms */
    double wall;                        /* ms, the least */
    size_t bytes;
};

static double wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const struct filter_config all = {
    .time_zone = "Europe/Berlin", .now_us = INT64_C(1774000000000000), .sees_all = true};

/* For a query that takes any text, what BENCH_TEXT says. */
static struct question *new_question(const struct query *query)
{
    struct question *q = question_new(query, &all);
    const char *text = getenv("BENCH_TEXT");
    for (size_t i = 0; i < query->param_count; i++)
        if (query->params[i].type == QUERY_TEXT && !query->params[i].choices)
            (void)question_take(q, query->params[i].name, text ? text : "tilte 4711", NULL);
    return q;
}

static enum status ask(struct analytics *a, const struct query *query, struct store_conn *c,
                       struct buf *out, struct error *err)
{
    struct question *q = new_question(query);
    auto_buf struct buf key = {0};
    enum status s = question_finish(q, err);
    analytics_key(a, q, &key);
    if (s == STATUS_OK && !analytics_remembered(a, buf_text(&key), out))
        s = analytics_answer(a, q, buf_text(&key), c, out, err);
    question_free(q);
    return s;
}

/* Runs it once and prints what DuckDB spent where. */
static enum status profile(struct store_conn *c, const struct query *query, struct error *err)
{
    struct question *q = new_question(query);
    enum status s = question_resolve(q, c, err);
    if (s == STATUS_OK)
        s = store_exec(c, "pragma enable_profiling = 'json'", err);
    if (s == STATUS_OK)
        s = answer_discard(q, c, err);
    question_free(q);
    return s == STATUS_OK ? store_exec(c, "pragma disable_profiling", err) : s;
}

/* Prints a sum of its rows, to compare two builds by. */
static enum status sum(struct store_conn *c, const struct query *query, struct error *err)
{
    struct question *q = new_question(query);
    auto_export struct export e = {.fd = -1};
    enum status s = question_resolve(q, c, err);
    if (s == STATUS_OK)
        s = export_open("/tmp", EXPORT_CSV, &e, err);
    int64_t started = cpu_us();
    if (s == STATUS_OK)
        s = answer_file(q, c, &e, err);
    auto_free unsigned char *bytes = xcalloc(e.size + 1, 1);
    if (s == STATUS_OK && pread(e.fd, bytes, e.size, 0) != (ssize_t)e.size)
        s = fail(err, STATUS_IO, "the rows cannot be read again");
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < e.size; i++)
        h = (h ^ bytes[i]) * 1099511628211u;
    printf("%-20s %016" PRIx64 " %9zu %8.1f\n", query->name, h, (size_t)e.size, ms_since(started));
    question_free(q);
    return s;
}

static enum status measure(struct store *store, struct store_conn *c, const struct query *query,
                           bool is_thorough, struct timing *ret, struct error *err)
{
    *ret = (struct timing){.best = 1e9, .wall = 1e9};
    for (int i = 0; i < (is_thorough ? 2 : 1); i++) {
        struct analytics *a = analytics_new(store, 1 << 24);
        auto_buf struct buf out = {0};
        double wall = wall_ms();
        int64_t started = cpu_us();
        TRY(ask(a, query, c, &out, err));
        double took = ms_since(started);
        wall = wall_ms() - wall;
        ret->first = i ? ret->first : took;
        ret->best = took < ret->best ? took : ret->best;
        ret->wall = wall < ret->wall ? wall : ret->wall;
        ret->bytes = out.len;
        buf_clear(&out);
        started = cpu_us();
        TRY(ask(a, query, c, &out, err));
        ret->cached = ms_since(started);
        analytics_free(a);
        if (!is_thorough)
            return STATUS_OK;
        struct question *q = new_question(query);
        TRY(question_resolve(q, c, err));
        started = cpu_us();
        enum status s = answer_discard(q, c, err);
        took = ms_since(started);
        ret->direct = i && ret->direct < took ? ret->direct : took;
        question_free(q);
        TRY(s);
    }
    return STATUS_OK;
}

/* Whether the name is a word of the list. */
static bool is_listed(const char *list, const char *name)
{
    struct str rest = str_of(list), word;
    while (str_next(&rest, ' ', &word))
        if (str_eq(word, str_of(name)))
            return true;
    return false;
}

static long peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

/* Over all time. Of many plays once, and not beside the bare SQL: it takes long enough. */
static enum status measure_all(struct store *store, struct store_conn *c, const char *names,
                               bool are_many, struct error *err)
{
    printf("%-20s %10s %10s %10s %10s %6s %10s %9s\n", "query", "first cpu", "best cpu", "best wall",
           "direct cpu", "ratio", "cached ms", "bytes");
    for (size_t i = 0; i < query_count; i++) {
        if (*names && !is_listed(names, query_catalogue[i].name))
            continue;
        struct timing t;
        if (measure(store, c, &query_catalogue[i], !are_many, &t, err) != STATUS_OK)
            return fail_prefix(err, "%s", query_catalogue[i].name);
        printf("%-20s %10.1f %10.1f %10.1f %10.1f %6.2f %10.3f %9zu\n", query_catalogue[i].name,
               t.first, t.best, t.wall, t.direct, t.direct > 0 ? t.best / t.direct : 0, t.cached,
               t.bytes);
        fflush(stdout);
    }
    printf("peak %ld MB\n", peak_mb());
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    const char *names = argc > 3 ? argv[3] : "", *what = argc > 4 ? argv[4] : "measure";
    if (argc < 3) {
        fprintf(stderr, "usage: bench_queries FOLDER PLAYS [NAMES [measure|sum|profile|make]]\n");
        return 2;
    }
    struct error err = {0};
    auto_free char *path = xasprintf("%s/cartographus.duckdb", argv[1]);
    auto_free char *temp = xasprintf("%s.tmp", path);
    struct stat known;
    bool is_new = stat(path, &known) != 0;
    struct store_config config = {.path = path, .temp_path = temp, .max_memory = "1GB"};
    struct store *store = NULL;
    struct store_conn *c = NULL;
    if (store_open(&config, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &c, &err) != STATUS_OK)
        return give_up(&err);
    enum status s = is_new ? make_store(c, argv[2], &err) : STATUS_OK;
    if (s == STATUS_OK && streq(what, "measure"))
        s = measure_all(store, c, names, atol(argv[2]) > 2000000, &err);
    for (size_t i = 0; s == STATUS_OK && i < query_count; i++) {
        if (*names && !is_listed(names, query_catalogue[i].name))
            continue;
        if (streq(what, "profile"))
            s = profile(c, &query_catalogue[i], &err);
        else if (streq(what, "sum"))
            s = sum(c, &query_catalogue[i], &err);
    }
    store_disconnect(c);
    store_close(store);
    return s == STATUS_OK ? 0 : give_up(&err);
}
