/*
 * The golden data: about 5,700 plays made from a seed, in memory and in a store, and what the
 * queries have to say about them, computed by plain loops that share no SQL with the catalogue.
 * Local time is libc's (TZ), not the store's. One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"

enum {
    SERVERS = 3,
    PEOPLE = 14,
    ACCOUNTS = 22,
    TITLES = 260,
    UNPLAYED = 40, /* titles after those, that nobody has played */
    ITEMS = 420,
    LIBRARIES = 7,
    SHOWS = 8,
    DEVICES = 30,
    QUALITIES = 40,
    PLACES = 25,
    ADDRESSES = 70,
    PLAYS = 5700,
    SPANS_MAX = 8,
    GENRES_MAX = 3,
};

/* Ids count from 1; 0 is unknown. -1 is an unknown number or yes-or-no, NULL an unknown text. */
struct w_server {
    bool has_place;
    double latitude, longitude;
};
struct w_account {
    int server, person;
};
struct w_title {
    const char *media_type, *show;
    char title[32], full[80];
    int year;
    int season, episode; /* 0: unknown */
    const char *rating, *genres[GENRES_MAX];
    size_t genre_count;
};
/* In a library of a server. */
struct w_item {
    int server, title, library;
    int64_t added, removed; /* TIME_NONE: unknown, not gone */
    int64_t size_bytes, duration_ms;
};
struct w_device {
    const char *player, *platform, *product, *version;
};
struct w_quality {
    const char *decision, *video, *audio, *subtitle, *container, *stream_container, *resolution,
        *video_codec, *range, *framerate, *audio_codec, *audio_language, *subtitle_codec,
        *subtitle_language, *stream_video_codec, *stream_resolution, *stream_range,
        *stream_audio_codec, *hw_decode, *hw_encode, *reasons;
    int channels, stream_channels; /* 0: unknown */
};
struct w_place {
    const char *country_code, *country, *region; /* NULL: unknown */
    char city[24];                               /* "": unknown */
    double latitude, longitude;
};
struct w_address {
    const char *class;
    int place;
};
struct w_segment {
    int64_t id, started, ended; /* microseconds */
    int device, quality, address;
    int64_t watch_ms, position_ms, bandwidth_kbps, stream_kbps, source_kbps, paused_ms;
    int secure, relayed;  /* -1: unknown */
    const char *location; /* NULL: unknown */
    int64_t spans[SPANS_MAX];
    size_t span_count; /* numbers; 0: evenly */
};
struct w_play {
    int64_t id, started, ended;
    const char *kind; /* play view extra */
    const char *hidden_by;
    int account, title, library; /* the account's server */
    int64_t watch_ms, position_ms, duration_ms;
    double percent; /* -1: unknown */
    int is_watched;
    bool is_short, is_open;
    const struct w_segment *segments;
    size_t segment_count;
};
/* Of a segment that we saw ourselves. */
struct w_pause {
    const struct w_play *play;
    const struct w_segment *segment;
    int64_t started, ended, position_ms; /* position -1: unknown */
    bool is_told_twice;                  /* two rows of the store, since something else changed */
    bool has_end;                        /* a row after it */
};
struct w_coverage {
    int server;
    int64_t started, ended; /* TIME_NONE: still */
    const char *state;
};

struct world {
    struct w_server servers[SERVERS + 1];
    struct w_account accounts[ACCOUNTS + 1];
    struct w_title titles[TITLES + UNPLAYED + 1];
    struct w_item items[ITEMS];
    struct w_device devices[DEVICES + 1];
    struct w_quality qualities[QUALITIES + 1];
    struct w_place places[PLACES + 1];
    struct w_address addresses[ADDRESSES + 2]; /* the last one is not in the store */
    struct w_play plays[PLAYS];
    size_t play_count;
    struct w_segment *segments;
    size_t segment_count;
    struct w_pause *pauses;
    size_t pause_count;
    struct w_coverage coverage[40];
    size_t coverage_count;
    int64_t now;
};

