#include "../test.h"

#include "helpers.h"
#include "ingest/title_keys.h"
#include "ingest/title_match.h"
#include "ingest/titles.h"

/* --- which rows are one title ---------------------------------------------------------------- */

enum { ROWS_MAX = 6 };

static const struct {
    const char *name;
    const char *keys[ROWS_MAX]; /* of rows 1, 2, ...; blank separated */
    struct match_hand hands[3];
    const char *roots;       /* of each row */
    const char *suggestions; /* "a-b:why:against" each */
} rows[] = {
    {"an id at a provider", {"movie:imdb:tt1 text:movie:a:1999", "movie:imdb:tt1 text:movie:b:1999"},
     {{0}}, "1 1", ""},
    {"the global id at Plex", {"plex://movie/1", "plex://movie/1"}, {{0}}, "1 1", ""},
    {"the same file", {"file:movie:f text:movie:a:1999", "file:movie:f text:movie:b:1999"}, {{0}}, "1 1", ""},
    {"one file, two episodes", {"file:episode:1:1:f", "file:episode:1:2:f"}, {{0}}, "1 2", ""},
    {"the same names", {"movie:imdb:tt1 text:movie:a:1999", "text:movie:a:1999"}, {{0}}, "1 1", ""},
    {"an item's key says nothing", {"item:plex-1:1 text:movie:a:1999", "item:plex-1:1 text:movie:b:1"},
     {{0}}, "1 2", ""},
    {"a remake of the same year", {"movie:imdb:tt1 text:movie:a:1999", "movie:imdb:tt2 text:movie:a:1999"},
     {{0}}, "1 2", "1-2:text:ids"},
    {"the more believed provider decides",
     {"movie:imdb:tt1 movie:tvdb:5", "movie:imdb:tt1 movie:tvdb:6", "movie:imdb:tt2 movie:tvdb:6"},
     {{0}}, "1 1 3", "1-3:id:ids"},
    {"ids that meet in a third", {"movie:imdb:tt1", "movie:tmdb:2", "movie:imdb:tt1 movie:tmdb:2"},
     {{0}}, "1 1 1", ""},
    {"nobody can say to which of two it belongs",
     {"movie:imdb:tt1 text:movie:a:1999", "movie:imdb:tt2 text:movie:a:1999", "text:movie:a:1999",
      "text:movie:a:1999"},
     {{0}}, "1 2 3 3", "1-2:text:ids 1-3:text:others 2-3:text:others"},
    {"by hand, whatever ids say", {"movie:imdb:tt1", "movie:imdb:tt2", "movie:imdb:tt2"},
     {{1, 2, true, 1}}, "1 1 1", ""},
    {"split off by hand", {"movie:imdb:tt1", "movie:imdb:tt1", "movie:imdb:tt1"},
     {{1, 3, false, 1}, {2, 3, false, 1}}, "1 1 3", ""},
    {"a newcomer goes to the larger side", {"movie:imdb:tt1", "movie:imdb:tt1", "movie:imdb:tt1",
                                            "movie:imdb:tt1"},
     {{1, 2, false, 1}, {1, 3, false, 1}}, "1 2 2 2", ""},
    {"the newest decision has the last word", {"movie:tmdb:1", "movie:tmdb:2", "movie:tmdb:3"},
     {{1, 2, true, 1}, {2, 3, true, 3}, {1, 3, false, 2}}, "1 2 2", ""},
};

static size_t split(const char *text, struct arena *a, const char *ret[16])
{
    size_t count = 0;
    struct str rest = str_of(text), piece;
    while (str_next(&rest, ' ', &piece))
        ret[count++] = arena_strndup(a, piece.ptr, piece.len);
    return count;
}

