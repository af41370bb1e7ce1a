/*
 * Each query on the golden data, against what plain loops say, with and without filters, in two
 * time zones across the changes of their clocks and a year's end.
 */
#include "golden/asking.h"

#include <math.h>

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

static void every_query_says_what_the_loops_say(void **state)
{
    size_t rows = 0;
    json_t *rows_of = json_object(); /* by the truth's query and params */
    for (size_t z = 0; z < ZONES_COUNT; z++) {
        use_zone(zones[z]);
        for (size_t f = 0; f < FILTERS_COUNT; f++) {
            struct selection s = selection_of(&filters[f]);
            for (size_t g = 0; g < TRUTHS_COUNT; g++) {
                for (const struct truth *t = all_truths[g]; t->query; t++) {
                    if (f >= (z ? 3 : *t->params ? 2 : FILTERS_COUNT))
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
        for (size_t g = 0; g < TRUTHS_COUNT; g++)
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
    };
    return cmocka_run_group_tests_name("analytics/golden", tests, asking_set_up, asking_tear_down);
}
