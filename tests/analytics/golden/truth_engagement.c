/* The truth of the queries about who comes, stays and goes: user-engagement, engagement-by-week,
 * cohort-retention. */
#include "golden.h"

#include <math.h>

enum { FIRST_DAY = 20300, DAYS = 300, WEEKS = 64 }; /* 2025-07-31 on: all of the world's time */

/* --- user-engagement ------------------------------------------------------------------------- */

struct habit {
    bool days[DAYS];
    int64_t plays, told, finished, last_seen;
    double watch_us;
};

static void add_habit(int64_t who, const struct habit *h, int64_t today, json_t *rows)
{
    int64_t active = 0, first = -1, last = -1;
    for (int64_t d = 0; d < DAYS; d++) {
        if (!h->days[d])
            continue;
        active++;
        first = first < 0 ? d : first;
        last = d;
    }
    int64_t days = today - (FIRST_DAY + first) + 1;
    double fresh = 1 - (double)(today - (FIRST_DAY + last)) / 30;
    fresh = fresh < 0 ? 0 : fresh;
    double share = (double)active / (double)days;
    double finished = h->told ? (double)h->finished / (double)h->told : NAN;
    auto_free char *name = xasprintf("Person %d", (int)who);
    add_row(rows, "isffFfiiiit", who, name, 50 * share + 30 * (h->told ? finished : 0) + 20 * fresh,
            share, finished, fresh, h->plays, (int64_t)(h->watch_us / 1000), active, days,
            h->last_seen);
}

static json_t *user_engagement(const struct selection *s)
{
    const struct world *w = s->world;
    static struct habit all[PEOPLE + 1];
    int64_t first, last;
    json_t *rows = json_array();
    memset(all, 0, sizeof all);
    if (!find_edges(s, &first, &last))
        return rows;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        struct habit *h = &all[person_of(w, p)];
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]))
                h->watch_us += watch_selected(s, &p->segments[k]);
        if (!selects_play(s, p))
            continue;
        h->days[day_of(p->started) - FIRST_DAY] = true;
        h->last_seen = !h->plays || p->started > h->last_seen ? p->started : h->last_seen;
        h->plays++;
        if (streq(p->kind, "play") && !p->is_open && p->percent >= 0) {
            h->told++;
            h->finished += p->is_watched == 1;
        }
    }
    for (int who = 1; who <= PEOPLE; who++)
        if (all[who].plays)
            add_habit(who, &all[who], day_of(last), rows);
    return rows;
}

/* --- engagement-by-week ---------------------------------------------------------------------- */

enum state { REGULAR, NEW, RETURNED, AWAY, LAPSED, STATES };
static const char *const states[STATES] = {"regular", "new", "returned", "away", "lapsed"};

static size_t week_index(int64_t week)
{
    return (size_t)((week - (FIRST_DAY - 3)) / 7); /* a Monday */
}

/* In which state somebody is; STATES: not come yet. */
static enum state state_in(const bool *active, size_t week)
{
    bool came = false, is_recent = false;
    for (size_t i = 0; i < week; i++) {
        came = came || active[i];
        is_recent = is_recent || (active[i] && week - i <= 4);
    }
    if (active[week])
        return !came ? NEW : is_recent ? REGULAR : RETURNED;
    return !came ? STATES : is_recent ? AWAY : LAPSED;
}

static json_t *engagement_by_week(const struct selection *s)
{
    const struct world *w = s->world;
    bool active[PEOPLE + 1][WEEKS] = {0};
    int64_t first, last;
    json_t *rows = json_array();
    if (!find_edges(s, &first, &last))
        return rows;
    for (size_t i = 0; i < w->play_count; i++)
        if (selects_ever(s, &w->plays[i]))
            active[person_of(w, &w->plays[i])][week_index(week_of(w->plays[i].started))] = true;
    for (int64_t week = week_of(first); week <= week_of(last); week += 7) {
        int64_t people[STATES + 1] = {0};
        for (int who = 1; week >= FIRST_DAY && who <= PEOPLE; who++)
            people[state_in(active[who], week_index(week))]++;
        char name[DAY_TEXT_MAX];
        for (int i = 0; i < STATES; i++)
            add_row(rows, "ssi", day_text(week, name), states[i], people[i]);
    }
    return rows;
}

/* --- cohort-retention ------------------------------------------------------------------------ */

/* Whoever is asked about, and nothing else. */
static bool is_known(const struct selection *s, const struct w_play *p)
{
    struct selection any = {.world = s->world, .users = s->users, .with_short = s->with_short};
    return selects_kind(&any, p);
}

static json_t *cohort_retention(const struct selection *s)
{
    const struct world *w = s->world;
    bool active[PEOPLE + 1][WEEKS] = {0};
    int64_t came[PEOPLE + 1] = {0}, first, last;
    json_t *rows = json_array();
    if (!find_edges(s, &first, &last))
        return rows;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        int who = person_of(w, p);
        if (is_known(s, p) && (!came[who] || p->started < came[who]))
            came[who] = p->started;
        if (selects_play(s, p))
            active[who][week_index(week_of(p->started))] = true;
    }
    for (int64_t cohort = week_of(first); cohort <= week_of(last); cohort += 7) {
        int64_t size = 0, most = strtol(param_of(s, "weeks", "12"), NULL, 10);
        for (int who = 1; who <= PEOPLE; who++)
            size += came[who] && week_of(came[who]) == cohort;
        for (int64_t n = 0; size && n <= most && cohort + 7 * n <= week_of(last); n++) {
            int64_t people = 0;
            for (int who = 1; who <= PEOPLE; who++)
                people += came[who] && week_of(came[who]) == cohort &&
                          active[who][week_index(cohort + 7 * n)];
            char name[DAY_TEXT_MAX];
            add_row(rows, "siiif", day_text(cohort, name), n, size, people,
                    (double)people / (double)size);
        }
    }
    return rows;
}

const struct truth engagement_truths[] = {
    {"user-engagement", "", user_engagement, 2},
    {"engagement-by-week", "", engagement_by_week, 2},
    {"cohort-retention", "", cohort_retention, 2},
    {"cohort-retention", "weeks=30", cohort_retention, 2},
    {0},
};
