/*
 * Each query explains itself, and the plays behind its rows, where it says that they can be told, give
 * the rows' figures again.
 */
#include "golden/asking.h"

#include "store/rows.h"

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
        if (pair.len && str_next(&pair, '=', &name))
            take_pair(q, name, pair);
    rest = str_of(filter);
    while (str_next(&rest, '&', &pair)) {
        if (!pair.len || !str_next(&pair, '=', &name))
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
                       " coalesce(sum(window_ms), 0)::bigint from filtered_segment) as watch_ms, (select"
                       " coalesce(sum(watch_ms), 0)::bigint from filtered_play) as whole_ms");
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
        /* A run, or a hit of the search, has the watch time of its plays, wherever they end. */
        bool is_whole = i == 1 && (streq(q->name, "binge") || strncmp(q->name, "search/", 7) == 0);
        const json_t *got = json_object_get(found, is_whole ? "whole_ms" : figures[i]),
                     *want = json_object_get(row, figures[i]);
        /* Of among, watch time may lie outside of what the row looks at. */
        bool is_right = !want || (q->behind == BEHIND_EXACT ? is_near(figures[i], got, want)
                                                            : i == 1 || json_integer_value(got) >=
                                                                            json_integer_value(want));
        if (!is_right)
            fail_msg("%s: behind %s are %s, not %s of %s", where, behind, json_dumps(found, 0), figures[i],
                     json_dumps(row, 0));
    }
    json_decref(found);
    return true;
}

static void the_plays_behind_every_row_give_its_figures(void **state)
{
    static const size_t asked[] = {1, 4, 5}; /* of `filters` */
    enum { ROWS_EACH = 4 };
    use_zone(zones[0]);
    size_t checked = 0;
    for (size_t i = 0; i < query_count; i++) {
        const struct query *q = &query_catalogue[i];
        size_t of_query = 0;
        for (size_t g = 0; g < TRUTHS_COUNT && q->behind != BEHIND_NONE; g++) {
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
        if (q->behind != BEHIND_NONE && *q->behind_why == '\0' && of_query == 0)
            fail_msg("of %s no row has told the plays behind it", q->name);
        assert_true(q->behind == BEHIND_EXACT || *q->behind_why != '\0');
        checked += of_query;
    }
    print_message("%zu rows add up\n", checked);
    assert_true(checked > 300);
}

/* Each `$name` of the SQL is among the values. */
static void assert_bound(const struct query *q, const json_t *explain)
{
    const char *at = jstr(explain, "sql");
    assert_true(strlen(jstr(explain, "definition")) > 20);
    assert_non_null(strstr(at, "select"));
    while ((at = strchr(at, '$'))) {
        size_t len = strspn(++at, "abcdefghijklmnopqrstuvwxyz_0123456789");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_explains_itself),
        cmocka_unit_test(the_plays_behind_every_row_give_its_figures),
    };
    return cmocka_run_group_tests_name("analytics/explain", tests, asking_set_up, asking_tear_down);
}
