/*
 * A streaming JSON writer over a buf: no tree, no commas by hand. What it writes always parses,
 * whatever the strings hold (bad UTF-8 becomes U+FFFD). One owner at a time.
 *
 * Invariant: calls nest as JSON does; a value in an object follows a key. Depth is at most
 * JSON_DEPTH_MAX; breaking either is a programming error and asserts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { JSON_DEPTH_MAX = 32 };

struct json_writer {
    struct buf *out;
    unsigned depth;
    bool has_items[JSON_DEPTH_MAX];
    bool after_key;
};

void jw_begin(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_key_str(struct json_writer *w, struct str key);

void jw_null(struct json_writer *w);
void jw_bool(struct json_writer *w, bool v);
void jw_int(struct json_writer *w, int64_t v);
/* Shortest text that reads back the same; NaN and infinities become null. */
void jw_double(struct json_writer *w, double v);
void jw_str(struct json_writer *w, struct str v);
/* NULL becomes null. */
void jw_text(struct json_writer *w, const char *v);
/* RFC 3339 text, or null for TIME_NONE. */
void jw_time(struct json_writer *w, int64_t us);

void jw_kv_object(struct json_writer *w, const char *key);
void jw_kv_array(struct json_writer *w, const char *key);
void jw_kv_null(struct json_writer *w, const char *key);
void jw_kv_bool(struct json_writer *w, const char *key, bool v);
void jw_kv_int(struct json_writer *w, const char *key, int64_t v);
void jw_kv_double(struct json_writer *w, const char *key, double v);
void jw_kv_text(struct json_writer *w, const char *key, const char *v);
void jw_kv_str(struct json_writer *w, const char *key, struct str v);
void jw_kv_time(struct json_writer *w, const char *key, int64_t us);
