#include "backup/crypt.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>

#include "backup/files.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

#define MAGIC "CARTOGRAPHUS-ENC"
enum {
    VERSION = 1,
    AT_VERSION = 16,
    AT_PASSES = 20,
    AT_MEMORY = 24,
    AT_SALT = 28,
    AT_STREAM = AT_SALT + crypto_pwhash_SALTBYTES,
    AT_CHECK = AT_STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    MORE = crypto_secretstream_xchacha20poly1305_ABYTES, /* a sealed piece against an open one */
    AT_SUM = AT_CHECK + MORE,
    SUM = 16,
    /* A head comes from outside: no file may ask for more than a small machine has. */
    PASSES_MAX = 10,
    MEMORY_MAX_KIB = 256 * 1024,
};
_Static_assert(AT_SUM + SUM == CRYPT_HEAD, "the layout is as it is written down");
_Static_assert(crypto_pwhash_ALG_DEFAULT == crypto_pwhash_ALG_ARGON2ID13, "argon2id");

/* A tenth of a second or so, and what a NAS has left. */
const struct crypt_cost crypt_cost_usual = {.passes = 3, .memory_kib = 64 * 1024};

static void put_u32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_u32(const unsigned char *at)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)at[i] << (8 * i);
    return v;
}

static void sum_head(const unsigned char *head, unsigned char ret[static SUM])
{
    crypto_generichash(ret, SUM, head, AT_SUM, NULL, 0);
}

enum { KEY = crypto_secretstream_xchacha20poly1305_KEYBYTES };

static enum status find_key(const char *passphrase, const unsigned char *head,
                            unsigned char ret[static KEY], struct error *err)
{
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium cannot be used");
    uint32_t memory_kib = get_u32(head + AT_MEMORY);
    if (crypto_pwhash(ret, KEY, passphrase, strlen(passphrase), head + AT_SALT,
                      get_u32(head + AT_PASSES), (size_t)memory_kib * 1024,
                      crypto_pwhash_ALG_DEFAULT) != 0)
        return fail(err, STATUS_NOMEM, "the key of a passphrase needs %" PRIu32 " KiB of memory",
                    memory_kib);
    return STATUS_OK;
}

/* --- writing ----------------------------------------------------------------------------------- */

struct crypt_writer {
    int fd;
    const char *path;
    crypto_secretstream_xchacha20poly1305_state state;
    size_t len; /* in piece */
    unsigned char piece[CRYPT_PIECE];
    unsigned char sealed[CRYPT_PIECE + MORE];
};

static void make_head(const struct crypt_cost *cost, unsigned char head[static CRYPT_HEAD])
{
    memset(head, 0, CRYPT_HEAD);
    memcpy(head, MAGIC, sizeof MAGIC - 1);
    head[AT_VERSION] = VERSION;
    put_u32(head + AT_PASSES, cost->passes);
    put_u32(head + AT_MEMORY, cost->memory_kib);
    randombytes_buf(head + AT_SALT, crypto_pwhash_SALTBYTES);
}

static enum status begin(struct crypt_writer *w, const char *passphrase,
                         const struct crypt_cost *cost, struct error *err)
{
    unsigned char head[CRYPT_HEAD], key[KEY];
    if (sodium_init() < 0)
        return fail(err, STATUS_INTERNAL, "libsodium cannot be used");
    make_head(cost, head);
    TRY(find_key(passphrase, head, key, err));
    crypto_secretstream_xchacha20poly1305_init_push(&w->state, head + AT_STREAM, key);
    secret_wipe(key, sizeof key);
    crypto_secretstream_xchacha20poly1305_push(&w->state, head + AT_CHECK, NULL, NULL, 0, head,
                                               AT_CHECK, 0);
    sum_head(head, head + AT_SUM);
    return files_write(w->fd, w->path, head, sizeof head, err);
}

enum status crypt_writer_new(int fd, const char *path, const char *passphrase,
                             const struct crypt_cost *cost, struct crypt_writer **ret,
                             struct error *err)
{
    struct crypt_writer *w = xcalloc(1, sizeof *w);
    w->fd = fd;
    w->path = path;
    enum status s = begin(w, passphrase, cost, err);
    if (s == STATUS_OK)
        *ret = w;
    else
        crypt_writer_free(w);
    return s;
}

static enum status seal(struct crypt_writer *w, unsigned char tag, struct error *err)
{
    unsigned long long len;
    crypto_secretstream_xchacha20poly1305_push(&w->state, w->sealed, &len, w->piece, w->len, NULL, 0,
                                               tag);
    w->len = 0;
    return files_write(w->fd, w->path, w->sealed, (size_t)len, err);
}

enum status crypt_write(struct crypt_writer *w, const void *data, size_t len, struct error *err)
{
    const unsigned char *at = data;
    while (len) {
        /* A full piece goes when more comes: so the last one is never a full one too early. */
        if (w->len == CRYPT_PIECE)
            TRY(seal(w, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE, err));
        size_t n = CRYPT_PIECE - w->len < len ? CRYPT_PIECE - w->len : len;
        memcpy(w->piece + w->len, at, n);
        w->len += n;
        at += n;
        len -= n;
    }
    return STATUS_OK;
}

enum status crypt_writer_end(struct crypt_writer *w, struct error *err)
{
    return seal(w, crypto_secretstream_xchacha20poly1305_TAG_FINAL, err);
}

void crypt_writer_free(struct crypt_writer *w)
{
    if (!w)
        return;
    secret_wipe(w, sizeof *w);
    free(w);
}

/* --- reading ----------------------------------------------------------------------------------- */

