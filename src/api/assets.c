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

/* True after having answered that the asker has it already. */
static bool is_known(struct http_exchange *x, const char *etag, const char *cache_control)
{
    http_add_header(x, "ETag", etag);
    http_add_header(x, "Cache-Control", cache_control);
    const char *known = http_header(x, "If-None-Match");
    if (known == NULL || strstr(known, etag) == NULL)
        return false;
    http_reply_static(x, 304, NULL, STR(""));
    return true;
}

static void reply_asset(struct http_exchange *x, const struct asset *a)
{
    bool is_gzip = a->gzip != NULL && accepts_gzip(x);
    char etag[64];
    snprintf(etag, sizeof etag, "\"%s%s\"", a->hash, is_gzip ? "-gz" : "");
    http_add_header(x, "Vary", "Accept-Encoding");
    if (is_known(x, etag, a->is_hashed ? "public, max-age=31536000, immutable" : "no-cache"))
        return;
    struct str body = {a->plain, (size_t)(a->plain_end - a->plain)};
    if (is_gzip) {
        http_add_header(x, "Content-Encoding", "gzip");
        body = (struct str){a->gzip, (size_t)(a->gzip_end - a->gzip)};
    }
    http_reply_static(x, 200, a->type, body);
}

/* The build writes the page's addresses as "./NAME". A page deep below would look for them beside
 * itself, so they become "BASE/NAME"; from the icon's the page learns what its base is. */
void page_init(struct page *p, const char *base_path)
{
    *p = (struct page){0};
    const struct asset *a = find("/index.html");
    if (a == NULL)
        return;
    static const char mark[] = "\"./";
    const char *from = a->plain, *at;
    while ((at = memmem(from, (size_t)(a->plain_end - from), mark, sizeof mark - 1)) != NULL) {
        buf_add(&p->html, from, (size_t)(at - from));
        buf_printf(&p->html, "\"%s/", base_path);
        from = at + sizeof mark - 1;
    }
    buf_add(&p->html, from, (size_t)(a->plain_end - from));
    snprintf(p->etag, sizeof p->etag, "\"%s%s\"", a->hash, base_path);
}

void page_done(struct page *p)
{
    buf_done(&p->html);
}

static void reply_page(const struct page *p, struct http_exchange *x)
{
    if (p->html.len == 0) {
        http_reply_static(x, 503, "text/html; charset=utf-8",
                          STR("<!doctype html><title>Cartographus</title><p>The page is not part "
                              "of this build. Run <code>make build</code>; the API is at "
                              "/api/v1/health.\n"));
        return;
    }
    if (!is_known(x, p->etag, "no-cache"))
        http_reply_static(x, 200, "text/html; charset=utf-8", (struct str){p->html.data, p->html.len});
}

void assets_reply(const struct page *p, struct http_exchange *x)
{
    const char *path = http_path(x);
    const struct asset *a = streq(path, "/index.html") ? NULL : find(path);
    if (a != NULL)
        reply_asset(x, a);
    else if (str_has_prefix(str_of(path), STR("/assets/")))
        http_reply_static(x, 404, "text/plain; charset=utf-8", STR("not found\n"));
    else
        reply_page(p, x);
}
