#include "backup/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { PIECE = 256 * 1024 };

struct tar {
    struct archive *archive;
};

static enum status failed(const struct tar *t, struct error *err)
{
    const char *why = archive_error_string(t->archive);
    if (archive_errno(t->archive) > 0)
        return fail_errno(err, archive_errno(t->archive), "write the archive");
    return fail(err, STATUS_IO, "write the archive: %.200s", why ? why : "out of memory");
}

enum status tar_begin(int fd, struct tar **ret, struct error *err)
{
    struct tar *t = xcalloc(1, sizeof *t);
    t->archive = archive_write_new();
    if (!t->archive) {
        free(t);
        return fail(err, STATUS_NOMEM, "no memory for an archive");
    }
    if (archive_write_set_format_pax_restricted(t->archive) != ARCHIVE_OK ||
        archive_write_add_filter_none(t->archive) != ARCHIVE_OK ||
        archive_write_open_fd(t->archive, fd) != ARCHIVE_OK) {
        enum status s = failed(t, err);
        tar_free(t);
        return s;
    }
    *ret = t;
    return STATUS_OK;
}

void tar_free(struct tar *t)
{
    if (!t)
        return;
    archive_write_free(t->archive);
    free(t);
}

static enum status begin_file(struct tar *t, const char *name, uint64_t bytes, int64_t made_us,
                              struct error *err)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_size(e, (la_int64_t)bytes);
    archive_entry_set_mtime(e, made_us / US_PER_S, 0);
    enum status s = archive_write_header(t->archive, e) == ARCHIVE_OK ? STATUS_OK : failed(t, err);
    archive_entry_free(e);
    return s;
}

enum status tar_add_text(struct tar *t, const char *name, struct str text, int64_t made_us,
                         struct error *err)
{
    TRY(begin_file(t, name, text.len, made_us, err));
    return archive_write_data(t->archive, text.ptr, text.len) == (la_ssize_t)text.len ? STATUS_OK
                                                                                      : failed(t, err);
}

enum status tar_add_file(struct tar *t, const char *name, int from, uint64_t bytes, int64_t made_us,
                         struct error *err)
{
    auto_free char *piece = xmalloc(PIECE);
    TRY(begin_file(t, name, bytes, made_us, err));
    for (uint64_t at = 0; at < bytes;) {
        ssize_t n = pread(from, piece, PIECE, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(err, n ? errno : EIO, "read '%s' for the archive", name);
        if (archive_write_data(t->archive, piece, (size_t)n) != n)
            return failed(t, err);
        at += (uint64_t)n;
    }
    return STATUS_OK;
}

enum status tar_end(struct tar *t, struct error *err)
{
    return archive_write_close(t->archive) == ARCHIVE_OK ? STATUS_OK : failed(t, err);
}
