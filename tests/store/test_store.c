#include "../test.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "store/store.h"

static char path[80];

static int remove_files(void **state)
{
    (void)state;
    glob_t found;
    auto_free char *pattern = xasprintf("%s*", path);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
    return 0;
}

static int set_up(void **state)
{
    snprintf(path, sizeof path, "/tmp/cartographus-store-%d.duckdb", getpid());
    return remove_files(state);
}

static struct store *open_store(bool *ret_damaged)
{
    struct store_config c = {.path = path, .max_memory = "256MB", .threads = 1};
    struct store *s = NULL;
    struct error err;
    if (store_open(&c, &s, ret_damaged, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return s;
}

static int64_t ask(struct store_conn *c, const char *sql)
{
    int64_t v;
    struct error err;
    if (store_query_int(c, sql, NULL, 0, -1, &v, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return v;
}

static void a_new_store_has_the_schema_and_keeps_it(void **state)
{
    struct error err;
    for (int round = 0; round < 2; round++) {
        struct store *s = open_store(NULL);
        struct store_conn *c;
        assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
        assert_int_equal(ask(c, "select count(*) from play"), 0);
        assert_int_equal(ask(c, "select count(*) from applied"), 1);
        assert_int_equal(ask(c, "select max(number) from schema_version"), 1);
        store_disconnect(c);
        store_close(s);
    }
}

static enum status fails_halfway(void *ctx, struct store_conn *c, struct error *err)
{
    (void)ctx;
    TRY(store_exec(c, "update applied set position = 7", err));
    return store_exec(c, "select cast('x' as integer)", err);
}

static void a_failed_transaction_leaves_nothing(void **state)
{
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_not_equal(store_transaction(c, fails_halfway, NULL, &err), STATUS_OK);
    assert_int_equal(ask(c, "select position from applied"), 0);
    store_disconnect(c);
    store_close(s);
}

static void values_are_bound_never_pasted(void **state)
{
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    struct store_value v[] = {{.kind = SV_TEXT, .s = STR("x'); drop table play; --")},
                              {.kind = SV_INT, .i = 5},
                              {.kind = SV_NULL}};
    int64_t n;
    assert_int_equal(store_query_int(c, "select length($1) + $2 + coalesce($3, 1)", v, 3, 0, &n,
                                     &err),
                     STATUS_OK);
    assert_int_equal(n, (int64_t)v[0].s.len + 5 + 1);
    assert_int_equal(ask(c, "select count(*) from play"), 0);
    store_disconnect(c);
    store_close(s);
}

static void a_damaged_wal_is_set_aside(void **state)
{
    struct error err;
    auto_free char *wal = xasprintf("%s.wal", path);
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    int64_t position;
    assert_int_equal(store_checkpoint(c, &position, &err), STATUS_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(store_exec(c, "insert into setting values ('name', 'value')", &err),
                         STATUS_OK);
    /* What a crash leaves: the file and its WAL as they are now, the WAL with one byte flipped. */
    auto_file FILE *from = fopen(wal, "re");
    assert_non_null(from);
    static char bytes[1 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, from);
    assert_true(n > 1000);
    bytes[n / 2] = (char)(bytes[n / 2] ^ 0x5a);
    store_disconnect(c);
    store_close(s);
    auto_file FILE *to = fopen(wal, "we");
    assert_int_equal(fwrite(bytes, 1, n, to), n);
    fflush(to);

    bool was_damaged = false;
    s = open_store(&was_damaged);
    assert_true(was_damaged);
    store_close(s);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    auto_file FILE *f = fopen(path, "we");
    for (int i = 0; i < 1000; i++)
        fputs("not a database ", f);
    fflush(f);
    struct store_config c = {.path = path};
    struct store *s = NULL;
    struct error err;
    assert_int_not_equal(store_open(&c, &s, NULL, &err), STATUS_OK);
    assert_null(s);
    assert_true(strlen(err.text) > 10);
}

static void values_are_bound_by_name_and_none_may_be_missing(void **state)
{
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    const struct store_named v[] = {{"unused", {.kind = SV_NULL}},
                                    {"b", {.kind = SV_INT, .i = 3}},
                                    {"a", {.kind = SV_INT, .i = 10}}};
    {
        auto_result duckdb_result r = {0};
        assert_int_equal(store_query_named(c, "select $a::bigint - $b::bigint where $a::bigint > $b",
                                           v, ARRAY_LEN(v), &r, &err), STATUS_OK);
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
        assert_non_null(chunk);
        const int64_t *n = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        assert_int_equal(n[0], 7);
    }
    auto_result duckdb_result r = {0};
    assert_int_equal(store_query_named(c, "select $a, $c", v, ARRAY_LEN(v), &r, &err),
                     STATUS_INTERNAL);
    store_disconnect(c);
    store_close(s);
}

static void a_store_of_a_newer_version_is_refused(void **state)
{
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_equal(store_exec(c, "insert into schema_version values (999, 'later', now())", &err),
                     STATUS_OK);
    store_disconnect(c);
    store_close(s);
    struct store_config config = {.path = path};
    s = NULL;
    assert_int_equal(store_open(&config, &s, NULL, &err), STATUS_CONFLICT);
    assert_null(s);
    assert_non_null(strstr(err.text, "schema 999"));
    assert_non_null(strstr(err.text, "newer version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_store_has_the_schema_and_keeps_it, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_failed_transaction_leaves_nothing, set_up, remove_files),
        cmocka_unit_test_setup_teardown(values_are_bound_never_pasted, set_up, remove_files),
        cmocka_unit_test_setup_teardown(values_are_bound_by_name_and_none_may_be_missing, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_damaged_wal_is_set_aside, set_up, remove_files),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_store_is_refused, set_up, remove_files),
        cmocka_unit_test_setup_teardown(a_store_of_a_newer_version_is_refused, set_up, remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
