/*
 * The filter: the one place where request parameters become SQL. Every query, the history and every
 * export use it, so that what is filtered means the same everywhere. Its names and values are in
 * docs/internals/api.md; what play, watch time and window mean is in docs/internals/analytics.md.
 *
 *     struct filter *f = filter_new(&config);
 *     filter_take(f, "days", "30", &is_known, err);      for each parameter of the request
 *     filter_finish(f, conn, err);                       cross checks, resolves the window
 *     buf_printf(&sql, "with "); filter_sql(f, &sql);    then the query's own text
 *     store_query_named(conn, sql, filter_values(f), ...)
 *
 * The SQL text holds no value of the user's: values are bound by name. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "model/scope.h"
#include "store/store.h"

struct filter_config {
    const char *time_zone; /* where the request names none, such as "Europe/Berlin" */
    int64_t now_us;        /* "today" */
    /* What the asker may see; the rest is removed in SQL. Without sees_all: only the accounts of
     * `scope` (NULL: none), whatever its own sees_all says. */
    bool sees_all;
    const struct scope *scope;
    bool takes_deleted; /* knows `deleted`: include, only */
    bool takes_short;   /* as if short=include were given */
};

struct filter;
/* Texts and the scope are copied. */
struct filter *filter_new(const struct filter_config *c);
void filter_free(struct filter *f); /* NULL is fine */
static inline void auto_filter_fn(struct filter **f)
{
    filter_free(*f);
}
#define auto_filter __attribute__((cleanup(auto_filter_fn)))
/* Takes a parameter; *ret_is_known says whether it is one of the filter's at all. An empty value is
 * as if it were not there. INVALID (with the field) names what was found and what is right. */
enum status filter_take(struct filter *f, const char *name, const char *value, bool *ret_is_known,
                        struct error *err);
/* After the last parameter, before what follows. INVALID: days together with a date, an unknown
 * time zone, an end before its start. The connection's thread. */
enum status filter_finish(struct filter *f, struct store_conn *c, struct error *err);

/* Whether only some accounts' plays are in it. */
bool filter_is_scoped(const struct filter *f);
/* The window as half open instants; TIME_NONE: open. */
int64_t filter_from_us(const struct filter *f);
int64_t filter_to_us(const struct filter *f);
const char *filter_time_zone(const struct filter *f);

/*
 * Appends the relations, as "filter_window as (...), filtered_play as (...), ..." without `with`:
 *
 * filter_window    one row: from_at, to_at (TIMESTAMP UTC, NULL: open), tz
 * filtered_play    one row a play that starts in the window and passes: the columns of `play` and
 *                  person_id; under a segment filter watch_ms is that of the segments that match
 * filtered_segment one row a segment that passes and overlaps the window: the columns of `segment`,
 *                  person_id, and window_ms: its watch time inside the window
 * filtered_part    one row a segment that passes, of a play in filtered_play, wherever it lies: the
 *                  columns of `segment` and person_id. Plays by a value of their segments are counted here:
 *                  count(*) filter (is_alone) + count(distinct play_id) filter (not is_alone)
 * filtered_ever    filtered_play as if no period were given
 * filtered_edge    one row: data_first, data_last (TIMESTAMP UTC): where the window is open, the first
 *                  and the last instant of filtered_play and filtered_segment; else NULL
 * known_play       one row a play at any time of what the asker may see, under the filter's users
 *                  and accounts only: for "first ever"; the columns of filtered_play
 * filtered_item    one row an item of a media server's libraries, also of what was never played: the
 *                  columns of `item`; under server_ids, libraries, search and what is said of titles,
 *                  whatever else is asked. Gone ones are in it, with removed_at
 *
 * Where the asker sees some accounts only, `person` is a relation of these, too, in place of the
 * table: with the names of their own accounts.
 *
 * Watch time by quarters of an hour is watch_quarters() over filtered_segment (src/store). Hidden
 * plays, extras and (without short=include) short ones are in none of the relations; backfilled
 * views are in filtered_play, with kind 'view' and no watch time.
 */
void filter_sql(const struct filter *f, struct buf *out);
/* Appends the condition on `account_id` of the accounts that are in the scope. */
void filter_scope_sql(const struct filter *f, struct buf *out);
/* What they refer to, by name. Owned by the filter. */
const struct store_named *filter_values(const struct filter *f, size_t *ret_count);
/* The filter and the scope in one canonical text: equal texts get equal answers from equal data. */
void filter_key(const struct filter *f, struct buf *out);
