/* Bodies in JSON, before any handler sees them: an object of exactly the members that the description
 * names for the route, each of its type. What they say is the handler's to check. */
#include "api/openapi.h"
#include "api/request.h"
#include "base/json_read.h"

#include "base/banned.h"

enum { BODY_BYTES_MOST = 64 * 1024, DEPTH_MOST = 4 };

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

static enum status check_member(const struct api_member *m, const json_t *v, struct error *err)
{
    auto_buf struct buf right = {0};
    if (!v)
        return m->is_needed ? fail_field(err, STATUS_INVALID, m->name, "%s is missing", m->name)
                            : STATUS_OK;
    if (!(types_of(v) & m->types))
        return fail_field(err, STATUS_INVALID, m->name, "%s must be %s", m->name,
                          words_of(m->types, &right));
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

/* A NUL in a text, which all that reads it would take for its end, and a name twice are refused, too. */
static enum status parse(struct str text, json_t **ret, struct error *err)
{
    struct error why = {0};
    auto_json json_t *any = NULL;
    json_error_t strict = {0};
    if (json_parse(text, BODY_BYTES_MOST, DEPTH_MOST, &any, &why) != STATUS_OK)
        return fail(err, STATUS_INVALID, "the body must be a JSON object: %s", why.text);
    if (str_has_prefix(text, STR("\xef\xbb\xbf")))
        text = (struct str){text.ptr + 3, text.len - 3};
    *ret = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &strict);
    if (!json_is_object(*ret))
        return fail(err, STATUS_INVALID, "the body must be a JSON object%s%s", *ret ? "" : ": ",
                    *ret ? "" : strict.text);
    return STATUS_OK;
}

enum status request_check_body(const struct request *r, struct error *err)
{
    const struct api_body *b = &api_bodies[r->route - api_routes];
    if (b->count == 0)
        return STATUS_OK;
    auto_json json_t *root = NULL;
    TRY(parse(http_body(r->x), &root, err));
    const char *name;
    json_t *v;
    json_object_foreach(root, name, v)
        if (!find_member(b, name))
            return fail_field(err, STATUS_INVALID, name, "there is no member '%.60s'", name);
    for (size_t i = 0; i < b->count; i++)
        TRY(check_member(&b->members[i], jget(root, b->members[i].name), err));
    return STATUS_OK;
}
