#include "../segments_of_plays.h"
#include "../test.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/append.h"
#include "store/cursor.h"
#include "store/migrations.h"
#include "store/store.h"

static char path[80];

static int remove_files(void **state)
{
    (void)state;
    auto_free char *spilled = xasprintf("%s.tmp/*", path), *all = xasprintf("%s*", path);
    const char *const patterns[] = {spilled, all};
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        glob_t found;
        if (glob(patterns[p], 0, NULL, &found) != 0)
            continue;
        for (size_t i = 0; i < found.gl_pathc; i++)
            remove(found.gl_pathv[i]);
        globfree(&found);
    }
    return 0;
}

static int set_up(void **state)
{
    /* The name is in what DuckDB says. */
    snprintf(path, sizeof path, "/tmp/cartographus-WAL-%d.duckdb", getpid());
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
        assert_int_equal(ask(c, "select max(number) from schema_version"), migration_count);
        store_disconnect(c);
        store_close(s);
    }
}

/* A store as the program of that schema left it, empty. */
static void make_older_store(unsigned schema, const char *rows_sql)
{
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    auto_buf struct buf drop = {0};
    auto_cursor struct cursor r = {0};
    assert_int_equal(cursor_open(c, "select table_name from duckdb_tables() where table_name <> 'schema_version'",
                                 NULL, 0, &r, &err), STATUS_OK);
    while (cursor_next(&r)) {
        struct str name = cursor_text(&r, 0);
        buf_printf(&drop, "drop table %.*s;", (int)name.len, name.ptr);
    }
    buf_printf(&drop, "delete from schema_version where number > %u", schema);
    assert_int_equal(store_exec(c, buf_text(&drop), &err), STATUS_OK);
    for (unsigned i = 0; i < schema; i++)
        assert_int_equal(store_exec(c, migrations[i].sql, &err), STATUS_OK);
    if (store_exec(c, rows_sql, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    store_disconnect(c);
    store_close(s);
}

static void segments_of_an_older_store_get_what_their_plays_have(void **state)
{
    (void)state;
    make_older_store(5,
        "insert into title (title_id, media_type) values (1, 'movie'), (2, 'clip'), (3, null);"
        "insert into play (play_id, kind, server_id, account_id, title_id, media_type, started, segments,"
        " is_short, is_hidden, hidden_by) values"
        " (1, 'play', 1, 1, 1, 'movie', '2026-01-01 10:00', 2, false, false, null),"
        " (3, 'play', 1, 1, 1, 'movie', '2026-01-02 10:00', 1, true, true, 'deleted'),"
        " (4, 'extra', 1, 2, 2, 'clip', '2026-01-03 10:00', 1, false, true, 'superseded'),"
        " (5, 'play', 1, 2, 3, null, '2026-01-04 10:00', 1, false, false, null),"
        " (6, 'view', 1, 2, 1, 'movie', '2026-01-05 10:00', 0, false, false, null);"
        "insert into segment (segment_id, play_id, server_id, account_id, title_id, started)"
        " select s, p, 1, case when p < 4 then 1 else 2 end, t, d from (values (1, 1, 1, '2026-01-01 10:00'),"
        " (2, 1, 1, '2026-01-01 12:00'), (3, 3, 1, '2026-01-02 10:00'), (4, 4, 2, '2026-01-03 10:00'),"
        " (5, 5, 3, '2026-01-04 10:00')) v(s, p, t, d)");
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_equal(ask(c, "select max(number) from schema_version"), migration_count);
    assert_int_equal(ask(c, "select count(*) from segment"), 5);
    assert_int_equal(ask(c, SEGMENTS_UNLIKE_PLAYS), 0);
    assert_int_equal(ask(c, "select count(*) from segment where is_alone"), 3);
    assert_int_equal(ask(c, "select count(*) from segment where play_started < started"), 1);
    store_disconnect(c);
    store_close(s);
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

static enum status appends_for_ever(void *ctx, struct store_conn *c, struct error *err)
{
    (void)ctx;
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "setting", &a, err));
    static char text[4001];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 100000; i++) {
        text[snprintf(text, sizeof text, "%d", i)] = 'x'; /* all of them long, no two the same */
        append_text(a, text);
        append_text(a, text);
        TRY(append_row(a, err));
        if (i % 1000 == 0)
            TRY(append_flush(a, err));
    }
    return fail(err, STATUS_INTERNAL, "memory has no end");
}

