/*
 * Strings. `struct str` is a view for reading (not owned, not NUL-terminated). `struct buf` is for
 * building: it owns its memory, is always NUL-terminated, and has a hard cap.
 *
 * Invariants of buf: data is NULL or holds len bytes and a NUL; len <= cap. Once something did not
 * fit, `is_overflowed` is set, further appends do nothing, and the owner checks once at the end.
 * A zeroed buf is ready with the default cap.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
static inline struct str str_of(const char *s)
{
    return (struct str){s, s ? strlen(s) : 0};
}
bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_has_prefix(struct str s, struct str prefix);
struct str str_trim(struct str s); /* ASCII white space */
/* Cuts the next piece off *rest at `sep`; false when nothing is left. */
bool str_next(struct str *rest, char sep, struct str *ret_piece);
/* Whole-text parse, false on anything else (empty, trailing text, overflow). */
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);
/* True if s is well-formed UTF-8 (no surrogates, no overlong forms, no NUL). */
bool str_is_utf8(struct str s);
/* UTF-8 without control characters: one line of text. */
bool str_is_plain(struct str s);

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

enum { BUF_CAP_DEFAULT = 16 * 1024 * 1024 };

struct buf {
    char *data;
    size_t len;
    size_t room; /* bytes allocated */
    size_t cap;  /* most bytes ever; 0 means BUF_CAP_DEFAULT */
    bool is_overflowed;
};

#define BUF_INIT(most_bytes) ((struct buf){.cap = (most_bytes)})
void buf_done(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
/* Room for n more bytes at once: they do not move, and leave no copies of them behind, while they come. */
void buf_reserve(struct buf *b, size_t n);
void buf_add_slow(struct buf *b, const void *data, size_t len); /* buf_add(), where it has to grow */
/* Inline, as exports add some fifty million times. */
static inline void buf_add(struct buf *b, const void *data, size_t len)
{
    if (!len || b->is_overflowed || len >= b->room - b->len) {
        buf_add_slow(b, data, len);
        return;
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}
/* Room for `len` bytes that the caller writes and then counts with buf_wrote(); NULL: over the cap. */
char *buf_room_slow(struct buf *b, size_t len);
static inline char *buf_room(struct buf *b, size_t len)
{
    return b->is_overflowed || len >= b->room - b->len ? buf_room_slow(b, len) : b->data + b->len;
}
static inline void buf_wrote(struct buf *b, size_t len)
{
    b->len += len;
    b->data[b->len] = '\0';
}
static inline void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}
void buf_puts(struct buf *b, const char *s);
static inline void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* The text; "" when empty. Valid until the next change. */
const char *buf_text(const struct buf *b);
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){buf_text(b), b->len};
}
/* Hands the memory to the caller (free()); the buf is empty after it. Never NULL. */
char *buf_steal(struct buf *b);
#define auto_buf __attribute__((cleanup(buf_done)))

/* "000102...99": two digits at a time, where numbers are written by the million. */
extern const char two_digits[];

/* Appends s with every byte outside [A-Za-z0-9-._~] percent-encoded (RFC 3986). */
void buf_add_urlencoded(struct buf *b, struct str s);
/* Copies src into dst with bad UTF-8 replaced by U+FFFD and control characters (but \t \n) dropped. */
void buf_add_clean_utf8(struct buf *b, struct str s);

/* Overwrites memory that held a secret; never optimised away. */
void secret_wipe(void *p, size_t len);

/* Distance by insertions, deletions and substitutions, for "did you mean"; at most `limit`+1. */
size_t str_distance(struct str a, struct str b, size_t limit);
