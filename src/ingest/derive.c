#include "ingest/derive.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

struct knobs knobs_default(void)
{
    return (struct knobs){
        .fold_us = 60 * US_PER_S,
        .stall_us = 60 * US_PER_S,
        .max_silence_us = 5 * US_PER_MIN,
        .pause_cap_us = 24 * US_PER_HOUR,
        .resume_gap_us = 24 * US_PER_HOUR,
        .same_session_us = 60 * US_PER_S,
        .rewind_ms = 5 * 60 * 1000,
        .finished = 0.98,
        .watched = 0.85,
        .min_video_us = 120 * US_PER_S,
        .min_music_us = 15 * US_PER_S,
    };
}

static struct state_row row_of(const struct observation *o, int64_t at_us)
{
    return (struct state_row){.state = o->state,
                              .first_us = at_us,
                              .last_us = at_us,
                              .head_us = at_us,
                              .moved_us = at_us,
                              .first_position_ms = o->position_ms,
                              .last_position_ms = o->position_ms,
                              .blind_ms = o->blind_ms,
                              .is_interrupted = o->is_interrupted};
}

struct fold fold_observation(struct state_row *last, const struct observation *o, bool facts_same,
                             const struct knobs *k)
{
    /* A clock that went back counts nothing: time stands still until it has caught up. */
    int64_t at = o->observed_us > last->last_us ? o->observed_us : last->last_us;
    bool is_progress = facts_same && o->state == last->state && o->blind_ms == 0 &&
                       at - last->last_us <= k->fold_us;
    if (!is_progress)
        return (struct fold){.is_new_row = true, .next = row_of(o, at)};
    bool has_moved = o->position_ms != last->last_position_ms;
    bool was_stalled = last->state == PLAY_PLAYING &&
                       last->first_position_ms == last->last_position_ms &&
                       last->last_us - last->first_us > k->stall_us;
    if (has_moved) {
        if (was_stalled)
            return (struct fold){.is_new_row = true, .next = row_of(o, at)};
        last->last_us = last->moved_us = at;
        last->last_position_ms = o->position_ms;
        return (struct fold){0};
    }
    if (last->state == PLAY_PLAYING && at - last->moved_us > k->stall_us &&
        last->moved_us > last->first_us) {
        /* It has stood still since moved_us: that stretch becomes a row of its own. */
        struct state_row stalled = row_of(o, last->moved_us);
        stalled.last_us = stalled.head_us = at;
        last->last_us = last->moved_us;
        return (struct fold){.is_new_row = true, .is_split = true, .next = stalled};
    }
    if (last->moved_us == last->first_us)
        last->head_us = at;
    last->last_us = at;
    return (struct fold){0};
}

