#include "base/log_tail.h"

#include <pthread.h>

#include "base/banned.h"

/* Part of the log's sink, which is the program's only mutable global. */
static struct {
    pthread_mutex_t lock;
    size_t at; /* where the next byte goes */
    bool is_full;
    char bytes[LOG_TAIL_BYTES];
} tail = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_tail_add(struct str line)
{
    if (line.len > sizeof tail.bytes)
        return;
    pthread_mutex_lock(&tail.lock);
    size_t first = sizeof tail.bytes - tail.at;
    if (first > line.len)
        first = line.len;
    memcpy(tail.bytes + tail.at, line.ptr, first);
    memcpy(tail.bytes, line.ptr + first, line.len - first);
    tail.is_full = tail.is_full || tail.at + line.len >= sizeof tail.bytes;
    tail.at = (tail.at + line.len) % sizeof tail.bytes;
    pthread_mutex_unlock(&tail.lock);
}

char *log_tail_copy(void)
{
    char *copy = xmalloc(sizeof tail.bytes + 1);
    pthread_mutex_lock(&tail.lock);
    size_t older = tail.is_full ? sizeof tail.bytes - tail.at : 0, len = older + tail.at;
    memcpy(copy, tail.bytes + tail.at, older);
    memcpy(copy + older, tail.bytes, tail.at);
    bool is_cut = tail.is_full;
    pthread_mutex_unlock(&tail.lock);
    copy[len] = '\0';
    if (is_cut) { /* of the first line a part is there only */
        char *end = memchr(copy, '\n', len);
        size_t cut = end ? (size_t)(end + 1 - copy) : len;
        memmove(copy, copy + cut, len - cut + 1);
    }
    return copy;
}
