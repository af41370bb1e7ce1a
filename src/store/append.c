#include "store/append.h"

#include "base/clock.h"

#include "base/banned.h"

enum status append_open(struct store_conn *c, const char *catalog, const char *table,
                        duckdb_appender *ret, struct error *err)
{
    if (duckdb_appender_create_ext(store_duckdb(c), catalog, NULL, table, ret) != DuckDBSuccess)
        return store_fail(duckdb_appender_error(*ret), table, err);
    return STATUS_OK;
}

enum status append_row(duckdb_appender a, struct error *err)
{
    if (duckdb_appender_end_row(a) != DuckDBSuccess)
        return store_fail(duckdb_appender_error(a), "append a row", err);
    return STATUS_OK;
}

enum status append_flush(duckdb_appender a, struct error *err)
{
    if (duckdb_appender_flush(a) != DuckDBSuccess)
        return store_fail(duckdb_appender_error(a), "append", err);
    return STATUS_OK;
}

enum status append_close(duckdb_appender a, struct error *err)
{
    if (duckdb_appender_close(a) != DuckDBSuccess)
        return store_fail(duckdb_appender_error(a), "append", err);
    return STATUS_OK;
}

void append_int(duckdb_appender a, int64_t v)
{
    duckdb_append_int64(a, v);
}

void append_bool(duckdb_appender a, bool v)
{
    duckdb_append_bool(a, v);
}

void append_null(duckdb_appender a)
{
    duckdb_append_null(a);
}

void append_id(duckdb_appender a, int64_t v)
{
    if (v > 0 && v <= INT32_MAX)
        duckdb_append_int32(a, (int32_t)v);
    else
        duckdb_append_null(a);
}

void append_known(duckdb_appender a, int64_t v)
{
    if (v >= 0)
        duckdb_append_int64(a, v);
    else
        duckdb_append_null(a);
}

void append_known32(duckdb_appender a, int64_t v)
{
    if (v >= 0 && v <= INT32_MAX)
        duckdb_append_int32(a, (int32_t)v);
    else
        duckdb_append_null(a);
}

void append_known_bool(duckdb_appender a, int64_t v)
{
    if (v >= 0)
        duckdb_append_bool(a, v != 0);
    else
        duckdb_append_null(a);
}

void append_text(duckdb_appender a, const char *v)
{
    if (*v)
        duckdb_append_varchar(a, v);
    else
        duckdb_append_null(a);
}

void append_time(duckdb_appender a, int64_t us)
{
    if (us == TIME_NONE)
        duckdb_append_null(a);
    else
        duckdb_append_timestamp(a, (duckdb_timestamp){us});
}

void append_list(duckdb_appender a, const int64_t *values, size_t count)
{
    auto_free duckdb_value *items = xcalloc(count ? count : 1, sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = duckdb_create_int64(values[i]);
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_value list = duckdb_create_list_value(type, items, count);
    duckdb_append_value(a, list);
    duckdb_destroy_value(&list);
    duckdb_destroy_logical_type(&type);
    for (size_t i = 0; i < count; i++)
        duckdb_destroy_value(&items[i]);
}
