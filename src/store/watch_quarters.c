#include "store/watch_quarters.h"

#include <math.h>

#include "base/clock.h"

#include "base/banned.h"

/* Quarters by pages, so that one segment of another century costs a page and no more. */
enum { PAGE = 4096 };
#define QUARTER_US (15 * US_PER_MIN)
/* The years 1 to 9999: what is outside is no time of this world. */
#define FIRST_PAGE (INT64_C(-62135596800) / 900 / PAGE - 1)
#define LAST_PAGE (INT64_C(253402300800) / 900 / PAGE + 1)

/* One group's sums. Zeroed memory is empty. */
struct sums {
    int64_t **pages; /* NULL: nothing there */
    int64_t first_page;
    size_t page_count;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Makes room in the directory for that page. */
static void reach(struct sums *s, int64_t page)
{
    int64_t first = s->page_count && s->first_page < page ? s->first_page : page;
    int64_t end = s->first_page + (int64_t)s->page_count;
    int64_t last = s->page_count && end > page ? end : page + 1;
    size_t count = (size_t)(last - first);
    if (s->page_count && count == s->page_count)
        return;
    int64_t **pages = xcalloc(count, sizeof *pages);
    if (s->page_count)
        memcpy(pages + (s->first_page - first), s->pages, s->page_count * sizeof *pages);
    free(s->pages);
    s->pages = pages;
    s->first_page = first;
    s->page_count = count;
}

static void add(struct sums *s, int64_t quarter, int64_t watch_us)
{
    int64_t page = floor_div(quarter, PAGE);
    if (page < FIRST_PAGE || page > LAST_PAGE)
        return;
    if (page < s->first_page || page >= s->first_page + (int64_t)s->page_count)
        reach(s, page);
    int64_t **at = &s->pages[page - s->first_page];
    if (!*at)
        *at = xcalloc(PAGE, sizeof **at);
    (*at)[quarter - page * PAGE] += watch_us;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* One stretch of watching, cut to the window; each microsecond counts `weight`. */
static void add_span(struct sums *s, int64_t from, int64_t to, int64_t weight)
{
    for (int64_t quarter = floor_div(from, QUARTER_US); from < to; quarter++) {
        int64_t end = earlier(to, (quarter + 1) * QUARTER_US);
        add(s, quarter, (end - from) * weight);
        from = end;
    }
}

/* Watch time spread evenly over began..ended, of which from..to is inside the window. */
static void add_even(struct sums *s, int64_t began, int64_t ended, int64_t watch_us, int64_t from,
                     int64_t to, int64_t weight)
{
    double length = (double)(ended - began);
    double whole = (double)watch_us;
    double before = floor(whole * ((double)(from - began) / length));
    for (int64_t quarter = floor_div(from, QUARTER_US); from < to; quarter++) {
        from = earlier(to, (quarter + 1) * QUARTER_US);
        double after = floor(whole * ((double)(from - began) / length));
        add(s, quarter, (int64_t)(after - before) * weight);
        before = after;
    }
}

/* --- the aggregate --------------------------------------------------------------------------- */

/* KBPS: of sent_quarters() only. */
enum { STARTED, ENDED, WATCH_MS, SPANS, WINDOW_FROM, WINDOW_TO, KBPS, PARAMETERS };

struct input {
    duckdb_vector vectors[PARAMETERS];
    const int64_t *data[PARAMETERS];
    uint64_t *validity[PARAMETERS];
    const int64_t *spans;
    bool is_weighted;
};

static bool has(const struct input *in, int column, idx_t row)
{
    return !in->validity[column] || duckdb_validity_row_is_valid(in->validity[column], row);
}

static void add_row(struct sums *s, const struct input *in, idx_t row)
{
    if (!has(in, STARTED, row) || !has(in, ENDED, row) || !has(in, WATCH_MS, row))
        return;
    if (in->is_weighted && !has(in, KBPS, row))
        return;
    int64_t weight = in->is_weighted ? in->data[KBPS][row] : 1;
    int64_t window_from = has(in, WINDOW_FROM, row) ? in->data[WINDOW_FROM][row] : INT64_MIN;
    int64_t window_to = has(in, WINDOW_TO, row) ? in->data[WINDOW_TO][row] : INT64_MAX;
    if (has(in, SPANS, row)) {
        const duckdb_list_entry *e = (const duckdb_list_entry *)(const void *)in->data[SPANS] + row;
        const int64_t *spans = in->spans + e->offset;
        for (idx_t i = 0; i + 1 < e->length; i += 2)
            add_span(s, later(spans[i], window_from), earlier(spans[i + 1], window_to), weight);
        return;
    }
    int64_t began = in->data[STARTED][row];
    int64_t ended = later(in->data[ENDED][row], began + 1);
    add_even(s, began, ended, in->data[WATCH_MS][row] * US_PER_MS, later(began, window_from),
             earlier(ended, window_to), weight);
}

static idx_t state_size(duckdb_function_info info)
{
    return sizeof(struct sums);
}

static void state_init(duckdb_function_info info, duckdb_aggregate_state state)
{
    *(struct sums *)state = (struct sums){0};
}

static void update(duckdb_function_info info, duckdb_data_chunk chunk,
                   duckdb_aggregate_state *states)
{
    idx_t columns = duckdb_data_chunk_get_column_count(chunk);
    struct input in = {.is_weighted = columns > KBPS};
    for (idx_t i = 0; i < columns; i++) {
        in.vectors[i] = duckdb_data_chunk_get_vector(chunk, i);
        in.data[i] = duckdb_vector_get_data(in.vectors[i]);
        in.validity[i] = duckdb_vector_get_validity(in.vectors[i]);
    }
    in.spans = duckdb_vector_get_data(duckdb_list_vector_get_child(in.vectors[SPANS]));
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows; row++)
        add_row((struct sums *)states[row], &in, row);
}

static void combine(duckdb_function_info info, duckdb_aggregate_state *sources,
                    duckdb_aggregate_state *targets, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        const struct sums *source = (const struct sums *)sources[i];
        struct sums *target = (struct sums *)targets[i];
        for (size_t p = 0; p < source->page_count; p++)
            for (int64_t k = 0; source->pages[p] && k < PAGE; k++)
                if (source->pages[p][k])
                    add(target, (source->first_page + (int64_t)p) * PAGE + k, source->pages[p][k]);
    }
}

