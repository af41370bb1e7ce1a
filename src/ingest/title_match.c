#include "ingest/title_match.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/title_keys.h"

#include "base/banned.h"

const char *title_why_word(enum title_why w)
{
    static const char *const words[] = {"parted", "hand", "id", "file", "text"};
    return words[w];
}

const char *title_against_word(enum title_against a)
{
    static const char *const words[] = {"", "ids", "others"};
    return words[a];
}

/* One key of one row. */
struct holder {
    int level; /* enum title_why */
    unsigned rank;
    const char *key;
    size_t title;
};

/* What a row's ids say, as numbers: compared often. */
struct id {
    unsigned rank;
    size_t space;  /* the same: ids at the same provider, of which a title has one */
    size_t number; /* the same: the same id */
};

struct work {
    const struct match_title *titles;
    size_t count;
    size_t *order;           /* indexes of the rows by id */
    size_t *set, *next, *size; /* of each row its set, by its first row; the next row of the set, + 1 */
    size_t *last;            /* of a set, its last row */
    enum title_why *why;
    struct match_hand *hands; /* a, b are indexes; the newest first */
    size_t hand_count;
    struct holder *holders;
    size_t holder_count;
    struct id *ids;   /* row by row */
    size_t *ids_from; /* of a row, where its ids begin; the next row's: where they end */
};

static void work_done(struct work *w)
{
    free(w->order);
    free(w->set);
    free(w->next);
    free(w->size);
    free(w->last);
    free(w->hands);
    free(w->holders);
    free(w->ids);
    free(w->ids_from);
}

/* --- reading --------------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b, void *work)
{
    const struct match_title *t = ((const struct work *)work)->titles;
    int32_t x = t[*(const size_t *)a].id, y = t[*(const size_t *)b].id;
    return (x > y) - (x < y);
}

static int newest_first(const void *a, const void *b)
{
    const struct match_hand *x = a, *y = b;
    if (x->decision != y->decision)
        return x->decision > y->decision ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

/* Where the row with this id stands in the order; `count`: nowhere. */
static size_t place_of(const struct work *w, int32_t id)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w->titles[w->order[middle]].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->count && w->titles[w->order[low]].id == id ? low : w->count;
}

static const struct match_title *at(const struct work *w, size_t place)
{
    return &w->titles[w->order[place]];
}

static void take_hands(struct work *w, const struct match_hand *hands, size_t count)
{
    w->hands = xcalloc(count + 1, sizeof *w->hands);
    for (size_t i = 0; i < count; i++) {
        size_t a = place_of(w, hands[i].a), b = place_of(w, hands[i].b);
        if (a < w->count && b < w->count)
            w->hands[w->hand_count++] =
                (struct match_hand){(int32_t)a, (int32_t)b, hands[i].is_together, hands[i].decision};
    }
    qsort(w->hands, w->hand_count, sizeof *w->hands, newest_first);
}

static int compare_holders(const void *a, const void *b)
{
    const struct holder *x = a, *y = b;
    if (x->level != y->level)
        return x->level - y->level;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    int by_key = strcmp(x->key, y->key);
    return by_key ? by_key : (x->title > y->title) - (x->title < y->title);
}

static void take_keys(struct work *w)
{
    size_t room = 0;
    for (size_t i = 0; i < w->count; i++)
        room += w->titles[i].key_count;
    w->holders = xcalloc(room + 1, sizeof *w->holders);
    for (size_t i = 0; i < w->count; i++)
        for (size_t k = 0; k < at(w, i)->key_count; k++) {
            const char *key = at(w, i)->keys[k];
            struct holder h = {.key = key, .title = i};
            switch (title_key_kind(key)) {
            case TITLE_KEY_GUID:
                h.level = TITLE_BY_ID;
                break;
            case TITLE_KEY_ID:
                h.level = TITLE_BY_ID;
                (void)title_keys_compare(key, key, &h.rank);
                h.rank++; /* after the global ones */
                break;
            case TITLE_KEY_FILE:
                h.level = TITLE_BY_FILE;
                break;
            case TITLE_KEY_TEXT:
                h.level = TITLE_BY_TEXT;
                break;
            case TITLE_KEY_ITEM:
            case TITLE_KEY_NAME:
                continue;
            }
            w->holders[w->holder_count++] = h;
        }
    qsort(w->holders, w->holder_count, sizeof *w->holders, compare_holders);
}

