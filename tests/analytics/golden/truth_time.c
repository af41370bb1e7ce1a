/* The truth of the queries over time: trends, transcode, hardware-transcode, bandwidth, qoe by
 * bucket, capacity, stream-levels, calendar, temporal-heatmap, concurrent-streams, heatmap. */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "analytics/question.h"

#define QUARTER_US (15 * US_PER_MIN)
enum { BUCKETS_MAX = 6000, VALUES_MAX = 8 };

/* --- buckets --------------------------------------------------------------------------------- */

enum unit { HOUR, DAY, WEEK, MONTH };

/* The local time as if it were UTC, in seconds, at the beginning of its bucket. */
static int64_t bucket_at(int64_t us, enum unit unit)
{
    struct local l = local_of(us);
    int64_t day = days_from_civil(l.year, l.month, unit == MONTH ? 1 : l.day);
    if (unit == WEEK)
        day -= l.weekday;
    return day * 86400 + (unit == HOUR ? l.hour * 3600 : 0);
}

static int64_t bucket_after(int64_t bucket, enum unit unit)
{
    if (unit == HOUR)
        return bucket + 3600;
    if (unit != MONTH)
        return bucket + (unit == DAY ? 1 : 7) * 86400;
    int64_t year;
    int month, day;
    civil_from_days(bucket / 86400, &year, &month, &day);
    return days_from_civil(year + month / 12, month % 12 + 1, 1) * 86400;
}

/* What is counted in each bucket, for each value of one dimension. */
struct table {
    enum unit unit;
    int64_t first; /* bucket */
    size_t count;
    const char *values[VALUES_MAX]; /* NULL: unknown */
    size_t value_count;
    struct cell {
        int64_t plays;
        double watch_us;
        bool people[PEOPLE + 1];
    } *cells; /* [bucket][value] */
};

static struct cell *cell_of(struct table *t, int64_t at, const char *value)
{
    int64_t bucket = t->first, want = bucket_at(at, t->unit);
    size_t b = 0, v = 0;
    if (t->unit != MONTH && want > bucket) { /* all are equally long, by the local clock */
        b = (size_t)((want - bucket) / (bucket_after(bucket, t->unit) - bucket));
        bucket = want;
    }
    for (; bucket < want; b++)
        bucket = bucket_after(bucket, t->unit);
    for (; v < t->value_count; v++)
        if (value == t->values[v] || (value && t->values[v] && streq(value, t->values[v])))
            break;
    if (v == t->value_count)
        t->values[t->value_count++] = value;
    if (bucket != want || b >= t->count || v >= VALUES_MAX) {
        fprintf(stderr, "no such bucket\n");
        abort();
    }
    return &t->cells[b * VALUES_MAX + v];
}

bool find_edges(const struct selection *s, int64_t *first, int64_t *last)
{
    *first = INT64_MAX;
    *last = INT64_MIN;
    for (size_t i = 0; i < s->world->play_count; i++) {
        const struct w_play *p = &s->world->plays[i];
        if (selects_play(s, p)) {
            *first = p->started < *first ? p->started : *first;
            *last = p->ended - 1 > *last ? p->ended - 1 : *last;
            *last = p->started > *last ? p->started : *last;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (selects_segment(s, g) && overlaps(s, g))
                *last = g->ended - 1 > *last ? g->ended - 1 : *last;
        }
    }
    if (s->from != TIME_NONE)
        *first = s->from;
    if (*first == INT64_MAX)
        return false;
    /* To now, or to the end of the period; all of them end before now. */
    if (s->to != TIME_NONE)
        *last = s->to - 1;
    else if (s->world->now > *last)
        *last = s->world->now;
    return true;
}

static bool table_begin(const struct selection *s, const char *bucket, struct table *t)
{
    int64_t first, last;
    *t = (struct table){0};
    if (!find_edges(s, &first, &last))
        return false;
    int64_t quarters = last / QUARTER_US - first / QUARTER_US;
    if (streq(bucket, "auto"))
        t->unit = quarters <= 2 * 96 ? HOUR : quarters <= 93 * 96 ? DAY : quarters <= 731 * 96 ? WEEK
                                                                                              : MONTH;
    else
        t->unit = streq(bucket, "hour") ? HOUR : streq(bucket, "day") ? DAY
                  : streq(bucket, "week")                              ? WEEK
                                                                       : MONTH;
    t->first = bucket_at(first, t->unit);
    int64_t end = bucket_at(last, t->unit);
    for (int64_t b = t->first; b <= end; b = bucket_after(b, t->unit))
        t->count++;
    t->cells = xcalloc(t->count * VALUES_MAX, sizeof *t->cells);
    return true;
}