/* With the rows in another order, too: it changes nothing. */
static void rows_that_are_one_title_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int is_reversed = 0; is_reversed < 2; is_reversed++) {
            print_message("  %s\n", rows[i].name);
            auto_arena struct arena a = {0};
            struct match_title titles[ROWS_MAX];
            const char *keys[ROWS_MAX][16];
            size_t n = 0, hands = 0;
            while (n < ROWS_MAX && rows[i].keys[n])
                n++;
            while (hands < 3 && rows[i].hands[hands].a)
                hands++;
            for (size_t k = 0; k < n; k++) {
                size_t at = is_reversed ? n - 1 - k : k;
                size_t count = split(rows[i].keys[k], &a, keys[at]);
                titles[at] = (struct match_title){(int32_t)k + 1, keys[at], count};
            }
            struct title_match m;
            title_match(titles, n, rows[i].hands, hands, &m);
            auto_buf struct buf roots = {0}, pairs = {0};
            for (size_t k = 0; k < n; k++)
                buf_printf(&roots, "%s%d", k ? " " : "", m.root[is_reversed ? n - 1 - k : k]);
            for (size_t k = 0; k < m.pair_count; k++)
                buf_printf(&pairs, "%s%d-%d:%s:%s", k ? " " : "", m.pairs[k].a, m.pairs[k].b,
                           title_why_word(m.pairs[k].why), title_against_word(m.pairs[k].against));
            assert_string_equal(buf_text(&roots), rows[i].roots);
            assert_string_equal(pairs.len ? buf_text(&pairs) : "", rows[i].suggestions);
            title_match_done(&m);
        }
}

/* --- in the store ---------------------------------------------------------------------------- */

struct seen {
    const char *server, *item, *ids, *title, *file, *account;
    int at_s;
};

static void watch(struct log *l, const struct seen *w)
{
    for (int k = 0; k < 2; k++) {
        auto_free char *session = xasprintf("%d@0", w->at_s);
        struct observation o;
        observation_init(&o);
        o.server = w->server;
        o.session = session;
        o.observed_us = (w->at_s + k * 100) * US_PER_S;
        o.state = k ? PLAY_STOPPED : PLAY_PLAYING;
        o.position_ms = k * 100000;
        o.duration_ms = 7200000;
        o.account_key = o.account_name = w->account ? w->account : "ada";
        o.media_type = "movie";
        o.item_key = w->item;
        o.provider_ids = w->ids;
        o.title = w->title;
        o.file_key = w->file ? w->file : "";
        o.year = 1999;
        auto_buf struct buf json = {0};
        struct json_writer jw;
        jw_begin(&jw, &json);
        observation_write(&jw, &o);
        append(l, LOG_OBSERVATION, buf_str(&json));
    }
}

static void apply(struct ingest *in, struct log *l, const struct seen *w)
{
    watch(l, w);
    assert_true(ingest_wait(in, log_last(l), 30 * US_PER_S));
}

/* How many titles have plays, and how many plays the largest one has. */
static void expect(struct store *s, int64_t titles, int64_t most)
{
    assert_int_equal(ask(s, "select count(distinct title_id) from play"), titles);
    assert_int_equal(ask(s, "select max(n) from (select count(*) n from play group by title_id)"), most);
    assert_int_equal(ask(s, "select count(*) from (select count(distinct p.title_id) n from play p"
                            " join segment g using (play_id) where p.title_id <> g.title_id)"
                            " where n > 0"), 0);
}

static int64_t derived(struct store *s)
{
    assert_int_equal(ask(s, SEGMENTS_UNLIKE_PLAYS), 0);
    return ask(s, "select (hash((select string_agg(p::varchar, '|' order by play_id) from play p),"
                  " (select string_agg(s::varchar, '|' order by segment_id) from segment s),"
                  " (select string_agg(j::varchar, '|' order by title_id) from title_join j)) // 2)"
                  "::bigint");
}

