#include "ingest/titles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ingest/hands.h"
#include "ingest/title_keys.h"
#include "ingest/title_match.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

/* Names that more rows than this have are nobody's names: they join nothing. */
enum { SHARED_MOST = 200 };

struct key {
    UT_hash_handle hh;
    int32_t *rows; /* that have it, in the order in which they got it */
    size_t count, room;
    char text[];
};

struct row {
    struct key **keys;
    size_t count, room;
    int32_t root; /* 0: there is no such row */
    enum title_why why;
    uint32_t seen; /* in the round of this number */
    bool is_known; /* was there before: the store holds what it counts as */
    bool is_news, has_join, has_pairs, has_item, has_hand;
};

struct titles {
    struct key *keys;
    struct row *rows; /* by id */
    size_t room;
    int32_t last_id;
    int32_t *news;
    size_t news_count, news_room;
    struct hands hands;
    uint32_t round;

    bool is_bulk;
    duckdb_appender row_out, key_out;

    /* Of a call of titles_match(). */
    struct title_move *moves;
    size_t move_count, move_room;
    int32_t *component;
    size_t component_count, component_room;
    struct buf old_joins, old_pairs; /* ids whose rows of title_join, title_pair go, comma separated */
    struct join {
        int32_t row, root;
        enum title_why why;
    } *joins;
    size_t join_count, join_room;
    struct title_pair *pairs;
    size_t pair_count, pair_room;
};

struct titles *titles_new(void)
{
    return xcalloc(1, sizeof(struct titles));
}

static void forget(struct titles *t)
{
    struct key *k, *next;
    HASH_ITER(hh, t->keys, k, next) {
        HASH_DEL(t->keys, k);
        free(k->rows);
        free(k);
    }
    for (size_t i = 0; i < t->room; i++)
        free(t->rows[i].keys);
    free(steal_ptr(&t->rows));
    t->room = t->news_count = t->move_count = 0;
    t->last_id = 0;
    hands_done(&t->hands);
}

void titles_free(struct titles *t)
{
    if (!t)
        return;
    titles_bulk_drop(t);
    forget(t);
    free(t->news);
    free(t->moves);
    free(t->component);
    free(t->joins);
    free(t->pairs);
    buf_done(&t->old_joins);
    buf_done(&t->old_pairs);
    free(t);
}

/* --- the index ------------------------------------------------------------------------------- */

static struct row *row_of(const struct titles *t, int32_t id)
{
    return &t->rows[id];
}

static void add_row(struct titles *t, int32_t id)
{
    if ((size_t)id >= t->room) {
        size_t room = (size_t)id * 2 + 64;
        t->rows = xreallocarray(t->rows, room, sizeof *t->rows);
        memset(t->rows + t->room, 0, (room - t->room) * sizeof *t->rows);
        t->room = room;
    }
    if (!t->rows[id].root)
        t->rows[id].root = id;
    if (id > t->last_id)
        t->last_id = id;
}

static void add_news(struct titles *t, int32_t id)
{
    if (row_of(t, id)->is_news)
        return;
    row_of(t, id)->is_news = true;
    *GROW(t->news, t->news_count, t->news_room) = id;
}

static struct key *find_key(const struct titles *t, const char *text)
{
    struct key *k = NULL;
    HASH_FIND_STR(t->keys, text, k);
    return k;
}

static bool has_key(const struct row *r, const struct key *k)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->keys[i] == k)
            return true;
    return false;
}

static bool is_shared(const struct key *k)
{
    return k->count > SHARED_MOST && title_key_kind(k->text) == TITLE_KEY_TEXT;
}

/* False if the row has it already. */
static bool add_key(struct titles *t, int32_t id, const char *text)
{
    struct key *k = find_key(t, text);
    struct row *r = row_of(t, id);
    if (k && has_key(r, k))
        return false;
    if (!k) {
        size_t len = strlen(text);
        k = xcalloc(1, sizeof *k + len + 1);
        memcpy(k->text, text, len + 1);
        HASH_ADD_KEYPTR(hh, t->keys, k->text, len, k);
    }
    bool was_shared = is_shared(k);
    *GROW(k->rows, k->count, k->room) = id;
    if (r->count == r->room) {
        r->room = r->room ? r->room * 2 : 4;
        r->keys = xreallocarray(r->keys, r->room, sizeof *r->keys);
    }
    r->keys[r->count++] = k;
    if (title_key_kind(text) == TITLE_KEY_ITEM)
        r->has_item = true;
    if (is_shared(k) && !was_shared) /* what it has joined is to be looked at again */
        for (size_t i = 0; i < k->count; i++)
            add_news(t, k->rows[i]);
    return true;
}

