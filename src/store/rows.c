#include "store/rows.h"

#include <strings.h>

#include "base/json_write.h"
#include "store/geojson.h"
#include "store/lookup.h"

#include "base/banned.h"

struct rows_column {
    char *name;
    char *before; /* of JSON: what stands in front of its value; NULL: not written */
    struct cell_vector values; /* of the newest chunk */
    struct cell_type type;
    struct lookup *names; /* what is written in place of the number; NULL: it is written itself */
    int64_t *ids;        /* those of the newest chunk */
};

const char rows_geojson_head[] = "{\"type\":\"FeatureCollection\",\"features\":[\n";
const char rows_geojson_tail[] = "]}\n";

static char *json_before(const char *name, bool is_first)
{
    struct buf text = {0};
    struct json_writer w;
    buf_putc(&text, is_first ? '{' : ',');
    jw_begin(&w, &text);
    jw_text(&w, name);
    buf_putc(&text, ':');
    return buf_steal(&text);
}

static bool has_name(const struct rows *r, const char *name)
{
    for (size_t i = 0; i < r->column_count; i++)
        if (strcasecmp(r->columns[i].name, name) == 0)
            return true;
    return false;
}

/* As DuckDB itself calls the columns of a table that is made of a query. */
static char *unique_name(const struct rows *r, const char *name)
{
    char *unique = xstrdup(name);
    for (unsigned n = 1; has_name(r, unique); n++) {
        free(unique);
        unique = xasprintf("%s_%u", name, n);
    }
    return unique;
}

/* Of a column of places; a name may begin with '_', so that it is not written itself. */
static const struct rows_column *find_degrees(const struct rows *r, const char *name)
{
    for (size_t i = 0; i < r->column_count; i++) {
        const struct rows_column *c = &r->columns[i];
        if (c->type.id == DUCKDB_TYPE_DOUBLE && streq(c->name + (c->name[0] == '_'), name))
            return c;
    }
    return NULL;
}

static enum status find_places(struct rows *r, struct error *err)
{
    static const char *const place[] = {"latitude", "longitude"},
                            *const from[] = {"server_latitude", "server_longitude"};
    for (size_t i = 0; i < ARRAY_LEN(place); i++) {
        r->place[i] = find_degrees(r, place[i]);
        r->from[i] = find_degrees(r, from[i]);
        if (!r->place[i])
            return fail(err, STATUS_INTERNAL, "rows without %s are no GeoJSON", place[i]);
    }
    return STATUS_OK;
}

static enum status begin(struct rows *r, bool is_foreign, struct error *err)
{
    size_t count = duckdb_column_count(&r->result);
    r->columns = xcalloc(count, sizeof *r->columns);
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        struct rows_column *c = &r->columns[i];
        duckdb_logical_type type = duckdb_column_logical_type(&r->result, i);
        enum status s = cell_type_read(type, &c->type, err);
        duckdb_destroy_logical_type(&type);
        const char *name = duckdb_column_name(&r->result, i);
        c->name = is_foreign ? unique_name(r, name) : xstrdup(name);
        r->column_count = i + 1;
        if (s != STATUS_OK)
            return fail_prefix(err, "column '%s'", c->name);
        if (is_foreign)
            cell_type_set_foreign(&c->type);
        if (c->name[0] == '_' && !is_foreign)
            continue;
        c->before = json_before(c->name, is_first);
        is_first = false;
    }
    return r->format == ROWS_GEOJSON ? find_places(r, err) : STATUS_OK;
}

enum status rows_begin(struct rows *r, duckdb_result result, enum rows_format format,
                       struct error *err)
{
    *r = (struct rows){.result = result, .format = format};
    return begin(r, false, err);
}

enum status rows_begin_foreign(struct rows *r, duckdb_result result, enum rows_format format,
                               int64_t most, struct error *err)
{
    *r = (struct rows){.result = result, .format = format, .most = most};
    return begin(r, true, err);
}

const char *rows_name(const struct rows *r, size_t column)
{
    return r->columns[column].name;
}

