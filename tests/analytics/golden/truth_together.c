/* The truth of the queries about plays and people that belong together: binge, watch-parties,
 * user-network. */
#include "golden.h"

#include <stdio.h>

static int64_t count_of(const bool *flags, int most)
{
    int64_t n = 0;
    for (int i = 1; i <= most; i++)
        n += flags[i];
    return n;
}

static int by_start(const void *a, const void *b)
{
    const struct w_play *x = *(const struct w_play *const *)a, *y = *(const struct w_play *const *)b;
    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Which plays are looked at together. */
typedef bool wants_fn(const struct selection *s, const struct w_play *p, int who, const char *what,
                      int title);

static size_t plays_of(const struct selection *s, wants_fn *wants, int who, const char *what,
                       int title, const struct w_play **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < s->world->play_count; i++)
        if (wants(s, &s->world->plays[i], who, what, title) && selects_play(s, &s->world->plays[i]))
            ret[n++] = &s->world->plays[i];
    qsort(ret, n, sizeof *ret, by_start);
    return n;
}

/* --- binge ----------------------------------------------------------------------------------- */

enum { BY_RUN, BY_PERSON, BY_SHOW };

struct runs {
    int64_t runs, episodes, longest, plays, watch_ms, started, ended;
    bool people[PEOPLE + 1];
};

static bool is_episode_of(const struct selection *s, const struct w_play *p, int who,
                          const char *show, int title)
{
    const struct w_title *t = &s->world->titles[p->title];
    return person_of(s->world, p) == who && streq(t->media_type, "episode") && t->show &&
           streq(t->show, show);
}

static void add_run(struct runs *r, int who, int64_t episodes, int64_t plays, int64_t watch_ms,
                    int64_t started, int64_t ended)
{
    r->started = !r->runs || started < r->started ? started : r->started;
    r->ended = !r->runs || ended > r->ended ? ended : r->ended;
    r->runs++;
    r->episodes += episodes;
    r->longest = episodes > r->longest ? episodes : r->longest;
    r->plays += plays;
    r->watch_ms += watch_ms;
    r->people[who] = true;
}

static void write_runs(const struct runs *r, int who, const char *show, json_t *rows)
{
    auto_free char *name = who ? xasprintf("Person %d", who) : NULL;
    if (r->runs)
        add_row(rows, "tIssiiiiiit", r->started, who ? (int64_t)who : -1, name, show, r->runs,
                count_of(r->people, PEOPLE), r->episodes, r->longest, r->plays, r->watch_ms,
                r->ended);
}

/* The runs of one person and show, each as a row, or added to the two sums. */
static void find_runs(const struct selection *s, int who, const char *show,
                      const struct w_play **plays, struct runs *of_person, struct runs *of_show,
                      json_t *rows)
{
    size_t n = plays_of(s, is_episode_of, who, show, 0, plays);
    int64_t gap = strtol(param_of(s, "gap_hours", "6"), NULL, 10) * US_PER_HOUR;
    int64_t least = strtol(param_of(s, "least", "3"), NULL, 10);
    for (size_t i = 0, next; i < n; i = next) {
        bool titles[TITLES + 1] = {0};
        int64_t ended = plays[i]->ended, watch_ms = 0;
        for (next = i; next < n && (next == i || plays[next]->started - ended <= gap); next++) {
            ended = plays[next]->ended > ended ? plays[next]->ended : ended;
            watch_ms += watch_ms_of(s, plays[next]);
            titles[plays[next]->title] = true;
        }
        int64_t episodes = count_of(titles, TITLES);
        if (episodes < least)
            continue;
        struct runs one = {0};
        struct runs *to[] = {&one, of_person, of_show};
        for (size_t k = 0; k < ARRAY_LEN(to); k++)
            add_run(to[k], who, episodes, (int64_t)(next - i), watch_ms, plays[i]->started, ended);
        if (rows)
            write_runs(&one, who, show, rows);
    }
}

static json_t *binge_by(const struct selection *s, int by)
{
    static const char *const shows[SHOWS] = {"Alpha",      "Beta, Two",  "Gamma\\G", "Delta",
                                             "100% Epsilon", "Zeta_z",   "Eta",      "Théta"};
    struct runs of_person[PEOPLE + 1] = {0}, of_show[SHOWS] = {0};
    const struct w_play **plays = xcalloc(s->world->play_count, sizeof *plays);
    json_t *rows = json_array();
    for (int who = 1; who <= PEOPLE; who++)
        for (int k = 0; k < SHOWS; k++)
            find_runs(s, who, shows[k], plays, &of_person[who], &of_show[k],
                      by == BY_RUN ? rows : NULL);
    for (int who = 1; by == BY_PERSON && who <= PEOPLE; who++)
        write_runs(&of_person[who], who, NULL, rows);
    for (int k = 0; by == BY_SHOW && k < SHOWS; k++)
        write_runs(&of_show[k], 0, shows[k], rows);
    free(plays);
    return rows;
}

