/*
 * The keys that a title is known by, as texts:
 *
 *   plex://movie/5d77…            the global id at Plex
 *   movie:imdb:tt1                an id at a provider
 *   file:movie:HASH               the file that it is played from; an episode's says which one, too,
 *                                 because a file may hold two
 *   item:plex-1:42                what a server calls it; says nothing about other servers
 *   text:movie:heat:1995          its names, as far as they say which one it is
 *   name:movie::heat              what it is called; joins nothing, but an item that is called otherwise may
 *                                 be something else
 *
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "model/observation.h"

/* The stronger first. */
enum title_key_kind { TITLE_KEY_GUID, TITLE_KEY_ID, TITLE_KEY_FILE, TITLE_KEY_ITEM, TITLE_KEY_TEXT,
                      TITLE_KEY_NAME };
enum title_key_kind title_key_kind(const char *key);

enum { TITLE_KEYS_MAX = 16 };
struct title_keys {
    struct arena arena;
    const char *key[TITLE_KEYS_MAX]; /* strongest first; at least one */
    size_t count;
    const char *item; /* the one of them that is its item; NULL: it is known by none */
};
void title_keys_build(const struct observation *o, struct title_keys *ret);
void title_keys_done(struct title_keys *k);

/* What ids at providers say about two sets of keys. Where both have ids at the same provider, the one that
 * is believed most decides. */
enum title_ids { TITLE_IDS_NOTHING, TITLE_IDS_SAME, TITLE_IDS_DIFFER };
enum { TITLE_RANKS = 4 };
/* What two single keys say; *rank of the provider is 0 for the most believed one, and no more than
 * TITLE_RANKS - 1. Keys that are no ids say nothing. */
enum title_ids title_keys_compare(const char *a, const char *b, unsigned *rank);
enum title_ids title_ids_compare(const char *const *a, size_t a_count, const char *const *b,
                                 size_t b_count);
