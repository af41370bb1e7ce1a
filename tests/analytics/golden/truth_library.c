/* The truth of the queries about what the servers hold: library, content-discovery,
 * discovery-curve, stale. */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALL_TITLES = TITLES + UNPLAYED, LIBRARY_SLOTS = LIBRARIES + 1 };

/* What the filter says of items: of titles and servers only. */
static bool selects_item(const struct selection *s, const struct w_item *i)
{
    struct selection of_titles = {.world = s->world, .from = TIME_NONE, .to = TIME_NONE,
                                  .media_types = s->media_types};
    char library[16];
    snprintf(library, sizeof library, i->library ? " %d " : " unknown ", i->library);
    if (s->libraries && !strstr(s->libraries, library))
        return false;
    struct w_play like = {.title = i->title, .kind = "play", .account = 1};
    char server[16];
    snprintf(server, sizeof server, " %d ", i->server);
    return selects_kind(&of_titles, &like) && (!s->server_ids || strstr(s->server_ids, server));
}

static bool is_within(const struct selection *s, int64_t at)
{
    return at != TIME_NONE && (s->from == TIME_NONE || at >= s->from) &&
           (s->to == TIME_NONE || at < s->to);
}

/* --- library --------------------------------------------------------------------------------- */

struct holding {
    bool is_there;
    int64_t items, bytes, length_ms, added, added_bytes, removed, played, plays;
    double watch;
};

static void count_items(const struct selection *s, struct holding all[][LIBRARY_SLOTS])
{
    const struct world *w = s->world;
    for (int i = 0; i < ITEMS; i++) {
        const struct w_item *t = &w->items[i];
        if (!selects_item(s, t))
            continue;
        struct holding *h = &all[t->server][t->library];
        int64_t bytes = t->size_bytes > 0 ? t->size_bytes : 0;
        bool is_played = false;
        for (size_t k = 0; k < w->play_count && !is_played; k++)
            is_played = w->plays[k].title == t->title && server_of(w, &w->plays[k]) == t->server &&
                        selects_play(s, &w->plays[k]);
        h->is_there = true;
        if (t->removed == TIME_NONE) {
            h->items++;
            h->bytes += bytes;
            h->length_ms += t->duration_ms > 0 ? t->duration_ms : 0;
            h->played += is_played;
        }
        if (is_within(s, t->added)) {
            h->added++;
            h->added_bytes += bytes;
        }
        h->removed += is_within(s, t->removed);
    }
}

static json_t *library(const struct selection *s)
{
    const struct world *w = s->world;
    static struct holding all[SERVERS + 1][LIBRARY_SLOTS];
    memset(all, 0, sizeof all);
    count_items(s, all);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        int server = server_of(w, p);
        struct holding *h = &all[server][library_of(w, p)];
        if (selects_play(s, p)) {
            h->is_there = true;
            h->plays++;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]) && overlaps(s, &p->segments[k])) {
                h->is_there = true;
                h->watch += watch_selected(s, &p->segments[k]);
            }
    }
    json_t *rows = json_array();
    for (int server = 1; server <= SERVERS; server++)
        for (int l = 0; l <= LIBRARIES; l++) {
            const struct holding *h = &all[server][l];
            char name[32];
            snprintf(name, sizeof name, "Server %d", server);
            if (h->is_there)
                add_row(rows, "isIsiiiiiiiFii", (int64_t)server, name, (int64_t)(l ? l : -1),
                        l ? "L" : NULL, h->items, h->bytes, h->length_ms, h->added, h->added_bytes,
                        h->removed, h->played,
                        h->items ? (double)h->played / (double)h->items : NAN, h->plays,
                        (int64_t)(h->watch / 1000));
        }
    return rows;
}

/* --- content-discovery, discovery-curve ------------------------------------------------------ */

struct find {
    bool is_there;
    int64_t added, first;
    double days;
};

