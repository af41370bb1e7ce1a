#include "helpers.h"

#include <dirent.h>
#include <sys/mount.h>

static void a_backup_has_all_that_was_there_and_nothing_of_what_came_later(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "whole", 5000);
    struct log_record records[] = {{.kind = LOG_COVERAGE, .payload = STR("{}")},
                                   {.kind = LOG_COVERAGE, .payload = STR("{\"a\":1}")}};
    OK(log_append(w.log, records, 2, &err));
    OK(store_exec(w.conn, "update applied set position = 1", &err));
    auto_free char *alive = xasprintf("%s/alive", w.data);
    write_text(alive, "until\n");
    auto_free char *file = make_backup(&w);
    OK(store_exec(w.conn, "delete from play", &err));

    auto_manifest struct manifest m = {0};
    struct pack_source from = {.file = file};
    OK(backup_verify(&from, root, &m, &err));
    assert_int_equal(manifest_rows(&m, "play"), 5000);
    assert_int_equal(m.store.position, 1);
    assert_string_equal(m.version, "1.2.3");
    assert_non_null(manifest_file(&m, "alive"));
    assert_null(manifest_file(&m, "client-id"));
    world_close(&w);
}

static bool stop_at(void *ctx, const char *step)
{
    const char *const *at = ctx;
    return !strstr(step, *at);
}

static size_t entries(const char *folder)
{
    DIR *d = opendir(folder);
    size_t n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static void one_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "stopped", 10);
    static const char *const steps[] = {"copying", "packing", "verifying", "name"};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        const char *at = steps[i];
        struct backup_config c = config_of(&w);
        c.go_on = stop_at;
        c.ctx = &at;
        char name[BACKUP_NAME_MAX];
        struct manifest m;
        assert_int_equal(backup_make(&c, name, &m, &err), STATUS_CANCELLED);
        assert_int_equal(entries(w.backups), 0);
    }
    world_close(&w);
}

static void what_is_in_the_way_is_named_before_anything_is_written(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "way", 10);
    struct backup_config c = config_of(&w);
    auto_free char *file = xasprintf("%s/file", root);
    auto_free char *deep = xasprintf("%s/not/there", root);
    write_text(file, "x");
    c.folder = file;
    assert_int_equal(backup_check(&c, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "BACKUP_DIR: '"));
    assert_non_null(strstr(err.text, "is not a folder"));
    c.folder = deep;
    assert_int_equal(backup_check(&c, &err), STATUS_IO);
    assert_non_null(strstr(err.text, deep));
    c.folder = w.backups;
    auto_free char *huge = xasprintf("%s/cartographus.duckdb.wal", w.data);
    rename(huge, file);
    write_text(huge, "");
    assert_int_equal(truncate(huge, INT64_C(1) << 42), 0);
    assert_int_equal(backup_check(&c, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "not enough room in '"));
    assert_non_null(strstr(err.text, w.backups));
    assert_int_equal(entries(w.backups), 0);
    unlink(huge);
    world_close(&w);
}

static void two_within_a_second_have_two_names(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "two", 10);
    auto_free char *a = make_backup(&w), *b = make_backup(&w);
    assert_string_not_equal(a, b);
    auto_free struct backup_entry *list = NULL;
    size_t count;
    auto_free char *other = xasprintf("%s/cartographus-20260101-00000x.tar.gz", w.backups);
    write_text(other, "");
    OK(backup_list(w.backups, &list, &count, &err));
    assert_int_equal(count, 2);
    assert_non_null(strstr(b, list[0].name));
    assert_non_null(strstr(a, list[1].name));
    OK(backup_remove(w.backups, list[0].name, &err));
    assert_int_equal(backup_remove(w.backups, list[0].name, &err), STATUS_NOT_FOUND);
    assert_int_equal(backup_remove(w.backups, "../two/log.sqlite", &err), STATUS_NOT_FOUND);
    assert_true(is_there(w.data, "log.sqlite"));
    world_close(&w);
}

