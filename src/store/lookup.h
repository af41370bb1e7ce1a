/*
 * Rows of a small table, as text, by their number: so that many rows that point at it need no join, and
 * its texts are written out once and not each time (rows_look_up()). They are read when a row needs
 * them, are kept for further rows, and are forgotten when they have become LOOKUP_MOST bytes. One
 * thread, one connection.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "store/store.h"

enum { LOOKUP_MOST = 32 * 1024 * 1024 };

struct lookup_config {
    const char *column; /* of the rows: which holds the number, INTEGER or BIGINT; it begins with '@' */
    /* "select NUMBER, TEXT as name, ... where NUMBER in (select unnest(string_split($ids, ',')::integer[]))";
     * columns whose name begins with '_' are left out. */
    const char *sql;
    const struct store_named *values; /* further ones of the text */
    size_t count;
};

struct lookup;
/* Borrows all that it is given. */
struct lookup *lookup_new(const struct lookup_config *c, struct store_conn *conn);
void lookup_free(struct lookup *l); /* NULL is fine */
const char *lookup_column(const struct lookup *l);

/* How rows are written: fields of CSV, or members of a JSON object without its braces. What was read
 * for another way is forgotten. */
void lookup_begin(struct lookup *l, bool is_json);
/* Reads what is missing of these numbers; 0 stands for none. Before lookup_add(), for all of its rows. */
enum status lookup_load(struct lookup *l, const int64_t *ids, size_t count, struct error *err);
/* Appends the columns' values, separated by ','; nulls where there is no such row. */
void lookup_add(const struct lookup *l, int64_t id, struct buf *out);
/* Appends the columns' names as CSV. After the first lookup_load(). */
void lookup_add_header(const struct lookup *l, struct buf *out);
