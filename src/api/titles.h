/* Inside of api: titles as JSON. */
#pragma once

#include "analytics/filter.h"
#include "base/str.h"

/* Appends "with" and the relations of the filter, then
 * title_row    one row a row of `title`: the title_id that it counts as, and why
 * title_at     which server (its name) has a title, by the row
 * title_count  one row a title: what it is called and what was watched of it */
void titles_relations(const struct filter *f, struct buf *sql);
/* The members of one_title (api.json) of a title_count `x`, as a STRUCT. */
#define TITLE_STRUCT(x)                                                                                 \
    "{'id': " x ".title_id, 'media_type': " x ".media_type, 'title': " x ".title, 'parent_title': " x  \
    ".parent_title, 'grandparent_title': " x ".grandparent_title, 'season': " x ".season, 'episode': " \
    x ".episode, 'year': " x ".year, 'plays': " x ".plays, 'people': " x ".people, 'watch_ms': " x     \
    ".watch_ms, 'first_seen': " x ".first_seen, 'last_seen': " x ".last_seen, 'servers': " x           \
    ".servers, 'items': " x ".items}"
/* What happened to titles, newest first; bound to $page_limit, $page_from, $title (0: all). */
extern const char titles_history_sql[];
