#include "backup/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

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

enum status pack_write(const char *to, const char *folder, const struct manifest *m,
                       struct error *err)
{
    auto_fd int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "write '%s'", to);
    auto_cleanup(auto_write_fn) struct archive *a = archive_write_new();
    if (!a || archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        archive_write_add_filter_gzip(a) != ARCHIVE_OK || archive_write_open_fd(a, fd) != ARCHIVE_OK)
        return cannot_write(a, to, err);
    TRY(write_all(a, to, folder, m, err));
    return fsync(fd) == 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", to);
}

/* --- reading ----------------------------------------------------------------------------------- */

static void auto_read_fn(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

static enum status cannot_read(struct archive *a, const char *file, struct error *err)
{
    const char *why = a ? archive_error_string(a) : NULL;
    return fail(err, STATUS_INVALID, "'%s' is damaged, cut short or no backup: %.200s", file,
                why ? why : "out of memory");
}

static enum status open_archive(const char *file, struct archive **ret, int *ret_fd,
                                struct error *err)
{
    struct stat st;
    *ret_fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*ret_fd < 0 || fstat(*ret_fd, &st) != 0)
        return fail_errno(err, errno, "open '%s'", file);
    if (!S_ISREG(st.st_mode))
        return fail(err, STATUS_INVALID, "'%s' is not a file", file);
    *ret = archive_read_new();
    if (!*ret || archive_read_support_format_tar(*ret) != ARCHIVE_OK ||
        archive_read_support_filter_gzip(*ret) != ARCHIVE_OK ||
        archive_read_open_fd(*ret, *ret_fd, PIECE) != ARCHIVE_OK)
        return cannot_read(*ret, file, err);
    return STATUS_OK;
}

/* The next member, which must be a plain file; *ret_name NULL at the end. */
static enum status next_member(struct archive *a, const char *file, struct archive_entry **ret,
                               const char **ret_name, struct error *err)
{
    int rc = archive_read_next_header(a, ret);
    *ret_name = NULL;
    if (rc == ARCHIVE_EOF)
        return STATUS_OK;
    if (rc != ARCHIVE_OK)
        return cannot_read(a, file, err);
    const char *name = archive_entry_pathname(*ret);
    if (!name || archive_entry_filetype(*ret) != AE_IFREG || archive_entry_hardlink(*ret) ||
        archive_entry_symlink(*ret))
        return fail(err, STATUS_INVALID, "'%s': '%.100s' in it is no plain file", file,
                    name ? name : "?");
    *ret_name = name;
    return STATUS_OK;
}

static enum status read_manifest(struct archive *a, const char *file, struct manifest *ret,
                                 struct error *err)
{
    struct archive_entry *entry = NULL;
    const char *name;
    TRY(next_member(a, file, &entry, &name, err));
    if (!name || !streq(name, MANIFEST_NAME))
        return fail(err, STATUS_INVALID, "'%s' is no backup of Cartographus: it begins with '%.100s',"
                    " not " MANIFEST_NAME, file, name ? name : "nothing");
    int64_t bytes = archive_entry_size(entry);
    if (bytes <= 0 || bytes > MANIFEST_BYTES_MAX)
        return fail(err, STATUS_INVALID, "'%s': its " MANIFEST_NAME " has %" PRId64 " bytes", file,
                    bytes);
    auto_free char *text = xmalloc((size_t)bytes);
    if (archive_read_data(a, text, (size_t)bytes) != bytes)
        return cannot_read(a, file, err);
    enum status s = manifest_read((struct str){text, (size_t)bytes}, ret, err);
    return s == STATUS_OK ? s : fail_prefix(err, "'%s'", file);
}

static enum status unpack_data(struct archive *a, const char *file, int to, const char *path,
                               const struct manifest_file *f, struct error *err)
{
    auto_free char *piece = xmalloc(PIECE);
    char sum[SHA256_TEXT_MAX];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    int64_t done = 0;
    for (la_ssize_t n; (n = archive_read_data(a, piece, PIECE)) != 0;) {
        if (n < 0)
            return cannot_read(a, file, err);
        done += n;
        if (done > f->bytes)
            break;
        crypto_hash_sha256_update(&state, (const unsigned char *)piece, (unsigned long long)n);
        TRY(files_write(to, path, piece, (size_t)n, err));
    }
    sum_end(&state, sum);
    if (done != f->bytes || !streq(sum, f->sha256))
        return fail(err, STATUS_INVALID, "'%s': '%s' in it is not what its " MANIFEST_NAME
                    " says (%" PRId64 " bytes, SHA-256 %.16s...)", file, f->name, f->bytes,
                    f->sha256);
    return fsync(to) == 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", path);
}

static enum status unpack_member(struct archive *a, const char *file, const char *folder,
                                 struct archive_entry *entry, const char *name,
                                 const struct manifest *m, struct error *err)
{
    const char *known = manifest_known_file(str_of(name));
    const struct manifest_file *f = known ? manifest_file(m, known) : NULL;
    if (!f || archive_entry_size(entry) != f->bytes)
        return fail(err, STATUS_INVALID, "'%s': '%.100s' in it, of %" PRId64 " bytes, is not named by"
                    " its " MANIFEST_NAME, file, name, (int64_t)archive_entry_size(entry));
    auto_free char *path = xasprintf("%s/%s", folder, f->name);
    auto_fd int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return errno == EEXIST ? fail(err, STATUS_INVALID, "'%s': '%s' is in it twice", file, f->name)
                               : fail_errno(err, errno, "write '%s'", path);
    return unpack_data(a, file, to, path, f, err);
}

static enum status unpack_all(struct archive *a, const char *file, const char *folder,
                              const struct manifest *m, struct error *err)
{
    struct archive_entry *entry = NULL;
    size_t count = 0;
    for (const char *name;; count++) {
        TRY(next_member(a, file, &entry, &name, err));
        if (!name)
            break;
        TRY(unpack_member(a, file, folder, entry, name, m, err));
    }
    if (count == m->file_count)
        return STATUS_OK;
    return fail(err, STATUS_INVALID, "'%s' is cut short: %zu of the %zu files that its "
                MANIFEST_NAME " names are in it", file, count, m->file_count);
}

enum status pack_unpack(const char *file, const char *folder, struct manifest *ret,
                        struct error *err)
{
    auto_fd int fd = -1;
    auto_cleanup(auto_read_fn) struct archive *a = NULL;
    TRY(open_archive(file, &a, &fd, err));
    TRY(read_manifest(a, file, ret, err));
    enum status s = files_need_room(folder, manifest_bytes(ret), err);
    if (s == STATUS_OK)
        s = unpack_all(a, file, folder, ret, err);
    if (s != STATUS_OK)
        manifest_done(ret);
    return s;
}
