/* The description of the API (OpenAPI 3.1), made of api.json, the route table and the queries by
 * tools/embed_openapi.py: everything but what is known only when the program runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Of each row of the route table, in its order: the parameters that its address may have, each with a
 * blank before and after it; NULL where the handler sees to it itself. */
extern const char *const api_parameters[];
/* JSON types, as bits: a number without a fraction is both. */
enum {
    BODY_OBJECT = 1,
    BODY_ARRAY = 2,
    BODY_STRING = 4,
    BODY_INTEGER = 8,
    BODY_NUMBER = 16,
    BODY_BOOLEAN = 32,
    BODY_NULL = 64,
};
struct api_member {
    const char *name;
    unsigned types;
    unsigned item_types; /* of a list's items */
    const char *words;   /* "viewer|admin": what a text must be one of; NULL: any */
    bool is_needed;
};
/* Of each row: how large a body may be that is no file, and the object that it is; no members: nothing
 * is read of it. */
struct api_body {
    size_t most_bytes;
    const struct api_member *members;
    size_t count;
};
extern const struct api_body api_bodies[];
/* Members of `components.securitySchemes`, of `components` and of the whole, each without the braces. */
extern const char api_schemes[];
extern const char api_components[];
extern const char api_paths[];
