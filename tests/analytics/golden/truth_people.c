/* The truth of the queries about people and titles: summary, users, popular, rewatch. */
#include "golden.h"

#include <math.h>

struct sums {
    int64_t plays, views, finished, told, bytes, first, last;
    double watch_us;
    bool people[PEOPLE + 1], titles[TITLES + 1], devices[DEVICES + 1], places[PLACES + 1];
};

static int64_t count(const bool *flags, int most)
{
    int64_t n = 0;
    for (int i = 1; i <= most; i++)
        n += flags[i];
    return n;
}

static void add_play(const struct world *w, struct sums *t, const struct w_play *p)
{
    t->first = !t->plays || p->started < t->first ? p->started : t->first;
    t->last = !t->plays || p->started > t->last ? p->started : t->last;
    t->plays++;
    bool is_view = streq(p->kind, "view");
    t->views += is_view;
    if (!is_view && !p->is_open && p->percent >= 0) {
        t->told++;
        t->finished += p->is_watched == 1;
    }
    t->people[person_of(w, p)] = true;
    t->titles[p->title] = true;
}

static double share(const struct sums *t)
{
    return t->told ? (double)t->finished / (double)t->told : NAN;
}

static json_t *summary(const struct selection *s)
{
    const struct world *w = s->world;
    struct sums t = {.first = TIME_NONE, .last = TIME_NONE};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p))
            add_play(w, &t, p);
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g))
                continue;
            t.watch_us += watch_selected(s, g);
            if (g->stream_kbps > 0)
                t.bytes += (int64_t)(watch_selected(s, g) / 1000) * g->stream_kbps / 8;
        }
    }
    json_t *rows = json_array();
    add_row(rows, "iiiifiitt", t.plays, (int64_t)(t.watch_us / 1000), count(t.people, PEOPLE),
            count(t.titles, TITLES), share(&t), t.views, t.bytes, t.first, t.last);
    return rows;
}

static json_t *users(const struct selection *s)
{
    const struct world *w = s->world;
    static struct sums people[PEOPLE + 1];
    static bool is_there[PEOPLE + 1];
    static int64_t last[PEOPLE + 1];
    memset(people, 0, sizeof people);
    memset(is_there, 0, sizeof is_there);
    for (int i = 0; i <= PEOPLE; i++)
        last[i] = TIME_NONE;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        int who = person_of(w, p);
        if (selects_play(s, p)) {
            add_play(w, &people[who], p);
            is_there[who] = true;
            last[who] = p->ended > last[who] ? p->ended : last[who];
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g) || !overlaps(s, g))
                continue;
            is_there[who] = true;
            people[who].watch_us += watch_selected(s, g);
            people[who].devices[g->device] = true;
            people[who].places[w->addresses[g->address].place] = true;
            int64_t end = s->to != TIME_NONE && s->to < g->ended ? s->to : g->ended;
            if (watch_selected(s, g) >= 1000 && end > last[who])
                last[who] = end;
        }
    }
    json_t *rows = json_array();
    for (int i = 0; i <= PEOPLE; i++) {
        const struct sums *t = &people[i];
        auto_free char *name = i ? xasprintf("Person %d", i) : NULL;
        if (is_there[i])
            add_row(rows, "Isiiifiit", i ? (int64_t)i : -1, name, t->plays,
                    (int64_t)(t->watch_us / 1000), count(t->titles, TITLES), share(t),
                    count(t->devices, DEVICES), count(t->places, PLACES), last[i]);
    }
    return rows;
}

/* --- popular --------------------------------------------------------------------------------- */

struct entry {
    int title; /* 0: a show */
    const char *name, *media_type;
    int year;
    bool people[PEOPLE + 1];
    int64_t people_count, plays, watch_ms;
    double watch_us;
};

static char order_by;

static int64_t measure(const struct entry *e, char by)
{
    return by == 'p' ? e->people_count : by == 'l' ? e->plays : e->watch_ms;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const char order[] = {order_by, 'p', 'l', 'w', '\0'};
    for (const char *by = order; *by; by++)
        if (measure(x, *by) != measure(y, *by))
            return measure(x, *by) > measure(y, *by) ? -1 : 1;
    int names = strcmp(x->name, y->name);
    return names ? names : x->title - y->title;
}

