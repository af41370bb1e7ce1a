/* Bodies in JSON, read once and before any handler: an object of exactly the members that the description
 * names for the route, each of its type and one of its words. What they say is the handler's to check. */
#include "api/openapi.h"
#include "api/request.h"
#include "base/json_read.h"

#include "base/banned.h"

enum { DEPTH_MOST = 4 };

static unsigned types_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return BODY_OBJECT;
    case JSON_ARRAY:
        return BODY_ARRAY;
    case JSON_STRING:
        return BODY_STRING;
    case JSON_INTEGER:
        return BODY_INTEGER | BODY_NUMBER;
    case JSON_REAL:
        return BODY_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return BODY_BOOLEAN;
    case JSON_NULL:
        return BODY_NULL;
    }
    return 0;
}

/* "text or null" */
static const char *words_of(unsigned types, struct buf *out)
{
    static const struct {
        unsigned type;
        const char *word;
    } words[] = {{BODY_OBJECT, "an object"}, {BODY_ARRAY, "a list"}, {BODY_STRING, "text"},
                 {BODY_INTEGER, "a whole number"}, {BODY_NUMBER, "a number"},
                 {BODY_BOOLEAN, "true or false"}, {BODY_NULL, "null"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (types & words[i].type)
            buf_printf(out, "%s%s", out->len ? " or " : "", words[i].word);
    return buf_text(out);
}

/* One of "viewer|admin". */
static enum status check_words(const struct api_member *m, const char *given, struct error *err)
{
    auto_buf struct buf right = {0};
    struct str rest = str_of(m->words), word;
    while (str_next(&rest, '|', &word)) {
        if (str_eq(word, str_of(given)))
            return STATUS_OK;
        buf_printf(&right, "%s%.*s", right.len == 0 ? "" : rest.ptr ? ", " : " or ",
                   (int)word.len, word.ptr);
    }
    return fail_field(err, STATUS_INVALID, m->name, "'%.60s' in %s is not right; it must be %s", given,
                      m->name, buf_text(&right));
}

static enum status check_member(const struct api_member *m, const json_t *v, struct error *err)
{
    auto_buf struct buf right = {0};
    if (!v)
        return m->is_needed ? fail_field(err, STATUS_INVALID, m->name, "%s is missing", m->name)
                            : STATUS_OK;
    if (!(types_of(v) & m->types))
        return fail_field(err, STATUS_INVALID, m->name, "%s must be %s", m->name,
                          words_of(m->types, &right));
    if (m->words && json_is_string(v))
        return check_words(m, json_string_value(v), err);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!(types_of(json_array_get(v, i)) & m->item_types))
            return fail_field(err, STATUS_INVALID, m->name, "%s must be a list; each of it %s", m->name,
                              words_of(m->item_types, &right));
    return STATUS_OK;
}

static const struct api_member *find_member(const struct api_body *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (streq(b->members[i].name, name))
            return &b->members[i];
    return NULL;
}

enum status request_read_body(struct request *r, struct error *err)
{
    const struct api_body *b = &api_bodies[r->route - api_routes];
    struct error why = {0};
    const char *name;
    json_t *v;
    if (b->count == 0)
        return STATUS_OK;
    if (json_parse_strict(http_body(r->x), b->most_bytes, DEPTH_MOST, &r->body, &why) != STATUS_OK)
        return fail(err, STATUS_INVALID, "the body must be a JSON object: %s", why.text);
    json_object_foreach(r->body, name, v)
        if (!find_member(b, name))
            return fail_field(err, STATUS_INVALID, name, "there is no member '%.60s'", name);
    for (size_t i = 0; i < b->count; i++)
        TRY(check_member(&b->members[i], jget(r->body, b->members[i].name), err));
    return STATUS_OK;
}
