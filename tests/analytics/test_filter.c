#include "../segments_of_plays.h"
#include "../test.h"

#include <stdio.h>

#include "analytics/filter.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/cursor.h"

/* Watch time by quarters of what the filter leaves. */
#define QUARTERS                                                                                \
    "unnest(watch_quarters(started, ended, watch_ms, spans, from_at, to_at), recursive := true)" \
    " from filtered_segment, filter_window"

static struct store *store;
static struct store_conn *conn;

/* 2026-03-10T12:00:00Z */
#define NOW_US (INT64_C(1773144000) * US_PER_S)

/*
 * The plays, by hand. All segments have spans but 5, 12 and 13. Hidden: 7 deleted, 9 superseded, 10
 * an extra; 6 is short; 8 is a view. Play 2 has the segments 2 and 3.
 */
static const char rows_sql[] =
    "insert into server (server_id, key, kind, name, machine_id, version,"
    " latitude, longitude) values (1, 'a', 'plex', 'A', null, null, null, null),"
    " (2, 'b', 'emby', 'B', null, null, null, null);"
    "insert into person values (1, 'Ada'), (2, 'José Bóveda'), (3, 'Eve');"
    "insert into account (account_id, server_id, key, name, email,"
    " is_owner, person_id) values (1, 1, 'k1', 'ada', null, null, 1), (2, 2, 'k2', 'ada', null, null,"
    " 1), (3, 1, 'k3', 'jose', null, null, 2), (4, 1, 'k4', 'guest', null, null, null);"
    "insert into title values"
    " (1, 'movie', 'Heat', null, null, null, null, 1995, null, 'R', ['Crime', 'Drama'], 'Heat'),"
    " (2, 'episode', 'Pilot', 'Season 1', 'Café', 1, 1, 2001, null, 'TV-MA', ['Drama'],"
    "  'Café - Pilot'),"
    " (3, 'track', '100% Pure', null, null, null, null, null, null, null, null, '100% Pure'),"
    " (4, 'movie', 'a_b', null, null, null, null, 1995, null, 'PG', [], 'a_b');"
    "insert into device values (1, 'm1', 'TV', null, null, 'Android', null),"
    " (2, 'm2', 'Phone', null, null, 'iOS', null),"
    " (3, 'm3', 'Web, Chrome', null, null, null, null);"
    "insert into quality (quality_id, transcode_decision, video_resolution, video_codec,"
    " audio_codec) values (1, 'direct play', '1080', 'h264', 'aac'),"
    " (2, 'transcode', '4k', 'hevc', 'ac3'), (3, null, null, null, null);"
    "insert into place values (1, 'DE', 'Germany', null, 'Berlin', 52.5, 13.4),"
    " (2, 'US', 'United States', null, 'New York', 40.7, -74);"
    "insert into address values (1, '1.1.1.1', 'public', 1), (2, '10.0.0.1', 'lan', null),"
    " (3, '2.2.2.2', 'public', 2), (4, 'x', 'unknown', null);"
    "create temp table given (segment_id bigint, play_id bigint, server_id integer,"
    " account_id integer, title_id integer, library_id integer, device_id integer,"
    " quality_id integer, address_id integer, location varchar, started timestamp,"
    " minutes bigint);"
    "insert into given values"
    " (1, 1, 1, 1, 1, 1, 1, 1, 2, 'lan', '2026-03-01 10:00', 100),"
    " (2, 2, 2, 2, 1, 2, 1, 1, 1, 'wan', '2026-03-02 20:00', 30),"
    " (3, 2, 2, 2, 1, 2, 2, 2, 1, 'wan', '2026-03-02 22:00', 60),"
    " (4, 4, 1, 3, 2, null, 2, 2, 3, 'wan', '2026-03-03 23:50', 40),"
    " (5, 5, 1, 4, 3, 1, 3, 3, null, null, '2026-03-04 09:00', 3),"
    " (6, 6, 1, 1, 4, 1, 1, 1, 2, 'lan', '2026-03-05 09:00', 1),"
    " (7, 7, 1, 1, 1, 1, 1, 1, 2, 'lan', '2026-03-05 10:00', 100),"
    " (10, 10, 1, 1, 1, 1, 1, 1, 2, 'lan', '2026-03-05 10:00', 5),"
    " (12, 12, null, null, 4, 1, null, null, 4, null, '2026-03-06 10:00', 20),"
    " (13, 13, 1, 3, null, 1, 1, 1, 2, 'cellular', '2026-03-07 10:00', 10);"
    "insert into segment select segment_id, play_id, 'live', server_id, account_id, title_id,"
    " library_id, device_id, quality_id, address_id, started, started + to_minutes(minutes),"
    " minutes * 60000, 0, 0, 0, 0, 0, null, null, location, null, null, null, null, null, false,"
    " false, case when segment_id in (5, 12, 13) then null else"
    " [epoch_us(started), epoch_us(started) + minutes * 60000000] end, null, null, null, null, null,"
    " null, null from given;"
    "insert into play select play_id, case play_id when 10 then 'extra' else 'play' end, 'live',"
    " any_value(server_id), any_value(account_id), any_value(g.title_id), any_value(library_id),"
    " any_value(t.media_type), min(started), max(started + to_minutes(minutes)),"
    " sum(minutes) * 60000, 0, 0, 0, null, null, 50, false, play_id = 6, false, count(*),"
    " play_id = 7, case play_id when 7 then 'deleted' end"
    " from given g left join title t using (title_id) group by play_id;"
    "insert into play select play_id, 'view', 'view', 1, 3, 4, 2, 'movie', '2026-03-08 10:00',"
    " '2026-03-08 10:00', 0, 0, 0, 0, null, null, null, true, false, false, 0, play_id = 9,"
    " case play_id when 9 then 'superseded' end from (values (8), (9)) v(play_id);"
    SEGMENTS_OF_PLAYS;

