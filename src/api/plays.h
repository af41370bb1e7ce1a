/* Inside of api: plays as rows of P (docs/internals/api.md): sorted, by pages or all of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "analytics/filter.h"
#include "base/error.h"
#include "base/str.h"
#include "store/export.h"
#include "store/lookup.h"
#include "store/store.h"

enum plays_sort { PLAYS_BY_STARTED, PLAYS_BY_WATCH, PLAYS_BY_PERSON, PLAYS_BY_TITLE,
                  PLAYS_BY_PERCENT, PLAYS_SORTS };

/* Where a page ended: its last row. */
struct plays_place {
    bool is_there;
    int64_t started_us, play_id;
    char key[32]; /* what it was sorted by, "" where unknown: a number, or the id of the name */
};

struct plays_query {
    struct filter *filter; /* finished */
    enum plays_sort sort;
    bool is_ascending;
    bool is_ordered; /* somebody asked for this order */
    int64_t limit;
    int64_t total; /* of the filter, as far as known: it only helps to find the rows; 0: unknown */
    struct plays_place after;
    /* Set by plays_export(). */
    bool is_export, is_joined;
    int64_t batch_span_us; /* of the batch before; 0: there was none */
};

/* A word of the `sort` parameter; false when it is none. */
bool plays_sort_parse(const char *word, enum plays_sort *ret);
extern const char plays_sort_words[]; /* "one of started, ..." */

/* "<sort>.<direction>.<started>.<play id>.<key>" */
enum { PLAYS_CURSOR_MAX = 128 };
void plays_cursor_format(const struct plays_query *q, char dst[static PLAYS_CURSOR_MAX]);
/* False when it is not one of this sort and direction. */
bool plays_cursor_parse(struct plays_query *q, const char *text);

/* Appends the next rows, at most q->limit, and moves q->after behind them; *ret_count < q->limit:
 * there are no more. What stays as it is while pages are read comes exactly once. The connection's
 * thread. */
enum status plays_read(struct store_conn *c, struct plays_query *q, enum rows_format format,
                       struct buf *out, int64_t *ret_count, struct error *err);
/* All rows as a file, of one instant; q->total is set before the first. Parquet is in the order of the
 * store unless q->is_ordered, because all would have to be sorted at once. `go_on` is asked between
 * batches; false: CANCELLED. The connection's thread. */
enum { PLAYS_PARQUET_BYTES = 100 }; /* of a play, more than ever seen */
enum status plays_export(struct store_conn *c, struct plays_query *q, struct export *e,
                         bool (*go_on)(void *ctx), void *ctx, struct error *err);

/* P as SQL, on a relation page_key p (the columns of filtered_play): appends "page_main as (...) select ...
 * from ..." with `further` columns behind. Joined with the names of what a play points at, or with its
 * number in their place: "@server" and so on, for rows_look_up(). */
void plays_select(bool is_joined, const char *further, struct buf *out);
enum { PLAYS_NAMES = 7 };
struct plays_names {
    struct lookup *list[PLAYS_NAMES];
    char *sql[PLAYS_NAMES], *columns[PLAYS_NAMES];
};
/* As the filter's asker may know them. The filter is borrowed. */
void plays_names_begin(const struct filter *f, struct store_conn *c, struct plays_names *ret);
void plays_names_done(struct plays_names *n);
#define auto_plays_names __attribute__((cleanup(plays_names_done)))