static void add_span(struct segment_sum *s, int64_t from, int64_t to)
{
    if (to <= from)
        return;
    if (s->span_count && s->spans[s->span_count - 1] == from) {
        s->spans[s->span_count - 1] = to;
        return;
    }
    s->spans = xreallocarray(s->spans, s->span_count + 2, sizeof *s->spans);
    s->spans[s->span_count++] = from;
    s->spans[s->span_count++] = to;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Playing is cut into stretches over which the position stands or moves. Standing ones that touch
 * are one: whether it counts hangs on the whole. */
struct stretches {
    struct segment_sum *sum;
    const struct knobs *knobs;
    bool is_live;
    bool is_standing, has_blind;
    int64_t standing_from, standing_to;
};

static void count(struct segment_sum *s, int64_t from, int64_t to, int64_t counted, bool is_blind)
{
    add_span(s, from, from + counted);
    s->watch_us += counted;
    s->watch_low_us += is_blind ? 0 : counted;
    s->watch_high_us += is_blind ? to - from : counted;
}

static void end_standing(struct stretches *t)
{
    if (!t->is_standing)
        return;
    int64_t wall = t->standing_to - t->standing_from;
    bool is_stall = !t->is_live && wall > t->knobs->stall_us;
    count(t->sum, t->standing_from, t->standing_to,
          is_stall ? 0 : least(wall, t->knobs->max_silence_us), t->has_blind);
    t->is_standing = t->has_blind = false;
}

static void add_stretch(struct stretches *t, int64_t from, int64_t to, bool stands, int64_t most,
                        bool is_blind)
{
    if (to <= from)
        return;
    if (stands && !t->is_live) {
        if (!t->is_standing)
            t->standing_from = from;
        t->is_standing = true;
        t->standing_to = to;
        t->has_blind = t->has_blind || is_blind;
        return;
    }
    end_standing(t);
    count(t->sum, from, to, least(to - from, most), is_blind);
}

/* Playing up to the next row; of it only what was not seen is in doubt. */
static void add_gap(struct stretches *t, const struct state_row *r, const struct state_row *next)
{
    bool stands = next->first_position_ms == r->last_position_ms;
    int64_t blind_us = next->is_interrupted ? 0 : next->blind_ms * US_PER_MS;
    int64_t seen_us = next->first_us - blind_us;
    if (seen_us < r->last_us)
        seen_us = r->last_us;
    add_stretch(t, r->last_us, seen_us, stands, t->knobs->max_silence_us, false);
    add_stretch(t, seen_us, next->first_us, stands, t->knobs->max_silence_us, blind_us > 0);
}

/* What may have been watched unseen between two rows of which the first does not play. */
static int64_t blind_between(const struct state_row *r, const struct state_row *next)
{
    bool has_stood = next->state != PLAY_PLAYING && next->state != PLAY_STOPPED &&
                     next->first_position_ms == r->last_position_ms;
    if (has_stood || next->is_interrupted)
        return 0;
    return least(next->blind_ms * US_PER_MS, next->first_us - r->last_us);
}

void sum_segment(const struct state_row *rows, size_t count, bool is_live, const struct knobs *k,
                 struct segment_sum *ret)
{
    struct segment_sum s = {.started_us = rows[0].first_us,
                            .ended_us = rows[0].last_us,
                            .start_position_ms = rows[0].first_position_ms,
                            .position_ms = -1};
    struct stretches t = {.sum = &s, .knobs = k, .is_live = is_live};
    int64_t pause_from = 0; /* start of the pause that is going on */
    if (rows[0].state == PLAY_PLAYING || rows[0].first_position_ms > 0)
        s.head_blind_us = rows[0].blind_ms * US_PER_MS;
    s.watch_high_us = s.head_blind_us;
    for (size_t i = 0; i < count; i++) {
        const struct state_row *r = &rows[i];
        const struct state_row *next = i + 1 < count ? r + 1 : NULL;
        int64_t until = next ? next->first_us : r->last_us;
        if (r->state == PLAY_PLAYING) {
            add_stretch(&t, r->first_us, r->head_us, true, INT64_MAX, false);
            add_stretch(&t, r->head_us, r->moved_us, false, INT64_MAX, false);
            if (r->moved_us > r->first_us)
                add_stretch(&t, r->moved_us, r->last_us, true, INT64_MAX, false);
            if (next)
                add_gap(&t, r, next);
            if (!next || next->state != PLAY_PLAYING)
                end_standing(&t);
        } else if (r->state == PLAY_PAUSED) {
            if (!pause_from)
                pause_from = r->first_us;
            s.paused_us += until - r->first_us;
        }
        if (r->state != PLAY_PLAYING && next)
            s.watch_high_us += blind_between(r, next);
        if (r->state != PLAY_PAUSED)
            pause_from = 0;
        if (r->last_position_ms >= 0) /* where it ended, not how far somebody jumped in between */
            s.position_ms = r->last_position_ms;
        s.ended_us = r->last_us;
        if (r->is_interrupted) {
            s.is_interrupted = true;
            s.tail_blind_us = r->blind_ms * US_PER_MS;
            s.watch_high_us += s.tail_blind_us;
        }
        if (pause_from && until - pause_from > k->pause_cap_us) {
            s.paused_us -= until - pause_from;
            s.ended_us = pause_from;
            break;
        }
    }
    *ret = s;
}

int64_t blind_overlap(const struct segment_sum *last, const struct segment_sum *next)
{
    int64_t from = next->started_us - next->head_blind_us;
    int64_t until = last->ended_us + last->tail_blind_us;
    from = from > last->ended_us ? from : last->ended_us;
    until = least(until, next->started_us);
    return until > from ? until - from : 0;
}

double share_seen(int64_t position_ms, int64_t duration_ms)
{
    if (position_ms < 0 || duration_ms <= 0)
        return -1;
    double share = (double)position_ms / (double)duration_ms;
    return share > 1 ? 1 : share;
}

/* Whether two segments are the same watching: they share half of the shorter one. */
static bool is_same_watching(const struct play_part *a, const struct play_part *b)
{
    int64_t from = a->started_us > b->started_us ? a->started_us : b->started_us;
    int64_t to = least(a->ended_us, b->ended_us);
    int64_t shorter = least(a->ended_us - a->started_us, b->ended_us - b->started_us);
    return from <= to && 2 * (to - from) >= shorter;
}

/* No segment is longer: so far around one its doubles lie. */
#define SEGMENT_MOST_US (2 * US_PER_DAY)

void hide_doubles(struct play_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct play_part *told = &parts[i];
        if (!told->is_import)
            continue;
        size_t from = i, to = i + 1;
        while (from > 0 && parts[from - 1].started_us > told->started_us - SEGMENT_MOST_US)
            from--;
        while (to < count && parts[to].started_us <= told->ended_us)
            to++;
        int64_t seen_us = 0;
        bool is_seen = false, is_open = false;
        for (size_t j = from; j < to; j++) {
            const struct play_part *seen = &parts[j];
            if (seen->is_import || seen->is_hidden || !is_same_watching(told, seen))
                continue;
            is_seen = true;
            is_open = is_open || seen->is_open;
            seen_us += seen->watch_us;
        }
        if (!is_seen)
            continue;
        told->is_hidden = is_open || seen_us / 4 * 5 >= told->watch_us;
        for (size_t j = from; j < to && !told->is_hidden; j++)
            if (!parts[j].is_import && is_same_watching(told, &parts[j]))
                parts[j].is_hidden = true;
    }
}