static void names_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *made; /* NULL: it is none */
    } rows[] = {
        {"cartographus-20260131-235958.tar.gz", "2026-01-31T23:59:58.000Z"},
        {"cartographus-20260131-235958.tar.zst", "2026-01-31T23:59:58.000Z"},
        {"cartographus-20260131-235958.tar.gz.enc", "2026-01-31T23:59:58.000Z"},
        {"cartographus-20260131-235958.tar.zst.enc", "2026-01-31T23:59:58.000Z"},
        {"cartographus-20260131-235958.tar.enc", NULL}, {"cartographus-20260131-235958", NULL},
        {"cartographus-20260231-235958.tar.gz", NULL}, {"cartographus-20260131-245958.tar.gz", NULL},
        {"cartographus-20260131-235958.tar", NULL}, {"cartographus-2026O131-235958.tar.gz", NULL},
        {"cartographus-20260131-235958.tar.gz.x", NULL}, {"", NULL},
        {"Cartographus-20260131-235958.tar.gz", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t us;
        char text[TIME_TEXT_MAX];
        assert_int_equal(backup_is_name(rows[i].name, &us), rows[i].made != NULL);
        if (rows[i].made)
            assert_string_equal(time_format(us, text), rows[i].made);
    }
}

/* A disk of so many KB; false where none can be mounted. */
static bool mount_disk(const char *path, int kilobytes)
{
    auto_free char *size = xasprintf("size=%dk", kilobytes);
    mkdir(path, 0700);
    return mount("tmpfs", path, "tmpfs", 0, size) == 0;
}

/* The check of room is passed by: what fills the disk may come in the middle. */
static void a_disk_that_fills_up_is_an_error_and_the_store_goes_on(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "full", 200000);
    OK(store_exec(w.conn, "checkpoint", &err));
    auto_free char *disk = xasprintf("%s/disk", root);
    auto_free char *to = xasprintf("%s/copy.duckdb", disk);
    static const int sizes[] = {128, 600, 1000, 1200, 1400, 1600};
    size_t failures = 0;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (!mount_disk(disk, sizes[i])) {
            world_close(&w);
            skip();
        }
        struct store_summary s;
        enum status status = store_snapshot(w.conn, to, &s, &err);
        umount(disk);
        if (status == STATUS_OK)
            store_summary_done(&s);
        else
            assert_non_null(strstr(err.text, "No space left"));
        failures += status != STATUS_OK;
        OK(store_exec(w.conn, "insert into play (play_id) values (1); checkpoint", &err));
    }
    assert_true(failures >= 2);
    int64_t rows;
    OK(store_query_int(w.conn, "select count(*) from play", NULL, 0, 0, &rows, &err));
    assert_int_equal(rows, 200000 + ARRAY_LEN(sizes));
    world_close(&w);
}

static bool fill_at_packing(void *ctx, const char *step)
{
    const char *disk = ctx;
    if (!streq(step, "packing"))
        return true;
    auto_free char *path = xasprintf("%s/filler", disk);
    FILE *f = fopen(path, "we");
    static const char piece[4096];
    setvbuf(f, NULL, _IONBF, 0);
    while (fwrite(piece, 1, sizeof piece, f) == sizeof piece) {}
    fclose(f);
    return true;
}

static void a_disk_that_fills_up_while_packing_keeps_what_was_there(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, "packed", 100000);
    auto_free char *disk = xasprintf("%s/disk", root);
    if (!mount_disk(disk, 16 * 1024)) {
        world_close(&w);
        skip();
    }
    struct backup_config c = config_of(&w);
    c.folder = disk;
    char name[BACKUP_NAME_MAX];
    struct manifest m;
    OK(backup_make(&c, name, &m, &err));
    manifest_done(&m);
    auto_free char *first = xasprintf("%s/%s", disk, name);
    c.go_on = fill_at_packing;
    c.ctx = disk;
    enum status s = backup_make(&c, name, &m, &err);
    size_t left = entries(disk);
    bool is_first_whole = access(first, R_OK) == 0;
    umount(disk);
    assert_int_equal(s, STATUS_IO);
    assert_non_null(strstr(err.text, "No space left"));
    assert_non_null(strstr(err.text, disk));
    assert_int_equal(left, 2); /* the first, the filler */
    assert_true(is_first_whole);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_has_all_that_was_there_and_nothing_of_what_came_later),
        cmocka_unit_test(one_that_is_stopped_leaves_nothing),
        cmocka_unit_test(what_is_in_the_way_is_named_before_anything_is_written),
        cmocka_unit_test(two_within_a_second_have_two_names),
        cmocka_unit_test(names_are_read_strictly),
        cmocka_unit_test(a_disk_that_fills_up_while_packing_keeps_what_was_there),
        cmocka_unit_test(a_disk_that_fills_up_is_an_error_and_the_store_goes_on),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
