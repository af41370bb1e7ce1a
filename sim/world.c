#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)(rng_next(r) % n);
}

int64_t rng_range(struct rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rng_next(r) % (uint64_t)(hi - lo + 1));
}

bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

uint64_t mix(uint64_t a, uint64_t b)
{
    struct rng r = {a ^ (b * UINT64_C(0xD1342543DE82EF95))};
    (void)rng_next(&r);
    return rng_next(&r);
}

static const struct media medias[] = {
    {"mkv", "h264", "high", "1080", 1920, 800, 8, "SDR", 9200, 23.976, "ac3", 6, "English", "eng",
     "srt"},
    {"mp4", "h264", "main", "720", 1280, 720, 8, "SDR", 3800, 25.0, "aac", 2, "English", "eng",
     NULL},
    {"mkv", "hevc", "main 10", "4k", 3840, 2160, 10, "HDR10", 48200, 23.976, "truehd", 8,
     "English", "eng", "pgs"},
    {"mkv", "hevc", "main 10", "4k", 3840, 1600, 10, "DOVI", 61400, 23.976, "eac3", 6, "English",
     "eng", "srt"},
    {"mkv", "hevc", "main", "1080", 1920, 1080, 8, "SDR", 5100, 24.0, "eac3", 6, "Deutsch", "deu",
     "ass"},
    {"mkv", "av1", "main", "1080", 1920, 1080, 10, "HLG", 4300, 50.0, "opus", 6, "Français",
     "fra", "srt"},
    {"avi", "mpeg4", "advanced simple", "sd", 640, 352, 8, "SDR", 1100, 25.0, "mp3", 2, "日本語",
     "jpn", NULL},
    {"mkv", "h264", "high", "1080", 1920, 1080, 8, "SDR", 14500, 23.976, "dca", 6, "English",
     "eng", "pgs"},
};
static const struct media music_medias[] = {
    {"flac", NULL, NULL, NULL, 0, 0, 0, NULL, 931, 0, "flac", 2, NULL, NULL, NULL},
    {"mp3", NULL, NULL, NULL, 0, 0, 0, NULL, 320, 0, "mp3", 2, NULL, NULL, NULL},
    {"m4a", NULL, NULL, NULL, 0, 0, 0, NULL, 256, 0, "aac", 2, NULL, NULL, NULL},
};

struct device_kind {
    const char *name, *plex_product, *mb_client, *platform, *platform_version, *app_version;
    int most_height, most_remote_kbps;
    bool has_hevc, has_hdr, has_surround, has_mkv, is_mobile;
};
static const struct device_kind device_kinds[] = {
    {"Shield", "Plex for Android (TV)", "Android TV", "Android", "11", "10.14.0", 2160, 80000,
     true, true, true, true, false},
    {"Apple TV", "Plex for Apple TV", "Swiftfin tvOS", "tvOS", "18.1", "8.41", 2160, 40000, true,
     true, true, false, false},
    {"Chrome", "Plex Web", "Web Client", "Chrome", "131.0", "4.145.1", 1080, 12000, false, false,
     false, false, false},
    {"Firefox", "Plex Web", "Web Client", "Firefox", "132.0", "4.145.1", 1080, 12000, false, false,
     false, false, false},
    {"iPhone", "Plex for iOS", "Swiftfin iOS", "iOS", "18.1.1", "8.41", 1080, 4000, true, true,
     false, false, true},
    {"Pixel 8", "Plex for Android (Mobile)", "Android App", "Android", "15", "10.23.1", 1080, 4000,
     true, true, false, true, true},
    {"Living room TV", "Plex for LG", "webOS", "webOS", "6.0", "5.85.1", 2160, 20000, true, true,
     true, true, false},
    {"Roku Express", "Plex for Roku", "Roku", "Roku", "13.0", "7.2.8", 1080, 8000, false, false,
     true, true, false},
    {"Kodi", "Plex for Kodi", "Kodi", "Linux", "21.1", "0.7.9", 2160, 60000, true, false, true,
     true, false},
};

