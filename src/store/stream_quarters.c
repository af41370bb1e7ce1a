#include "store/stream_quarters.h"

#include "base/clock.h"

#include "base/banned.h"

#define QUARTER_US (15 * US_PER_MIN)
/* No time of this world is outside of the years 1 to 9999. */
#define EARLIEST_US (INT64_C(-62135596800) * US_PER_S)
#define LATEST_US (INT64_C(253402300800) * US_PER_S)

/* One group's beginnings and ends: twice the instant, and one more for a beginning, so that in order
 * ends come before beginnings of the same instant. Zeroed memory is empty. */
struct edges {
    int64_t *at;
    size_t count, room;
};

static void reserve(struct edges *e, size_t more)
{
    if (e->count + more <= e->room)
        return;
    size_t room = e->room ? e->room * 2 : 64;
    e->room = room < e->count + more ? e->count + more : room;
    e->at = xreallocarray(e->at, e->room, sizeof *e->at);
}

/* --- the sweep ------------------------------------------------------------------------------- */

struct quarter {
    int64_t number, peak, peak_at, stream_us;
};

/* Where finished quarters go. */
struct sink {
    struct quarter *rows;
    size_t count, room;
};

static void put(struct sink *s, const struct quarter *q)
{
    if (!q->stream_us)
        return;
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->rows = xreallocarray(s->rows, s->room, sizeof *s->rows);
    }
    s->rows[s->count++] = *q;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* So many streams went on from..to: adds that to the quarters it touches. */
static void go_on(struct sink *s, struct quarter *q, int64_t from, int64_t to, int64_t level)
{
    while (from < to) {
        int64_t number = floor_div(from, QUARTER_US);
        if (number != q->number) {
            put(s, q);
            *q = (struct quarter){.number = number};
        }
        int64_t end = (number + 1) * QUARTER_US < to ? (number + 1) * QUARTER_US : to;
        if (level > q->peak) {
            q->peak = level;
            q->peak_at = from;
        }
        q->stream_us += level * (end - from);
        from = end;
    }
}

/* By digits of 11 bits, the last first: a third of the time of qsort(). Only the digits in which they
 * differ are looked at. */
static void sort(int64_t *at, size_t count)
{
    enum { DIGIT = 11, DIGITS = 1 << DIGIT };
    int64_t least = at[0], most = at[0];
    for (size_t i = 1; i < count; i++) {
        least = at[i] < least ? at[i] : least;
        most = at[i] > most ? at[i] : most;
    }
    uint64_t range = (uint64_t)(most - least);
    int64_t *from = at, *to = xreallocarray(NULL, count, sizeof *to), *other = to;
    for (int shift = 0; shift < 64 && range >> shift; shift += DIGIT) {
        size_t begins[DIGITS + 1] = {0};
        for (size_t i = 0; i < count; i++)
            begins[((uint64_t)(from[i] - least) >> shift) % DIGITS + 1]++;
        for (int d = 0; d < DIGITS; d++)
            begins[d + 1] += begins[d];
        for (size_t i = 0; i < count; i++)
            to[begins[((uint64_t)(from[i] - least) >> shift) % DIGITS]++] = from[i];
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != at)
        memcpy(at, from, count * sizeof *at);
    free(other);
}

static void sweep(struct edges *e, struct sink *s)
{
    if (!e->count)
        return;
    sort(e->at, e->count);
    struct quarter q = {.number = INT64_MIN};
    int64_t level = 0, since = 0;
    for (size_t i = 0; i < e->count; i++) {
        bool is_begin = e->at[i] & 1;
        int64_t at = (e->at[i] - is_begin) / 2;
        if (level)
            go_on(s, &q, since, at, level);
        level += is_begin ? 1 : -1;
        since = at;
    }
    put(s, &q);
}

/* --- the aggregate --------------------------------------------------------------------------- */

enum { STARTED, ENDED, WINDOW_FROM, WINDOW_TO, PARAMETERS };

static idx_t state_size(duckdb_function_info info)
{
    return sizeof(struct edges);
}

static void state_init(duckdb_function_info info, duckdb_aggregate_state state)
{
    *(struct edges *)state = (struct edges){0};
}

static void add(struct edges *e, int64_t from, int64_t to)
{
    if (from >= to || from < EARLIEST_US || to > LATEST_US)
        return;
    reserve(e, 2);
    e->at[e->count++] = from * 2 + 1;
    e->at[e->count++] = to * 2;
}