/* Watch time of a segment, quarter by quarter. */
static void add_watch(const struct selection *s, struct table *t, const struct w_segment *g,
                      const char *value)
{
    int64_t from = s->from != TIME_NONE && s->from > g->started ? s->from : g->started;
    int64_t to = s->to != TIME_NONE && s->to < g->ended ? s->to : g->ended;
    while (from < to) {
        int64_t next = (from / QUARTER_US + 1) * QUARTER_US;
        next = next < to ? next : to;
        double watch = watch_between(g, from, next);
        if (watch > 0)
            cell_of(t, from, value)->watch_us += watch;
        from = next;
    }
}

enum { NAME_SIZE = 40 };
static const char *bucket_name(int64_t bucket, enum unit unit, char name[NAME_SIZE])
{
    int64_t year;
    int month, day;
    civil_from_days(bucket / 86400, &year, &month, &day);
    int n = snprintf(name, NAME_SIZE, "%04d-%02d-%02d", (int)year, month, day);
    if (unit == HOUR)
        snprintf(name + n, NAME_SIZE - (size_t)n, "T%02d:00", (int)(bucket % 86400 / 3600));
    return name;
}

static void write_table(struct table *t, bool has_people, json_t *rows)
{
    int64_t bucket = t->first;
    for (size_t b = 0; b < t->count; b++, bucket = bucket_after(bucket, t->unit)) {
        char name[NAME_SIZE];
        bucket_name(bucket, t->unit, name);
        for (size_t v = 0; v < t->value_count; v++) {
            const struct cell *c = &t->cells[b * VALUES_MAX + v];
            int64_t people = 0;
            for (int i = 1; i <= PEOPLE; i++)
                people += c->people[i];
            add_row(rows, has_people ? "ssiii" : "ssii", name, t->values[v], c->plays,
                    (int64_t)(c->watch_us / 1000), people);
        }
    }
    free(t->cells);
}

/* --- trends ---------------------------------------------------------------------------------- */

static json_t *trends(const struct selection *s, const char *bucket)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, bucket, &t))
        return rows;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        const char *type = w->titles[p->title].media_type;
        if (selects_play(s, p)) {
            struct cell *c = cell_of(&t, p->started, type);
            c->plays++;
            c->people[person_of(w, p)] = true;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]))
                add_watch(s, &t, &p->segments[k], type);
    }
    write_table(&t, true, rows);
    return rows;
}

static json_t *trends_auto(const struct selection *s)
{
    return trends(s, "auto");
}

static json_t *trends_hour(const struct selection *s)
{
    return trends(s, "hour");
}

static json_t *trends_week(const struct selection *s)
{
    return trends(s, "week");
}

static json_t *trends_month(const struct selection *s)
{
    return trends(s, "month");
}

/* --- transcode ------------------------------------------------------------------------------- */

static const char *decision_of(const struct world *w, const struct w_segment *g, char of)
{
    const struct w_quality *q = &w->qualities[g->quality];
    if (!g->quality)
        return NULL;
    if (of == 'v')
        return q->video;
    if (of == 's')
        return q->decision;
    if (q->decision && streq(q->decision, "direct play"))
        return "direct play";
    if (!q->container || !q->stream_container)
        return NULL;
    return streq(q->container, q->stream_container) ? "copy" : "transcode";
}

static void add_decisions(const struct selection *s, struct table *t, const struct w_play *p,
                          char of)
{
    const char *seen[8];
    size_t n = 0;
    if (!p->segment_count)
        cell_of(t, p->started, NULL)->plays++;
    for (size_t k = 0; k < p->segment_count; k++) {
        const char *decision = decision_of(s->world, &p->segments[k], of);
        bool is_new = selects_segment(s, &p->segments[k]);
        for (size_t i = 0; i < n; i++)
            is_new = is_new && seen[i] != decision &&
                     !(seen[i] && decision && streq(seen[i], decision));
        if (!is_new)
            continue;
        seen[n++] = decision;
        cell_of(t, p->started, decision)->plays++;
    }
}

