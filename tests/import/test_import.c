/* What an import does to the store: rows, twice, undone, cancelled, killed between its parts. */
#include "../test.h"

#include "helpers.h"

static void rows_become_plays_with_where_they_came_from(void **state)
{
    (void)state;
    struct world w = open_world("rows");
    auto_free char *path = make_file("rows.db", 100, "");
    struct import_report r = must_import(&w, path);
    assert_int_equal(r.state, IMPORT_DONE);
    assert_int_equal(r.rows_total, 100);
    assert_int_equal(r.rows_read, 100);
    assert_int_equal(r.rows_added, 100);
    assert_int_equal(r.rows_skipped, 0);
    assert_int_equal(r.people, 2);
    assert_int_equal(r.titles, 10);
    assert_int_equal(r.from_us, INT64_C(1600007200) * US_PER_S);
    assert_string_equal(r.server, "plex-machine-a");
    assert_int_equal(files_in(w.folder), 0);
    assert_int_equal(ask(w.store, "select count(*) from play where origin = 'import'"), 100);
    assert_int_equal(ask(w.store, "select count(*) from segment_in where import_id = 1"
                                  " and source_row between 1 and 100"), 100);
    /* per person as sqlite3 counts */
    for (int user = 501; user <= 502; user++) {
        auto_free char *theirs = xasprintf(
            "select sum(max(0, stopped - started - paused_counter)) from session_history"
            " where user_id = %d", user);
        auto_free char *ours = xasprintf(
            "select coalesce(sum(p.watch_ms), 0)::bigint from play p join account a"
            " using (account_id) where a.key = '%s'", user == 501 ? "1" : "502");
        assert_int_equal(ask(w.store, ours), 1000 * ask_file(path, theirs));
    }
    assert_int_equal(ask(w.store, "select count(*) from person where name = 'Ada L.'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from account where is_owner and key = '1'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from library where name = 'Films'"
                                  " and kind = 'movie'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from server where machine_id = 'machine-a'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from title where genres = ['Drama', 'Noir']"), 10);
    close_world(&w);
}

static void a_second_time_adds_nothing_and_a_longer_file_what_is_new(void **state)
{
    (void)state;
    struct world w = open_world("twice");
    auto_free char *path = make_file("twice.db", 50, "");
    (void)must_import(&w, path);
    int64_t before = ask(w.store, "select (hash((select string_agg(p::varchar, '|' order by play_id)"
                                  " from play p)) // 2)::bigint");
    struct import_report r = must_import(&w, path);
    assert_int_equal(r.rows_added, 0);
    assert_int_equal(r.rows_skipped, 50);
    assert_int_equal(r.skip_count, 1);
    assert_string_equal(r.skips[0].reason, "is there already");
    assert_int_equal(r.skips[0].count, 50);
    assert_string_equal(r.skips[0].sample, "row 1: Film 101");
    assert_true(before == ask(w.store, "select (hash((select string_agg(p::varchar, '|'"
                                       " order by play_id) from play p)) // 2)::bigint"));
    auto_free char *longer = make_file("longer.db", 60, "");
    r = must_import(&w, longer);
    assert_int_equal(r.rows_added, 10);
    assert_int_equal(r.rows_skipped, 50);
    assert_int_equal(ask(w.store, "select count(*) from play"), 60);
    /* the same number with another start is another row */
    auto_free char *other = make_file("other.db", 1, "update session_history set started = 1500000000,"
                                                     " stopped = 1500003000");
    assert_int_equal(must_import(&w, other).rows_added, 1);
    close_world(&w);
}

static int64_t plays(const struct world *w)
{
    return ask(w->store, "select (hash((select string_agg(concat_ws(' ', play_id, started, watch_ms,"
                         " is_hidden), '|' order by play_id) from play)) // 2)::bigint");
}

static enum status delete_play(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)ctx;
    (void)d;
    struct knobs k = knobs_default();
    TRY(store_exec(c, "insert into decision values (1, now()::timestamp, 'ada', 'delete_play', 3,"
                      " null)", err));
    return derive_all(c, &k, NULL, err);
}

