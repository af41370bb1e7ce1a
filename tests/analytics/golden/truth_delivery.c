/* The truth of the queries about how well it is delivered: qoe, transcode-causes, clients,
 * pause-patterns. */
#include "golden.h"

#include <math.h>

static int64_t count_of(const bool *flags, int most)
{
    int64_t n = 0;
    for (int i = 1; i <= most; i++)
        n += flags[i];
    return n;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && streq(a, b));
}

static bool is_music(const struct world *w, const struct w_play *p)
{
    return streq(w->titles[p->title].media_type, "track");
}

/* Lines of a resolution; 0: unknown. */
static int lines_of(const char *name)
{
    return !name ? 0 : streq(name, "sd") ? 480 : streq(name, "4k") ? 2160 : (int)strtol(name, NULL, 10);
}

/* --- qoe ------------------------------------------------------------------------------------- */

enum { SLOTS_MAX = 64 };

struct care {
    int64_t plays, ended, exits, lowered_told, lowered, paused, told, finished;
};

/* What a play's segments in one slot were like. */
struct part {
    bool is_there, is_lowered_told, is_lowered, is_paused;
};

static void look_at(const struct world *w, const struct w_segment *g, struct part *part)
{
    const struct w_quality *q = &w->qualities[g->quality];
    int from = lines_of(q->resolution), to = lines_of(q->stream_resolution);
    part->is_there = true;
    part->is_lowered_told = part->is_lowered_told || (from && to);
    part->is_lowered = part->is_lowered || (from && to && to < from);
    part->is_paused = part->is_paused || g->paused_ms > 0;
}

static double share(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

static double or_zero(double d)
{
    return isnan(d) ? 0 : d;
}

static void add_care(const char *name, const struct care *c, json_t *rows)
{
    double exits = share(c->exits, c->ended), lowered = share(c->lowered, c->lowered_told);
    double paused = share(c->paused, c->plays), finished = share(c->finished, c->told);
    double score = 100 - 300 * or_zero(exits) - 50 * or_zero(lowered) - 20 * or_zero(paused) -
                   (isnan(finished) ? 0 : 30 * (1 - finished));
    add_row(rows, "siiFiFiFFF", name, c->plays, c->exits, exits, c->lowered, lowered, c->paused,
            paused, finished, !c->plays ? NAN : score < 0 ? 0 : score);
}

void qoe_rows(const struct selection *s,
              int (*slot_of)(const struct selection *s, const struct w_play *p,
                             const struct w_segment *g),
              const char *const *names, int count, bool has_empty, json_t *rows)
{
    const struct world *w = s->world;
    struct care all[SLOTS_MAX] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        struct part parts[SLOTS_MAX] = {0};
        if (!selects_play(s, p) || is_music(w, p))
            continue;
        for (size_t k = 0; k < p->segment_count; k++)
            if (selects_segment(s, &p->segments[k]))
                look_at(w, &p->segments[k], &parts[slot_of(s, p, &p->segments[k])]);
        for (int n = 0; n < count; n++) {
            if (!parts[n].is_there)
                continue;
            struct care *c = &all[n];
            c->plays++;
            c->ended += !p->is_open;
            c->exits += !p->is_open && watch_ms_of(s, p) < 10000;
            c->lowered_told += parts[n].is_lowered_told;
            c->lowered += parts[n].is_lowered;
            c->paused += parts[n].is_paused;
            if (!p->is_open && p->percent >= 0) {
                c->told++;
                c->finished += p->is_watched == 1;
            }
        }
    }
    for (int n = 0; n < count; n++)
        if (has_empty || all[n].plays)
            add_care(names[n], &all[n], rows);
}

static const char *const platforms[] = {"Android", "iOS", "Chrome", "Roku", NULL};

static int platform_slot(const struct selection *s, const struct w_play *p, const struct w_segment *g)
{
    int n = 0;
    while (platforms[n] && !is_same(platforms[n], s->world->devices[g->device].platform))
        n++;
    return n;
}

static int server_slot(const struct selection *s, const struct w_play *p, const struct w_segment *g)
{
    return server_of(s->world, p) - 1;
}

