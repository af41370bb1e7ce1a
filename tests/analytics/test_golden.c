/*
 * Each query on the golden data, against what plain loops say, with and without filters, in two
 * time zones across the changes of their clocks and a year's end.
 */
#include "../test.h"

#include <math.h>
#include <time.h>

#include "analytics/analytics.h"
#include "analytics/answer.h"
#include "base/json_read.h"
#include "golden/golden.h"

static struct world world;
static struct store *store;
static struct store_conn *conn;

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "512MB", .threads = 1};
    struct error err = {0};
    world_make(&world);
    if (store_open(&c, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &conn, &err) != STATUS_OK || world_write(&world, conn, &err) != STATUS_OK) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    world_free(&world);
    return 0;
}

/* --- what is asked --------------------------------------------------------------------------- */

static const char *const zones[] = {"America/New_York", "Europe/Berlin"};

/* A filter as parameters and, by the same words, for the loops. */
static const struct filter_case {
    const char *params;
    int from[3], to[3]; /* days; to is the day after */
    struct selection selection;
} filters[] = {
    {"", {0}, {0}, {0}},
    {"start_date=2025-12-29&end_date=2026-01-04", {2025, 12, 29}, {2026, 1, 5}, {0}},
    {"start_date=2025-10-25&end_date=2025-11-03", {2025, 10, 25}, {2025, 11, 4}, {0}},
    {"start_date=2026-03-07&end_date=2026-03-30&media_types=movie,episode", {2026, 3, 7},
     {2026, 3, 31}, {.media_types = " movie episode "}},
    {"start_date=2026-02-01&users=1,2,unknown", {2026, 2, 1}, {0}, {.users = " 1 2 unknown "}},
    {"end_date=2026-01-31&platforms=Android,unknown", {0}, {2026, 2, 1},
     {.platforms = " Android unknown "}},
    {"server_ids=2&transcode_decisions=transcode", {0}, {0},
     {.server_ids = " 2 ", .decisions = " transcode "}},
    {"start_date=2026-01-10&end_date=2026-01-11&short=include", {2026, 1, 10}, {2026, 1, 12},
     {.with_short = true}},
    {"start_date=2020-01-01&end_date=2020-01-03", {2020, 1, 1}, {2020, 1, 4}, {0}},
};

static struct selection selection_of(const struct filter_case *f)
{
    struct selection s = f->selection;
    s.world = &world;
    s.from = f->from[0] ? day_begins(f->from[0], f->from[1], f->from[2]) : TIME_NONE;
    s.to = f->to[0] ? day_begins(f->to[0], f->to[1], f->to[2]) : TIME_NONE;
    return s;
}

static void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
    struct tm tm = {.tm_year = 126, .tm_mon = 6, .tm_mday = 1, .tm_isdst = -1};
    if (mktime(&tm) % 86400 == 0)
        fail_msg("this machine does not know the zone %s (install tzdata)", zone);
}

static void take_all(struct question *q, const char *params)
{
    struct str rest = str_of(params), pair;
    struct error err = {0};
    while (str_next(&rest, '&', &pair)) {
        struct str name, value = pair;
        if (!pair.len || !str_next(&value, '=', &name))
            continue;
        auto_free char *n = xstrndup(name.ptr, name.len);
        auto_free char *v = value.ptr ? xstrndup(value.ptr, value.len) : xstrdup("");
        if (question_take(q, n, v, &err) != STATUS_OK)
            fail_msg("%s: %s", params, err.text);
    }
}

/* The rows that the query gives, as truth has them. */
static json_t *ask(const struct query *query, const char *zone, const char *params,
                   const char *filter, const char *more)
{
    const struct filter_config config = {.time_zone = zone, .now_us = world.now, .sees_all = true};
    struct question *q = question_new(query, &config);
    take_all(q, params);
    take_all(q, filter);
    take_all(q, more);
    struct analytics *a = analytics_new(store, 0);
    auto_buf struct buf key = {0}, out = {0};
    struct error err = {0};
    enum status s = question_finish(q, &err);
    analytics_key(a, q, &key);
    if (s == STATUS_OK)
        s = analytics_answer(a, q, buf_text(&key), conn, &out, &err);
    json_t *root = NULL;
    if (s == STATUS_OK)
        s = json_parse(buf_str(&out), 64 << 20, 20, &root, &err);
    if (s != STATUS_OK)
        fail_msg("%s?%s&%s: %s", query->name, params, filter, err.text);
    json_t *data = json_incref(jget(root, "data"));
    json_decref(root);
    analytics_free(a);
    question_free(q);
    return data;
}