static const char *const first_names[] = {
    "Mara", "Jonas", "Élodie", "Tomasz", "Aiko", "Priya", "Lars", "Ines", "Owen", "Zoë",
    "Mateus", "Hannah", "Viktor", "Salma", "Chidi", "Ruth", "Björn", "Noor", "Felix", "Greta",
    "Dario", "Yuki", "Wren", "Anton", "Leila", "Oskar", "Tess", "Ravi", "Mila", "Hugo"};
static const char *const last_names[] = {
    "Falk", "Okafor", "Lindqvist", "Moreau", "Sato", "Iyer", "Brandt", "Castro", "Whitby",
    "Kowal", "Rossi", "Haddad", "Jensen", "Novak", "Silva", "Ahmed", "Berger", "Quinn", "Tanaka",
    "Weiss", "Ortega", "Murphy", "Keller", "Dubois", "Larsen", "Petrov", "Hale", "Mensah",
    "Vidal", "Stone"};
/* Ranges of consumer providers, one country each. */
static const char *const home_nets[] = {
    "73.158.44.%u",  "86.140.12.%u",  "87.150.201.%u", "90.10.55.%u",   "77.170.31.%u",
    "83.40.118.%u",  "79.20.64.%u",   "81.230.7.%u",   "114.150.92.%u", "177.34.210.%u",
    "120.148.33.%u", "99.230.81.%u",  "49.36.17.%u",   "83.8.140.%u",   "85.1.22.%u",
    "187.140.9.%u",  "2003:e7:1f0a:%x::1", "2a00:23c4:71:%x::9", "2601:645:8000:%x::4",
    "2a01:cb00:4d:%x::2"};
static const char *const other_nets[] = {
    "172.58.30.%u", "80.187.96.%u", "92.184.105.%u", "100.84.12.%u", "133.106.40.%u"};

static void make_device(struct rng *r, struct person *p, struct device *d, bool is_mobile)
{
    const struct device_kind *k;
    do
        k = &device_kinds[rng_below(r, ARRAY_LEN(device_kinds))];
    while (k->is_mobile != is_mobile);
    *d = (struct device){.plex_product = k->plex_product, .mb_client = k->mb_client,
                         .platform = k->platform, .platform_version = k->platform_version,
                         .app_version = k->app_version, .most_height = k->most_height,
                         .most_remote_kbps = k->most_remote_kbps, .has_hevc = k->has_hevc,
                         .has_hdr = k->has_hdr, .has_surround = k->has_surround,
                         .has_mkv = k->has_mkv, .is_mobile = k->is_mobile};
    snprintf(d->name, sizeof(d->name), "%.20s's %.30s", p->username, k->name);
    snprintf(d->id, sizeof(d->id), "%016llx%016llx", (unsigned long long)rng_next(r),
             (unsigned long long)rng_next(r));
}

static void make_net(char dst[static 48], const char *const *nets, unsigned n, struct rng *r)
{
    const char *net = nets[rng_below(r, n)];
    const char *hole = strchr(net, '%');
    if (hole[1] == 'u')
        snprintf(dst, 48, "%.*s%u", (int)(hole - net), net, 2 + rng_below(r, 250));
    else
        snprintf(dst, 48, "%.*s%x%s", (int)(hole - net), net, 16 + rng_below(r, 4000), hole + 2);
}

static void make_people(struct world *w)
{
    struct rng r = {mix(w->seed, 1)};
    w->people = xcalloc(w->n_people, sizeof(*w->people));
    for (unsigned i = 0; i < w->n_people; i++) {
        struct person *p = &w->people[i];
        const char *first = first_names[i % ARRAY_LEN(first_names)];
        const char *last = last_names[(i * 7 + i / ARRAY_LEN(first_names)) % ARRAY_LEN(last_names)];
        unsigned lap = i / (unsigned)ARRAY_LEN(first_names);
        snprintf(p->name, sizeof(p->name), "%.24s %.24s", first, last);
        snprintf(p->username, sizeof(p->username), "%.20s%.1s%u", first, last, i + 11 * lap);
        snprintf(p->email, sizeof(p->email), "person%u@example.org", i);
        p->is_local = i < 5;
        p->is_deleted = i == 13;
        p->is_relayed = i % 9 == 7;
        snprintf(p->lan_address, sizeof(p->lan_address), "192.168.1.%u", 20 + i % 200);
        make_net(p->home_address, home_nets, ARRAY_LEN(home_nets), &r);
        make_net(p->other_address, other_nets, ARRAY_LEN(other_nets), &r);
        p->evening_hour = (int)rng_range(&r, 17, 22);
        p->plays_per_week = (unsigned)rng_range(&r, 4, 22);
        p->taste_show = (unsigned)rng_range(&r, 30, 70);
        p->taste_music = (unsigned)rng_range(&r, 0, 25);
        p->show = rng_below(&r, w->n_shows);
        for (unsigned d = 0; d < DEVICES_EACH; d++)
            make_device(&r, p, &p->devices[d], d == 2);
    }
}