static enum status load_rows(struct titles *t, struct store_conn *c, struct error *err)
{
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select t.title_id, k.key, j.root_id, j.why from title t"
                       " left join title_key k using (title_id) left join title_join j using (title_id)"
                       " order by t.title_id", NULL, 0, &r, err));
    while (cursor_next(&r)) {
        int32_t id = (int32_t)cursor_int(&r, 0, 0);
        struct str key = cursor_text(&r, 1);
        add_row(t, id);
        struct row *row = row_of(t, id);
        row->is_known = true;
        row->root = (int32_t)cursor_int(&r, 2, id);
        row->has_join = row->root != id;
        for (enum title_why w = TITLE_BY_HAND; w <= TITLE_BY_TEXT; w++)
            if (str_eq(cursor_text(&r, 3), str_of(title_why_word(w))))
                row->why = w;
        if (key.len) {
            auto_free char *text = xstrndup(key.ptr, key.len);
            (void)add_key(t, id, text);
        }
    }
    return STATUS_OK;
}

static enum status load_pairs(struct titles *t, struct store_conn *c, struct error *err)
{
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select title_id, other_id from title_pair", NULL, 0, &r, err));
    while (cursor_next(&r))
        for (idx_t k = 0; k < 2; k++) {
            int64_t id = cursor_int(&r, k, 0);
            if (id > 0 && id <= t->last_id)
                row_of(t, (int32_t)id)->has_pairs = true;
        }
    return STATUS_OK;
}

static bool is_there(const struct titles *t, int32_t id)
{
    return id > 0 && id <= t->last_id && row_of(t, id)->root;
}

static void mark_hands(struct titles *t, bool has)
{
    for (size_t i = 0; i < t->hands.count; i++) {
        const int32_t both[] = {t->hands.list[i].a, t->hands.list[i].b};
        for (size_t k = 0; k < 2; k++)
            if (is_there(t, both[k])) {
                row_of(t, both[k])->has_hand = has;
                add_news(t, both[k]);
            }
    }
}

enum status titles_read_hands(struct titles *t, struct store_conn *c, struct error *err)
{
    mark_hands(t, false);
    TRY(hands_read(c, "titles", &t->hands, err));
    mark_hands(t, true);
    return STATUS_OK;
}

static void forget_news(struct titles *t)
{
    while (t->news_count)
        row_of(t, t->news[--t->news_count])->is_news = false;
}

enum status titles_load(struct titles *t, struct store_conn *c, struct error *err)
{
    forget(t);
    TRY(load_rows(t, c, err));
    TRY(load_pairs(t, c, err));
    TRY(titles_read_hands(t, c, err));
    forget_news(t); /* the store is matched at every commit */
    return STATUS_OK;
}

void titles_doubt_all(struct titles *t)
{
    for (int32_t id = 1; id <= t->last_id; id++)
        if (is_there(t, id))
            add_news(t, id);
}

int32_t titles_root(const struct titles *t, int32_t row)
{
    return is_there(t, row) ? row_of(t, row)->root : row;
}

/* --- writing rows ---------------------------------------------------------------------------- */

void titles_bulk_begin(struct titles *t)
{
    t->is_bulk = true;
}

void titles_bulk_drop(struct titles *t)
{
    duckdb_appender_destroy(&t->row_out);
    duckdb_appender_destroy(&t->key_out);
    t->is_bulk = false;
}

static enum status close_output(struct titles *t, struct error *err)
{
    enum status s = STATUS_OK;
    if (t->row_out)
        s = append_close(t->row_out, err);
    if (t->key_out && s == STATUS_OK)
        s = append_close(t->key_out, err);
    titles_bulk_drop(t);
    return s;
}

enum status titles_bulk_end(struct titles *t, struct error *err)
{
    return close_output(t, err);
}