/* --- comparing ------------------------------------------------------------------------------- */

/* Rounding: milliseconds are whole in each segment and bucket. */
static bool is_near(const char *column, const json_t *got, const json_t *want)
{
    if (streq(column, "sketch") || streq(column, "difference")) /* see below */
        return json_is_null(got) == json_is_null(want);
    if (json_is_integer(got) && json_is_integer(want)) {
        int64_t off = llabs(json_integer_value(got) - json_integer_value(want));
        if (streq(column, "watch_ms") || streq(column, "unknown_ms"))
            return (double)off <= 60 + 1e-7 * (double)json_integer_value(want);
        return streq(column, "bytes") ? (double)off <= 3e5 + 1e-6 * (double)json_integer_value(want)
                                      : off == 0;
    }
    if (json_is_number(got) && json_is_number(want))
        return fabs(json_number_value(got) - json_number_value(want)) <=
               1e-6 * fmax(1, fabs(json_number_value(want)));
    return json_equal(got, want);
}

static char *row_text(const json_t *row)
{
    return json_dumps(row, JSON_COMPACT);
}

static char *key_of(const json_t *row, unsigned columns)
{
    json_t *key = json_array();
    for (unsigned i = 0; i < columns; i++)
        json_array_append(key, json_array_get(row, i));
    char *text = row_text(key);
    json_decref(key);
    return text;
}

/* An answer's row (an object) as a list, in the order of the header's columns. */
static json_t *as_list(const struct query *q, const json_t *object)
{
    json_t *list = json_array();
    for (size_t i = 0; i < q->column_count; i++) {
        json_t *v = json_object_get(object, q->columns[i].name);
        if (!v)
            fail_msg("%s: no column %s", q->name, q->columns[i].name);
        if (json_is_null(v) && !q->columns[i].may_be_null)
            fail_msg("%s: column %s is null", q->name, q->columns[i].name);
        json_array_append(list, v);
    }
    return list;
}

static void compare(const struct query *q, const struct truth *t, const char *where,
                    const json_t *data, const json_t *truth)
{
    json_t *by_key = json_object();
    size_t i;
    json_t *row;
    json_array_foreach(truth, i, row)
    {
        char *key = key_of(row, t->key_columns);
        json_object_set(by_key, key, row);
        free(key);
    }
    assert_int_equal(json_object_size(by_key), json_array_size(truth));
    json_array_foreach(data, i, row)
    {
        json_t *got = as_list(q, row);
        char *key = key_of(got, t->key_columns);
        json_t *want = json_object_get(by_key, key);
        if (!want)
            fail_msg("%s: row %s should not be there", where, row_text(got));
        for (size_t k = 0; k < q->column_count; k++)
            if (!is_near(q->columns[k].name, json_array_get(got, k), json_array_get(want, k)))
                fail_msg("%s: %s of\n  %s\n  should be as in\n  %s", where, q->columns[k].name,
                         row_text(got), row_text(want));
        json_object_del(by_key, key);
        free(key);
        json_decref(got);
    }
    const char *key;
    json_object_foreach(by_key, key, row)
        fail_msg("%s: row %s is missing", where, row_text(row));
    json_decref(by_key);
}

static const struct truth *const all_truths[] = {time_truths, people_truths, place_truths,
                                                 quality_truths, stream_truths, delivery_truths,
                                                 engagement_truths, together_truths, person_truths,
                                                 title_truths, comparison_truths, search_truths};

