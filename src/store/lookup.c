#include "store/lookup.h"

#include <inttypes.h>

#include "base/json_write.h"
#include "store/cell.h"

#include "base/banned.h"

struct slot {
    int64_t id; /* 0: free */
    size_t from, len; /* of the texts */
};

struct lookup {
    struct lookup_config config;
    struct store_conn *conn;
    bool is_json;
    struct buf texts, header, missing; /* missing: what stands where there is no such row */
    struct slot *slots;
    size_t count, room; /* room: a power of two, or 0 */
};

struct lookup *lookup_new(const struct lookup_config *c, struct store_conn *conn)
{
    struct lookup *l = xcalloc(1, sizeof *l);
    l->config = *c;
    l->conn = conn;
    /* What may be read for one chunk of rows comes on top. */
    l->texts.cap = (size_t)LOOKUP_MOST * 2;
    return l;
}

static void forget(struct lookup *l)
{
    buf_clear(&l->texts);
    free(l->slots);
    l->slots = NULL;
    l->count = l->room = 0;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    forget(l);
    buf_done(&l->texts);
    buf_done(&l->header);
    buf_done(&l->missing);
    free(l);
}

const char *lookup_column(const struct lookup *l)
{
    return l->config.column;
}

void lookup_begin(struct lookup *l, bool is_json)
{
    if (l->is_json == is_json)
        return;
    forget(l);
    buf_clear(&l->header);
    buf_clear(&l->missing);
    l->is_json = is_json;
}

/* --- by number --------------------------------------------------------------------------------- */

/* Where the number is, or would be; there is always a free one. */
static struct slot *find(const struct lookup *l, int64_t id)
{
    size_t at = (size_t)((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (l->slots[at & (l->room - 1)].id && l->slots[at & (l->room - 1)].id != id)
        at++;
    return &l->slots[at & (l->room - 1)];
}

static void grow(struct lookup *l)
{
    struct slot *old = l->slots;
    size_t room = l->room;
    l->room = room ? room * 2 : 256;
    l->slots = xcalloc(l->room, sizeof *l->slots);
    for (size_t i = 0; i < room; i++)
        if (old[i].id)
            *find(l, old[i].id) = old[i];
    free(old);
}

/* The number's slot; *ret_is_new: it was not there. */
static struct slot *put(struct lookup *l, int64_t id, bool *ret_is_new)
{
    if (l->count * 2 >= l->room)
        grow(l);
    struct slot *s = find(l, id);
    *ret_is_new = !s->id;
    l->count += !s->id;
    s->id = id;
    return s;
}

/* --- reading ----------------------------------------------------------------------------------- */

enum { COLUMNS_MOST = 16 };
struct columns {
    size_t count;
    struct cell_type types[COLUMNS_MOST];
    struct cell_vector values[COLUMNS_MOST]; /* of the newest chunk */
    struct buf before[COLUMNS_MOST];         /* what stands in front of a value */
    bool is_shown[COLUMNS_MOST];
};

static void columns_done(struct columns *c)
{
    for (size_t i = 0; i < c->count; i++) {
        cell_type_done(&c->types[i]);
        buf_done(&c->before[i]);
    }
}

static void add_column(struct lookup *l, struct columns *c, size_t i, const char *name)
{
    bool is_first = l->header.len == 0;
    c->is_shown[i] = name[0] != '_';
    if (!c->is_shown[i])
        return;
    if (!is_first) {
        buf_putc(&c->before[i], ',');
        buf_putc(&l->header, ',');
    }
    cell_csv_text(str_of(name), &l->header);
    if (l->is_json) {
        struct json_writer w;
        jw_begin(&w, &c->before[i]);
        jw_text(&w, name);
        buf_putc(&c->before[i], ':');
    }
    buf_add_str(&l->missing, buf_str(&c->before[i]));
    if (l->is_json)
        buf_puts(&l->missing, "null");
}

static enum status read_columns(struct lookup *l, duckdb_result *result, struct columns *ret,
                                struct error *err)
{
    size_t count = duckdb_column_count(result);
    if (count > COLUMNS_MOST || duckdb_column_type(result, 0) != DUCKDB_TYPE_INTEGER)
        return fail(err, STATUS_INTERNAL, "%s: names are a number and at most %d columns",
                    l->config.column, COLUMNS_MOST - 1);
    buf_clear(&l->header);
    buf_clear(&l->missing);
    for (size_t i = 0; i < count; i++) {
        auto_type duckdb_logical_type type = duckdb_column_logical_type(result, i);
        TRY(cell_type_read(type, &ret->types[i], err));
        ret->count = i + 1;
        if (i > 0)
            add_column(l, ret, i, duckdb_column_name(result, i));
    }
    return STATUS_OK;
}

static void keep_row(struct lookup *l, const struct columns *c, idx_t row)
{
    bool is_new;
    struct slot *s = put(l, ((const int32_t *)c->values[0].data)[row], &is_new);
    s->from = l->texts.len;
    for (size_t i = 1; i < c->count; i++) {
        if (!c->is_shown[i])
            continue;
        buf_add_str(&l->texts, buf_str(&c->before[i]));
        (l->is_json ? cell_json : cell_csv)(&c->types[i], &c->values[i], row, &l->texts);
    }
    s->len = l->texts.len - s->from;
}

static enum status keep_rows(struct lookup *l, duckdb_result result, struct columns *c, struct error *err)
{
    TRY(read_columns(l, &result, c, err));
    while (true) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (!chunk)
            break;
        for (size_t i = 0; i < c->count; i++)
            c->values[i] = cell_vector(duckdb_data_chunk_get_vector(chunk, i));
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++)
            if (!cell_is_null(&c->values[0], row))
                keep_row(l, c, row);
    }
    return l->texts.is_overflowed ? fail(err, STATUS_TOO_LARGE, "the names of %s are too long",
                                         l->config.column + 1)
                                  : STATUS_OK;
}

static enum status read_ids(struct lookup *l, struct str ids, struct error *err)
{
    size_t count = l->config.count;
    auto_free struct store_named *values = xcalloc(count + 1, sizeof *values);
    if (count)
        memcpy(values, l->config.values, count * sizeof *values);
    values[count] = (struct store_named){"ids", {.kind = SV_TEXT, .s = ids}};
    auto_result duckdb_result result = {0};
    TRY(store_query_named(l->conn, l->config.sql, values, count + 1, &result, err));
    struct columns c = {0};
    enum status s = keep_rows(l, result, &c, err);
    columns_done(&c);
    return s;
}

enum status lookup_load(struct lookup *l, const int64_t *ids, size_t count, struct error *err)
{
    auto_buf struct buf missing = {0};
    if (l->texts.len > LOOKUP_MOST)
        forget(l);
    for (size_t i = 0; i < count; i++) {
        bool is_new = false;
        if (ids[i])
            put(l, ids[i], &is_new);
        if (is_new)
            buf_printf(&missing, "%s%" PRId64, missing.len ? "," : "", ids[i]);
    }
    /* Once even for no number: then it is known which columns there are. */
    if (!missing.len && l->header.len)
        return STATUS_OK;
    return read_ids(l, missing.len ? buf_str(&missing) : STR("0"), err);
}

void lookup_add(const struct lookup *l, int64_t id, struct buf *out)
{
    const struct slot *s = id ? find(l, id) : NULL;
    if (s && s->len)
        buf_add(out, l->texts.data + s->from, s->len);
    else
        buf_add_str(out, buf_str(&l->missing));
}

void lookup_add_header(const struct lookup *l, struct buf *out)
{
    buf_add_str(out, buf_str(&l->header));
}