duckdb_type rows_type(const struct rows *r, size_t column)
{
    return r->columns[column].type.id;
}

/* What stands in front of the names' columns, which begin with their own. */
static enum status name_column(struct rows *r, const char *name, struct lookup *names, struct error *err)
{
    bool is_first = true;
    for (size_t i = 0; i < r->column_count; i++) {
        struct rows_column *c = &r->columns[i];
        if (streq(c->name, name)) {
            free(c->before);
            c->before = xstrdup(is_first ? "{" : ",");
            c->names = names;
            c->ids = xcalloc(duckdb_vector_size(), sizeof *c->ids);
            lookup_begin(names, r->format != ROWS_CSV);
            if (c->type.id == DUCKDB_TYPE_INTEGER || c->type.id == DUCKDB_TYPE_BIGINT)
                return STATUS_OK;
            return fail(err, STATUS_INTERNAL, "column '%s' holds no numbers", name);
        }
        is_first = is_first && !c->before;
    }
    return fail(err, STATUS_INTERNAL, "there is no column '%s'", name);
}

enum status rows_look_up(struct rows *r, struct lookup *const *names, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        TRY(name_column(r, lookup_column(names[i]), names[i], err));
    return STATUS_OK;
}

/* The names that this chunk's rows need. */
static enum status load_names(struct rows_column *c, size_t count, struct error *err)
{
    bool is_wide = c->type.id == DUCKDB_TYPE_BIGINT;
    for (size_t i = 0; i < count; i++) {
        c->ids[i] = 0;
        if (!cell_is_null(&c->values, i))
            c->ids[i] = is_wide ? ((const int64_t *)c->values.data)[i] : ((const int32_t *)c->values.data)[i];
    }
    return lookup_load(c->names, c->ids, count, err);
}

static void add_names(const struct rows *r, struct buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < r->column_count; i++) {
        if (!r->columns[i].before)
            continue;
        if (!is_first)
            buf_putc(out, ',');
        is_first = false;
        if (r->columns[i].names)
            lookup_add_header(r->columns[i].names, out);
        else
            cell_csv_text(str_of(r->columns[i].name), out);
    }
    buf_add_str(out, STR("\r\n"));
}

static void add_csv_row(const struct rows *r, idx_t row, struct buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < r->column_count; i++) {
        const struct rows_column *c = &r->columns[i];
        if (!c->before)
            continue;
        if (!is_first)
            buf_putc(out, ',');
        is_first = false;
        if (c->names)
            lookup_add(c->names, c->ids[row], out);
        else
            cell_csv(&c->type, &c->values, row, out);
    }
    buf_add_str(out, STR("\r\n"));
}

static void add_object(const struct rows *r, idx_t row, struct buf *out)
{
    bool is_empty = true;
    for (size_t i = 0; i < r->column_count; i++) {
        const struct rows_column *c = &r->columns[i];
        if (!c->before)
            continue;
        is_empty = false;
        buf_puts(out, c->before);
        if (c->names)
            lookup_add(c->names, c->ids[row], out);
        else
            cell_json(&c->type, &c->values, row, out);
    }
    buf_puts(out, is_empty ? "{}" : "}");
}

/* False where there is none in this row. */
static bool read_place(const struct rows *r, const struct rows_column *const columns[2], idx_t row,
                       struct geo_place *ret)
{
    double degrees[2];
    for (size_t i = 0; i < 2; i++) {
        const struct cell_vector *v = &columns[i]->values;
        if (cell_is_null(v, row))
            return false;
        degrees[i] = ((const double *)v->data)[row];
    }
    *ret = (struct geo_place){.latitude = degrees[0], .longitude = degrees[1]};
    return geo_is_place(*ret);
}

static void add_feature(const struct rows *r, idx_t row, struct buf *out)
{
    struct geo_place place, from;
    buf_puts(out, "{\"type\":\"Feature\",\"geometry\":");
    if (!read_place(r, r->place, row, &place))
        buf_puts(out, "null");
    else if (!r->from[0])
        geo_point(place, out);
    else if (read_place(r, r->from, row, &from))
        geo_line(from, place, out);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"properties\":");
    add_object(r, row, out);
    buf_puts(out, "}\n");
}

