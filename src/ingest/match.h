/*
 * Which accounts are one person: a pure function of what is known of the accounts and of what
 * somebody decided by hand. The same accounts in any order give the same people. Any thread.
 *
 * Pairs are joined level by level: by hand, by what an issuer says (plex.tv, the server itself), by
 * e-mail, by name. A level joins only where nothing speaks against it, neither between the two nor
 * between any two that would become one person through them: such pairs are suggestions instead, as
 * is whatever else resembles. docs/internals/people.md has the rules in full.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What is known of an account. Texts are folded by the caller and borrowed; "" is unknown. */
struct match_account {
    int32_t id;
    const char *server;     /* the machine that it is on */
    const char *key;        /* what that machine calls it, for good */
    const char *plex_id;    /* of its account at plex.tv, never the server's local 1 */
    const char *plex_login; /* by which its account at plex.tv logs in: a name or an e-mail */
    const char *email;
    const char *name;
    const char *loose_name; /* letters and digits only, without accents */
};

/* Why two accounts are one person, or may be; the stronger first. */
enum match_why {
    WHY_HAND = 1,
    WHY_ISSUER,      /* the same account, by its issuer's word */
    WHY_EMAIL,
    WHY_NAME,        /* the same name */
    WHY_SIMILAR,     /* the same letters and digits in the name */
    WHY_EMAIL_NAME,  /* the name of one is in the other's e-mail */
};
/* What speaks against it. */
enum match_against {
    AGAINST_NOTHING,
    AGAINST_HAND,    /* somebody decided so */
    AGAINST_PLEX_ID, /* two accounts at plex.tv */
    AGAINST_EMAIL,   /* two e-mails */
    AGAINST_SERVER,  /* two accounts of one server */
    AGAINST_PLACES,  /* watched at the same time from different public addresses */
    AGAINST_SHARED,  /* the name is nobody's own */
    AGAINST_OTHERS,  /* nothing between the two, but one of them resembles another, too */
    AGAINST_LIKENESS,/* a likeness is no sameness */
};
/* Words for the store, the API and the page. */
const char *match_why_word(enum match_why w);
const char *match_against_word(enum match_against a);

/* The newest decision about two accounts, each pair at most once; in any order. */
struct match_hand {
    int32_t a, b;
    bool is_together;
    int64_t decision; /* grows */
};

/* Two accounts that were joined, or are suggested: a < b by id. */
struct match_pair {
    int32_t a, b;
    bool is_joined;
    enum match_why why;
    enum match_against against; /* of a suggestion */
};

/* Asked once, if at all: which of these pairs (indexes into the accounts) have watched at the same
 * time from different public addresses. */
typedef enum status match_apart(void *ctx, const size_t (*pairs)[2], size_t count, bool *ret,
                                struct error *err);

struct match_result {
    int32_t *oldest; /* of each account: the lowest id of its person's accounts */
    int32_t *surest; /* the same without what only a name has joined */
    struct match_pair *pairs; /* by (a, b) */
    size_t pair_count;
};
enum { MATCH_SUGGESTIONS_MAX = 1000 }; /* the strongest ones, then by id */

enum status match_people(const struct match_account *accounts, size_t count,
                         const struct match_hand *hands, size_t hand_count, match_apart *apart,
                         void *ctx, struct match_result *ret, struct error *err);
void match_result_done(struct match_result *r);
