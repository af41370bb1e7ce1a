/* What the query of an address may have, before any handler sees it: the parameters that the description
 * names for the route, each once, as UTF-8 text. What they say is the handler's to check. */
#include "api/openapi.h"
#include "api/request.h"

#include "base/banned.h"

enum { DIFFERENT_MOST = 64 };

struct check {
    const char *allowed; /* names with blanks around; NULL: any */
    const char *seen[DIFFERENT_MOST];
    size_t count;
    enum status status;
    struct error *err;
};

static bool is_allowed(const char *allowed, const char *name)
{
    char word[ERROR_FIELD_MAX];
    if (!allowed)
        return true;
    int n = snprintf(word, sizeof word, " %s ", name);
    return n > 2 && (size_t)n < sizeof word && strchr(name, ' ') == NULL && strstr(allowed, word);
}

static enum status check_one(struct check *c, const char *name, const char *value)
{
    if (!*name && !*value) /* of a & too many */
        return STATUS_OK;
    if (!str_is_utf8(str_of(name)))
        return fail_field(c->err, STATUS_INVALID, "", "the name of a parameter is no UTF-8 text");
    if (!is_allowed(c->allowed, name))
        return fail_field(c->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    for (size_t i = 0; i < c->count; i++)
        if (streq(c->seen[i], name))
            return fail_field(c->err, STATUS_INVALID, name, "'%.60s' is there twice", name);
    if (c->count == DIFFERENT_MOST)
        return fail_field(c->err, STATUS_INVALID, name, "there are more than %d parameters",
                          DIFFERENT_MOST);
    c->seen[c->count++] = name;
    if (!str_is_utf8(str_of(value)))
        return fail_field(c->err, STATUS_INVALID, name, "%.60s must be UTF-8 text", name);
    return STATUS_OK;
}

static bool check_next(void *ctx, const char *name, const char *value)
{
    struct check *c = ctx;
    c->status = check_one(c, name, value);
    return c->status == STATUS_OK;
}

enum status request_check_parameters(const struct request *r, struct error *err)
{
    const char *with_nul = http_query_with_nul(r->x);
    if (with_nul)
        return fail_field(err, STATUS_INVALID, with_nul, "%.60s has a NUL byte in it", with_nul);
    struct check c = {.allowed = api_parameters[r->route - api_routes], .err = err};
    http_query_each(r->x, check_next, &c);
    return c.status;
}