/* `genres`: ';'-separated, as VARCHAR[]. */
static void append_genres(duckdb_appender a, const char *genres)
{
    if (!*genres) {
        append_null(a);
        return;
    }
    auto_free duckdb_value *items = xcalloc(strlen(genres) + 1, sizeof *items);
    idx_t count = 0;
    struct str rest = str_of(genres), piece;
    while (str_next(&rest, ';', &piece))
        items[count++] = duckdb_create_varchar_length(piece.ptr, piece.len);
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_value list = duckdb_create_list_value(type, items, count);
    duckdb_append_value(a, list);
    duckdb_destroy_value(&list);
    duckdb_destroy_logical_type(&type);
    for (idx_t i = 0; i < count; i++)
        duckdb_destroy_value(&items[i]);
}

static enum status write_row(struct titles *t, struct store_conn *c, int32_t id,
                             const struct observation *o, struct error *err)
{
    auto_free char *full = *o->grandparent_title ? xasprintf("%s - %s", o->grandparent_title, o->title)
                                                 : xstrdup(o->title);
    if (!t->row_out)
        TRY(append_open(c, NULL, "title", &t->row_out, err));
    duckdb_appender a = t->row_out;
    append_id(a, id);
    append_text(a, o->media_type);
    append_text(a, o->title);
    append_text(a, o->parent_title);
    append_text(a, o->grandparent_title);
    append_known(a, o->season);
    append_known(a, o->episode);
    append_known(a, o->year);
    append_known(a, o->duration_ms);
    append_text(a, o->content_rating);
    append_genres(a, o->genres);
    append_text(a, full);
    return append_row(a, err);
}

static enum status write_key(struct titles *t, struct store_conn *c, int32_t id, const char *key,
                             struct error *err)
{
    if (!t->key_out)
        TRY(append_open(c, NULL, "title_key", &t->key_out, err));
    append_text(t->key_out, key);
    append_id(t->key_out, id);
    return append_row(t->key_out, err);
}

/* --- the row of an item ---------------------------------------------------------------------- */

/* Whether a key says more than what a server calls an item. */
static bool is_more(const char *key)
{
    enum title_key_kind kind = title_key_kind(key);
    return kind == TITLE_KEY_GUID || kind == TITLE_KEY_ID || kind == TITLE_KEY_FILE;
}

/* Whether a row can be what these keys are of. Ids say so best, then the file, then the names. Another name
 * is a correction only where there is nothing but names on both sides: else nobody can tell it from a
 * library that was built anew and gives the item's key to something else. */
static bool fits(const struct titles *t, int32_t id, const struct title_keys *k)
{
    const struct row *r = row_of(t, id);
    auto_free const char **mine = xcalloc(r->count + 1, sizeof *mine);
    bool has_more = false, has_name = false, has_their_name = false, is_same = false;
    for (size_t i = 0; i < r->count; i++) {
        mine[i] = r->keys[i]->text;
        has_more = has_more || is_more(mine[i]);
        has_name = has_name || title_key_kind(mine[i]) == TITLE_KEY_NAME;
    }
    switch (title_ids_compare(mine, r->count, k->key, k->count)) {
    case TITLE_IDS_SAME:
        return true;
    case TITLE_IDS_DIFFER:
        return false;
    case TITLE_IDS_NOTHING:
        break;
    }
    for (size_t x = 0; x < k->count; x++) {
        has_more = has_more || is_more(k->key[x]);
        has_their_name = has_their_name || title_key_kind(k->key[x]) == TITLE_KEY_NAME;
        for (size_t i = 0; i < r->count; i++)
            is_same = is_same || (streq(mine[i], k->key[x]) && title_key_kind(mine[i]) != TITLE_KEY_ITEM);
    }
    return is_same || !has_name || !has_their_name || !has_more;
}

/* 0: none. Of several that a server has called so, the newest that fits. */
static int32_t row_with(const struct titles *t, const char *text, const struct title_keys *k)
{
    const struct key *key = find_key(t, text);
    for (size_t i = key ? key->count : 0; i-- > 0;)
        if ((k->item || !row_of(t, key->rows[i])->has_item) && fits(t, key->rows[i], k))
            return key->rows[i];
    return 0;
}

