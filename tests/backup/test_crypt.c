#include "helpers.h"

#include <fcntl.h>

#include "backup/crypt.h"
#include "backup/pack.h"

static const struct crypt_cost cheap = {.passes = 1, .memory_kib = 8};
#define PHRASE "seven wet otters"

static char path[96];

/* Seals so many bytes, written in pieces of `step`. */
static void seal(size_t len, size_t step)
{
    snprintf(path, sizeof path, "%s/sealed", root);
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    auto_free unsigned char *data = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)(i * 7);
    struct crypt_writer *w = NULL;
    OK(crypt_writer_new(fd, path, PHRASE, &cheap, &w, &err));
    for (size_t at = 0; at < len; at += step)
        OK(crypt_write(w, data + at, len - at < step ? len - at : step, &err));
    OK(crypt_writer_end(w, &err));
    crypt_writer_free(w);
}

/* How many bytes come out, which are the right ones. */
static enum status open_sealed(const char *passphrase, size_t *ret, struct error *why)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct crypt_reader *r = NULL;
    *ret = 0;
    assert_true(crypt_is_sealed(fd));
    enum status s = crypt_reader_new(fd, path, passphrase, &r, why);
    const void *piece;
    size_t len = 1;
    while (s == STATUS_OK && len) {
        s = crypt_read(r, &piece, &len, why);
        for (size_t i = 0; s == STATUS_OK && i < len; i++)
            assert_int_equal(((const unsigned char *)piece)[i], (unsigned char)((*ret + i) * 7));
        *ret += s == STATUS_OK ? len : 0;
    }
    crypt_reader_free(r);
    return s;
}

static void what_is_sealed_comes_back_whatever_its_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, CRYPT_PIECE - 1, CRYPT_PIECE, CRYPT_PIECE + 1,
                                   3 * CRYPT_PIECE, 3 * CRYPT_PIECE + 17};
    static const size_t steps[] = {1000, CRYPT_PIECE, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            size_t len;
            seal(sizes[i], steps[k]);
            OK(open_sealed(PHRASE, &len, &err));
            assert_int_equal(len, sizes[i]);
        }
}

static void a_wrong_passphrase_is_told_from_damage(void **state)
{
    (void)state;
    size_t len;
    seal(1000, 1000);
    static const char *const wrong[] = {"seven wet otter", "Seven wet otters", "qqq"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(open_sealed(wrong[i], &len, &err), STATUS_DENIED);
        assert_non_null(strstr(err.text, "not the passphrase"));
        assert_null(strstr(err.text, wrong[i]));
    }
    assert_int_equal(open_sealed("", &len, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "its passphrase is needed"));
    assert_int_equal(open_sealed(NULL, &len, &err), STATUS_DENIED);
}

static void change(off_t at, unsigned char with)
{
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= with;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void wherever_a_bit_is_changed_it_is_damaged(void **state)
{
    (void)state;
    size_t len;
    seal(2 * CRYPT_PIECE + 100, 5000);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 16; at < st.st_size; at += at < CRYPT_HEAD ? 1 : 977) {
        change(at, 0x20);
        assert_int_equal(open_sealed(PHRASE, &len, &err), STATUS_INVALID);
        if (!strstr(err.text, "is damaged"))
            fail_msg("byte %lld: %s", (long long)at, err.text);
        change(at, 0x20);
    }
    OK(open_sealed(PHRASE, &len, &err));
}

static void wherever_it_is_cut_it_is_cut_short(void **state)
{
    (void)state;
    size_t len;
    seal(2 * CRYPT_PIECE, 5000); /* the last piece is a full one */
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    auto_free char *whole = xmalloc((size_t)st.st_size);
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, whole, (size_t)st.st_size, 0), st.st_size);
    const off_t ends[] = {16, 50, CRYPT_HEAD - 1, CRYPT_HEAD, CRYPT_HEAD + 5, CRYPT_HEAD + CRYPT_PIECE,
                          CRYPT_HEAD + CRYPT_PIECE + 17, st.st_size - 1};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        assert_int_equal(ftruncate(fd, ends[i]), 0);
        assert_int_equal(open_sealed(PHRASE, &len, &err), STATUS_INVALID);
        if (!strstr(err.text, "cut short"))
            fail_msg("at %lld: %s", (long long)ends[i], err.text);
        assert_int_equal(pwrite(fd, whole, (size_t)st.st_size, 0), st.st_size);
    }
    assert_int_equal(pwrite(fd, "x", 1, st.st_size), 1);
    assert_int_equal(open_sealed(PHRASE, &len, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "something follows its end"));
}

/* Pieces in another order, or of another file, are no pieces of this one. */
static void pieces_cannot_be_moved(void **state)
{
    (void)state;
    enum { SEALED = CRYPT_PIECE + 17 };
    size_t len;
    seal(3 * CRYPT_PIECE, 5000);
    auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
    auto_free char *a = xmalloc(SEALED), *b = xmalloc(SEALED);
    assert_int_equal(pread(fd, a, SEALED, CRYPT_HEAD), SEALED);
    assert_int_equal(pread(fd, b, SEALED, CRYPT_HEAD + SEALED), SEALED);
    assert_int_equal(pwrite(fd, b, SEALED, CRYPT_HEAD), SEALED);
    assert_int_equal(pwrite(fd, a, SEALED, CRYPT_HEAD + SEALED), SEALED);
    assert_int_equal(open_sealed(PHRASE, &len, &err), STATUS_INVALID);
    assert_int_equal(len, 0);
}

static void archives_of_each_kind_are_opened_by_what_they_are(void **state)
{
    (void)state;
    static const struct {
        struct pack_form form;
        const char *ending;
    } rows[] = {{{false, NULL}, ".tar.gz"}, {{true, ""}, ".tar.zst"}, {{false, PHRASE}, ".tar.gz.enc"},
                {{true, PHRASE}, ".tar.zst.enc"}};
    struct world w;
    world_open(&w, "kinds", 300);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct backup_config c = config_of(&w);
        char name[BACKUP_NAME_MAX];
        auto_manifest struct manifest made = {0}, read = {0}, seen = {0};
        c.form = rows[i].form;
        OK(backup_make(&c, name, &made, &err));
        assert_non_null(strstr(name, rows[i].ending));
        assert_true(backup_is_name(name, NULL));
        auto_free char *file = xasprintf("%s/%s", w.backups, name);
        auto_free char *other = xasprintf("%s/renamed-%zu", root, i);
        assert_int_equal(rename(file, other), 0);
        struct pack_source from = {.file = other, .passphrase = PHRASE};
        OK(backup_verify(&from, root, &read, &err));
        OK(pack_look(&from, &seen, &err));
        assert_int_equal(manifest_rows(&seen, "play"), 300);
        from.passphrase = NULL;
        auto_manifest struct manifest again = {0};
        enum status s = pack_look(&from, &again, &err);
        assert_int_equal(s, rows[i].form.passphrase && *rows[i].form.passphrase ? STATUS_DENIED
                                                                               : STATUS_OK);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back_whatever_its_size),
        cmocka_unit_test(a_wrong_passphrase_is_told_from_damage),
        cmocka_unit_test(wherever_a_bit_is_changed_it_is_damaged),
        cmocka_unit_test(wherever_it_is_cut_it_is_cut_short),
        cmocka_unit_test(pieces_cannot_be_moved),
        cmocka_unit_test(archives_of_each_kind_are_opened_by_what_they_are),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
