#include "app/client_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { LEAST = 8 };

static bool is_id(struct str s)
{
    if (s.len < LEAST || s.len >= CLIENT_ID_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int c = s.ptr[i] | 0x20;
        if (!(c >= 'a' && c <= 'z') && !(s.ptr[i] >= '0' && s.ptr[i] <= '9') && s.ptr[i] != '-')
            return false;
    }
    return true;
}

enum status client_id_read(const char *folder, char ret[static CLIENT_ID_MAX], struct error *err)
{
    auto_free char *path = xasprintf("%s/client-id", folder);
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? fail(err, STATUS_NOT_FOUND, "there is no '%s'", path)
                               : fail_errno(err, errno, "read '%s'", path);
    char text[2 * CLIENT_ID_MAX];
    ssize_t n = read(fd, text, sizeof text);
    struct str id = str_trim((struct str){text, n > 0 ? (size_t)n : 0});
    if (!is_id(id))
        return fail(err, STATUS_INVALID, "'%s' holds no id", path);
    memcpy(ret, id.ptr, id.len);
    ret[id.len] = '\0';
    return STATUS_OK;
}

/* RFC 4122, version 4. */
static enum status make_uuid(char ret[static CLIENT_ID_MAX], struct error *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return fail_errno(err, errno, "no random numbers");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof b; i++)
        at += (size_t)snprintf(ret + at, CLIENT_ID_MAX - at, "%s%02x",
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return STATUS_OK;
}

static enum status write_new(const char *folder, const char *id, struct error *err)
{
    auto_free char *path = xasprintf("%s/client-id", folder);
    auto_free char *fresh = xasprintf("%s.new", path);
    auto_fd int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", id) < 0 || fsync(fd) != 0 || rename(fresh, path) != 0)
        return fail_errno(err, errno, "write '%s'", path);
    return STATUS_OK;
}

enum status client_id_ensure(const char *folder, char ret[static CLIENT_ID_MAX], struct error *err)
{
    struct error why;
    enum status s = client_id_read(folder, ret, &why);
    if (s == STATUS_OK)
        return s;
    if (s == STATUS_INVALID)
        log_warn("app", "media servers will know this installation by a new id", LF_ERROR(&why));
    else if (s != STATUS_NOT_FOUND)
        return fail(err, s, "%s", why.text);
    TRY(make_uuid(ret, err));
    return write_new(folder, ret, err);
}