struct crypt_reader {
    int fd;
    const char *path;
    crypto_secretstream_xchacha20poly1305_state state;
    int64_t done; /* bytes of the file */
    bool is_ended;
    unsigned char piece[CRYPT_PIECE];
    unsigned char sealed[CRYPT_PIECE + MORE];
};

bool crypt_is_sealed(int fd)
{
    char head[sizeof MAGIC - 1];
    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           memcmp(head, MAGIC, sizeof head) == 0;
}

/* As much as there is, up to `len`. */
static enum status read_all(int fd, const char *path, void *to, size_t len, size_t *ret,
                            struct error *err)
{
    unsigned char *at = to;
    *ret = 0;
    while (*ret < len) {
        ssize_t n = read(fd, at + *ret, len - *ret);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, errno, "read '%s'", path);
        if (n == 0)
            break;
        *ret += (size_t)n;
    }
    return STATUS_OK;
}

static enum status check_head(const char *path, const unsigned char *head, struct error *err)
{
    unsigned char sum[SUM];
    sum_head(head, sum);
    if (memcmp(head, MAGIC, sizeof MAGIC - 1) != 0 || memcmp(sum, head + AT_SUM, SUM) != 0)
        return fail(err, STATUS_INVALID, "'%s' is damaged: its first %d bytes are not as they were"
                    " written", path, CRYPT_HEAD);
    if (head[AT_VERSION] != VERSION)
        return fail(err, STATUS_CONFLICT, "'%s' is sealed in way %d, this program knows %d: take a newer"
                    " version", path, head[AT_VERSION], VERSION);
    uint32_t passes = get_u32(head + AT_PASSES), memory_kib = get_u32(head + AT_MEMORY);
    if (passes < crypto_pwhash_OPSLIMIT_MIN || passes > PASSES_MAX ||
        memory_kib < crypto_pwhash_MEMLIMIT_MIN / 1024 || memory_kib > MEMORY_MAX_KIB)
        return fail(err, STATUS_INVALID, "'%s' asks for %" PRIu32 " passes over %" PRIu32 " KiB of memory"
                    " to be opened, at most %d over %d are allowed", path, passes, memory_kib,
                    PASSES_MAX, MEMORY_MAX_KIB);
    return STATUS_OK;
}

static enum status read_head(struct crypt_reader *r, const char *passphrase, struct error *err)
{
    unsigned char head[CRYPT_HEAD], key[KEY], tag;
    size_t n;
    TRY(read_all(r->fd, r->path, head, sizeof head, &n, err));
    if (n < sizeof head)
        return fail(err, STATUS_INVALID, "'%s' is cut short: it has %zu bytes", r->path, n);
    TRY(check_head(r->path, head, err));
    r->done = CRYPT_HEAD;
    if (!passphrase || !*passphrase)
        return fail(err, STATUS_DENIED, "'%s' is encrypted: its passphrase is needed", r->path);
    TRY(find_key(passphrase, head, key, err));
    bool is_right =
        crypto_secretstream_xchacha20poly1305_init_pull(&r->state, head + AT_STREAM, key) == 0 &&
        crypto_secretstream_xchacha20poly1305_pull(&r->state, r->piece, NULL, &tag, head + AT_CHECK,
                                                   MORE, head, AT_CHECK) == 0;
    secret_wipe(key, sizeof key);
    return is_right ? STATUS_OK
                    : fail(err, STATUS_DENIED, "'%s': this is not the passphrase it was made with",
                           r->path);
}

enum status crypt_reader_new(int fd, const char *path, const char *passphrase,
                             struct crypt_reader **ret, struct error *err)
{
    struct crypt_reader *r = xcalloc(1, sizeof *r);
    r->fd = fd;
    r->path = path;
    enum status s = read_head(r, passphrase, err);
    if (s == STATUS_OK)
        *ret = r;
    else
        crypt_reader_free(r);
    return s;
}

static enum status read_end(struct crypt_reader *r, struct error *err)
{
    size_t n;
    TRY(read_all(r->fd, r->path, r->sealed, 1, &n, err));
    r->is_ended = true;
    return n == 0 ? STATUS_OK
                  : fail(err, STATUS_INVALID, "'%s' is damaged: something follows its end at byte %"
                         PRId64, r->path, r->done);
}

enum status crypt_read(struct crypt_reader *r, const void **ret, size_t *ret_len,
                       struct error *err)
{
    *ret = r->piece;
    *ret_len = 0;
    /* An empty last piece is an end, too. */
    while (!r->is_ended && *ret_len == 0) {
        size_t n;
        unsigned long long len = 0;
        unsigned char tag = 0;
        TRY(read_all(r->fd, r->path, r->sealed, sizeof r->sealed, &n, err));
        if (n < MORE)
            return fail(err, STATUS_INVALID, "'%s' is cut short at byte %" PRId64, r->path,
                        r->done + (int64_t)n);
        if (crypto_secretstream_xchacha20poly1305_pull(&r->state, r->piece, &len, &tag, r->sealed, n,
                                                       NULL, 0) != 0)
            return fail(err, STATUS_INVALID, "'%s' is damaged%s between the bytes %" PRId64 " and %"
                        PRId64, r->path, n < sizeof r->sealed ? " or cut short" : "", r->done,
                        r->done + (int64_t)n);
        r->done += (int64_t)n;
        if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL)
            TRY(read_end(r, err));
        else if (n < sizeof r->sealed)
            return fail(err, STATUS_INVALID, "'%s' is cut short at byte %" PRId64, r->path, r->done);
        *ret_len = (size_t)len;
    }
    return STATUS_OK;
}

void crypt_reader_free(struct crypt_reader *r)
{
    if (!r)
        return;
    secret_wipe(r, sizeof *r);
    free(r);
}
