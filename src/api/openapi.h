/* What goes in and out of each route, made of api.json by tools/embed_openapi.py. */
#pragma once

#include <stddef.h>

/* One operation: members of its OpenAPI object, without the braces. */
struct api_doc {
    const char *method;
    const char *pattern; /* as in the route table */
    const char *json;
};
extern const struct api_doc api_docs[];
extern const size_t api_doc_count;
/* Members of `components`, without the braces. */
extern const char api_components[];
