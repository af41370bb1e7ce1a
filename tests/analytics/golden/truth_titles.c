/* The truth of the queries about titles: completion, abandonment, content-flow, facets and its
 * other names. */
#include "golden.h"

#include <math.h>
#include <stdio.h>

static int64_t count_of(const bool *flags, int most)
{
    int64_t n = 0;
    for (int i = 1; i <= most; i++)
        n += flags[i];
    return n;
}

/* --- completion ------------------------------------------------------------------------------ */

static json_t *completion(const struct selection *s)
{
    const struct world *w = s->world;
    int64_t plays[21] = {0}, finished[21] = {0}, known = 0;
    bool people[21][PEOPLE + 1] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (!selects_play(s, p) || streq(p->kind, "view") || p->is_open)
            continue;
        int step = p->percent < 0 ? 20 : p->percent >= 95 ? 19 : (int)(p->percent / 5);
        plays[step]++;
        finished[step] += p->is_watched == 1;
        people[step][person_of(w, p)] = true;
        known += step < 20;
    }
    json_t *rows = json_array();
    int64_t reached = known;
    for (int step = 0; step <= 20; step++) {
        bool is_known = step < 20;
        add_row(rows, "IiiiIF", (int64_t)(is_known ? step * 5 : -1), plays[step],
                count_of(people[step], PEOPLE), finished[step], is_known ? reached : -1,
                is_known && known ? (double)reached / (double)known : NAN);
        reached -= plays[step];
    }
    return rows;
}

/* --- abandonment ----------------------------------------------------------------------------- */

struct fate {
    int64_t plays, finished, resumed, abandoned, undecided;
    size_t stop_count;
    double stops[PLAYS];
    bool people[PEOPLE + 1];
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

#define FORTNIGHT (14 * US_PER_DAY)

static void judge(const struct world *w, struct fate *f, const struct w_play *p, bool is_finished,
                  int64_t next)
{
    f->plays++;
    f->people[person_of(w, p)] = true;
    if (is_finished) {
        f->finished++;
    } else if (next && next <= p->ended + FORTNIGHT) {
        f->resumed++;
    } else if (p->ended + FORTNIGHT > w->now) {
        f->undecided++;
    } else {
        f->abandoned++;
        if (p->percent >= 0)
            f->stops[f->stop_count++] = p->percent;
    }
}

static void write_fate(const struct selection *s, struct fate *f, const char *value, int title,
                       json_t *rows)
{
    int64_t decided = f->finished + f->resumed + f->abandoned;
    qsort(f->stops, f->stop_count, sizeof f->stops[0], compare_doubles);
    if (f->plays < strtol(param_of(s, "least", "3"), NULL, 10))
        return;
    add_row(rows, "sIiiiiiiFF", value, title ? (int64_t)title : -1, f->plays,
            count_of(f->people, PEOPLE), f->finished, f->resumed, f->abandoned, f->undecided,
            decided ? (double)f->abandoned / (double)decided : NAN,
            f->stop_count ? f->stops[(f->stop_count + 1) / 2 - 1] : NAN);
}

/* The start of the same person's next play of it; 0: none. */
static int64_t next_play(const struct selection *s, const struct w_play *p)
{
    const struct w_play *next = NULL;
    for (size_t i = 0; i < s->world->play_count; i++) {
        const struct w_play *o = &s->world->plays[i];
        bool is_later = o->started > p->started || (o->started == p->started && o->id > p->id);
        if (o->title != p->title || !is_later || person_of(s->world, o) != person_of(s->world, p) ||
            !selects_ever(s, o))
            continue;
        if (!next || o->started < next->started)
            next = o;
    }
    return next ? next->started : 0;
}

/* Whether a title is under the n-th value; `NULL`: the one of the unknown. */
typedef bool is_of_fn(const struct w_title *t, const char *value);

static bool is_of_genre(const struct w_title *t, const char *value)
{
    for (size_t g = 0; value && g < t->genre_count; g++)
        if (streq(t->genres[g], value))
            return true;
    return !value && !t->genre_count;
}

static bool is_of_type(const struct w_title *t, const char *value)
{
    return value && streq(t->media_type, value);
}

static struct fate fate;

/* One row: plays of titles that `is_of` takes, or of one title. */
static void write_value(const struct selection *s, is_of_fn *is_of, const char *value, int title,
                        json_t *rows)
{
    const struct world *w = s->world;
    memset(&fate, 0, sizeof fate);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_one = title ? p->title == title : is_of(&w->titles[p->title], value);
        if (is_one && selects_play(s, p) && person_of(w, p) && !streq(p->kind, "view") &&
            !p->is_open && p->percent >= 0)
            judge(w, &fate, p, p->is_watched == 1, next_play(s, p));
    }
    if (fate.plays)
        write_fate(s, &fate, value, title, rows);
}

