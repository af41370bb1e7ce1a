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
#include "store/rows.h"
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

/* What the query answers. */
static json_t *ask_whole(const struct query *query, const char *zone, const char *params,
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
    analytics_free(a);
    question_free(q);
    return root;
}

/* The rows of it, as truth has them. */
static json_t *ask(const struct query *query, const char *zone, const char *params,
                   const char *filter, const char *more)
{
    json_t *root = ask_whole(query, zone, params, filter, more);
    json_t *data = json_incref(jget(root, "data"));
    json_decref(root);
    return data;
}

/* --- comparing ------------------------------------------------------------------------------- */

/* Rounding: milliseconds are whole in each segment and bucket. */
static bool is_near(const char *column, const json_t *got, const json_t *want)
{
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
                                                 title_truths, comparison_truths};

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

static void take_pair(struct question *q, struct str name, struct str value)
{
    struct error err = {0};
    auto_free char *n = xstrndup(name.ptr, name.len);
    auto_free char *v = decoded(value);
    if (question_take(q, n, v, &err) != STATUS_OK)
        fail_msg("%s: %s", n, err.text);
}

/* What a row counts, as the filter's relations have it with what `behind` sets in the filter. */
static json_t *figures_behind(const struct query *query, const char *zone, const char *filter,
                              const char *behind)
{
    const struct filter_config config = {.time_zone = zone, .now_us = world.now, .sees_all = true};
    struct question *q = question_new(query, &config);
    struct str rest = str_of(behind), pair, name;
    while (str_next(&rest, '&', &pair))
        if (str_next(&pair, '=', &name))
            take_pair(q, name, pair);
    rest = str_of(filter);
    while (str_next(&rest, '&', &pair)) {
        if (!str_next(&pair, '=', &name))
            continue;
        auto_free char *own = xstrndup(name.ptr, name.len);
        if (!question_given(q, own))
            take_pair(q, name, pair);
    }
    auto_buf struct buf sql = {0}, out = {0};
    auto_result duckdb_result result = {0};
    auto_rows struct rows rows = {0};
    struct error err = {0};
    size_t count;
    enum status s = question_finish(q, &err);
    if (s == STATUS_OK)
        s = question_resolve(q, conn, &err);
    if (s == STATUS_OK) {
        buf_puts(&sql, "with ");
        filter_sql(question_filter(q), &sql);
        buf_puts(&sql, " select (select count(*) from filtered_play) as plays, (select"
                       " coalesce(sum(window_ms), 0)::bigint from filtered_segment) as watch_ms");
        const struct store_named *values = filter_values(question_filter(q), &count);
        s = store_query_named(conn, buf_text(&sql), values, count, &result, &err);
    }
    if (s == STATUS_OK)
        s = rows_begin(&rows, result, ROWS_JSON, &err);
    if (s != STATUS_OK)
        fail_msg("%s: %s", behind, err.text);
    rows_next(&rows, &out);
    json_t *found = json_loads(buf_text(&out), 0, NULL);
    question_free(q);
    return found;
}

/* The plays behind a row give its figures again: theirs and no other, or (among) at least those. */
static bool row_adds_up(const struct query *q, const char *zone, const char *filter, const json_t *row,
                        const char *where)
{
    if (json_is_null(json_object_get(row, "behind")))
        return false; /* the filter has no word for it */
    const char *behind = jstr(row, "behind");
    json_t *found = figures_behind(q, zone, filter, behind);
    static const char *const figures[] = {"plays", "watch_ms"};
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        const json_t *got = json_object_get(found, figures[i]), *want = json_object_get(row, figures[i]);
        /* Of among, watch time may lie outside of what the row looks at. */
        bool is_right = !want || (q->behind == BEHIND_EXACT ? is_near(figures[i], got, want)
                                                            : i == 1 || json_integer_value(got) >=
                                                                            json_integer_value(want));
        if (!is_right)
            fail_msg("%s: behind %s are %s, not %s of %s", where, behind, row_text(found), figures[i],
                     row_text(row));
    }
    json_decref(found);
    return true;
}

static void the_plays_behind_every_row_give_its_figures(void **state)
{
    static const size_t asked[] = {0, 1, 3, 4, 5}; /* of `filters` */
    enum { ROWS_EACH = 5 };
    use_zone(zones[0]);
    size_t checked = 0;
    for (size_t i = 0; i < query_count; i++) {
        const struct query *q = &query_catalogue[i];
        size_t of_query = 0;
        for (size_t g = 0; g < ARRAY_LEN(all_truths) && q->behind != BEHIND_NONE; g++) {
            for (const struct truth *t = all_truths[g]; t->query; t++) {
                for (size_t f = 0; f < ARRAY_LEN(asked) && streq(t->query, q->name); f++) {
                    const char *filter = filters[asked[f]].params;
                    auto_free char *where = xasprintf("%s?%s&%s", t->query, t->params, filter);
                    json_t *data = ask(q, zones[0], t->params, filter, "explain=1");
                    size_t k, step = json_array_size(data) / ROWS_EACH + 1;
                    json_t *row;
                    json_array_foreach(data, k, row)
                        of_query += k % step == 0 && row_adds_up(q, zones[0], filter, row, where);
                    json_decref(data);
                }
            }
        }
        if (q->behind != BEHIND_NONE && of_query == 0)
            fail_msg("of %s no row has told the plays behind it", q->name);
        assert_int_equal(q->behind == BEHIND_EXACT, *q->behind_why == '\0');
        checked += of_query;
    }
    print_message("%zu rows add up\n", checked);
    assert_true(checked > 500);
}

/* Each `$name` of the SQL is among the values. */
static void assert_bound(const struct query *q, const json_t *explain)
{
    const char *at = jstr(explain, "sql");
    assert_true(strlen(jstr(explain, "definition")) > 20);
    assert_non_null(strstr(at, "select"));
    while ((at = strchr(at, '$'))) {
        size_t len = strspn(++at, "abcdefghijklmnopqrstuvwxyz_");
        bool is_bound = false;
        size_t i;
        json_t *v;
        json_array_foreach(jget(explain, "values"), i, v)
            is_bound = is_bound || (strlen(jstr(v, "name")) == len && !strncmp(jstr(v, "name"), at, len));
        if (!is_bound)
            fail_msg("%s: $%.*s has no value", q->name, (int)len, at);
    }
}

static void every_query_explains_itself(void **state)
{
    use_zone(zones[1]);
    for (size_t i = 0; i < query_count; i++) {
        json_t *root = ask_whole(&query_catalogue[i], zones[1], "", "start_date=2026-01-01&users=1,2&search=a",
                                 "explain=1");
        assert_non_null(jget(root, "explain"));
        assert_bound(&query_catalogue[i], jget(root, "explain"));
        json_decref(root);
    }
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
        cmocka_unit_test(the_plays_behind_every_row_give_its_figures),
        cmocka_unit_test(every_query_explains_itself),
    };
    return cmocka_run_group_tests_name("analytics/golden", tests, set_up, tear_down);
}