static struct find find_of(const struct selection *s, int title)
{
    const struct world *w = s->world;
    int64_t added = TIME_NONE, gone = TIME_NONE, first = TIME_NONE;
    bool is_gone = true;
    for (int i = 0; i < ITEMS; i++) {
        const struct w_item *t = &w->items[i];
        if (t->title != title || t->added == TIME_NONE || !selects_item(s, t))
            continue;
        if (added == TIME_NONE || t->added < added)
            added = t->added;
        is_gone = is_gone && t->removed != TIME_NONE;
        if (t->removed != TIME_NONE && t->removed > gone)
            gone = t->removed;
    }
    for (size_t i = 0; i < w->play_count; i++)
        if (w->plays[i].title == title && selects_ever(s, &w->plays[i]) &&
            (first == TIME_NONE || w->plays[i].started < first))
            first = w->plays[i].started;
    if (!is_within(s, added) || (first != TIME_NONE && first < added))
        return (struct find){0};
    int64_t until = first != TIME_NONE ? first : is_gone && gone < w->now ? gone : w->now;
    double days = (double)(until - added) / (double)US_PER_DAY;
    return (struct find){true, added, first, days > 0 ? days : 0};
}

static json_t *content_discovery(const struct selection *s)
{
    json_t *rows = json_array();
    for (int title = 1; title <= ALL_TITLES; title++) {
        const struct w_title *t = &s->world->titles[title];
        struct find f = find_of(s, title);
        if (f.is_there)
            add_row(rows, "issIttfb", (int64_t)title, t->full, t->media_type,
                    (int64_t)(t->year ? t->year : -1), f.added, f.first, f.days,
                    f.first == TIME_NONE);
    }
    return rows;
}

static json_t *discovery_curve(const struct selection *s)
{
    static const int64_t horizons[] = {1, 3, 7, 14, 30, 60, 90, 180, 365, 730};
    enum { DAYS = 4000 };
    static int64_t found[DAYS], ended[DAYS];
    memset(found, 0, sizeof found);
    memset(ended, 0, sizeof ended);
    int64_t titles = 0;
    for (int title = 1; title <= ALL_TITLES; title++) {
        struct find f = find_of(s, title);
        if (!f.is_there)
            continue;
        titles++;
        ended[(int)f.days]++;
        found[(int)f.days] += f.first != TIME_NONE;
    }
    json_t *rows = json_array();
    for (size_t h = 0; h < ARRAY_LEN(horizons); h++) {
        int64_t at_risk = titles, discovered = 0;
        double unseen = 1;
        for (int day = 0; day < horizons[h]; day++) {
            if (found[day])
                unseen *= 1 - (double)found[day] / (double)at_risk;
            discovered += found[day];
            at_risk -= ended[day];
        }
        if (titles && (at_risk || unseen <= 0))
            add_row(rows, "iiiif", horizons[h], titles, discovered, at_risk, 1 - unseen);
    }
    return rows;
}

/* --- stale ----------------------------------------------------------------------------------- */

static json_t *stale(const struct selection *s)
{
    const struct world *w = s->world;
    int64_t since = w->now - strtoll(param_of(s, "days_unwatched", "365"), NULL, 10) * US_PER_DAY;
    json_t *rows = json_array();
    for (int title = 1; title <= ALL_TITLES; title++) {
        int64_t items = 0, bytes = -1, added = TIME_NONE, last = TIME_NONE;
        for (int i = 0; i < ITEMS; i++) {
            const struct w_item *t = &w->items[i];
            if (t->title != title || t->removed != TIME_NONE || !selects_item(s, t))
                continue;
            items++;
            if (t->size_bytes >= 0)
                bytes = (bytes < 0 ? 0 : bytes) + t->size_bytes;
            if (t->added != TIME_NONE && (added == TIME_NONE || t->added < added))
                added = t->added;
        }
        for (size_t i = 0; i < w->play_count; i++)
            if (w->plays[i].title == title && selects_ever(s, &w->plays[i]) &&
                w->plays[i].started > last)
                last = w->plays[i].started;
        /* TIME_NONE is before everything. */
        if (!items || last >= since || added >= since)
            continue;
        int64_t from = last != TIME_NONE ? last : added;
        const struct w_title *t = &w->titles[title];
        add_row(rows, "issIiIttIb", (int64_t)title, t->full, t->media_type,
                (int64_t)(t->year ? t->year : -1), items, bytes, added, last,
                from == TIME_NONE ? -1 : (w->now - from) / US_PER_DAY, last == TIME_NONE);
    }
    return rows;
}

const struct truth library_truths[] = {
    {"library", "", library, 3},
    {"content-discovery", "limit=10000", content_discovery, 1},
    {"discovery-curve", "", discovery_curve, 1},
    {"stale", "limit=10000", stale, 1},
    {"stale", "days_unwatched=30&limit=10000", stale, 1},
    {0},
};