static const char *const genres[] = {"Drama", "Comedy", "Crime", "Film-Noir", NULL};
static const char *const types[] = {"movie", "episode", "track", "live"};

static json_t *abandonment(const struct selection *s)
{
    json_t *rows = json_array();
    for (int title = 1; title <= TITLES; title++)
        write_value(s, NULL, s->world->titles[title].full, title, rows);
    return rows;
}

static json_t *abandoned_genres(const struct selection *s)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < ARRAY_LEN(genres); i++)
        write_value(s, is_of_genre, genres[i], 0, rows);
    return rows;
}

static json_t *abandoned_types(const struct selection *s)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        write_value(s, is_of_type, types[i], 0, rows);
    return rows;
}

static bool is_first_episode(const struct w_title *t)
{
    return t->season == 1 && t->episode == 1;
}

/* Plays of that show's episodes by somebody, at any time. */
static bool is_of_show(const struct selection *s, const struct w_play *p, int who, const char *show)
{
    const struct w_title *t = &s->world->titles[p->title];
    return person_of(s->world, p) == who && streq(t->media_type, "episode") && t->show &&
           streq(t->show, show) && streq(p->kind, "play") && selects_ever(s, p);
}

static void judge_beginning(const struct selection *s, int who, const char *show)
{
    const struct world *w = s->world;
    const struct w_play *first = NULL;
    int64_t next = 0;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (!is_of_show(s, p, who, show) || !is_first_episode(&w->titles[p->title]))
            continue;
        if (!first || p->started < first->started ||
            (p->started == first->started && p->id < first->id))
            first = p;
    }
    if (!first || (s->from != TIME_NONE && first->started < s->from) ||
        (s->to != TIME_NONE && first->started >= s->to))
        return;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (is_of_show(s, p, who, show) && !is_first_episode(&w->titles[p->title]) &&
            p->started > first->started && (!next || p->started < next))
            next = p->started;
    }
    judge(w, &fate, first, false, next);
}

static json_t *abandoned_shows(const struct selection *s)
{
    static const char *const shows[SHOWS] = {"Alpha",      "Beta, Two",  "Gamma\\G", "Delta",
                                             "100% Epsilon", "Zeta_z",   "Eta",      "Théta"};
    json_t *rows = json_array();
    for (int k = 0; k < SHOWS; k++) {
        memset(&fate, 0, sizeof fate);
        for (int who = 1; who <= PEOPLE; who++)
            judge_beginning(s, who, shows[k]);
        if (fate.plays)
            write_fate(s, &fate, shows[k], 0, rows);
    }
    return rows;
}

/* --- content-flow ---------------------------------------------------------------------------- */

