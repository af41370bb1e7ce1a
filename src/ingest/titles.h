/*
 * Titles: the rows of `title`, one for each item of a server (and for each set of names without an item),
 * their keys, and which rows are one title. Ids are looked up in memory; rows are written in the caller's
 * open transaction. A title goes by the id of its oldest row, its root, so that it stays through whatever
 * joins later, and comes back when that is taken back.
 *
 * Inputs (session_in, segment_in, view_in) keep the row that they came with; plays and segments are derived
 * under the root (title_join).
 *
 * Writer's thread, or, without a connection, the thread of a trial (see dims.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/hands.h"
#include "ingest/ingest.h"
#include "ingest/rederive.h"
#include "model/observation.h"
#include "store/store.h"

struct titles;
struct titles *titles_new(void);
void titles_free(struct titles *t);
/* Everything from the store; what was in memory is forgotten. */
enum status titles_load(struct titles *t, struct store_conn *c, struct error *err);

/* The row of an item: the one that it has had, unless ids say that the server gives the item's key to
 * something else now. Only the members that say what and on which server count. */
enum status titles_row(struct titles *t, struct store_conn *c, const struct observation *item,
                       int32_t *ret, struct error *err);
/* The title that a row counts as, as of the last titles_match(). */
int32_t titles_root(const struct titles *t, int32_t row);

/* Between begin and end new rows wait in memory; see dims_bulk_begin(). */
void titles_bulk_begin(struct titles *t);
enum status titles_bulk_end(struct titles *t, struct error *err);
void titles_bulk_drop(struct titles *t);

/* Which rows are one title, of all that are new or have new keys since the last time, and of all that may
 * have to do with those. `decision`: what it follows from, 0: nothing of ours. *ret_moves: rows that were
 * there before and count as another title now, to be derived again; borrowed until the next call. */
enum status titles_match(struct titles *t, struct store_conn *c, int64_t decision,
                         const struct title_move **ret_moves, size_t *ret_count, struct error *err);
/* The same for all rows, whether or not anything is new. */
void titles_doubt_all(struct titles *t);

/*
 * What somebody decides by hand, as with people (people.h). Any thread but the writer's.
 */
/* These titles are one; of one media type. */
enum status titles_merge(struct ingest *i, const int64_t *titles, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err);
/* These titles are not each other, whatever resembles. */
enum status titles_part(struct ingest *i, const int64_t *titles, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err);
/* These items (rows), of one title, are not the rest of it. */
enum status titles_split(struct ingest *i, const int64_t *items, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err);
/* Takes a decision back; CONFLICT where that was done already. */
enum status titles_undo(struct ingest *i, int64_t decision, const char *who, struct error *err);

/* Inside of ingest: decisions were added; the rows they are about are matched anew next time. */
enum status titles_read_hands(struct titles *t, struct store_conn *c, struct error *err);
