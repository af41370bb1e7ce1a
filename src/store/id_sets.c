#include "store/id_sets.h"

#include "base/mem.h"

#include "base/banned.h"

/* --- sets ------------------------------------------------------------------------------------ */

enum { PAGE_WORDS = 8, PAGE_IDS = PAGE_WORDS * 64 };

/* One group's ids, as bits. Zeroed memory is empty. */
struct set {
    uint64_t **pages; /* NULL: nothing there */
    uint32_t page_count;
    int64_t count;
};

static uint64_t *page_of(struct set *s, uint32_t page)
{
    if (page >= s->page_count) {
        uint32_t count = page + 1 > s->page_count * 2 ? page + 1 : s->page_count * 2;
        s->pages = xreallocarray(s->pages, count, sizeof *s->pages);
        memset(s->pages + s->page_count, 0, (count - s->page_count) * sizeof *s->pages);
        s->page_count = count;
    }
    if (!s->pages[page])
        s->pages[page] = xcalloc(PAGE_WORDS, sizeof **s->pages);
    return s->pages[page];
}

static void set_add(struct set *s, uint32_t id)
{
    uint64_t *word = &page_of(s, id / PAGE_IDS)[id % PAGE_IDS / 64];
    uint64_t bit = UINT64_C(1) << id % 64;
    s->count += !(*word & bit);
    *word |= bit;
}

static void set_merge(struct set *to, const struct set *from)
{
    for (uint32_t p = 0; p < from->page_count; p++) {
        if (!from->pages[p])
            continue;
        uint64_t *words = page_of(to, p);
        for (int i = 0; i < PAGE_WORDS; i++) {
            to->count += __builtin_popcountll(from->pages[p][i] & ~words[i]);
            words[i] |= from->pages[p][i];
        }
    }
}

static int64_t set_longest_run(const struct set *s)
{
    int64_t longest = 0, run = 0;
    for (uint32_t p = 0; p < s->page_count; p++) {
        if (!s->pages[p])
            run = 0;
        for (uint32_t i = 0; s->pages[p] && i < PAGE_IDS; i++) {
            run = s->pages[p][i / 64] >> i % 64 & 1 ? run + 1 : 0;
            longest = run > longest ? run : longest;
        }
    }
    return longest;
}

static void set_done(struct set *s)
{
    for (uint32_t p = 0; p < s->page_count; p++)
        free(s->pages[p]);
    free(s->pages);
    *s = (struct set){0};
}

/* --- sums ------------------------------------------------------------------------------------ */

/* An id and its sum; key 0: no such. */
struct sum {
    int64_t weight;
    uint32_t key; /* id + 1 */
};

/* One group's sums, by hash. Zeroed memory is empty. */
struct sums {
    struct sum *slots;
    uint32_t room, count; /* room: a power of two, or 0 */
};

static struct sum *slot_of(const struct sums *s, uint32_t key)
{
    uint32_t at = key * 2654435769u; /* golden ratio: ids that follow each other lie apart */
    for (at ^= at >> 15;; at++) {
        struct sum *slot = &s->slots[at & (s->room - 1)];
        if (!slot->key || slot->key == key)
            return slot;
    }
}

static void sums_grow(struct sums *s)
{
    struct sums old = *s;
    s->room = old.room ? old.room * 2 : 8;
    s->slots = xcalloc(s->room, sizeof *s->slots);
    for (uint32_t i = 0; i < old.room; i++)
        if (old.slots[i].key)
            *slot_of(s, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

static void sums_add(struct sums *s, uint32_t key, int64_t weight)
{
    if (s->count >= s->room - s->room / 4)
        sums_grow(s);
    struct sum *slot = slot_of(s, key);
    s->count += !slot->key;
    slot->key = key;
    slot->weight += weight;
}

static int compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The ids of the greatest sum; the caller frees them. */
static int32_t *sums_heaviest(const struct sums *s, size_t *ret_count)
{
    int64_t most = INT64_MIN;
    size_t count = 0;
    for (uint32_t i = 0; i < s->room; i++) {
        if (!s->slots[i].key || s->slots[i].weight < most)
            continue;
        count = s->slots[i].weight > most ? 1 : count + 1;
        most = s->slots[i].weight;
    }
    int32_t *ids = xcalloc(count ? count : 1, sizeof *ids);
    *ret_count = 0;
    for (uint32_t i = 0; i < s->room; i++)
        if (s->slots[i].key && s->slots[i].weight == most)
            ids[(*ret_count)++] = (int32_t)(s->slots[i].key - 1);
    qsort(ids, *ret_count, sizeof *ids, compare);
    return ids;
}

/* --- the aggregates -------------------------------------------------------------------------- */

static bool is_null(const uint64_t *validity, idx_t row)
{
    return validity && !(validity[row / 64] >> row % 64 & 1);
}

/* Whether the row's id counts. */
static bool take_id(duckdb_function_info info, const int32_t *ids, const uint64_t *validity,
                    idx_t row)
{
    if (is_null(validity, row))
        return false;
    if (ids[row] >= 0)
        return true;
    duckdb_aggregate_function_set_error(info, "an id is negative");
    return false;
}

static idx_t set_size(duckdb_function_info info)
{
    return sizeof(struct set);
}

static void set_init(duckdb_function_info info, duckdb_aggregate_state state)
{
    *(struct set *)state = (struct set){0};
}

static void set_update(duckdb_function_info info, duckdb_data_chunk chunk,
                       duckdb_aggregate_state *states)
{
    duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
    const int32_t *ids = duckdb_vector_get_data(v);
    const uint64_t *validity = duckdb_vector_get_validity(v);
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows; row++)
        if (take_id(info, ids, validity, row))
            set_add((struct set *)states[row], (uint32_t)ids[row]);
}

static void set_combine(duckdb_function_info info, duckdb_aggregate_state *sources,
                        duckdb_aggregate_state *targets, idx_t count)
{
    for (idx_t i = 0; i < count; i++)
        set_merge((struct set *)targets[i], (const struct set *)sources[i]);
}

static void finalize_count(duckdb_function_info info, duckdb_aggregate_state *states,
                           duckdb_vector result, idx_t count, idx_t offset)
{
    int64_t *rows = duckdb_vector_get_data(result);
    for (idx_t i = 0; i < count; i++)
        rows[offset + i] = ((const struct set *)states[i])->count;
}

static void finalize_run(duckdb_function_info info, duckdb_aggregate_state *states,
                         duckdb_vector result, idx_t count, idx_t offset)
{
    int64_t *rows = duckdb_vector_get_data(result);
    for (idx_t i = 0; i < count; i++)
        rows[offset + i] = set_longest_run((const struct set *)states[i]);
}

static void set_destroy(duckdb_aggregate_state *states, idx_t count)
{
    for (idx_t i = 0; i < count; i++)
        set_done((struct set *)states[i]);
}

static idx_t sums_size(duckdb_function_info info)
{
    return sizeof(struct sums);
}

static void sums_init(duckdb_function_info info, duckdb_aggregate_state state)
{
    *(struct sums *)state = (struct sums){0};
}

static void sums_update(duckdb_function_info info, duckdb_data_chunk chunk,
                        duckdb_aggregate_state *states)
{
    duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
    duckdb_vector w = duckdb_data_chunk_get_vector(chunk, 1);
    const int32_t *ids = duckdb_vector_get_data(v);
    const int64_t *weights = duckdb_vector_get_data(w);
    const uint64_t *validity = duckdb_vector_get_validity(v);
    const uint64_t *weighed = duckdb_vector_get_validity(w);
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < rows; row++)
        if (!is_null(weighed, row) && take_id(info, ids, validity, row))
            sums_add((struct sums *)states[row], (uint32_t)ids[row] + 1, weights[row]);
}