static void undone_and_imported_again_it_is_as_it_was(void **state)
{
    (void)state;
    struct world w = open_world("undo");
    struct knobs k = knobs_default();
    struct error err = {0};
    auto_free char *path = make_file("undo.db", 30, "");
    (void)must_import(&w, path);
    assert_int_equal(ingest_run(w.ingest, delete_play, NULL, &err), STATUS_OK);
    int64_t before = plays(&w);
    assert_int_equal(import_undo(w.ingest, &k, 1, "ada", &err), STATUS_OK);
    assert_int_equal(ask(w.store, "select count(*) from play"), 0);
    assert_int_equal(ask(w.store, "select count(*) from segment"), 0);
    assert_int_equal(ask(w.store, "select count(*) from import where state = 'undone'"), 1);
    assert_int_equal(import_undo(w.ingest, &k, 1, "ada", &err), STATUS_CONFLICT);
    assert_int_equal(import_undo(w.ingest, &k, 7, "ada", &err), STATUS_NOT_FOUND);

    struct import_report r = must_import(&w, path);
    assert_int_equal(r.rows_added, 30);
    assert_true(plays(&w) == before); /* the deleted one among them */
    assert_int_equal(ask(w.store, "select count(*) from segment_in"), 30);
    assert_int_equal(ask(w.store, "select count(*) from play where hidden_by = 'deleted'"), 1);
    /* and once more, with a file that has lost rows */
    assert_int_equal(import_undo(w.ingest, &k, 2, "ada", &err), STATUS_OK);
    sql(path, "delete from session_history where id > 20");
    assert_int_equal(must_import(&w, path).rows_added, 20);
    assert_int_equal(ask(w.store, "select count(*) from play"), 20);
    assert_int_equal(ingest_rederive(w.ingest, NULL, &err), STATUS_OK);
    assert_int_equal(ask(w.store, "select count(*) from play"), 20);
    close_world(&w);
}

/* --- in parts ---------------------------------------------------------------------------------- */

struct wisher {
    int questions;
    enum import_wish then;
};

static enum import_wish wish(void *ctx)
{
    struct wisher *w = ctx;
    return w->questions-- > 0 ? IMPORT_GO_ON : w->then;
}

/* Stopped wherever it asks, and gone on with, it gives the rows of an undisturbed run. */
static void stopped_anywhere_it_goes_on_to_the_same_rows(void **state)
{
    (void)state;
    auto_free char *path = make_file("parts.db", 100, "update session_history set stopped = 0"
                                                      " where id % 13 = 0");
    struct world calm = open_world("calm");
    struct import_job job = job_for(&calm, path);
    struct import_report r;
    struct error err = {0};
    job.chunk_rows = 7;
    assert_int_equal(import(&job, &r, &err), STATUS_OK);
    int64_t expected = all_rows(calm.store);
    close_world(&calm);
    bool is_done = false;
    int stops = 0;
    for (int questions = 0; !is_done; questions++) {
        auto_free char *name = xasprintf("parts-%d", questions);
        struct world w = open_world(name);
        struct wisher wisher = {questions, IMPORT_PAUSE};
        job = job_for(&w, path);
        job.chunk_rows = 7;
        job.wish = wish;
        job.ctx = &wisher;
        int64_t id;
        assert_int_equal(import_begin(&job, &id, &err), STATUS_OK);
        enum status s = import_run(&job, id, &r, &err);
        is_done = s == STATUS_OK;
        if (!is_done) {
            assert_int_equal(s, STATUS_UNAVAILABLE);
            assert_int_equal(files_in(w.folder), 1);
            assert_int_equal(ask(w.store, "select count(*) from play"), 0);
            /* not even when everything is derived anew */
            assert_int_equal(ingest_rederive(w.ingest, NULL, &err), STATUS_OK);
            assert_int_equal(ask(w.store, "select count(*) from play"), 0);
            stops++;
            close_world(&w);
            w = open_world(name);
            struct store_conn *c;
            int64_t *ids;
            size_t count;
            assert_int_equal(store_connect(w.store, &c, &err), STATUS_OK);
            assert_int_equal(imports_unfinished(c, &ids, &count, &err), STATUS_OK);
            store_disconnect(c);
            assert_int_equal(count, 1);
            imports_sweep(w.folder, ids, count);
            job = job_for(&w, NULL);
            job.chunk_rows = 7;
            job.name = NULL;
            assert_int_equal(import_run(&job, ids[0], &r, &err), STATUS_OK);
            free(ids);
        }
        if (all_rows(w.store) != expected)
            fail_msg("stopped after %d questions it gives other rows", questions);
        assert_int_equal(files_in(w.folder), 0);
        close_world(&w);
        remove_store(name);
    }
    assert_true(stops >= 5);
}