static void every_query_says_what_the_loops_say(void **state)
{
    size_t rows = 0;
    json_t *rows_of = json_object(); /* by the truth's query and params */
    for (size_t z = 0; z < ARRAY_LEN(zones); z++) {
        use_zone(zones[z]);
        for (size_t f = 0; f < ARRAY_LEN(filters); f++) {
            struct selection s = selection_of(&filters[f]);
            for (size_t g = 0; g < ARRAY_LEN(all_truths); g++) {
                for (const struct truth *t = all_truths[g]; t->query; t++) {
                    if (f >= (z ? 3 : *t->params ? 2 : ARRAY_LEN(filters)))
                        continue; /* enough of that */
                    const struct query *q = query_find(t->query);
                    assert_non_null(q);
                    auto_free char *where =
                        xasprintf("%s?%s&%s in %s", t->query, t->params, filters[f].params, zones[z]);
                    s.params = t->params;
                    json_t *data = ask(q, zones[z], t->params, filters[f].params, "");
                    json_t *truth = t->rows(&s);
                    compare(q, t, where, data, truth);
                    rows += json_array_size(truth);
                    auto_free char *own = xasprintf("%s?%s", t->query, t->params);
                    int64_t before = json_integer_value(json_object_get(rows_of, own));
                    json_object_set_new(rows_of, own,
                                        json_integer(before + (int64_t)json_array_size(truth)));
                    json_decref(truth);
                    json_decref(data);
                }
            }
        }
    }
    const char *own;
    json_t *count;
    json_object_foreach(rows_of, own, count)
        if (json_integer_value(count) == 0)
            fail_msg("%s has no row under any filter: nothing is proved", own);
    json_decref(rows_of);
    print_message("%zu rows are right\n", rows);
    assert_true(rows > 5000);
}

/* --- explain --------------------------------------------------------------------------------- */

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static char *decoded(struct str s)
{
    char *text = xmalloc(s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '%') {
            text[n++] = (char)(digit(s.ptr[i + 1]) * 16 + digit(s.ptr[i + 2]));
            i += 2;
        } else {
            text[n++] = s.ptr[i];
        }
    }
    text[n] = '\0';
    return text;
}

/* How many plays there are under the filter, with what `behind` sets in it. */
static int64_t plays_behind(const struct query *query, const char *zone, const char *filter,
                            const char *behind)
{
    const struct filter_config config = {.time_zone = zone, .now_us = world.now, .sees_all = true};
    struct question *q = question_new(query, &config);
    struct error err = {0};
    const char *const texts[] = {behind, filter};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str rest = str_of(texts[i]), pair, name;
        while (str_next(&rest, '&', &pair)) {
            if (!str_next(&pair, '=', &name))
                continue;
            auto_free char *n = xstrndup(name.ptr, name.len);
            auto_free char *v = decoded(pair);
            auto_free char *set = xasprintf("%s=", n);
            if (i == 1 && strstr(behind, set))
                continue;
            if (question_take(q, n, v, &err) != STATUS_OK)
                fail_msg("%s: %s", behind, err.text);
        }
    }
    int64_t n = -1;
    if (question_finish(q, &err) != STATUS_OK || question_resolve(q, conn, &err) != STATUS_OK ||
        answer_count(question_filter(q), conn, &n, &err) != STATUS_OK)
        fail_msg("%s: %s", behind, err.text);
    question_free(q);
    return n;
}

