#include "store/names.h"

#include <inttypes.h>

#include "base/json_write.h"
#include "store/cell.h"

#include "base/banned.h"

struct slot {
    int64_t id; /* 0: free */
    size_t from, len; /* of the texts */
};

struct names {
    struct names_config config;
    struct store_conn *conn;
    bool is_json;
    struct buf texts, header, missing; /* missing: what stands where there is no such row */
    struct slot *slots;
    size_t count, room; /* room: a power of two, or 0 */
};

struct names *names_new(const struct names_config *c, struct store_conn *conn)
{
    struct names *n = xcalloc(1, sizeof *n);
    n->config = *c;
    n->conn = conn;
    /* What may be read for one chunk of rows comes on top. */
    n->texts.cap = (size_t)NAMES_MOST * 2;
    return n;
}

static void forget(struct names *n)
{
    buf_clear(&n->texts);
    free(n->slots);
    n->slots = NULL;
    n->count = n->room = 0;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    forget(n);
    buf_done(&n->texts);
    buf_done(&n->header);
    buf_done(&n->missing);
    free(n);
}

const char *names_column(const struct names *n)
{
    return n->config.column;
}

void names_begin(struct names *n, bool is_json)
{
    if (n->is_json == is_json)
        return;
    forget(n);
    buf_clear(&n->header);
    buf_clear(&n->missing);
    n->is_json = is_json;
}

/* --- by number --------------------------------------------------------------------------------- */

/* Where the number is, or would be; there is always a free one. */
static struct slot *find(const struct names *n, int64_t id)
{
    size_t at = (size_t)((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 32);
    while (n->slots[at & (n->room - 1)].id && n->slots[at & (n->room - 1)].id != id)
        at++;
    return &n->slots[at & (n->room - 1)];
}

static void grow(struct names *n)
{
    struct slot *old = n->slots;
    size_t room = n->room;
    n->room = room ? room * 2 : 256;
    n->slots = xcalloc(n->room, sizeof *n->slots);
    for (size_t i = 0; i < room; i++)
        if (old[i].id)
            *find(n, old[i].id) = old[i];
    free(old);
}

/* The number's slot; *ret_is_new: it was not there. */
static struct slot *put(struct names *n, int64_t id, bool *ret_is_new)
{
    if (n->count * 2 >= n->room)
        grow(n);
    struct slot *s = find(n, id);
    *ret_is_new = !s->id;
    n->count += !s->id;
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

static void add_column(struct names *n, struct columns *c, size_t i, const char *name)
{
    bool is_first = n->header.len == 0;
    c->is_shown[i] = name[0] != '_';
    if (!c->is_shown[i])
        return;
    if (!is_first) {
        buf_putc(&c->before[i], ',');
        buf_putc(&n->header, ',');
    }
    cell_csv_text(str_of(name), &n->header);
    if (n->is_json) {
        struct json_writer w;
        jw_begin(&w, &c->before[i]);
        jw_text(&w, name);
        buf_putc(&c->before[i], ':');
    }
    buf_add_str(&n->missing, buf_str(&c->before[i]));
    if (n->is_json)
        buf_puts(&n->missing, "null");
}

static enum status read_columns(struct names *n, duckdb_result *result, struct columns *ret, struct error *err)
{
    size_t count = duckdb_column_count(result);
    if (count > COLUMNS_MOST || duckdb_column_type(result, 0) != DUCKDB_TYPE_INTEGER)
        return fail(err, STATUS_INTERNAL, "%s: names are a number and at most %d columns",
                    n->config.column, COLUMNS_MOST - 1);
    buf_clear(&n->header);
    buf_clear(&n->missing);
    for (size_t i = 0; i < count; i++) {
        auto_type duckdb_logical_type type = duckdb_column_logical_type(result, i);
        TRY(cell_type_read(type, &ret->types[i], err));
        ret->count = i + 1;
        if (i > 0)
            add_column(n, ret, i, duckdb_column_name(result, i));
    }
    return STATUS_OK;
}

static void keep_row(struct names *n, const struct columns *c, idx_t row)
{
    bool is_new;
    struct slot *s = put(n, ((const int32_t *)c->values[0].data)[row], &is_new);
    s->from = n->texts.len;
    for (size_t i = 1; i < c->count; i++) {
        if (!c->is_shown[i])
            continue;
        buf_add_str(&n->texts, buf_str(&c->before[i]));
        (n->is_json ? cell_json : cell_csv)(&c->types[i], &c->values[i], row, &n->texts);
    }
    s->len = n->texts.len - s->from;
}

static enum status keep_rows(struct names *n, duckdb_result result, struct columns *c, struct error *err)
{
    TRY(read_columns(n, &result, c, err));
    while (true) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (!chunk)
            break;
        for (size_t i = 0; i < c->count; i++)
            c->values[i] = cell_vector(duckdb_data_chunk_get_vector(chunk, i));
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++)
            if (!cell_is_null(&c->values[0], row))
                keep_row(n, c, row);
    }
    return n->texts.is_overflowed ? fail(err, STATUS_TOO_LARGE, "the names of %s are too long",
                                         n->config.column + 1)
                                  : STATUS_OK;
}

static enum status read_ids(struct names *n, struct str ids, struct error *err)
{
    size_t count = n->config.count;
    auto_free struct store_named *values = xcalloc(count + 1, sizeof *values);
    if (count)
        memcpy(values, n->config.values, count * sizeof *values);
    values[count] = (struct store_named){"ids", {.kind = SV_TEXT, .s = ids}};
    auto_result duckdb_result result = {0};
    TRY(store_query_named(n->conn, n->config.sql, values, count + 1, &result, err));
    struct columns c = {0};
    enum status s = keep_rows(n, result, &c, err);
    columns_done(&c);
    return s;
}

enum status names_load(struct names *n, const int64_t *ids, size_t count, struct error *err)
{
    auto_buf struct buf missing = {0};
    if (n->texts.len > NAMES_MOST)
        forget(n);
    for (size_t i = 0; i < count; i++) {
        bool is_new = false;
        if (ids[i])
            put(n, ids[i], &is_new);
        if (is_new)
            buf_printf(&missing, "%s%" PRId64, missing.len ? "," : "", ids[i]);
    }
    /* Once even for no number: then it is known which columns there are. */
    if (!missing.len && n->header.len)
        return STATUS_OK;
    return read_ids(n, missing.len ? buf_str(&missing) : STR("0"), err);
}

void names_add(const struct names *n, int64_t id, struct buf *out)
{
    const struct slot *s = id ? find(n, id) : NULL;
    if (s && s->len)
        buf_add(out, n->texts.data + s->from, s->len);
    else
        buf_add_str(out, buf_str(&n->missing));
}

void names_add_header(const struct names *n, struct buf *out)
{
    buf_add_str(out, buf_str(&n->header));
}