static const char *const genres[] = {"Drama", "Comedy", "Thriller", "Science Fiction",
                                     "Documentary", "Animation", "Romance", "Crime", "Adventure",
                                     "Family"};
static const char *const ratings[] = {"G", "PG", "PG-13", "R", "TV-14", "TV-MA"};
static const char *const studios[] = {"Harbour Lane", "Nine Wells Pictures", "Kestrel & Co",
                                      "Tallow Street", "Orbita Film"};
static const char *const adjectives[] = {"Quiet", "Last", "Crooked", "Silver", "Hollow",
                                         "Northern", "Borrowed", "Second", "Distant", "Paper",
                                         "Salt", "Velvet", "Broken", "Midnight", "Amber"};
static const char *const nouns[] = {"Harbour", "Signal", "Orchard", "Winter", "Ledger",
                                    "Lighthouse", "Company", "Garden", "Meridian", "Cartographer",
                                    "Tide", "Station", "Archive", "Letter", "Kingdom"};

static unsigned add_item(struct world *w, enum item_kind kind, int parent, int grandparent,
                         int number, struct rng *r)
{
    unsigned n = w->n_items++;
    struct item *i = &w->items[n];
    *i = (struct item){.kind = kind, .index_in_catalogue = n, .parent = parent,
                       .grandparent = grandparent, .number = number,
                       .year = (int)rng_range(r, 1962, 2025),
                       .genres = {genres[rng_below(r, 5)], genres[5 + rng_below(r, 5)]},
                       .content_rating = ratings[rng_below(r, ARRAY_LEN(ratings))],
                       .studio = studios[rng_below(r, ARRAY_LEN(studios))],
                       .rating_tenths = (int)rng_range(r, 38, 93),
                       .added_days_ago = rng_range(r, 1, 1500), .tmdb = (int)(100000 + n * 7)};
    snprintf(i->title, sizeof(i->title), "The %s %s", adjectives[n % ARRAY_LEN(adjectives)],
             nouns[(n / ARRAY_LEN(adjectives) + n * 3) % ARRAY_LEN(nouns)]);
    return n;
}

enum { MOVIES = 150, SHOWS = 30, ARTISTS = 20, MOST_ITEMS = 6000 };