/* Among the holders, which are in order, those of one provider and those of one id stand together. */
static void take_ids(struct work *w)
{
    size_t count = 0, space = 0, number = 0;
    while (count < w->holder_count && w->holders[count].level == TITLE_BY_ID)
        w->ids_from[w->holders[count++].title + 1]++;
    for (size_t i = 0; i < w->count; i++)
        w->ids_from[i + 1] += w->ids_from[i];
    w->ids = xcalloc(count + 1, sizeof *w->ids);
    auto_free size_t *filled = xcalloc(w->count + 1, sizeof *filled);
    for (size_t i = 0; i < count; i++) {
        const struct holder *h = &w->holders[i];
        unsigned rank = 0;
        enum title_ids said =
            title_keys_compare(i ? w->holders[i - 1].key : h->key, h->key, &rank);
        space += said == TITLE_IDS_NOTHING;
        number += said != TITLE_IDS_SAME;
        w->ids[w->ids_from[h->title] + filled[h->title]++] =
            (struct id){h->rank ? h->rank - 1 : 0, space, number};
    }
}

static void begin(struct work *w)
{
    size_t n = w->count + 1;
    w->order = xcalloc(n, sizeof *w->order);
    w->set = xcalloc(n, sizeof *w->set);
    w->next = xcalloc(n, sizeof *w->next);
    w->size = xcalloc(n, sizeof *w->size);
    w->last = xcalloc(n, sizeof *w->last);
    w->ids_from = xcalloc(n, sizeof *w->ids_from);
    for (size_t i = 0; i < w->count; i++) {
        w->order[i] = w->set[i] = w->last[i] = i;
        w->size[i] = 1;
    }
    qsort_r(w->order, w->count, sizeof *w->order, compare_ids, w);
}

/* --- sets ------------------------------------------------------------------------------------ */

