/* One value of a column as text: what every output format is made of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* A column's type, with those it is made of. */
struct cell_type {
    duckdb_type id;
    duckdb_type stored; /* of a decimal: the whole number behind it */
    unsigned scale;
    size_t part_count; /* of a list: 1; of a struct: its members */
    struct cell_type *parts;
    char **names; /* of a struct's members */
    bool is_foreign; /* not of ours: a TIMESTAMP need not be UTC, and whole numbers are of any size, so that
                        in JSON those past 2^53, which JavaScript would round, are texts */
};

/* INTERNAL for a type that has no text form. The caller owns *ret (cell_type_done). */
enum status cell_type_read(duckdb_logical_type type, struct cell_type *ret, struct error *err);
void cell_type_set_foreign(struct cell_type *t);
void cell_type_done(struct cell_type *t);

/* A column of one chunk, looked up once for all of its rows. */
struct cell_vector {
    duckdb_vector vector;
    const void *data;
    const uint64_t *validity; /* NULL: no NULLs */
};
struct cell_vector cell_vector(duckdb_vector v);

static inline bool cell_is_null(const struct cell_vector *v, idx_t row)
{
    return v->validity && !(v->validity[row / 64] >> (row % 64) & 1);
}
/* A VARCHAR that is not NULL; borrowed from the vector. */
struct str cell_text(const struct cell_vector *v, idx_t row);
/* Appends the value as a JSON value; NULL is null. */
void cell_json(const struct cell_type *t, const struct cell_vector *v, idx_t row, struct buf *out);
/* Appends the value as a CSV field, quoted where needed; NULL is empty. */
void cell_csv(const struct cell_type *t, const struct cell_vector *v, idx_t row, struct buf *out);
/* Appends a text as a CSV field. */
void cell_csv_text(struct str text, struct buf *out);
