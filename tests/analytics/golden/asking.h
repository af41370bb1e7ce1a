/* The golden data in a store, and what is asked of it: zones, filters, and the queries' answers. One
 * thread; a query that fails fails the test. */
#pragma once

#include "../../test.h"

#include "analytics/question.h"
#include "base/json_read.h"
#include "golden.h"
#include "store/store.h"

enum { ZONES_COUNT = 2, FILTERS_COUNT = 10, TRUTHS_COUNT = 13 };

extern struct world world;
extern struct store_conn *conn;
extern const char *const zones[ZONES_COUNT];

/* A filter as parameters and, by the same words, for the loops. */
struct filter_case {
    const char *params;
    int from[3], to[3]; /* days; to is the day after */
    struct selection selection;
};
extern const struct filter_case filters[FILTERS_COUNT];
extern const struct truth *const all_truths[TRUTHS_COUNT];

/* For a group of tests. */
int asking_set_up(void **state);
int asking_tear_down(void **state);

struct selection selection_of(const struct filter_case *f);
/* libc's, for the loops. */
void use_zone(const char *zone);
/* What the query answers, and the rows of it alone; the caller's to free. Parameters as in an address. */
json_t *ask_whole(const struct query *query, const char *zone, const char *params, const char *filter,
                  const char *more);
json_t *ask(const struct query *query, const char *zone, const char *params, const char *filter,
            const char *more);
/* Whether the figure is as wanted, but for rounding: milliseconds are whole in each segment and bucket. */
bool is_near(const char *column, const json_t *got, const json_t *want);