/* The next chunk becomes the newest; false: there is none, or its names could not be read. */
static bool fetch(struct rows *r)
{
    duckdb_data_chunk chunk = duckdb_fetch_chunk(r->result);
    idx_t count = chunk ? duckdb_data_chunk_get_size(chunk) : 0;
    if (chunk) {
        duckdb_destroy_data_chunk(&r->chunk);
        r->chunk = chunk;
    }
    for (size_t i = 0; i < r->column_count && r->status == STATUS_OK; i++) {
        struct rows_column *c = &r->columns[i];
        if (chunk)
            c->values = cell_vector(duckdb_data_chunk_get_vector(chunk, i));
        if (c->names) /* for no rows, too: the header says which columns there are */
            r->status = load_names(c, count, &r->error);
    }
    return chunk && r->status == STATUS_OK;
}

bool rows_next(struct rows *r, struct buf *out)
{
    bool is_fetched = fetch(r);
    if (!r->is_begun && !r->is_going_on && r->format == ROWS_CSV)
        add_names(r, out);
    r->is_begun = true;
    if (!is_fetched)
        return false;
    idx_t n = duckdb_data_chunk_get_size(r->chunk);
    if (r->most && (int64_t)n > r->most - r->count) {
        r->has_more = true;
        n = (idx_t)(r->most - r->count);
    }
    for (idx_t i = 0; i < n && !out->is_overflowed; i++) {
        if (r->format == ROWS_CSV) {
            add_csv_row(r, i, out);
            continue;
        }
        if (r->format != ROWS_NDJSON && (r->count || i || r->is_going_on))
            buf_putc(out, ',');
        if (r->format == ROWS_GEOJSON) {
            add_feature(r, i, out);
            continue;
        }
        add_object(r, i, out);
        if (r->format == ROWS_NDJSON)
            buf_putc(out, '\n');
    }
    r->count += (int64_t)n;
    return !r->has_more;
}

/* The column of the newest chunk, or NULL where the last row has nothing in it. */
static const struct cell_vector *last_of(const struct rows *r, const char *column,
                                         duckdb_type *ret_type, idx_t *ret_row)
{
    idx_t n = r->chunk ? duckdb_data_chunk_get_size(r->chunk) : 0;
    for (size_t i = 0; n && i < r->column_count; i++) {
        if (!streq(r->columns[i].name, column))
            continue;
        const struct cell_vector *v = &r->columns[i].values;
        *ret_type = r->columns[i].type.id;
        *ret_row = n - 1;
        return cell_is_null(v, n - 1) ? NULL : v;
    }
    return NULL;
}

int64_t rows_last_int(const struct rows *r, const char *column, int64_t fallback)
{
    duckdb_type type;
    idx_t row;
    const struct cell_vector *v = last_of(r, column, &type, &row);
    if (!v)
        return fallback;
    const void *data = v->data;
    if (type == DUCKDB_TYPE_INTEGER)
        return ((const int32_t *)data)[row];
    if (type == DUCKDB_TYPE_BIGINT || type == DUCKDB_TYPE_TIMESTAMP)
        return ((const int64_t *)data)[row];
    return fallback;
}

struct str rows_last_text(const struct rows *r, const char *column)
{
    duckdb_type type;
    idx_t row;
    const struct cell_vector *v = last_of(r, column, &type, &row);
    if (!v || type != DUCKDB_TYPE_VARCHAR)
        return STR("");
    return cell_text(v, row);
}

void rows_done(struct rows *r)
{
    for (size_t i = 0; i < r->column_count; i++) {
        cell_type_done(&r->columns[i].type);
        free(r->columns[i].name);
        free(r->columns[i].before);
        free(r->columns[i].ids);
    }
    free(r->columns);
    duckdb_destroy_data_chunk(&r->chunk);
    *r = (struct rows){0};
}
