#include "helpers.h"

#include <dirent.h>

#include "backup/restore.h"

static struct world world;
static char *backup; /* with 500 plays */

static int set_up_backup(void **state)
{
    if (set_up(state) != 0)
        return -1;
    world_open(&world, "source", 500);
    backup = make_backup(&world);
    world_close(&world);
    return 0;
}

static int tear_down_backup(void **state)
{
    free(backup);
    return tear_down(state);
}

/* A data folder as a killed server leaves it: 7 plays, a write-ahead log beside each file. */
static char *old_data(const char *name)
{
    struct world w;
    world_open(&w, name, 7);
    world_close(&w);
    static const char *const beside[] = {"log.sqlite-wal", "cartographus.sqlite-shm", "client-id"};
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        auto_free char *path = xasprintf("%s/%s", w.data, beside[i]);
        write_text(path, "old");
    }
    auto_free char *imports = xasprintf("%s/imports", w.data);
    mkdir(imports, 0700);
    return xstrdup(w.data);
}

static enum status restore(const char *file, const char *data, bool is_demo, char **ret_aside,
                           struct error *why)
{
    struct pack_source from = {.file = file};
    struct restored r = {0};
    TRY(restore_file(&from, data, is_demo, &r, why));
    *ret_aside = steal_ptr(&r.aside);
    return STATUS_OK;
}

static void what_was_there_is_put_aside_and_comes_back(void **state)
{
    (void)state;
    auto_free char *data = old_data("back"), *aside = NULL;
    OK(restore(backup, data, false, &aside, &err));
    assert_int_equal(plays_in(data), 500);
    assert_false(is_there(data, "log.sqlite-wal") || is_there(data, "client-id"));
    assert_int_equal(plays_in(aside), 7);
    assert_true(is_there(aside, "log.sqlite-wal") && is_there(aside, "cartographus.sqlite-shm"));
    assert_true(is_there(aside, "imports") && !is_there(data, "imports"));

    struct restored r = {0};
    OK(restore_undo(data, &r, &err));
    assert_int_equal(plays_in(data), 7);
    assert_true(is_there(data, "log.sqlite-wal") && is_there(data, "client-id"));
    assert_true(is_there(data, "imports"));
    assert_int_equal(plays_in(r.aside), 500);
    restored_done(&r);
}

static void an_empty_folder_has_nothing_to_put_aside(void **state)
{
    (void)state;
    auto_free char *data = xasprintf("%s/empty", root), *aside = NULL;
    mkdir(data, 0700);
    OK(restore(backup, data, false, &aside, &err));
    assert_null(aside);
    assert_int_equal(plays_in(data), 500);
    struct restored r = {0};
    assert_int_equal(restore_undo(data, &r, &err), STATUS_NOT_FOUND);
    assert_int_equal(plays_in(data), 500);
}

static size_t entries(const char *folder)
{
    DIR *d = opendir(folder);
    size_t n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static void what_is_refused_changes_nothing(void **state)
{
    (void)state;
    auto_free char *data = old_data("refused"), *aside = NULL;
    auto_free char *foreign = xasprintf("%s/foreign", root);
    write_text(foreign, "this is no archive");
    size_t before = entries(data);
    assert_int_equal(restore(foreign, data, false, &aside, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, foreign));
    assert_int_equal(restore("/nowhere.tar.gz", data, false, &aside, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "/nowhere.tar.gz"));
    assert_int_equal(restore(backup, data, true, &aside, &err), STATUS_CONFLICT);
    assert_non_null(strstr(err.text, "does not go into a demo's folder"));
    assert_int_equal(entries(data), before);
    assert_int_equal(plays_in(data), 7);
}

/* --- kills ------------------------------------------------------------------------------------- */

#define STAMP "20260101-000000"

static void move(const char *from, const char *to, const char *name)
{
    auto_free char *a = xasprintf("%s/%s", from, name), *b = xasprintf("%s/%s", to, name);
    assert_int_equal(rename(a, b), 0);
}

/* Cut short after so many of the moves that a restore makes; what is new is in a folder that is
 * named by how far it is. */
static void killed_after(const char *data, size_t moves)
{
    static const char *const names[] = {"cartographus.duckdb", "cartographus.sqlite", "log.sqlite",
                                        "log.sqlite-wal", "cartographus.sqlite-shm", "client-id"};
    static const char *const fresh[] = {"cartographus.duckdb", "cartographus.sqlite", "log.sqlite"};
    auto_free char *ready = xasprintf("%s/restore-ready-" STAMP, data);
    auto_free char *placing = xasprintf("%s/restore-placing-" STAMP, data);
    auto_free char *aside = xasprintf("%s/before-restore-" STAMP, data), *none = NULL;
    OK(restore(backup, ready, false, &none, &err)); /* unpacked there */
    mkdir(aside, 0700);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (moves-- > 0)
            move(data, aside, names[i]);
        else
            return;
    if (moves-- == 0)
        return;
    assert_int_equal(rename(ready, placing), 0);
    for (size_t i = 0; i < ARRAY_LEN(fresh); i++)
        if (moves-- > 0)
            move(placing, data, fresh[i]);
        else
            return;
}

static void wherever_it_is_killed_the_next_start_ends_it(void **state)
{
    (void)state;
    for (size_t moves = 0; moves <= 10; moves++) {
        auto_free char *name = xasprintf("killed-%zu", moves), *data = old_data(name);
        auto_free char *ready = xasprintf("%s/restore-ready-" STAMP, data);
        auto_free char *aside = xasprintf("%s/before-restore-" STAMP, data);
        mkdir(ready, 0700);
        killed_after(data, moves);
        OK(restore_finish(data, &err));
        assert_int_equal(plays_in(data), 500);
        assert_int_equal(plays_in(aside), 7);
        assert_true(is_there(aside, "log.sqlite-wal") && !is_there(data, "log.sqlite-wal"));
        assert_false(is_there(data, "restore-ready-" STAMP));
        assert_false(is_there(data, "restore-placing-" STAMP));
    }
}

static void one_that_was_killed_before_it_moved_anything_is_swept(void **state)
{
    (void)state;
    auto_free char *data = old_data("swept"), *work = xasprintf("%s/.work-abcdef", data);
    auto_free char *part = xasprintf("%s/cartographus.duckdb", work);
    mkdir(work, 0700);
    write_text(part, "half");
    OK(restore_finish(data, &err));
    assert_false(is_there(data, ".work-abcdef"));
    assert_int_equal(plays_in(data), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_is_put_aside_and_comes_back),
        cmocka_unit_test(an_empty_folder_has_nothing_to_put_aside),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(wherever_it_is_killed_the_next_start_ends_it),
        cmocka_unit_test(one_that_was_killed_before_it_moved_anything_is_swept),
    };
    return cmocka_run_group_tests(tests, set_up_backup, tear_down_backup);
}