static json_t *transcode(const struct selection *s, const char *bucket, char of)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, bucket, &t))
        return rows;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p))
            add_decisions(s, &t, p, of);
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]))
                add_watch(s, &t, &p->segments[k], decision_of(w, &p->segments[k], of));
    }
    write_table(&t, false, rows);
    return rows;
}

static json_t *transcode_stream(const struct selection *s)
{
    return transcode(s, "auto", 's');
}

static json_t *transcode_video(const struct selection *s)
{
    return transcode(s, "day", 'v');
}

static json_t *transcode_container(const struct selection *s)
{
    return transcode(s, "month", 'c');
}

/* --- hardware-transcode ---------------------------------------------------------------------- */

static bool is_converted(const struct world *w, const struct w_segment *g)
{
    const char *video = g->quality ? w->qualities[g->quality].video : NULL;
    return video && streq(video, "transcode");
}

static const char *engine_of(const struct world *w, const struct w_segment *g, const char *of)
{
    const struct w_quality *q = &w->qualities[g->quality];
    if (streq(of, "decoder"))
        return q->hw_decode;
    if (q->hw_encode)
        return q->hw_decode ? "full" : "encode";
    return q->hw_decode ? "decode" : NULL;
}

static json_t *hardware_transcode(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, "week", &t))
        return rows;
    const char *of = param_of(s, "of", "pipeline");
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_counted[VALUES_MAX] = {0};
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g) || !is_converted(w, g))
                continue;
            const char *engine = engine_of(w, g, of);
            add_watch(s, &t, g, engine);
            if (!selects_play(s, p))
                continue;
            struct cell *c = cell_of(&t, p->started, engine);
            size_t value = (size_t)(c - t.cells) % VALUES_MAX;
            c->plays += !is_counted[value];
            is_counted[value] = true;
        }
    }
    write_table(&t, false, rows);
    return rows;
}

/* --- what goes on at once -------------------------------------------------------------------- */

struct edge {
    int64_t at;
    int change;
};

static int compare_edges(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->change - y->change;
}

/* Everything between two instants with that decision ("all": any), cut to from..to. */
static size_t edges_of(const struct selection *s, const char *decision, int64_t from, int64_t to,
                       struct edge *ret)
{
    const struct world *w = s->world;
    size_t n = 0;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            const char *own = g->quality ? w->qualities[g->quality].decision : NULL;
            bool is_same = own == decision || (own && decision && streq(own, decision));
            bool is_wanted = (decision && streq(decision, "all")) || is_same;
            int64_t a = g->started > from ? g->started : from, b = g->ended < to ? g->ended : to;
            if (!selects_segment(s, g) || !overlaps(s, g) || !is_wanted || a >= b)
                continue;
            ret[n++] = (struct edge){a, 1};
            ret[n++] = (struct edge){b, -1};
        }
    }
    qsort(ret, n, sizeof *ret, compare_edges);
    return n;
}

/* --- bandwidth ------------------------------------------------------------------------------- */

enum { ALL_NETWORKS, LAN, WAN, UNKNOWN_NETWORK, NETWORKS };
static const char *const network_names[] = {"all", "lan", "wan", NULL};

static int network_of(const struct world *w, const struct w_segment *g)
{
    const char *class = w->addresses[g->address].class;
    if (g->location)
        return streq(g->location, "lan") ? LAN : WAN;
    if (!class || streq(class, "unknown"))
        return UNKNOWN_NETWORK;
    return streq(class, "lan") ? LAN : WAN;
}

/* A quarter of an hour of one network. */
struct load {
    double bits, unknown_us;
};

/* Which quarters there are: of the period, and not outside of the store's plays. */
struct quarters {
    int64_t first, count;
    struct load *loads[NETWORKS]; /* NULL: nothing of this network */
};

static void find_quarters(const struct selection *s, struct quarters *q)
{
    int64_t first, last, store_first = INT64_MAX, store_last = INT64_MIN;
    find_edges(s, &first, &last);
    for (size_t i = 0; i < s->world->play_count; i++) {
        const struct w_play *p = &s->world->plays[i];
        store_first = p->started < store_first ? p->started : store_first;
        store_last = p->ended > store_last ? p->ended : store_last;
    }
    first = first > store_first ? first : store_first;
    last = last < store_last ? last : store_last;
    *q = (struct quarters){.first = first / QUARTER_US,
                           .count = last / QUARTER_US - first / QUARTER_US + 1};
    q->count = q->count > 0 ? q->count : 0;
}

