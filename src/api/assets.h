/* The page's files, embedded at build time by tools/embed_web.py. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct http_exchange;

struct asset {
    const char *path; /* "/index.html" */
    const char *type;
    const char *hash; /* of the content, for the ETag */
    const char *plain, *plain_end;
    const char *gzip, *gzip_end; /* NULL: no smaller */
    bool is_hashed;              /* its name changes with its content */
};

/* Sorted by path. */
extern const struct asset assets[];
extern const size_t asset_count;

/* index.html as it is served: its addresses begin with the base path. Empty: the page is not part of
 * this build. */
struct page {
    struct buf html;
    char etag[160];
};
void page_init(struct page *p, const char *base_path);
void page_done(struct page *p);

/* Answers a GET or HEAD outside /api: the file, or the page for any other path. http thread. */
void assets_reply(const struct page *p, struct http_exchange *x);
