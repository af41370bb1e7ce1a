#include "store/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/banned.h"

static const struct {
    const char *word, *media_type;
} formats[] = {
    [EXPORT_CSV] = {"csv", "text/csv; charset=utf-8"},
    [EXPORT_NDJSON] = {"ndjson", "application/x-ndjson; charset=utf-8"},
    [EXPORT_PARQUET] = {"parquet", "application/vnd.apache.parquet"},
    [EXPORT_GEOJSON] = {"geojson", "application/geo+json; charset=utf-8"},
};

bool export_parse(const char *word, enum export_format *ret)
{
    for (enum export_format f = EXPORT_CSV; f <= EXPORT_GEOJSON; f++) {
        if (streq(formats[f].word, word)) {
            *ret = f;
            return true;
        }
    }
    return false;
}

const char *export_word(enum export_format f)
{
    return formats[f].word;
}

const char *export_media_type(enum export_format f)
{
    return formats[f].media_type;
}

static enum rows_format rows_format_of(enum export_format f)
{
    return f == EXPORT_CSV ? ROWS_CSV : f == EXPORT_GEOJSON ? ROWS_GEOJSON : ROWS_NDJSON;
}

/* --- the file ---------------------------------------------------------------------------------- */

/* Some file systems (NFS, FUSE) have no files without a name: there one has it for a moment. Should
 * we be killed right then, the next start sweeps .work-* out of the data folder. */
static int open_unnamed(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    auto_free char *path = xasprintf("%s/.work-export-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

enum status export_open(const char *folder, enum export_format f, struct export *ret,
                        struct error *err)
{
    *ret = (struct export){.fd = open_unnamed(folder), .format = f};
    return ret->fd >= 0 ? STATUS_OK : fail_errno(err, errno, "make a file for the export in '%s'", folder);
}

void export_done(struct export *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
}

enum status export_need_room(const struct export *e, uint64_t bytes, struct error *err)
{
    struct statvfs v;
    if (fstatvfs(e->fd, &v) != 0)
        return fail_errno(err, errno, "look for room for the export");
    uint64_t left = (uint64_t)v.f_bavail * v.f_frsize;
    if (left >= bytes + EXPORT_LEAVES)
        return STATUS_OK;
    return fail(err, STATUS_IO, "the data folder's disk is too full for this export: it needs %.0f MB, and"
                " %d MB have to stay free for the store; %.0f MB are free. Make room, or export less at"
                " once", (double)bytes / 1e6, EXPORT_LEAVES / 1024 / 1024, (double)left / 1e6);
}

static enum status write_text(struct export *e, struct str text, struct error *err)
{
    if (e->size + text.len > e->checked + EXPORT_SMALL) {
        TRY(export_need_room(e, text.len, err));
        e->checked = e->size;
    }
    while (text.len) {
        ssize_t n = write(e->fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, errno, "write the export to the data folder");
        text.ptr += n;
        text.len -= (size_t)n;
        e->size += (uint64_t)n;
    }
    return STATUS_OK;
}

/* --- text -------------------------------------------------------------------------------------- */

static enum status write_rows(struct export *e, struct rows *rows, struct error *err)
{
    auto_buf struct buf out = {0};
    bool has_more = true;
    while (has_more) {
        has_more = rows_next(rows, &out);
        if (out.is_overflowed)
            return fail(err, STATUS_TOO_LARGE, "a row is too large to be exported");
        if (rows->status != STATUS_OK)
            return fail(err, rows->status, "%s", rows->error.text);
        if (out.len < EXPORT_SMALL / 4 && has_more)
            continue;
        TRY(write_text(e, buf_str(&out), err));
        buf_clear(&out);
    }
    e->rows += rows->count;
    return STATUS_OK;
}

enum status export_rows(struct export *e, duckdb_result result, struct rows *ret_rows,
                        struct error *err)
{
    auto_rows struct rows own = {0};
    struct rows *rows = ret_rows ? ret_rows : &own;
    bool is_going_on = e->size > 0;
    TRY(rows_begin(rows, result, rows_format_of(e->format), err));
    TRY(rows_look_up(rows, e->names, e->name_count, err));
    if (!is_going_on && e->format == EXPORT_GEOJSON)
        TRY(write_text(e, str_of(rows_geojson_head), err));
    rows->is_going_on = e->format == EXPORT_GEOJSON ? e->rows > 0 : is_going_on;
    return write_rows(e, rows, err);
}

/* --- Parquet ----------------------------------------------------------------------------------- */

/* DuckDB opens the file anew by its descriptor. The text holds that number and no value of a user's:
 * they are bound. Row groups of a sixth of the usual size: each thread holds some of them, which at
 * 700,000 plays took 400 MB instead of 230, and failed where DUCKDB_MAX_MEMORY is 200 MB. */
static enum status copy(struct export *e, struct store_conn *c, const char *sql,
                        const struct store_named *values, size_t count, struct error *err)
{
    auto_buf struct buf text = {0};
    buf_printf(&text, "copy (\n%s\n) to '/proc/self/fd/%d' (format parquet, compression zstd,"
                      " row_group_size 20480, use_tmp_file false)", sql, e->fd);
    auto_result duckdb_result result = {0};
    enum status s = store_query_named(c, buf_text(&text), values, count, &result, err);
    if (s == STATUS_IO)
        return fail_prefix(err, "write the export to the data folder");
    TRY(s);
    struct stat st;
    if (fstat(e->fd, &st) != 0)
        return fail_errno(err, errno, "look at the export");
    e->size = (uint64_t)st.st_size;
    return STATUS_OK;
}

enum status export_query(struct export *e, struct store_conn *c, const char *sql,
                         const struct store_named *values, size_t count, struct error *err)
{
    if (e->format == EXPORT_PARQUET)
        return copy(e, c, sql, values, count, err);
    auto_result duckdb_result result = {0};
    TRY(store_query_named(c, sql, values, count, &result, err));
    return export_rows(e, result, NULL, err);
}

enum status export_end(struct export *e, struct error *err)
{
    return e->format == EXPORT_GEOJSON ? write_text(e, str_of(rows_geojson_tail), err) : STATUS_OK;
}
