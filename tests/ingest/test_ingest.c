#include "../test.h"

#include <signal.h>
#include <sys/wait.h>

#include "helpers.h"
#include "ingest/people.h"

static void one_play_from_the_log_to_its_row(void **state)
{
    struct log *l = open_log("one.sqlite");
    struct store *s = open_store("one.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1010, PLAY_PLAYING, 10, "ada", "Heat");
    see(l, "1@0", 1600, PLAY_PAUSED, 600, "ada", "Heat");
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from play where is_open"), 1);
    see(l, "1@0", 4600, PLAY_PLAYING, 600, "ada", "Heat");
    see(l, "1@0", 4700, PLAY_STOPPED, 700, "ada", "Heat");
    /* taken up again an hour later on another device session: the same play */
    see(l, "2@0", 8300, PLAY_PLAYING, 690, "ada", "Heat");
    see(l, "2@0", 8350, PLAY_STOPPED, 740, "ada", "Heat");
    /* and two records that make no sense */
    append(l, LOG_OBSERVATION, STR("{\"server\":5"));
    append(l, LOG_COVERAGE, STR("[]"));
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from play"), 1);
    assert_int_equal(ask(s, "select segments from play"), 2);
    assert_int_equal(ask(s, "select count(*) from segment"), 2);
    /* 10 s, then 590 s of silence count as 300, then 100 s, then 50 s */
    assert_int_equal(ask(s, "select watch_ms from play"), (10 + 300 + 100 + 50) * 1000);
    assert_int_equal(ask(s, "select paused_ms from play"), 3000 * 1000);
    assert_int_equal(ask(s, "select count(*) from play where is_open"), 0);
    assert_int_equal(ask(s, "select count(*) from title"), 1);
    assert_int_equal(ask(s, "select count(*) from person"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* 203.0.113.5 is in Lisbon, all else nowhere. */
static void lisbon(void *ctx, const char *address, struct place_found *ret)
{
    *ret = (struct place_found){.address_class = "public"};
    if (streq(address, "203.0.113.5"))
        *ret = (struct place_found){.address_class = "public", .has_place = true,
                                    .country_code = "PT", .latitude = 38.7, .longitude = -9.1};
}

static void a_server_is_where_its_public_address_is_or_where_it_is_said_to_be(void **state)
{
    struct log *l = open_log("where.sqlite");
    struct store *s = open_store("where.duckdb");
    struct ingest_config c = {.log = l, .store = s, .knobs = knobs_default(), .lookup = lisbon};
    struct ingest *in = NULL;
    assert_int_equal(ingest_start(&c, &in, NULL), STATUS_OK);
    append(l, LOG_SERVER, STR("{\"server\":\"a\",\"name\":\"A\",\"public_address\":\"203.0.113.5\"}"));
    append(l, LOG_SERVER, STR("{\"server\":\"a\",\"public_address\":\"198.51.100.7\"}"));
    append(l, LOG_SERVER, STR("{\"server\":\"b\",\"latitude\":-33.9,\"longitude\":151.2}"));
    append(l, LOG_SERVER, STR("{\"server\":\"c\",\"name\":\"C\"}"));
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from server where key = 'a' and name = 'A'"
                            " and latitude = 38.7 and longitude = -9.1"), 1);
    assert_int_equal(ask(s, "select count(*) from server where key = 'b' and latitude = -33.9"
                            " and longitude = 151.2"), 1);
    assert_int_equal(ask(s, "select count(*) from server where key = 'c' and latitude is null"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* Imported before the server was known: it was out of reach first, then says who it is. */
static void an_imported_server_becomes_the_one_that_is_connected_later(void **state)
{
    static const struct {
        const char *name, *imported, *identity;
        int servers, adopted;
    } rows[] = {
        {"same machine", "'plex-m1', 'plex', 'Plex (Tautulli)', 'm1'", "m1", 1, 1},
        {"no machine told", "'plex-imported', 'plex', 'Plex (Tautulli)', null", "m1", 1, 1},
        {"another machine", "'plex-m2', 'plex', 'Plex (Tautulli)', 'm2'", "m1", 2, 0},
        {"another kind", "'jellyfin-m1', 'jellyfin', 'J', 'm1'", "m1", 2, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("  %s\n", rows[i].name);
        auto_free char *log_name = xasprintf("adopt-%zu.sqlite", i),
                       *store_name = xasprintf("adopt-%zu.duckdb", i);
        struct log *l = open_log(log_name);
        struct store *s = open_store(store_name);
        struct error err;
        auto_free char *insert = xasprintf(
            "insert into server (server_id, key, kind, name, machine_id) values (1, %s);"
            "insert into import (import_id, source, state, server_id) values (1, 'tautulli',"
            " 'done', 1);"
            "insert into account (account_id, server_id, key, name, person_id)"
            " values (1, 1, 'ada', 'ada', 1);"
            "insert into person values (1, 'ada');"
            "insert into title_key select 'item:' || key || ':Heat', 1 from server;"
            "insert into title (title_id, media_type, title, full_title)"
            " values (1, 'movie', 'Heat', 'Heat');", rows[i].imported);
        struct store_conn *c = NULL;
        assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
        assert_int_equal(store_exec(c, insert, &err), STATUS_OK);
        store_disconnect(c);
        append(l, LOG_COVERAGE, STR("{\"server\":\"plex-1\",\"at_us\":1,\"state\":\"blind\"}"));
        auto_free char *identity = xasprintf("{\"server\":\"plex-1\",\"kind\":\"plex\","
                                             "\"name\":\"Home\",\"machine_id\":\"%s\"}",
                                             rows[i].identity);
        append(l, LOG_SERVER, str_of(identity));
        see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
        see(l, "1@0", 1300, PLAY_STOPPED, 300, "ada", "Heat");
        append(l, LOG_SERVER, str_of(identity));
        struct ingest *in = start(l, s);
        assert_int_equal(ask(s, "select count(*) from server"), rows[i].servers);
        assert_int_equal(ask(s, "select count(*) from server where server_id = 1 and key = 'plex-1'"
                                " and name = 'Home'"), rows[i].adopted);
        assert_int_equal(ask(s, "select count(*) from account"), rows[i].servers);
        assert_int_equal(ask(s, "select count(*) from coverage join server using (server_id)"
                                " where key = 'plex-1'"), 1);
        assert_int_equal(ask(s, "select count(*) from title_key where key = 'item:plex-1:Heat'"), 1);
        assert_int_equal(ask(s, "select count(*) from title"), rows[i].servers);
        ingest_stop(in);
        leave_store(s);
        log_close(l);
    }
}

static void a_view_gives_way_to_the_play_that_holds_it(void **state)
{
    static const char views[] =
        "{\"server\":\"plex-1\",\"views\":["
        "{\"source_id\":\"h1\",\"account_key\":\"ada\",\"at_us\":1500000000,\"media_type\":\"movie\","
        "\"item_key\":\"Heat\",\"title\":\"Heat\",\"year\":1999},"
        "{\"source_id\":\"h2\",\"account_key\":\"ada\",\"at_us\":900000000000,\"media_type\":\"movie\","
        "\"item_key\":\"Heat\",\"title\":\"Heat\",\"year\":1999}]}";
    struct log *l = open_log("views.sqlite");
    struct store *s = open_store("views.duckdb");
    append(l, LOG_VIEWS, str_of(views));
    append(l, LOG_VIEWS, str_of(views)); /* asked for twice, counted once */
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from play where kind = 'view' and not is_hidden"), 2);
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1300, PLAY_PLAYING, 300, "ada", "Heat");
    see(l, "1@0", 1600, PLAY_STOPPED, 600, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select count(*) from play where kind = 'view' and not is_hidden"), 1);
    assert_int_equal(ask(s, "select count(*) from play where kind = 'view' and is_hidden"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

struct copying {
    struct log *to;
};

static enum status copy_record(void *ctx, const struct log_record *r, struct error *err)
{
    struct copying *c = ctx;
    (void)err;
    append(c->to, r->kind, r->payload);
    return STATUS_OK;
}

static void restarts_change_nothing(void **state)
{
    enum { RECORDS = 400, PIECE = 57 };
    struct log *whole = open_log("whole.sqlite"), *pieces = open_log("pieces.sqlite");
    struct log *source = open_log("source.sqlite");
    fill(whole, 5, RECORDS);
    fill(source, 5, RECORDS);
    struct store *a = open_store("whole.duckdb");
    ingest_stop(start(whole, a));
    int64_t expected = fingerprint(a);
    assert_true(ask(a, "select count(*) from play") > 5);
    leave_store(a);

    /* The same records, applied by a program that is stopped and started after each few. */
    for (int done = 0; done < RECORDS; done += PIECE) {
        struct copying c = {pieces};
        struct error err;
        assert_int_equal(log_read(source, done, PIECE, copy_record, &c, &err), STATUS_OK);
        struct store *b = open_store("pieces.duckdb");
        ingest_stop(start(pieces, b));
        if (done + PIECE >= RECORDS)
            assert_int_equal(fingerprint(b), expected);
        leave_store(b);
    }
    log_close(source);
    log_close(pieces);
    log_close(whole);
}

static void kill_nine_loses_and_doubles_nothing(void **state)
{
    struct log *l = open_log("kill.sqlite");
    fill(l, 9, 1500);
    log_close(l);

    struct log *quiet = open_log("quiet.sqlite");
    fill(quiet, 9, 1500);
    pid_t child = fork();
    if (child == 0) { /* the undisturbed run: keeps its log untrimmed by never stopping cleanly */
        struct store *s = open_store("quiet.duckdb");
        (void)start(quiet, s);
        int64_t f = fingerprint(s);
        auto_free char *path = in_folder("quiet.result");
        FILE *out = fopen(path, "we");
        fprintf(out, "%lld", (long long)f);
        fclose(out);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    log_close(quiet);
    assert_int_equal(status, 0);
    auto_free char *path = in_folder("quiet.result");
    auto_file FILE *in = fopen(path, "re");
    long long expected = 0;
    assert_non_null(in);
    assert_int_equal(fscanf(in, "%lld", &expected), 1);

    unsigned seed = 3;
    int kills = 0;
    for (int round = 0; round < 20; round++) {
        seed = seed * 1664525u + 1013904223u;
        child = fork();
        if (child == 0) {
            struct log *log = open_log("kill.sqlite");
            struct store *s = open_store("kill.duckdb");
            (void)start_with(log, s, 10, 0); /* many commits for the kill to fall between */
            _exit(0);
        }
        usleep(20000 + (seed >> 10) % 160000);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        kills += WIFSIGNALED(status);
    }
    assert_true(kills > 3);
    child = fork();
    if (child == 0) {
        struct log *log = open_log("kill.sqlite");
        struct store *s = open_store("kill.duckdb");
        (void)start(log, s);
        _exit(fingerprint(s) == expected ? 0 : 7);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void where_a_backfill_ended_is_kept(void **state)
{
    struct log *l = open_log("position.sqlite");
    struct store *s = open_store("position.duckdb");
    struct ingest *in = start(l, s);
    auto_arena struct arena a = {0};
    static const char newest[] = "{\"server\":\"a\",\"machine_id\":\"m\",\"position\":{\"n\":2}}";
    static const char *const servers[] = {"a", "c"};
    const char *positions[2] = {0};
    ingest_positions(in, servers, 2, &a, positions);
    assert_null(positions[0]);
    append(l, LOG_POSITION, STR("{\"server\":\"a\",\"machine_id\":\"m\",\"position\":{\"n\":1}}"));
    append(l, LOG_POSITION, STR("{\"server\":\"b\",\"machine_id\":\"o\",\"position\":{}}"));
    append(l, LOG_POSITION, str_of(newest));
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    ingest_positions(in, servers, 2, &a, positions);
    assert_string_equal(positions[0], newest);
    ingest_stop(in);
    in = start(l, s);
    positions[0] = NULL;
    ingest_positions(in, servers, 2, &a, positions);
    assert_string_equal(positions[0], newest);
    assert_null(positions[1]);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* What the thread of the live sessions asks for. */
static void an_account_goes_by_its_persons_name(void **state)
{
    struct log *l = open_log("names-of.sqlite");
    struct store *s = open_store("names-of.duckdb");
    struct ingest *in = start(l, s);
    struct error err;
    char name[64] = "nobody", cut[4];
    assert_false(ingest_person(in, "plex-1", "ada", name, sizeof name));
    assert_string_equal(name, "nobody");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    append(l, LOG_ACCOUNTS, STR("{\"server\":\"jellyfin-1\",\"accounts\":[{\"key\":\"j7\","
                                "\"name\":\"ADA\"}]}"));
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_true(ingest_person(in, "jellyfin-1", "j7", name, sizeof name));
    assert_string_equal(name, "ada");
    assert_false(ingest_person(in, "emby-1", "j7", name, sizeof name));
    int64_t ada = ask(s, "select person_id from account where key = 'ada'"), decision;
    assert_int_equal(people_rename(in, ada, "Ada L.", "root", &decision, &err), STATUS_OK);
    assert_true(ingest_person(in, "jellyfin-1", "j7", name, sizeof name));
    assert_string_equal(name, "Ada L.");
    assert_true(ingest_person(in, "jellyfin-1", "j7", cut, sizeof cut));
    assert_string_equal(cut, "Ada");
    ingest_stop(in);
    in = start(l, s);
    assert_true(ingest_person(in, "plex-1", "ada", name, sizeof name));
    assert_string_equal(name, "Ada L.");
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void see_after_silence(struct log *l, const char *session, int at_s, enum play_state now,
                              int position_s, int blind_s)
{
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.session = session;
    o.observed_us = at_s * US_PER_S;
    o.state = now;
    o.position_ms = position_s * 1000;
    o.blind_ms = blind_s * 1000;
    o.is_interrupted = now == PLAY_STOPPED;
    o.duration_ms = 7200 * 1000;
    o.account_key = "ada";
    o.media_type = "movie";
    o.title = o.item_key = "Heat";
    auto_buf struct buf text = {0};
    struct json_writer w;
    jw_begin(&w, &text);
    observation_write(&w, &o);
    append(l, LOG_OBSERVATION, buf_str(&text));
}

/* A server that restarts gives every session a new name: one play, and one silence. */
static void a_silence_between_two_names_counts_once(void **state)
{
    struct log *l = open_log("names.sqlite");
    struct store *s = open_store("names.duckdb");
    see_after_silence(l, "1@1", 1000, PLAY_PLAYING, 0, 0);
    see_after_silence(l, "1@1", 1050, PLAY_PLAYING, 50, 0);
    see_after_silence(l, "1@1", 1060, PLAY_STOPPED, 60, 100); /* last seen then */
    see_after_silence(l, "9@2", 1160, PLAY_PLAYING, 150, 100);
    see_after_silence(l, "9@2", 1200, PLAY_PLAYING, 190, 0);
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from play"), 1);
    assert_int_equal(ask(s, "select segments from play"), 2);
    assert_int_equal(ask(s, "select watch_low_ms from play"), 100000);
    assert_int_equal(ask(s, "select watch_high_ms from play"), 200000);
    assert_int_equal(ask(s, "select sum(watch_high_ms)::bigint from segment"), 200000);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: it forks, and DuckDB's threads do not survive that */
        cmocka_unit_test(kill_nine_loses_and_doubles_nothing),
        cmocka_unit_test(where_a_backfill_ended_is_kept),
        cmocka_unit_test(an_account_goes_by_its_persons_name),
        cmocka_unit_test(a_silence_between_two_names_counts_once),
        cmocka_unit_test(one_play_from_the_log_to_its_row),
        cmocka_unit_test(a_server_is_where_its_public_address_is_or_where_it_is_said_to_be),
        cmocka_unit_test(an_imported_server_becomes_the_one_that_is_connected_later),
        cmocka_unit_test(a_view_gives_way_to_the_play_that_holds_it),
        cmocka_unit_test(restarts_change_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
