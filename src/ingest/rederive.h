/*
 * From the store's inputs (session_in + observation, segment_in, view_in, decision), whose titles are taken
 * for what they count as (title_join), to its derived tables (segment, play): reads all of some accounts
 * and titles, or everything a stretch of time after the other, runs the pure functions of derive.h on each
 * account and title, writes the rows.
 * The same inputs give the same rows, however often and in whatever portions they were added.
 *
 * Writer thread, in an open transaction.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/derive.h"
#include "store/store.h"

/* What is derived together. 0: unknown (NULL in the store). */
struct derive_key {
    int32_t server, account, title;
};
/* A row of `title` that counted as one title and counts as another now (titles.h). */
struct title_move {
    int32_t row, from, to;
    const char *why; /* static */
};
/* Replaces the rows of these keys, and those of moved titles; a key may be there twice, and names a row or
 * its title. */
enum status derive_moved(struct store_conn *c, const struct title_move *moves, size_t move_count,
                         const struct derive_key *keys, size_t count, const struct knobs *k,
                         struct error *err);
/* The same where no title has moved. */
enum status derive_keys(struct store_conn *c, const struct derive_key *keys, size_t count,
                        const struct knobs *k, struct error *err);
/* Replaces the rows of all keys that this import has rows of, whether or not they count. */
enum status derive_import(struct store_conn *c, int64_t import_id, const struct knobs *k,
                          struct error *err);
/* Builds both tables anew and swaps them in; readers see the old ones until the commit. *percent
 * says meanwhile how far it is; NULL: nobody asks. */
enum status derive_all(struct store_conn *c, const struct knobs *k, atomic_int *percent,
                       struct error *err);

/* The next free id of an input: live segments, segment_in and view_in share one sequence, because
 * a play goes by the id of its first input. Count on from it within the transaction. */
enum status input_next_id(struct store_conn *c, int64_t *ret, struct error *err);