static enum status take_row(struct titles *t, struct store_conn *c, const struct observation *o,
                            const struct title_keys *k, int32_t *ret, struct error *err)
{
    int32_t id = row_with(t, k->item ? k->item : k->key[0], k);
    if (!id) {
        id = t->last_id + 1;
        add_row(t, id);
        add_news(t, id);
        if (c)
            TRY(write_row(t, c, id, o, err));
    }
    for (size_t i = 0; i < k->count; i++) {
        if (!add_key(t, id, k->key[i]))
            continue;
        add_news(t, id);
        if (c)
            TRY(write_key(t, c, id, k->key[i], err));
    }
    *ret = id;
    return STATUS_OK;
}

enum status titles_row(struct titles *t, struct store_conn *c, const struct observation *item,
                       int32_t *ret, struct error *err)
{
    auto_cleanup(title_keys_done) struct title_keys k;
    title_keys_build(item, &k);
    TRY(take_row(t, c, item, &k, ret, err));
    return t->is_bulk ? STATUS_OK : close_output(t, err);
}

/* --- which rows are one title ---------------------------------------------------------------- */

static void visit(struct titles *t, int32_t id)
{
    struct row *r = row_of(t, id);
    if (r->seen == t->round || !r->root)
        return;
    r->seen = t->round;
    *GROW(t->component, t->component_count, t->component_room) = id;
}

/* All rows that a row may have to do with, through however many others. */
static void find_component(struct titles *t, int32_t from)
{
    t->component_count = 0;
    visit(t, from);
    for (size_t i = 0; i < t->component_count; i++) {
        int32_t id = t->component[i];
        const struct row *r = row_of(t, id);
        for (size_t k = 0; k < r->count; k++) {
            const struct key *key = r->keys[k];
            enum title_key_kind kind = title_key_kind(key->text);
            if (kind == TITLE_KEY_ITEM || kind == TITLE_KEY_NAME || is_shared(key))
                continue;
            for (size_t x = 0; x < key->count; x++)
                visit(t, key->rows[x]);
        }
        for (size_t h = 0; r->has_hand && h < t->hands.count; h++)
            if (t->hands.list[h].a == id && is_there(t, t->hands.list[h].b))
                visit(t, t->hands.list[h].b);
            else if (t->hands.list[h].b == id && is_there(t, t->hands.list[h].a))
                visit(t, t->hands.list[h].a);
    }
}

static bool has_hands(const struct titles *t)
{
    for (size_t i = 0; i < t->component_count; i++)
        if (row_of(t, t->component[i])->has_hand)
            return true;
    return false;
}

static void drop_of(struct buf *ids, int32_t id)
{
    buf_printf(ids, "%s%" PRId32, ids->len ? "," : "", id);
}

static void note_root(struct titles *t, int32_t id, int32_t root, enum title_why why)
{
    struct row *r = row_of(t, id);
    if (r->root != root && r->is_known)
        *GROW(t->moves, t->move_count, t->move_room) =
            (struct title_move){id, r->root, root, title_why_word(root == id ? 0 : why)};
    bool is_same = r->root == root && r->why == why && r->has_join == (root != id);
    r->root = root;
    r->why = why;
    if (is_same)
        return;
    if (r->has_join)
        drop_of(&t->old_joins, id);
    r->has_join = root != id;
    if (r->has_join)
        *GROW(t->joins, t->join_count, t->join_room) = (struct join){id, root, why};
}

static void note_pairs(struct titles *t, const struct title_match *m)
{
    for (size_t i = 0; i < t->component_count; i++) {
        struct row *r = row_of(t, t->component[i]);
        if (r->has_pairs)
            drop_of(&t->old_pairs, t->component[i]);
        r->has_pairs = false;
    }
    for (size_t i = 0; i < m->pair_count; i++) {
        row_of(t, m->pairs[i].a)->has_pairs = row_of(t, m->pairs[i].b)->has_pairs = true;
        *GROW(t->pairs, t->pair_count, t->pair_room) = m->pairs[i];
    }
}

