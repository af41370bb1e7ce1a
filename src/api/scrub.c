#include "api/scrub.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/address.h"
#include "base/json_read.h"
#include "base/mem.h"

#include "base/banned.h"

enum { NAME_LEAST = 3, KNOWN_MOST = 20000, KIND_MAX = 32 };

struct known {
    char *text;
    char kind[KIND_MAX];
    unsigned number;
};

struct scrubber {
    struct known *known;
    size_t count;
    char **names; /* longest first */
    size_t name_count;
};

struct scrubber *scrubber_new(void)
{
    return xcalloc(1, sizeof(struct scrubber));
}

void scrubber_free(struct scrubber *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->known[i].text);
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i]);
    free(s->known);
    free(s->names);
    free(s);
}

void scrubber_add_name(struct scrubber *s, const char *name)
{
    if (name == NULL || strlen(name) < NAME_LEAST)
        return;
    s->names = xrealloc(s->names, (s->name_count + 1) * sizeof *s->names);
    size_t at = s->name_count++;
    /* A name that is a part of another comes after it. */
    for (; at > 0 && strlen(s->names[at - 1]) < strlen(name); at--)
        s->names[at] = s->names[at - 1];
    s->names[at] = xstrdup(name);
}

/* "kind-3" for the third of its kind. */
static void add_pseudonym(struct scrubber *s, const char *kind, struct str text, struct buf *out)
{
    unsigned number = 1;
    for (size_t i = 0; i < s->count; i++) {
        if (!streq(s->known[i].kind, kind))
            continue;
        if (str_eq(str_of(s->known[i].text), text)) {
            buf_printf(out, "%s-%u", kind, s->known[i].number);
            return;
        }
        number++;
    }
    if (s->count == KNOWN_MOST) {
        buf_printf(out, "%s-x", kind);
        return;
    }
    s->known = xrealloc(s->known, (s->count + 1) * sizeof *s->known);
    struct known *k = &s->known[s->count++];
    *k = (struct known){.text = xstrndup(text.ptr, text.len), .number = number};
    snprintf(k->kind, sizeof k->kind, "%s", kind);
    buf_printf(out, "%s-%u", kind, number);
}

/* --- words ------------------------------------------------------------------------------------- */

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || c == '_';
}

static bool begins_with(struct str s, const char *name)
{
    size_t n = strlen(name);
    return s.len >= n && strncasecmp(s.ptr, name, n) == 0 &&
           (s.len == n || !is_word_byte(s.ptr[n]) || !is_word_byte(name[n - 1]));
}

/* A name at the beginning of `rest`, as it was added; NULL: none. */
static const char *name_at(const struct scrubber *s, struct str rest)
{
    for (size_t i = 0; i < s->name_count; i++)
        if (begins_with(rest, s->names[i]))
            return s->names[i];
    return NULL;
}

/* A quoted text at the beginning; its length with both quotes, 0: none. */
static size_t quoted_at(struct str rest)
{
    char quote = rest.ptr[0];
    if (quote != '\'' && quote != '"' && quote != '`')
        return 0;
    for (size_t i = 1; i < rest.len; i++)
        if (rest.ptr[i] == quote && (i + 1 == rest.len || !is_word_byte(rest.ptr[i + 1])))
            return i + 1;
    return rest.len; /* cut short: the rest of it */
}

static bool is_end(char c)
{
    return isspace((unsigned char)c) || strchr("\"'`()<>{},;=", c) != NULL;
}

static bool has(struct str word, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= word.len; i++)
        if (memcmp(word.ptr + i, what, n) == 0)
            return true;
    return false;
}

/* nas.local, example.org:32400; but not 1.40.1.8227-c0dd5a73e, whose last part is no name. */
static bool is_host(struct str word)
{
    size_t last = 0, end = 0;
    while (end < word.len && word.ptr[end] != ':')
        end++;
    for (size_t i = 1; i < end; i++)
        if (word.ptr[i - 1] == '.')
            last = i;
    return last > 1 && last < end && (isalpha((unsigned char)word.ptr[last]) ||
                                      (unsigned char)word.ptr[last] >= 0x80);
}

/* What a word may be that is nobody's business; NULL: it may stay. */
static const char *kind_of(struct str word)
{
    struct address a;
    struct str inner = word;
    if (inner.len > 1 && inner.ptr[0] == '[' && inner.ptr[inner.len - 1] == ']')
        inner = (struct str){inner.ptr + 1, inner.len - 2};
    if (has(word, "://"))
        return "url";
    if (address_parse(word, &a) || address_parse(inner, &a))
        return "address";
    if (word.len > 1 && (word.ptr[0] == '/' || has(word, "./") || has(word, "~/")))
        return "path";
    if (has(word, "@"))
        return "text";
    return is_host(word) ? "host" : NULL;
}