static int set_up(void **state)
{
    (void)state;
    struct store_config c = {.path = ":memory:", .max_memory = "512MB", .threads = 1};
    struct error err;
    if (store_open(&c, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &conn, &err) != STATUS_OK ||
        store_exec(conn, rows_sql, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_disconnect(conn);
    store_close(store);
    return 0;
}

/* --- helpers --------------------------------------------------------------------------------- */

static const struct filter_config admin = {
    .time_zone = "UTC", .now_us = NOW_US, .sees_all = true, .takes_deleted = true};

/* Takes "a=1&b=2"; nothing is decoded. */
static enum status take_all(struct filter *f, const char *query, struct error *err)
{
    struct str rest = str_of(query), pair;
    while (*query && str_next(&rest, '&', &pair)) {
        struct str value = pair, name;
        (void)str_next(&value, '=', &name);
        auto_free char *n = xstrndup(name.ptr, name.len), *v = xstrndup(value.ptr, value.len);
        bool is_known;
        TRY(filter_take(f, n, v, &is_known, err));
        if (!is_known)
            fail_msg("'%s' is not known", n);
    }
    return filter_finish(f, conn, err);
}

static struct filter *filter_of(const struct filter_config *c, const char *query)
{
    struct filter *f = filter_new(c);
    struct error err = {0};
    if (take_all(f, query, &err) != STATUS_OK)
        fail_msg("%s: %s: %s", query, err.field, err.text);
    return f;
}

static char *ask_with(const struct filter *f, const char *select)
{
    auto_buf struct buf sql = {0};
    buf_puts(&sql, "with ");
    filter_sql(f, &sql);
    buf_printf(&sql, "\nselect coalesce((%s)::varchar, '')", select);
    size_t count;
    const struct store_named *values = filter_values(f, &count);
    auto_cursor struct cursor r = {0};
    struct error err;
    if (store_query_named(conn, buf_text(&sql), values, count, &r.result, &err) != STATUS_OK)
        fail_msg("%s\n%s", err.text, buf_text(&sql));
    if (!cursor_next(&r))
        fail_msg("no row: %s", select);
    struct str text = cursor_text(&r, 0);
    return xstrndup(text.ptr, text.len);
}

static char *ask(const struct filter_config *c, const char *query, const char *select)
{
    struct filter *f = filter_of(c, query);
    char *text = ask_with(f, select);
    filter_free(f);
    return text;
}

static void check(const char *query, const char *what, const char *found, const char *expected)
{
    if (!streq(found, expected))
        fail_msg("%s: %s are %s, not %s", query, what, found, expected);
}

static const char plays_sql[] =
    "select string_agg(play_id::varchar, ' ' order by play_id) from filtered_play";
static const char segments_sql[] =
    "select string_agg(segment_id::varchar, ' ' order by segment_id) from filtered_segment";

/* --- dimensions ------------------------------------------------------------------------------ */

static void each_parameter_keeps_the_rows_it_names(void **state)
{
    (void)state;
    static const struct {
        const char *query, *plays, *segments;
    } cases[] = {
        {"", "1 2 4 5 8 12 13", "1 2 3 4 5 12 13"},
        {"short=include", "1 2 4 5 6 8 12 13", "1 2 3 4 5 6 12 13"},
        {"deleted=include", "1 2 4 5 7 8 12 13", "1 2 3 4 5 7 12 13"},
        {"deleted=only", "7", "7"},
        {"users=1", "1 2", "1 2 3"},
        {"users=2", "4 8 13", "4 13"},
        {"users=1,2", "1 2 4 8 13", "1 2 3 4 13"},
        {"users=unknown", "5 12", "5 12"},
        {"users=unknown,1", "1 2 5 12", "1 2 3 5 12"},
        {"users=999", "", ""},
        {"accounts=2,4", "2 5", "2 3 5"},
        {"accounts=unknown", "12", "12"},
        {"accounts=1,unknown", "1 12", "1 12"},
        {"accounts=unknown&users=unknown", "12", "12"},
        {"accounts=1&users=2", "", ""},
        {"media_types=movie", "1 2 8 12", "1 2 3 12"},
        {"media_types=episode,track", "4 5", "4 5"},
        {"media_types=unknown", "13", "13"},
        {"media_types=live", "", ""},
        {"platforms=Android", "1 2 13", "1 2 13"},
        {"platforms=iOS", "2 4", "3 4"},
        {"platforms=ios", "", ""},
        {"platforms=unknown", "5 8 12", "5 12"},
        {"platforms=iOS,unknown", "2 4 5 8 12", "3 4 5 12"},
        {"players=Web\\, Chrome", "5", "5"},
        {"players=unknown", "8 12", "12"},
        {"players=unknown&platforms=unknown", "8 12", "12"},
        {"players=unknown&platforms=iOS", "", ""},
        {"devices=1,2", "1 2 4 13", "1 2 3 4 13"},
        {"devices=unknown", "8 12", "12"},
        {"transcode_decisions=direct play", "1 2 13", "1 2 13"},
        {"transcode_decisions=transcode", "2 4", "3 4"},
        {"transcode_decisions=copy", "", ""},
        {"transcode_decisions=unknown", "5 8 12", "5 12"},
        {"video_resolutions=4k", "2 4", "3 4"},
        {"video_codecs=h264", "1 2 13", "1 2 13"},
        {"audio_codecs=ac3,aac", "1 2 4 13", "1 2 3 4 13"},
        {"audio_codecs=unknown", "5 8 12", "5 12"},
        {"video_codecs=h264&platforms=iOS", "", ""},
        {"libraries=1", "1 5 12 13", "1 5 12 13"},
        {"libraries=2,unknown", "2 4 8", "2 3 4"},
        {"libraries=unknown", "4", "4"},
        {"content_ratings=R,PG", "1 2 8 12", "1 2 3 12"},
        {"content_ratings=unknown", "5 13", "5 13"},
        {"years=1995", "1 2 8 12", "1 2 3 12"},
        {"years=2001,unknown", "4 5 13", "4 5 13"},
        {"genres=Drama", "1 2 4", "1 2 3 4"},
        {"genres=Crime", "1 2", "1 2 3"},
        {"genres=unknown", "5 8 12 13", "5 12 13"},
        {"genres=unknown,Crime", "1 2 5 8 12 13", "1 2 3 5 12 13"},
        {"location_types=lan", "1 13", "1 13"},
        {"location_types=wan", "2 4", "2 3 4"},
        {"location_types=cellular", "13", "13"},
        {"location_types=public", "2 4", "2 3 4"},
        {"location_types=unknown", "5 8 12", "5 12"},
        {"location_types=lan,unknown", "1 5 8 12 13", "1 5 12 13"},
        {"location_types=tailscale", "", ""},
        {"countries=DE", "2", "2 3"},
        {"countries=Germany,US", "2 4", "2 3 4"},
        {"countries=unknown", "1 5 8 12 13", "1 5 12 13"},
        {"cities=New York", "4", "4"},
        {"cities=unknown", "1 5 8 12 13", "1 5 12 13"},
        {"places=1", "2", "2 3"},
        {"places=2,1", "2 4", "2 3 4"},
        {"places=1&cities=New York", "", ""},
        {"places=unknown", "1 5 8 12 13", "1 5 12 13"},
        {"places=2,unknown", "1 4 5 8 12 13", "1 4 5 12 13"},
        {"server_ids=1", "1 4 5 8 13", "1 4 5 13"},
        {"server_ids=2,unknown", "2 12", "2 3 12"},
        {"server_ids=unknown", "12", "12"},
        {"titles=1", "1 2", "1 2 3"},
        {"titles=unknown", "13", "13"},
        {"titles=1,unknown", "1 2 13", "1 2 3 13"},
        {"shows=Café", "4", "4"},
        {"search=heat", "1 2", "1 2 3"},
        {"search=CAFE pilot", "4", "4"},
        {"search=pilot cafe", "4", "4"},
        {"search=cafe heat", "", ""},
        {"search=%", "5", "5"},
        {"search=_", "8 12", "12"},
        {"search=jose", "4 8 13", "4 13"},
        {"search=bóveda JOSE", "4 8 13", "4 13"},
        {"search=guest", "5", "5"},
        {"search='; drop table play; --", "", ""},
        {"search= ", "1 2 4 5 8 12 13", "1 2 3 4 5 12 13"},
        {"users=1&media_types=movie&platforms=iOS&libraries=2&server_ids=2&search=heat", "2", "3"},
        {"start_date=2026-03-03&end_date=2026-03-04", "4 5", "4 5"},
        {"start_date=2026-03-02T20:30:00Z&end_date=2026-03-04T00:00:00Z", "4", "3 4"},
        {"start_date=2026-03-04&platforms=iOS", "", "4"},
        {"start_date=2026-03-04&libraries=unknown", "", "4"},
        {"end_date=2026-03-01", "1", "1"},
        {"days=4", "8 13", "13"},
        {"days=5", "8 12 13", "12 13"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *plays = ask(&admin, cases[i].query, plays_sql);
        check(cases[i].query, "plays", plays, cases[i].plays);
        auto_free char *segments = ask(&admin, cases[i].query, segments_sql);
        check(cases[i].query, "segments", segments, cases[i].segments);
    }
}

/* A play counts once under each value that it has, its watch time under the one it had then. */
static void a_segment_filter_keeps_the_matching_segments_watch_time(void **state)
{
    (void)state;
    static const struct {
        const char *query, *minutes;
    } cases[] = {
        {"titles=1", "1:100 2:90"},
        {"titles=1&platforms=Android", "1:100 2:30"},
        {"titles=1&platforms=iOS", "2:60"},
        {"titles=1&platforms=iOS,Android", "1:100 2:90"},
        {"titles=1&countries=DE", "2:90"},
        {"platforms=unknown", "5:3 8:0 12:20"},
        {"start_date=2026-03-02&video_resolutions=1080", "2:30 13:10"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *found =
            ask(&admin, cases[i].query,
                "select string_agg(format('{}:{}', play_id, watch_ms // 60000), ' '"
                " order by play_id) from filtered_play");
        check(cases[i].query, "minutes", found, cases[i].minutes);
    }
}

static void relations_have_the_columns_they_promise(void **state)
{
    (void)state;
    auto_free char *a = ask(&admin, "users=2", "select string_agg(distinct person_id || ' ' ||"
                                               " coalesce(media_type, '-'), ',' order by person_id"
                                               " || ' ' || coalesce(media_type, '-'))"
                                               " from filtered_segment");
    assert_string_equal(a, "2 -,2 episode");
    auto_free char *b = ask(&admin, "", "select string_agg(distinct person_id::varchar, ' ' order"
                                        " by person_id::varchar) from filtered_play");
    assert_string_equal(b, "1 2");
    auto_free char *c = ask(&admin, "start_date=2026-03-01&tz=Europe/Berlin",
                            "select format('{} {} {}', from_at, coalesce(to_at::varchar, 'open'),"
                            " tz) from filter_window");
    assert_string_equal(c, "2026-02-28 23:00:00 open Europe/Berlin");
}

/* --- windows --------------------------------------------------------------------------------- */

static void days_are_whole_days_of_the_zone(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *query, *from, *to;
    } cases[] = {
        {"UTC", "start_date=2026-03-01&end_date=2026-03-01", "2026-03-01T00:00",
         "2026-03-02T00:00"},
        /* 23 and 25 hours */
        {"Europe/Berlin", "start_date=2026-03-29&end_date=2026-03-29", "2026-03-28T23:00",
         "2026-03-29T22:00"},
        {"Europe/Berlin", "start_date=2025-10-26&end_date=2025-10-26", "2025-10-25T22:00",
         "2025-10-26T23:00"},
        {"America/New_York", "start_date=2026-03-08&end_date=2026-03-08", "2026-03-08T05:00",
         "2026-03-09T04:00"},
        {"America/New_York", "start_date=2025-11-02&end_date=2025-11-02", "2025-11-02T04:00",
         "2025-11-03T05:00"},
        /* midnight is there twice; midnight is missing; the whole day is missing */
        {"America/Havana", "start_date=2025-11-02&end_date=2025-11-02", "2025-11-02T04:00",
         "2025-11-03T05:00"},
        {"America/Sao_Paulo", "start_date=2018-11-04&end_date=2018-11-04", "2018-11-04T03:00",
         "2018-11-05T02:00"},
        {"Pacific/Apia", "start_date=2011-12-30&end_date=2011-12-30", "2011-12-30T10:00",
         "2011-12-30T10:00"},
        {"Pacific/Kiritimati", "start_date=2026-01-01&end_date=2026-01-01", "2025-12-31T10:00",
         "2026-01-01T10:00"},
        {"Etc/GMT+12", "start_date=2026-01-01&end_date=2026-01-01", "2026-01-01T12:00",
         "2026-01-02T12:00"},
        {"Asia/Kathmandu", "start_date=2026-01-01&end_date=2026-01-01", "2025-12-31T18:15",
         "2026-01-01T18:15"},
        /* the parameter wins over the configured zone */
        {"UTC", "tz=Asia/Tokyo&start_date=2026-03-01&end_date=2026-03-01", "2026-02-28T15:00",
         "2026-03-01T15:00"},
        /* today, where it is: it is the 10th at noon in London, the 11th in Kiritimati */
        {"UTC", "days=1", "2026-03-10T00:00", "2026-03-11T00:00"},
        {"Pacific/Kiritimati", "days=1", "2026-03-10T10:00", "2026-03-11T10:00"},
        {"America/New_York", "days=7", "2026-03-04T05:00", "2026-03-11T04:00"},
        {"UTC", "start_date=2026-03-01T05:30:00+05:30&end_date=2026-03-01T00:00:00Z",
         "2026-03-01T00:00", "2026-03-01T00:00"},
        {"Europe/Berlin", "end_date=2026-03-01", "", "2026-03-01T23:00"},
        {"UTC", "", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_config c = admin;
        c.time_zone = cases[i].zone;
        struct filter *f = filter_of(&c, cases[i].query);
        char from[TIME_TEXT_MAX] = "", to[TIME_TEXT_MAX] = "";
        if (filter_from_us(f) != TIME_NONE)
            time_format(filter_from_us(f), from)[0] ? from[16] = '\0' : 0;
        if (filter_to_us(f) != TIME_NONE)
            time_format(filter_to_us(f), to)[0] ? to[16] = '\0' : 0;
        if (!streq(from, cases[i].from) || !streq(to, cases[i].to))
            fail_msg("%s in %s: %s to %s, not %s to %s", cases[i].query, cases[i].zone, from, to,
                     cases[i].from, cases[i].to);
        filter_free(f);
    }
}

static void watch_time_is_clipped_to_the_window(void **state)
{
    (void)state;
    /* 90 minutes of wall time: 20 watched, 30 not, 40 watched; and 60 of 90 spread evenly. */
    static const char sql[] =
        "delete from segment; delete from play;"
        "insert into play select n, 'play', 'live', 1, 1, 1, 1, 'movie', '2026-01-01 10:00',"
        " '2026-01-01 11:30', 3600000, 0, 0, 0, null, null, null, false, false, false, 1, false,"
        " null from range(1, 3) r(n);"
        "insert into segment select n, n, 'live', 1, 1, 1, 1, 1, 1, 1, '2026-01-01 10:00',"
        " '2026-01-01 11:30', 3600000, 0, 0, 0, 0, 0, null, null, 'lan', null, null, null, null,"
        " null, false, false, case n when 1 then [1767261600000000, 1767262800000000,"
        " 1767264600000000, 1767267000000000] end, null, null, null, null, null, null, null"
        " from range(1, 3) r(n);" SEGMENTS_OF_PLAYS;
    static const struct {
        const char *query, *watch; /* segment:seconds */
        const char *quarters;      /* of segment 1, then 2: seconds in each */
    } cases[] = {
        {"", "1:3600 2:3600", "1:900,300,0,600,900,900 2:600,600,600,600,600,600"},
        {"start_date=2026-01-01", "1:3600 2:3600",
         "1:900,300,0,600,900,900 2:600,600,600,600,600,600"},
        {"start_date=2026-01-01T10:10:00Z", "1:3000 2:3200",
         "1:300,300,0,600,900,900 2:200,600,600,600,600,600"},
        {"end_date=2026-01-01T10:10:00Z", "1:600 2:400", "1:600,0,0,0,0,0 2:400,0,0,0,0,0"},
        {"start_date=2026-01-01T10:25:00Z&end_date=2026-01-01T10:40:00Z", "1:0 2:600",
         "1:0,0,0,0,0,0 2:0,200,400,0,0,0"},
        {"start_date=2026-01-01T10:15:00Z&end_date=2026-01-01T11:05:00Z", "1:1200 2:2000",
         "1:0,300,0,600,300,0 2:0,600,600,600,200,0"},
        {"start_date=2026-01-01T11:30:00Z", "", "1:0,0,0,0,0,0 2:0,0,0,0,0,0"},
        {"end_date=2026-01-01T10:00:00Z", "", "1:0,0,0,0,0,0 2:0,0,0,0,0,0"},
    };
    struct error err;
    if (store_exec(conn, "begin", &err) != STATUS_OK || store_exec(conn, sql, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *watch =
            ask(&admin, cases[i].query,
                "select string_agg(format('{}:{}', segment_id, window_ms // 1000), ' ' order by"
                " segment_id) from filtered_segment");
        check(cases[i].query, "seconds", watch, cases[i].watch);
        auto_free char *quarters =
            ask(&admin, cases[i].query,
                "select string_agg(format('{}:{}', n, l), ' ' order by n) from (select n,"
                " string_agg(coalesce(w, 0)::varchar, ',' order by q) l from range(1, 3) s(n)"
                " cross join range(1963624, 1963630) r(q) left join (select *, watch_us // 1000000 w"
                " from (select segment_id, " QUARTERS " group by segment_id)) x"
                " on x.segment_id = n and x.quarter = q group by n)");
        check(cases[i].query, "quarters", quarters, cases[i].quarters);
    }
    assert_int_equal(store_exec(conn, "rollback", &err), STATUS_OK);
}

/* Segments of many shapes, cut at many places: what lies between adds up to the whole, to the
 * millisecond, and the quarters to the microsecond. */
static void windows_that_touch_add_up(void **state)
{
    (void)state;
    static const char sql[] =
        "delete from segment; delete from play;"
        "insert into segment select n, n, 'live', 1, 1, 1, 1, 1, 1, 1, make_timestamp(b),"
        " make_timestamp(b + w), case when n % 2 = 0 then (w * (n % 7 + 1)) // 7000 else"
        "  (w // 3) // 1000 end, 0, 0, 0, 0, 0, null, null, 'lan', null, null, null, null, null,"
        " false, false, case when n % 2 = 1 then [b, b + w // 6, b + w - w // 3 + w // 6, b + w]"
        " end, null, null, null, null, null, null, null"
        " from (select n, 1767225600000000 + n * 977777777 b, 1 + (hash(n) % 7000000000)::bigint w"
        "  from (select n::bigint n from range(1, 200) r(n)));"
        "insert into segment (segment_id, play_id, account_id, title_id, started, ended, watch_ms)"
        " values (200, 200, 1, 1, '2026-01-01 03:00', '2026-01-01 03:00', 500000);"
        "insert into play (play_id, kind, started, ended, segments, is_hidden, is_short) select"
        " play_id, 'play', started, ended, 1, false, false from segment;" SEGMENTS_OF_PLAYS;
    static const char *const cuts[] = {"2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z",
                                       "2026-01-01T07:07:07.777Z", "2026-01-02T00:00:00Z",
                                       "2026-01-02T13:14:15.161718Z", "2026-01-09T00:00:00Z"};
    struct error err;
    if (store_exec(conn, "begin", &err) != STATUS_OK || store_exec(conn, sql, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    int64_t ms = 0, us = 0, whole, n;
    for (size_t i = 1; i < ARRAY_LEN(cuts); i++) {
        auto_free char *query = xasprintf("start_date=%s&end_date=%s", cuts[i - 1], cuts[i]);
        auto_free char *a =
            ask(&admin, query, "select sum(window_ms)::bigint from filtered_segment");
        auto_free char *b =
            ask(&admin, query, "select sum(watch_us)::bigint from (select " QUARTERS ")");
        assert_true(str_to_i64(str_of(a), &n));
        assert_true(n > 0);
        ms += n;
        assert_true(str_to_i64(str_of(b), &n));
        us += n;
    }
    auto_free char *a = ask(&admin, "", "select sum(window_ms)::bigint from filtered_segment");
    assert_true(str_to_i64(str_of(a), &whole));
    assert_true(ms == whole);
    auto_free char *b =
        ask(&admin, "", "select sum(watch_us)::bigint from (select " QUARTERS ")");
    assert_true(str_to_i64(str_of(b), &whole));
    assert_true(us == whole);
    assert_true(us / 1000 >= ms && us / 1000 <= ms + 200); /* a segment's ms are whole */
    assert_int_equal(store_exec(conn, "rollback", &err), STATUS_OK);
}

/* --- scope ----------------------------------------------------------------------------------- */

static void others_rows_are_in_no_relation(void **state)
{
    (void)state;
    static const char *const relations[] = {"filtered_play", "filtered_segment", "filtered_part"};
    static const struct key_pair {
        const char *server, *key;
    } ada[] = {{"a", "k1"}, {"b", "k2"}}, jose[] = {{"a", "k3"}};
    static const struct {
        const struct key_pair *accounts;
        size_t count;
        const char *query, *plays[3];
    } cases[] = {
        {ada, 2, "", {"1 2", "1 2", "1 2"}},
        {ada, 1, "", {"1", "1", "1"}},
        {ada, 2, "users=2", {"", "", ""}},
        {ada, 2, "accounts=unknown", {"", "", ""}},
        {ada, 2, "users=unknown", {"", "", ""}},
        {ada, 2, "platforms=unknown", {"", "", ""}},
        {ada, 2, "deleted=only", {"7", "7", "7"}},
        {jose, 1, "deleted=only", {"", "", ""}},
        {jose, 1, "search=heat", {"", "", ""}},
        {jose, 1, "platforms=unknown", {"8", "", ""}},
        {jose, 1, "start_date=2026-03-04", {"8 13", "4 13", "13"}},
        {NULL, 0, "", {"", "", ""}},
        {NULL, 0, "accounts=unknown,1", {"", "", ""}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_config c = admin;
        c.sees_all = false;
        auto_scope struct scope scope = {0};
        for (size_t k = 0; k < cases[i].count; k++)
            scope_add(&scope, cases[i].accounts[k].server, cases[i].accounts[k].key);
        c.scope = &scope;
        for (size_t k = 0; k < ARRAY_LEN(relations); k++) {
            auto_free char *select =
                xasprintf("select string_agg(play_id::varchar, ' ' order by play_id)"
                          " from (select distinct play_id from %s)", relations[k]);
            auto_free char *found = ask(&c, cases[i].query, select);
            check(cases[i].query, relations[k], found, cases[i].plays[k]);
        }
    }
}

/* --- items ------------------------------------------------------------------------------------ */

static void items_pass_by_title_and_place_whoever_watches(void **state)
{
    (void)state;
    struct error err = {0};
    auto_scope struct scope jose = {0}, nobody = {0};
    scope_add(&jose, "a", "k3");
    const struct {
        const struct scope *scope; /* NULL: sees all */
        const char *query, *items;
    } cases[] = {
        {NULL, "", "i1 i2 i3 i4"},
        {NULL, "users=3&platforms=iOS&countries=unknown&start_date=2026-03-09", "i1 i2 i3 i4"},
        {NULL, "server_ids=2", "i2 i3 i4"},
        {NULL, "libraries=1,2", "i1 i2"},
        {NULL, "libraries=unknown", "i4"},
        {NULL, "media_types=movie", "i1 i2 i4"},
        {NULL, "genres=Drama&years=1995,2001", "i1 i2 i3"},
        {NULL, "titles=4", "i4"},
        {NULL, "search=heat", "i1 i2"},
        {NULL, "search=ada", ""},
        {&jose, "", "i3 i4"},
        {&jose, "media_types=episode", "i3"},
        {&jose, "users=1", ""},
        {&nobody, "", ""},
    };
    if (store_exec(conn, "insert into item (server_id, key, title_id, library_id, removed_at) values"
                         " (1, 'i1', 1, 1, null), (2, 'i2', 1, 2, null), (2, 'i3', 2, 3, null),"
                         " (2, 'i4', 4, null, '2026-03-01')", &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_config c = admin;
        c.sees_all = !cases[i].scope;
        c.scope = cases[i].scope;
        auto_free char *found =
            ask(&c, cases[i].query, "select string_agg(key, ' ' order by key) from filtered_item");
        check(cases[i].query, "filtered_item", found, cases[i].items);
    }
    /* Play 4 is of a server that does not say from which library: from that which has the title there. */
    static const char plays[] = "select string_agg(play_id::varchar, ' ' order by play_id) from filtered_play";
    auto_free char *none = ask(&admin, "libraries=3", plays);
    check("libraries=3", "filtered_play", none, "");
    assert_int_equal(store_exec(conn, "insert into item (server_id, key, title_id, library_id) values"
                                      " (1, 'i5', 2, 3)", &err), STATUS_OK);
    auto_free char *one = ask(&admin, "libraries=3", plays);
    auto_free char *unknown = ask(&admin, "libraries=unknown&titles=2", plays);
    assert_int_equal(store_exec(conn, "delete from item", &err), STATUS_OK);
    check("libraries=3", "filtered_play", one, "4");
    check("libraries=unknown&titles=2", "filtered_play", unknown, "");
}

/* The rule is there twice, in C and in SQL: every scope of a few keys sees the same by both. */
static void the_scope_in_sql_is_the_scope_in_c(void **state)
{
    (void)state;
    static const char *const servers[][2] = {{"a", "plex"}, {"b", "emby"}, {"a-2", "plex"}};
    static const char *const keys[] = {"1", "11", "111", "k1", "k\x1f" "1"};
    static const char *const plex_ids[] = {"", "1", "11"};
    static const char setup[] =
        "begin; delete from account; delete from server; delete from play; delete from segment;"
        " insert into server (server_id, key, kind, name) values (1, 'a', 'plex', 'A'), (2, 'b', 'emby', 'B'),"
        " (3, 'a-2', 'plex', 'C');"
        " insert into account (account_id, server_id, key, name) select s.server_id * 10 + k.n, s.server_id, k.key, 'x'"
        " from server s, (values (1, '1'), (2, '11'), (3, '111'), (4, 'k1'), (5, 'k' || chr(31) || '1'))"
        " k(n, key);"
        " insert into play (play_id, kind, server_id, account_id, started, ended, watch_ms, segments,"
        " is_hidden, is_short) select account_id, 'play', server_id, account_id, timestamp '2026-03-01',"
        " timestamp '2026-03-01', 0, 0, false, false from account";
    struct error err = {0};
    assert_int_equal(store_exec(conn, setup, &err), STATUS_OK);
    size_t seen = 0;
    for (unsigned links = 0; links < 1u << 6; links++) {
        for (size_t p = 0; p < ARRAY_LEN(plex_ids); p++) {
            auto_scope struct scope scope = {0};
            for (unsigned k = 0; k < 6; k++)
                if (links & 1u << k)
                    scope_add(&scope, servers[k % 3][0], keys[k % 4]);
            scope_set_plex_id(&scope, plex_ids[p]);
            struct filter_config c = admin;
            c.sees_all = false;
            c.scope = &scope;
            auto_free char *found =
                ask(&c, "", "select string_agg(account_id::varchar, ' ' order by account_id)"
                            " from filtered_play");
            auto_buf struct buf right = {0};
            for (size_t s = 0; s < ARRAY_LEN(servers); s++) {
                for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
                    struct scope_account one = {servers[s][0], servers[s][1], keys[k]};
                    if (scope_has(&scope, &one))
                        buf_printf(&right, "%s%zu", right.len ? " " : "", (s + 1) * 10 + k + 1);
                }
            }
            seen += right.len > 0;
            if (!streq(found, buf_text(&right)))
                fail_msg("links %x, plex id %zu: '%s' in SQL, '%s' in C", links, p, found,
                         buf_text(&right));
        }
    }
    assert_true(seen > 100);
    assert_int_equal(store_exec(conn, "rollback", &err), STATUS_OK);
}

/* --- bad input ------------------------------------------------------------------------------- */

static void bad_values_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *query, *field, *says;
    } cases[] = {
        {"users=x", "users", "'x' in users is not right; it must be whole numbers"},
        {"users=0", "users", "whole numbers"},
        {"users=-1", "users", "whole numbers"},
        {"users=99999999999", "users", "whole numbers"},
        {"users=1,,2", "users", "one comma between"},
        {"users=1,", "users", "one comma between"},
        {"server_ids=1;drop table play", "server_ids", "whole numbers"},
        {"titles=1e3", "titles", "whole numbers"},
        {"years=nineteen", "years", "years such as 1999"},
        {"years=0", "years", "years such as 1999"},
        {"media_types=film", "media_types",
         "'film' in media_types is not right; it must be one of movie, episode, track, live"},
        {"media_types=clip", "media_types", "one of movie"},
        {"transcode_decisions=Transcode", "transcode_decisions", "one of direct play, copy"},
        {"location_types=moon", "location_types", "one of lan, wan"},
        {"platforms=a\tb", "platforms", "UTF-8 text on one line"},
        {"search=\xff", "search", "UTF-8 text on one line"},
        {"search=a b c d e f g h i", "search", "at most 8 words"},
        {"short=yes", "short", "it must be include"},
        {"deleted=yes", "deleted", "include or only"},
        {"days=0", "days", "from 1 to 36525"},
        {"days=-3", "days", "from 1 to 36525"},
        {"days=ten", "days", "from 1 to 36525"},
        {"days=99999999999999999999", "days", "from 1 to 36525"},
        {"days=3&days=4", "days", "twice"},
        {"tz=UTC&tz=UTC", "tz", "twice"},
        {"days=3&start_date=2026-01-01", "days", "days and start_date exclude each other"},
        {"end_date=2026-01-01&days=3", "days", "days and end_date exclude each other"},
        {"start_date=2026-02-30", "start_date", "a date such as"},
        {"start_date=yesterday", "start_date", "a date such as"},
        {"start_date=2026-01-01T00:00:00", "start_date", "an instant such as"},
        {"start_date=2026-01-01T00:00:00 01:00", "start_date", "%2B"},
        {"start_date=0001-01-01", "start_date", "years 1900 and 2200"},
        {"end_date=9999-01-01", "end_date", "years 1900 and 2200"},
        {"start_date=2026-01-02&end_date=2026-01-01", "end_date", "is before start_date"},
        {"start_date=2026-01-02T00:00:01Z&end_date=2026-01-02T00:00:00Z", "end_date", "is before"},
        {"tz=Mars/Olympus", "tz", "'Mars/Olympus' in tz is not right; it must be a time zone"},
        {"tz=Europe/Berlin'", "tz", "a time zone"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter *f = filter_new(&admin);
        struct error err = {0};
        enum status s = take_all(f, cases[i].query, &err);
        if (s != STATUS_INVALID)
            fail_msg("%s: taken (%s)", cases[i].query, status_text(s));
        if (!streq(err.field, cases[i].field) || !strstr(err.text, cases[i].says))
            fail_msg("%s: it says of %s: %s", cases[i].query, err.field, err.text);
        filter_free(f);
    }
}

static void lists_and_texts_have_a_limit(void **state)
{
    (void)state;
    auto_buf struct buf list = {0};
    buf_puts(&list, "users=1");
    for (int i = 2; i <= 200; i++)
        buf_printf(&list, ",%d", i);
    auto_free char *plays = ask(&admin, buf_text(&list), plays_sql);
    assert_string_equal(plays, "1 2 4 8 13");
    struct error err = {0};
    buf_puts(&list, ",201");
    struct filter *f = filter_new(&admin);
    assert_int_equal(take_all(f, buf_text(&list), &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "more than 200 values"));
    filter_free(f);

    buf_clear(&list);
    buf_puts(&list, "cities=");
    for (int i = 0; i < 201; i++)
        buf_putc(&list, 'x');
    f = filter_new(&admin);
    assert_int_equal(take_all(f, buf_text(&list), &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "at most 200 bytes"));
    filter_free(f);
}

static void only_its_own_parameters_are_taken(void **state)
{
    (void)state;
    struct filter_config c = admin;
    c.takes_deleted = false;
    struct filter *f = filter_new(&c);
    bool is_known = true;
    struct error err;
    static const char *const others[] = {"deleted", "limit", "Users", "", "user_ids"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_int_equal(filter_take(f, others[i], "x", &is_known, &err), STATUS_OK);
        assert_false(is_known);
    }
    assert_int_equal(filter_take(f, "users", "", &is_known, &err), STATUS_OK);
    assert_true(is_known);
    assert_int_equal(filter_finish(f, conn, &err), STATUS_OK);
    auto_free char *plays = ask_with(f, plays_sql);
    assert_string_equal(plays, "1 2 4 5 8 12 13");
    filter_free(f);
}

/* --- keys and text --------------------------------------------------------------------------- */

static char *key_of(const struct filter_config *c, const char *query)
{
    struct filter *f = filter_of(c, query);
    struct buf key = {0};
    filter_key(f, &key);
    filter_free(f);
    return buf_steal(&key);
}

static void equal_filters_have_equal_keys(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_equal;
    } cases[] = {
        {"users=2,1&server_ids=1", "server_ids=01&users=1,2,2", true},
        {"days=1", "start_date=2026-03-10&end_date=2026-03-10", true},
        {"tz=UTC", "", true},
        {"users=1", "accounts=1", false},
        {"users=1", "users=1,unknown", false},
        {"platforms=a\\,b", "platforms=a,b", false},
        {"search=ab", "search=a b", false},
        {"tz=Europe/Berlin", "", false},
        {"short=include", "", false},
        {"deleted=only", "deleted=include", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *a = key_of(&admin, cases[i].a), *b = key_of(&admin, cases[i].b);
        if (streq(a, b) != cases[i].is_equal)
            fail_msg("%s and %s: %s and %s", cases[i].a, cases[i].b, a, b);
    }
    auto_scope struct scope scope = {0}, plex = {0};
    scope_add(&scope, "plex-1", "11");
    scope_set_plex_id(&plex, "11");
    struct filter_config viewer = admin, nobody = admin, at_plex = admin;
    viewer.sees_all = nobody.sees_all = at_plex.sees_all = false;
    viewer.scope = &scope;
    at_plex.scope = &plex;
    auto_free char *a = key_of(&admin, ""), *v = key_of(&viewer, ""), *n = key_of(&nobody, "");
    auto_free char *p = key_of(&at_plex, "");
    assert_string_not_equal(p, v);
    assert_string_not_equal(p, n);
    assert_string_not_equal(p, a);
    assert_string_not_equal(a, v);
    assert_string_not_equal(a, n);
    assert_string_not_equal(v, n);
}

static void the_text_holds_only_what_is_needed_and_no_value(void **state)
{
    (void)state;
    struct filter *f = filter_of(&admin, "users=77&platforms=Secret&search=hidden");
    auto_buf struct buf sql = {0};
    filter_sql(f, &sql);
    static const char *const absent[] = {"77", "Secret", "hidden'", "library_id in", "genres",
                                         "$filter_from", "place using"};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        if (strstr(buf_text(&sql), absent[i]))
            fail_msg("'%s' is in %s", absent[i], buf_text(&sql));
    filter_free(f);
}

/* Open edges are those of all that is told; an edge that the window has is not looked up. */
static void the_edges_of_an_open_window_are_those_of_the_data(void **state)
{
    (void)state;
    static const char *const queries[] = {"", "days=2", "short=include", "media_types=movie",
                                          "start_date=2026-03-01T12:30:00Z", "end_date=2026-03-01",
                                          "start_date=2026-03-01&end_date=2026-03-02",
                                          "transcode_decisions=transcode"};
    size_t known = 0;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        auto_free char *edge = ask(&admin, queries[i],
                                   "select concat(coalesce(from_at, data_first), ' ', coalesce(to_at,"
                                   " data_last)) from filtered_edge, filter_window");
        auto_free char *told = ask(
            &admin, queries[i],
            "select concat(coalesce(any_value(from_at), min(started) filter (is_play)), ' ',"
            " coalesce(any_value(to_at), max(ended))) from filter_window left join (select true as is_play,"
            " started, greatest(started + interval 1 microsecond, ended) as ended from filtered_play"
            " union all select false, started, ended from filtered_segment) on true");
        check(queries[i], "edges", edge, told);
        known += strlen(edge) > 20;
    }
    assert_true(known > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_parameter_keeps_the_rows_it_names),
        cmocka_unit_test(a_segment_filter_keeps_the_matching_segments_watch_time),
        cmocka_unit_test(relations_have_the_columns_they_promise),
        cmocka_unit_test(days_are_whole_days_of_the_zone),
        cmocka_unit_test(watch_time_is_clipped_to_the_window),
        cmocka_unit_test(windows_that_touch_add_up),
        cmocka_unit_test(others_rows_are_in_no_relation),
        cmocka_unit_test(the_scope_in_sql_is_the_scope_in_c),
        cmocka_unit_test(items_pass_by_title_and_place_whoever_watches),
        cmocka_unit_test(bad_values_are_refused_by_name),
        cmocka_unit_test(lists_and_texts_have_a_limit),
        cmocka_unit_test(only_its_own_parameters_are_taken),
        cmocka_unit_test(equal_filters_have_equal_keys),
        cmocka_unit_test(the_text_holds_only_what_is_needed_and_no_value),
        cmocka_unit_test(the_edges_of_an_open_window_are_those_of_the_data),
    };
    return cmocka_run_group_tests_name("filter", tests, set_up, tear_down);
}