static void make_catalogue(struct world *w)
{
    struct rng r = {mix(w->seed, 2)};
    w->items = xcalloc(MOST_ITEMS, sizeof(*w->items));
    w->movies = xcalloc(MOVIES, sizeof(unsigned));
    w->shows = xcalloc(SHOWS, sizeof(unsigned));
    w->episodes = xcalloc(MOST_ITEMS, sizeof(unsigned));
    w->tracks = xcalloc(MOST_ITEMS, sizeof(unsigned));
    for (unsigned m = 0; m < MOVIES; m++) {
        unsigned n = add_item(w, ITEM_MOVIE, -1, -1, 0, &r);
        struct item *i = &w->items[n];
        i->duration_ms = rng_range(&r, 4800, 9900) * 1000;
        i->credits_ms = i->duration_ms - rng_range(&r, 180, 480) * 1000;
        i->media = &medias[rng_below(&r, ARRAY_LEN(medias))];
        w->movies[w->n_movies++] = n;
    }
    for (unsigned s = 0; s < SHOWS; s++) {
        unsigned show = add_item(w, ITEM_SHOW, -1, -1, 0, &r);
        snprintf(w->items[show].title, sizeof(w->items[show].title), "%s %s",
                 nouns[s % ARRAY_LEN(nouns)], s < ARRAY_LEN(nouns) ? "Road" : "& Sons");
        w->shows[w->n_shows++] = show;
        int64_t length = rng_range(&r, 21, 58) * 60000;
        const struct media *media = &medias[rng_below(&r, ARRAY_LEN(medias))];
        int seasons = (int)rng_range(&r, 1, 5), per = (int)rng_range(&r, 6, 13);
        for (int z = 1; z <= seasons; z++) {
            unsigned season = add_item(w, ITEM_SEASON, (int)show, -1, z, &r);
            snprintf(w->items[season].title, sizeof(w->items[season].title), "Season %d", z);
            w->items[season].year = w->items[show].year + z - 1;
            for (int e = 1; e <= per; e++) {
                unsigned n = add_item(w, ITEM_EPISODE, (int)season, (int)show, e, &r);
                struct item *i = &w->items[n];
                i->duration_ms = length + rng_range(&r, -90, 90) * 1000;
                i->credits_ms = i->duration_ms - 45000;
                i->media = media;
                i->year = w->items[season].year;
                w->episodes[w->n_episodes++] = n;
            }
        }
    }
    for (unsigned a = 0; a < ARTISTS; a++) {
        unsigned artist = add_item(w, ITEM_ARTIST, -1, -1, 0, &r);
        snprintf(w->items[artist].title, sizeof(w->items[artist].title), "%s %s Band",
                 adjectives[a % ARRAY_LEN(adjectives)], a < 15 ? "Copper" : "Harvest");
        for (int b = 1; b <= 2; b++) {
            unsigned album = add_item(w, ITEM_ALBUM, (int)artist, -1, b, &r);
            for (int t = 1; t <= 9; t++) {
                unsigned n = add_item(w, ITEM_TRACK, (int)album, (int)artist, t, &r);
                struct item *i = &w->items[n];
                i->duration_ms = rng_range(&r, 110, 420) * 1000;
                i->media = &music_medias[rng_below(&r, ARRAY_LEN(music_medias))];
                w->tracks[w->n_tracks++] = n;
            }
        }
    }
}

void world_machine_id(uint64_t seed, unsigned number, bool is_plex, char ret[static 41])
{
    uint64_t salt = mix(seed, 1000 + number);
    snprintf(ret, 41, is_plex ? "%016llx%016llx%08x" : "%016llx%016llx",
             (unsigned long long)mix(salt, 3), (unsigned long long)mix(salt, 4), (unsigned)salt);
}

struct world *world_new(uint64_t seed, unsigned people)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->seed = seed;
    w->n_people = people;
    make_catalogue(w);
    make_people(w);
    return w;
}

void world_free(struct world *w)
{
    if (!w)
        return;
    free(w->people);
    free(w->items);
    free(w->movies);
    free(w->shows);
    free(w->episodes);
    free(w->tracks);
    free(w);
}

bool world_has_account(const struct world *w, unsigned person, unsigned server, unsigned count)
{
    if (person == 0 || server == 0 || (count && person % count == server))
        return true;
    return mix(w->seed ^ 77, person * 64 + server) % 100 < 35;
}

int world_next_episode(const struct world *w, unsigned item)
{
    const struct item *i = &w->items[item];
    for (unsigned n = item + 1; i->kind == ITEM_EPISODE && n < w->n_items; n++)
        if (w->items[n].kind == ITEM_EPISODE)
            return w->items[n].grandparent == i->grandparent ? (int)n : -1;
        else if (w->items[n].kind != ITEM_SEASON)
            break;
    return -1;
}

