/*
 * The small tables facts point at: server, account, person, library, title, device, quality,
 * address, place. Ids are looked up in memory; a new row is inserted by the caller's open
 * transaction. Ids are given out in the order of processing, so the same log gives the same rows.
 *
 * Writer thread only. After a ROLLBACK call dims_load() again: what was given out is gone. With no
 * connection (NULL) ids are given out in memory only, for a trial that leaves no trace; such a
 * struct dims is the caller's own, in any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/observation.h"
#include "places/places.h"
#include "store/store.h"

/* Where an address is: places_lookup(). */
typedef void place_lookup(void *ctx, const char *address, struct place_found *ret);

struct dims;
struct titles;
struct dims *dims_new(place_lookup *lookup, void *ctx); /* lookup NULL: class "unknown", no place */
void dims_free(struct dims *d);
/* Reads all ids from the store. */
enum status dims_load(struct dims *d, struct store_conn *c, struct error *err);

/* What a session's facts point at. 0 is unknown (NULL in the store). */
struct fact_ids {
    int32_t server, account, title, library, device, quality, address;
};
enum status dims_resolve(struct dims *d, struct store_conn *c, const struct observation *o,
                         struct fact_ids *ret, struct error *err);

/* A server by its configured key; made with that key where it is new. */
enum status dims_server(struct dims *d, struct store_conn *c, const char *key, int32_t *ret,
                        struct error *err);
/* A Plex server has said which machine it is: a server that was made for an import before this one
 * was known, and is the same machine (or was said to be none, where there is no other), becomes this
 * one, with all that was imported. Does nothing where this one has accounts of its own already. */
enum status dims_adopt_server(struct dims *d, struct store_conn *c, const char *key,
                              const char *machine_id, struct error *err);
/* The row of `title` of an item; only the members that say what and on which server count. Which rows are
 * one title: titles_match(). */
enum status dims_title(struct dims *d, struct store_conn *c, const struct observation *item,
                       int32_t *ret, struct error *err);
struct titles *dims_titles(const struct dims *d); /* borrowed */
/* An account; name and e-mail "" leave what is known, others replace it. A new one is a person of its
 * own until people_match(). */
enum status dims_account(struct dims *d, struct store_conn *c, int32_t server, const char *key,
                         const char *name, const char *email, int32_t *ret, struct error *err);
enum status dims_library(struct dims *d, struct store_conn *c, int32_t server, const char *key,
                         const char *name, int32_t *ret, struct error *err);
/* How it was shown and delivered, by the members that say so. */
enum status dims_device(struct dims *d, struct store_conn *c, const struct observation *o,
                        int32_t *ret, struct error *err);
enum status dims_quality(struct dims *d, struct store_conn *c, const struct observation *o,
                         int32_t *ret, struct error *err);
/* 0 where the address is "". */
enum status dims_address(struct dims *d, struct store_conn *c, const char *address, int32_t *ret,
                         struct error *err);

/* An account that is there already, or 0; whose it is. */
int32_t dims_known_account(const struct dims *d, int32_t server, const char *key);
int32_t dims_person(const struct dims *d, int32_t account);
void dims_set_person(struct dims *d, int32_t account, int32_t person);
/* A person without accounts. */
enum status dims_new_person(struct dims *d, struct store_conn *c, const char *name, int32_t *ret,
                            struct error *err);
/* Whether accounts or what they are recognised by may have changed; until it is said that they have
 * not. */
bool dims_has_news_of_people(const struct dims *d);
void dims_set_news_of_people(struct dims *d, bool has);

/* Many rows at once: between begin and end new rows wait in memory and are written together by
 * dims_bulk_end(), or are lost by dims_bulk_drop(), after which comes a ROLLBACK. */
void dims_bulk_begin(struct dims *d);
enum status dims_bulk_end(struct dims *d, struct error *err);
void dims_bulk_drop(struct dims *d);
