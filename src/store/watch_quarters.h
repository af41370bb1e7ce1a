/*
 * watch_quarters(started, ended, watch_ms, spans, window_from, window_to), an aggregate of our own
 * for SQL: how much was watched in each quarter of an hour, as a list of {quarter, watch_us},
 * ascending, quarters without anything left out. quarter: epoch / 15 minutes, UTC.
 *
 * A segment's watch time is where its spans are ([from, to, from, to, ...] microseconds), or spread
 * evenly over started..ended where they are NULL; what is outside of the window (NULL: open) is
 * cut off. The same in SQL alone takes a row for each quarter of each segment, and ten times as
 * long.
 *
 * sent_quarters(started, ended, watch_ms, spans, window_from, window_to, kbps) is the same for what
 * was sent meanwhile, as a list of {quarter, millibits}: a segment's watch time in the quarter by
 * its bitrate. A segment whose kbps is NULL counts nothing.
 */
#pragma once

#include "store/store.h"

/* Both, once for a database. INTERNAL when DuckDB does not take them. */
enum status watch_quarters_register(struct store_conn *c, struct error *err);