static void sums_combine(duckdb_function_info info, duckdb_aggregate_state *sources,
                         duckdb_aggregate_state *targets, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        const struct sums *source = (const struct sums *)sources[i];
        struct sums *target = (struct sums *)targets[i];
        for (uint32_t k = 0; k < source->room; k++)
            if (source->slots[k].key)
                sums_add(target, source->slots[k].key, source->slots[k].weight);
    }
}

static void finalize_heaviest(duckdb_function_info info, duckdb_aggregate_state *states,
                              duckdb_vector result, idx_t count, idx_t offset)
{
    duckdb_vector_ensure_validity_writable(result);
    for (idx_t i = 0; i < count; i++) {
        size_t n;
        auto_free int32_t *ids = sums_heaviest((const struct sums *)states[i], &n);
        idx_t at = duckdb_list_vector_get_size(result);
        duckdb_list_entry *entries = duckdb_vector_get_data(result);
        entries[offset + i] = (duckdb_list_entry){.offset = at, .length = n};
        if (!n) {
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(result), offset + i);
            continue;
        }
        duckdb_list_vector_reserve(result, at + n);
        duckdb_list_vector_set_size(result, at + n);
        int32_t *data = duckdb_vector_get_data(duckdb_list_vector_get_child(result));
        memcpy(data + at, ids, n * sizeof *ids);
    }
}

static void sums_destroy(duckdb_aggregate_state *states, idx_t count)
{
    for (idx_t i = 0; i < count; i++) {
        struct sums *s = (struct sums *)states[i];
        free(s->slots);
        *s = (struct sums){0};
    }
}

static enum status register_one(struct store_conn *c, const char *name,
                                duckdb_aggregate_finalize_t finalize, struct error *err)
{
    bool is_sums = finalize == finalize_heaviest;
    auto_type duckdb_logical_type integer = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
    auto_type duckdb_logical_type bigint = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    auto_type duckdb_logical_type integers = duckdb_create_list_type(integer);
    auto_aggregate duckdb_aggregate_function f = duckdb_create_aggregate_function();
    duckdb_aggregate_function_set_name(f, name);
    duckdb_aggregate_function_add_parameter(f, integer);
    if (is_sums)
        duckdb_aggregate_function_add_parameter(f, bigint);
    duckdb_aggregate_function_set_return_type(f, is_sums ? integers : bigint);
    duckdb_aggregate_function_set_special_handling(f);
    if (is_sums) {
        duckdb_aggregate_function_set_functions(f, sums_size, sums_init, sums_update, sums_combine,
                                                finalize);
        duckdb_aggregate_function_set_destructor(f, sums_destroy);
    } else {
        duckdb_aggregate_function_set_functions(f, set_size, set_init, set_update, set_combine,
                                                finalize);
        duckdb_aggregate_function_set_destructor(f, set_destroy);
    }
    if (duckdb_register_aggregate_function(store_duckdb(c), f) != DuckDBSuccess)
        return fail(err, STATUS_INTERNAL, "the store does not take the function %s", name);
    return STATUS_OK;
}

enum status id_sets_register(struct store_conn *c, struct error *err)
{
    TRY(register_one(c, "distinct_ids", finalize_count, err));
    TRY(register_one(c, "longest_run", finalize_run, err));
    return register_one(c, "heaviest_ids", finalize_heaviest, err);
}
