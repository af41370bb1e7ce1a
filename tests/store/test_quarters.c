#include "../test.h"

#include "base/mem.h"
#include "store/cursor.h"
#include "store/store.h"

static struct store *store;
static struct store_conn *conn;

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "128MB", .threads = 2};
    return store_open(&c, &store, NULL, NULL) != STATUS_OK ||
           store_connect(store, &conn, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    return 0;
}

static void check(const char *sql, const char *want)
{
    auto_cursor struct cursor r;
    struct error err = {0};
    if (cursor_open(conn, sql, NULL, 0, &r, &err) != STATUS_OK)
        fail_msg("%s: %s", sql, err.text);
    assert_true(cursor_next(&r));
    struct str got = cursor_text(&r, 0);
    if (!str_eq(got, str_of(want)))
        fail_msg("%s\n  gives  %.*s\n  wanted %s", sql, (int)got.len, got.ptr, want);
}

/* Seconds from 1970 on; a quarter of an hour has 900. watch in seconds. */
static const struct {
    const char *what, *started, *ended, *watch, *spans, *from, *to, *want;
} rows[] = {
    {"evenly, over three quarters", "800", "1900", "1100", "null", "null", "null",
     "0:100 1:900 2:100"},
    {"half of the time, evenly", "0", "1800", "900", "null", "null", "null", "0:450 1:450"},
    {"of no length: where it is", "1000", "1000", "30", "null", "null", "null", "1:30"},
    {"spans, not the edges", "0", "5000", "7", "[10, 20, 890, 910, 2700, 2701]", "null", "null",
     "0:20 1:10 3:1"},
    {"cut at both ends", "0", "1800", "1800", "null", "600", "1000", "0:300 1:100"},
    {"spans cut at both ends", "0", "1800", "1", "[0, 700, 950, 1800]", "600", "1000",
     "0:100 1:50"},
    {"outside of the window", "0", "800", "800", "null", "900", "1800", ""},
    {"a list that is no pairs", "0", "800", "800", "[0, 5, 7]", "null", "null", "0:5"},
    {"spans of nothing", "0", "800", "800", "[]::integer[]", "null", "null", ""},
    {"before 1970", "-1000", "-800", "200", "null", "null", "null", "-2:100 -1:100"},
    {"no end known", "0", "null", "10", "null", "null", "null", ""},
};

static void watch_time_lies_where_it_happened(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *sql = xasprintf(
            "select string_agg(format('{}:{}', q.quarter, q.watch_us // 1000000), ' ' order by"
            " q.quarter) || '' from (select unnest(watch_quarters(make_timestamp((%s) * 1000000::bigint),"
            " make_timestamp((%s) * 1000000::bigint), (%s)::bigint * 1000,"
            " list_transform(%s, lambda x: x::bigint * 1000000), make_timestamp((%s) * 1000000::bigint),"
            " make_timestamp((%s) * 1000000::bigint))) as q)",
            rows[i].started, rows[i].ended, rows[i].watch, rows[i].spans, rows[i].from, rows[i].to);
        check(sql, rows[i].want);
    }
}

/* Many rows in many groups over both threads: nothing is lost where states are put together. */
static void groups_add_up(void **state)
{
    check("select count(*) || ' ' || sum(watch_us) // 1000000 || ' ' || max(abs(watch_us -"
          " 5400000000)) from (select g, unnest(watch_quarters(make_timestamp(s),"
          " make_timestamp(s + 900000000), 90000, null, null, null), recursive := true)"
          " from (select i % 7 as g, (i // 420) * 900000000 as s from range(420 * 1000) t(i))"
          " group by g)", "7000 37800000 0");
    check("select count(*)::varchar from (select unnest(watch_quarters(timestamp '0001-01-01',"
          " timestamp '0001-01-01 00:10:00', 600000, null, null, null)) union all"
          " select unnest(watch_quarters(timestamp '9999-12-31 23:00:00',"
          " timestamp '9999-12-31 23:10:00', 600000, null, null, null)))", "2");
    check("select coalesce(len(watch_quarters(null, null, null, null, null, null)), 0)::varchar"
          " from range(0)", "0");
}

