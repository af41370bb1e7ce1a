#include "../test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "helpers.h"

/* Segments and plays only: what is derived from the inputs. */
static int64_t derived(struct store *s)
{
    assert_int_equal(ask(s, SEGMENTS_UNLIKE_PLAYS), 0);
    return ask(s, "select (hash((select string_agg(p::varchar, '|' order by play_id) from play p),"
                  " (select string_agg(s::varchar, '|' order by segment_id) from segment s)) // 2)"
                  "::bigint");
}

static enum status run_sql(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    return store_exec(c, ctx, err);
}

static void must(struct ingest *in, ingest_job *job, void *ctx)
{
    struct error err;
    if (ingest_run(in, job, ctx, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void run(struct ingest *in, const char *sql)
{
    auto_free char *copy = xstrdup(sql);
    must(in, run_sql, copy);
}

static void rederive(struct ingest *in)
{
    struct error err;
    if (ingest_rederive(in, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static char *store_name(const char *name)
{
    return xasprintf("%s.duckdb", name);
}

/* A WAL that does not replay costs nothing: the log still holds what was in it. */
static void a_damaged_wal_is_made_good_from_the_log(void **state)
{
    (void)state;
    pid_t child = fork(); /* before this process has threads of DuckDB's */
    if (child == 0) {
        struct log *l = open_log("wal.sqlite");
        fill(l, 21, 300);
        struct store *s = open_store("wal.duckdb");
        (void)start_with(l, s, 20, 0);
        int64_t before = fingerprint(s);
        auto_free char *path = in_folder("wal.result");
        FILE *out = fopen(path, "we");
        fprintf(out, "%lld", (long long)before);
        fclose(out);
        _exit(0); /* without a checkpoint */
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    auto_free char *result = in_folder("wal.result"), *wal = in_folder("wal.duckdb.wal");
    long long expected = 0;
    auto_file FILE *in = fopen(result, "re");
    assert_int_equal(fscanf(in, "%lld", &expected), 1);

    struct stat st;
    assert_int_equal(stat(wal, &st), 0);
    auto_fd int fd = open(wal, O_RDWR | O_CLOEXEC);
    char byte;
    assert_int_equal(pread(fd, &byte, 1, st.st_size / 2), 1);
    byte = (char)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size / 2), 1);

    struct log *l = open_log("wal.sqlite");
    auto_free char *path = in_folder("wal.duckdb");
    struct store_config c = {.path = path, .max_memory = "512MB", .threads = 1};
    struct store *s = NULL;
    bool was_damaged = false;
    struct error err;
    if (store_open(&c, &s, &was_damaged, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_true(was_damaged);
    struct ingest *i = start(l, s);
    assert_true(fingerprint(s) == expected);
    ingest_stop(i);
    leave_store(s);
    log_close(l);
}

static void batches_and_rederiving_give_the_same_rows(void **state)
{
    (void)state;
    static const size_t batches[] = {500, 7, 1};
    for (unsigned seed = 1; seed <= 3; seed++) {
        int64_t expected = 0;
        for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
            auto_free char *name = xasprintf("prop-%u-%zu", seed, b);
            auto_free char *file = store_name(name);
            struct log *l = open_log(name);
            fill(l, seed, 80);
            struct store *s = open_store(file);
            struct ingest *in = start_with(l, s, batches[b], 0);
            int64_t rows = fingerprint(s), plays = derived(s);
            if (b == 0)
                expected = rows;
            if (rows != expected)
                fail_msg("seed %u: batches of %zu give other rows", seed, batches[b]);
            assert_true(ask(s, "select count(*) from play") >= 3);
            rederive(in);
            if (derived(s) != plays)
                fail_msg("seed %u, batches of %zu: deriving all gives other rows", seed,
                         batches[b]);
            ingest_stop(in);
            leave_store(s);
            log_close(l);
        }
    }
}

/* Two segments of one title that the source itself grouped, as an import writes them. */
static const char import_sql[] =
    "insert into title values (77, 'movie', 'Ran', null, null, null, null, 1985, 7200000, null,"
    " null, 'Ran');"
    "insert into segment_in select 1000 + n, 5, n, 9, 1, 1, 77, null, 1, 1, null,"
    " make_timestamp((100000 + n * 20000) * 1000000), make_timestamp((103600 + n * 20000) * 1000000),"
    " 3000000, 600000, 3600000 * (n + 1), 7200000, null, 'lan', null, null, null, null, null, false"
    " from range(2) r(n)";

static enum status import_keys(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)ctx;
    (void)d;
    struct knobs k = knobs_default();
    TRY(store_exec(c, import_sql, err));
    struct derive_key keys[] = {{1, 1, 77}, {1, 1, 77}};
    return derive_keys(c, keys, ARRAY_LEN(keys), &k, err);
}

static void imported_segments_become_plays_and_decisions_last(void **state)
{
    (void)state;
    struct log *l = open_log("import");
    struct store *s = open_store("import.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1050, PLAY_STOPPED, 50, "ada", "Heat");
    struct ingest *in = start(l, s);
    must(in, import_keys, NULL);
    assert_int_equal(ask(s, "select count(*) from play"), 2);
    assert_int_equal(ask(s, "select segments from play where play_id = 1000"), 2);
    assert_int_equal(ask(s, "select watch_ms from play where play_id = 1000"), 6000000);
    assert_int_equal(ask(s, "select count(*) from play where play_id = 1000 and is_watched"
                            " and percent = 100 and origin = 'import'"), 1);
    int64_t before = derived(s);
    rederive(in);
    assert_true(derived(s) == before);

    /* ids go on behind the import's */
    see(l, "2@0", 500000, PLAY_PLAYING, 0, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select max(segment_id) from session_in"), 1002);

    run(in, "insert into decision values (1, now()::timestamp, 'ada', 'delete_play', 1001, null)");
    rederive(in);
    assert_int_equal(ask(s, "select count(*) from play where play_id = 1000 and is_hidden"
                            " and hidden_by = 'deleted'"), 1);
    run(in, "insert into decision values (2, now()::timestamp, 'ada', 'restore_play', 1001, null)");
    rederive(in);
    assert_int_equal(ask(s, "select count(*) from play where is_hidden"), 0);
    run(in, "insert into decision values (3, now()::timestamp, 'ada', 'delete_import', 5, null)");
    rederive(in);
    assert_int_equal(ask(s, "select count(*) from play where play_id = 1000"), 0);
    run(in, "insert into decision values (4, now()::timestamp, 'ada', 'restore_import', 5, null)");
    rederive(in);
    assert_int_equal(ask(s, "select count(*) from play where play_id = 1000"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static const char ran_view[] =
    "{\"server\":\"plex-1\",\"views\":[{\"source_id\":\"v1\",\"account_key\":\"ada\","
    "\"at_us\":104000000000,\"media_type\":\"movie\",\"item_key\":\"Ran\",\"title\":\"Ran\","
    "\"year\":1985}]}";

static enum status import_of_view(void *ctx, struct store_conn *c, struct dims *d,
                                  struct error *err)
{
    (void)ctx;
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.account_key = o.account_name = "ada";
    o.media_type = "movie";
    o.item_key = o.title = "Ran";
    o.year = 1985;
    struct fact_ids ids;
    TRY(dims_resolve(d, c, &o, &ids, err));
    int64_t id;
    TRY(input_next_id(c, &id, err));
    auto_free char *sql = xasprintf(
        "insert into segment_in (segment_in_id, import_id, server_id, account_id, title_id,"
        " started, ended, watch_ms) values (%lld, 1, %d, %d, %d, make_timestamp(100000000000),"
        " make_timestamp(103600000000), 3600000)", (long long)id, ids.server, ids.account,
        ids.title);
    TRY(store_exec(c, sql, err));
    struct knobs k = knobs_default();
    return derive_keys(c, &(struct derive_key){ids.server, ids.account, ids.title}, 1, &k, err);
}

/* 150,000 inputs of 900 keys over 200 days, more than are derived at once: seen and imported
 * segments that lie over each other, go on after hours and are now and then live television, and views. */
static const char many_sql[] =
    "insert into import (import_id, state) values (1, 'done'), (2, 'undone');"
    "insert into server (server_id, key, kind) values (1, 'plex-1', 'plex'), (2, 'emby-1', 'emby');"
    "insert into title (title_id, media_type, title, duration_ms) select n,"
    " case when n % 9 = 0 then 'track' when n % 11 = 0 then 'clip' else 'movie' end, 'T' || n, 7200000"
    " from range(1, 29) t(n);"
    "create temp table many as select 1000 + n id, (1 + hash(n, 1) % 2)::integer as server,"
    " nullif(hash(n, 2) % 16, 0)::integer as account, nullif(hash(n, 3) % 29, 0)::integer as title,"
    " 1700000000 + (hash(n, 4) % 17280000)::bigint as at_s, (hash(n, 5) % 9000)::bigint as long,"
    " (hash(n, 6) % 100)::bigint as dice from range(150000) r(n);"
    "insert into segment_in select id, 1 + (dice % 20 = 0)::integer, id, id // 30000, server,"
    " account, title, 1, 1, 1, 1, make_timestamp(at_s * 1000000), make_timestamp((at_s + long) * 1000000),"
    " long * 900, long * 100, if(dice < 10, null, long * 800), "
    " case when dice < 20 then null when dice = 21 then 900000000 else 7200000 end, null,"
    " 'lan', null, null, 1, 1, 1, dice > 94 from many where id % 3 = 0;"
    "insert into session_in select id, 's', server, account, title, 1, 1, 1, 1, 7200000, null,"
    " if(dice < 2, 'elsewhere', 'wan'), null, null, 1, 1, 1, dice > 94, true from many"
    " where id % 3 = 1;"
    "insert into observation select id * 2 + k, id, if(k = 0, 'playing', 'stopped'), f, f, f, f,"
    " long * 300, long * 300 + k * long * 500, if(dice < 30, dice * 9000, 0), k = 1 and dice < 5,"
    " null from (select *, make_timestamp((at_s + k * long // 2) * 1000000) f from many, range(2) t(k))"
    " where id % 3 = 1;"
    "insert into view_in select id, server, 'v', account, title, 1, make_timestamp(at_s * 1000000),"
    " null from many where id % 3 = 2; drop table many";

static enum status derive_at_once(void *ctx, struct store_conn *c, struct dims *d,
                                  struct error *err)
{
    (void)ctx;
    (void)d;
    TRY(store_exec(c, many_sql, err));
    struct derive_key keys[2 * 16 * 29];
    size_t count = 0;
    for (int32_t server = 1; server <= 2; server++)
        for (int32_t account = 0; account < 16; account++)
            for (int32_t title = 0; title < 29; title++)
                keys[count++] = (struct derive_key){server, account, title};
    struct knobs k = knobs_default();
    return derive_keys(c, keys, count, &k, err);
}

static void stretches_of_time_give_the_rows_of_whole_keys(void **state)
{
    (void)state;
    struct log *l = open_log("many");
    struct store *s = open_store("many.duckdb");
    struct ingest *in = start(l, s);
    must(in, derive_at_once, NULL);
    assert_true(ask(s, "select count(*) from play where segments > 1 and origin = 'live'") > 100);
    assert_true(ask(s, "select count(*) from play where segments > 1 and origin = 'import'") > 100);
    assert_true(ask(s, "select count(*) from play where is_hidden and kind = 'view'") > 100);
    assert_int_equal(
        ask(s, "select count(*) from play v where origin = 'view' and is_hidden <> exists (select 1"
               " from play p where p.origin <> 'view' and p.server_id = v.server_id"
               " and p.account_id is not distinct from v.account_id"
               " and p.title_id is not distinct from v.title_id"
               " and v.started >= p.started - interval 10 minutes and v.started < p.ended"
               " + greatest(interval 10 minutes,"
               " to_milliseconds(coalesce(p.duration_ms, 0))))"), 0);
    assert_true(ask(s, "select count(*) from play where hidden_by = 'superseded' and kind = 'play'")
                > 100);
    struct rederive_report r;
    struct error err;
    if (ingest_rederive(in, &r, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(r.plays_before, r.plays_after);
    assert_int_equal(r.segments_before, r.segments_after);
    assert_false(r.is_changed);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void view_and_import_in_either_order_give_the_same(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        auto_free char *name = xasprintf("order-%d", order);
        auto_free char *file = store_name(name);
        struct log *l = open_log(name);
        struct store *s = open_store(file);
        struct ingest *in = start(l, s);
        if (order == 0)
            must(in, import_of_view, NULL);
        append(l, LOG_VIEWS, str_of(ran_view));
        assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
        if (order == 1)
            must(in, import_of_view, NULL);
        assert_int_equal(ask(s, "select count(*) from play where kind = 'play' and not is_hidden"),
                         1);
        assert_int_equal(ask(s, "select count(*) from play where kind = 'view' and is_hidden"
                                " and hidden_by = 'superseded'"), 1);
        ingest_stop(in);
        leave_store(s);
        log_close(l);
    }
}

static void a_record_that_cannot_be_applied_holds_nothing_up(void **state)
{
    (void)state;
    struct log *l = open_log("poison");
    struct store *s = open_store("poison.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    append(l, LOG_VIEWS, str_of(ran_view));
    /* a year that no column holds */
    append(l, LOG_VIEWS,
           STR("{\"server\":\"plex-1\",\"views\":[{\"source_id\":\"v2\",\"account_key\":\"bob\","
               "\"at_us\":1000000,\"media_type\":\"movie\",\"title\":\"X\",\"year\":99999999999}]}"));
    append(l, LOG_OBSERVATION,
           STR("{\"server\":\"plex-1\",\"session\":\"2@0\",\"observed_us\":1001000000,"
               "\"state\":\"playing\",\"media_type\":\"movie\",\"title\":\"X\","
               "\"year\":99999999999}"));
    /* a time that there is not */
    append(l, LOG_OBSERVATION,
           STR("{\"server\":\"plex-1\",\"session\":\"3@0\",\"observed_us\":9223372036854775807,"
               "\"state\":\"playing\",\"media_type\":\"movie\",\"title\":\"X\"}"));
    see(l, "1@0", 1200, PLAY_STOPPED, 200, "ada", "Heat");
    struct ingest *in = start(l, s);
    struct ingest_stats stats;
    ingest_get_stats(in, &stats);
    assert_int_equal(stats.position, 6);
    assert_int_equal(stats.skipped, 3);
    assert_int_equal(ask(s, "select count(*) from play where kind = 'play' and not is_open"), 1);
    assert_int_equal(ask(s, "select count(*) from play where kind = 'view'"), 1);
    assert_int_equal(ask(s, "select count(*) from title"), 2);
    assert_int_equal(ask(s, "select count(*) from account"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void what_comes_late_for_an_ended_session_changes_nothing(void **state)
{
    (void)state;
    struct log *l = open_log("late");
    struct store *s = open_store("late.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1200, PLAY_STOPPED, 200, "ada", "Heat");
    struct ingest *in = start(l, s);
    see(l, "1@0", 1210, PLAY_PLAYING, 210, "ada", "Heat");
    see(l, "9@0", 1210, PLAY_STOPPED, 210, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from segment"), 1);
    assert_int_equal(ask(s, "select watch_ms from play"), 200000);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void after_a_pause_of_more_than_a_day_it_is_another_segment(void **state)
{
    (void)state;
    struct log *l = open_log("pause");
    struct store *s = open_store("pause.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1060, PLAY_PAUSED, 60, "ada", "Heat");
    see(l, "1@0", 1090, PLAY_PAUSED, 60, "ada", "Heat");
    struct ingest *in = start(l, s);
    ingest_stop(in); /* the pause goes on over a restart */
    in = start(l, s);
    see(l, "1@0", 91060, PLAY_PLAYING, 60, "ada", "Heat");
    see(l, "1@0", 91110, PLAY_PLAYING, 110, "ada", "Heat");
    see(l, "1@0", 91160, PLAY_STOPPED, 160, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from segment where not is_open"), 2);
    assert_int_equal(ask(s, "select sum(watch_ms)::bigint from segment"), 160000);
    assert_int_equal(ask(s, "select epoch_us(ended) // 1000000 from segment where segment_id = 1"),
                     1060);
    assert_int_equal(ask(s, "select sum(paused_ms)::bigint from segment"), 0);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static enum status fails(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)ctx;
    int32_t server;
    TRY(dims_server(d, c, "emby-9", &server, err));
    return fail(err, STATUS_CONFLICT, "no");
}

static void a_failed_job_leaves_nothing(void **state)
{
    (void)state;
    struct log *l = open_log("job");
    struct store *s = open_store("job.duckdb");
    struct ingest *in = start(l, s);
    struct error err;
    assert_int_equal(ingest_run(in, fails, NULL, &err), STATUS_CONFLICT);
    assert_string_equal(err.text, "no");
    assert_int_equal(ask(s, "select count(*) from server"), 0);
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select server_id from server where key = 'plex-1'"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void mere_progress_waits_and_a_change_does_not(void **state)
{
    (void)state;
    struct log *l = open_log("wait");
    struct store *s = open_store("wait.duckdb");
    struct ingest *in = start_with(l, s, 0, 3600 * US_PER_S);
    struct ingest_stats stats;
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    for (int i = 0; i < 500; i++) {
        ingest_get_stats(in, &stats);
        if (stats.position == 1)
            break;
        usleep(10000);
    }
    assert_int_equal(stats.position, 1);
    see(l, "1@0", 1010, PLAY_PLAYING, 10, "ada", "Heat");
    usleep(200000);
    ingest_get_stats(in, &stats);
    assert_int_equal(stats.position, 1);
    see(l, "1@0", 1020, PLAY_PAUSED, 20, "ada", "Heat");
    for (int i = 0; i < 500; i++) {
        ingest_get_stats(in, &stats);
        if (stats.position == 3)
            break;
        usleep(10000);
    }
    assert_int_equal(stats.position, 3);
    size_t count;
    auto_arena struct arena a = {0};
    see(l, "1@0", 1080, PLAY_PAUSED, 20, "ada", "Heat");
    const struct observation *open = ingest_open_sessions(in, &a, &count);
    assert_int_equal(count, 1);
    assert_int_equal(open[0].observed_us, 1080 * US_PER_S);
    assert_string_equal(open[0].session, "1@0");
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void a_log_begun_anew_is_followed(void **state)
{
    (void)state;
    struct log *l = open_log("old");
    struct store *s = open_store("anew.duckdb");
    fill(l, 3, 50);
    ingest_stop(start(l, s));
    log_close(l);
    l = open_log("new");
    struct ingest *in = start(l, s);
    see(l, "77@0", 900000, PLAY_PLAYING, 0, "zoe", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from account where key = 'zoe'"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void coverage_is_rewritten_from_where_it_is_known_better(void **state)
{
    (void)state;
    struct log *l = open_log("coverage");
    struct store *s = open_store("coverage.duckdb");
    static const char *const said[] = {
        "{\"server\":\"plex-1\",\"at_us\":1000000,\"state\":\"connected\"}",
        "{\"server\":\"plex-1\",\"at_us\":2000000,\"state\":\"connected\"}",
        "{\"server\":\"plex-1\",\"at_us\":5000000,\"state\":\"polling\"}",
        "{\"server\":\"plex-1\",\"at_us\":3000000,\"state\":\"blind\",\"why\":\"refused\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        append(l, LOG_COVERAGE, str_of(said[i]));
    ingest_stop(start(l, s));
    assert_int_equal(ask(s, "select count(*) from coverage"), 2);
    assert_int_equal(ask(s, "select epoch_us(ended) from coverage where state = 'connected'"),
                     3000000);
    assert_int_equal(ask(s, "select count(*) from coverage where state = 'blind'"
                            " and ended is null and why = 'refused'"), 1);
    leave_store(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_wal_is_made_good_from_the_log),
        cmocka_unit_test(batches_and_rederiving_give_the_same_rows),
        cmocka_unit_test(imported_segments_become_plays_and_decisions_last),
        cmocka_unit_test(stretches_of_time_give_the_rows_of_whole_keys),
        cmocka_unit_test(view_and_import_in_either_order_give_the_same),
        cmocka_unit_test(a_record_that_cannot_be_applied_holds_nothing_up),
        cmocka_unit_test(what_comes_late_for_an_ended_session_changes_nothing),
        cmocka_unit_test(after_a_pause_of_more_than_a_day_it_is_another_segment),
        cmocka_unit_test(a_failed_job_leaves_nothing),
        cmocka_unit_test(mere_progress_waits_and_a_change_does_not),
        cmocka_unit_test(a_log_begun_anew_is_followed),
        cmocka_unit_test(coverage_is_rewritten_from_where_it_is_known_better),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
