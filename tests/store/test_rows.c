#include "../test.h"

#include "base/mem.h"
#include "store/lookup.h"
#include "store/rows.h"

static struct store *store;
static struct store_conn *conn;

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "128MB", .threads = 1};
    return store_open(&c, &store, NULL, NULL) != STATUS_OK ||
           store_connect(store, &conn, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    return 0;
}

static enum status try_write(const char *sql, enum rows_format format, struct buf *out,
                             struct rows *r, struct error *err)
{
    static duckdb_result result;
    duckdb_destroy_result(&result);
    if (!sql)
        return STATUS_OK;
    if (store_query(conn, sql, NULL, 0, &result, err) != STATUS_OK)
        fail_msg("%s", err->text);
    TRY(rows_begin(r, result, format, err));
    while (rows_next(r, out)) {
    }
    return STATUS_OK;
}

static void check(const char *sql, enum rows_format format, const char *want)
{
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    struct error err = {0};
    if (try_write(sql, format, &out, &r, &err) != STATUS_OK)
        fail_msg("%s: %s", sql, err.text);
    if (!streq(buf_text(&out), want))
        fail_msg("%s\n  gives  %s\n  wanted %s", sql, buf_text(&out), want);
    rows_done(&r);
    (void)try_write(NULL, format, NULL, NULL, NULL);
}

/* Each type alone: its JSON and its CSV value. */
static const struct {
    const char *value, *json, *csv;
} types[] = {
    {"true", "true", "true"},
    {"(-128)::tinyint", "-128", "-128"},
    {"32767::smallint", "32767", "32767"},
    {"(-2147483648)::integer", "-2147483648", "-2147483648"},
    {"(-9223372036854775808)::bigint", "-9223372036854775808", "-9223372036854775808"},
    {"18446744073709551615::ubigint", "18446744073709551615", "18446744073709551615"},
    {"170141183460469231731687303715884105727::hugeint",
     "170141183460469231731687303715884105727", "170141183460469231731687303715884105727"},
    {"(-170141183460469231731687303715884105728)::hugeint",
     "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"},
    {"sum(7::bigint)", "7", "7"},
    {"0.05::decimal(9,2)", "0.05", "0.05"},
    {"(-12.5)::decimal(4,1)", "-12.5", "-12.5"},
    {"(-1)::decimal(30,3)", "-1.000", "-1.000"},
    {"0.1::double", "0.1", "0.1"},
    {"52.52::float", "52.52000045776367", "52.52000045776367"},
    {"'nan'::double", "null", ""},
    {"'-infinity'::float", "null", ""},
    {"timestamp '2024-02-29 23:59:59.999'", "\"2024-02-29T23:59:59.999Z\"",
     "2024-02-29T23:59:59.999Z"},
    {"timestamptz '1969-12-31 23:00:00+00'", "\"1969-12-31T23:00:00.000Z\"",
     "1969-12-31T23:00:00.000Z"},
    {"date '0099-01-02'", "\"0099-01-02\"", "0099-01-02"},
    {"null::bigint", "null", ""},
    {"null", "null", ""},
    {"''", "\"\"", ""},
    {"'short'", "\"short\"", "short"},
    {"'longer than twelve bytes'", "\"longer than twelve bytes\"", "longer than twelve bytes"},
    {"'a \"b\" \\' || chr(10) || chr(1) || 'ä'", "\"a \\\"b\\\" \\\\\\n\\u0001ä\"",
     "\"a \"\"b\"\" \\\n\001ä\""},
    {"'x, y'", "\"x, y\"", "\"x, y\""},
    {"'=1+1'", "\"=1+1\"", "'=1+1"},
    {"'@a, b'", "\"@a, b\"", "\"'@a, b\""},
    {"['a', null, 'b \"c\"']", "[\"a\",null,\"b \\\"c\\\"\"]", "\"a; ; b \"\"c\"\"\""},
    {"[1, 2]::bigint[]", "[1,2]", "1; 2"},
    {"[]::varchar[]", "[]", ""},
    {"interval '1 year 2 months -3 days 04:05:06.5'", "\"1 year 2 months -3 days 04:05:06.500000\"",
     "1 year 2 months -3 days 04:05:06.500000"},
    {"interval 0 days", "\"00:00:00\"", "00:00:00"},
    {"interval (-90) minutes", "\"-01:30:00\"", "-01:30:00"},
    {"time '01:02:03'", "\"01:02:03\"", "01:02:03"},
    {"'2024-02-29 00:00:01'::timestamp_s", "\"2024-02-29T00:00:01.000Z\"", "2024-02-29T00:00:01.000Z"},
    {"'2024-02-29 00:00:01.5'::timestamp_ms", "\"2024-02-29T00:00:01.500Z\"", "2024-02-29T00:00:01.500Z"},
    {"'1969-12-31 23:59:59.5'::timestamp_ns", "\"1969-12-31T23:59:59.500Z\"", "1969-12-31T23:59:59.500Z"},
    {"map {'k': 1}", "[{\"key\":\"k\",\"value\":1}]", "\"{\"\"key\"\":\"\"k\"\",\"\"value\"\":1}\""},
    {"{'n': 1, 's': ['x']}", "{\"n\":1,\"s\":[\"x\"]}", "\"{\"\"n\"\":1,\"\"s\"\":[\"\"x\"\"]}\""},
};

