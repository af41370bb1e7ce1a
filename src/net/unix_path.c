#include "net/unix_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#include "base/banned.h"

enum status unix_path_init(const char *path, struct unix_path *ret, struct error *err)
{
    struct sockaddr_un *a = &ret->address;
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t room = sizeof a->sun_path;
    if (strlen(path) < room) {
        memcpy(a->sun_path, path, strlen(path) + 1);
        return STATUS_OK;
    }
    const char *slash = strrchr(path, '/');
    if (!slash)
        return fail(err, STATUS_INVALID, "'%s' is too long for a socket", path);
    auto_free char *folder = xstrndup(path, (size_t)(slash - path));
    auto_fd int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, errno, "open '%s'", folder);
    int n = snprintf(a->sun_path, room, "/proc/self/fd/%d%s", fd, slash);
    if (n < 0 || (size_t)n >= room)
        return fail(err, STATUS_INVALID, "'%s' is too long for a socket", slash + 1);
    ret->folder = steal_fd(&fd);
    return STATUS_OK;
}

void unix_path_done(struct unix_path *p)
{
    if (p->folder >= 0)
        close(p->folder);
    p->folder = -1;
}