void world_make(struct world *w);
void world_free(struct world *w);
enum status world_write(const struct world *w, struct store_conn *c, struct error *err);

/* What is asked, in the terms of the loops. */
struct selection {
    const struct world *world;
    int64_t from, to; /* TIME_NONE: open */
    const char *media_types; /* " movie episode "; NULL: all */
    const char *users;       /* " 1 2 " */
    const char *server_ids;
    const char *libraries;   /* with " unknown " */
    const char *platforms;   /* with " unknown " */
    const char *decisions;
    bool with_short;
    const char *params; /* what else the query is asked: the truth's own */
};

/* The value of a parameter in the selection's params, or `otherwise`. */
const char *param_of(const struct selection *s, const char *name, const char *otherwise);

static inline int server_of(const struct world *w, const struct w_play *p)
{
    return w->accounts[p->account].server;
}

static inline int person_of(const struct world *w, const struct w_play *p)
{
    return w->accounts[p->account].person;
}

/* Where the play's own library is not known: the first one that has the title on its server. */
int library_of(const struct world *w, const struct w_play *p);

/* Whether the play is one of filtered_play; the same whatever the window; of those that count at all and pass by what the whole
 * play is (whatever its time); whether a segment passes by what it is. */
bool selects_play(const struct selection *s, const struct w_play *p);
bool selects_ever(const struct selection *s, const struct w_play *p);
bool selects_kind(const struct selection *s, const struct w_play *p);
bool selects_segment(const struct selection *s, const struct w_segment *g);
/* What the play was watched, of the segments that pass. */
int64_t watch_ms_of(const struct selection *s, const struct w_play *p);
/* Watch time of a segment in [from, to), microseconds. */
double watch_between(const struct w_segment *g, int64_t from, int64_t to);
/* The same inside the selection's window. */
double watch_selected(const struct selection *s, const struct w_segment *g);
bool overlaps(const struct selection *s, const struct w_segment *g);

/* The first and last instant that buckets of time have to hold; false: there are none. */
bool find_edges(const struct selection *s, int64_t *first, int64_t *last);

/* Local time, as TZ says. */
struct local {
    int year, month, day, hour, weekday; /* weekday: 0 Monday */
};
struct local local_of(int64_t us);
/* Its days since 1970. */
int64_t day_of(int64_t us);
/* The Monday of its week, so, too. */
int64_t week_of(int64_t us);
/* "2026-01-31" */
enum { DAY_TEXT_MAX = 16 };
const char *day_text(int64_t day, char text[DAY_TEXT_MAX]);
/* Midnight at which a local day begins. */
int64_t day_begins(int year, int month, int day);

/* A row: texts and numbers in the order of the query's columns. "s" text or NULL, "i" integer, "I"
 * integer or null where negative, "f" double, "F" double or null where NaN, "t" time or TIME_NONE,
 * "b" yes or no (int) or null where negative. */
void add_row(json_t *rows, const char *types, ...);

/* Rows of qoe: for each of `count` slots (names NULL: unknown) what its plays were like; `slot_of`
 * says which is a segment's. Slots without plays are rows only where `has_empty`. */
void qoe_rows(const struct selection *s,
              int (*slot_of)(const struct selection *s, const struct w_play *p,
                             const struct w_segment *g),
              const char *const *names, int count, bool has_empty, json_t *rows);

/* The truth of one query with these parameters ("bucket=day"). The caller owns it. */
struct truth {
    const char *query, *params;
    json_t *(*rows)(const struct selection *s);
    unsigned key_columns; /* leading columns that tell the rows apart */
};
extern const struct truth time_truths[], people_truths[], place_truths[], quality_truths[],
    stream_truths[], delivery_truths[],
    engagement_truths[], together_truths[], person_truths[], title_truths[],
    comparison_truths[], search_truths[], library_truths[];

/* Of the selected plays that are no views the watch_ms, paused_ms or percent, ascending; room for all. */
size_t measured(const struct selection *s, const char *figure, double *ret);