static void add_load(struct quarters *q, int network, int64_t at, double watch, int64_t kbps)
{
    if (!q->loads[network])
        q->loads[network] = xcalloc((size_t)q->count, sizeof *q->loads[network]);
    struct load *l = &q->loads[network][at / QUARTER_US - q->first];
    if (kbps < 0)
        l->unknown_us += watch;
    else
        l->bits += watch * (double)kbps / 1000;
}

static void add_loads(const struct selection *s, struct quarters *q, const struct w_segment *g)
{
    int64_t from = s->from != TIME_NONE && s->from > g->started ? s->from : g->started;
    int64_t to = s->to != TIME_NONE && s->to < g->ended ? s->to : g->ended;
    while (from < to) {
        int64_t next = (from / QUARTER_US + 1) * QUARTER_US;
        next = next < to ? next : to;
        double watch = watch_between(g, from, next);
        int networks[] = {ALL_NETWORKS, network_of(s->world, g)};
        for (int i = 0; i < 2 && watch > 0; i++)
            add_load(q, networks[i], from, watch, g->stream_kbps);
        from = next;
    }
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The quarters' kbit/s in `all`, sorted; the least that so many of them do not pass. */
static double nearest_rank(const double *all, size_t n, double share)
{
    size_t above = (size_t)((double)n - (double)n * share);
    size_t rank = n - above;
    return n ? all[rank ? rank - 1 : 0] : NAN;
}

/* One row: the quarters of that network whose slot (an hour, or a bucket) is this one. */
static void add_slot(const struct quarters *q, int network, const char *name, int64_t slot,
                     bool by_hour, enum unit unit, double *room, json_t *rows)
{
    size_t n = 0;
    double bits = 0, unknown = 0;
    for (int64_t i = 0; i < q->count; i++) {
        int64_t at = (q->first + i) * QUARTER_US;
        if (by_hour ? local_of(at).hour != slot : bucket_at(at, unit) != slot)
            continue;
        const struct load *l = &q->loads[network][i];
        bits += l->bits;
        unknown += l->unknown_us;
        room[n++] = l->bits / 900 / 1000;
    }
    qsort(room, n, sizeof *room, compare_doubles);
    add_row(rows, "ssiFFFi", name, network_names[network], (int64_t)(bits / 8),
            nearest_rank(room, n, 0.5), nearest_rank(room, n, 0.95), n ? room[n - 1] : NAN,
            (int64_t)(unknown / 1000));
}

static json_t *bandwidth(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct table t;
    struct quarters q;
    if (!table_begin(s, "month", &t))
        return rows;
    find_quarters(s, &q);
    for (size_t i = 0; i < w->play_count; i++)
        for (size_t k = 0; k < w->plays[i].segment_count && selects_kind(s, &w->plays[i]); k++)
            if (selects_segment(s, &w->plays[i].segments[k]))
                add_loads(s, &q, &w->plays[i].segments[k]);
    double *room = xcalloc((size_t)q.count + 1, sizeof *room);
    bool by_hour = streq(param_of(s, "by", "bucket"), "hour");
    for (int network = 0; network < NETWORKS; network++) {
        char name[NAME_SIZE];
        for (int64_t hour = 0; q.loads[network] && by_hour && hour < 24; hour++) {
            snprintf(name, sizeof name, "%02d", (int)hour);
            add_slot(&q, network, name, hour, true, MONTH, room, rows);
        }
        int64_t bucket = t.first;
        for (size_t b = 0; q.loads[network] && !by_hour && b < t.count; b++) {
            add_slot(&q, network, bucket_name(bucket, MONTH, name), bucket, false, MONTH, room, rows);
            bucket = bucket_after(bucket, MONTH);
        }
        free(q.loads[network]);
    }
    free(room);
    free(t.cells);
    return rows;
}

/* --- capacity -------------------------------------------------------------------------------- */

/* The most of those streams at once in one quarter of an hour. */
static int64_t peak_between(const struct edge *edges, size_t n, int64_t from, int64_t to)
{
    int64_t level = 0, peak = 0;
    size_t i = 0;
    for (; i < n && edges[i].at <= from; i++)
        level += edges[i].change;
    peak = level;
    for (; i < n && edges[i].at < to; i++) {
        level += edges[i].change;
        peak = level > peak ? level : peak;
    }
    return peak;
}

static double of_rank(double *all, size_t n, bool is_peak)
{
    qsort(all, n, sizeof *all, compare_doubles);
    return !n ? NAN : is_peak ? all[n - 1] : nearest_rank(all, n, 0.95);
}

static json_t *capacity(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct quarters q = {0};
    int64_t first, last;
    if (find_edges(s, &first, &last))
        find_quarters(s, &q);
    size_t count = (size_t)q.count;
    q.loads[WAN] = xcalloc(count + 1, sizeof *q.loads[WAN]);
    for (size_t i = 0; i < w->play_count; i++)
        for (size_t k = 0; k < w->plays[i].segment_count && selects_kind(s, &w->plays[i]); k++)
            if (selects_segment(s, &w->plays[i].segments[k]))
                add_loads(s, &q, &w->plays[i].segments[k]);
    struct edge *all = xcalloc(w->segment_count * 2 + 2, sizeof *all);
    struct edge *transcodes = xcalloc(w->segment_count * 2 + 2, sizeof *transcodes);
    int64_t from = s->from == TIME_NONE ? INT64_MIN : s->from;
    int64_t to = s->to == TIME_NONE ? INT64_MAX : s->to;
    size_t all_count = edges_of(s, "all", from, to, all);
    size_t transcode_count = edges_of(s, "transcode", from, to, transcodes);
    double *room[3];
    for (int n = 0; n < 3; n++)
        room[n] = xcalloc(count + 1, sizeof *room[n]);
    for (int64_t slot = 0; slot < 168; slot++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            int64_t at = (q.first + (int64_t)i) * QUARTER_US;
            struct local l = local_of(at);
            if (l.weekday * 24 + l.hour != slot)
                continue;
            room[0][n] = (double)peak_between(all, all_count, at, at + QUARTER_US);
            room[1][n] = (double)peak_between(transcodes, transcode_count, at, at + QUARTER_US);
            room[2][n++] = q.loads[WAN][i].bits / 900 / 1000;
        }
        double most[3][2];
        for (int k = 0; k < 3; k++)
            for (int is_peak = 0; is_peak < 2; is_peak++)
                most[k][is_peak] = of_rank(room[k], n, is_peak);
        add_row(rows, "iiiIIIIFF", slot / 24, slot % 24, (int64_t)n,
                n ? (int64_t)most[0][0] : -1, n ? (int64_t)most[0][1] : -1,
                n ? (int64_t)most[1][0] : -1, n ? (int64_t)most[1][1] : -1, most[2][0], most[2][1]);
    }
    for (int n = 0; n < 3; n++)
        free(room[n]);
    for (int n = 0; n < NETWORKS; n++)
        free(q.loads[n]);
    free(all);
    free(transcodes);
    return rows;
}

