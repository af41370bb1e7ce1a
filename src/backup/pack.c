#include "backup/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/crypt.h"
#include "backup/files.h"
#include "base/clock.h"

#include "base/banned.h"

enum { PIECE = 256 * 1024 };

/* --- sums -------------------------------------------------------------------------------------- */

static void sum_end(crypto_hash_sha256_state *state, char ret[static SHA256_TEXT_MAX])
{
    unsigned char bytes[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(state, bytes);
    sodium_bin2hex(ret, SHA256_TEXT_MAX, bytes, sizeof bytes);
}

static enum status read_piece(int fd, void *piece, const char *path, ssize_t *ret, struct error *err)
{
    do {
        *ret = read(fd, piece, PIECE);
    } while (*ret < 0 && errno == EINTR);
    return *ret >= 0 ? STATUS_OK : fail_errno(err, errno, "read '%s'", path);
}

enum status pack_sum(const char *folder, struct manifest_file *f, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", folder, f->name);
    auto_free char *piece = xmalloc(PIECE);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail_errno(err, errno, "read '%s'", path);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    f->bytes = 0;
    for (;;) {
        ssize_t n;
        TRY(read_piece(fd, piece, path, &n, err));
        if (n == 0)
            break;
        crypto_hash_sha256_update(&state, (const unsigned char *)piece, (unsigned long long)n);
        f->bytes += n;
    }
    sum_end(&state, f->sha256);
    return STATUS_OK;
}

/* --- packing ----------------------------------------------------------------------------------- */

static void auto_write_fn(struct archive **a)
{
    if (*a)
        archive_write_free(*a);
}

static enum status cannot_write(struct archive *a, const char *to, struct error *err)
{
    const char *why = a ? archive_error_string(a) : NULL;
    if (a && archive_errno(a) > 0)
        return fail_errno(err, archive_errno(a), "write '%s'", to);
    return fail(err, STATUS_IO, "write '%s': %.200s", to, why ? why : "out of memory");
}

static bool write_header(struct archive *a, const char *name, int64_t bytes, int64_t made_us)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_size(e, bytes);
    archive_entry_set_mtime(e, made_us / US_PER_S, 0);
    bool is_done = archive_write_header(a, e) == ARCHIVE_OK;
    archive_entry_free(e);
    return is_done;
}

static enum status write_file(struct archive *a, const char *to, const char *folder,
                              const struct manifest_file *f, int64_t made_us, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", folder, f->name);
    auto_free char *piece = xmalloc(PIECE);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, errno, "read '%s'", path);
    if (!write_header(a, f->name, f->bytes, made_us))
        return cannot_write(a, to, err);
    for (;;) {
        ssize_t n;
        TRY(read_piece(fd, piece, path, &n, err));
        if (n == 0)
            return STATUS_OK;
        if (archive_write_data(a, piece, (size_t)n) != n)
            return cannot_write(a, to, err);
    }
}

static enum status write_all(struct archive *a, const char *to, const char *folder,
                             const struct manifest *m, struct error *err)
{
    auto_buf struct buf text = BUF_INIT(MANIFEST_BYTES_MAX);
    manifest_write(m, &text);
    if (text.is_overflowed)
        return fail(err, STATUS_TOO_LARGE, "the list of tables is too long");
    if (!write_header(a, MANIFEST_NAME, (int64_t)text.len, m->made_us) ||
        archive_write_data(a, text.data, text.len) != (la_ssize_t)text.len)
        return cannot_write(a, to, err);
    for (size_t i = 0; i < m->file_count; i++)
        TRY(write_file(a, to, folder, &m->files[i], m->made_us, err));
    return archive_write_close(a) == ARCHIVE_OK ? STATUS_OK : cannot_write(a, to, err);
}

/* What libarchive writes goes through here into a sealed file. */
struct sealing {
    struct crypt_writer *w;
    struct error err;
    enum status status;
};

