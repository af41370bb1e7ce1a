/* The truth of comparative: the selection's period against the one before. */
#include "golden.h"

#include <math.h>
#include <stdio.h>

enum { FIGURE, TITLE, SHOW, PERSON };
enum { VALUES_MAX = TITLES + 1 };

/* [0]: the period, [1]: the one before. */
struct pair {
    const char *name;
    int64_t plays[2];
};

static const char *const shows[SHOWS] = {"Alpha",      "Beta, Two",  "Gamma\\G", "Delta",
                                         "100% Epsilon", "Zeta_z",   "Eta",      "Théta"};

/* The local days of the window, as many before; the world's windows are of whole days, or end now. */
static int64_t begin_before(const struct selection *s)
{
    struct local from = local_of(s->from);
    if (s->to != TIME_NONE)
        return day_begins(from.year, from.month, from.day - (int)(day_of(s->to) - day_of(s->from)));
    /* Now, by the local clock: as far back from midnight as now is after it. */
    int64_t local_now = s->world->now + (day_of(s->world->now) * US_PER_DAY -
                        day_begins(local_of(s->world->now).year, local_of(s->world->now).month,
                                   local_of(s->world->now).day));
    int64_t at = day_of(s->from) * US_PER_DAY - (local_now - day_of(s->from) * US_PER_DAY);
    int64_t day = at / US_PER_DAY, year;
    int month, mday;
    civil_from_days(day, &year, &month, &mday);
    return day_begins((int)year, month, mday) + at % US_PER_DAY;
}

/* Which period a play is in; -1: none. */
static int period_of(const struct selection *s, const struct w_play *p)
{
    int64_t to = s->to == TIME_NONE ? s->world->now : s->to;
    if (s->from == TIME_NONE || !selects_ever(s, p) || p->started >= to)
        return -1;
    return p->started >= s->from ? 0 : p->started >= begin_before(s) ? 1 : -1;
}

static int value_of(const struct world *w, const struct w_play *p, int by)
{
    const struct w_title *t = &w->titles[p->title];
    if (by == TITLE || by == PERSON)
        return by == TITLE ? p->title : person_of(w, p);
    for (int i = 0; streq(t->media_type, "episode") && t->show && i < SHOWS; i++)
        if (streq(t->show, shows[i]))
            return i + 1;
    return 0;
}

static double change_of(const struct pair *p)
{
    return p->plays[1] ? (double)p->plays[0] / (double)p->plays[1] - 1 : NAN;
}

static int64_t rank_of(const struct pair *all, int own, int period)
{
    int64_t rank = 1;
    for (int i = 1; i < VALUES_MAX; i++)
        rank += all[i].plays[period] > all[own].plays[period];
    return all[own].plays[period] ? rank : -1;
}

static json_t *compare_by(const struct selection *s, int by)
{
    const struct world *w = s->world;
    struct pair all[VALUES_MAX] = {0};
    json_t *rows = json_array();
    for (size_t i = 0; i < w->play_count; i++) {
        int period = period_of(s, &w->plays[i]);
        int value = value_of(w, &w->plays[i], by);
        if (period >= 0 && value)
            all[value].plays[period]++;
    }
    for (int i = 1; i < VALUES_MAX; i++) {
        if (!all[i].plays[0] && !all[i].plays[1])
            continue;
        auto_free char *person = xasprintf("Person %d", i);
        const char *name = by == TITLE ? w->titles[i].full : by == PERSON ? person : shows[i - 1];
        add_row(rows, "sIIIIFII", name, (int64_t)(by == TITLE ? i : -1),
                (int64_t)(by == PERSON ? i : -1), all[i].plays[0], all[i].plays[1],
                change_of(&all[i]), rank_of(all, i, 0), rank_of(all, i, 1));
    }
    return rows;
}

static json_t *titles(const struct selection *s)
{
    return compare_by(s, TITLE);
}

static json_t *series(const struct selection *s)
{
    return compare_by(s, SHOW);
}

static json_t *people(const struct selection *s)
{
    return compare_by(s, PERSON);
}

static json_t *figures(const struct selection *s)
{
    const struct world *w = s->world;
    struct pair all[] = {{"plays"}, {"people"}, {"titles"}, {"finished"}};
    bool is_there[2][2][TITLES + 1] = {0};
    json_t *rows = json_array();
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        int period = period_of(s, p);
        if (period < 0)
            continue;
        all[0].plays[period]++;
        all[3].plays[period] += p->is_watched == 1;
        is_there[0][period][person_of(w, p)] = true;
        is_there[1][period][p->title] = true;
    }
    for (int of = 0; of < 2; of++)
        for (int period = 0; period < 2; period++)
            for (int i = 1; i <= TITLES; i++)
                all[1 + of].plays[period] += is_there[of][period][i];
    for (size_t i = 0; i < ARRAY_LEN(all) && (all[0].plays[0] || all[0].plays[1]); i++)
        add_row(rows, "sIIIIFII", all[i].name, (int64_t)-1, (int64_t)-1, all[i].plays[0],
                all[i].plays[1], change_of(&all[i]), (int64_t)-1, (int64_t)-1);
    return rows;
}

const struct truth comparison_truths[] = {
    {"comparative", "", figures, 1},
    {"comparative", "by=title&limit=1000", titles, 2},
    {"comparative", "by=show", series, 2},
    {"comparative", "by=person", people, 3},
    {0},
};
