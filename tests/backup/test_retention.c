#include "helpers.h"

#include "backup/retention.h"

/* Backups by days before the newest, newest first. */
static size_t world_of(const double *days, size_t count, struct backup_entry *ret)
{
    int64_t newest;
    assert_true(time_parse(STR("2026-03-04T12:00:00Z"), &newest)); /* a Wednesday */
    for (size_t i = 0; i < count; i++)
        ret[i] = (struct backup_entry){.made_us = newest - (int64_t)(days[i] * (double)US_PER_DAY)};
    return count;
}

static void the_newest_and_one_of_each_span_are_kept(void **state)
{
    (void)state;
    /* 0 to 2: Wednesday to Monday; 3 Sunday; 4.6 Friday's night; 31: 1 February; 32: 31 January. */
    static const double days[] = {0, 0.1, 0.4, 1, 1.3, 2, 3, 4, 5, 10, 31, 32, 33, 60};
    static const struct {
        struct retention r;
        const char *kept;
    } rows[] = {
        {{1, 0, 0, 0}, "x............."},
        {{0, 0, 0, 0}, "x............."},
        {{3, 0, 0, 0}, "xxx..........."},
        {{99, 0, 0, 0}, "xxxxxxxxxxxxxx"},
        {{1, 3, 0, 0}, "x..x.x........"},
        {{1, 0, 3, 0}, "x.....x..x...."},
        {{1, 0, 0, 2}, "x......x......"},
        {{1, 0, 0, 3}, "x......x...x.."},
        {{2, 2, 2, 2}, "xx.x..xx......"},
        {{1, 99, 0, 0}, "x..x.xxxxxxxxx"},
    };
    struct backup_entry list[ARRAY_LEN(days)];
    size_t count = world_of(days, ARRAY_LEN(days), list);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned keep[ARRAY_LEN(days)];
        char text[ARRAY_LEN(days) + 1] = "";
        retention_mark(&rows[i].r, list, count, keep);
        for (size_t k = 0; k < count; k++)
            text[k] = keep[k] ? 'x' : '.';
        if (!streq(text, rows[i].kept))
            fail_msg("row %zu: %s, not %s", i, text, rows[i].kept);
    }
    retention_mark(&rows[0].r, list, 0, NULL);
}

static void only_backups_are_removed(void **state)
{
    (void)state;
    static const char *const names[] = {
        "cartographus-20260304-120000.tar.gz", "cartographus-20260303-120000.tar.gz",
        "cartographus-20260302-120000.tar.gz", "cartographus-20260302.tar.gz", "notes.txt"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *path = xasprintf("%s/%s", root, names[i]);
        write_text(path, "x");
    }
    size_t removed;
    OK(retention_apply(&(struct retention){.newest = 1}, root, &removed, &err));
    assert_int_equal(removed, 2);
    assert_true(is_there(root, names[0]) && is_there(root, names[3]) && is_there(root, names[4]));
    assert_false(is_there(root, names[1]) || is_there(root, names[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_and_one_of_each_span_are_kept),
        cmocka_unit_test_setup_teardown(only_backups_are_removed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
