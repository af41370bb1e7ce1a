#include "world.h"

#include <stdlib.h>

#include "base/mem.h"

#include "base/banned.h"

struct list {
    struct past_play *at;
    size_t n, room;
};

static void list_add(struct list *l, const struct past_play *p)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 4096;
        l->at = xreallocarray(l->at, l->room, sizeof(*l->at));
    }
    l->at[l->n++] = *p;
}

static int by_start(const void *a, const void *b)
{
    const struct past_play *x = a, *y = b;
    if (x->started_s != y->started_s)
        return x->started_s < y->started_s ? -1 : 1;
    return x->person < y->person ? -1 : x->person > y->person;
}

/* The first server from a random one on that the person has an account on. */
static unsigned pick_server(const struct world *w, unsigned person, unsigned servers,
                            struct rng *r)
{
    unsigned from = rng_below(r, servers);
    for (unsigned i = 0; i < servers; i++)
        if (world_has_account(w, person, (from + i) % servers, servers))
            return (from + i) % servers;
    return from;
}

/* One evening: a title and maybe the next episodes; returns when it ended. */
static int64_t watch(const struct world *w, struct list *l, struct past_play p, int64_t now_s,
                     unsigned *group, struct rng *r)
{
    int item = (int)p.item;
    unsigned binge = w->items[item].kind == ITEM_EPISODE ? 1 + rng_below(r, 4)
                     : w->items[item].kind == ITEM_TRACK ? 1 + rng_below(r, 8)
                                                         : 1;
    int64_t at = p.started_s;
    for (unsigned n = 0; n < binge && item >= 0 && at < now_s; n++) {
        const struct item *i = &w->items[item];
        bool is_track = i->kind == ITEM_TRACK;
        int64_t length = i->duration_ms / 1000;
        int64_t part = rng_chance(r, 14) ? rng_range(r, 8, 70) : rng_range(r, 93, 100);
        int64_t watched = length * part / 100;
        int64_t least = is_track ? 15 : 120;
        if (watched < least)
            watched = least;
        p.item = (unsigned)item;
        p.group = ++*group;
        bool is_split = !is_track && watched > 900 && rng_chance(r, 12);
        int64_t first = is_split ? watched / 2 : watched;
        p.paused_s = !is_track && rng_chance(r, 30) ? rng_range(r, 20, 1500) : 0;
        p.started_s = at;
        p.stopped_s = at + first + p.paused_s;
        p.end_ms = first * 1000;
        if (p.stopped_s >= now_s)
            return at;
        list_add(l, &p);
        at = p.stopped_s;
        if (is_split) {
            p.started_s = at + rng_range(r, 600, 7200);
            p.paused_s = 0;
            p.stopped_s = p.started_s + watched - first;
            p.end_ms = watched * 1000;
            if (p.stopped_s >= now_s)
                return at;
            list_add(l, &p);
            at = p.stopped_s;
        }
        at += rng_range(r, 2, 25);
        if (part < 90)
            break;
        item = is_track ? (item + 1 < (int)w->n_items && w->items[item + 1].kind == ITEM_TRACK
                               ? item + 1
                               : -1)
                        : world_next_episode(w, (unsigned)item);
    }
    return at;
}

size_t world_history(const struct world *w, unsigned servers, int64_t now_s, unsigned days,
                     size_t rows, struct past_play **ret)
{
    struct list l = {0};
    struct rng r = {mix(w->seed, 3)};
    unsigned group = 0;
    int64_t today = now_s / 86400 * 86400;
    for (int64_t day = (int64_t)days; days > 0 && day >= 0 && (rows == 0 || l.n < rows); day--) {
        int64_t midnight = today - day * 86400;
        bool is_weekend = (midnight / 86400 + 4) % 7 % 6 == 0;
        for (unsigned n = 0; n < w->n_people; n++) {
            const struct person *p = &w->people[n];
            unsigned percent = p->plays_per_week * 100 / 14 * (is_weekend ? 3 : 2) / 2;
            int64_t free_from = 0;
            if (rows)
                percent = 130;
            for (; percent > 0; percent = percent > 100 ? percent - 100 : 0) {
                if (!rng_chance(&r, percent > 100 ? 100 : percent))
                    continue;
                int64_t hour = rng_chance(&r, 75) ? p->evening_hour + rng_range(&r, -1, 2)
                                                  : rng_range(&r, 6, 23);
                int64_t start = midnight + hour * 3600 + rng_range(&r, 0, 3599);
                if (start < free_from)
                    start = free_from + 300;
                struct past_play play = {.person = n, .device = rng_below(&r, DEVICES_EACH),
                                         .item = world_pick(w, n, &r),
                                         .server = pick_server(w, n, servers, &r),
                                         .started_s = start};
                free_from = watch(w, &l, play, now_s, &group, &r);
            }
        }
    }
    if (rows && l.n > rows)
        l.n = rows;
    if (l.n)
        qsort(l.at, l.n, sizeof(*l.at), by_start);
    *ret = l.at;
    return l.n;
}
