/* Tokens at rest. */
#include "../test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "servers/seal.h"

static char folder[] = "/tmp/seal-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/secret.key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(path);
    return rmdir(folder);
}

static void what_is_sealed_opens_for_its_owner_only(void **state)
{
    struct seal_key k, other;
    struct error err;
    assert_int_equal(seal_key_load("0123456789012345678901234567890123456789", "/nowhere", false, &k, &err),
                     STATUS_OK);
    assert_int_equal(seal_key_load("0123456789012345678901234567890123456780", "/nowhere", false, &other,
                                   &err), STATUS_OK);
    static const char *const texts[] = {"", "a", "a token with \xc3\xa9", "01234567890123456789012345678901"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        auto_buf struct buf box = {0}, again = {0};
        seal(&k, "plex-1", texts[i], &box);
        seal(&k, "plex-1", texts[i], &again);
        assert_true(box.len != again.len || memcmp(box.data, again.data, box.len) != 0);
        if (strlen(texts[i]) > 8) /* a shorter one may be there by chance */
            assert_null(memmem(box.data, box.len, texts[i], strlen(texts[i])));
        auto_free char *opened = seal_open(&k, "plex-1", box.data, box.len);
        assert_string_equal(opened, texts[i]);
        assert_null(seal_open(&k, "plex-2", box.data, box.len));
        assert_null(seal_open(&k, "plex-", box.data, box.len));
        assert_null(seal_open(&other, "plex-1", box.data, box.len));
        assert_null(seal_open(&(struct seal_key){0}, "plex-1", box.data, box.len));
        for (size_t n = 0; n < box.len; n++)
            assert_null(seal_open(&k, "plex-1", box.data, n));
        for (size_t n = 0; n < box.len; n++) {
            box.data[n] ^= 1;
            assert_null(seal_open(&k, "plex-1", box.data, box.len));
            box.data[n] ^= 1;
        }
    }
}

static void the_key_is_made_once_and_is_ours_alone(void **state)
{
    struct seal_key k, same;
    struct error err;
    struct stat st;
    assert_int_equal(seal_key_load("", path, false, &k, &err), STATUS_OK);
    assert_false(k.is_there);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(seal_key_load("", path, true, &k, &err), STATUS_OK);
    assert_true(k.is_there);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(seal_key_load("", path, true, &same, &err), STATUS_OK);
    assert_memory_equal(k.bytes, same.bytes, sizeof k.bytes);
}

static void a_file_that_holds_no_key_is_a_fault_and_stays(void **state)
{
    struct seal_key k;
    struct error err;
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "short\n", 6), 6);
    assert_int_equal(seal_key_load("", path, true, &k, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "holds no key; put the file back"));
    assert_null(strstr(err.text, "short"));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_for_its_owner_only),
        cmocka_unit_test(the_key_is_made_once_and_is_ours_alone),
        cmocka_unit_test(a_file_that_holds_no_key_is_a_fault_and_stays),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