/* What an append says when memory is gone: else a record would be blamed for it and left out. */
static void an_append_without_memory_is_no_fault_of_its_rows(void **state)
{
    struct store_config config = {.path = path, .max_memory = "16MB", .temp_path = "", .threads = 1};
    struct store *s = NULL;
    struct store_conn *c;
    struct error err;
    assert_int_equal(store_open(&config, &s, NULL, &err), STATUS_OK);
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    enum status got = store_transaction(c, appends_for_ever, NULL, &err);
    if (got != STATUS_NOMEM)
        fail_msg("%s", err.text);
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

/* --- the write-ahead log ----------------------------------------------------------------------- */

static char *wal_path(void)
{
    return xasprintf("%s.wal", path);
}

static struct buf read_file(const char *name)
{
    struct buf bytes = BUF_INIT(64u << 20);
    char piece[65536];
    auto_file FILE *f = fopen(name, "re");
    assert_non_null(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f));)
        buf_add(&bytes, piece, n);
    return bytes;
}

static void write_file(const char *name, const struct buf *bytes)
{
    auto_file FILE *f = fopen(name, "we");
    assert_int_equal(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
    fflush(f);
}

/* What a crash leaves: the file and its WAL, which holds that many rows. */
static void crash(int rows)
{
    struct error err;
    int64_t position;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    auto_free char *wal = wal_path();
    auto_free char *insert = xasprintf("set wal_autocheckpoint = '1GB'; insert into setting select"
                                       " range, repeat(md5(range::varchar), 10) from range(%d)",
                                       rows);
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_equal(store_checkpoint(c, &position, &err), STATUS_OK);
    assert_int_equal(store_exec(c, insert, &err), STATUS_OK);
    auto_buf struct buf file_bytes = read_file(path), wal_bytes = read_file(wal);
    assert_true(wal_bytes.len > 1000);
    store_disconnect(c);
    store_close(s);
    write_file(path, &file_bytes);
    write_file(wal, &wal_bytes);
}

static void change_wal(size_t at_of_1000)
{
    auto_free char *wal = wal_path();
    auto_buf struct buf bytes = read_file(wal);
    char *byte = &bytes.data[bytes.len * at_of_1000 / 1000];
    *byte = (char)(*byte ^ 0x5a);
    write_file(wal, &bytes);
}

static void a_damaged_wal_is_set_aside(void **state)
{
    (void)state;
    static const size_t places[] = {100, 500, 900};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct error err;
        bool was_damaged = false;
        remove_files(NULL);
        crash(50);
        change_wal(places[i]);
        struct store *s = open_store(&was_damaged);
        struct store_conn *c;
        assert_true(was_damaged);
        assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
        assert_int_equal(ask(c, "select count(*) from setting"), 0);
        store_disconnect(c);
        store_close(s);
        auto_free char *aside = xasprintf("%s.wal.damaged-*", path);
        glob_t found;
        assert_int_equal(glob(aside, 0, NULL, &found), 0);
        globfree(&found);
    }
}

static void take_right_away(void)
{
    auto_free char *wal = wal_path();
    chmod(path, 0666);
    chmod(wal, 0);
    if (geteuid() == 0) /* who may read everything */
        assert_int_equal(seteuid(65534), 0);
}

static void give_right_back(void)
{
    auto_free char *wal = wal_path();
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    chmod(wal, 0600);
}

static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void fill_disk(void)
{
    limit_files_to(4096);
}

static void empty_disk(void)
{
    limit_files_to(RLIM_INFINITY);
}