/* --- stream-levels --------------------------------------------------------------------------- */

enum { LEVELS_MAX = 64 };

static json_t *stream_levels(const struct selection *s)
{
    struct quarters q = {0};
    int64_t first, last, counts[LEVELS_MAX] = {0};
    if (find_edges(s, &first, &last))
        find_quarters(s, &q);
    struct edge *edges = xcalloc(s->world->segment_count * 2 + 2, sizeof *edges);
    size_t n = edges_of(s, param_of(s, "of", "all"), s->from == TIME_NONE ? INT64_MIN : s->from,
                        s->to == TIME_NONE ? INT64_MAX : s->to, edges);
    int64_t most = -1;
    for (int64_t i = 0; i < q.count; i++) {
        int64_t at = (q.first + i) * QUARTER_US;
        int64_t peak = peak_between(edges, n, at, at + QUARTER_US);
        if (peak >= LEVELS_MAX)
            abort();
        counts[peak]++;
        most = peak > most ? peak : most;
    }
    json_t *rows = json_array();
    int64_t below = 0;
    for (int64_t level = 0; level <= most; level++) {
        add_row(rows, "iiff", level, counts[level] * QUARTER_US / 1000,
                (double)counts[level] / (double)q.count,
                (double)(q.count - below) / (double)q.count);
        below += counts[level];
    }
    free(edges);
    return rows;
}

/* --- calendar -------------------------------------------------------------------------------- */

