#include "../test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sources/alive.h"

static void what_was_written_is_read(void **state)
{
    char path[] = "/tmp/alive-XXXXXX";
    close(mkstemp(path));
    static const struct alive_entry written[] = {
        {"plex-1", INT64_C(1700000000123456)},
        {"jellyfin-1", INT64_C(1700000000000001)},
        {"emby-12", 1},
    };
    struct alive_entry read[4];
    assert_true(alive_write(path, written, 3));
    assert_int_equal(alive_read(path, read, 4), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(read[i].key, written[i].key);
        assert_true(read[i].until_us == written[i].until_us);
    }
    assert_int_equal(alive_read(path, read, 2), 2);
    assert_true(alive_write(path, written, 1));
    assert_int_equal(alive_read(path, read, 4), 1);
    unlink(path);
    assert_int_equal(alive_read(path, read, 4), 0);
}

static void what_makes_no_sense_is_left_out(void **state)
{
    char path[] = "/tmp/alive-XXXXXX";
    int fd = mkstemp(path);
    char line[128];
    static const char *const bad[] = {"", "\n\n", "plex-1 17\n", "\xff\x00\x01"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
    snprintf(line, sizeof line, "\n%-63s %016d\n", "plex-1", 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    snprintf(line, sizeof line, "%-63s %.15dx\n", "plex-1", 17);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    snprintf(line, sizeof line, "%-63s %016d\n", "plex-2", 17);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    close(fd);
    struct alive_entry read[4];
    assert_int_equal(alive_read(path, read, 4), 1);
    assert_string_equal(read[0].key, "plex-2");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_makes_no_sense_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
