/*
 * Rows of a small table, as text, by their number: so that many rows that point at it need no join, and
 * its texts are written out once and not each time (rows_name_by()). They are read when a row needs
 * them, are kept for further rows, and are forgotten when they have become NAMES_MOST bytes. One
 * thread, one connection.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "store/store.h"

enum { NAMES_MOST = 32 * 1024 * 1024 };

struct names_config {
    const char *column; /* of the rows: which holds the number, INTEGER or BIGINT; it begins with '@' */
    /* "select NUMBER, TEXT as name, ... where NUMBER in (select unnest(string_split($ids, ',')::integer[]))";
     * columns whose name begins with '_' are left out. */
    const char *sql;
    const struct store_named *values; /* further ones of the text */
    size_t count;
};

struct names;
/* Borrows all that it is given. */
struct names *names_new(const struct names_config *c, struct store_conn *conn);
void names_free(struct names *n); /* NULL is fine */
const char *names_column(const struct names *n);

/* How rows are written: fields of CSV, or members of a JSON object without its braces. What was read
 * for another way is forgotten. */
void names_begin(struct names *n, bool is_json);
/* Reads what is missing of these numbers; 0 stands for none. Before names_add(), for all of its rows. */
enum status names_load(struct names *n, const int64_t *ids, size_t count, struct error *err);
/* Appends the columns' values, separated by ','; nulls where there is no such row. */
void names_add(const struct names *n, int64_t id, struct buf *out);
/* Appends the columns' names as CSV. After the first names_load(). */
void names_add_header(const struct names *n, struct buf *out);
