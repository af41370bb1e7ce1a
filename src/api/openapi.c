/* The description of the API (OpenAPI 3.1): the route table and api.json together. */
#include "api/openapi.h"

#include "analytics/catalogue.h"
#include "api/request.h"
#include "base/mem.h"

#include "base/banned.h"

static const char *doc_of(const struct route *route, const char *path)
{
    for (size_t i = 0; i < api_doc_count; i++) {
        if (streq(api_docs[i].method, route->method) && streq(api_docs[i].pattern, path))
            return api_docs[i].json;
    }
    return "\"responses\":{}";
}

static const char *scoped_name(enum scoped s)
{
    switch (s) {
    case SCOPED_NOTHING:
        return "nothing";
    case SCOPED_FILTER:
        return "filter";
    case SCOPED_FRAMES:
        return "frames";
    }
    return "nothing";
}

static void write_operation(struct buf *out, const struct route *route, const char *path)
{
    struct json_writer w;
    buf_putc(out, '"');
    for (const char *c = route->method; *c != '\0'; c++)
        buf_putc(out, (char)(*c | 0x20));
    buf_puts(out, "\":{\"summary\":");
    jw_begin(&w, out);
    jw_text(&w, route->summary);
    buf_printf(out, ",\"x-role\":\"%s\",", role_name(route->role));
    if (route->role == ROLE_VIEWER) /* in what way it is limited to the viewer's own plays */
        buf_printf(out, "\"x-scoped\":\"%s\",", scoped_name(route->scoped));
    buf_printf(out, "\"security\":[%s],%s}",
               route->role == ROLE_NOBODY ? "" : "{\"session\":[]}", doc_of(route, path));
}

static bool is_first_of_its_path(size_t row)
{
    for (size_t i = 0; i < row; i++) {
        if (streq(api_routes[i].pattern, api_routes[row].pattern))
            return false;
    }
    return true;
}

/* Each query is a path of its own: its parameters and rows differ. */
static void write_queries(struct buf *out, const struct route *route)
{
    for (size_t i = 0; i < query_count; i++) {
        auto_free char *path = xasprintf("/analytics/%s", query_catalogue[i].name);
        buf_printf(out, ",\"/api/v1%s\":{", path);
        write_operation(out, route, path);
        buf_putc(out, '}');
    }
}

static void write_paths(struct buf *out)
{
    for (size_t i = 0; i < api_route_count; i++) {
        const char *pattern = api_routes[i].pattern;
        if (!is_first_of_its_path(i))
            continue;
        if (api_routes[i].handle == handle_query) {
            write_queries(out, &api_routes[i]);
            continue;
        }
        buf_printf(out, "%s\"/api/v1%s\":{", i == 0 ? "" : ",", pattern);
        for (size_t k = i; k < api_route_count; k++) {
            if (!streq(api_routes[k].pattern, pattern))
                continue;
            if (k > i)
                buf_putc(out, ',');
            write_operation(out, &api_routes[k], pattern);
        }
        buf_putc(out, '}');
    }
}

void handle_openapi(struct request *r)
{
    const char *base = r->api->config.config->base_path;
    struct buf out = {0};
    buf_printf(&out,
               "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Cartographus\",\"version\":\"%s\"},"
               "\"servers\":[{\"url\":\"%s\"}],"
               "\"components\":{\"securitySchemes\":{\"session\":{\"type\":\"apiKey\","
               "\"in\":\"cookie\",\"name\":\"%s\"}},%s},\"paths\":{",
               r->api->config.version, *base ? base : "/", AUTH_COOKIE, api_components);
    write_paths(&out);
    buf_puts(&out, "}}");
    request_reply(r, 200, &out);
}
