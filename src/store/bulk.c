#include "store/bulk.h"

#include <string.h>

#include "store/append.h"

#include "base/banned.h"

static uint8_t size_of(duckdb_type type)
{
    switch ((int)type) {
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_DOUBLE:
        return 8;
    case DUCKDB_TYPE_INTEGER:
        return 4;
    case DUCKDB_TYPE_BOOLEAN:
        return 1;
    default:
        return 0;
    }
}

static void look_up_vectors(struct bulk *b)
{
    for (idx_t i = 0; i < b->columns; i++) {
        b->data[i] = duckdb_vector_get_data(duckdb_data_chunk_get_vector(b->chunk, i));
        b->validity[i] = NULL;
    }
}

enum status bulk_open(struct store_conn *c, const char *catalog, const char *table,
                      struct bulk *ret, struct error *err)
{
    *ret = (struct bulk){.room = duckdb_vector_size()};
    TRY(append_open(c, catalog, table, &ret->appender, err));
    ret->columns = duckdb_appender_column_count(ret->appender);
    if (ret->columns > BULK_COLUMNS_MAX)
        return fail(err, STATUS_INTERNAL, "%s has too many columns", table);
    duckdb_logical_type types[BULK_COLUMNS_MAX];
    for (idx_t i = 0; i < ret->columns; i++)
        types[i] = duckdb_appender_column_type(ret->appender, i);
    ret->chunk = duckdb_create_data_chunk(types, ret->columns);
    for (idx_t i = 0; i < ret->columns; i++) {
        ret->size[i] = size_of(duckdb_get_type_id(types[i]));
        duckdb_destroy_logical_type(&types[i]);
    }
    if (!ret->chunk)
        return fail(err, STATUS_INTERNAL, "%s cannot be appended to in bulk", table);
    look_up_vectors(ret);
    return STATUS_OK;
}

enum status bulk_chunk(struct bulk *b, struct error *err)
{
    if (!b->rows)
        return STATUS_OK;
    duckdb_data_chunk_set_size(b->chunk, b->rows);
    if (duckdb_append_data_chunk(b->appender, b->chunk) != DuckDBSuccess)
        return store_fail(duckdb_appender_error(b->appender), "append", err);
    duckdb_data_chunk_reset(b->chunk);
    b->rows = 0;
    look_up_vectors(b);
    return STATUS_OK;
}

enum status bulk_flush(struct bulk *b, struct error *err)
{
    TRY(bulk_chunk(b, err));
    return append_flush(b->appender, err);
}

enum status bulk_close(struct bulk *b, struct error *err)
{
    TRY(bulk_chunk(b, err));
    return append_close(b->appender, err);
}

void bulk_done(struct bulk *b)
{
    duckdb_destroy_data_chunk(&b->chunk);
    duckdb_appender_destroy(&b->appender);
}

void bulk_null(struct bulk *b)
{
    idx_t i = b->column++;
    if (!b->validity[i]) {
        duckdb_vector v = duckdb_data_chunk_get_vector(b->chunk, i);
        duckdb_vector_ensure_validity_writable(v);
        b->validity[i] = duckdb_vector_get_validity(v);
    }
    b->validity[i][b->rows / 64] &= ~(UINT64_C(1) << (b->rows % 64));
}

void bulk_text(struct bulk *b, const char *v)
{
    if (!*v) {
        bulk_null(b);
        return;
    }
    duckdb_vector_assign_string_element_len(duckdb_data_chunk_get_vector(b->chunk, b->column++),
                                            b->rows, v, strlen(v));
}
