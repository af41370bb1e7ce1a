/*
 * Small readings shared by the sources: addresses, resolutions, texts out of JSON. Any thread;
 * texts are kept in the arena given.
 */
#pragma once

#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/observation.h"

/* Text or number of a member as text in the arena; "" when absent; cut at 1000 bytes. */
const char *fact_text(struct arena *a, const json_t *obj, const char *key);
/* Number of a member, -1 when absent or negative. */
int64_t fact_int(const json_t *obj, const char *key);
/* In lower case. */
const char *fact_lower(struct arena *a, const char *s);
/* The address without brackets, port, zone and IPv4-in-IPv6 prefix; "" when it is none. */
const char *fact_address(struct arena *a, const char *s);
/* Loopback, private, link-local, carrier-grade and unique-local ranges. */
bool fact_address_is_private(const char *address);
/* "sd" to "8k" from a size; "" when unknown. */
const char *fact_resolution(int64_t width, int64_t height);
/* 1000 a kilo; -1 for nothing and for the values that mean "no limit". */
int64_t fact_kbps(int64_t bits_per_second);
/* observation.file_key: a hash of where a file lies, how large and how long it is; "" where that is not
 * known. The same for a file that is added again, whatever its item is called. */
const char *fact_file_key(struct arena *a, const char *path, int64_t size_bytes, int64_t duration_ms);
