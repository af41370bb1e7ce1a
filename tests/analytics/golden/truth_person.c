/* The truth of the queries about one person and what they use: user-profile, device-migration. */
#include "golden.h"

#include <math.h>
#include <stdio.h>

/* --- user-profile ---------------------------------------------------------------------------- */

enum { FIRST_DAY = 20300, DAYS = 300 };

struct profile {
    int64_t plays, movies, episodes, tracks, told, finished, first, last, bytes;
    int64_t hours[24], title_ms[TITLES + 1];
    double watch_us, known_us, transcoded_us;
    bool days[DAYS], titles[TITLES + 1], has_title[TITLES + 1];
};

static void add_start(const struct world *w, const struct w_play *p, struct profile *r)
{
    const char *type = w->titles[p->title].media_type;
    struct local l = local_of(p->started);
    r->first = !r->plays || p->started < r->first ? p->started : r->first;
    r->last = !r->plays || p->started > r->last ? p->started : r->last;
    r->plays++;
    r->movies += streq(type, "movie");
    r->episodes += streq(type, "episode");
    r->tracks += streq(type, "track");
    r->titles[p->title] = true;
    r->hours[l.hour]++;
    r->days[day_of(p->started) - FIRST_DAY] = true;
    if (streq(p->kind, "play") && !p->is_open && p->percent >= 0) {
        r->told++;
        r->finished += p->is_watched == 1;
    }
}

static void add_segment(const struct selection *s, const struct w_play *p, const struct w_segment *g,
                        struct profile *r)
{
    double watch = watch_selected(s, g);
    const char *decision = s->world->qualities[g->quality].decision;
    r->watch_us += watch;
    r->known_us += decision ? watch : 0;
    r->transcoded_us += decision && streq(decision, "transcode") ? watch : 0;
    r->title_ms[p->title] += (int64_t)(watch / 1000);
    r->has_title[p->title] = true;
    if (g->stream_kbps > 0)
        r->bytes += (int64_t)(watch / 1000) * g->stream_kbps / 8;
}

/* The name with the most; where equal, the first in the alphabet. */
struct top {
    const char *name;
    int64_t ms;
};

static void offer(struct top *top, const char *name, int64_t ms)
{
    if (!top->name || ms > top->ms || (ms == top->ms && strcmp(name, top->name) < 0))
        *top = (struct top){name, ms};
}

static const char *top_title(const struct world *w, const struct profile *r)
{
    struct top top = {0};
    for (int t = 1; t <= TITLES; t++)
        if (r->has_title[t])
            offer(&top, w->titles[t].full, r->title_ms[t]);
    return top.name;
}

static bool is_episode_of(const struct w_title *t, const char *show)
{
    return streq(t->media_type, "episode") && t->show && streq(t->show, show);
}

static const char *top_series(const struct world *w, const struct profile *r)
{
    struct top top = {0};
    for (int t = 1; t <= TITLES; t++) {
        int64_t ms = 0;
        if (!r->has_title[t] || !w->titles[t].show || !streq(w->titles[t].media_type, "episode"))
            continue;
        for (int k = 1; k <= TITLES; k++)
            ms += is_episode_of(&w->titles[k], w->titles[t].show) ? r->title_ms[k] : 0;
        offer(&top, w->titles[t].show, ms);
    }
    return top.name;
}

static int64_t count_series(const struct world *w, const struct profile *r)
{
    int64_t n = 0;
    for (int t = 1; t <= TITLES; t++) {
        bool is_new = r->titles[t] && streq(w->titles[t].media_type, "episode") && w->titles[t].show;
        for (int k = 1; is_new && k < t; k++)
            is_new = !(r->titles[k] && is_episode_of(&w->titles[k], w->titles[t].show));
        n += is_new;
    }
    return n;
}

static const char *top_platform(const struct selection *s, int who)
{
    static const char *const names[] = {"Android", "Chrome", "Roku", "iOS"};
    const struct world *w = s->world;
    int64_t ms[4] = {0};
    bool has[4] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p) && person_of(w, p) == who; k++) {
            const struct w_segment *g = &p->segments[k];
            const char *own = w->devices[g->device].platform;
            for (int n = 0; n < 4 && selects_segment(s, g) && overlaps(s, g); n++) {
                if (!own || !streq(own, names[n]))
                    continue;
                has[n] = true;
                ms[n] += (int64_t)(watch_selected(s, g) / 1000);
            }
        }
    }
    struct top top = {0};
    for (int n = 0; n < 4; n++)
        if (has[n])
            offer(&top, names[n], ms[n]);
    return top.name;
}