static la_ssize_t seal_piece(struct archive *a, void *ctx, const void *data, size_t len)
{
    struct sealing *k = ctx;
    if (k->status == STATUS_OK)
        k->status = crypt_write(k->w, data, len, &k->err);
    if (k->status == STATUS_OK)
        return (la_ssize_t)len;
    archive_set_error(a, EIO, "%s", k->err.text);
    return -1;
}

static bool add_filter(struct archive *a, bool is_zstd)
{
    return (is_zstd ? archive_write_add_filter_zstd(a) : archive_write_add_filter_gzip(a)) ==
           ARCHIVE_OK;
}

static enum status write_sealed(struct archive *a, int fd, const char *to, const char *folder,
                                const struct manifest *m, const char *passphrase, struct error *err)
{
    struct sealing k = {.status = STATUS_OK};
    TRY(crypt_writer_new(fd, to, passphrase, &crypt_cost_usual, &k.w, err));
    /* No padding to a tape's block: the last piece is the last one. */
    archive_write_set_bytes_in_last_block(a, 1);
    enum status s = archive_write_open(a, &k, NULL, seal_piece, NULL) == ARCHIVE_OK
                        ? write_all(a, to, folder, m, err)
                        : cannot_write(a, to, err);
    if (k.status != STATUS_OK)
        s = fail(err, k.status, "%s", k.err.text);
    if (s == STATUS_OK)
        s = crypt_writer_end(k.w, err);
    crypt_writer_free(k.w);
    return s;
}

enum status pack_write(const char *to, const char *folder, const struct manifest *m,
                       const struct pack_form *form, struct error *err)
{
    auto_fd int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "write '%s'", to);
    auto_cleanup(auto_write_fn) struct archive *a = archive_write_new();
    if (!a || archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        !add_filter(a, form->is_zstd))
        return cannot_write(a, to, err);
    if (form->passphrase && *form->passphrase) {
        TRY(write_sealed(a, fd, to, folder, m, form->passphrase, err));
    } else {
        if (archive_write_open_fd(a, fd) != ARCHIVE_OK)
            return cannot_write(a, to, err);
        TRY(write_all(a, to, folder, m, err));
    }
    return fsync(fd) == 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", to);
}

/* --- reading ----------------------------------------------------------------------------------- */

static const char *called(const struct pack_source *from)
{
    return from->name ? from->name : from->file;
}

/* An archive that is open. */
struct opened {
    const struct pack_source *from;
    int fd;
    int64_t bytes; /* of the file */
    int64_t done, all; /* of what is unpacked */
    struct archive *a;
    struct crypt_reader *sealed; /* NULL: it is not */
    char *piece;
    /* Of the file itself: it says more than libarchive, which only sees that something is wrong. */
    struct error err;
    enum status status;
};

static void opened_done(struct opened *o)
{
    if (o->a)
        archive_read_free(o->a);
    crypt_reader_free(o->sealed);
    if (o->fd >= 0)
        close(o->fd);
    free(o->piece);
}

static enum status cannot_read(const struct opened *o, struct error *err)
{
    if (o->status != STATUS_OK)
        return fail(err, o->status, "%s", o->err.text);
    const char *why = o->a ? archive_error_string(o->a) : NULL;
    return fail(err, STATUS_INVALID, "'%s' is damaged, cut short or no backup: %.200s", called(o->from),
                why ? why : "out of memory");
}

static la_ssize_t give_piece(struct archive *a, void *ctx, const void **ret)
{
    struct opened *o = ctx;
    size_t len = 0;
    ssize_t n = 0;
    if (o->sealed) {
        o->status = crypt_read(o->sealed, ret, &len, &o->err);
    } else {
        o->status = read_piece(o->fd, o->piece, called(o->from), &n, &o->err);
        *ret = o->piece;
        len = (size_t)n;
    }
    if (o->status == STATUS_OK)
        return (la_ssize_t)len;
    archive_set_error(a, EIO, "%s", o->err.text);
    return -1;
}

