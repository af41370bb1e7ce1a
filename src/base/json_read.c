#include "base/json_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* Depth is checked before the parse, because jansson's own limit (2048) is a compile-time one. */
static bool is_too_deep(struct str text, unsigned max_depth)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return true;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
    }
    return false;
}

static enum status parse(struct str text, size_t max_bytes, unsigned max_depth, size_t how, json_t **ret_root,
                         struct error *err)
{
    if (text.len > max_bytes)
        return fail(err, STATUS_TOO_LARGE, "JSON of %zu bytes is over the limit of %zu", text.len,
                    max_bytes);
    if (str_has_prefix(text, STR("\xef\xbb\xbf"))) {
        text.ptr += 3;
        text.len -= 3;
    }
    struct str head = str_trim(text);
    if (head.len && head.ptr[0] == '<')
        return fail(err, STATUS_PROTOCOL, "expected JSON, got HTML or XML");
    if (is_too_deep(text, max_depth))
        return fail(err, STATUS_TOO_LARGE, "JSON is nested deeper than %u levels", max_depth);
    json_error_t why;
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_DECODE_ANY | how, &why);
    if (!root)
        return fail(err, STATUS_PROTOCOL, "not JSON: %s at line %d, column %d", why.text, why.line,
                    why.column);
    *ret_root = root;
    return STATUS_OK;
}

enum status json_parse(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret_root,
                       struct error *err)
{
    return parse(text, max_bytes, max_depth, JSON_ALLOW_NUL, ret_root, err);
}

enum status json_parse_strict(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret_root,
                              struct error *err)
{
    json_t *root = NULL;
    TRY(parse(text, max_bytes, max_depth, JSON_REJECT_DUPLICATES, &root, err));
    if (json_is_object(root)) {
        *ret_root = root;
        return STATUS_OK;
    }
    json_free_wiped(root);
    return fail(err, STATUS_PROTOCOL, "expected an object");
}

static void wipe(const json_t *v)
{
    const char *name;
    json_t *one;
    size_t i;
    if (json_is_string(v))
        secret_wipe((void *)(uintptr_t)json_string_value(v), json_string_length(v));
    json_array_foreach(v, i, one)
        wipe(one);
    json_object_foreach((json_t *)(uintptr_t)v, name, one)
        wipe(one);
}

void json_free_wiped(json_t *root)
{
    wipe(root);
    json_decref(root);
}

json_t *jget(const json_t *obj, const char *key)
{
    return json_object_get(obj, key);
}

json_t *jpath(const json_t *obj, const char *path)
{
    struct str rest = str_of(path), piece;
    json_t *at = NULL;
    while (str_next(&rest, '.', &piece)) {
        char key[64];
        if (piece.len >= sizeof key)
            return NULL;
        memcpy(key, piece.ptr, piece.len);
        key[piece.len] = '\0';
        at = json_object_get(at ? at : obj, key);
        if (!at)
            return NULL;
    }
    return at;
}

const char *jtext(const json_t *obj, const char *key, char scratch[static 32])
{
    const json_t *v = jget(obj, key);
    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_integer(v))
        snprintf(scratch, 32, "%" PRId64, (int64_t)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(scratch, 32, "%.15g", json_real_value(v));
    else if (json_is_boolean(v))
        snprintf(scratch, 32, "%s", json_is_true(v) ? "true" : "false");
    else
        return NULL;
    return scratch;
}

const char *jstr(const json_t *obj, const char *key)
{
    const char *s = json_string_value(jget(obj, key));
    return s ? s : "";
}

int64_t jint(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *v = jget(obj, key);
    if (json_is_integer(v))
        return (int64_t)json_integer_value(v);
    if (json_is_boolean(v))
        return json_is_true(v);
    double d;
    if (json_is_string(v)) {
        int64_t i;
        if (str_to_i64(str_of(json_string_value(v)), &i))
            return i;
        if (!str_to_double(str_of(json_string_value(v)), &d))
            return fallback;
    } else if (json_is_real(v)) {
        d = json_real_value(v);
    } else {
        return fallback;
    }
    return d >= -9.2e18 && d <= 9.2e18 ? (int64_t)d : fallback;
}

double jdouble(const json_t *obj, const char *key, double fallback)
{
    const json_t *v = jget(obj, key);
    if (json_is_number(v))
        return json_number_value(v);
    double d;
    if (json_is_string(v) && str_to_double(str_of(json_string_value(v)), &d))
        return d;
    return fallback;
}

int jbool(const json_t *obj, const char *key)
{
    const json_t *v = jget(obj, key);
    if (json_is_boolean(v))
        return json_is_true(v);
    if (json_is_integer(v))
        return json_integer_value(v) != 0;
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        if (streq(s, "1") || streq(s, "true"))
            return 1;
        if (streq(s, "0") || streq(s, "false"))
            return 0;
    }
    return -1;
}