static size_t count_quarters(const struct sums *s)
{
    size_t n = 0;
    for (size_t p = 0; p < s->page_count; p++)
        for (int64_t k = 0; s->pages[p] && k < PAGE; k++)
            n += s->pages[p][k] != 0;
    return n;
}

static void finalize(duckdb_function_info info, duckdb_aggregate_state *states, duckdb_vector result,
                     idx_t count, idx_t offset)
{
    duckdb_list_entry *entries = duckdb_vector_get_data(result);
    for (idx_t i = 0; i < count; i++) {
        const struct sums *s = (const struct sums *)states[i];
        idx_t at = duckdb_list_vector_get_size(result);
        entries[offset + i] = (duckdb_list_entry){.offset = at, .length = count_quarters(s)};
        duckdb_list_vector_reserve(result, at + entries[offset + i].length);
        duckdb_list_vector_set_size(result, at + entries[offset + i].length);
        duckdb_vector child = duckdb_list_vector_get_child(result);
        int64_t *quarters = duckdb_vector_get_data(duckdb_struct_vector_get_child(child, 0));
        int64_t *watch_us = duckdb_vector_get_data(duckdb_struct_vector_get_child(child, 1));
        for (size_t p = 0; p < s->page_count; p++) {
            for (int64_t k = 0; s->pages[p] && k < PAGE; k++) {
                if (!s->pages[p][k])
                    continue;
                quarters[at] = (s->first_page + (int64_t)p) * PAGE + k;
                watch_us[at++] = s->pages[p][k];
            }
        }
    }
}

static void destroy(duckdb_aggregate_state *states, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        struct sums *s = (struct sums *)states[i];
        for (size_t p = 0; p < s->page_count; p++)
            free(s->pages[p]);
        free(s->pages);
        *s = (struct sums){0};
    }
}

static enum status register_one(struct store_conn *c, const char *name, const char *what,
                                int parameters, struct error *err)
{
    auto_type duckdb_logical_type timestamp = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP);
    auto_type duckdb_logical_type bigint = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    auto_type duckdb_logical_type bigints = duckdb_create_list_type(bigint);
    const char *names[] = {"quarter", what};
    auto_type duckdb_logical_type one =
        duckdb_create_struct_type((duckdb_logical_type[]){bigint, bigint}, names, 2);
    auto_type duckdb_logical_type all = duckdb_create_list_type(one);
    auto_aggregate duckdb_aggregate_function f = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(f, name);
    const duckdb_logical_type types[PARAMETERS] = {
        [STARTED] = timestamp,     [ENDED] = timestamp,     [WATCH_MS] = bigint, [SPANS] = bigints,
        [WINDOW_FROM] = timestamp, [WINDOW_TO] = timestamp, [KBPS] = bigint};
    for (int i = 0; i < parameters; i++)
        duckdb_aggregate_function_add_parameter(f, types[i]);
    duckdb_aggregate_function_set_return_type(f, all);
    duckdb_aggregate_function_set_special_handling(f); /* NULL means something here */
    duckdb_aggregate_function_set_functions(f, state_size, state_init, update, combine, finalize);
    duckdb_aggregate_function_set_destructor(f, destroy);
    if (duckdb_register_aggregate_function(store_duckdb(c), f) != DuckDBSuccess)
        return fail(err, STATUS_INTERNAL, "the store does not take the function %s", name);
    return STATUS_OK;
}

enum status watch_quarters_register(struct store_conn *c, struct error *err)
{
    TRY(register_one(c, "watch_quarters", "watch_us", KBPS, err));
    return register_one(c, "sent_quarters", "millibits", PARAMETERS, err);
}
