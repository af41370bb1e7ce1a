/* The page's files, embedded at build time by tools/embed_web.py. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

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

/* Answers a GET or HEAD outside /api: the file, or index.html for any other path. http thread. */
void assets_reply(struct http_exchange *x);