static json_t *qoe_by_platform(const struct selection *s)
{
    json_t *rows = json_array();
    struct selection own = *s;
    own.with_short = true;
    qoe_rows(&own, platform_slot, platforms, ARRAY_LEN(platforms), false, rows);
    return rows;
}

static json_t *qoe_by_server(const struct selection *s)
{
    static const char *const servers[] = {"Server 1", "Server 2", "Server 3"};
    json_t *rows = json_array();
    struct selection own = *s;
    own.with_short = true;
    qoe_rows(&own, server_slot, servers, SERVERS, false, rows);
    return rows;
}

/* --- transcode-causes ------------------------------------------------------------------------ */

enum { BITRATE, AUDIO, RANGE, OTHER, RESOLUTION, SUBTITLES, VIDEO, CAUSES };
static const char *const causes[] = {"bitrate", "audio codec", "dynamic range", "other",
                                     "resolution", "subtitles", "video codec", NULL};
static const char *const advice[] = {
    "a higher bitrate limit in the player, or a smaller version",
    "an audio track that the player takes, such as AAC",
    "an SDR version, or a screen that shows HDR",
    NULL,
    "original quality in the settings of the player",
    "text subtitles (SRT), or a player that shows this kind",
    "a version in a codec that the player takes, such as H.264",
    NULL,
};

static bool differ(const char *a, const char *b)
{
    return a && b && !streq(a, b);
}

/* Which causes a quality has. */
static void causes_of(const struct w_quality *q, bool ret[CAUSES])
{
    memset(ret, 0, CAUSES * sizeof *ret);
    if (q->reasons) {
        ret[BITRATE] = strstr(q->reasons, "Bitrate");
        ret[AUDIO] = strstr(q->reasons, "AudioCodec");
        ret[SUBTITLES] = strstr(q->reasons, "SubtitleCodec");
        ret[VIDEO] = strstr(q->reasons, "VideoCodec");
        ret[OTHER] = strstr(q->reasons, "DirectPlayError");
        return;
    }
    bool is_video = q->video && streq(q->video, "transcode");
    bool is_audio = q->audio && streq(q->audio, "transcode");
    int from = lines_of(q->resolution), to = lines_of(q->stream_resolution);
    ret[SUBTITLES] = q->subtitle && streq(q->subtitle, "burn");
    ret[RESOLUTION] = is_video && from && to && to < from;
    ret[RANGE] = is_video && differ(q->range, "SDR") && is_same(q->stream_range, "SDR");
    ret[VIDEO] = is_video && differ(q->video_codec, q->stream_video_codec);
    ret[AUDIO] = is_audio && differ(q->audio_codec, q->stream_audio_codec);
}

struct blame {
    int64_t plays;
    bool is_there, people[PEOPLE + 1];
    double watch_us, by_cause[CAUSES];
};

/* Counts a transcoded segment under one value. */
static void blame(const struct selection *s, const struct w_play *p, const struct w_segment *g,
                  bool *is_counted, struct blame *b)
{
    bool own[CAUSES];
    double watch = overlaps(s, g) ? watch_selected(s, g) : 0;
    causes_of(&s->world->qualities[g->quality], own);
    b->is_there = true;
    b->people[person_of(s->world, p)] = true;
    b->watch_us += watch;
    for (int i = 0; i < CAUSES; i++) /* a thousandth, so that it is told apart from none */
        b->by_cause[i] += own[i] ? watch + 1e-3 : 0;
    b->plays += selects_play(s, p) && !*is_counted;
    *is_counted = *is_counted || selects_play(s, p);
}

static bool is_transcoded(const struct selection *s, const struct w_play *p,
                          const struct w_segment *g)
{
    const char *decision = s->world->qualities[g->quality].decision;
    return selects_segment(s, g) && decision && streq(decision, "transcode") &&
           (selects_play(s, p) || overlaps(s, g));
}

