/*
 * Aggregates of our own for SQL about the ids of the small tables (title, person, device, ...), which
 * count up from 1. Where a group has many of them they take a tenth of the time and of the memory of
 * count(distinct) and of a further group by. NULLs are left out; a negative id is an error.
 *
 *     distinct_ids(id)          BIGINT: how many different ones, exactly; 0 of none
 *     longest_run(id)           BIGINT: most of them in a row (3 of 1, 2, 3, 7), such as days; 0 of none
 *     heaviest_ids(id, weight)  INTEGER[]: those whose weights (BIGINT) add up to the most, ascending;
 *                               NULL of none
 *
 * The first two take a bit an id, by pages of 512; the third 16 to 32 bytes a different id.
 */
#pragma once

#include "store/store.h"

/* Once for a database. INTERNAL when DuckDB does not take them. */
enum status id_sets_register(struct store_conn *c, struct error *err);
