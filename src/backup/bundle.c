#include "backup/bundle.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

static void auto_write_fn(struct archive **a)
{
    if (*a)
        archive_write_free(*a);
}

static la_ssize_t take(struct archive *a, void *ctx, const void *data, size_t len)
{
    struct buf *out = ctx;
    (void)a;
    buf_add(out, data, len);
    return out->is_overflowed ? -1 : (la_ssize_t)len;
}

static bool write_file(struct archive *a, const char *folder, const struct bundle_file *f,
                       int64_t made_us)
{
    auto_free char *path = xasprintf("%s/%s", folder, f->name);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, path);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_size(e, (la_int64_t)f->text.len);
    archive_entry_set_mtime(e, made_us / US_PER_S, 0);
    bool is_done = archive_write_header(a, e) == ARCHIVE_OK &&
                   archive_write_data(a, f->text.ptr, f->text.len) == (la_ssize_t)f->text.len;
    archive_entry_free(e);
    return is_done;
}

enum status bundle_pack(const char *folder, const struct bundle_file *files, size_t count,
                        int64_t made_us, struct buf *out, struct error *err)
{
    auto_cleanup(auto_write_fn) struct archive *a = archive_write_new();
    bool is_well = a && archive_write_set_format_pax_restricted(a) == ARCHIVE_OK &&
                   archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
                   archive_write_open(a, out, NULL, take, NULL) == ARCHIVE_OK;
    for (size_t i = 0; i < count && is_well; i++)
        is_well = write_file(a, folder, &files[i], made_us);
    if (is_well && archive_write_close(a) == ARCHIVE_OK)
        return STATUS_OK;
    const char *why = a ? archive_error_string(a) : NULL;
    return fail(err, STATUS_INTERNAL, "pack the bundle: %.200s", why ? why : "out of memory");
}
