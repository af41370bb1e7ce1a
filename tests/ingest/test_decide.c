#include "../test.h"

#include "helpers.h"
#include "ingest/decide.h"

/* Two films of one person; the first is stopped after ten minutes and goes on an hour later. */
static void watch(struct log *l, bool goes_on)
{
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    see(l, "1@0", 1600, PLAY_PLAYING, 600, "ada", "Heat");
    see(l, "1@0", 1610, PLAY_STOPPED, 610, "ada", "Heat");
    see(l, "2@0", 90000, PLAY_PLAYING, 0, "ada", "Ran");
    see(l, "2@0", 90600, PLAY_STOPPED, 600, "ada", "Ran");
    if (!goes_on)
        return;
    see(l, "3@0", 5000, PLAY_PLAYING, 610, "ada", "Heat");
    see(l, "3@0", 5600, PLAY_STOPPED, 1210, "ada", "Heat");
}

static void decide(struct ingest *in, int64_t play, bool is_deleted)
{
    struct error err;
    if (decide_deleted(in, play, is_deleted, "ada", &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

#define HIDDEN "select coalesce(sum(play_id), 0)::bigint from play where hidden_by = 'deleted'"
#define DECISIONS "select count(*) from decision"

static void a_play_is_deleted_and_restored(void **state)
{
    (void)state;
    struct log *l = open_log("decide");
    struct store *s = open_store("decide.duckdb");
    watch(l, true);
    struct ingest *in = start_with(l, s, 0, -1);
    int64_t heat = ask(s, "select play_id from play where segments = 2");
    assert_int_equal(ask(s, "select count(*) from play"), 2);

    decide(in, heat, true);
    assert_int_equal(ask(s, HIDDEN), heat);
    assert_int_equal(ask(s, DECISIONS), 2); /* one on each input */
    decide(in, heat, true);
    assert_int_equal(ask(s, DECISIONS), 2);
    assert_int_equal(ask(s, "select count(distinct decision_id) from decision where who = 'ada'"
                            " and kind = 'delete_play' and decided_at > timestamp '2020-01-01'"), 2);

    struct error err;
    struct rederive_report report;
    assert_int_equal(ingest_rederive(in, &report, &err), STATUS_OK);
    assert_false(report.is_changed);
    assert_int_equal(report.plays_after, 2);
    assert_int_equal(report.segments_before, 3);
    assert_int_equal(ingest_rederive_percent(in), -1);
    assert_int_equal(ask(s, HIDDEN), heat);

    decide(in, heat, false);
    assert_int_equal(ask(s, HIDDEN), 0);
    assert_int_equal(ask(s, DECISIONS), 4);
    decide(in, heat, false);
    assert_int_equal(ask(s, DECISIONS), 4);
    decide(in, heat, true);
    assert_int_equal(ask(s, HIDDEN), heat);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* What comes to a deleted play is deleted with it, and comes back with it. */
static void a_play_that_goes_on_stays_deleted(void **state)
{
    (void)state;
    struct log *l = open_log("grows");
    struct store *s = open_store("grows.duckdb");
    watch(l, false);
    struct ingest *in = start_with(l, s, 0, -1);
    int64_t heat = ask(s, "select play_id from play order by started limit 1");
    decide(in, heat, true);
    see(l, "3@0", 5000, PLAY_PLAYING, 610, "ada", "Heat");
    see(l, "3@0", 5600, PLAY_STOPPED, 1210, "ada", "Heat");
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
    assert_int_equal(ask(s, "select segments from play where hidden_by = 'deleted'"), 2);
    decide(in, heat, false);
    assert_int_equal(ask(s, HIDDEN), 0);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void a_play_that_is_not_there_is_said_so(void **state)
{
    (void)state;
    struct log *l = open_log("none");
    struct store *s = open_store("none.duckdb");
    watch(l, false);
    struct ingest *in = start(l, s);
    struct error err = {0};
    static const int64_t ids[] = {0, -1, 777, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(decide_deleted(in, ids[i], true, "ada", &err), STATUS_NOT_FOUND);
        assert_int_equal(decide_deleted(in, ids[i], false, "ada", &err), STATUS_NOT_FOUND);
    }
    assert_int_equal(ask(s, DECISIONS), 0);
    assert_int_equal(ask(s, "select count(*) from play"), 2);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_play_is_deleted_and_restored),
        cmocka_unit_test(a_play_that_goes_on_stays_deleted),
        cmocka_unit_test(a_play_that_is_not_there_is_said_so),
    };
    return cmocka_run_group_tests_name("decide", tests, set_up, tear_down);
}
