/*
 * Answers that were given before, by key, in bounded memory: the least recently used go first. A
 * key names all that an answer depends on, the asker's scope and the data version among it. Any
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct cache;
struct cache *cache_new(size_t most_bytes);
void cache_free(struct cache *c); /* NULL is fine; nobody waits any more */

/* Appends the body to out; false when there is none, or it is past its time. */
bool cache_get(struct cache *c, const char *key, struct buf *out);
/* The same, but waits while another thread has claimed the key. False: it is the caller's now, who
 * works it out and ends the claim with cache_put() or cache_give_up(). */
bool cache_get_or_claim(struct cache *c, const char *key, struct buf *out);
/* Keeps a copy for that long, if it fits at all, and ends the claim if there is one. */
void cache_put(struct cache *c, const char *key, struct str body, int64_t for_us);
void cache_give_up(struct cache *c, const char *key);

/* Bytes and entries held now. */
size_t cache_bytes(struct cache *c);
size_t cache_count(struct cache *c);
