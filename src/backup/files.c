#include "backup/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { SMALL_MAX = 64 * 1024, FOLDER_MODE = 0700 };

void files_stamp(int64_t time_us, char dst[static FILES_STAMP_MAX])
{
    char t[TIME_TEXT_MAX]; /* 2026-01-02T03:04:05.678Z */
    time_format(time_us, t);
    snprintf(dst, FILES_STAMP_MAX, "%.4s%.2s%.2s-%.2s%.2s%.2s", t, t + 5, t + 8, t + 11, t + 14,
             t + 17);
}

enum status files_write(int fd, const char *path, const void *data, size_t len, struct error *err)
{
    const char *at = data;
    while (len) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(err, n ? errno : ENOSPC, "write '%s'", path);
        at += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status files_copy_small(const char *from, const char *to, bool *ret_is_there,
                             struct error *err)
{
    auto_fd int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret_is_there = in >= 0;
    if (in < 0)
        return errno == ENOENT ? STATUS_OK : fail_errno(err, errno, "read '%s'", from);
    auto_free char *text = xmalloc(SMALL_MAX);
    ssize_t n = read(in, text, SMALL_MAX);
    if (n < 0)
        return fail_errno(err, errno, "read '%s'", from);
    auto_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (out < 0)
        return fail_errno(err, errno, "write '%s'", to);
    return files_write(out, to, text, (size_t)n, err);
}

/* --- what must be so before anything is written ------------------------------------------------ */

static void put_size(int64_t bytes, char dst[static 24])
{
    if (bytes >= INT64_C(10) << 20)
        snprintf(dst, 24, "%" PRId64 " MB", bytes >> 20);
    else
        snprintf(dst, 24, "%" PRId64 " KB", (bytes + 1023) >> 10);
}

enum status files_need_room(const char *folder, int64_t bytes, struct error *err)
{
    struct statvfs v;
    if (statvfs(folder, &v) != 0)
        return fail_errno(err, errno, "ask for the room in '%s'", folder);
    int64_t free_bytes;
    if (__builtin_mul_overflow((int64_t)v.f_bavail, (int64_t)v.f_frsize, &free_bytes) ||
        free_bytes >= bytes)
        return STATUS_OK;
    char needed[24], there[24];
    put_size(bytes, needed);
    put_size(free_bytes, there);
    return fail(err, STATUS_IO, "not enough room in '%s': %s are needed, %s are free", folder,
                needed, there);
}

enum status files_need_folder(const char *folder, const char *option, struct error *err)
{
    struct stat st;
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "%s: make the folder '%s'", option, folder);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return fail(err, STATUS_IO, "%s: '%s' is not a folder", option, folder);
    if (faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        return fail(err, STATUS_IO, "%s: '%s' cannot be written to (owner %u, mode %04o, %s); user %u,"
                    " who runs this, needs to", option, folder, (unsigned)st.st_uid,
                    (unsigned)(st.st_mode & 07777),
                    errno == EROFS ? "read-only file system" : "no rights", (unsigned)geteuid());
    return STATUS_OK;
}

/* --- work folders ------------------------------------------------------------------------------ */

enum status files_work_begin(const char *folder, char **ret, struct error *err)
{
    auto_free char *path = xasprintf("%s/" FILES_WORK "XXXXXX", folder);
    if (!mkdtemp(path))
        return fail_errno(err, errno, "make the folder '%s'", path);
    *ret = steal_ptr(&path);
    return STATUS_OK;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return n >= m && streq(name + n - m, suffix);
}

void files_sweep(const char *folder, const char *prefix, const char *suffix)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        if (!str_has_prefix(str_of(e->d_name), str_of(prefix)) || !has_suffix(e->d_name, suffix))
            continue;
        auto_free char *path = xasprintf("%s/%s", folder, e->d_name);
        log_info("backup", "what a killed process left half done is removed", LF_TEXT("path", path));
        files_remove(path);
    }
    closedir(d);
}

void files_remove(const char *path)
{
    struct stat st;
    DIR *d = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        auto_free char *inside = xasprintf("%s/%s", path, e->d_name);
        if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
            files_remove(inside);
    }
    if (d)
        closedir(d);
    (void)remove(path);
}

enum status files_sync_folder(const char *folder, struct error *err)
{
    auto_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
        return fail_errno(err, errno, "write '%s'", folder);
    return STATUS_OK;
}
