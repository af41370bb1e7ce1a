#include "api/assets.h"

#include <stdlib.h>

#include "base/str.h"
#include "net/http_server.h"

#include "base/banned.h"

static int by_path(const void *key, const void *row)
{
    return strcmp(key, ((const struct asset *)row)->path);
}

static const struct asset *find(const char *path)
{
    return bsearch(path, assets, asset_count, sizeof assets[0], by_path);
}

static bool accepts_gzip(const struct http_exchange *x)
{
    const char *accepted = http_header(x, "Accept-Encoding");
    struct str rest = str_of(accepted), piece;
    while (str_next(&rest, ',', &piece)) {
        struct str coding;
        struct str value = str_trim(piece);
        if (!str_next(&value, ';', &coding) || !str_eq_nocase(str_trim(coding), STR("gzip")))
            continue;
        struct str quality = str_trim(value);
        return !str_eq(quality, STR("q=0")) && !str_eq(quality, STR("q=0.0"));
    }
    return false;
}

static void reply_asset(struct http_exchange *x, const struct asset *a)
{
    bool is_gzip = a->gzip != NULL && accepts_gzip(x);
    char etag[64];
    snprintf(etag, sizeof etag, "\"%s%s\"", a->hash, is_gzip ? "-gz" : "");
    http_add_header(x, "ETag", etag);
    http_add_header(x, "Vary", "Accept-Encoding");
    http_add_header(x, "Cache-Control",
                    a->is_hashed ? "public, max-age=31536000, immutable" : "no-cache");
    const char *known = http_header(x, "If-None-Match");
    if (known != NULL && strstr(known, etag) != NULL) {
        http_reply_static(x, 304, NULL, STR(""));
        return;
    }
    struct str body = {a->plain, (size_t)(a->plain_end - a->plain)};
    if (is_gzip) {
        http_add_header(x, "Content-Encoding", "gzip");
        body = (struct str){a->gzip, (size_t)(a->gzip_end - a->gzip)};
    }
    http_reply_static(x, 200, a->type, body);
}

void assets_reply(struct http_exchange *x)
{
    const char *path = http_path(x);
    const struct asset *a = find(path);
    if (a == NULL && str_has_prefix(str_of(path), STR("/assets/"))) {
        http_reply_static(x, 404, "text/plain; charset=utf-8", STR("not found\n"));
        return;
    }
    if (a == NULL)
        a = find("/index.html");
    if (a == NULL) {
        http_reply_static(x, 503, "text/html; charset=utf-8",
                          STR("<!doctype html><title>Cartographus</title><p>The page is not part "
                              "of this build. Run <code>make build</code>; the API is at "
                              "<a href=\"/api/v1/health\">/api/v1/health</a>.\n"));
        return;
    }
    reply_asset(x, a);
}