static void nothing(void)
{
}

/* It holds what the log may not hold any more: an import. */
static void a_good_wal_that_cannot_be_replayed_now_stays(void **state)
{
    (void)state;
    static const struct {
        const char *name, *max_memory, *spilled_to, *says;
        int rows;
        void (*begin)(void), (*end)(void);
    } days[] = {
        {"no memory", "4MB", "", "Out of Memory", 50000, nothing, nothing},
        {"no disk", "4MB", NULL, "Could not write", 50000, fill_disk, empty_disk},
        {"no right", "256MB", NULL, "Permission denied", 50, take_right_away, give_right_back},
    };
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        print_message("  %s\n", days[i].name);
        struct error err = {0};
        struct store *s = NULL;
        bool was_damaged = false;
        remove_files(NULL);
        crash(days[i].rows);
        struct store_config config = {.path = path, .max_memory = days[i].max_memory,
                                      .temp_path = days[i].spilled_to, .threads = 1};
        days[i].begin();
        enum status got = store_open(&config, &s, &was_damaged, &err);
        days[i].end();
        assert_int_not_equal(got, STATUS_OK);
        assert_false(was_damaged);
        if (!strstr(err.text, days[i].says) || !strstr(err.text, "WAL"))
            fail_msg("it says: %s", err.text);
        s = open_store(&was_damaged);
        struct store_conn *c;
        assert_false(was_damaged);
        assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
        assert_int_equal(ask(c, "select count(*) from setting"), days[i].rows);
        store_disconnect(c);
        store_close(s);
    }
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

static const char read_bytes[] =
    "select memory_usage_bytes from duckdb_memory() where tag = 'BASE_TABLE'";

static void trimming_gives_back_what_was_read_and_leaves_the_limit(void **state)
{
    (void)state;
    struct error err;
    struct store *s = open_store(NULL);
    struct store_conn *c;
    assert_int_equal(store_connect(s, &c, &err), STATUS_OK);
    assert_int_equal(store_exec(c, "create table many as select hash(n) a, hash(n, 1) b"
                                   " from range(2000000) r(n); checkpoint", &err), STATUS_OK);
    assert_true(ask(c, "select count(*) from many where a > b") > 0);
    assert_true(ask(c, read_bytes) > 20 * 1000 * 1000);
    int64_t limit = ask(c, "select (hash(current_setting('memory_limit')) // 2)::bigint");
    assert_int_equal(store_exec(c, "begin; insert into many values (1, 2)", &err), STATUS_OK);
    assert_int_equal(store_trim(c, &err), STATUS_OK);
    assert_true(ask(c, read_bytes) < 10 * 1000 * 1000);
    assert_int_equal(ask(c, "select (hash(current_setting('memory_limit')) // 2)::bigint"), limit);
    assert_int_equal(store_exec(c, "commit", &err), STATUS_OK);
    assert_int_equal(ask(c, "select count(*) from many"), 2000001);
    store_disconnect(c);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_store_has_the_schema_and_keeps_it, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_failed_transaction_leaves_nothing, set_up, remove_files),
        cmocka_unit_test_setup_teardown(an_append_without_memory_is_no_fault_of_its_rows, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(values_are_bound_never_pasted, set_up, remove_files),
        cmocka_unit_test_setup_teardown(values_are_bound_by_name_and_none_may_be_missing, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_damaged_wal_is_set_aside, set_up, remove_files),
        cmocka_unit_test_setup_teardown(a_good_wal_that_cannot_be_replayed_now_stays, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_store_is_refused, set_up, remove_files),
        cmocka_unit_test_setup_teardown(segments_of_an_older_store_get_what_their_plays_have, set_up,
                                        remove_files),
        cmocka_unit_test_setup_teardown(a_store_of_a_newer_version_is_refused, set_up, remove_files),
        cmocka_unit_test_setup_teardown(trimming_gives_back_what_was_read_and_leaves_the_limit,
                                        set_up, remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