static void every_type_has_its_text(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        auto_free char *sql = xasprintf("select %s as v", types[i].value);
        auto_free char *json = xasprintf("{\"v\":%s}", types[i].json);
        auto_free char *csv = xasprintf("v\r\n%s\r\n", types[i].csv);
        check(sql, ROWS_JSON, json);
        check(sql, ROWS_CSV, csv);
    }
}

static void rows_stand_one_after_the_other(void **state)
{
    static const char two[] = "select 1 as a, 'x' as \"b \"\"q\"\"\", 9 as _c union all"
                              " select 2, null, 8 order by 1";
    check(two, ROWS_JSON, "{\"a\":1,\"b \\\"q\\\"\":\"x\"},{\"a\":2,\"b \\\"q\\\"\":null}");
    check(two, ROWS_NDJSON, "{\"a\":1,\"b \\\"q\\\"\":\"x\"}\n{\"a\":2,\"b \\\"q\\\"\":null}\n");
    check(two, ROWS_CSV, "a,\"b \"\"q\"\"\"\r\n1,x\r\n2,\r\n");
    check("select 1 as a where false", ROWS_JSON, "");
    check("select 1 as a where false", ROWS_CSV, "a\r\n");
}

static void chunks_are_joined_and_counted(void **state)
{
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    struct error err = {0};
    assert_int_equal(try_write("select i, 'row ' || i as _name, i::integer as _i,"
                               " timestamp '1970-01-01 00:00:01' as _at from range(5000) t(i)"
                               " order by i", ROWS_JSON, &out, &r, &err), STATUS_OK);
    assert_int_equal(r.count, 5000);
    size_t commas = 0;
    for (size_t i = 0; i < out.len; i++)
        commas += out.data[i] == ',';
    assert_int_equal(commas, 4999);
    assert_true(str_eq(rows_last_text(&r, "_name"), STR("row 4999")));
    assert_int_equal(rows_last_int(&r, "_i", -1), 4999);
    assert_int_equal(rows_last_int(&r, "_at", -1), 1000000);
    assert_int_equal(rows_last_int(&r, "_none", -1), -1);
    rows_done(&r);
    (void)try_write(NULL, ROWS_JSON, NULL, NULL, NULL);
}

/* Of a statement that is not ours: names are of their own, sizes and zones are not known. */
static void foreign_rows_are_whole_and_cut(void **state)
{
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    auto_result duckdb_result result = {0};
    assert_int_equal(store_query(conn, "select 1 as a, i as a, 9007199254740993 - i as _b, timestamp '2024-01-02'"
                                       " as \"A\", timestamptz '2024-01-02 00:00:00+00' as c from range(3) t(i)",
                                 NULL, 0, &result, NULL), STATUS_OK);
    assert_int_equal(rows_begin_foreign(&r, result, ROWS_NDJSON, 2, NULL), STATUS_OK);
    while (rows_next(&r, &out)) {
    }
    assert_string_equal(buf_text(&out),
        "{\"a\":1,\"a_1\":0,\"_b\":\"9007199254740993\",\"A_2\":\"2024-01-02T00:00:00.000\","
        "\"c\":\"2024-01-02T00:00:00.000Z\"}\n"
        "{\"a\":1,\"a_1\":1,\"_b\":\"9007199254740992\",\"A_2\":\"2024-01-02T00:00:00.000\","
        "\"c\":\"2024-01-02T00:00:00.000Z\"}\n");
    assert_int_equal(r.count, 2);
    assert_true(r.has_more);
}

static const char friends_sql[] =
    "select id, name, 'x' as _not, n as age from (values (1::integer, 'A, \"b\"', 7), (2, null, null), (3, '=c', 9))"
    " t(id, name, n) where id in (select unnest(string_split($ids, ',')::integer[]))";

