#include "../test.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "store/cursor.h"
#include "store/export.h"
#include "store/geojson.h"
#include "store/tables.h"

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

/* --- lines ------------------------------------------------------------------------------------- */

static json_t *line_of(struct geo_place from, struct geo_place to)
{
    auto_buf struct buf out = {0};
    json_t *line = NULL;
    geo_line(from, to, &out);
    if (json_parse(buf_str(&out), 1 << 20, 10, &line, NULL) != STATUS_OK)
        fail_msg("no JSON: %s", buf_text(&out));
    return line;
}

static double degree(const json_t *position, size_t at)
{
    return json_number_value(json_array_get(position, at));
}

/* No step is longer than half the earth, and all is on it; the number of positions. */
static size_t check_part(const json_t *part)
{
    size_t i;
    json_t *position;
    assert_true(json_array_size(part) >= 2);
    json_array_foreach(part, i, position) {
        assert_int_equal(json_array_size(position), 2);
        assert_true(fabs(degree(position, 0)) <= 180 && fabs(degree(position, 1)) <= 90);
        if (i && fabs(degree(position, 1)) < 89.9 && fabs(degree(json_array_get(part, i - 1), 1)) < 89.9)
            assert_true(fabs(degree(position, 0) - degree(json_array_get(part, i - 1), 0)) <= 180 + 1e-5);
    }
    return json_array_size(part);
}

static void assert_ends(const json_t *first, const json_t *last, struct geo_place from,
                        struct geo_place to)
{
    assert_true(fabs(degree(first, 0) - from.longitude) < 1e-5 && fabs(degree(first, 1) - from.latitude) < 1e-5);
    assert_true(fabs(degree(last, 0) - to.longitude) < 1e-5 && fabs(degree(last, 1) - to.latitude) < 1e-5);
}

