/*
 * Which title rows are one title: a pure function of their keys and of what somebody decided by hand. The
 * same rows in any order give the same titles. Any thread.
 *
 * Level by level, key by key: by hand, by ids, by file, by names. A level joins only where nothing speaks
 * against it; what else shares a key is a suggestion. docs/internals/titles.md has the rules in full.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ingest/match.h"

/* A row with its keys; borrowed. */
struct match_title {
    int32_t id;
    const char *const *keys; /* as title_keys.h builds them; those of kind ITEM and NAME say nothing here */
    size_t key_count;
};

/* Why two are one title, or may be; the stronger first. */
enum title_why { TITLE_BY_HAND = 1, TITLE_BY_ID, TITLE_BY_FILE, TITLE_BY_TEXT };
/* What speaks against it. */
enum title_against {
    TITLE_AGAINST_IDS = 1, /* two ids at one provider */
    TITLE_AGAINST_OTHERS,  /* nothing between the two, but a third of the same key is not both */
};
/* Words for the store and the API. */
const char *title_why_word(enum title_why w); /* 0: "parted" */
const char *title_against_word(enum title_against a);

/* Two titles, by their roots, that may be one: a < b. */
struct title_pair {
    int32_t a, b;
    enum title_why why;
    enum title_against against;
};

struct title_match {
    int32_t *root;       /* of each row: the lowest id of its title */
    enum title_why *why; /* the strongest reason of each row to be with others; 0: it is alone */
    struct title_pair *pairs;
    size_t pair_count;
};
enum { TITLE_PAIRS_MAX = 20 }; /* of one call */

/* `hands`: as hands_read() gives them; those of other rows do no harm. */
void title_match(const struct match_title *titles, size_t count, const struct match_hand *hands,
                 size_t hand_count, struct title_match *ret);
void title_match_done(struct title_match *m);
