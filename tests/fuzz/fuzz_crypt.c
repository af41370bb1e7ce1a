/*
 * A sealed file from somebody. "R": the rest is the file. "H": the rest is written over the head of a
 * right one, whose sum is put right. Else one of known content is made, and the rest says, four bytes
 * each, which byte of it is changed and how, or where it is cut. Whatever it is: what comes out is the
 * beginning of what was sealed, and only an unchanged one comes to its end.
 */
#include "fuzz.h"

#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backup/crypt.h"

enum { LEN = CRYPT_PIECE + 1000, SUM_AT = 85, SUM = 16, FILE_MAX = CRYPT_HEAD + LEN + 2 * 17 };
#define PHRASE "seven wet otters"
static const struct crypt_cost cheap = {.passes = 1, .memory_kib = 8};
static unsigned char whole[FILE_MAX];
static size_t whole_len;

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 >> 3);
}

static void start(void)
{
    auto_fd int fd = memfd_create("sealed", MFD_CLOEXEC);
    struct crypt_writer *w = NULL;
    CHECK(crypt_writer_new(fd, "sealed", PHRASE, &cheap, &w, NULL) == STATUS_OK);
    for (size_t i = 0; i < LEN; i++) {
        unsigned char b = byte_at(i);
        CHECK(crypt_write(w, &b, 1, NULL) == STATUS_OK);
    }
    CHECK(crypt_writer_end(w, NULL) == STATUS_OK);
    crypt_writer_free(w);
    ssize_t n = pread(fd, whole, sizeof whole, 0);
    CHECK(n == FILE_MAX);
    whole_len = (size_t)n;
}

/* True: it was read to its end. */
static bool try_file(const unsigned char *data, size_t len)
{
    auto_fd int fd = memfd_create("sealed", MFD_CLOEXEC);
    CHECK(write(fd, data, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    struct crypt_reader *r = NULL;
    struct error err = {0};
    (void)crypt_is_sealed(fd);
    enum status s = crypt_reader_new(fd, "sealed", PHRASE, &r, &err);
    const void *piece;
    size_t n = 1, done = 0;
    while (s == STATUS_OK && n) {
        s = crypt_read(r, &piece, &n, &err);
        for (size_t i = 0; s == STATUS_OK && i < n; i++)
            CHECK(((const unsigned char *)piece)[i] == byte_at(done + i));
        done += s == STATUS_OK ? n : 0;
    }
    crypt_reader_free(r);
    CHECK(s != STATUS_OK || done == LEN);
    CHECK(s == STATUS_OK || *err.text);
    return s == STATUS_OK;
}

static void try_head(struct str with)
{
    unsigned char data[FILE_MAX];
    memcpy(data, whole, whole_len);
    memcpy(data, with.ptr, with.len < SUM_AT ? with.len : SUM_AT);
    /* What it costs is within what is allowed, but not more than a try may take. */
    data[20] &= 3, data[21] = data[22] = data[23] = 0;
    data[25] = data[26] = data[27] = 0;
    crypto_generichash(data + SUM_AT, SUM, data, SUM_AT, NULL, 0);
    bool is_same = memcmp(data, whole, CRYPT_HEAD) == 0;
    CHECK(try_file(data, whole_len) == is_same);
}

static void try_changes(struct str with)
{
    unsigned char data[FILE_MAX];
    size_t len = whole_len;
    memcpy(data, whole, whole_len);
    for (; with.len >= 4; with.ptr += 4, with.len -= 4) {
        const unsigned char *w = (const unsigned char *)with.ptr;
        size_t at = ((size_t)w[0] << 16 | (size_t)w[1] << 8 | w[2]) % whole_len;
        if (w[3])
            data[at] ^= w[3];
        else
            len = at < len ? at : len;
    }
    /* A changed cost would be paid before the sum is seen to be wrong, if it were not checked first. */
    bool is_same = len == whole_len && memcmp(data, whole, len) == 0;
    CHECK(try_file(data, len) == is_same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = input_of(data, size);
    if (!whole_len)
        start();
    struct str rest = {input.ptr + (size ? 1 : 0), size ? size - 1 : 0};
    if (size && *input.ptr == 'R')
        CHECK(!try_file((const unsigned char *)rest.ptr, rest.len));
    else if (size && *input.ptr == 'H')
        try_head(rest);
    else
        try_changes(rest);
    return 0;
}
