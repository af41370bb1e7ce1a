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

static const struct {
    const char *ids, *distinct, *run;
} sets[] = {
    {"(1)", "1", "1"},
    {"(1), (2), (3), (7), (2)", "4", "3"},
    {"(0), (511), (512), (513), (5000)", "5", "3"},
    {"(63), (64), (127), (128), (130)", "5", "2"},
    {"(null), (4), (null), (5)", "2", "2"},
    {"(null::integer)", "0", "0"},
    {"(2147483647), (0)", "2", "1"},
};

static void ids_are_counted_and_runs_found(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        auto_free char *sql = xasprintf("select distinct_ids(id) || ' ' || longest_run(id)"
                                        " from (values %s) t(id)", sets[i].ids);
        auto_free char *want = xasprintf("%s %s", sets[i].distinct, sets[i].run);
        check(sql, want);
    }
    check("select distinct_ids(id) || ' ' || longest_run(id) || ' ' || (heaviest_ids(id, 1) is null)"
          " from (select 1 as id where false)", "0 0 true");
}

static const struct {
    const char *rows, *want;
} sums[] = {
    {"(1, 5), (2, 7), (1, 1)", "[2]"},
    {"(1, 5), (2, 7), (1, 2)", "[1, 2]"},
    {"(9, 0), (3, 0), (4, -1)", "[3, 9]"},
    {"(9, null), (null, 8), (4, -1)", "[4]"},
    {"(0, 1), (2147483647, 1)", "[0, 2147483647]"},
    {"(null, 8)", ""},
};

static void the_heaviest_are_found_with_ties(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        auto_free char *sql = xasprintf("select coalesce(heaviest_ids(id, w)::varchar, '')"
                                        " from (values %s) t(id, w)", sums[i].rows);
        check(sql, sums[i].want);
    }
}

/* Many groups over both threads, against what DuckDB itself says. */
static void groups_agree_with_duckdb(void **state)
{
    check("with rows as (select (hash(i) % 50)::integer as g,"
          "   (hash(i + 1) % (1 + 40 * (hash(i) % 50)))::integer as id, (hash(i + 2) % 1000)::bigint as w"
          "   from range(300000) t(i)),"
          " own as (select g, distinct_ids(id) as n, heaviest_ids(id, w) as top,"
          "   longest_run(id) as run from rows group by g),"
          " summed as (select g, id, sum(w) as w from rows group by all),"
          " told as (select g, count(distinct id) as n from rows group by g),"
          " tops as (select g, list(id order by id) as top from (select *, max(w) over"
          "   (partition by g) as most from summed) where w = most group by g),"
          " runs as (select g, max(n) as run from (select g, count(*) as n from (select g, id,"
          "   id - row_number() over (partition by g order by id) as island from summed)"
          "   group by g, island) group by g)"
          " select count(*) || ' ' || count(*) filter (own.n = told.n and own.top = tops.top and"
          "   own.run = runs.run) from own join told using (g) join tops using (g)"
          "   join runs using (g)", "50 50");
}

static void a_negative_id_is_refused(void **state)
{
    auto_cursor struct cursor r;
    struct error err = {0};
    assert_int_not_equal(cursor_open(conn, "select distinct_ids(-1)", NULL, 0, &r, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "negative"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_counted_and_runs_found),
        cmocka_unit_test(the_heaviest_are_found_with_ties),
        cmocka_unit_test(groups_agree_with_duckdb),
        cmocka_unit_test(a_negative_id_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
