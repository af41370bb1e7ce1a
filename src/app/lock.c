#include "app/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum status data_folder_prepare(const char *path, struct error *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "DATA_DIR: make '%s'", path);
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_errno(err, errno, "DATA_DIR: '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return fail(err, STATUS_IO, "DATA_DIR: '%s' is not a folder", path);
    if (access(path, W_OK | X_OK) != 0)
        return fail(err, STATUS_IO, "DATA_DIR: '%s' cannot be written to (owner %u, mode %04o)",
                    path, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
    return STATUS_OK;
}

enum status data_lock(const char *path, int *ret_fd, struct error *err)
{
    auto_free char *file = xasprintf("%s/lock", path);
    auto_fd int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "open '%s'", file);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char who[200] = "";
        ssize_t n = pread(fd, who, sizeof who - 1, 0);
        who[n > 0 ? n : 0] = '\0';
        return fail(err, STATUS_CONFLICT, "Database locked: %s",
                    who[0] != '\0' ? who : "another process is starting");
    }
    char host[64] = "?", since[TIME_TEXT_MAX], text[200];
    gethostname(host, sizeof host - 1);
    int len = snprintf(text, sizeof text, "process %d (host %s, since %s)", (int)getpid(), host,
                       time_format(clock_now_us(), since));
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return fail_errno(err, errno, "write '%s'", file);
    *ret_fd = steal_fd(&fd);
    return STATUS_OK;
}