static json_t *content_flow(const struct selection *s)
{
    static const char *const shows[SHOWS] = {"Alpha",      "Beta, Two",  "Gamma\\G", "Delta",
                                             "100% Epsilon", "Zeta_z",   "Eta",      "Théta"};
    const struct world *w = s->world;
    json_t *rows = json_array();
    for (int k = 0; k < SHOWS; k++) {
        bool people[5][PEOPLE + 1] = {0};
        int64_t plays[5] = {0};
        for (size_t i = 0; i < w->play_count; i++) {
            const struct w_play *p = &w->plays[i];
            const struct w_title *t = &w->titles[p->title];
            if (!selects_play(s, p) || !streq(t->media_type, "episode") || !t->show || !t->season ||
                !streq(t->show, shows[k]) || !person_of(w, p))
                continue;
            people[t->season][person_of(w, p)] = true;
            plays[t->season]++;
        }
        for (int season = 1; season <= 3; season++) {
            int next = season + 1;
            int64_t went_on = 0, n = count_of(people[season], PEOPLE);
            while (next <= 3 && !plays[next])
                next++;
            bool has_next = next <= 3;
            for (int who = 1; who <= PEOPLE; who++)
                went_on += people[season][who] && people[next][who];
            if (plays[season])
                add_row(rows, "siIiIFi", shows[k], (int64_t)season, (int64_t)(has_next ? next : -1),
                        n, has_next ? went_on : -1, has_next ? (double)went_on / (double)n : NAN,
                        plays[season]);
        }
    }
    return rows;
}

/* --- facets ---------------------------------------------------------------------------------- */

static bool is_of_rating(const struct w_title *t, const char *value)
{
    return value ? t->rating && streq(t->rating, value) : !t->rating;
}

static bool is_of_decade(const struct w_title *t, const char *value)
{
    char text[16];
    snprintf(text, sizeof text, "%ds", t->year / 10 * 10);
    return value ? t->year && streq(text, value) : !t->year;
}

static json_t *facets_of(const struct selection *s, is_of_fn *is_of, const char *const *values,
                         size_t count)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    double known = 0;
    for (size_t pass = 0; pass < count + 1; pass++) { /* first of all what is known at all */
        const char *value = pass ? values[pass - 1] : NULL;
        int64_t plays = 0, is_there = 0;
        double watch = 0;
        bool people[PEOPLE + 1] = {0}, titles[TITLES + 1] = {0};
        for (size_t i = 0; i < w->play_count; i++) {
            const struct w_play *p = &w->plays[i];
            if (!selects_kind(s, p) || is_of(&w->titles[p->title], value) != (pass > 0))
                continue;
            if (selects_play(s, p)) {
                plays++;
                people[person_of(w, p)] = true;
                titles[p->title] = true;
            }
            for (size_t k = 0; k < p->segment_count; k++) {
                if (!selects_segment(s, &p->segments[k]) || !overlaps(s, &p->segments[k]))
                    continue;
                watch += watch_selected(s, &p->segments[k]);
                is_there++;
            }
        }
        if (!pass)
            known = watch;
        else if (plays || is_there)
            add_row(rows, "siiiiF", value, plays, count_of(people, PEOPLE),
                    count_of(titles, TITLES), (int64_t)(watch / 1000),
                    value && known > 0 ? watch / known : NAN);
    }
    return rows;
}

static json_t *genres_of(const struct selection *s)
{
    return facets_of(s, is_of_genre, genres, ARRAY_LEN(genres));
}

static json_t *decades_of(const struct selection *s)
{
    static const char *const decades[] = {"1950s", "1960s", "1970s", "1980s", "1990s", "2000s",
                                          "2010s", "2020s", NULL};
    return facets_of(s, is_of_decade, decades, ARRAY_LEN(decades));
}

static json_t *ratings_of(const struct selection *s)
{
    static const char *const ratings[] = {"PG", "R", "TV-MA", NULL};
    return facets_of(s, is_of_rating, ratings, ARRAY_LEN(ratings));
}

const struct truth title_truths[] = {
    {"completion", "", completion, 1},
    {"abandonment", "limit=1000", abandonment, 2},
    {"abandonment", "by=genre&least=1", abandoned_genres, 1},
    {"abandonment", "by=type&least=5", abandoned_types, 1},
    {"abandonment", "by=first-episode&least=1", abandoned_shows, 1},
    {"content-flow", "", content_flow, 2},
    {"facets", "", genres_of, 1},
    {"genres", "", genres_of, 1},
    {"decades", "", decades_of, 1},
    {"ratings", "", ratings_of, 1},
    {0},
};
