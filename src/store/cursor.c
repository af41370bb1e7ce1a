#include "store/cursor.h"

#include <assert.h>

#include "base/banned.h"

enum status cursor_open(struct store_conn *c, const char *sql, const struct store_value *values,
                        size_t count, struct cursor *ret, struct error *err)
{
    *ret = (struct cursor){0};
    return store_query(c, sql, values, count, &ret->result, err);
}

static void look_up_vectors(struct cursor *r)
{
    if (!r->columns) {
        idx_t n = duckdb_column_count(&r->result);
        r->columns = n < CURSOR_COLUMNS_MAX ? n : CURSOR_COLUMNS_MAX;
        for (idx_t i = 0; i < r->columns; i++)
            r->type[i] = duckdb_column_type(&r->result, i);
    }
    for (idx_t i = 0; i < r->columns; i++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(r->chunk, i);
        r->data[i] = duckdb_vector_get_data(v);
        r->validity[i] = duckdb_vector_get_validity(v);
    }
}

bool cursor_next(struct cursor *r)
{
    r->at++;
    while (r->at >= r->size) {
        duckdb_destroy_data_chunk(&r->chunk);
        r->chunk = duckdb_fetch_chunk(r->result);
        r->at = r->size = 0;
        if (!r->chunk)
            return false;
        r->size = duckdb_data_chunk_get_size(r->chunk);
        look_up_vectors(r);
    }
    return true;
}

/* The column's data, or NULL where this row has none. */
static const void *column_data(const struct cursor *r, idx_t column)
{
    assert(column < r->columns);
    const uint64_t *validity = r->validity[column];
    if (validity && !(validity[r->at / 64] >> (r->at % 64) & 1))
        return NULL;
    return r->data[column];
}

int64_t cursor_int(const struct cursor *r, idx_t column, int64_t fallback)
{
    const void *data = column_data(r, column);
    if (!data)
        return fallback;
    switch ((int)r->type[column]) {
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
        return ((const int64_t *)data)[r->at];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)data)[r->at];
    case DUCKDB_TYPE_BOOLEAN:
        return ((const bool *)data)[r->at];
    default:
        assert(!"a column of whole numbers");
        return fallback;
    }
}

struct str cursor_text(const struct cursor *r, idx_t column)
{
    const duckdb_string_t *data = column_data(r, column);
    if (!data)
        return (struct str){"", 0};
    const duckdb_string_t *s = data + r->at;
    return duckdb_string_is_inlined(*s)
               ? (struct str){s->value.inlined.inlined, s->value.inlined.length}
               : (struct str){s->value.pointer.ptr, s->value.pointer.length};
}

void cursor_done(struct cursor *r)
{
    duckdb_destroy_data_chunk(&r->chunk);
    duckdb_destroy_result(&r->result);
}