static void test_lines_are_cut_at_the_antimeridian(void **state)
{
    static const struct {
        struct geo_place from, to;
        bool is_cut;
    } cases[] = {
        {{52.5, 13.4}, {48.9, 2.4}, false},     /* Berlin, Paris */
        {{35.7, 139.7}, {37.8, -122.4}, true},  /* Tokyo, San Francisco */
        {{37.8, -122.4}, {35.7, 139.7}, true},
        {{-36.8, 174.8}, {-33.4, -70.7}, true}, /* Auckland, Santiago */
        {{52.5, 13.4}, {52.5, 13.4}, false},    /* nowhere to go */
        {{0, 0}, {0, 180}, false},              /* opposite ends */
        {{10, 20}, {-10, -160}, false},
        {{90, 0}, {-90, 0}, false},
        {{60, 180}, {60, 170}, false},
        {{0, 179.5}, {0, -179.5}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_json json_t *line = line_of(cases[i].from, cases[i].to);
        const json_t *parts = json_object_get(line, "coordinates");
        assert_string_equal(jstr(line, "type"), cases[i].is_cut ? "MultiLineString" : "LineString");
        if (!cases[i].is_cut) {
            size_t n = check_part(parts);
            assert_ends(json_array_get(parts, 0), json_array_get(parts, n - 1), cases[i].from, cases[i].to);
            continue;
        }
        const json_t *a = json_array_get(parts, 0), *b = json_array_get(parts, 1);
        assert_int_equal(json_array_size(parts), 2);
        size_t of_a = check_part(a), of_b = check_part(b);
        const json_t *edge = json_array_get(a, of_a - 1), *other = json_array_get(b, 0);
        assert_ends(json_array_get(a, 0), json_array_get(b, of_b - 1), cases[i].from, cases[i].to);
        assert_true(fabs(degree(edge, 0)) > 180 - 1e-9 && fabs(degree(edge, 0) + degree(other, 0)) < 1e-9);
        assert_true(fabs(degree(edge, 1) - degree(other, 1)) < 1e-9);
    }
}

static void test_any_line_is_well_formed(void **state)
{
    srand(7);
    for (int i = 0; i < 3000; i++) {
        struct geo_place from = {rand() % 181 - 90, rand() % 361 - 180};
        struct geo_place to = {rand() % 181 - 90, rand() % 361 - 180};
        auto_json json_t *line = line_of(from, to);
        const json_t *parts = json_object_get(line, "coordinates");
        bool is_cut = streq(jstr(line, "type"), "MultiLineString");
        for (size_t k = 0; k < (is_cut ? json_array_size(parts) : 1); k++)
            check_part(is_cut ? json_array_get(parts, k) : parts);
    }
    assert_false(geo_is_place((struct geo_place){NAN, 0}));
    assert_false(geo_is_place((struct geo_place){0, 180.1}));
    assert_true(geo_is_place((struct geo_place){-90, 180}));
}

/* --- files ------------------------------------------------------------------------------------- */

static char *read_export(const struct export *e)
{
    char *text = xcalloc(e->size + 1, 1);
    assert_int_equal(pread(e->fd, text, e->size, 0), e->size);
    return text;
}

static char *export_of(enum export_format f, const char *first, const char *second)
{
    auto_export struct export e = {.fd = -1};
    struct error err = {0};
    struct stat st;
    if (export_open("/tmp", f, &e, &err) != STATUS_OK ||
        export_query(&e, conn, first, NULL, 0, &err) != STATUS_OK ||
        (second && export_query(&e, conn, second, NULL, 0, &err) != STATUS_OK) ||
        export_end(&e, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(fstat(e.fd, &st), 0);
    assert_int_equal(st.st_size, e.size);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    return read_export(&e);
}

static void assert_export(enum export_format f, const char *first, const char *second, const char *want)
{
    auto_free char *text = export_of(f, first, second);
    assert_string_equal(text, want);
}

static void test_batches_are_one_file(void **state)
{
    static const char some[] = "select 1 as a, '=x' as b", none[] = "select 1 as a, 'y' as b where false";
    assert_export(EXPORT_CSV, some, some, "a,b\r\n1,'=x\r\n1,'=x\r\n");
    assert_export(EXPORT_CSV, none, some, "a,b\r\n1,'=x\r\n");
    assert_export(EXPORT_CSV, none, NULL, "a,b\r\n");
    assert_export(EXPORT_NDJSON, some, some, "{\"a\":1,\"b\":\"=x\"}\n{\"a\":1,\"b\":\"=x\"}\n");
    assert_export(EXPORT_NDJSON, none, none, "");
}

static void test_geojson_has_features_of_rows(void **state)
{
    static const char head[] = "{\"type\":\"FeatureCollection\",\"features\":[\n";
    static const char point[] = "select 1 as a, 52.5::double as latitude, 13.4::double as longitude",
                      hidden[] = "select 1 as a, 91.0::double as _latitude, 0.0::double as _longitude",
                      none[] = "select 1 as a, null::double as latitude, null::double as longitude";
#define POINT "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[13.4,52.5]}," \
              "\"properties\":{\"a\":1,\"latitude\":52.5,\"longitude\":13.4}}\n"
    auto_free char *two = xasprintf("%s" POINT "," POINT "]}\n", head);
    auto_free char *without = xasprintf("%s{\"type\":\"Feature\",\"geometry\":null,\"properties\":"
                                        "{\"a\":1,\"latitude\":null,\"longitude\":null}}\n]}\n", head);
    auto_free char *beyond = xasprintf("%s{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"a\":1}}\n]}\n",
                                       head);
    auto_free char *empty = xasprintf("%s]}\n", head);
    assert_export(EXPORT_GEOJSON, point, point, two);
    assert_export(EXPORT_GEOJSON, none, NULL, without);
    assert_export(EXPORT_GEOJSON, hidden, NULL, beyond);
    assert_export(EXPORT_GEOJSON, "select 1.0::double as latitude, 1.0::double as longitude where false", NULL,
                  empty);
    auto_export struct export e = {.fd = -1};
    struct error err = {0};
    assert_int_equal(export_open("/tmp", EXPORT_GEOJSON, &e, &err), STATUS_OK);
    assert_int_equal(export_query(&e, conn, "select 1 as a", NULL, 0, &err), STATUS_INTERNAL);
}

/* What is bound is bound: a value that looks like SQL is text, and DuckDB reads the file again. */
static void test_parquet_takes_bound_values(void **state)
{
    static const char evil[] = "'); drop table play; --";
    const struct store_named values[] = {{"name", {.kind = SV_TEXT, .s = STR("'); drop table play; --")}}};
    auto_export struct export e = {.fd = -1};
    struct error err = {0};
    assert_int_equal(export_open("/tmp", EXPORT_PARQUET, &e, &err), STATUS_OK);
    if (export_query(&e, conn, "select i, $name as name from range(5000) t(i)", values, 1, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    auto_free char *sql = xasprintf("select count(*), sum(i)::bigint, min(name), max(name) from"
                                    " read_parquet('/proc/self/fd/%d')", e.fd);
    auto_cursor struct cursor r = {0};
    assert_int_equal(cursor_open(conn, sql, NULL, 0, &r, &err), STATUS_OK);
    assert_true(cursor_next(&r));
    assert_int_equal(cursor_int(&r, 0, 0), 5000);
    assert_int_equal(cursor_int(&r, 1, 0), 4999 * 2500);
    assert_true(str_eq(cursor_text(&r, 2), str_of(evil)) && str_eq(cursor_text(&r, 3), str_of(evil)));
    assert_int_equal(store_exec(conn, "select count(*) from play", &err), STATUS_OK);
}

static void test_a_folder_that_is_not_there_is_told(void **state)
{
    auto_export struct export e = {.fd = -1};
    struct error err = {0};
    assert_int_equal(export_open("/nowhere/at/all", EXPORT_CSV, &e, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_int_equal(export_open("/tmp", EXPORT_CSV, &e, &err), STATUS_OK);
    assert_int_equal(export_need_room(&e, UINT64_MAX / 4, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "too full for this export"));
}

static void test_every_table_has_a_meaning(void **state)
{
    struct error err = {0};
    size_t found = 0;
    auto_cursor struct cursor r = {0};
    assert_int_equal(cursor_open(conn, "select table_name from duckdb_tables() where not temporary order by 1",
                                 NULL, 0, &r, &err), STATUS_OK);
    while (cursor_next(&r)) {
        struct str name = cursor_text(&r, 0);
        auto_free char *text = xstrndup(name.ptr, name.len);
        if (!*store_table_meaning(text))
            fail_msg("the table %s has no row in src/store/tables.def", text);
        found++;
    }
#define STORE_TABLE(table, meaning) found--;
#include "store/tables.def"
    assert_int_equal(found, 0); /* else a row of tables.def has no table */
}

/* --- numbers and times, as files have them ----------------------------------------------------- */

static void test_numbers_come_back_as_they_were(void **state)
{
    srand(3);
    for (int i = 0; i < 200000; i++) {
        double v = (double)rand() / RAND_MAX * pow(10, rand() % 40 - 20) * (rand() % 2 ? 1 : -1), back;
        if (i % 3 == 0)
            v = nearbyint(v * 100) / 100;
        auto_buf struct buf out = {0};
        struct json_writer w;
        jw_begin(&w, &out);
        jw_double(&w, v);
        if (!str_to_double(buf_str(&out), &back) || back < v || back > v)
            fail_msg("%.17g is written %s", v, buf_text(&out));
    }
}

static void test_times_are_rfc_3339(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1709209800123456, "2024-02-29T12:30:00.123Z"},
        {253402300799999000, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[TIME_TEXT_MAX];
        assert_string_equal(time_format(cases[i].us, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_cut_at_the_antimeridian),
        cmocka_unit_test(test_any_line_is_well_formed),
        cmocka_unit_test(test_batches_are_one_file),
        cmocka_unit_test(test_geojson_has_features_of_rows),
        cmocka_unit_test(test_parquet_takes_bound_values),
        cmocka_unit_test(test_a_folder_that_is_not_there_is_told),
        cmocka_unit_test(test_every_table_has_a_meaning),
        cmocka_unit_test(test_numbers_come_back_as_they_were),
        cmocka_unit_test(test_times_are_rfc_3339),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
