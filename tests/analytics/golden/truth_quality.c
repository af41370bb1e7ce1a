/* The truth of the queries about the data itself: coverage, data-quality. */
#include "golden.h"

#include <math.h>

static json_t *coverage(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    for (size_t i = 0; i < w->coverage_count; i++) {
        const struct w_coverage *v = &w->coverage[i];
        auto_free char *server = xasprintf(" %d ", v->server);
        auto_free char *name = xasprintf("Server %d", v->server);
        bool is_after = s->to != TIME_NONE && v->started >= s->to;
        bool is_before = s->from != TIME_NONE && v->ended != TIME_NONE && v->ended <= s->from;
        if (is_after || is_before || (s->server_ids && !strstr(s->server_ids, server)))
            continue;
        int64_t from = s->from != TIME_NONE && s->from > v->started ? s->from : v->started;
        int64_t to = v->ended;
        if (s->to != TIME_NONE && (to == TIME_NONE ? s->to <= w->now : s->to < to))
            to = s->to;
        int64_t until = to == TIME_NONE ? w->now : to;
        int64_t plays = 0;
        for (size_t k = 0; k < w->play_count; k++) {
            const struct w_play *p = &w->plays[k];
            plays += selects_play(s, p) && server_of(w, p) == v->server && p->started >= from &&
                     p->started < until;
        }
        add_row(rows, "issttisi", (int64_t)v->server, name, v->state, from, to,
                (until - from) / US_PER_MS, NULL, plays);
    }
    return rows;
}

/* --- data-quality ---------------------------------------------------------------------------- */

struct tally {
    int64_t rows, missing, invalid, duplicate, orphaned;
};
enum field {
    ADDRESS, BANDWIDTH, DECISION, DURATION, LIBRARY, PERSON, PLACE, PLATFORM, PLAY, PLAYER, POSITION,
    RESOLUTION, SEGMENT, TIME, TITLE, YEAR, FIELDS
};
static const char *const names[FIELDS] = {
    "address", "bandwidth", "decision", "duration", "library", "person", "place", "platform", "play",
    "player", "position", "resolution", "segment", "time", "title", "year"};

static void look(struct tally *t, bool is_missing)
{
    t->rows++;
    t->missing += is_missing;
}

static void look_at_play(const struct selection *s, size_t index, struct tally *t)
{
    const struct world *w = s->world;
    const struct w_play *p = &w->plays[index];
    const struct w_title *title = &w->titles[p->title];
    look(&t[PERSON], !person_of(w, p));
    look(&t[TITLE], false);
    look(&t[LIBRARY], !p->library);
    if (streq(title->media_type, "movie"))
        look(&t[YEAR], !title->year);
    look(&t[DURATION], p->duration_ms < 0);
    look(&t[POSITION], p->position_ms < 0);
    look(&t[TIME], false);
    t[TIME].invalid += watch_ms_of(s, p) > (p->ended - p->started) / US_PER_MS + 1000;
    look(&t[PLAY], false);
    for (size_t i = 0; i < index; i++) {
        const struct w_play *o = &w->plays[i];
        if (o->started == p->started && o->account == p->account && o->title == p->title &&
            selects_play(s, o)) {
            t[PLAY].duplicate++;
            break;
        }
    }
}

static void look_at_segment(const struct world *w, const struct w_play *p, const struct w_segment *g,
                            struct tally *t)
{
    const struct w_quality *q = &w->qualities[g->quality];
    look(&t[SEGMENT], false);
    look(&t[PLAYER], !g->device || !w->devices[g->device].player);
    look(&t[PLATFORM], !g->device || !w->devices[g->device].platform);
    look(&t[DECISION], !g->quality || !q->decision);
    if (!streq(w->titles[p->title].media_type, "track"))
        look(&t[RESOLUTION], !g->quality || !q->resolution);
    look(&t[BANDWIDTH], g->bandwidth_kbps < 0);
    t[BANDWIDTH].invalid += g->bandwidth_kbps == 0;
    look(&t[ADDRESS], !g->address);
    t[ADDRESS].orphaned += g->address > ADDRESSES;
    const char *class = w->addresses[g->address].class;
    t[ADDRESS].invalid += class && streq(class, "unknown");
    if (class && streq(class, "public"))
        look(&t[PLACE], !w->addresses[g->address].place);
}

static json_t *data_quality(const struct selection *asked)
{
    struct selection own = *asked;
    const struct selection *s = &own;
    const struct world *w = s->world;
    own.with_short = true;
    json_t *rows = json_array();
    for (int server = 1; server <= SERVERS; server++) {
        struct tally all[FIELDS] = {0};
        bool has_plays = false, has_segments = false;
        for (size_t i = 0; i < w->play_count; i++) {
            const struct w_play *p = &w->plays[i];
            if (server_of(w, p) != server)
                continue;
            if (selects_play(s, p)) {
                look_at_play(s, i, all);
                has_plays = true;
            }
            for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
                if (!selects_segment(s, &p->segments[k]) || !overlaps(s, &p->segments[k]))
                    continue;
                look_at_segment(w, p, &p->segments[k], all);
                has_segments = true;
            }
        }
        auto_free char *name = xasprintf("Server %d", server);
        for (int f = 0; f < FIELDS; f++) {
            bool is_of_play = f == DURATION || f == LIBRARY || f == PERSON || f == PLAY ||
                              f == POSITION || f == TIME || f == TITLE || f == YEAR;
            const struct tally *t = &all[f];
            if (is_of_play ? has_plays : has_segments)
                add_row(rows, "issiiiiiF", (int64_t)server, name, names[f], t->rows, t->missing,
                        t->invalid, t->duplicate, t->orphaned,
                        t->rows ? (double)t->missing / (double)t->rows : NAN);
        }
    }
    return rows;
}

const struct truth quality_truths[] = {
    {"coverage", "", coverage, 4},
    {"data-quality", "", data_quality, 3},
    {0},
};