static void what_was_sent_lies_where_it_was_watched(void **state)
{
    static const char sql[] =
        "select string_agg(format('{}:{}', quarter, millibits // 1000000), ' ' order by quarter)"
        " || '' from (select unnest(sent_quarters(make_timestamp(a * 1000000::bigint),"
        " make_timestamp(b * 1000000::bigint), watch * 1000::bigint,"
        " list_transform(spans, lambda x: x * 1000000::bigint), null, null, kbps),"
        " recursive := true) from (values %s) t(a, b, watch, spans, kbps))";
    auto_free char *spread = xasprintf(sql, "(800, 1900, 550, null::bigint[], 8)");
    check(spread, "0:400 1:3600 2:400");
    auto_free char *spans = xasprintf(sql, "(0, 1800, 1, [10, 20, 890, 910]::bigint[], 8)");
    check(spans, "0:160 1:80");
    auto_free char *unknown = xasprintf(sql, "(0, 900, 900, null::bigint[], null), (0, 900, 10, null, 3)");
    check(unknown, "0:30");
}

/* Each as "quarter peak@second seconds of streams". */
static const struct {
    const char *what, *streams, *want;
} stream_rows[] = {
    {"one over three quarters", "(800, 1900)", "0 1@800 100, 1 1@900 900, 2 1@1800 100"},
    {"one after the other", "(0, 100), (100, 200)", "0 1@0 200"},
    {"two beside each other", "(0, 100), (50, 200), (60, 70)", "0 3@60 260"},
    {"a quarter between", "(0, 100), (2000, 2100)", "0 1@0 100, 2 1@2000 100"},
    {"the most at the beginning of a quarter", "(0, 1000), (0, 950), (890, 910)",
     "0 3@890 1810, 1 3@900 160"},
    {"no length, and the wrong way round", "(5, 5), (9, 3)", ""},
    {"before 1970", "(-1000, -800)", "-2 1@-1000 100, -1 1@-900 100"},
    {"no end known", "(0, null)", ""},
};

static void streams_at_once_are_counted(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(stream_rows); i++) {
        auto_free char *sql = xasprintf(
            "select string_agg(format('{} {}@{} {}', quarter, peak, peak_at // 1000000,"
            " stream_us // 1000000), ', ' order by quarter) from (select unnest(stream_quarters("
            "make_timestamp(a * 1000000::bigint), make_timestamp(b * 1000000::bigint), null, null),"
            " recursive := true) from (values %s) t(a, b))", stream_rows[i].streams);
        check(sql, stream_rows[i].want);
    }
    check("select string_agg(format('{} {} {}', quarter, peak, stream_us // 1000000), ', ') from"
          " (select unnest(stream_quarters(make_timestamp(0), make_timestamp(4000000000),"
          " make_timestamp(850000000), make_timestamp(1000000000)), recursive := true))",
          "0 1 50, 1 1 100");
    check("select count(*) || ' ' || min(peak) || ' ' || max(peak) || ' ' || sum(stream_us) //"
          " 1000000 from (select i % 3 as g, unnest(stream_quarters(make_timestamp(i // 300 *"
          " 900000000), make_timestamp(i // 300 * 900000000 + 900000000), null, null),"
          " recursive := true) from range(300000) t(i) group by g)", "3000 100 100 270000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch_time_lies_where_it_happened),
        cmocka_unit_test(groups_add_up),
        cmocka_unit_test(what_was_sent_lies_where_it_was_watched),
        cmocka_unit_test(streams_at_once_are_counted),
    };
    return cmocka_run_group_tests_name("store/quarters", tests, set_up, tear_down);
}