static size_t word_at(struct str rest)
{
    size_t n = 0;
    while (n < rest.len && !is_end(rest.ptr[n]))
        n++;
    bool is_url = has((struct str){rest.ptr, n}, "://"); /* with its query */
    while (is_url && n < rest.len && (!is_end(rest.ptr[n]) || strchr(",;=", rest.ptr[n])))
        n++;
    /* The end of a sentence or clause is not its own. */
    while (n > 1 && strchr(".:!?", rest.ptr[n - 1]) && !(n > 2 && rest.ptr[n - 2] == ':'))
        n--;
    return n;
}

void scrub_text(struct scrubber *s, struct str text, struct buf *out)
{
    bool is_start = true; /* of a word */
    while (text.len > 0) {
        const char *name = is_start ? name_at(s, text) : NULL, *kind = name ? "name" : NULL;
        size_t n = name ? strlen(name) : 0;
        if (!n && is_start && (n = quoted_at(text)) > 0)
            kind = "text";
        if (!n && is_start && (n = word_at(text)) > 0)
            kind = kind_of((struct str){text.ptr, n});
        if (kind != NULL) {
            add_pseudonym(s, kind, name ? str_of(name) : (struct str){text.ptr, n}, out);
            is_start = true;
        } else {
            /* A byte at a time: within a word that stays a name may begin, after a hyphen. */
            n = 1;
            buf_putc(out, text.ptr[0]);
            is_start = !is_word_byte(text.ptr[0]);
        }
        text = (struct str){text.ptr + n, text.len - n};
    }
}

/* --- lines of the log -------------------------------------------------------------------------- */

/* Keys whose words are the program's own. */
static bool is_harmless(struct str key)
{
    static const char *const keys[] = {"time", "level", "module", "msg", "thread", "request",
                                       "request_id", "method", "part", "kind", "option", "switch",
                                       "state", "step"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(key, str_of(keys[i])))
            return true;
    return false;
}

/* Keys whose numbers may be somebody's name. */
static bool is_personal(struct str key)
{
    static const char *const keys[] = {"user",  "account", "name", "person",  "address", "client",
                                       "title", "host",    "file", "session", "server",  "url"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(key, str_of(keys[i])))
            return true;
    return false;
}

/* Takes "key=value" off the front; value is with its quotes. */
static bool next_pair(struct str *line, struct str *ret_key, struct str *ret_value)
{
    *line = str_trim(*line);
    size_t n = 0, end;
    while (n < line->len && (is_word_byte(line->ptr[n])))
        n++;
    if (n == 0 || n == line->len || line->ptr[n] != '=')
        return false;
    *ret_key = (struct str){line->ptr, n};
    end = ++n;
    if (end < line->len && line->ptr[end] == '"') {
        for (end++; end < line->len && line->ptr[end] != '"'; end++)
            end += line->ptr[end] == '\\';
        end = end < line->len ? end + 1 : line->len;
    } else {
        while (end < line->len && line->ptr[end] != ' ')
            end++;
    }
    *ret_value = (struct str){line->ptr + n, end - n};
    *line = (struct str){line->ptr + end, line->len - end};
    return true;
}

/* The words of an error, as JSON has them, without quotes. */
static void scrub_error(struct scrubber *s, struct str value, struct buf *out)
{
    auto_buf struct buf wrapped = {0}, clean = {0};
    auto_json json_t *parsed = NULL;
    if (value.len > 0 && value.ptr[0] == '"') {
        buf_printf(&wrapped, "[%.*s]", (int)value.len, value.ptr);
        if (json_parse(buf_str(&wrapped), wrapped.len + 1, 2, &parsed, NULL) != STATUS_OK)
            return;
        value = str_of(json_string_value(json_array_get(parsed, 0)));
    }
    scrub_text(s, value, &clean);
    buf_printf(out, "[%s]", buf_text(&clean));
}

static void scrub_line(struct scrubber *s, struct str line, struct buf *out)
{
    struct str key, value;
    double number;
    size_t began = out->len;
    bool is_login = false;
    while (next_pair(&line, &key, &value)) {
        buf_printf(out, "%s%.*s=", out->len > began ? " " : "", (int)key.len, key.ptr);
        is_login = is_login || (str_eq(key, STR("module")) && str_eq(value, STR("auth")));
        if (is_harmless(key))
            buf_add_str(out, value);
        else if (str_to_double(value, &number) && !is_personal(key))
            buf_add_str(out, value);
        else if (str_eq(key, STR("error")) && !is_login) /* who was refused may be in it */
            scrub_error(s, value, out);
        else {
            char kind[KIND_MAX];
            snprintf(kind, sizeof kind, "%.*s", (int)key.len, key.ptr);
            add_pseudonym(s, kind, value, out);
        }
    }
    if (out->len > began)
        buf_putc(out, '\n');
}

void scrub_log(struct scrubber *s, struct str lines, struct buf *out)
{
    struct str line;
    while (str_next(&lines, '\n', &line))
        scrub_line(s, line, out);
}
