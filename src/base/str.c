#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/banned.h"

const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_has_prefix(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_next(struct str *rest, char sep, struct str *ret_piece)
{
    if (!rest->ptr)
        return false;
    const char *cut = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!cut) {
        *ret_piece = *rest;
        *rest = (struct str){0};
        return true;
    }
    *ret_piece = (struct str){rest->ptr, (size_t)(cut - rest->ptr)};
    rest->len -= ret_piece->len + 1;
    rest->ptr = cut + 1;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    bool is_negative = false;
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        is_negative = s.ptr[0] == '-';
        s.ptr++;
        s.len--;
    }
    if (!s.len)
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        int d = s.ptr[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v))
            return false;
    }
    if (!is_negative && __builtin_sub_overflow((int64_t)0, v, &v))
        return false;
    *ret = v;
    return true;
}

bool str_to_double(struct str s, double *ret)
{
    char text[64];
    if (!s.len || s.len >= sizeof text || is_space(s.ptr[0]))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end != text + s.len || errno == ERANGE || v != v)
        return false;
    *ret = v;
    return true;
}

/* The length of the well-formed UTF-8 sequence at p (at most n bytes), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    if (p[0] == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t want;
    uint32_t cp, least;
    if ((p[0] & 0xe0) == 0xc0) {
        want = 2, cp = p[0] & 0x1fu, least = 0x80;
    } else if ((p[0] & 0xf0) == 0xe0) {
        want = 3, cp = p[0] & 0x0fu, least = 0x800;
    } else if ((p[0] & 0xf8) == 0xf0) {
        want = 4, cp = p[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (n < want)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    return want;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_len(p + i, s.len - i);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

bool str_is_plain(struct str s)
{
    if (!str_is_utf8(s))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return false;
    return true;
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.cap = b->cap};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_room_slow(struct buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : BUF_CAP_DEFAULT;
    size_t need;
    if (b->is_overflowed || __builtin_add_overflow(b->len, n, &need) || need > cap) {
        b->is_overflowed = true;
        return NULL;
    }
    if (need + 1 > b->room) {
        size_t room = b->room ? b->room * 2 : 64;
        if (room < need + 1)
            room = need + 1;
        if (room > cap + 1) /* buf_add() asks only for room */
            room = cap + 1;
        b->data = xrealloc(b->data, room);
        b->room = room;
    }
    return b->data + b->len;
}

void buf_reserve(struct buf *b, size_t n)
{
    if (buf_room_slow(b, n))
        buf_wrote(b, 0);
}

void buf_add_slow(struct buf *b, const void *data, size_t len)
{
    if (!len)
        return;
    char *to = buf_room_slow(b, len);
    if (!to)
        return;
    memcpy(to, data, len);
    buf_wrote(b, len);
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        char *to = buf_room_slow(b, (size_t)n);
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            buf_wrote(b, (size_t)n);
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_steal(struct buf *b)
{
    char *data = b->data ? b->data : xstrdup("");
    *b = (struct buf){.cap = b->cap};
    return data;
}

void buf_add_urlencoded(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x80 && isalnum(c)) || c == '-' || c == '.' || c == '_' || c == '~') {
            buf_putc(b, (char)c);
        } else {
            char out[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add(b, out, 3);
        }
    }
}

void buf_add_clean_utf8(struct buf *b, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t i = 0; i < s.len;) {
        size_t n = utf8_len(p + i, s.len - i);
        if (n == 1 && ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n') || p[i] == 0x7f)) {
            i++;
        } else if (n) {
            buf_add(b, p + i, n);
            i += n;
        } else {
            if (p[i] != 0)
                buf_puts(b, "\xef\xbf\xbd");
            i++;
        }
    }
}

void secret_wipe(void *p, size_t len)
{
    explicit_bzero(p, len);
}

size_t str_distance(struct str a, struct str b, size_t limit)
{
    enum { MOST = 128 };
    if (a.len > MOST || b.len > MOST)
        return limit + 1;
    size_t row[MOST + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t cost = tolower((unsigned char)a.ptr[i - 1]) != tolower((unsigned char)b.ptr[j - 1]);
            size_t best = diagonal + cost;
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len] > limit ? limit + 1 : row[b.len];
}
