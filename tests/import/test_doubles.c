/* What an import tells and we know, too: the same person, the same title, the same watching. */
#include "../test.h"

#include "helpers.h"

/* One film of row 3 of make_file(): 1600021600 to 1600024603, by ada, who owns the server. */
enum { FROM = 1600021600, TO = 1600024603 };

static void told_to_server(struct world *w, const char *json, enum log_kind kind)
{
    append(w->log, kind, str_of(json));
}

/* As the collector tells it: from, to, at which item. The owner is account 1 of the server. */
static void watch(struct world *w, const char *session, int from, int to, const char *account,
                  const char *item, bool is_ended)
{
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.session = session;
    o.duration_ms = 3600 * 1000;
    o.account_key = account;
    o.account_name = streq(account, "1") ? "ada" : "bob";
    o.media_type = "movie";
    auto_free char *guid = xasprintf("plex://movie/%s", item);
    auto_free char *title = xasprintf("Film %s", item);
    o.guid = guid;
    o.title = title;
    o.item_key = item;
    o.player = "TV";
    for (int at = from; at <= to; at += 30) {
        bool is_last = at + 30 > to;
        o.observed_us = (is_last ? to : at) * US_PER_S;
        o.position_ms = (at - from) * 1000;
        o.state = is_last && is_ended ? PLAY_STOPPED : PLAY_PLAYING;
        auto_buf struct buf text = {0};
        struct json_writer out;
        jw_begin(&out, &text);
        observation_write(&out, &o);
        append(w->log, LOG_OBSERVATION, buf_str(&text));
    }
    assert_true(ingest_wait(w->ingest, log_last(w->log), 20 * US_PER_S));
}

static struct world open_live(const char *name)
{
    struct world w = open_world(name);
    told_to_server(&w, "{\"server\":\"plex-1\",\"kind\":\"plex\",\"name\":\"Home\","
                       "\"machine_id\":\"machine-a\"}", LOG_SERVER);
    told_to_server(&w, "{\"server\":\"plex-1\",\"accounts\":[{\"key\":\"1\",\"name\":\"ada\","
                       "\"is_owner\":true},{\"key\":\"502\",\"name\":\"bob\"}]}", LOG_ACCOUNTS);
    assert_true(ingest_wait(w.ingest, log_last(w.log), 20 * US_PER_S));
    return w;
}

struct double_case {
    const char *name;
    int from, to;
    bool is_ended;
    const char *account, *item;
    int shown_live, shown_imported, hidden; /* plays of that film by ada */
};

static void the_more_detailed_side_stays_and_the_other_is_hidden(void **state)
{
    (void)state;
    static const struct double_case cases[] = {
        {"the same", FROM + 2, TO - 1, true, "1", "103", 1, 0, 1},
        {"a clock a minute off", FROM + 60, TO + 60, true, "1", "103", 1, 0, 1},
        {"seen from the middle on", FROM + 1500, TO, true, "1", "103", 0, 1, 1},
        {"still open", FROM + 1500, TO, false, "1", "103", 1, 0, 1},
        {"right after it", TO + 5, TO + 1000, true, "1", "103", 1, 1, 0},
        {"touching", TO - 5, TO + 1000, true, "1", "103", 1, 1, 0},
        {"by somebody else", FROM, TO, true, "502", "103", 0, 1, 0},
        {"another film", FROM, TO, true, "1", "104", 0, 1, 0},
    };
    auto_free char *path = make_file("story.db", 3, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct double_case *c = &cases[i];
        for (int import_first = 0; import_first < 2; import_first++) {
            struct world w = open_live("double");
            if (import_first)
                (void)must_import(&w, path);
            watch(&w, "9@0", c->from, c->to, c->account, c->item, c->is_ended);
            if (!import_first)
                (void)must_import(&w, path);
            static const char *const what[] = {"not is_hidden and origin = 'live'",
                                               "not is_hidden and origin = 'import'",
                                               "hidden_by = 'superseded'"};
            const int expected[] = {c->shown_live, c->shown_imported, c->hidden};
            for (size_t k = 0; k < ARRAY_LEN(what); k++) {
                auto_free char *query = xasprintf(
                    "select count(*) from play p join account a using (account_id) join title t"
                    " using (title_id) where a.key = '1' and t.title = 'Film 103' and %s", what[k]);
                if (ask(w.store, query) != expected[k])
                    fail_msg("%s, import %s: %lld plays where %s", c->name,
                             import_first ? "first" : "last", (long long)ask(w.store, query),
                             what[k]);
            }
            struct error err = {0};
            int64_t before = fingerprint(w.store);
            assert_int_equal(ingest_rederive(w.ingest, NULL, &err), STATUS_OK);
            assert_true(fingerprint(w.store) == before);
            /* reversible */
            struct knobs k = knobs_default();
            assert_int_equal(import_undo(w.ingest, &k, 1, "ada", &err), STATUS_OK);
            assert_int_equal(ask(w.store, "select count(*) from play where is_hidden"), 0);
            assert_int_equal(ask(w.store, "select count(*) from play"), 1);
            close_world(&w);
            remove_store("double");
        }
    }
}