static json_t *binge(const struct selection *s)
{
    return binge_by(s, BY_RUN);
}

static json_t *binge_by_person(const struct selection *s)
{
    return binge_by(s, BY_PERSON);
}

static json_t *binge_by_show(const struct selection *s)
{
    return binge_by(s, BY_SHOW);
}

/* --- watch-parties --------------------------------------------------------------------------- */

struct party {
    int64_t parties, plays, started, ended, watch_ms;
    int same; /* -1: unknown */
    bool people[PEOPLE + 1];
};

static bool is_of_title(const struct selection *s, const struct w_play *p, int who, const char *what,
                        int title)
{
    return p->title == title && streq(p->kind, "play") && person_of(s->world, p);
}

/* Plays [first, next) as a party, if they are one. */
static bool make_party(const struct selection *s, const struct w_play **plays, size_t first,
                       size_t next, struct party *ret)
{
    *ret = (struct party){.parties = 1, .started = plays[first]->started, .same = 1};
    int address = plays[first]->segments[0].address;
    for (size_t i = first; i < next; i++) {
        const struct w_play *p = plays[i];
        ret->people[person_of(s->world, p)] = true;
        ret->plays++;
        ret->watch_ms += watch_ms_of(s, p);
        ret->ended = p->ended > ret->ended ? p->ended : ret->ended;
        if (!p->segments[0].address)
            ret->same = -1;
        else if (ret->same == 1 && p->segments[0].address != address)
            ret->same = 0;
    }
    return count_of(ret->people, PEOPLE) > 1;
}

