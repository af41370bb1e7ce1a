/*
 * What somebody decided by hand about pairs: of accounts (are they one person), of titles (are they one
 * title). Decisions are rows SUBJECT_merge and SUBJECT_part of `decision`, whose detail names groups: any
 * two of different groups are together, or apart. Of each pair the newest that was not taken back
 * (SUBJECT_undo) counts.
 *
 * Writer's thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/match.h"
#include "store/store.h"

struct hands {
    struct match_hand *list; /* by pair, each once */
    size_t count, room;
};
/* subject: "people", "titles". Replaces what *ret holds. */
enum status hands_read(struct store_conn *c, const char *subject, struct hands *ret, struct error *err);
void hands_done(struct hands *h);

/* Ids that a decision names at most, and bytes of its reason. */
enum { DECIDE_MAX = 100, DECIDE_WHY_MAX = 500 };
/* What is to be written of a decision; about: of an undo, the decision. */
struct decision {
    const char *kind, *who;
    int64_t about; /* 0: nothing */
    struct str detail; /* JSON; empty: none */
};
enum status decision_insert(struct store_conn *c, const struct decision *d, int64_t *ret_id,
                            struct error *err);
/* Whether there is such a decision about SUBJECT (of `what`, in words, for the error) that can be taken
 * back: NOT_FOUND, or CONFLICT where it was already. kinds: quoted, comma separated. */
enum status decision_check_undo(struct store_conn *c, int64_t id, const char *subject,
                                const char *kinds, struct error *err);
/* Whether one of them is there twice. */
bool decision_has_twice(const int64_t *ids, size_t count);