#define EACH_ROW(w, i, of)                                                      \
    for (size_t i##_and_1 = (of) + 1, i; i##_and_1 && (i = i##_and_1 - 1, true); \
         i##_and_1 = (w)->next[i])

/* The rows of the set `b` go to the set `a`, or the other way, to the one with the older row. */
static void unite(struct work *w, size_t a, size_t b, enum title_why why)
{
    if (a == b)
        return;
    size_t to = a < b ? a : b, from = a < b ? b : a;
    w->next[w->last[to]] = from + 1;
    w->last[to] = w->last[from];
    w->size[to] += w->size[from];
    EACH_ROW(w, i, to) {
        w->set[i] = to;
        if (!w->why[i])
            w->why[i] = why;
    }
}

static bool is_parted_by_hand(const struct work *w, size_t a, size_t b)
{
    for (size_t i = 0; i < w->hand_count; i++) {
        if (w->hands[i].is_together)
            continue;
        size_t x = w->set[w->hands[i].a], y = w->set[w->hands[i].b];
        if ((x == a && y == b) || (x == b && y == a))
            return true;
    }
    return false;
}

/* What the ids of all rows of the one and of the other say. */
static bool have_other_ids(const struct work *w, size_t a, size_t b)
{
    bool is_same[TITLE_RANKS] = {0}, is_other[TITLE_RANKS] = {0};
    EACH_ROW(w, i, a)
        EACH_ROW(w, k, b)
            for (size_t x = w->ids_from[i]; x < w->ids_from[i + 1]; x++)
                for (size_t y = w->ids_from[k]; y < w->ids_from[k + 1]; y++)
                    if (w->ids[x].space == w->ids[y].space) {
                        bool is = w->ids[x].number == w->ids[y].number;
                        is_same[w->ids[x].rank] |= is;
                        is_other[w->ids[x].rank] |= !is;
                    }
    for (unsigned r = 0; r < TITLE_RANKS; r++)
        if (is_same[r] || is_other[r])
            return !is_same[r];
    return false;
}

/* --- joining --------------------------------------------------------------------------------- */

/* The newest first: where decisions contradict each other through a third row, it has the last word. */
static void join_by_hand(struct work *w)
{
    for (size_t i = 0; i < w->hand_count; i++) {
        size_t a = w->set[w->hands[i].a], b = w->set[w->hands[i].b];
        if (w->hands[i].is_together && a != b && !is_parted_by_hand(w, a, b))
            unite(w, a, b, TITLE_BY_HAND);
    }
}

/* The sets of a key, the largest first. */
struct group {
    size_t *sets;
    size_t count;
    bool *differ; /* [i * count + k]: ids speak against it */
};

static void group_done(struct group *g)
{
    free(g->sets);
    free(g->differ);
}

static void read_group(const struct work *w, const struct holder *h, size_t count, struct group *ret)
{
    *ret = (struct group){.sets = xcalloc(count, sizeof *ret->sets)};
    for (size_t i = 0; i < count; i++) {
        size_t set = w->set[h[i].title], k = 0;
        while (k < ret->count && ret->sets[k] != set)
            k++;
        if (k < ret->count)
            continue;
        k = ret->count++;
        for (; k > 0 && (w->size[ret->sets[k - 1]] < w->size[set] ||
                         (w->size[ret->sets[k - 1]] == w->size[set] && ret->sets[k - 1] > set)); k--)
            ret->sets[k] = ret->sets[k - 1];
        ret->sets[k] = set;
    }
    size_t n = ret->count;
    ret->differ = xcalloc(n * n, sizeof *ret->differ);
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            ret->differ[i * n + k] = ret->differ[k * n + i] =
                have_other_ids(w, ret->sets[i], ret->sets[k]);
}

/* Two join when nothing speaks against it, and everything of this key that speaks against the one speaks
 * against the other: else nobody could say to which of two titles a third belongs. What was parted by
 * hand only keeps those two apart: others go to the larger side. */
static void join_group(struct work *w, const struct group *g, enum title_why level)
{
    size_t n = g->count;
    for (size_t k = 1; k < n; k++) {
        size_t own = w->set[g->sets[k]], best = own;
        for (size_t i = 0; i < k; i++) {
            size_t set = w->set[g->sets[i]];
            bool is_larger = best == own || w->size[set] > w->size[best];
            if (is_larger && set != own && !g->differ[i * n + k] &&
                memcmp(&g->differ[i * n], &g->differ[k * n], n * sizeof *g->differ) == 0 &&
                !is_parted_by_hand(w, set, own))
                best = set;
        }
        if (best != own)
            unite(w, best, own, level);
    }
}

static size_t end_of_key(const struct work *w, size_t from)
{
    size_t to = from + 1;
    while (to < w->holder_count && w->holders[to].level == w->holders[from].level &&
           streq(w->holders[to].key, w->holders[from].key))
        to++;
    return to;
}

/* --- suggestions ----------------------------------------------------------------------------- */

static void suggest(const struct work *w, size_t a, size_t b, enum title_why why,
                    struct title_match *ret)
{
    int32_t one = at(w, a)->id, other = at(w, b)->id;
    struct title_pair p = {.a = one < other ? one : other, .b = one < other ? other : one, .why = why};
    for (size_t i = 0; i < ret->pair_count; i++)
        if (ret->pairs[i].a == p.a && ret->pairs[i].b == p.b)
            return;
    if (ret->pair_count == TITLE_PAIRS_MAX || is_parted_by_hand(w, a, b))
        return;
    p.against = have_other_ids(w, a, b) ? TITLE_AGAINST_IDS : TITLE_AGAINST_OTHERS;
    ret->pairs[ret->pair_count++] = p;
}

static void suggest_rest(const struct work *w, struct title_match *ret)
{
    ret->pairs = xcalloc(TITLE_PAIRS_MAX, sizeof *ret->pairs);
    for (size_t from = 0, to; from < w->holder_count; from = to) {
        to = end_of_key(w, from);
        for (size_t i = from; i < to && ret->pair_count < TITLE_PAIRS_MAX; i++)
            for (size_t k = i + 1; k < to && ret->pair_count < TITLE_PAIRS_MAX; k++) {
                size_t a = w->set[w->holders[i].title], b = w->set[w->holders[k].title];
                if (a != b)
                    suggest(w, a, b, (enum title_why)w->holders[from].level, ret);
            }
    }
}

/* --- public ---------------------------------------------------------------------------------- */

void title_match_done(struct title_match *m)
{
    free(m->root);
    free(m->why);
    free(m->pairs);
    *m = (struct title_match){0};
}

void title_match(const struct match_title *titles, size_t count, const struct match_hand *hands,
                 size_t hand_count, struct title_match *ret)
{
    auto_cleanup(work_done) struct work w = {.titles = titles, .count = count};
    auto_free enum title_why *why = xcalloc(count + 1, sizeof *why);
    w.why = why;
    *ret = (struct title_match){.root = xcalloc(count + 1, sizeof *ret->root),
                                .why = xcalloc(count + 1, sizeof *ret->why)};
    begin(&w);
    take_hands(&w, hands, hand_count);
    take_keys(&w);
    take_ids(&w);
    join_by_hand(&w);
    for (size_t from = 0, to; from < w.holder_count; from = to) {
        to = end_of_key(&w, from);
        if (to - from < 2)
            continue;
        auto_cleanup(group_done) struct group g;
        read_group(&w, &w.holders[from], to - from, &g);
        join_group(&w, &g, (enum title_why)w.holders[from].level);
    }
    suggest_rest(&w, ret);
    for (size_t i = 0; i < count; i++) {
        ret->root[w.order[i]] = at(&w, w.set[i])->id;
        ret->why[w.order[i]] = w.size[w.set[i]] > 1 ? why[i] : 0;
    }
}
