/* The catalogue as a whole: each query is prepared, runs on an empty store, and refuses bad input. */
#include "../test.h"

#include "analytics/analytics.h"
#include "base/clock.h"
#include "base/json_read.h"

static struct store *store;
static struct store_conn *conn;

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "256MB", .threads = 1};
    return store_open(&c, &store, NULL, NULL) != STATUS_OK ||
           store_connect(store, &conn, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    return 0;
}

static const struct filter_config everything = {
    .time_zone = "Europe/Berlin", .now_us = INT64_C(1774000000000000), .sees_all = true};

static void every_query_fits_the_schema(void **state)
{
    struct error err = {0};
    int64_t started = clock_monotonic_us();
    if (analytics_check(conn, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    print_message("all queries prepared in %.1f ms\n",
                  (double)(clock_monotonic_us() - started) / 1000);
}

static void every_query_answers_on_an_empty_store(void **state)
{
    static const char *const extras[][2] = {
        {"tz", "UTC"}, {"days", "30"}, {"explain", "1"}, {"server_ids", "1,2"},
    };
    struct analytics *a = analytics_new(store, 1 << 20);
    for (size_t i = 0; i < query_count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(extras); k++) {
            struct error err = {0};
            auto_buf struct buf key = {0}, out = {0};
            struct question *q = question_new(&query_catalogue[i], &everything);
            enum status s = question_take(q, extras[k][0], extras[k][1], &err);
            if (s == STATUS_OK)
                s = question_finish(q, &err);
            analytics_key(a, q, &key);
            if (s == STATUS_OK)
                s = analytics_answer(a, q, buf_text(&key), conn, &out, &err);
            json_t *root = NULL;
            if (s == STATUS_OK)
                s = json_parse(buf_str(&out), 1 << 20, 20, &root, &err);
            if (s != STATUS_OK)
                fail_msg("%s with %s: %s", query_catalogue[i].name, extras[k][0], err.text);
            assert_true(json_is_array(jget(root, "data")));
            assert_string_equal(jstr(jget(root, "meta"), "query"), query_catalogue[i].name);
            json_decref(root);
            question_free(q);
        }
    }
    analytics_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_query_fits_the_schema),
        cmocka_unit_test(every_query_answers_on_an_empty_store),
    };
    return cmocka_run_group_tests_name("analytics/queries", tests, set_up, tear_down);
}