static void match_component(struct titles *t)
{
    size_t n = t->component_count, key_count = 0;
    if (n == 1 && !row_of(t, t->component[0])->has_join && !row_of(t, t->component[0])->has_pairs)
        return; /* as most are */
    for (size_t i = 0; i < n; i++)
        key_count += row_of(t, t->component[i])->count;
    auto_free struct match_title *titles = xcalloc(n + 1, sizeof *titles);
    auto_free const char **keys = xcalloc(key_count + 1, sizeof *keys);
    const char **next = keys;
    for (size_t i = 0; i < n; i++) {
        const struct row *r = row_of(t, t->component[i]);
        titles[i] = (struct match_title){.id = t->component[i], .keys = next};
        for (size_t k = 0; k < r->count; k++)
            if (!is_shared(r->keys[k]))
                *next++ = r->keys[k]->text;
        titles[i].key_count = (size_t)(next - titles[i].keys);
    }
    auto_cleanup(title_match_done) struct title_match m = {0};
    title_match(titles, n, t->hands.list, has_hands(t) ? t->hands.count : 0, &m);
    for (size_t i = 0; i < n; i++)
        note_root(t, titles[i].id, m.root[i], m.why[i]);
    note_pairs(t, &m);
}

static enum status drop_rows(struct store_conn *c, const char *condition, struct buf *ids,
                             struct error *err)
{
    if (!ids->len)
        return STATUS_OK;
    auto_free char *sql = xasprintf("create or replace temp table gone_title as select"
                                    " unnest([%s])::integer as id; delete from %s", buf_text(ids),
                                    condition);
    return store_exec(c, sql, err);
}

static enum status write_joins(struct titles *t, struct store_conn *c, struct error *err)
{
    TRY(drop_rows(c, "title_join where title_id in (select id from temp.gone_title)", &t->old_joins,
                  err));
    if (!t->join_count)
        return STATUS_OK;
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "title_join", &a, err));
    for (size_t i = 0; i < t->join_count; i++) {
        append_id(a, t->joins[i].row);
        append_id(a, t->joins[i].root);
        append_text(a, title_why_word(t->joins[i].why));
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

static enum status write_pairs(struct titles *t, struct store_conn *c, struct error *err)
{
    TRY(drop_rows(c, "title_pair where title_id in (select id from temp.gone_title)"
                     " or other_id in (select id from temp.gone_title)", &t->old_pairs, err));
    if (!t->pair_count)
        return STATUS_OK;
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "title_pair", &a, err));
    for (size_t i = 0; i < t->pair_count; i++) {
        append_id(a, t->pairs[i].a);
        append_id(a, t->pairs[i].b);
        append_text(a, title_why_word(t->pairs[i].why));
        append_text(a, title_against_word(t->pairs[i].against));
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

static enum status write_changes(struct titles *t, struct store_conn *c, int64_t decision,
                                 struct error *err)
{
    if (!t->move_count)
        return STATUS_OK;
    auto_appender duckdb_appender a = NULL;
    int64_t now_us = clock_now_us();
    TRY(append_open(c, NULL, "title_change", &a, err));
    for (size_t i = 0; i < t->move_count; i++) {
        append_time(a, now_us);
        append_id(a, t->moves[i].row);
        append_id(a, t->moves[i].from);
        append_id(a, t->moves[i].to);
        append_text(a, t->moves[i].why);
        if (decision)
            append_int(a, decision);
        else
            append_null(a);
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

enum status titles_match(struct titles *t, struct store_conn *c, int64_t decision,
                         const struct title_move **ret_moves, size_t *ret_count, struct error *err)
{
    t->move_count = t->join_count = t->pair_count = 0;
    buf_clear(&t->old_joins);
    buf_clear(&t->old_pairs);
    t->round++;
    for (size_t i = 0; i < t->news_count; i++)
        if (row_of(t, t->news[i])->seen != t->round) {
            find_component(t, t->news[i]);
            match_component(t);
        }
    for (size_t i = 0; i < t->news_count; i++)
        row_of(t, t->news[i])->is_known = true;
    forget_news(t);
    *ret_moves = t->moves;
    *ret_count = t->move_count;
    if (!c)
        return STATUS_OK;
    TRY(write_joins(t, c, err));
    TRY(write_pairs(t, c, err));
    return write_changes(t, c, decision, err);
}