static void expect_same_when_derived_again(struct ingest *in, struct store *s)
{
    struct error err;
    int64_t before = derived(s);
    struct rederive_report r;
    if (ingest_rederive(in, &r, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_false(r.is_changed);
    assert_true(derived(s) == before);
}

static void a_library_that_is_built_anew_keeps_its_titles(void **state)
{
    (void)state;
    struct log *l = open_log("anew.sqlite");
    struct store *s = open_store("anew.duckdb");
    struct ingest *in = start(l, s);
    static const struct seen old[] = {
        {"plex-1", "1", "imdb:tt1 tmdb:1", "By id", NULL, NULL, 1000},
        {"plex-1", "2", "imdb:tt2", "By file", "f2", NULL, 300000},
        {"plex-1", "3", "", "By name", NULL, NULL, 600000},
    }, new[] = {
        {"plex-1", "2", "tmdb:1", "By ID (renamed)", NULL, NULL, 1000000},  /* 2 was another film */
        {"plex-1", "8", "", "By file (renamed)", "f2", NULL, 1300000},
        {"plex-1", "9", "", "by NAME ", NULL, NULL, 1600000},
    };
    for (size_t i = 0; i < ARRAY_LEN(old); i++)
        apply(in, l, &old[i]);
    expect(s, 3, 1);
    for (size_t i = 0; i < ARRAY_LEN(new); i++)
        apply(in, l, &new[i]);
    expect(s, 3, 2);
    assert_int_equal(ask(s, "select count(*) from title"), 6);
    /* Of what was there before nothing has moved. */
    assert_int_equal(ask(s, "select count(*) from title_change"), 0);
    expect_same_when_derived_again(in, s);
    ingest_stop(in);

    in = start(l, s); /* the same after a restart */
    apply(in, l, &(struct seen){"plex-1", "77", "imdb:tt1", "Again", NULL, NULL, 2000000});
    expect(s, 3, 3);
    expect_same_when_derived_again(in, s);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void plays_of_what_turns_out_to_be_one_title_are_joined_again(void **state)
{
    (void)state;
    struct log *l = open_log("meet.sqlite");
    struct store *s = open_store("meet.duckdb");
    struct ingest *in = start(l, s);
    struct error err;
    /* Two items of one server, an hour apart: a resumed film, once it is known that it is one. */
    apply(in, l, &(struct seen){"plex-1", "1", "imdb:tt1", "Heat", NULL, NULL, 1000});
    watch(l, &(struct seen){"plex-1", "2", "tmdb:2", "Fire", NULL, NULL, 5000});
    apply(in, l, &(struct seen){"plex-1", "2", "tmdb:2", "Fire", NULL, "bob", 6000});
    expect(s, 2, 2);
    int64_t before = ask(s, "select count(*) from play");
    apply(in, l, &(struct seen){"jellyfin-1", "j", "imdb:tt1 tmdb:2", "Heat", NULL, "eve", 900000});
    expect(s, 1, 3);
    assert_int_equal(ask(s, "select count(*) from play"), before); /* eve's more, one of ada's less */
    assert_int_equal(ask(s, "select count(*) from title_change where why = 'id' and from_root_id = 2"
                            " and to_root_id = 1 and decision_id is null"), 1);
    expect_same_when_derived_again(in, s);

    /* Parted by hand, and back. */
    int64_t decision;
    static const int64_t items[] = {2};
    assert_int_equal(titles_split(in, items, 1, "root", "", &decision, &err), STATUS_OK);
    expect(s, 2, 2);
    expect_same_when_derived_again(in, s);
    apply(in, l, &(struct seen){"plex-1", "5", "imdb:tt1", "Heat", NULL, NULL, 1900000});
    expect(s, 2, 3);
    assert_int_equal(titles_undo(in, decision, "root", &err), STATUS_OK);
    expect(s, 1, 4);
    assert_int_equal(titles_undo(in, decision, "root", &err), STATUS_CONFLICT);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

static void a_merge_by_hand_lasts_until_it_is_taken_back(void **state)
{
    (void)state;
    struct log *l = open_log("hand.sqlite");
    struct store *s = open_store("hand.duckdb");
    struct ingest *in = start(l, s);
    struct error err;
    apply(in, l, &(struct seen){"plex-1", "1", "tmdb:1", "Heat", NULL, NULL, 1000});
    apply(in, l, &(struct seen){"plex-1", "2", "tmdb:2", "Hitze", NULL, NULL, 300000});
    int64_t decision;
    static const int64_t both[] = {1, 2}, twice[] = {1, 1}, none[] = {1, 99}, alone[] = {1};
    assert_int_equal(titles_merge(in, twice, 2, "root", "", &decision, &err), STATUS_INVALID);
    assert_int_equal(titles_merge(in, alone, 1, "root", "", &decision, &err), STATUS_INVALID);
    assert_int_equal(titles_merge(in, none, 2, "root", "", &decision, &err), STATUS_NOT_FOUND);
    assert_int_equal(titles_split(in, alone, 1, "root", "", &decision, &err), STATUS_INVALID);
    assert_int_equal(titles_merge(in, both, 2, "root", "the same film", &decision, &err), STATUS_OK);
    expect(s, 1, 2);
    assert_int_equal(titles_merge(in, both, 2, "root", "", &decision, &err), STATUS_INVALID);
    expect_same_when_derived_again(in, s);
    ingest_stop(in);
    in = start(l, s);
    apply(in, l, &(struct seen){"plex-1", "7", "tmdb:2", "Hitze", NULL, NULL, 900000});
    expect(s, 1, 3);
    assert_int_equal(titles_undo(in, decision, "root", &err), STATUS_OK);
    expect(s, 2, 2);
    expect_same_when_derived_again(in, s);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* What an older version has left: rows without anything that says which are one. */
static void an_older_store_is_matched_at_the_start(void **state)
{
    (void)state;
    struct log *l = open_log("older.sqlite");
    struct store *s = open_store("older.duckdb");
    struct store_conn *c = NULL;
    struct error err;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_equal(store_exec(c, "insert into title (title_id, media_type, title) values (1, 'movie', 'A'),"
                                   " (2, 'movie', 'A'), (3, 'movie', 'B');"
                                   "insert into title_key values ('movie:imdb:tt1', 1), ('movie:imdb:tt1', 2),"
                                   " ('text:movie:b:1999', 3)", &err), STATUS_OK);
    store_disconnect(c);
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from title_join where title_id = 2 and root_id = 1"
                            " and why = 'id'"), 1);
    assert_int_equal(ask(s, "select count(*) from title_join"), 1);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

/* A name that hundreds of items have is nobody's name: it joins none of them, not even the first. */
static void a_name_that_everything_has_joins_nothing(void **state)
{
    (void)state;
    struct log *l = open_log("shared.sqlite");
    struct store *s = open_store("shared.duckdb");
    struct ingest *in = start(l, s);
    for (int i = 0; i < 205; i++) {
        auto_free char *item = xasprintf("%d", i);
        watch(l, &(struct seen){"plex-1", item, "", "Untitled", NULL, NULL, 1000 + i * 200});
    }
    assert_true(ingest_wait(in, log_last(l), 60 * US_PER_S));
    assert_int_equal(ask(s, "select count(distinct title_id) from play"), 205);
    assert_int_equal(ask(s, "select count(*) from title_join"), 0);
    expect_same_when_derived_again(in, s);
    ingest_stop(in);
    leave_store(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_are_one_title_are_found),
        cmocka_unit_test(a_library_that_is_built_anew_keeps_its_titles),
        cmocka_unit_test(plays_of_what_turns_out_to_be_one_title_are_joined_again),
        cmocka_unit_test(a_merge_by_hand_lasts_until_it_is_taken_back),
        cmocka_unit_test(an_older_store_is_matched_at_the_start),
        cmocka_unit_test(a_name_that_everything_has_joins_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
