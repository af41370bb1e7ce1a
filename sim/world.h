/*
 * A small believable world, the same for the same seed: people with habits and devices, a
 * catalogue of invented titles, and what a device can play of them. Read-only once made, so any
 * thread may look at it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* 0 .. n-1; n >= 1 */
unsigned rng_below(struct rng *r, unsigned n);
/* lo .. hi, both included */
int64_t rng_range(struct rng *r, int64_t lo, int64_t hi);
bool rng_chance(struct rng *r, unsigned percent);
/* A number that depends on nothing but a and b. */
uint64_t mix(uint64_t a, uint64_t b);

enum item_kind { ITEM_MOVIE, ITEM_SHOW, ITEM_SEASON, ITEM_EPISODE, ITEM_ARTIST, ITEM_ALBUM,
                 ITEM_TRACK };

/* What a file holds. */
struct media {
    const char *container, *video_codec, *video_profile, *resolution;
    int width, height, bit_depth;
    const char *range; /* SDR, HDR10, DOVI, HLG */
    int bitrate_kbps;
    double fps;
    const char *audio_codec;
    int channels;
    const char *language, *language_code, *subtitle_codec; /* NULL: none */
};

struct item {
    enum item_kind kind;
    unsigned index_in_catalogue;
    int parent, grandparent; /* -1: none */
    char title[64];
    int number, year;
    int64_t duration_ms;
    const char *genres[2];
    const char *content_rating, *studio;
    int rating_tenths;
    const struct media *media;
    int64_t added_days_ago, credits_ms; /* 0: no marker */
    int tmdb;
};

struct device {
    char name[64];
    char id[33]; /* 32 hex */
    const char *plex_product, *mb_client, *platform, *platform_version, *app_version;
    int most_height, most_remote_kbps;
    bool has_hevc, has_hdr, has_surround, has_mkv, is_mobile;
};

enum { DEVICES_EACH = 3 };

struct person {
    char name[64], username[48], email[80];
    bool is_local, is_deleted;
    struct device devices[DEVICES_EACH];
    char lan_address[48], home_address[48], other_address[48];
    bool is_relayed;
    int evening_hour; /* UTC */
    unsigned plays_per_week, taste_show, taste_music; /* percent */
    unsigned show; /* the one they are in the middle of, index into shows */
};

struct world {
    uint64_t seed;
    struct person *people;
    unsigned n_people;
    struct item *items;
    unsigned n_items;
    unsigned *movies, n_movies, *shows, n_shows, *episodes, n_episodes, *tracks, n_tracks;
};

/* What server number `number` of this world names itself: 40 hex digits at Plex, 32 elsewhere. */
void world_machine_id(uint64_t seed, unsigned number, bool is_plex, char ret[static 41]);
/* The caller frees with world_free(). */
struct world *world_new(uint64_t seed, unsigned people);
void world_free(struct world *w);
/* Has this person an account on server number `server` of `count`? Everybody has one on the first,
 * some have others. */
bool world_has_account(const struct world *w, unsigned person, unsigned server, unsigned count);
/* The next episode, or -1 at the end of the show. */
int world_next_episode(const struct world *w, unsigned item);

/* How a playback travels. */
struct route {
    char address[48];       /* as the server sees it */
    char public_address[48]; /* "" when only the private one is known */
    bool is_lan, is_relayed;
};
struct route world_route(const struct world *w, unsigned person, unsigned device, struct rng *r);

enum play_method { METHOD_DIRECT, METHOD_COPY, METHOD_TRANSCODE };
struct decision {
    enum play_method method, video, audio;
    int width, height, bitrate_kbps, channels;
    const char *container, *video_codec, *audio_codec, *resolution, *reason;
};
struct decision world_decide(const struct item *i, const struct device *d, bool is_lan);

/* What somebody in their habit would start now. */
unsigned world_pick(const struct world *w, unsigned person, struct rng *r);

/* One viewing that lies in the past. */
struct past_play {
    unsigned person, device, item, server;
    int64_t started_s, stopped_s, paused_s, end_ms; /* end_ms: position reached in the item */
    unsigned group;                                 /* same number: the same viewing, resumed */
};
/* Everything watched in `days` days before now_s, by start. `servers` spreads it. The caller frees
 * the array. rows 0: as habits go; else about that many. */
size_t world_history(const struct world *w, unsigned servers, int64_t now_s, unsigned days,
                     size_t rows, struct past_play **ret);
