/*
 * JSON from outside: jansson with limits, and getters that forgive what real servers send (a
 * number as a string, 1 for true, a missing field). Values are borrowed from the tree.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* Parses text of at most max_bytes and max_depth levels. A byte-order mark is skipped. The caller
 * owns *ret_root (json_decref, or auto_json). */
enum status json_parse(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret_root,
                       struct error *err);
/* The same of what is taken at its word: an object, no name in it twice, and no NUL in a text, which all
 * that reads it would take for its end. */
enum status json_parse_strict(struct str text, size_t max_bytes, unsigned max_depth, json_t **ret_root,
                              struct error *err);

/* Overwrites the texts of a tree that nobody else holds, for some may be secrets, and frees it. NULL is
 * fine. What the parser itself needed meanwhile is not ours to overwrite. */
void json_free_wiped(json_t *root);

static inline void auto_json_fn(json_t **j)
{
    json_decref(*j);
}
#define auto_json __attribute__((cleanup(auto_json_fn)))

/* Member of an object, or NULL; `obj` may be NULL or no object. */
json_t *jget(const json_t *obj, const char *key);
/* Member at a dotted path ("MediaContainer.Metadata"), or NULL. */
json_t *jpath(const json_t *obj, const char *path);
/* Text; a number is rendered into `scratch`. NULL when absent, null, or not a scalar. */
const char *jtext(const json_t *obj, const char *key, char scratch[static 32]);
/* Text of a string member, else "". */
const char *jstr(const json_t *obj, const char *key);
/* Integer from integer, real, numeric text or boolean; `fallback` otherwise. */
int64_t jint(const json_t *obj, const char *key, int64_t fallback);
double jdouble(const json_t *obj, const char *key, double fallback);
/* 1 true, 0 false, -1 unknown; from boolean, number, "1", "0", "true", "false". */
int jbool(const json_t *obj, const char *key);
