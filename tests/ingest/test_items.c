/* What libraries hold: told, told again, gone, there again; the same rows however the log is cut. */
#include "../test.h"

#include "helpers.h"

/* Items "KEY:MOVIE" of a library, in a pass. */
static void tell(struct log *l, const char *server, const char *library, int pass_s,
                 const char *const *items)
{
    auto_buf struct buf text = {0};
    buf_printf(&text, "{\"server\":\"%s\",\"pass_us\":%d000000,\"library_key\":\"%s\",\"items\":[", server,
               pass_s, library);
    for (size_t i = 0; items[i]; i++) {
        const char *colon = strchr(items[i], ':');
        buf_printf(&text,
                   "%s{\"item_key\":\"%.*s\",\"media_type\":\"movie\",\"title\":\"%s\",\"year\":1999,"
                   "\"provider_ids\":\"imdb:%s\",\"added_us\":500000000,\"size_bytes\":%zu,"
                   "\"duration_ms\":7200000,\"container\":\"mkv\",\"video_codec\":\"hevc\","
                   "\"bitrate_kbps\":9000,\"file_key\":\"f%s\"}",
                   i ? "," : "", (int)(colon - items[i]), items[i], colon + 1, colon + 1,
                   1000 + strlen(colon), colon + 1);
    }
    buf_puts(&text, "]}");
    append(l, LOG_ITEMS, buf_str(&text));
}
#define TELL(l, server, library, pass, ...) \
    tell(l, server, library, pass, (const char *const[]){__VA_ARGS__, NULL})

/* library NULL: of the whole server. */
static void end(struct log *l, const char *server, const char *library, int pass_s)
{
    auto_buf struct buf text = {0};
    buf_printf(&text, "{\"server\":\"%s\",\"pass_us\":%d000000", server, pass_s);
    if (library)
        buf_printf(&text, ",\"library_key\":\"%s\"", library);
    buf_puts(&text, "}");
    append(l, LOG_ITEMS_END, buf_str(&text));
}

static int64_t all_items(struct store *s)
{
    return ask(s, "select coalesce((hash(string_agg(i::varchar, '|' order by server_id, key),"
                  " (select string_agg(t::varchar, '|' order by title_id) from title t),"
                  " (select string_agg(k::varchar, '|' order by key) from title_key k)) // 2)::bigint, 0)"
                  " from item i");
}

static void wait_for(struct ingest *in, struct log *l)
{
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
}