static enum status open_archive(struct opened *o, struct error *err)
{
    struct stat st;
    o->fd = open(o->from->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (o->fd < 0 || fstat(o->fd, &st) != 0)
        return fail_errno(err, errno, "open '%s'", called(o->from));
    if (!S_ISREG(st.st_mode))
        return fail(err, STATUS_INVALID, "'%s' is not a file", called(o->from));
    o->bytes = st.st_size;
    if (crypt_is_sealed(o->fd))
        TRY(crypt_reader_new(o->fd, called(o->from), o->from->passphrase, &o->sealed, err));
    o->piece = xmalloc(PIECE);
    o->a = archive_read_new();
    if (!o->a || archive_read_support_format_tar(o->a) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(o->a) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(o->a) != ARCHIVE_OK ||
        archive_read_open(o->a, o, NULL, give_piece, NULL) != ARCHIVE_OK)
        return cannot_read(o, err);
    return STATUS_OK;
}

/* What follows the tar's end is read, too: a sealed file must be whole to its last piece. */
static enum status read_to_end(struct opened *o, struct error *err)
{
    const void *piece;
    size_t len = 1;
    while (o->sealed && len)
        TRY(crypt_read(o->sealed, &piece, &len, err));
    return STATUS_OK;
}

/* The next member, which must be a plain file; *ret_name NULL at the end. */
static enum status next_member(struct opened *o, struct archive_entry **ret, const char **ret_name,
                               struct error *err)
{
    int rc = archive_read_next_header(o->a, ret);
    *ret_name = NULL;
    if (rc == ARCHIVE_EOF)
        return STATUS_OK;
    if (rc != ARCHIVE_OK)
        return cannot_read(o, err);
    const char *name = archive_entry_pathname(*ret);
    if (!name || archive_entry_filetype(*ret) != AE_IFREG || archive_entry_hardlink(*ret) ||
        archive_entry_symlink(*ret))
        return fail(err, STATUS_INVALID, "'%s': '%.100s' in it is no plain file", called(o->from),
                    name ? name : "?");
    *ret_name = name;
    return STATUS_OK;
}

static enum status read_manifest(struct opened *o, struct manifest *ret, struct error *err)
{
    struct archive_entry *entry = NULL;
    const char *name;
    TRY(next_member(o, &entry, &name, err));
    if (!name || !streq(name, MANIFEST_NAME))
        return fail(err, STATUS_INVALID, "'%s' is no backup of Cartographus: it begins with '%.100s',"
                    " not " MANIFEST_NAME, called(o->from), name ? name : "nothing");
    int64_t bytes = archive_entry_size(entry);
    if (bytes <= 0 || bytes > MANIFEST_BYTES_MAX)
        return fail(err, STATUS_INVALID, "'%s': its " MANIFEST_NAME " has %" PRId64 " bytes",
                    called(o->from), bytes);
    auto_free char *text = xmalloc((size_t)bytes);
    if (archive_read_data(o->a, text, (size_t)bytes) != bytes)
        return cannot_read(o, err);
    enum status s = manifest_read((struct str){text, (size_t)bytes}, ret, err);
    return s == STATUS_OK ? s : fail_prefix(err, "'%s'", called(o->from));
}

static enum status unpack_data(struct opened *o, int to, const char *path,
                               const struct manifest_file *f, struct error *err)
{
    auto_free char *piece = xmalloc(PIECE);
    char sum[SHA256_TEXT_MAX];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    int64_t done = 0;
    for (la_ssize_t n; (n = archive_read_data(o->a, piece, PIECE)) != 0;) {
        if (n < 0)
            return cannot_read(o, err);
        done += n;
        if (done > f->bytes)
            break;
        o->done += n;
        if (o->from->go_on && !o->from->go_on(o->from->ctx, o->done, o->all))
            return fail(err, STATUS_CANCELLED, "stopped while unpacking '%s'", called(o->from));
        crypto_hash_sha256_update(&state, (const unsigned char *)piece, (unsigned long long)n);
        TRY(files_write(to, path, piece, (size_t)n, err));
    }
    sum_end(&state, sum);
    if (done != f->bytes || !streq(sum, f->sha256))
        return fail(err, STATUS_INVALID, "'%s': '%s' in it is not what its " MANIFEST_NAME
                    " says (%" PRId64 " bytes, SHA-256 %.16s...)", called(o->from), f->name, f->bytes,
                    f->sha256);
    return fsync(to) == 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", path);
}

static enum status unpack_member(struct opened *o, const char *folder, struct archive_entry *entry,
                                 const char *name, const struct manifest *m, struct error *err)
{
    const char *known = manifest_known_file(str_of(name));
    const struct manifest_file *f = known ? manifest_file(m, known) : NULL;
    if (!f || archive_entry_size(entry) != f->bytes)
        return fail(err, STATUS_INVALID, "'%s': '%.100s' in it, of %" PRId64 " bytes, is not named by"
                    " its " MANIFEST_NAME, called(o->from), name, (int64_t)archive_entry_size(entry));
    auto_free char *path = xasprintf("%s/%s", folder, f->name);
    auto_fd int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return errno == EEXIST ? fail(err, STATUS_INVALID, "'%s': '%s' is in it twice",
                                      called(o->from), f->name)
                               : fail_errno(err, errno, "write '%s'", path);
    return unpack_data(o, to, path, f, err);
}

static enum status unpack_all(struct opened *o, const char *folder, const struct manifest *m,
                              struct error *err)
{
    struct archive_entry *entry = NULL;
    size_t count = 0;
    for (const char *name;; count++) {
        TRY(next_member(o, &entry, &name, err));
        if (!name)
            break;
        TRY(unpack_member(o, folder, entry, name, m, err));
    }
    if (count == m->file_count)
        return STATUS_OK;
    return fail(err, STATUS_INVALID, "'%s' is cut short: %zu of the %zu files that its "
                MANIFEST_NAME " names are in it", called(o->from), count, m->file_count);
}

/* The room on the disk is one bound, what can be packed into such a file another. */
static enum status check_sizes(const struct opened *o, const struct manifest *m, const char *folder,
                               struct error *err)
{
    int64_t all = manifest_bytes(m);
    TRY(files_need_room(folder, all, err));
    if ((all - PACK_RATIO_BESIDE) / PACK_RATIO_MAX > o->bytes)
        return fail(err, STATUS_TOO_LARGE, "'%s' has %" PRId64 " bytes and says that %" PRId64 " are in it:"
                    " more than %d times as many is no backup", called(o->from), o->bytes, all,
                    PACK_RATIO_MAX);
    return STATUS_OK;
}

enum status pack_unpack(const struct pack_source *from, const char *folder, struct manifest *ret,
                        struct error *err)
{
    auto_cleanup(opened_done) struct opened o = {.from = from, .fd = -1, .status = STATUS_OK};
    TRY(open_archive(&o, err));
    TRY(read_manifest(&o, ret, err));
    o.all = manifest_bytes(ret);
    enum status s = check_sizes(&o, ret, folder, err);
    if (s == STATUS_OK)
        s = unpack_all(&o, folder, ret, err);
    if (s == STATUS_OK)
        s = read_to_end(&o, err);
    if (s != STATUS_OK)
        manifest_done(ret);
    return s;
}

enum status pack_look(const struct pack_source *from, struct manifest *ret, struct error *err)
{
    auto_cleanup(opened_done) struct opened o = {.from = from, .fd = -1, .status = STATUS_OK};
    TRY(open_archive(&o, err));
    return read_manifest(&o, ret, err);
}