static void add_party(struct party *to, const struct party *p)
{
    to->started = !to->parties || p->started < to->started ? p->started : to->started;
    to->ended = p->ended > to->ended ? p->ended : to->ended;
    to->same = !to->parties ? p->same : to->same < 0 || p->same < 0 ? -1 : to->same && p->same;
    to->parties++;
    to->plays += p->plays;
    to->watch_ms += p->watch_ms;
    for (int i = 1; i <= PEOPLE; i++)
        to->people[i] = to->people[i] || p->people[i];
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void write_party(const struct world *w, int title, const struct party *p, json_t *rows)
{
    char names[PEOPLE][16];
    size_t n = 0;
    auto_buf struct buf text = {0};
    for (int i = 1; i <= PEOPLE; i++)
        if (p->people[i])
            snprintf(names[n++], sizeof names[0], "Person %d", i);
    qsort(names, n, sizeof names[0], by_text);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", names[i]);
    if (p->parties)
        add_row(rows, "tisssiiiibt", p->started, (int64_t)title, w->titles[title].full,
                w->titles[title].media_type, buf_text(&text), p->parties,
                count_of(p->people, PEOPLE), p->plays, p->watch_ms, p->same, p->ended);
}

/* The parties of one title; the caller frees them. */
static struct party *find_parties(const struct selection *s, int title, size_t *ret_count)
{
    const struct w_play **plays = xcalloc(s->world->play_count, sizeof *plays);
    size_t n = plays_of(s, is_of_title, 0, NULL, title, plays), count = 0;
    struct party *all = xcalloc(n + 1, sizeof *all);
    for (size_t i = 0, next; i < n; i = next) {
        int64_t ended = plays[i]->ended;
        for (next = i + 1; next < n; next++) {
            if (plays[next]->started - plays[next - 1]->started > 15 * US_PER_MIN ||
                plays[next]->started >= ended)
                break;
            ended = plays[next]->ended > ended ? plays[next]->ended : ended;
        }
        count += make_party(s, plays, i, next, &all[count]);
    }
    free(plays);
    *ret_count = count;
    return all;
}

static json_t *parties_by(const struct selection *s, bool by_title)
{
    json_t *rows = json_array();
    for (int title = 1; title <= TITLES; title++) {
        struct party sum = {0};
        size_t count;
        struct party *all = find_parties(s, title, &count);
        for (size_t i = 0; i < count; i++) {
            add_party(&sum, &all[i]);
            if (!by_title)
                write_party(s->world, title, &all[i], rows);
        }
        if (by_title)
            write_party(s->world, title, &sum, rows);
        free(all);
    }
    return rows;
}

static json_t *parties(const struct selection *s)
{
    return parties_by(s, false);
}

static json_t *parties_by_title(const struct selection *s)
{
    return parties_by(s, true);
}

/* --- user-network ---------------------------------------------------------------------------- */

struct network {
    bool seen[PEOPLE + 1][TITLES + 1], is_chosen[PEOPLE + 1];
    int64_t plays[PEOPLE + 1], parties[PEOPLE + 1][PEOPLE + 1];
    int first[PEOPLE + 1]; /* the least id of the group */
};

/* The people with the most plays. */
static void choose_people(struct network *n, int64_t most)
{
    for (int64_t i = 0; i < most; i++) {
        int best = 0;
        for (int who = 1; who <= PEOPLE; who++)
            if (!n->is_chosen[who] && n->plays[who] && (!best || n->plays[who] > n->plays[best]))
                best = who;
        if (best)
            n->is_chosen[best] = true;
    }
}

static void count_parties(const struct selection *s, struct network *n)
{
    for (int title = 1; title <= TITLES; title++) {
        size_t count;
        struct party *all = find_parties(s, title, &count);
        for (size_t i = 0; i < count; i++)
            for (int a = 1; a <= PEOPLE; a++)
                for (int b = a + 1; b <= PEOPLE; b++)
                    n->parties[a][b] += all[i].people[a] && all[i].people[b];
        free(all);
    }
}

static int64_t shared_titles(const struct network *n, int a, int b, double *ret_overlap)
{
    int64_t both = 0, any = 0;
    for (int t = 1; t <= TITLES; t++) {
        both += n->seen[a][t] && n->seen[b][t];
        any += n->seen[a][t] || n->seen[b][t];
    }
    *ret_overlap = any ? (double)both / (double)any : 0;
    return n->is_chosen[a] && n->is_chosen[b] ? both : 0;
}

static bool is_linked(const struct network *n, int a, int b, double least)
{
    double overlap;
    return shared_titles(n, a, b, &overlap) && (overlap >= least || n->parties[a][b]);
}

/* Everybody takes the least id of whom they are linked with, until nothing changes. */
static void find_groups(struct network *n, double least)
{
    for (int who = 1; who <= PEOPLE; who++)
        n->first[who] = who;
    for (bool is_changed = true; is_changed;) {
        is_changed = false;
        for (int a = 1; a <= PEOPLE; a++) {
            for (int b = a + 1; b <= PEOPLE; b++) {
                if (n->first[a] == n->first[b] || !is_linked(n, a, b, least))
                    continue;
                int first = n->first[a] < n->first[b] ? n->first[a] : n->first[b];
                n->first[a] = n->first[b] = first;
                is_changed = true;
            }
        }
    }
}

static int64_t group_number(const struct network *n, int who)
{
    int64_t number = 0;
    for (int i = 1; i <= n->first[who]; i++)
        number += n->is_chosen[i] && n->first[i] == i;
    return number;
}

static json_t *user_network(const struct selection *s)
{
    const struct world *w = s->world;
    static struct network n;
    double least = strtod(param_of(s, "least_overlap", "0.2"), NULL);
    json_t *rows = json_array();
    memset(&n, 0, sizeof n);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (!selects_play(s, p) || !person_of(w, p))
            continue;
        n.plays[person_of(w, p)]++;
        n.seen[person_of(w, p)][p->title] = true;
    }
    choose_people(&n, strtol(param_of(s, "people", "50"), NULL, 10));
    count_parties(s, &n);
    find_groups(&n, least);
    for (int a = 1; a <= PEOPLE; a++) {
        for (int b = a + 1; b <= PEOPLE; b++) {
            double overlap;
            int64_t shared = shared_titles(&n, a, b, &overlap);
            auto_free char *x = xasprintf("Person %d", a), *y = xasprintf("Person %d", b);
            if (shared)
                add_row(rows, "isisifibI", (int64_t)a, x, (int64_t)b, y, shared, overlap,
                        n.parties[a][b], (int)is_linked(&n, a, b, least),
                        n.first[a] == n.first[b] ? group_number(&n, a) : -1);
        }
    }
    return rows;
}

const struct truth together_truths[] = {
    {"binge", "limit=1000", binge, 4},
    {"binge", "least=2&gap_hours=12&limit=1000", binge, 4},
    {"binge", "by=person", binge_by_person, 4},
    {"binge", "by=show", binge_by_show, 4},
    {"watch-parties", "limit=1000", parties, 2},
    {"watch-parties", "by=title&limit=1000", parties_by_title, 2},
    {"user-network", "", user_network, 3},
    {"user-network", "people=6&least_overlap=0.62", user_network, 3},
    {0},
};