static void write_profile(const struct selection *s, int who, const struct profile *r, json_t *rows)
{
    int64_t titles = 0, active = 0, streak = 0, run = 0, hour = 0;
    for (int t = 1; t <= TITLES; t++)
        titles += r->titles[t];
    for (int d = 0; d < DAYS; d++) {
        active += r->days[d];
        run = r->days[d] ? run + 1 : 0;
        streak = run > streak ? run : streak;
    }
    for (int h = 1; h < 24; h++)
        hour = r->hours[h] > r->hours[hour] ? h : hour;
    auto_free char *name = xasprintf("Person %d", who);
    add_row(rows, "isiiiiiiiiiFFisssitt", (int64_t)who, name, r->plays,
            (int64_t)(r->watch_us / 1000), r->movies, r->episodes, r->tracks, titles,
            count_series(s->world, r), active, streak,
            r->told ? (double)r->finished / (double)r->told : NAN,
            r->known_us > 0 ? r->transcoded_us / r->known_us : NAN, r->bytes,
            top_title(s->world, r), top_series(s->world, r), top_platform(s, who), hour, r->first,
            r->last);
}

static json_t *user_profile(const struct selection *s)
{
    const struct world *w = s->world;
    static struct profile all[PEOPLE + 1];
    memset(all, 0, sizeof all);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        struct profile *r = &all[person_of(w, p)];
        if (selects_play(s, p))
            add_start(w, p, r);
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]) && overlaps(s, &p->segments[k]))
                add_segment(s, p, &p->segments[k], r);
    }
    json_t *rows = json_array();
    for (int who = 1; who <= PEOPLE; who++)
        if (all[who].plays)
            write_profile(s, who, &all[who], rows);
    return rows;
}

/* --- device-migration ------------------------------------------------------------------------ */

struct use {
    const struct w_segment *segment;
    const char *value;
};

static int by_start(const void *a, const void *b)
{
    const struct w_segment *x = ((const struct use *)a)->segment, *y = ((const struct use *)b)->segment;
    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* What somebody used, of one program or (client NULL) as platforms. */
static size_t uses_of(const struct selection *s, int who, const char *client, struct use *ret)
{
    const struct world *w = s->world;
    size_t n = 0;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (!selects_play(s, p) || person_of(w, p) != who)
            continue;
        for (size_t k = 0; k < p->segment_count; k++) {
            const struct w_device *d = &w->devices[p->segments[k].device];
            const char *value = client ? d->version : d->platform;
            bool is_client = !client || (d->product && streq(d->product, client));
            if (selects_segment(s, &p->segments[k]) && value && is_client)
                ret[n++] = (struct use){&p->segments[k], value};
        }
    }
    qsort(ret, n, sizeof *ret, by_start);
    return n;
}

static void write_changes(const struct use *uses, size_t n, int who, const char *client, json_t *rows)
{
    auto_free char *name = xasprintf("Person %d", who);
    for (size_t i = 1; i < n; i++) {
        bool is_first = true, is_permanent = true;
        int64_t sessions = 0, last = 0;
        for (size_t k = 0; k < n; k++) {
            if (streq(uses[k].value, uses[i].value)) {
                is_first = is_first && k >= i;
                sessions++;
                last = uses[k].segment->started;
            }
            if (streq(uses[k].value, uses[i - 1].value))
                is_permanent = uses[k].segment->started < uses[i].segment->started;
        }
        if (is_first)
            add_row(rows, "tissssbit", uses[i].segment->started, (int64_t)who, name, client,
                    uses[i - 1].value, uses[i].value, (int)is_permanent, sessions, last);
    }
}

static json_t *device_migration(const struct selection *s)
{
    struct use *uses = xcalloc(s->world->segment_count + 1, sizeof *uses);
    json_t *rows = json_array();
    for (int who = 1; who <= PEOPLE; who++)
        write_changes(uses, uses_of(s, who, NULL, uses), who, NULL, rows);
    free(uses);
    return rows;
}

static json_t *version_changes(const struct selection *s)
{
    static const char *const clients[] = {"App", "Web"};
    struct use *uses = xcalloc(s->world->segment_count + 1, sizeof *uses);
    json_t *rows = json_array();
    for (int who = 1; who <= PEOPLE; who++)
        for (size_t i = 0; i < ARRAY_LEN(clients); i++)
            write_changes(uses, uses_of(s, who, clients[i], uses), who, clients[i], rows);
    free(uses);
    return rows;
}

const struct truth person_truths[] = {
    {"user-profile", "", user_profile, 1},
    {"device-migration", "", device_migration, 6},
    {"device-migration", "of=version", version_changes, 6},
    {0},
};