static json_t *calendar(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, "day", &t))
        return rows;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p)) {
            struct cell *c = cell_of(&t, p->started, NULL);
            c->plays++;
            c->people[person_of(w, p)] = true;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (selects_segment(s, &p->segments[k]))
                add_watch(s, &t, &p->segments[k], NULL);
    }
    int64_t bucket = t.first, streak = 0;
    for (size_t b = 0; b < t.count; b++, bucket = bucket_after(bucket, DAY)) {
        char name[NAME_SIZE];
        const struct cell *c = &t.cells[b * VALUES_MAX];
        int64_t people = 0;
        for (int i = 1; i <= PEOPLE; i++)
            people += c->people[i];
        streak = c->plays ? streak + 1 : 0;
        add_row(rows, "siiiii", bucket_name(bucket, DAY, name), (bucket / 86400 + 3) % 7, c->plays,
                (int64_t)(c->watch_us / 1000), people, streak);
    }
    free(t.cells);
    return rows;
}

/* --- temporal-heatmap ------------------------------------------------------------------------ */

/* What was watched at one place, in one bucket after the other. */
static void count_place(const struct selection *s, int place, const struct table *t,
                        struct cell *cells)
{
    const struct world *w = s->world;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_here = false;
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g) || w->addresses[g->address].place != place)
                continue;
            is_here = true;
            int64_t from = s->from != TIME_NONE && s->from > g->started ? s->from : g->started;
            int64_t to = s->to != TIME_NONE && s->to < g->ended ? s->to : g->ended;
            while (from < to) {
                int64_t next = (from / QUARTER_US + 1) * QUARTER_US;
                next = next < to ? next : to;
                double watch = watch_between(g, from, next);
                struct cell *c = &cells[(bucket_at(from, t->unit) - t->first) / (7 * 86400)];
                c->watch_us += watch;
                c->people[person_of(w, p)] = c->people[person_of(w, p)] || watch > 0;
                from = next;
            }
        }
        if (!is_here || !selects_play(s, p))
            continue;
        struct cell *c = &cells[(bucket_at(p->started, t->unit) - t->first) / (7 * 86400)];
        c->plays++;
        c->people[person_of(w, p)] = true;
    }
}

static json_t *temporal_heatmap(const struct selection *s)
{
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, "week", &t))
        return rows;
    for (int place = 1; place <= PLACES; place++) {
        const struct w_place *p = &s->world->places[place];
        int64_t bucket = t.first;
        memset(t.cells, 0, t.count * sizeof *t.cells);
        count_place(s, place, &t, t.cells);
        for (size_t b = 0; b < t.count; b++, bucket = bucket_after(bucket, WEEK)) {
            const struct cell *c = &t.cells[b];
            char name[NAME_SIZE];
            int64_t people = 0;
            for (int i = 1; i <= PEOPLE; i++)
                people += c->people[i];
            if (c->plays || c->watch_us > 0)
                add_row(rows, "sissffiii", bucket_name(bucket, WEEK, name), (int64_t)place,
                        *p->city ? p->city : NULL, p->country_code, p->latitude, p->longitude,
                        c->plays, people, (int64_t)(c->watch_us / 1000));
        }
    }
    free(t.cells);
    return rows;
}

/* --- qoe by bucket --------------------------------------------------------------------------- */

static int64_t first_week;

static int week_slot(const struct selection *s, const struct w_play *p, const struct w_segment *g)
{
    return (int)((bucket_at(p->started, WEEK) - first_week) / (7 * 86400));
}

static json_t *qoe_by_week(const struct selection *s)
{
    json_t *rows = json_array();
    struct selection own = *s;
    struct table t;
    own.with_short = true;
    if (!table_begin(&own, "week", &t))
        return rows;
    char names[64][NAME_SIZE];
    const char *list[64];
    int64_t bucket = first_week = t.first;
    for (size_t b = 0; b < t.count; b++, bucket = bucket_after(bucket, WEEK))
        list[b] = bucket_name(bucket, WEEK, names[b]);
    qoe_rows(&own, week_slot, list, (int)t.count, true, rows);
    free(t.cells);
    return rows;
}

/* --- concurrent-streams ---------------------------------------------------------------------- */

/* Of the store; where the period is open, of what is selected. */
static void known_time(const struct selection *s, int64_t *first, int64_t *last)
{
    const struct world *w = s->world;
    *first = INT64_MAX;
    *last = INT64_MIN;
    for (size_t i = 0; i < w->play_count; i++) {
        if (s->from != TIME_NONE || selects_play(s, &w->plays[i]))
            *first = w->plays[i].started < *first ? w->plays[i].started : *first;
        *last = w->plays[i].ended > *last ? w->plays[i].ended : *last;
    }
    *first = *first / QUARTER_US * QUARTER_US;
    *last = (*last / QUARTER_US + 1) * QUARTER_US;
}

