/*
 * What counts: pure functions from observations to segments and from segments to plays. No clock,
 * no database, no allocation that outlives the call; the same for live data and re-derivation.
 * Definitions: docs/internals/numbers.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/observation.h"

/* Every number that decides what counts, in one place. Microseconds and milliseconds. */
struct knobs {
    int64_t fold_us;        /* longest interval between observations that is mere progress */
    int64_t stall_us;       /* a position that stands still for longer counts nothing */
    int64_t max_silence_us; /* most that one interval without observations counts */
    int64_t pause_cap_us;   /* a longer pause ends the segment at its beginning */
    int64_t resume_gap_us;  /* a title taken up again within it is the same play */
    int64_t same_session_us;/* the same for music and live television */
    int64_t rewind_ms;      /* how far back a resumed title may start */
    double finished;        /* share of the title from which it is not resumed but played again */
    double watched;         /* share of the title from which it counts as watched */
    int64_t min_video_us, min_music_us; /* less watch time is a short play */
};
struct knobs knobs_default(void);

/* One state of a session; mere progress is folded into last_us and last_position_ms. */
struct state_row {
    enum play_state state;
    int64_t first_us, last_us;
    int64_t head_us;  /* last seen at the first position */
    int64_t moved_us; /* when the position last changed */
    int64_t first_position_ms, last_position_ms; /* -1: unknown */
    int64_t blind_ms;
    bool is_interrupted;
};

/* Folds an observation into the last row, or says what has to follow it. */
struct fold {
    bool is_new_row;  /* `next` follows the last row */
    bool is_split;    /* `stalled` comes before `next`, or is the next row itself */
    struct state_row next;
};
/* `last` is changed in place where the observation is mere progress (is_new_row false). `facts_same`
 * says whether everything but position and bandwidth is as before. */
struct fold fold_observation(struct state_row *last, const struct observation *o, bool facts_same,
                             const struct knobs *k);

/* What the rows of one session add up to. */
struct segment_sum {
    int64_t started_us, ended_us;
    int64_t watch_us, watch_low_us, watch_high_us, paused_us;
    int64_t head_blind_us, tail_blind_us; /* before the start and after the end; in watch_high_us */
    int64_t start_position_ms, position_ms; /* -1: unknown */
    bool is_interrupted;
    int64_t *spans; /* from, to, from, to, ...; free() */
    size_t span_count; /* numbers, twice the spans */
};
/* count >= 1; is_live: live television, whose position means nothing. */
void sum_segment(const struct state_row *rows, size_t count, bool is_live, const struct knobs *k,
                 struct segment_sum *ret);

/* A segment as the joining of plays sees it; sorted by started_us within one account and title. */
struct play_part {
    int64_t segment_id, play_id; /* play_id: out */
    int64_t started_us, ended_us;
    int64_t start_position_ms, position_ms, duration_ms; /* -1: unknown */
    int64_t watch_us;
    int64_t device_id;
    int64_t group; /* an import's own grouping; 0: none */
    bool is_import, is_open;
    bool is_hidden; /* out, of hide_doubles() */
};
/* How much of the blind time before `next` is that after `last` already, so that it counts once when
 * a session went on under another name. */
int64_t blind_overlap(const struct segment_sum *last, const struct segment_sum *next);

/* What we saw and an import tells, too, counts once: of segments that lie over each other in time,
 * imported ones and our own, the more detailed side stays, which is ours unless it saw much less of
 * it (the watching began late, or was blind); the others are hidden. */
void hide_doubles(struct play_part *parts, size_t count);
/* Sets play_id of each: the segment_id of the play's first part. */
void join_plays(struct play_part *parts, size_t count, bool is_track_or_live,
                const struct knobs *k);

/* Share of the title seen, 0..1; -1 when position or duration is unknown. */
double share_seen(int64_t position_ms, int64_t duration_ms);
bool is_watched(int64_t position_ms, int64_t duration_ms, int64_t credits_ms,
                const struct knobs *k);
bool is_short(const char *media_type, int64_t watch_us, const struct knobs *k);