struct route world_route(const struct world *w, unsigned person, unsigned device, struct rng *r)
{
    const struct person *p = &w->people[person];
    struct route out = {0};
    bool is_out = p->devices[device].is_mobile && rng_chance(r, 55);
    if (p->is_local && !is_out) {
        out.is_lan = true;
        snprintf(out.address, sizeof(out.address), "%s", p->lan_address);
        snprintf(out.public_address, sizeof(out.public_address), "%s",
                 w->people[0].home_address);
    } else if (p->is_relayed) {
        out.is_relayed = true;
        snprintf(out.address, sizeof(out.address), "127.0.0.1");
        snprintf(out.public_address, sizeof(out.public_address), "%s", p->home_address);
    } else {
        snprintf(out.address, sizeof(out.address), "%s", is_out ? p->other_address
                                                                : p->home_address);
        if (strncmp(out.address, "100.", 4) != 0)
            snprintf(out.public_address, sizeof(out.public_address), "%.47s", out.address);
    }
    return out;
}

struct decision world_decide(const struct item *i, const struct device *d, bool is_lan)
{
    const struct media *m = i->media;
    struct decision out = {.width = m->width, .height = m->height, .bitrate_kbps = m->bitrate_kbps,
                           .channels = m->channels, .container = m->container,
                           .video_codec = m->video_codec, .audio_codec = m->audio_codec,
                           .resolution = m->resolution};
    if (!m->video_codec) {
        if (streq(m->audio_codec, "flac") && !is_lan && d->is_mobile) {
            out.method = out.audio = METHOD_TRANSCODE;
            out.audio_codec = out.container = "opus";
            out.bitrate_kbps = 192;
            out.reason = "ContainerBitrateExceedsLimit";
        }
        return out;
    }
    bool is_hevc = streq(m->video_codec, "hevc") || streq(m->video_codec, "av1");
    bool is_old = streq(m->video_codec, "mpeg4");
    bool is_surround_only = streq(m->audio_codec, "truehd") || streq(m->audio_codec, "dca") ||
                            streq(m->audio_codec, "eac3") || streq(m->audio_codec, "ac3");
    int most = is_lan ? 200000 : d->most_remote_kbps;
    if ((is_hevc && !d->has_hevc) || is_old)
        out.reason = "VideoCodecNotSupported";
    else if (!streq(m->range, "SDR") && !d->has_hdr)
        out.reason = "VideoRangeTypeNotSupported";
    else if (m->height > d->most_height)
        out.reason = "VideoResolutionNotSupported";
    else if (m->bitrate_kbps > most)
        out.reason = "ContainerBitrateExceedsLimit";
    if (out.reason) {
        out.method = out.video = METHOD_TRANSCODE;
        out.audio = d->has_surround ? METHOD_COPY : METHOD_TRANSCODE;
        bool is_small = most < 8000;
        out.video_codec = "h264";
        out.height = is_small ? 480 : m->height > 1080 ? 1080 : m->height;
        out.width = m->width * out.height / m->height / 2 * 2;
        out.resolution = is_small ? "480" : m->height > 1080 ? "1080" : m->resolution;
        out.bitrate_kbps = is_small ? 2000 : most < 12000 ? most : 10000;
        out.container = "mkv";
    } else if (is_surround_only && !d->has_surround) {
        out.method = METHOD_COPY;
        out.video = METHOD_COPY;
        out.audio = METHOD_TRANSCODE;
        out.container = "mp4";
        out.reason = "AudioCodecNotSupported";
    } else if (streq(m->container, "mkv") && !d->has_mkv) {
        out.method = out.video = out.audio = METHOD_COPY;
        out.container = "mp4";
        out.reason = "ContainerNotSupported";
    }
    if (out.audio == METHOD_TRANSCODE) {
        out.audio_codec = "aac";
        out.channels = 2;
    }
    return out;
}

unsigned world_pick(const struct world *w, unsigned person, struct rng *r)
{
    const struct person *p = &w->people[person];
    if (rng_chance(r, p->taste_music))
        return w->tracks[rng_below(r, w->n_tracks)];
    if (rng_chance(r, p->taste_show)) {
        /* Mostly the show they are in the middle of. */
        unsigned start = rng_chance(r, 70) ? p->show * w->n_episodes / w->n_shows
                                           : rng_below(r, w->n_episodes);
        return w->episodes[(start + rng_below(r, 20)) % w->n_episodes];
    }
    /* A few films are watched by everybody: the square leans towards the front. */
    uint64_t a = rng_below(r, 1000), b = rng_below(r, 1000);
    return w->movies[a * b * w->n_movies / 1000000];
}