static void rows_land_on_the_server_and_the_people_that_are_known(void **state)
{
    (void)state;
    struct world w = open_live("known");
    watch(&w, "9@0", 1500000000, 1500003000, "1", "103", true);
    auto_free char *path = make_file("known.db", 30, "");
    struct import_report r = must_import(&w, path);
    assert_string_equal(r.server, "plex-1");
    assert_int_equal(ask(w.store, "select count(*) from server"), 1);
    assert_int_equal(ask(w.store, "select count(*) from account"), 2);
    assert_int_equal(ask(w.store, "select count(*) from person"), 2);
    /* the film that was seen live is the film of the import */
    assert_int_equal(ask(w.store, "select count(*) from title"), 10);
    assert_int_equal(ask(w.store, "select count(*) from play join account using (account_id)"
                                  " where is_owner"), 11);
    close_world(&w);
}

/* Who owns the server, where the file does not say: the one with the owner's name or e-mail. */
static void the_owner_is_found_by_name_in_an_old_file(void **state)
{
    (void)state;
    struct world w = open_live("owner");
    auto_free char *path = make_file("owner.db", 30, "update users set is_admin = 0,"
                                                     " username = 'ADA' where user_id = 501");
    (void)must_import(&w, path);
    assert_int_equal(ask(w.store, "select count(*) from account"), 2);
    assert_int_equal(ask(w.store, "select count(*) from play join account using (account_id)"
                                  " where key = '1'"), 10);
    close_world(&w);
}

static void the_server_asked_for_or_likely_is_used(void **state)
{
    (void)state;
    struct {
        const char *asked, *likely, *machine, *expected;
    } cases[] = {
        {NULL, NULL, "machine-a", "plex-1"},
        {"plex-2", "plex-3", "machine-a", "plex-2"},
        {NULL, "plex-3", "machine-b", "plex-3"},
        {NULL, "plex-3", "", "plex-3"},
        {NULL, "plex-1", "machine-b", "plex-machine-b"}, /* plex-1 is machine-a */
        {NULL, NULL, "machine-b", "plex-machine-b"},
        {NULL, NULL, "", "plex-imported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w = open_live("server");
        auto_free char *more = xasprintf("update library_sections set server_id = '%s'",
                                         cases[i].machine);
        auto_free char *path = make_file("server.db", 3, more);
        struct import_job job = job_for(&w, path);
        struct import_report r;
        struct error err = {0};
        job.server_key = cases[i].asked;
        job.likely_server_key = cases[i].likely;
        assert_int_equal(import(&job, &r, &err), STATUS_OK);
        assert_string_equal(r.server, cases[i].expected);
        /* and there it stays: nothing is added twice */
        job.server_key = job.likely_server_key = NULL;
        assert_int_equal(import(&job, &r, &err), STATUS_OK);
        if (*cases[i].machine && !cases[i].asked && !cases[i].likely)
            assert_int_equal(r.rows_added, 0);
        close_world(&w);
        remove_store("server");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_more_detailed_side_stays_and_the_other_is_hidden),
        cmocka_unit_test(rows_land_on_the_server_and_the_people_that_are_known),
        cmocka_unit_test(the_owner_is_found_by_name_in_an_old_file),
        cmocka_unit_test(the_server_asked_for_or_likely_is_used),
    };
    return cmocka_run_group_tests_name("import doubles", tests, set_up, tear_down);
}