static struct entry *entry_of(const struct world *w, struct entry *all, size_t *n, int title,
                              bool by_show)
{
    const struct w_title *t = &w->titles[title];
    bool is_show = by_show && t->show;
    for (size_t i = 0; i < *n; i++) {
        bool is_same = is_show ? !all[i].title && streq(all[i].name, t->show) &&
                                     streq(all[i].media_type, t->media_type)
                               : all[i].title == title;
        if (is_same)
            return &all[i];
    }
    all[*n] = is_show ? (struct entry){.name = t->show, .media_type = t->media_type}
                      : (struct entry){.title = title, .name = t->full,
                                       .media_type = t->media_type, .year = t->year};
    return &all[(*n)++];
}

static json_t *popular(const struct selection *s, char by, bool by_show, size_t limit)
{
    const struct world *w = s->world;
    struct entry *all = xcalloc(TITLES, sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p)) {
            struct entry *e = entry_of(w, all, &n, p->title, by_show);
            e->plays++;
            e->people[person_of(w, p)] = true;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]) && overlaps(s, &p->segments[k]))
                entry_of(w, all, &n, p->title, by_show)->watch_us +=
                    watch_selected(s, &p->segments[k]);
    }
    for (size_t i = 0; i < n; i++) {
        all[i].people_count = count(all[i].people, PEOPLE);
        all[i].watch_ms = (int64_t)(all[i].watch_us / 1000);
    }
    order_by = by;
    qsort(all, n, sizeof *all, compare_entries);
    json_t *rows = json_array();
    for (size_t i = 0; i < n && i < limit; i++)
        add_row(rows, "IssIiii", all[i].title ? (int64_t)all[i].title : -1, all[i].name,
                all[i].media_type, all[i].year ? (int64_t)all[i].year : -1, all[i].people_count,
                all[i].plays, all[i].watch_ms);
    free(all);
    return rows;
}

static json_t *popular_by_people(const struct selection *s)
{
    return popular(s, 'p', false, 10);
}

static json_t *popular_by_plays(const struct selection *s)
{
    return popular(s, 'l', false, 1000);
}

static json_t *popular_shows(const struct selection *s)
{
    return popular(s, 'w', true, 50);
}

/* Orders as compare_entries() by people, then plays: watch time is 0 everywhere. */
static json_t *rewatch(const struct selection *s)
{
    const struct world *w = s->world;
    static int finished[TITLES + 1][PEOPLE + 1];
    memset(finished, 0, sizeof finished);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p) && p->is_watched == 1)
            finished[p->title][person_of(w, p)]++;
    }
    struct entry *all = xcalloc(TITLES, sizeof *all);
    size_t n = 0;
    for (int title = 1; title <= TITLES; title++) {
        int64_t people = 0, plays = 0;
        for (int who = 1; who <= PEOPLE; who++)
            if (finished[title][who] > 1) {
                people++;
                plays += finished[title][who];
            }
        if (!people)
            continue;
        struct entry *e = entry_of(w, all, &n, title, false);
        e->people_count = people;
        e->plays = plays;
    }
    order_by = 'p';
    qsort(all, n, sizeof *all, compare_entries);
    json_t *rows = json_array();
    for (size_t i = 0; i < n && i < 25; i++)
        add_row(rows, "IssIii", (int64_t)all[i].title, all[i].name, all[i].media_type,
                all[i].year ? (int64_t)all[i].year : -1, all[i].people_count, all[i].plays);
    free(all);
    return rows;
}

const struct truth people_truths[] = {
    {"summary", "", summary, 0},
    {"users", "", users, 1},
    {"popular", "", popular_by_people, 3},
    {"popular", "by=plays&limit=1000", popular_by_plays, 3},
    {"popular", "by=watch_time&group=show&limit=50", popular_shows, 3},
    {"rewatch", "limit=25", rewatch, 3},
    {0},
};
