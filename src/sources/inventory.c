#include "sources/inventory.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/source.h"

#include "base/banned.h"

#define WHOLE_EVERY_US US_PER_DAY
#define TOTAL_MAX INT64_C(1000000000) /* more is taken for nonsense */
enum { PAGE_MAX = 250, NEW_PAGE_MAX = 50, ITEMS_A_RECORD = 200 };

void inventory_done(struct inventory *v)
{
    free(v->all);
    free(v->listed);
    *v = (struct inventory){0};
}

static struct library *find(const struct inventory *v, const char *key)
{
    for (size_t i = 0; i < v->count; i++)
        if (streq(v->all[i].key, key))
            return &v->all[i];
    return NULL;
}

void inventory_list(struct inventory *v)
{
    v->listed_count = 0;
    v->has_left_out = false;
}

void inventory_add(struct inventory *v, const char *key, unsigned type)
{
    if (!*key || strlen(key) >= sizeof v->all->key)
        return;
    if (v->listed_count == LIBRARIES_MAX) {
        v->has_left_out = true;
        return;
    }
    for (size_t i = 0; i < v->listed_count; i++)
        if (streq(v->listed[i].key, key))
            return;
    const struct library *known = find(v, key);
    struct library l = {.type = type, .total = -1, .newest_us = TIME_NONE};
    if (known) {
        l.total = known->total;
        l.newest_us = known->newest_us;
        l.whole_us = known->whole_us;
    }
    snprintf(l.key, sizeof l.key, "%s", key);
    *GROW(v->listed, v->listed_count, v->listed_room) = l;
}

/* --- a pass ------------------------------------------------------------------------------- */

/* Whether a library that was known is no longer listed: what it held is found by a pass over all. */
static bool has_lost_one(const struct inventory *v)
{
    for (size_t i = 0; i < v->count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < v->listed_count && !is_there; k++)
            is_there = streq(v->all[i].key, v->listed[k].key);
        if (!is_there)
            return true;
    }
    return false;
}

static void begin_library(struct inventory *v, bool is_whole)
{
    v->page = 0;
    v->rows = v->fresh = 0;
    v->first_total = -1;
    v->newest_us = TIME_NONE;
    v->is_whole = is_whole;
}

static void next_library(struct inventory *v)
{
    if (v->at < v->count) {
        const struct library *l = &v->all[v->at];
        /* The clock may have been put back. */
        bool is_due = l->total < 0 || v->pass_us - l->whole_us >= WHOLE_EVERY_US ||
                      l->whole_us > v->pass_us;
        begin_library(v, is_due);
    }
}

void inventory_begin(struct source *s)
{
    struct inventory *v = &s->inventory;
    bool has_lost = has_lost_one(v);
    struct library *all = v->all;
    size_t room = v->room;
    v->all = v->listed;
    v->count = v->listed_count;
    v->room = v->listed_room;
    v->listed = all;
    v->listed_room = room;
    v->listed_count = 0;
    for (size_t i = 0; has_lost && i < v->count; i++)
        v->all[i].whole_us = 0;
    v->pass_us = clock_now_us();
    v->at = v->wholes = 0;
    next_library(v);
}

/* An item takes some 5 KB of an answer, and several times that while it is read; a page holds up what
 * plays for some 20 ms. What is new is few. */
static unsigned page_size(const struct source *s)
{
    unsigned size = s->config->batch_size, most = s->inventory.is_whole ? PAGE_MAX : NEW_PAGE_MAX;
    return size && size < most ? size : most;
}

bool inventory_next(struct source *s, struct buf *path)
{
    struct inventory *v = &s->inventory;
    if (v->at >= v->count)
        return false;
    s->ops->items_path(s, &v->all[v->at], v->page * page_size(s), page_size(s), path);
    return true;
}

static void begin_record(struct source *s, struct json_writer *w, struct buf *b, const char *library)
{
    buf_clear(b);
    jw_begin(w, b);
    jw_object(w);
    jw_kv_text(w, "server", s->config->key);
    jw_kv_int(w, "pass_us", s->inventory.pass_us);
    if (library)
        jw_kv_text(w, "library_key", library);
}

static void write_item(const struct source *s, struct json_writer *w, const struct item *i)
{
    jw_object(w);
    source_write_members(w, &i->what);
    if (i->added_us != TIME_NONE)
        jw_kv_int(w, "added_us", i->added_us - s->ahead_us);
    if (i->size_bytes >= 0)
        jw_kv_int(w, "size_bytes", i->size_bytes);
    jw_object_end(w);
}

/* The rows of a page. False when everything further is known already. */
static bool take_rows(struct source *s, const struct library *l, const json_t *rows)
{
    struct inventory *v = &s->inventory;
    auto_buf struct buf b = {0};
    struct json_writer w;
    bool is_more = true;
    size_t count = json_array_size(rows);
    for (size_t i = 0; i < count && is_more;) {
        size_t written = 0;
        begin_record(s, &w, &b, l->key);
        jw_kv_array(&w, "items");
        for (; i < count && written < ITEMS_A_RECORD; i++) {
            auto_arena struct arena a = {0};
            struct item item = {.added_us = TIME_NONE, .changed_us = TIME_NONE, .size_bytes = -1};
            observation_init(&item.what);
            if (!s->ops->item_read(&a, json_array_get(rows, i), &item))
                continue;
            if (!v->is_whole && item.changed_us != TIME_NONE && item.changed_us <= l->newest_us) {
                is_more = false;
                break;
            }
            if (item.changed_us > v->newest_us)
                v->newest_us = item.changed_us;
            if (item.added_us != TIME_NONE && item.added_us > l->newest_us)
                v->fresh++;
            write_item(s, &w, &item);
            written++;
        }
        jw_array_end(&w);
        jw_object_end(&w);
        if (written)
            source_append(s, LOG_ITEMS, &b);
    }
    return is_more;
}

