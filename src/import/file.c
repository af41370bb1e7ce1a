#include "import/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { PIECE = 1024 * 1024, MEMBERS_MAX = 1000, MAGIC = 16 };
static const char sqlite_magic[MAGIC] = "SQLite format 3";
static const char zip_magic[4] = {'P', 'K', 3, 4};

static enum status too_large(int64_t max_bytes, struct error *err)
{
    return fail(err, STATUS_TOO_LARGE, "the database is larger than the limit of %" PRId64
                " bytes (IMPORT_MAX_SIZE)", max_bytes);
}

static enum status write_all(int fd, const char *data, size_t len, struct error *err)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(err, n ? errno : ENOSPC, "write the private copy");
        data += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

static enum status copy(int from, int to, int64_t max_bytes, struct error *err)
{
    auto_free char *piece = xmalloc(PIECE);
    int64_t done = 0;
    for (;;) {
        ssize_t n = pread(from, piece, PIECE, done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, errno, "read the file");
        if (n == 0)
            return STATUS_OK;
        done += n;
        if (done > max_bytes)
            return too_large(max_bytes, err);
        TRY(write_all(to, piece, (size_t)n, err));
    }
}

/* --- the zip ----------------------------------------------------------------------------------- */

static void auto_archive_fn(struct archive **a)
{
    if (*a)
        archive_read_free(*a);
}

static enum status bad_zip(struct archive *a, struct error *err)
{
    const char *why = archive_error_string(a);
    return fail(err, STATUS_INVALID, "the zip cannot be read: %.200s", why ? why : "damaged");
}

/* The member that is wanted, by its exact name. */
static enum status find_member(struct archive *a, struct archive_entry **ret, struct error *err)
{
    for (int i = 0; i < MEMBERS_MAX; i++) {
        int rc = archive_read_next_header(a, ret);
        if (rc == ARCHIVE_EOF)
            break;
        if (rc < ARCHIVE_WARN)
            return bad_zip(a, err);
        const char *name = archive_entry_pathname(*ret);
        if (!name || (!streq(name, "tautulli.db") && !streq(name, "plexpy.db")))
            continue;
        if (archive_entry_filetype(*ret) != AE_IFREG)
            return fail(err, STATUS_INVALID, "'%s' in the zip is not a file", name);
        if (archive_entry_is_encrypted(*ret))
            return fail(err, STATUS_INVALID, "'%s' in the zip is locked with a password", name);
        return STATUS_OK;
    }
    return fail(err, STATUS_INVALID, "the zip holds no tautulli.db");
}

static enum status unpack(int from, int64_t size, int to, int64_t max_bytes, struct error *err)
{
    auto_cleanup(auto_archive_fn) struct archive *a = archive_read_new();
    struct archive_entry *entry = NULL;
    if (!a || archive_read_support_format_zip(a) != ARCHIVE_OK ||
        archive_read_open_fd(a, from, PIECE) != ARCHIVE_OK)
        return bad_zip(a, err);
    TRY(find_member(a, &entry, err));
    if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > max_bytes)
        return too_large(max_bytes, err);
    auto_free char *piece = xmalloc(PIECE);
    int64_t done = 0;
    for (;;) {
        la_ssize_t n = archive_read_data(a, piece, PIECE);
        if (n == 0)
            return STATUS_OK;
        if (n < 0)
            return bad_zip(a, err);
        done += n;
        if (done > max_bytes)
            return too_large(max_bytes, err);
        if (done / FILE_RATIO_MAX > size)
            return fail(err, STATUS_TOO_LARGE, "the zip unpacks to more than %d times its size",
                        FILE_RATIO_MAX);
        TRY(write_all(to, piece, (size_t)n, err));
    }
}

/* --- taking ------------------------------------------------------------------------------------ */

static bool is_sqlite(int fd)
{
    char head[MAGIC];
    return pread(fd, head, MAGIC, 0) == MAGIC && memcmp(head, sqlite_magic, MAGIC) == 0;
}

static bool is_zip(int fd)
{
    char head[sizeof zip_magic];
    return pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           memcmp(head, zip_magic, sizeof head) == 0;
}

static enum status take(int from, const struct stat *st, const char *to, int64_t max_bytes,
                        struct error *err)
{
    bool is_packed = is_zip(from);
    if (!is_packed && !is_sqlite(from))
        return fail(err, STATUS_INVALID, "this is neither a Tautulli database (tautulli.db) nor a"
                    " backup zip with one in it");
    auto_fd int out = open(to, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (out < 0)
        return fail_errno(err, errno, "make the private copy '%s'", to);
    if (!is_packed)
        return copy(from, out, max_bytes, err);
    TRY(unpack(from, st->st_size, out, max_bytes, err));
    return is_sqlite(out) ? STATUS_OK
                          : fail(err, STATUS_INVALID, "the tautulli.db in the zip is no database");
}

enum status file_take(const char *path, bool is_given, const char *to, int64_t max_bytes,
                      struct error *err)
{
    auto_fd int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (from < 0 || fstat(from, &st) != 0)
        return fail_errno(err, errno, "open '%s'", path);
    if (!S_ISREG(st.st_mode))
        return fail(err, STATUS_INVALID, "'%s' is not a file", path);
    if (is_given && st.st_size <= max_bytes && is_sqlite(from)) {
        if (rename(path, to) != 0)
            return fail_errno(err, errno, "keep the file as '%s'", to);
        return STATUS_OK;
    }
    enum status s = take(from, &st, to, max_bytes, err);
    if (s != STATUS_OK)
        unlink(to);
    if (is_given)
        unlink(path);
    return s;
}
