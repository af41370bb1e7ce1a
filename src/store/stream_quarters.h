/*
 * stream_quarters(started, ended, window_from, window_to), an aggregate of our own for SQL: how many
 * streams went on at once, by quarters of an hour (epoch / 15 minutes, UTC), as a list of {quarter,
 * peak, peak_at, stream_us}, ascending, quarters without any left out. peak is exact, peak_at
 * (microseconds) its first instant, stream_us the time of all streams together. A stream is half
 * open: one that ends as the next begins is not beside it. NULL windows are open.
 */
#pragma once

#include "store/store.h"

/* Once for a database. INTERNAL when DuckDB does not take it. */
enum status stream_quarters_register(struct store_conn *c, struct error *err);