/* What was not seen in the whole of a library (NULL: of all of them) is not there any more. */
static void tell_end(struct source *s, const char *library)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    begin_record(s, &w, &b, library);
    jw_object_end(&w);
    source_append(s, LOG_ITEMS_END, &b);
}

static void end_whole(struct source *s, struct library *l, int64_t total)
{
    struct inventory *v = &s->inventory;
    /* It was changed while it was read: something may have slipped from one page to one before. */
    bool is_torn = total != v->first_total;
    l->total = is_torn ? -1 : total;
    l->newest_us = v->newest_us;
    l->whole_us = v->pass_us;
    if (is_torn || v->rows < total || s->is_sync_lost)
        return;
    tell_end(s, l->key);
    v->wholes++;
}

/* All there is of the library was read, or all that is new. */
static void end_library(struct source *s, int64_t total)
{
    struct inventory *v = &s->inventory;
    struct library *l = &v->all[v->at];
    if (!v->is_whole && total != l->total + v->fresh) {
        begin_library(v, true); /* something is gone, or came with an old date */
        return;
    }
    if (v->is_whole) {
        end_whole(s, l, total);
    } else {
        l->total = total;
        if (v->newest_us > l->newest_us)
            l->newest_us = v->newest_us;
    }
    v->at++;
    next_library(v);
    if (v->at == v->count && v->count && v->wholes == v->count && !v->has_left_out)
        tell_end(s, NULL); /* with it, what libraries held that are gone */
}

enum status inventory_take(struct source *s, const json_t *root, struct error *err)
{
    struct inventory *v = &s->inventory;
    const json_t *rows = NULL;
    int64_t total = -1;
    if (v->at >= v->count)
        return STATUS_OK;
    TRY(s->ops->items_rows(root, &rows, &total, err));
    if (total < 0 || total > TOTAL_MAX)
        total = -1;
    size_t count = json_array_size(rows);
    v->rows += (int64_t)count;
    bool is_more = take_rows(s, &v->all[v->at], rows) && count > 0;
    /* More than was asked for: the server does not page and has told all. */
    if (count > page_size(s) || (total >= 0 && v->rows >= total) ||
        (total < 0 && count < page_size(s)) || v->rows >= LIBRARY_ITEMS_MAX)
        is_more = false;
    if (v->page++ == 0)
        v->first_total = total;
    if (is_more) {
        int64_t of = total > 0 ? total : v->rows;
        source_set_inventory_percent(
            s, (int)((100 * (int64_t)v->at + 100 * v->rows / of) / (int64_t)v->count));
        return STATUS_OK;
    }
    if (total < 0 && v->is_whole)
        total = v->first_total = v->rows;
    else if (total < 0)
        total = v->all[v->at].total + v->fresh;
    end_library(s, total);
    return STATUS_OK;
}

/* --- what is known ------------------------------------------------------------------------ */

const char *inventory_gap(const struct inventory *v)
{
    if (v->has_left_out)
        return "it has more than 256 libraries; the rest is left out";
    for (size_t i = 0; i < v->count; i++)
        if (v->all[i].total > LIBRARY_ITEMS_MAX)
            return "a library has more than 500000 items; the rest is left out";
    return NULL;
}

int64_t inventory_total(const struct inventory *v)
{
    int64_t sum = 0;
    bool is_known = false;
    for (size_t i = 0; i < v->count; i++)
        if (v->all[i].total >= 0) {
            sum += v->all[i].total;
            is_known = true;
        }
    return is_known ? sum : -1;
}

void inventory_write(const struct inventory *v, struct json_writer *w)
{
    jw_kv_array(w, "inventory");
    for (size_t i = 0; i < v->count; i++) {
        const struct library *l = &v->all[i];
        if (l->total < 0)
            continue;
        jw_array(w);
        jw_text(w, l->key);
        jw_int(w, l->total);
        jw_int(w, l->newest_us);
        jw_int(w, l->whole_us);
        jw_array_end(w);
    }
    jw_array_end(w);
}

static int64_t number_at(const json_t *row, size_t i)
{
    return json_integer_value(json_array_get(row, i));
}

void inventory_read(struct inventory *v, const json_t *root)
{
    v->count = 0;
    size_t i;
    json_t *row;
    json_array_foreach (root, i, row) {
        const char *key = json_string_value(json_array_get(row, 0));
        if (!key || strlen(key) >= sizeof v->all->key || json_array_size(row) != 4 ||
            v->count == LIBRARIES_MAX)
            continue;
        struct library l = {.total = number_at(row, 1), .newest_us = number_at(row, 2),
                            .whole_us = number_at(row, 3)};
        if (l.total < 0 || l.total > TOTAL_MAX)
            continue;
        snprintf(l.key, sizeof l.key, "%s", key);
        *GROW(v->all, v->count, v->room) = l;
    }
}