static void cancelled_it_leaves_nothing_that_counts(void **state)
{
    (void)state;
    struct world w = open_world("cancel");
    auto_free char *path = make_file("cancel.db", 100, "");
    struct wisher wisher = {4, IMPORT_CANCEL};
    struct import_job job = job_for(&w, path);
    struct import_report r;
    struct error err = {0};
    job.chunk_rows = 5;
    job.wish = wish;
    job.ctx = &wisher;
    assert_int_equal(import(&job, &r, &err), STATUS_CANCELLED);
    assert_int_equal(r.state, IMPORT_CANCELLED);
    assert_int_equal(ask(w.store, "select count(*) from segment_in"), 0);
    assert_int_equal(ask(w.store, "select count(*) from play"), 0);
    assert_int_equal(ask(w.store, "select count(*) from import where state = 'cancelled'"), 1);
    assert_int_equal(files_in(w.folder), 0);
    assert_int_equal(must_import(&w, path).rows_added, 100);
    close_world(&w);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct world w = open_world("one");
    auto_free char *path = make_file("one.db", 5, "");
    struct import_job job = job_for(&w, path);
    struct import_report r;
    struct error err = {0};
    int64_t first, second;
    assert_int_equal(import_begin(&job, &first, &err), STATUS_OK);
    assert_int_equal(import_begin(&job, &second, &err), STATUS_CONFLICT);
    assert_int_equal(files_in(w.folder), 1);
    assert_int_equal(import_run(&job, first, &r, &err), STATUS_OK);
    assert_int_equal(import_run(&job, first, &r, &err), STATUS_CONFLICT);
    assert_int_equal(ask(w.store, "select count(*) from import where state = 'done'"), 1);
    close_world(&w);
}

static void a_dry_run_counts_the_same_without_a_trace(void **state)
{
    (void)state;
    struct world w = open_world("dry");
    auto_free char *some = make_file("some.db", 20, "");
    (void)must_import(&w, some);
    int64_t before = all_rows(w.store);
    auto_free char *path = make_file("dry.db", 100,
                                     "update session_history set stopped = 0 where id = 33;"
                                     "update session_history set started = 0 where id = 34;"
                                     "update session_history_metadata set genres = 'Other'"
                                     " where id = 35");
    struct import_job job = job_for(&w, path);
    struct import_report dry, wet;
    struct error err = {0};
    job.is_dry_run = true;
    assert_int_equal(import(&job, &dry, &err), STATUS_OK);
    assert_true(dry.import_id < 0 && dry.is_dry_run);
    assert_true(all_rows(w.store) == before);
    assert_int_equal(files_in(w.folder), 0);
    wet = must_import(&w, path);
    assert_int_equal(dry.rows_total, wet.rows_total);
    assert_int_equal(dry.rows_read, wet.rows_read);
    assert_int_equal(dry.rows_added, wet.rows_added);
    assert_int_equal(dry.rows_skipped, wet.rows_skipped);
    assert_int_equal(dry.people, wet.people);
    assert_int_equal(dry.titles, wet.titles);
    assert_int_equal(dry.from_us, wet.from_us);
    assert_int_equal(dry.to_us, wet.to_us);
    assert_int_equal(dry.skip_count, wet.skip_count);
    assert_int_equal(dry.note_count, wet.note_count);
    for (size_t i = 0; i < dry.skip_count; i++) {
        assert_string_equal(dry.skips[i].sample, wet.skips[i].sample);
        assert_int_equal(dry.skips[i].count, wet.skips[i].count);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_plays_with_where_they_came_from),
        cmocka_unit_test(a_second_time_adds_nothing_and_a_longer_file_what_is_new),
        cmocka_unit_test(undone_and_imported_again_it_is_as_it_was),
        cmocka_unit_test(stopped_anywhere_it_goes_on_to_the_same_rows),
        cmocka_unit_test(cancelled_it_leaves_nothing_that_counts),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_dry_run_counts_the_same_without_a_trace),
    };
    return cmocka_run_group_tests_name("import", tests, set_up, tear_down);
}
