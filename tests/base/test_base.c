#include "../test.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/logger.h"
#include "base/queue.h"
#include "base/str.h"

static void numbers_parse_whole_or_not_at_all(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"12x", false, 0},
        {" 1", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        assert_int_equal(str_to_i64(str_of(rows[i].text), &v), rows[i].ok);
        if (rows[i].ok)
            assert_true(v == rows[i].value);
    }
}

static void times_round_trip(void **state)
{
    static const struct {
        const char *text;
        const char *utc;
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {"2024-02-29T23:59:59.5+02:00", "2024-02-29T21:59:59.500Z"},
        {"2026-11-23T10:20:30.1234567Z", "2026-11-23T10:20:30.123Z"},
        {"0001-01-01T00:00:00.0000000Z", "0001-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t us;
        char text[TIME_TEXT_MAX];
        assert_true(time_parse(str_of(rows[i].text), &us));
        assert_string_equal(time_format(us, text), rows[i].utc);
    }
    int64_t us;
    assert_false(time_parse(STR("2023-02-29T00:00:00Z"), &us));
    assert_false(time_parse(STR("2023-02-28T00:00:00"), &us));
    assert_false(time_parse(STR("2023-02-28T24:00:00Z"), &us));
}

static void written_json_always_parses(void **state)
{
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (char)(seed >> 24);
        }
        auto_buf struct buf out = {0};
        struct json_writer w;
        jw_begin(&w, &out);
        jw_object(&w);
        jw_key_str(&w, (struct str){bytes, 5});
        jw_array(&w);
        jw_str(&w, (struct str){bytes, sizeof bytes});
        jw_double(&w, (double)seed / 7);
        jw_array_end(&w);
        jw_kv_int(&w, "n", (int64_t)seed);
        jw_object_end(&w);
        auto_json json_t *root = NULL;
        struct error err;
        if (json_parse(buf_str(&out), 4096, 8, &root, &err) != STATUS_OK)
            fail_msg("%s in %s", err.text, buf_text(&out));
        assert_int_equal(jint(root, "n", -1), (int64_t)seed);
    }
}

static void json_getters_forgive_types(void **state)
{
    auto_json json_t *root = NULL;
    struct error err;
    assert_int_equal(json_parse(STR("\xef\xbb\xbf{\"a\":\"14\",\"b\":14,\"c\":1.5e3,\"d\":\"x\","
                                    "\"e\":true,\"f\":{\"g\":[1]},\"h\":\"1\"}"),
                                1000, 4, &root, &err),
                     STATUS_OK);
    assert_int_equal(jint(root, "a", -1), 14);
    assert_int_equal(jint(root, "b", -1), 14);
    assert_int_equal(jint(root, "c", -1), 1500);
    assert_int_equal(jint(root, "d", -1), -1);
    assert_int_equal(jbool(root, "e"), 1);
    assert_int_equal(jbool(root, "h"), 1);
    assert_int_equal(jbool(root, "none"), -1);
    assert_true(json_is_array(jpath(root, "f.g")));
}

static void json_limits_are_named(void **state)
{
    json_t *root = NULL;
    struct error err;
    assert_int_equal(json_parse(STR("[[[[1]]]]"), 100, 3, &root, &err), STATUS_TOO_LARGE);
    assert_int_equal(json_parse(STR("[1,2,3]"), 3, 3, &root, &err), STATUS_TOO_LARGE);
    assert_int_equal(json_parse(STR("<h1>401</h1>"), 100, 3, &root, &err), STATUS_PROTOCOL);
    assert_non_null(strstr(err.text, "HTML"));
    assert_int_equal(json_parse(STR("{"), 100, 3, &root, &err), STATUS_PROTOCOL);
    static const char *const loose[] = {"[]", "\"x\"", "null", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{}{}"};
    for (size_t i = 0; i < ARRAY_LEN(loose); i++)
        assert_int_equal(json_parse_strict(str_of(loose[i]), 100, 3, &root, &err), STATUS_PROTOCOL);
    assert_null(root);
    assert_int_equal(json_parse_strict(STR("{\"a\":{\"b\":[\"secret\"]}}"), 100, 3, &root, &err), STATUS_OK);
    json_t *secret = json_incref(json_array_get(jpath(root, "a.b"), 0));
    json_free_wiped(root);
    for (size_t i = 0; i < json_string_length(secret); i++)
        assert_int_equal(json_string_value(secret)[i], 0);
    json_decref(secret);
}

static void a_buf_stops_at_its_cap(void **state)
{
    auto_buf struct buf b = BUF_INIT(10);
    buf_puts(&b, "12345");
    assert_false(b.is_overflowed);
    buf_puts(&b, "678901");
    assert_true(b.is_overflowed);
    buf_puts(&b, "x");
    assert_string_equal(buf_text(&b), "12345");
}

static void utf8_is_judged_and_cleaned(void **state)
{
    assert_true(str_is_utf8(STR("h\xc3\xa9llo \xf0\x9f\x8e\xac")));
    assert_false(str_is_utf8(STR("\xc0\xaf")));
    assert_false(str_is_utf8(STR("\xed\xa0\x80")));
    assert_false(str_is_utf8(STR("abc\xff")));
    auto_buf struct buf b = {0};
    buf_add_clean_utf8(&b, STR("a\x01" "b\xff" "c"));
    assert_string_equal(buf_text(&b), "ab\xef\xbf\xbd" "c");
}

static void secrets_never_reach_a_line(void **state)
{
    logger_add_secret("hunter2-hunter2");
    auto_free char *line = logger_redact("token=hunter2-hunter2&x=1");
    assert_string_equal(line, "token=***&x=1");
    logger_add_secret("short"); /* too short to be told from ordinary text */
    auto_free char *other = logger_redact("a short story");
    assert_string_equal(other, "a short story");
}

static void a_queue_is_bounded_and_closes(void **state)
{
    int a, b;
    struct queue *q = queue_new(1);
    assert_true(queue_try_push(q, &a));
    assert_false(queue_try_push(q, &b));
    queue_close(q);
    assert_ptr_equal(queue_pop(q, 0), &a);
    assert_null(queue_pop(q, -1));
    assert_false(queue_try_push(q, &b));
    queue_free(q);
}

static void distance_finds_near_names(void **state)
{
    assert_int_equal(str_distance(STR("PLEX_URL"), STR("PLEX_ULR"), 3), 2);
    assert_int_equal(str_distance(STR("abc"), STR("xyzuvw"), 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_parse_whole_or_not_at_all),
        cmocka_unit_test(times_round_trip),
        cmocka_unit_test(written_json_always_parses),
        cmocka_unit_test(json_getters_forgive_types),
        cmocka_unit_test(json_limits_are_named),
        cmocka_unit_test(a_buf_stops_at_its_cap),
        cmocka_unit_test(utf8_is_judged_and_cleaned),
        cmocka_unit_test(secrets_never_reach_a_line),
        cmocka_unit_test(a_queue_is_bounded_and_closes),
        cmocka_unit_test(distance_finds_near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
