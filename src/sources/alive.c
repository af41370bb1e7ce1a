#include "sources/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { FILE_BYTES_MAX = 64 * 1024, LINE_BYTES = 63 + 1 + 16 };
/* Times that are possible have 16 digits until 2286. */
#define LINE "%-63s %016" PRId64 "\n"

static bool read_line(struct str line, struct alive_entry *ret)
{
    struct str key;
    int64_t until_us;
    if (line.len != LINE_BYTES || !str_next(&line, ' ', &key) || !key.len ||
        !str_to_i64(str_trim(line), &until_us) || until_us <= 0)
        return false;
    *ret = (struct alive_entry){.until_us = until_us};
    memcpy(ret->key, key.ptr, key.len);
    return true;
}

size_t alive_read(const char *path, struct alive_entry *ret, size_t room)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    auto_free char *text = xmalloc(FILE_BYTES_MAX);
    ssize_t n = read(fd, text, FILE_BYTES_MAX);
    struct str rest = {text, n > 0 ? (size_t)n : 0}, line;
    size_t count = 0;
    while (count < room && str_next(&rest, '\n', &line)) {
        struct alive_entry e;
        if (read_line(line, &e))
            ret[count++] = e;
    }
    return count;
}

bool alive_write(const char *path, const struct alive_entry *entries, size_t count)
{
    auto_buf struct buf b = BUF_INIT(FILE_BYTES_MAX);
    for (size_t i = 0; i < count; i++)
        buf_printf(&b, LINE, entries[i].key, entries[i].until_us);
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    ssize_t n = pwrite(fd, buf_text(&b), b.len, 0);
    if (n >= 0 && (size_t)n != b.len)
        errno = ENOSPC;
    return n == (ssize_t)b.len && ftruncate(fd, (off_t)b.len) == 0;
}
