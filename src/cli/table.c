#include "cli/table.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { COLUMNS_MAX = 64, TEXT_MAX = 60 };

struct column {
    const char *key;
    char *title;
    bool is_duration;
    size_t width;
};

/* Places on the screen, nearly: characters, not bytes. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* "2026-01-02T03:04:05.678Z" reads better as "2026-01-02 03:04:05". */
static void put_text(struct buf *out, const char *s)
{
    int64_t us;
    size_t len = strlen(s);
    if (len >= 20 && s[len - 1] == 'Z' && s[10] == 'T' && time_parse(str_of(s), &us)) {
        buf_printf(out, "%.10s %.8s", s, s + 11);
        return;
    }
    buf_add_clean_utf8(out, str_of(s));
}

static void put_value(struct buf *out, const struct column *c, const json_t *v)
{
    char duration[DURATION_TEXT_MAX];
    buf_clear(out);
    if (json_is_integer(v) && c->is_duration)
        buf_puts(out, duration_format(json_integer_value(v) * US_PER_MS, duration));
    else if (json_is_integer(v))
        buf_printf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        buf_printf(out, "%.6g", json_real_value(v));
    else if (json_is_boolean(v))
        buf_puts(out, json_is_true(v) ? "yes" : "no");
    else if (json_is_string(v))
        put_text(out, json_string_value(v));
    else if (json_is_null(v))
        buf_putc(out, '-');
    else if (v != NULL) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        buf_puts(out, text ? text : "");
        free(text);
    }
}

static size_t columns_of(json_t *row, struct column columns[COLUMNS_MAX])
{
    size_t n = 0;
    void *i = json_object_iter(row);
    for (; i && n < COLUMNS_MAX; i = json_object_iter_next(row, i)) {
        struct column *c = &columns[n++];
        c->key = json_object_iter_key(i);
        size_t len = strlen(c->key);
        c->is_duration = len > 3 && streq(c->key + len - 3, "_ms");
        c->title = xstrndup(c->key, c->is_duration ? len - 3 : len);
        c->width = width_of(c->title);
    }
    return n;
}

static void pad(FILE *to, size_t n)
{
    for (; n > 0; n--)
        fputc(' ', to);
}

/* Cut after TEXT_MAX characters. */
static void put_cell(FILE *to, const struct column *c, const char *text, bool is_right, bool is_last)
{
    size_t width = width_of(text), room = c->width > width ? c->width - width : 0;
    if (is_right)
        pad(to, room);
    if (width > TEXT_MAX) {
        size_t bytes = 0, seen = 0;
        for (; seen < TEXT_MAX; bytes++)
            seen += ((unsigned char)text[bytes + 1] & 0xC0) != 0x80;
        fprintf(to, "%.*s…", (int)bytes, text);
        room = c->width - TEXT_MAX - 1;
    } else {
        fputs(text, to);
    }
    if (!is_last)
        pad(to, (is_right ? 0 : room) + 2);
}

void table_print(FILE *to, json_t *rows)
{
    struct column columns[COLUMNS_MAX];
    size_t n = columns_of(json_array_get(rows, 0), columns);
    auto_buf struct buf text = {0};
    size_t r;
    json_t *row;
    json_array_foreach(rows, r, row) {
        for (size_t c = 0; c < n; c++) {
            put_value(&text, &columns[c], json_object_get(row, columns[c].key));
            size_t width = width_of(buf_text(&text));
            if (width > columns[c].width)
                columns[c].width = width > TEXT_MAX ? TEXT_MAX + 1 : width;
        }
    }
    for (size_t c = 0; c < n; c++)
        put_cell(to, &columns[c], columns[c].title,
                 json_is_number(json_object_get(json_array_get(rows, 0), columns[c].key)),
                 c + 1 == n);
    if (n > 0)
        fputc('\n', to);
    json_array_foreach(rows, r, row) {
        for (size_t c = 0; c < n; c++) {
            const json_t *v = json_object_get(row, columns[c].key);
            put_value(&text, &columns[c], v);
            put_cell(to, &columns[c], buf_text(&text), json_is_number(v), c + 1 == n);
        }
        fputc('\n', to);
    }
    for (size_t c = 0; c < n; c++)
        free(columns[c].title);
}
