#include "app/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

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
