/*
 * Memory: cleanup attributes, ownership hand-over, allocation that aborts when memory is gone
 * (a size that comes from input is checked by its caller first), and arenas.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
/* Grows an array; aborts on overflow of count * size. */
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void auto_free_fn(void *p)
{
    free(*(void **)p);
}

static inline void auto_fd_fn(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void auto_file_fn(FILE **f)
{
    if (*f)
        fclose(*f);
}

/* Appends to an array that grows: a pointer to its new last element. */
#define GROW(array, count, room)                                       \
    __extension__({                                                    \
        if ((count) == (room)) {                                       \
            (room) = (room) ? (room) * 2 : 64;                         \
            (array) = xreallocarray((array), (room), sizeof *(array)); \
        }                                                              \
        &(array)[(count)++];                                           \
    })

/* Variables marked so are released when they go out of scope. */
#define auto_free __attribute__((cleanup(auto_free_fn)))
#define auto_fd __attribute__((cleanup(auto_fd_fn)))
#define auto_file __attribute__((cleanup(auto_file_fn)))
#define auto_cleanup(fn) __attribute__((cleanup(fn)))

/* Hands a pointer on: returns it and leaves NULL behind. */
#define steal_ptr(pp)                       \
    __extension__({                         \
        typeof(*(pp)) *steal_p_ = (pp);     \
        typeof(*(pp)) steal_v_ = *steal_p_; \
        *steal_p_ = NULL;                   \
        steal_v_;                           \
    })

/* Hands a file descriptor on: returns it and leaves -1 behind. */
static inline int steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * An arena: many small allocations freed at once. Not thread-safe: one owner. Invariant: memory
 * handed out stays valid until arena_reset or arena_done.
 */
struct arena_block;
struct arena {
    struct arena_block *head;
};

void arena_done(struct arena *a);
/* Frees all but one block, ready for the next request or batch. */
void arena_reset(struct arena *a);
/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define auto_arena __attribute__((cleanup(arena_done)))