static void the_plays_behind_a_row_are_as_many_as_it_says(void **state)
{
    static const struct {
        const char *query, *params, *filter;
    } cases[] = {
        {"trends", "bucket=day", "start_date=2026-03-07&end_date=2026-03-10"},
        {"trends", "bucket=hour", "start_date=2025-11-01T22:30:00-04:00&end_date=2025-11-02T11:10:00Z"},
        {"trends", "bucket=week", "end_date=2025-11-20&platforms=iOS"},
        {"users", "", "start_date=2026-01-01"},
        {"popular", "by=plays&limit=20", "users=1,2,3"},
        {"popular", "by=watch_time&group=show&limit=15", "end_date=2026-01-01"},
        {"platforms", "", "start_date=2026-01-20&users=1,2,3"},
        {"platforms", "of=device", "end_date=2026-01-20"},
        {"transcode", "bucket=week", "start_date=2025-12-20&end_date=2026-01-10"},
        {"quality", "of=resolution", "start_date=2026-02-01"},
        {"codecs", "", "users=1,2"},
        {"codecs", "of=audio-codec", "end_date=2026-01-10"},
        {"genres", "", "start_date=2026-03-01"},
        {"decades", "", ""},
        {"ratings", "", "users=3"},
        {"countries", "", "start_date=2026-03-20&location_types=public"},
        {"cities", "", "start_date=2026-03-20&location_types=public"},
        {"calendar", "", "start_date=2025-11-01&end_date=2025-11-04"},
        {"user-engagement", "", "start_date=2026-01-01"},
        {"user-profile", "", "platforms=iOS"},
        {"binge", "", ""},
        {"search/fuzzy", "q=titl 7", "start_date=2026-01-01"},
        {"search/fuzzy", "q=beta", ""},
        {"search/users", "q=person 1", "media_types=movie"},
    };
    const char *zone = zones[0];
    use_zone(zone);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct query *q = query_find(cases[i].query);
        json_t *data = ask(q, zone, cases[i].params, cases[i].filter, "explain=1");
        if (json_array_size(data) == 0)
            fail_msg("%s?%s&%s has no row", cases[i].query, cases[i].params, cases[i].filter);
        size_t k;
        json_t *row;
        json_array_foreach(data, k, row)
        {
            if (k % (json_array_size(data) / 12 + 1) != 0)
                continue;
            if (json_is_null(json_object_get(row, "behind")))
                continue; /* the filter has no word for it */
            const char *behind = jstr(row, "behind");
            int64_t plays = jint(row, "plays", -1);
            int64_t found = plays_behind(q, zone, cases[i].filter, behind);
            if (found != plays)
                fail_msg("%s?%s&%s: %s has %d plays, not %d", cases[i].query, cases[i].params,
                         cases[i].filter, behind, (int)found, (int)plays);
        }
        json_decref(data);
    }
}

/* Of 64 registers: a standard error of 1.04 / 8; the data is always the same. */
static void sketches_are_within_their_error(void **state)
{
    use_zone(zones[0]);
    struct selection s = selection_of(&filters[0]);
    static double values[PLAYS];
    json_t *data = ask(query_find("approximate"), zones[0], "", "", "");
    size_t i;
    json_t *row;
    json_array_foreach(data, i, row)
    {
        double sketch = json_number_value(json_object_get(row, "sketch"));
        if (json_is_null(json_object_get(row, "percentile"))) {
            double off = json_number_value(json_object_get(row, "difference"));
            if (fabs(off) > 3 * 1.04 / 8)
                fail_msg("%s", row_text(row));
            continue;
        }
        size_t count = measured(&s, jstr(row, "figure"), values), below = 0, upto = 0;
        for (size_t k = 0; k < count; k++) {
            below += values[k] < sketch;
            upto += values[k] <= sketch;
        }
        double asked = json_number_value(json_object_get(row, "percentile")) * (double)count;
        if (count < 1000 || (double)below > asked + 0.02 * (double)count ||
            (double)upto < asked - 0.02 * (double)count)
            fail_msg("%s: %zu of %zu below", row_text(row), below, count);
    }
    assert_true(json_array_size(data) == 7 + 3 * 5);
    json_decref(data);
}

static void every_query_has_a_truth(void **state)
{
    for (size_t i = 0; i < query_count; i++) {
        bool has_one = false;
        for (size_t g = 0; g < ARRAY_LEN(all_truths); g++)
            for (const struct truth *t = all_truths[g]; t->query; t++)
                has_one = has_one || streq(t->query, query_catalogue[i].name);
        if (!has_one)
            fail_msg("query %s has no truth in tests/analytics/golden", query_catalogue[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_has_a_truth),
        cmocka_unit_test(every_query_says_what_the_loops_say),
        cmocka_unit_test(sketches_are_within_their_error),
        cmocka_unit_test(the_plays_behind_a_row_are_as_many_as_it_says),
    };
    return cmocka_run_group_tests_name("analytics/golden", tests, set_up, tear_down);
}
