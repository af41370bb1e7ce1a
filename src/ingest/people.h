/*
 * Whose accounts are: runs match.h on what the store knows and writes what comes out (which person an
 * account belongs to, its name, the pairs with their reasons, what has changed). The same store gives
 * the same people; where nothing has changed nothing is written.
 *
 * A person's id is that of its oldest account's own person, so that it stays through whatever joins.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/dims.h"
#include "ingest/hands.h"
#include "ingest/ingest.h"
#include "store/store.h"

/* Writer's thread, in an open transaction. decision: what it follows from, 0: nothing of ours. */
enum status people_match(struct store_conn *c, struct dims *d, int64_t decision, bool *ret_is_changed,
                         struct error *err);

/*
 * What somebody decides by hand. Decisions are inputs: kept for good, they win over every match until
 * they are taken back. `who` is the login, `why` a text of theirs or "". *ret_decision: to take it back
 * with. NOT_FOUND names what is not there; INVALID what makes no sense. Any thread but the writer's.
 */
enum { PEOPLE_NAME_MAX = 200 };
/* All accounts of these people are one person's. */
enum status people_merge(struct ingest *i, const int64_t *people, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err);
/* These accounts are one person's; where they are already, and by name only, that is confirmed. */
enum status people_join(struct ingest *i, const int64_t *accounts, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err);
/* These people are not each other, whatever resembles. */
enum status people_part(struct ingest *i, const int64_t *people, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err);
/* These accounts, of one person, are not the rest of it. */
enum status people_split(struct ingest *i, const int64_t *accounts, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err);
/* "": as its accounts say again. */
enum status people_rename(struct ingest *i, int64_t person, const char *name, const char *who,
                          int64_t *ret_decision, struct error *err);
/* Takes a decision back; CONFLICT where that was done already. */
enum status people_undo(struct ingest *i, int64_t decision, const char *who, struct error *err);
