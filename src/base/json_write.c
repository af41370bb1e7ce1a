#include "base/json_write.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"

#include "base/banned.h"

void jw_begin(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

static void before_value(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth > 0) {
        if (w->has_items[w->depth - 1])
            buf_putc(w->out, ',');
        w->has_items[w->depth - 1] = true;
    }
}

static void open_level(struct json_writer *w, char c)
{
    before_value(w);
    assert(w->depth < JSON_DEPTH_MAX);
    w->has_items[w->depth++] = false;
    buf_putc(w->out, c);
}

static void close_level(struct json_writer *w, char c)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_putc(w->out, c);
}

void jw_object(struct json_writer *w)
{
    open_level(w, '{');
}

void jw_object_end(struct json_writer *w)
{
    close_level(w, '}');
}

void jw_array(struct json_writer *w)
{
    open_level(w, '[');
}

void jw_array_end(struct json_writer *w)
{
    close_level(w, ']');
}

static void add_quoted(struct buf *out, struct str s)
{
    auto_buf struct buf clean = {0};
    if (!str_is_utf8(s)) {
        clean.cap = s.len * 3 + 1;
        buf_add_clean_utf8(&clean, s);
        s = buf_str(&clean);
    }
    buf_putc(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, s.ptr + from, i - from);
        from = i + 1;
        switch (c) {
        case '"':
            buf_puts(out, "\\\"");
            break;
        case '\\':
            buf_puts(out, "\\\\");
            break;
        case '\n':
            buf_puts(out, "\\n");
            break;
        case '\t':
            buf_puts(out, "\\t");
            break;
        case '\r':
            buf_puts(out, "\\r");
            break;
        default:
            buf_printf(out, "\\u%04x", c);
        }
    }
    buf_add(out, s.ptr + from, s.len - from);
    buf_putc(out, '"');
}

void jw_key_str(struct json_writer *w, struct str key)
{
    assert(w->depth > 0 && !w->after_key);
    before_value(w);
    add_quoted(w->out, key);
    buf_putc(w->out, ':');
    w->after_key = true;
}

void jw_key(struct json_writer *w, const char *key)
{
    jw_key_str(w, str_of(key));
}

/* Text that is JSON already. */
static void jw_raw(struct json_writer *w, struct str json)
{
    before_value(w);
    buf_add_str(w->out, json);
}

void jw_null(struct json_writer *w)
{
    jw_raw(w, STR("null"));
}

void jw_bool(struct json_writer *w, bool v)
{
    jw_raw(w, v ? STR("true") : STR("false"));
}

void jw_int(struct json_writer *w, int64_t v)
{
    before_value(w);
    buf_printf(w->out, "%" PRId64, v);
}

/* The digits of whole / 10^decimals at the end of `text`. */
static struct str decimal_text(uint64_t whole, unsigned decimals, bool is_negative, char text[static 32])
{
    char *at = text + 32;
    for (unsigned digits = 0; whole || digits <= decimals; whole /= 10) {
        *--at = (char)('0' + whole % 10);
        if (++digits == decimals)
            *--at = '.';
    }
    if (is_negative)
        *--at = '-';
    return (struct str){at, (size_t)(text + 32 - at)};
}

/*
 * The shortest decimal of most numbers, many times faster than printf: below 2^53 and with at most 22
 * places the division is of two exact numbers, so that its result is the one that the text stands for.
 */
static bool short_decimal(double v, char text[static 32], struct str *ret)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double size = fabs(v);
    for (unsigned i = 0; i < ARRAY_LEN(tens) && size * tens[i] < 9007199254740992.0; i++) {
        double whole = nearbyint(size * tens[i]), back = whole / tens[i];
        if (back < size || back > size)
            continue;
        *ret = decimal_text((uint64_t)whole, i, v < 0, text);
        return true;
    }
    return false;
}

void jw_double(struct json_writer *w, double v)
{
    if (!isfinite(v)) {
        jw_null(w);
        return;
    }
    if (!(v < 0) && !(v > 0))
        v = 0; /* not -0 */
    char text[32];
    struct str decimal;
    if (short_decimal(v, text, &decimal)) {
        jw_raw(w, decimal);
        return;
    }
    /* What is neither very small nor very large has more than 15 digits now. */
    bool is_long = fabs(v) > 1e-6 && fabs(v) < 1e15;
    for (int precision = is_long ? 16 : 6; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, v);
        double back;
        if (str_to_double(str_of(text), &back) && !(back < v) && !(back > v))
            break;
    }
    jw_raw(w, str_of(text));
}

void jw_str(struct json_writer *w, struct str v)
{
    before_value(w);
    add_quoted(w->out, v);
}

void jw_text(struct json_writer *w, const char *v)
{
    if (v)
        jw_str(w, str_of(v));
    else
        jw_null(w);
}

void jw_time(struct json_writer *w, int64_t us)
{
    if (us == TIME_NONE) {
        jw_null(w);
        return;
    }
    char text[TIME_TEXT_MAX];
    jw_text(w, time_format(us, text));
}

void jw_kv_object(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_object(w);
}

void jw_kv_array(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_array(w);
}

void jw_kv_null(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_null(w);
}

void jw_kv_bool(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

void jw_kv_int(struct json_writer *w, const char *key, int64_t v)
{
    jw_key(w, key);
    jw_int(w, v);
}

void jw_kv_double(struct json_writer *w, const char *key, double v)
{
    jw_key(w, key);
    jw_double(w, v);
}

void jw_kv_text(struct json_writer *w, const char *key, const char *v)
{
    jw_key(w, key);
    jw_text(w, v);
}

void jw_kv_str(struct json_writer *w, const char *key, struct str v)
{
    jw_key(w, key);
    jw_str(w, v);
}

void jw_kv_time(struct json_writer *w, const char *key, int64_t us)
{
    jw_key(w, key);
    jw_time(w, us);
}