static json_t *concurrent_streams(const struct selection *s)
{
    static const char *const decisions[] = {"all", "direct play", "copy", "transcode", NULL};
    json_t *rows = json_array();
    struct table t;
    if (!table_begin(s, "day", &t))
        return rows;
    struct edge *edges = xcalloc(s->world->segment_count * 2 + 2, sizeof *edges);
    int64_t first, last;
    known_time(s, &first, &last);
    first = s->from != TIME_NONE && s->from > first ? s->from : first;
    last = s->to != TIME_NONE && s->to < last ? s->to : last;
    for (size_t d = 0; d < ARRAY_LEN(decisions); d++) {
        if (!edges_of(s, decisions[d], INT64_MIN, INT64_MAX, edges))
            continue;
        int64_t bucket = t.first;
        for (size_t b = 0; b < t.count; b++, bucket = bucket_after(bucket, DAY)) {
            int64_t year;
            int month, day;
            civil_from_days(bucket / 86400, &year, &month, &day);
            int64_t from = day_begins((int)year, month, day);
            int64_t to = day_begins((int)year, month, day + 1);
            from = from < first ? first : from;
            to = to > last ? last : to;
            size_t n = edges_of(s, decisions[d], from, to, edges);
            int64_t level = 0, peak = 0, peak_at = TIME_NONE, total = 0;
            for (size_t i = 0; i < n; i++) {
                level += edges[i].change;
                total -= edges[i].at * edges[i].change;
                if (level > peak) {
                    peak = level;
                    peak_at = edges[i].at;
                }
            }
            char name[16];
            snprintf(name, sizeof name, "%04d-%02d-%02d", (int)year, month, day);
            add_row(rows, "ssitfi", name, decisions[d], peak, peak_at,
                    to > from ? (double)total / (double)(to - from) : 0.0, total / 1000);
        }
    }
    free(edges);
    free(t.cells);
    return rows;
}

/* --- heatmap --------------------------------------------------------------------------------- */

static json_t *heatmap(const struct selection *s)
{
    const struct world *w = s->world;
    double watch[7][24] = {0};
    int64_t starts[7][24] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_play(s, p)) {
            struct local l = local_of(p->started);
            starts[l.weekday][l.hour]++;
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            int64_t from = s->from != TIME_NONE && s->from > g->started ? s->from : g->started;
            int64_t to = s->to != TIME_NONE && s->to < g->ended ? s->to : g->ended;
            while (from < to && selects_segment(s, g)) {
                int64_t next = (from / QUARTER_US + 1) * QUARTER_US;
                next = next < to ? next : to;
                struct local l = local_of(from);
                watch[l.weekday][l.hour] += watch_between(g, from, next);
                from = next;
            }
        }
    }
    json_t *rows = json_array();
    for (int d = 0; d < 7; d++)
        for (int h = 0; h < 24; h++)
            add_row(rows, "iiii", (int64_t)d, (int64_t)h, (int64_t)(watch[d][h] / 1000),
                    starts[d][h]);
    return rows;
}

const struct truth time_truths[] = {
    {"trends", "", trends_auto, 2},
    {"trends", "bucket=hour", trends_hour, 2},
    {"trends", "bucket=week", trends_week, 2},
    {"trends", "bucket=month", trends_month, 2},
    {"transcode", "", transcode_stream, 2},
    {"transcode", "of=video&bucket=day", transcode_video, 2},
    {"transcode", "of=container&bucket=month", transcode_container, 2},
    {"hardware-transcode", "bucket=week", hardware_transcode, 2},
    {"hardware-transcode", "bucket=week&of=decoder", hardware_transcode, 2},
    {"bandwidth", "bucket=month", bandwidth, 2},
    {"bandwidth", "bucket=month&by=hour", bandwidth, 2},
    {"capacity", "", capacity, 2},
    {"calendar", "", calendar, 1},
    {"temporal-heatmap", "bucket=week", temporal_heatmap, 2},
    {"qoe", "bucket=week", qoe_by_week, 1},
    {"concurrent-streams", "bucket=day", concurrent_streams, 2},
    {"stream-levels", "", stream_levels, 1},
    {"stream-levels", "of=transcode", stream_levels, 1},
    {"heatmap", "", heatmap, 2},
    {0},
};