static json_t *causes_by_cause(const struct selection *s)
{
    const struct world *w = s->world;
    struct blame all[CAUSES + 1] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_counted[CAUSES + 1] = {0};
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            bool own[CAUSES], has_any = false;
            if (!is_transcoded(s, p, &p->segments[k]))
                continue;
            causes_of(&w->qualities[p->segments[k].quality], own);
            for (int c = 0; c < CAUSES; c++) {
                has_any = has_any || own[c];
                if (own[c])
                    blame(s, p, &p->segments[k], &is_counted[c], &all[c]);
            }
            if (!has_any)
                blame(s, p, &p->segments[k], &is_counted[CAUSES], &all[CAUSES]);
        }
    }
    double known = 0;
    json_t *rows = json_array();
    for (int c = 0; c < CAUSES; c++)
        known += all[c].watch_us;
    for (int c = 0; c <= CAUSES; c++)
        if (all[c].is_there)
            add_row(rows, "sIsiiiFs", causes[c], (int64_t)-1, causes[c], all[c].plays,
                    count_of(all[c].people, PEOPLE), (int64_t)(all[c].watch_us / 1000),
                    c < CAUSES && known > 0 ? all[c].watch_us / known : NAN, advice[c]);
    return rows;
}

static int main_cause(const struct blame *b)
{
    int most = CAUSES;
    for (int c = 0; c < CAUSES; c++) {
        if (b->by_cause[c] <= 0)
            continue;
        double more = most == CAUSES ? 1 : b->by_cause[c] - b->by_cause[most];
        if (more > 500 || (more > -500 && (most == CAUSES || strcmp(causes[c], causes[most]) > 0)))
            most = c;
    }
    return most;
}

static json_t *causes_by_title(const struct selection *s)
{
    const struct world *w = s->world;
    static struct blame all[TITLES + 1];
    memset(all, 0, sizeof all);
    double known = 0;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_counted = false;
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++)
            if (is_transcoded(s, p, &p->segments[k]))
                blame(s, p, &p->segments[k], &is_counted, &all[p->title]);
    }
    json_t *rows = json_array();
    for (int i = 1; i <= TITLES; i++)
        known += all[i].watch_us;
    for (int i = 1; i <= TITLES; i++) {
        int cause = main_cause(&all[i]);
        if (all[i].is_there)
            add_row(rows, "sIsiiiFs", w->titles[i].full, (int64_t)i, causes[cause], all[i].plays,
                    count_of(all[i].people, PEOPLE), (int64_t)(all[i].watch_us / 1000),
                    known > 0 ? all[i].watch_us / known : NAN, advice[cause]);
    }
    return rows;
}

static const char *const products[] = {"App", "Web", NULL};

static json_t *causes_by_client(const struct selection *s)
{
    const struct world *w = s->world;
    struct blame all[3] = {0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        bool is_counted[3] = {0};
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const char *product = w->devices[p->segments[k].device].product;
            int n = !product ? 2 : streq(product, "Web");
            if (is_transcoded(s, p, &p->segments[k]))
                blame(s, p, &p->segments[k], &is_counted[n], &all[n]);
        }
    }
    json_t *rows = json_array();
    double known = all[0].watch_us + all[1].watch_us;
    for (int n = 0; n < 3; n++) {
        int cause = main_cause(&all[n]);
        if (all[n].is_there)
            add_row(rows, "sIsiiiFs", products[n], (int64_t)-1, causes[cause], all[n].plays,
                    count_of(all[n].people, PEOPLE), (int64_t)(all[n].watch_us / 1000),
                    n < 2 && known > 0 ? all[n].watch_us / known : NAN, advice[cause]);
    }
    return rows;
}

/* --- clients --------------------------------------------------------------------------------- */

struct version {
    int64_t sessions, ended, early, first, last;
    bool is_there, people[PEOPLE + 1];
    double watch_us;
};

static const char *const versions[] = {"1.0", "1.1", "2.0", NULL};
enum { PRODUCT_COUNT = 3, VERSION_COUNT = 4 };

static void add_session(const struct selection *s, const struct w_play *p, const struct w_segment *g,
                        struct version *v)
{
    if (overlaps(s, g)) {
        v->is_there = true;
        v->watch_us += watch_selected(s, g);
    }
    if (!selects_play(s, p))
        return;
    bool is_open = p->is_open && g == &p->segments[p->segment_count - 1];
    v->first = !v->sessions || g->started < v->first ? g->started : v->first;
    v->last = !v->sessions || g->started > v->last ? g->started : v->last;
    v->is_there = true;
    v->sessions++;
    v->ended += !is_open;
    v->early += !is_open && g->ended - g->started < 2 * US_PER_MIN;
    v->people[person_of(s->world, p)] = true;
}