static void check_looked_up(struct lookup *l, const char *sql, enum rows_format format, const char *want)
{
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    auto_result duckdb_result result = {0};
    struct error err = {0};
    if (store_query(conn, sql, NULL, 0, &result, &err) != STATUS_OK ||
        rows_begin(&r, result, format, &err) != STATUS_OK || rows_look_up(&r, &l, 1, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    while (rows_next(&r, &out)) {
    }
    assert_int_equal(r.status, STATUS_OK);
    assert_string_equal(buf_text(&out), want);
}

/* One lookup for rows of several results and formats; 4 and NULL lead nowhere. */
static void numbers_are_written_as_what_they_stand_for(void **state)
{
    const struct lookup_config c = {.column = "@friend", .sql = friends_sql};
    struct lookup *l = lookup_new(&c, conn);
    const char *rows = "select 10 * i as a, i::integer as \"@friend\", i::bigint as b from"
                       " (values (3), (1), (2), (null), (4), (1)) t(i)";
    check_looked_up(l, rows, ROWS_CSV,
                    "a,name,age,b\r\n30,'=c,9,3\r\n10,\"A, \"\"b\"\"\",7,1\r\n20,,,2\r\n,,,\r\n40,,,4\r\n"
                    "10,\"A, \"\"b\"\"\",7,1\r\n");
    check_looked_up(l, "select 3::bigint as \"@friend\" where false", ROWS_CSV, "name,age\r\n");
    check_looked_up(l, "select 2::bigint as \"@friend\", 5 as b union all select 1, 6 order by b", ROWS_NDJSON,
                    "{\"name\":null,\"age\":null,\"b\":5}\n{\"name\":\"A, \\\"b\\\"\",\"age\":7,\"b\":6}\n");
    check_looked_up(l, "select 9 as a, 4 as \"@friend\"", ROWS_JSON, "{\"a\":9,\"name\":null,\"age\":null}");
    lookup_free(l);
}

/* More texts than are kept: each row has its own, however often they are read anew. */
static void a_lookup_forgets_and_reads_again(void **state)
{
    const struct lookup_config c = {
        .column = "@id",
        .sql = "select i::integer as id, i || repeat('x', 6000) as text from range(1, 9001) t(i)"
               " where i in (select unnest(string_split($ids, ',')::integer[]))"};
    struct lookup *l = lookup_new(&c, conn);
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    auto_result duckdb_result result = {0};
    assert_int_equal(store_query(conn, "select 1 + i % 9000 as \"@id\" from range(20000) t(i) order by i", NULL, 0,
                                 &result, NULL), STATUS_OK);
    assert_int_equal(rows_begin(&r, result, ROWS_NDJSON, NULL), STATUS_OK);
    assert_int_equal(rows_look_up(&r, &l, 1, NULL), STATUS_OK);
    int64_t row = 0;
    while (rows_next(&r, &out)) {
        struct str rest = buf_str(&out), line;
        for (; row < r.count && str_next(&rest, '\n', &line); row++) {
            char want[32];
            snprintf(want, sizeof want, "{\"text\":\"%dx", (int)(1 + row % 9000));
            assert_true(str_has_prefix(line, str_of(want)));
        }
        buf_clear(&out);
    }
    assert_int_equal(r.status, STATUS_OK);
    assert_int_equal(row, 20000);
    lookup_free(l);
}

static void a_lookup_that_fails_ends_the_rows(void **state)
{
    const struct lookup_config c = {.column = "@id", .sql = "select $ids::integer as id, error('gone') as a"};
    struct lookup *l = lookup_new(&c, conn);
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    auto_result duckdb_result result = {0};
    assert_int_equal(store_query(conn, "select 1 as \"@id\"", NULL, 0, &result, NULL), STATUS_OK);
    assert_int_equal(rows_begin(&r, result, ROWS_CSV, NULL), STATUS_OK);
    assert_int_equal(rows_look_up(&r, &l, 1, NULL), STATUS_OK);
    assert_false(rows_next(&r, &out));
    assert_int_not_equal(r.status, STATUS_OK);
    assert_non_null(strstr(r.error.text, "gone"));
    lookup_free(l);
}

static void a_type_without_text_names_its_column(void **state)
{
    auto_buf struct buf out = {0};
    auto_rows struct rows r = {0};
    struct error err = {0};
    assert_int_equal(try_write("select 1 as a, uuid() as gap", ROWS_JSON, &out, &r, &err),
                     STATUS_INTERNAL);
    assert_non_null(strstr(err.text, "'gap'"));
    (void)try_write(NULL, ROWS_JSON, NULL, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_text),
        cmocka_unit_test(rows_stand_one_after_the_other),
        cmocka_unit_test(chunks_are_joined_and_counted),
        cmocka_unit_test(foreign_rows_are_whole_and_cut),
        cmocka_unit_test(numbers_are_written_as_what_they_stand_for),
        cmocka_unit_test(a_lookup_forgets_and_reads_again),
        cmocka_unit_test(a_lookup_that_fails_ends_the_rows),
        cmocka_unit_test(a_type_without_text_names_its_column),
    };
    return cmocka_run_group_tests_name("store/rows", tests, set_up, tear_down);
}
