/* GET /openapi.json: the description as the build makes it, with what is known only now. */
#include "api/openapi.h"

#include "api/request.h"

#include "base/banned.h"

void handle_openapi(struct request *r)
{
    const char *base = r->api->config.config->base_path;
    struct buf out = {0};
    buf_printf(&out,
               "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Cartographus\",\"version\":\"%s\"},"
               "\"servers\":[{\"url\":\"%s\"}],\"components\":{\"securitySchemes\":{"
               "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"%s\"},",
               r->api->config.version, *base ? base : "/", AUTH_COOKIE);
    buf_puts(&out, api_schemes);
    buf_puts(&out, "},");
    buf_puts(&out, api_components);
    buf_puts(&out, "},");
    buf_puts(&out, api_paths);
    buf_putc(&out, '}');
    request_reply(r, 200, &out);
}