/* The version of the program that was first seen last before this one; -1: none. */
static int version_before(const struct version *all, int own)
{
    int before = -1;
    for (int i = 0; i < VERSION_COUNT - 1; i++) {
        if (!all[i].sessions || i == own || all[i].first > all[own].first)
            continue;
        if (before < 0 || all[i].first > all[before].first)
            before = i;
    }
    return before;
}

static json_t *clients(const struct selection *asked)
{
    struct selection own = *asked;
    const struct selection *s = &own;
    const struct world *w = s->world;
    struct version all[PRODUCT_COUNT][VERSION_COUNT] = {0};
    own.with_short = true;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p) && !is_music(w, p); k++) {
            const struct w_device *d = &w->devices[p->segments[k].device];
            int product = 0, version = 0;
            while (products[product] && !is_same(products[product], d->product))
                product++;
            while (versions[version] && !is_same(versions[version], d->version))
                version++;
            if (selects_segment(s, &p->segments[k]))
                add_session(s, p, &p->segments[k], &all[product][version]);
        }
    }
    json_t *rows = json_array();
    for (int i = 0; i < PRODUCT_COUNT; i++) {
        for (int k = 0; k < VERSION_COUNT; k++) {
            const struct version *v = &all[i][k];
            bool is_known = products[i] && versions[k] && v->sessions;
            int before = is_known ? version_before(all[i], k) : -1;
            if (v->is_there)
                add_row(rows, "ssiiiiFsFtt", products[i], versions[k], v->sessions,
                        count_of(v->people, PEOPLE), (int64_t)(v->watch_us / 1000), v->early,
                        share(v->early, v->ended), before < 0 ? NULL : versions[before],
                        before < 0 ? NAN : share(all[i][before].early, all[i][before].ended),
                        v->sessions ? v->first : TIME_NONE, v->sessions ? v->last : TIME_NONE);
        }
    }
    return rows;
}

/* --- pause-patterns -------------------------------------------------------------------------- */

static int compare_ints(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int step_of(const struct w_pause *p)
{
    if (p->position_ms < 0 || p->play->duration_ms <= 0)
        return 20;
    int64_t step = p->position_ms * 20 / p->play->duration_ms;
    return step > 19 ? 19 : (int)step;
}

static json_t *pause_patterns(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    int64_t *lengths = xcalloc(w->pause_count, sizeof *lengths);
    for (int step = 0; step <= 20; step++) {
        int64_t n = 0, sum = 0;
        bool people[PEOPLE + 1] = {0};
        for (size_t i = 0; i < w->pause_count; i++) {
            const struct w_pause *p = &w->pauses[i];
            bool is_inside = (s->from == TIME_NONE || p->started >= s->from) &&
                             (s->to == TIME_NONE || p->started < s->to);
            if (step_of(p) != step || !is_inside || !selects_kind(s, p->play) ||
                !selects_segment(s, p->segment))
                continue;
            lengths[n++] = (p->ended - p->started) / US_PER_MS;
            sum += lengths[n - 1];
            people[person_of(w, p->play)] = true;
        }
        qsort(lengths, (size_t)n, sizeof *lengths, compare_ints);
        add_row(rows, "IiiiF", (int64_t)(step < 20 ? step * 5 : -1), n, count_of(people, PEOPLE), sum,
                n ? (double)lengths[(n + 1) / 2 - 1] : NAN);
    }
    free(lengths);
    return rows;
}

const struct truth delivery_truths[] = {
    {"qoe", "by=platform", qoe_by_platform, 1},
    {"qoe", "by=server", qoe_by_server, 1},
    {"transcode-causes", "", causes_by_cause, 2},
    {"transcode-causes", "by=title&limit=1000", causes_by_title, 2},
    {"transcode-causes", "by=client", causes_by_client, 2},
    {"clients", "", clients, 2},
    {"pause-patterns", "", pause_patterns, 1},
    {0},
};