static void an_item_comes_goes_and_comes_again(void **state)
{
    struct log *l = open_log("items.sqlite");
    struct store *s = open_store("items.duckdb");
    struct ingest *in = start(l, s);
    TELL(l, "plex-1", "1", 1000, "a:Heat", "b:Alien");
    TELL(l, "plex-1", "2", 1000, "c:Ran");
    TELL(l, "emby-1", "1", 1000, "a:Heat");
    end(l, "plex-1", "1", 1000);
    end(l, "plex-1", NULL, 1000);
    wait_for(in, l);
    assert_int_equal(ask(s, "select count(*) from item where removed_at is null"), 4);
    assert_int_equal(ask(s, "select count(distinct coalesce(root_id, title_id)) from item left join title_join"
                            " using (title_id)"), 3);
    assert_int_equal(ask(s, "select count(*) from item where key = 'a' and size_bytes = 1005 and"
                            " added_at = make_timestamp(500000000) and duration_ms = 7200000 and"
                            " container = 'mkv' and video_codec = 'hevc' and audio_codec is null and"
                            " bitrate_kbps = 9000 and file_key = 'fHeat'"), 2);
    /* Nothing new: nobody has to ask again. */
    int64_t version = store_data_version(s);
    TELL(l, "plex-1", "1", 1500, "a:Heat");
    wait_for(in, l);
    assert_true(version == store_data_version(s));
    /* Alien is gone from its library, Ran is in one that was not looked at. */
    TELL(l, "plex-1", "1", 2000, "a:Heat");
    end(l, "plex-1", "1", 2000);
    wait_for(in, l);
    assert_true(version != store_data_version(s));
    assert_int_equal(ask(s, "select count(*) from item where removed_at is not null"), 1);
    assert_int_equal(ask(s, "select count(*) from item where key = 'b' and removed_at ="
                            " make_timestamp(2000000000) and last_seen = make_timestamp(1000000000)"), 1);
    /* The library of Ran is gone; Alien is back, in another library and with another file. */
    TELL(l, "plex-1", "1", 3000, "a:Heat");
    TELL(l, "plex-1", "3", 3000, "b:Aliens");
    end(l, "plex-1", "1", 3000);
    end(l, "plex-1", "3", 3000);
    end(l, "plex-1", NULL, 3000);
    wait_for(in, l);
    assert_int_equal(ask(s, "select count(*) from item"), 4);
    assert_int_equal(ask(s, "select count(*) from item where removed_at is not null and key = 'c'"), 1);
    assert_int_equal(ask(s, "select count(*) from item i join library l using (library_id) where"
                            " i.key = 'b' and removed_at is null and file_key = 'fAliens' and l.key = '3'"
                            " and size_bytes = 1007 and first_seen ="
                            " make_timestamp(1000000000) and last_seen = make_timestamp(3000000000)"), 1);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

static void an_item_and_a_play_are_of_one_title(void **state)
{
    struct log *l = open_log("title.sqlite");
    struct store *s = open_store("title.duckdb");
    see(l, "1@0", 1000, PLAY_PLAYING, 0, "ada", "Heat");
    TELL(l, "plex-1", "1", 1000, "Heat:Heat", "Ran:Ran");
    see(l, "2@0", 1000, PLAY_PLAYING, 0, "bob", "Ran");
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from title"), 2);
    assert_int_equal(ask(s, "select count(*) from item join play using (title_id)"), 2);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

static void what_makes_no_sense_is_left_out(void **state)
{
    static const char *const records[] = {
        "{\"server\":\"plex-1\",\"items\":[{\"item_key\":\"1\",\"media_type\":\"movie\"}]}",
        "{\"server\":\"plex-1\",\"pass_us\":-5,\"items\":[{\"item_key\":\"1\",\"media_type\":\"movie\"}]}",
        "{\"server\":\"plex-1\",\"pass_us\":1,\"items\":[{\"item_key\":\"\",\"media_type\":\"movie\"},"
        "{\"item_key\":\"1\"},[],null,5]}",
        "{\"server\":\"plex-1\",\"pass_us\":1,\"items\":5}",
        "{\"pass_us\":1}",
    };
    struct log *l = open_log("none.sqlite");
    struct store *s = open_store("none.duckdb");
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        append(l, LOG_ITEMS, str_of(records[i]));
    append(l, LOG_ITEMS_END, STR("{\"server\":\"plex-1\"}"));
    append(l, LOG_ITEMS, STR("{\"server\":\"plex-1\",\"pass_us\":1,\"items\":[{\"item_key\":\"1\","
                             "\"media_type\":\"movie\",\"added_us\":-9,\"size_bytes\":-7}]}"));
    struct ingest *in = start(l, s);
    assert_int_equal(ask(s, "select count(*) from item"), 1);
    assert_int_equal(ask(s, "select count(*) from item where added_at is null and size_bytes is null and"
                            " library_id is null"), 1);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

/* A seeded feed: passes over two servers' libraries, with plays between them. */
static void feed(struct log *l, unsigned seed, int passes)
{
    static const char *const names[] = {"1:Heat", "2:Alien", "3:Ran", "4:Ikiru", "5:Alien", "6:Heat"};
    for (int p = 0; p < passes; p++) {
        const char *server = p % 2 ? "plex-1" : "jellyfin-1";
        for (int library = 1; library <= 2; library++) {
            const char *key = library == 1 ? "1" : "2";
            for (int part = 0; part < 2; part++) {
                const char *some[ARRAY_LEN(names) + 1] = {NULL};
                size_t count = 0;
                for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                    seed = seed * 1664525u + 1013904223u;
                    if ((seed >> 13) % 3 == 0)
                        some[count++] = names[i];
                }
                tell(l, server, key, 1000 + p, some);
                if ((seed >> 20) % 3 == 0)
                    see(l, "1@0", 1000 + p, PLAY_PLAYING, p, "ada", "Heat");
            }
            if ((seed >> 17) % 4)
                end(l, server, key, 1000 + p);
        }
        if (seed % 3 == 0)
            end(l, server, NULL, 1000 + p);
    }
}

static void a_log_gives_the_same_rows_however_it_is_cut(void **state)
{
    int64_t wanted = 0;
    static const size_t batches[] = {1, 2, 7, 1000};
    for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
        remove_store("cut.duckdb");
        auto_free char *name = xasprintf("cut-%zu.sqlite", b);
        struct log *l = open_log(name);
        struct store *s = open_store("cut.duckdb");
        feed(l, 5, 20);
        struct ingest *in = start_with(l, s, batches[b], 0);
        ingest_stop(in);
        in = start_with(l, s, batches[b], 0);
        feed(l, 6, 10);
        wait_for(in, l);
        int64_t got = all_items(s);
        assert_true(ask(s, "select count(*) from item where removed_at is null") > 0);
        assert_true(ask(s, "select count(*) from item where removed_at is not null") > 0);
        if (b == 0)
            wanted = got;
        assert_true(got == wanted);
        ingest_stop(in);
        store_close(s);
        log_close(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_comes_goes_and_comes_again),
        cmocka_unit_test(an_item_and_a_play_are_of_one_title),
        cmocka_unit_test(what_makes_no_sense_is_left_out),
        cmocka_unit_test(a_log_gives_the_same_rows_however_it_is_cut),
    };
    return cmocka_run_group_tests_name("ingest/items", tests, set_up, tear_down);
}