/* Whether `next` goes on with the play whose last part is `last` and which ended at ended_us. */
static bool goes_on(const struct play_part *last, int64_t ended_us, const struct play_part *next,
                    bool is_track_or_live, const struct knobs *k)
{
    int64_t gap = next->started_us - ended_us;
    if (gap < 0)
        return false;
    if (is_track_or_live)
        return gap <= k->same_session_us && next->device_id == last->device_id;
    if (gap > k->resume_gap_us || share_seen(last->position_ms, last->duration_ms) >= k->finished)
        return false;
    if (next->start_position_ms < 0) /* an import does not know where it started */
        return next->group != 0 && next->group == last->group;
    return last->position_ms < 0 || next->start_position_ms >= last->position_ms - k->rewind_ms;
}

void join_plays(struct play_part *parts, size_t count, bool is_track_or_live, const struct knobs *k)
{
    for (size_t i = 0; i < count; i++) {
        parts[i].play_id = parts[i].segment_id;
        /* The latest play that it can go on with; only those within the gap can. */
        for (size_t j = i; j-- > 0;) {
            bool is_last_of_play = true;
            for (size_t m = j + 1; m < i && is_last_of_play; m++)
                is_last_of_play = parts[m].play_id != parts[j].play_id;
            if (is_last_of_play &&
                goes_on(&parts[j], parts[j].ended_us, &parts[i], is_track_or_live, k)) {
                parts[i].play_id = parts[j].play_id;
                break;
            }
            if (parts[i].started_us - parts[j].started_us > 4 * k->resume_gap_us)
                break;
        }
    }
}

bool is_watched(int64_t position_ms, int64_t duration_ms, int64_t credits_ms, const struct knobs *k)
{
    if (position_ms < 0)
        return false;
    if (credits_ms > 0 && position_ms >= credits_ms)
        return true;
    return share_seen(position_ms, duration_ms) >= k->watched;
}

bool is_short(const char *media_type, int64_t watch_us, const struct knobs *k)
{
    return watch_us < (streq(media_type, "track") ? k->min_music_us : k->min_video_us);
}
