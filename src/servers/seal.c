#include "servers/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

enum { FILE_MAX = 4096, TEXT_MAX = 64 * 1024 };

_Static_assert(SEAL_KEY_BYTES == crypto_secretbox_KEYBYTES, "a key of secretbox");

static void key_from(struct str secret, struct seal_key *ret)
{
    crypto_generichash(ret->bytes, sizeof ret->bytes, (const unsigned char *)secret.ptr, secret.len,
                       (const unsigned char *)"cartographus seal", sizeof "cartographus seal" - 1);
    ret->is_there = true;
}

/* Whole or not at all, also in a kill; the folder has mode 0700. */
static enum status make_file(const char *path, struct error *err)
{
    unsigned char random[SEAL_KEY_BYTES];
    char text[2 * SEAL_KEY_BYTES + 1];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(text, sizeof text, random, sizeof random);
    sodium_memzero(random, sizeof random);
    auto_free char *fresh = xasprintf("%s.new", path);
    auto_fd int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0 &&
                      rename(fresh, path) == 0;
    int why = errno;
    secret_wipe(text, sizeof text);
    if (!is_written)
        return fail_errno(err, why, "write '%s'", path);
    log_info("servers", "made the key that tokens are sealed with; keep a copy of it apart from the "
                        "backups, which have neither", LF_TEXT("file", path));
    return STATUS_OK;
}

static enum status read_file(const char *path, struct seal_key *ret, struct error *err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? fail(err, STATUS_NOT_FOUND, "there is no '%s'", path)
                               : fail_errno(err, errno, "read '%s'", path);
    char text[FILE_MAX];
    ssize_t n = read(fd, text, sizeof text);
    struct str secret = str_trim((struct str){text, n > 0 ? (size_t)n : 0});
    bool is_key = secret.len >= SEAL_SECRET_LEAST && n < FILE_MAX;
    if (is_key)
        key_from(secret, ret);
    secret_wipe(text, sizeof text);
    return is_key ? STATUS_OK
                  : fail(err, STATUS_INVALID, "'%s' holds no key; put the file back that was there, or "
                                              "remove it, and give the servers' tokens again", path);
}

enum status seal_key_load(const char *secret, const char *path, bool may_make, struct seal_key *ret,
                          struct error *err)
{
    *ret = (struct seal_key){0};
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium does not start");
    if (*secret) {
        key_from(str_of(secret), ret);
        return STATUS_OK;
    }
    struct error why;
    enum status s = read_file(path, ret, &why);
    if (s == STATUS_NOT_FOUND && !may_make)
        return STATUS_OK;
    if (s == STATUS_NOT_FOUND) {
        TRY(make_file(path, err));
        return read_file(path, ret, err);
    }
    return s == STATUS_OK ? s : fail(err, s, "%s", why.text);
}

void seal(const struct seal_key *k, const char *owner, const char *text, struct buf *ret)
{
    unsigned char nonce[crypto_secretbox_NONCEBYTES];
    size_t owner_len = strlen(owner) + 1, len = owner_len + strlen(text);
    auto_free unsigned char *plain = xmalloc(len);
    auto_free unsigned char *box = xmalloc(len + crypto_secretbox_MACBYTES);
    memcpy(plain, owner, owner_len);
    memcpy(plain + owner_len, text, len - owner_len);
    randombytes_buf(nonce, sizeof nonce);
    crypto_secretbox_easy(box, plain, len, nonce, k->bytes);
    secret_wipe(plain, len);
    buf_add(ret, nonce, sizeof nonce);
    buf_add(ret, box, len + crypto_secretbox_MACBYTES);
}

char *seal_open(const struct seal_key *k, const char *owner, const void *sealed, size_t len)
{
    enum { BESIDE = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES };
    const unsigned char *bytes = sealed;
    size_t owner_len = strlen(owner) + 1;
    if (!k->is_there || len < BESIDE + owner_len || len > TEXT_MAX)
        return NULL;
    size_t plain_len = len - BESIDE;
    auto_free unsigned char *plain = xmalloc(plain_len);
    bool is_ours = crypto_secretbox_open_easy(plain, bytes + crypto_secretbox_NONCEBYTES,
                                              len - crypto_secretbox_NONCEBYTES, bytes, k->bytes) == 0 &&
                   memcmp(plain, owner, owner_len) == 0;
    char *text = is_ours ? xstrndup((char *)plain + owner_len, plain_len - owner_len) : NULL;
    secret_wipe(plain, plain_len);
    return text;
}