static void update(duckdb_function_info info, duckdb_data_chunk chunk,
                   duckdb_aggregate_state *states)
{
    const int64_t *data[PARAMETERS];
    uint64_t *valid[PARAMETERS];
    for (idx_t i = 0; i < PARAMETERS; i++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, i);
        data[i] = duckdb_vector_get_data(v);
        valid[i] = duckdb_vector_get_validity(v);
    }
#define HAS(column) (!valid[column] || duckdb_validity_row_is_valid(valid[column], row))
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows; row++) {
        if (!HAS(STARTED) || !HAS(ENDED))
            continue;
        int64_t from = data[STARTED][row], to = data[ENDED][row];
        if (HAS(WINDOW_FROM) && data[WINDOW_FROM][row] > from)
            from = data[WINDOW_FROM][row];
        if (HAS(WINDOW_TO) && data[WINDOW_TO][row] < to)
            to = data[WINDOW_TO][row];
        add((struct edges *)states[row], from, to);
    }
#undef HAS
}

static void combine(duckdb_function_info info, duckdb_aggregate_state *sources,
                    duckdb_aggregate_state *targets, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        const struct edges *source = (const struct edges *)sources[i];
        struct edges *target = (struct edges *)targets[i];
        if (!source->count)
            continue;
        reserve(target, source->count);
        memcpy(target->at + target->count, source->at, source->count * sizeof *source->at);
        target->count += source->count;
    }
}

static void write_list(duckdb_vector result, idx_t row, const struct sink *s)
{
    idx_t at = duckdb_list_vector_get_size(result);
    duckdb_list_entry *entries = duckdb_vector_get_data(result);
    entries[row] = (duckdb_list_entry){.offset = at, .length = s->count};
    duckdb_list_vector_reserve(result, at + s->count);
    duckdb_list_vector_set_size(result, at + s->count);
    int64_t *columns[4];
    for (idx_t i = 0; i < 4; i++)
        columns[i] = duckdb_vector_get_data(
            duckdb_struct_vector_get_child(duckdb_list_vector_get_child(result), i));
    for (size_t i = 0; i < s->count; i++) {
        columns[0][at + i] = s->rows[i].number;
        columns[1][at + i] = s->rows[i].peak;
        columns[2][at + i] = s->rows[i].peak_at;
        columns[3][at + i] = s->rows[i].stream_us;
    }
}

static void finalize(duckdb_function_info info, duckdb_aggregate_state *states, duckdb_vector result,
                     idx_t count, idx_t offset)
{
    for (idx_t i = 0; i < count; i++) {
        struct sink s = {0};
        sweep((struct edges *)states[i], &s);
        write_list(result, offset + i, &s);
        free(s.rows);
    }
}

static void destroy(duckdb_aggregate_state *states, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        struct edges *e = (struct edges *)states[i];
        free(e->at);
        *e = (struct edges){0};
    }
}

enum status stream_quarters_register(struct store_conn *c, struct error *err)
{
    auto_type duckdb_logical_type timestamp = duckdb_create_logical_type(DUCKDB_TYPE_TIMESTAMP);
    auto_type duckdb_logical_type bigint = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    const char *names[] = {"quarter", "peak", "peak_at", "stream_us"};
    auto_type duckdb_logical_type one = duckdb_create_struct_type(
        (duckdb_logical_type[]){bigint, bigint, bigint, bigint}, names, ARRAY_LEN(names));
    auto_type duckdb_logical_type all = duckdb_create_list_type(one);
    auto_aggregate duckdb_aggregate_function f = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(f, "stream_quarters");
    for (int i = 0; i < PARAMETERS; i++)
        duckdb_aggregate_function_add_parameter(f, timestamp);
    duckdb_aggregate_function_set_return_type(f, all);
    duckdb_aggregate_function_set_special_handling(f); /* NULL means something here */
    duckdb_aggregate_function_set_functions(f, state_size, state_init, update, combine, finalize);
    duckdb_aggregate_function_set_destructor(f, destroy);
    if (duckdb_register_aggregate_function(store_duckdb(c), f) != DuckDBSuccess)
        return fail(err, STATUS_INTERNAL, "the store does not take the function stream_quarters");
    return STATUS_OK;
}
