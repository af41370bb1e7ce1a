#include "golden.h"

#include <stdio.h>

#include "store/append.h"

/* splitmix64: the same numbers everywhere. */
static uint64_t seed;
static uint64_t next(void)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static int64_t between(int64_t least, int64_t most)
{
    return least + (int64_t)(next() % (uint64_t)(most - least + 1));
}

static bool chance(int percent)
{
    return between(1, 100) <= percent;
}

static const char *one_of(const char *const *texts, size_t count)
{
    return texts[between(0, (int64_t)count - 1)];
}
#define ONE_OF(...) \
    one_of((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

/* --- the small tables ------------------------------------------------------------------------ */

static void make_titles(struct world *w)
{
    static const char *const shows[SHOWS] = {"Alpha",      "Beta, Two",  "Gamma\\G", "Delta",
                                             "100% Epsilon", "Zeta_z",   "Eta",      "Théta"};
    for (int i = 1; i <= TITLES; i++) {
        struct w_title *t = &w->titles[i];
        int kind = i % 20;
        t->media_type = kind < 7 ? "movie" : kind < 16 ? "episode" : kind < 19 ? "track" : "live";
        bool has_show = streq(t->media_type, "episode") || streq(t->media_type, "track");
        t->show = has_show && !chance(4) ? shows[between(0, SHOWS - 1)] : NULL;
        t->year = streq(t->media_type, "movie") && !chance(10) ? (int)between(1950, 2025) : 0;
        if (streq(t->media_type, "episode") && !chance(5)) {
            t->season = (int)between(1, 3);
            t->episode = (int)between(1, 5);
        }
        t->rating = chance(20) ? NULL : ONE_OF("PG", "R", "TV-MA");
        static const char *const genres[] = {"Drama", "Comedy", "Crime", "Film-Noir"};
        for (size_t g = 0; g < ARRAY_LEN(genres) && t->genre_count < GENRES_MAX; g++)
            if (chance(30))
                t->genres[t->genre_count++] = genres[g];
        /* Some bear the same name. */
        snprintf(t->title, sizeof t->title, "Title %d", i % 120);
        snprintf(t->full, sizeof t->full, "%s%s%s", t->show ? t->show : "", t->show ? " - " : "",
                 t->title);
    }
}

static void make_tables(struct world *w)
{
    for (int i = 1; i <= SERVERS; i++)
        w->servers[i] = (struct w_server){i != 3, 52.5 - i * 20, 13.4 + i * 60};
    for (int i = 1; i <= ACCOUNTS; i++)
        w->accounts[i] = (struct w_account){1 + i % SERVERS, i == ACCOUNTS ? 0 : 1 + i % PEOPLE};
    make_titles(w);
    for (int i = 1; i <= DEVICES; i++)
        w->devices[i] = (struct w_device){
            i % 9 ? ONE_OF("TV", "Phone", "Web") : NULL,
            i % 7 ? ONE_OF("Android", "iOS", "Chrome", "Roku") : NULL,
            i % 8 ? ONE_OF("App", "Web") : NULL, i % 5 ? ONE_OF("1.0", "1.1", "2.0") : NULL};
    for (int i = 1; i <= QUALITIES; i++)
        w->qualities[i] = (struct w_quality){
            .decision = i % 8 ? ONE_OF("direct play", "copy", "transcode") : NULL,
            .video = i % 5 ? ONE_OF("direct play", "copy", "transcode") : NULL,
            .audio = i % 6 ? ONE_OF("direct play", "copy", "transcode") : NULL,
            .subtitle = i % 2 ? ONE_OF("burn", "copy", "transcode") : NULL,
            .container = i % 7 ? ONE_OF("mkv", "mp4") : NULL,
            .stream_container = i % 4 ? ONE_OF("mkv", "mp4", "mpegts") : NULL,
            .resolution = i % 5 ? ONE_OF("4k", "1080", "720", "sd") : NULL,
            .video_codec = i % 6 ? ONE_OF("h264", "hevc", "h265", "av1", "x") : NULL,
            .range = i % 4 ? ONE_OF("SDR", "HDR10", "Dolby Vision") : NULL,
            .framerate = i % 5 ? ONE_OF("24p", "PAL", "NTSC", "60p", "30p") : NULL,
            .audio_codec = i % 7 ? ONE_OF("aac", "dca", "dts", "dca-ma", "eac3", "z") : NULL,
            .audio_language = i % 3 ? ONE_OF("en", "de") : NULL,
            .subtitle_codec = i % 3 ? NULL : ONE_OF("srt", "pgs"),
            .subtitle_language = i % 3 || i % 2 ? NULL : ONE_OF("en", "fr"),
            .stream_video_codec = i % 4 ? ONE_OF("h264", "hevc") : NULL,
            .stream_resolution = i % 4 ? ONE_OF("1080", "720", "480", "sd") : NULL,
            .stream_range = i % 3 ? ONE_OF("SDR", "HDR10") : NULL,
            .stream_audio_codec = i % 5 ? ONE_OF("aac", "opus") : NULL,
            .hw_decode = i % 3 ? NULL : ONE_OF("vaapi", "nvdec"),
            .hw_encode = i % 2 ? NULL : ONE_OF("vaapi", "nvenc"),
            .reasons = i % 2 ? NULL
                             : ONE_OF("VideoCodecNotSupported AudioCodecNotSupported",
                                      "ContainerBitrateExceedsLimit", "SubtitleCodecNotSupported",
                                      "VideoBitrateNotSupported ContainerBitrateExceedsLimit",
                                      "DirectPlayError"),
            .channels = i % 5 ? (int)between(1, 8) : 0,
            .stream_channels = i % 6 ? (int)between(1, 2) : 0};
    for (int i = 1; i <= PLACES; i++) {
        struct w_place *p = &w->places[i];
        static const char *const names[][2] = {
            {"AA", "Aland"}, {"BB", "Bland"}, {"CC", NULL}, {"DD", "Dland"}};
        p->country_code = i % 11 ? names[i % 4][0] : NULL;
        p->country = i % 11 ? names[i % 4][1] : NULL;
        p->region = i % 3 ? ONE_OF("North", "South") : NULL;
        if (i % 6) /* two of each name */
            snprintf(p->city, sizeof p->city, "City %d", i % 12);
        p->latitude = (double)between(-8000, 8000) / 100;
        p->longitude = (double)between(-18000, 18000) / 100;
    }
    for (int i = 1; i <= ADDRESSES; i++) {
        bool is_public = i % 4 != 0;
        w->addresses[i] = (struct w_address){
            is_public ? "public" : ONE_OF("lan", "relay", "tailscale", "unknown"),
            is_public && i % 10 ? (int)between(1, PLACES) : 0};
    }
}

/* --- plays ----------------------------------------------------------------------------------- */

/* Breaks the watch time into stretches somewhere between start and end. */
static void make_spans(struct w_segment *g, int64_t length)
{
    size_t stretches = (size_t)between(1, SPANS_MAX / 2);
    int64_t slice = length / (int64_t)stretches, watch = 0;
    for (size_t i = 0; i < stretches; i++) {
        int64_t from = g->started + (int64_t)i * slice + between(0, slice / 4);
        int64_t to = g->started + ((int64_t)i + 1) * slice - between(0, slice / 4);
        g->spans[g->span_count++] = from;
        g->spans[g->span_count++] = to;
        watch += to - from;
    }
    g->watch_ms = watch / US_PER_MS;
}

static struct w_segment make_segment(int64_t id, int64_t started, int64_t length)
{
    struct w_segment g = {.id = id, .started = started, .ended = started + length};
    g.device = chance(5) ? 0 : (int)between(1, DEVICES);
    g.quality = chance(5) ? 0 : (int)between(1, QUALITIES);
    g.address = chance(8) ? 0 : chance(1) ? ADDRESSES + 1 : (int)between(1, ADDRESSES);
    g.bandwidth_kbps = chance(20) ? -1 : chance(2) ? 0 : between(1, 20000);
    g.stream_kbps = chance(30) ? -1 : between(200, 20000);
    g.source_kbps = chance(20) ? -1 : between(100, 90000);
    g.paused_ms = chance(60) ? 0 : between(1, 600000);
    g.secure = (int)between(-1, 1);
    g.relayed = (int)between(-1, 1);
    g.location = chance(40) ? NULL : ONE_OF("lan", "wan", "cellular");
    if (chance(60))
        make_spans(&g, length);
    else
        g.watch_ms = length / US_PER_MS * between(50, 100) / 100;
    return g;
}

static void fill_play(const struct world *w, struct w_play *p)
{
    bool is_live = streq(w->titles[p->title].media_type, "live");
    p->duration_ms = is_live || chance(5) ? -1 : between(20, 180) * 60 * 1000;
    p->position_ms = -1;
    p->percent = -1;
    p->is_watched = 0;
    if (streq(p->kind, "view")) {
        p->duration_ms = -1;
        p->is_watched = chance(50) ? 1 : -1;
        return;
    }
    if (p->duration_ms > 0 && !chance(4)) {
        p->position_ms = between(0, p->duration_ms);
        p->percent = 100.0 * (double)p->position_ms / (double)p->duration_ms;
        p->is_watched = p->percent >= 85;
    }
}

static void make_play(struct world *w, struct w_play *p, int64_t id, int64_t started)
{
    p->id = id;
    p->started = p->ended = started;
    p->account = (int)between(1, ACCOUNTS);
    p->title = (int)between(1, TITLES);
    p->library = chance(6) ? 0 : 1 + p->title % 5;
    p->kind = chance(5) ? "view" : chance(3) ? "extra" : "play";
    p->hidden_by = chance(3) ? "deleted" : chance(1) ? "superseded" : NULL;
    p->is_short = chance(4) && streq(p->kind, "play");
    p->segments = &w->segments[w->segment_count];
    bool is_view = streq(p->kind, "view");
    size_t count = is_view ? 0 : chance(85) ? 1 : (size_t)between(2, 3);
    for (size_t i = 0; i < count; i++) {
        int64_t length = p->is_short ? between(1, 100) * US_PER_S : between(2, 150) * US_PER_MIN;
        int64_t at = i == 0 ? started : p->ended + between(1, 20) * US_PER_HOUR;
        struct w_segment *g = &w->segments[w->segment_count++];
        *g = make_segment(id * 4 + (int64_t)i, at + (i ? between(0, 999) : 0), length);
        g->position_ms = chance(10) ? -1 : between(0, 7200000);
        p->watch_ms += g->watch_ms;
        p->ended = g->ended;
        p->segment_count++;
    }
    p->is_open = !is_view && chance(1);
    p->watch_ms += chance(1) ? 36000000 : 0; /* more than there is time for */
    fill_play(w, p);
}

/* Somebody else watches the same, or the same person goes on with the show. */
static void make_follow(struct world *w, struct w_play *p, const struct w_play *of)
{
    bool is_party = chance(40) || !w->titles[of->title].show;
    int64_t least = is_party ? -20 : 20, most = is_party ? 20 : 420;
    make_play(w, p, (p - w->plays) + 1, of->started + between(least, most) * US_PER_MIN);
    if (is_party)
        p->title = of->title;
    else
        p->account = of->account;
    for (int i = of->title + 1; !is_party && i <= TITLES; i++) {
        const struct w_title *t = &w->titles[i];
        if (t->show && streq(t->show, w->titles[of->title].show) &&
            streq(t->media_type, w->titles[of->title].media_type)) {
            p->title = i;
            break;
        }
    }
    p->library = p->library ? 1 + p->title % 5 : 0;
}

static void make_pauses(struct world *w, const struct w_play *p, const struct w_segment *g)
{
    int64_t at = g->started, count = between(1, 3), slice = (g->ended - g->started) / count;
    for (int64_t i = 0; i < count; i++, at += slice) {
        int64_t from = at + between(1, slice / 2), to = from + between(1, slice / 3);
        bool has_end = i + 1 < count || chance(70);
        w->pauses[w->pause_count++] = (struct w_pause){
            .play = p, .segment = g, .started = from, .ended = has_end ? to : g->ended,
            .position_ms = chance(10) ? -1 : between(0, 7200000), .is_told_twice = chance(20),
            .has_end = has_end};
    }
}

static void make_coverage(struct world *w)
{
    for (int server = 1; server <= SERVERS; server++) {
        int64_t at = INT64_C(1760000000) * US_PER_S + server * US_PER_HOUR;
        static const char *const states[] = {"connected", "polling", "blind"};
        for (int i = 0; i < 11; i++) {
            int64_t length = between(10, 400) * US_PER_HOUR;
            w->coverage[w->coverage_count++] = (struct w_coverage){
                server, at, i == 10 ? TIME_NONE : at + length, states[between(0, 2)]};
            at += length;
        }
    }
}

/* After all else, so that it is as if they were not there. */
static void make_items(struct world *w)
{
    for (int i = TITLES + 1; i <= TITLES + UNPLAYED; i++) {
        struct w_title *t = &w->titles[i];
        t->media_type = i % 3 ? "movie" : "track";
        t->year = i % 4 ? (int)between(1950, 2025) : 0;
        snprintf(t->title, sizeof t->title, "Unseen %d", i % 30);
        snprintf(t->full, sizeof t->full, "%s", t->title);
    }
    for (int i = 0; i < ITEMS; i++) {
        struct w_item *t = &w->items[i];
        int64_t age = chance(60) ? between(0, 400) : between(100, 200);
        *t = (struct w_item){.server = 1 + i % SERVERS,
                             .title = (int)between(1, TITLES + UNPLAYED),
                             .added = w->now - age * US_PER_DAY + between(0, 80000) * US_PER_S,
                             .removed = TIME_NONE,
                             .size_bytes = chance(5) ? -1 : between(1000000, 60000000000),
                             .duration_ms = chance(5) ? -1 : between(1, 9000000)};
        t->library = chance(5) ? 0 : t->server == 1 ? 1 + t->title % 5 : 4 + t->server;
        int64_t there_s = (w->now - t->added) / US_PER_S;
        if (chance(12))
            t->removed = t->added + between(0, there_s > 0 ? there_s : 0) * US_PER_S;
        if (chance(4))
            t->added = TIME_NONE;
    }
}

enum { FOLLOWS = 700 };

/* From October 2025 to April 2026: both zones' changes of the clock and a year's end. */
void world_make(struct world *w)
{
    seed = 20260324;
    *w = (struct world){.now = INT64_C(1775815200) * US_PER_S}; /* 2026-04-10 10:00 */
    w->segments = xcalloc(PLAYS * 3, sizeof *w->segments);
    w->pauses = xcalloc(PLAYS * 9, sizeof *w->pauses);
    make_tables(w);
    int64_t at = INT64_C(1760918400) * US_PER_S; /* 2025-10-20 */
    for (int i = 0; i < PLAYS - FOLLOWS; i++) {
        bool is_twin = i > 0 && chance(2);
        at += is_twin ? 0 : between(1, 96) * US_PER_MIN + between(0, 59999999);
        struct w_play *p = &w->plays[w->play_count++];
        make_play(w, p, i + 1, at);
        if (is_twin) {
            p->account = p[-1].account;
            p->title = p[-1].title;
        }
    }
    for (int i = 0; i < FOLLOWS; i++) {
        /* Of the newest, too, so that runs become long. */
        size_t of = (size_t)between(0, (int64_t)w->play_count - 1);
        if (chance(50))
            of = w->play_count - (size_t)between(1, 3);
        struct w_play *p = &w->plays[w->play_count++];
        make_follow(w, p, &w->plays[of]);
    }
    for (size_t i = 0; i < w->play_count; i++)
        for (size_t k = 0; k < w->plays[i].segment_count; k++)
            if (w->plays[i].segments[k].span_count && chance(40))
                make_pauses(w, &w->plays[i], &w->plays[i].segments[k]);
    make_coverage(w);
    make_items(w);
}

void world_free(struct world *w)
{
    free(w->pauses);
    free(w->segments);
}

/* --- into the store -------------------------------------------------------------------------- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

static enum status write_segments(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "segment", &a, err));
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        for (size_t k = 0; k < p->segment_count; k++) {
            const struct w_segment *g = &p->segments[k];
            append_int(a, g->id);
            append_int(a, p->id);
            append_text(a, g->span_count ? "live" : "import");
            append_id(a, server_of(w, p));
            append_id(a, p->account);
            append_id(a, p->title);
            append_id(a, p->library);
            append_id(a, g->device);
            append_id(a, g->quality);
            append_id(a, g->address);
            append_time(a, g->started);
            append_time(a, g->ended);
            for (int n = 0; n < 3; n++) /* watch_ms and its bounds */
                append_int(a, g->watch_ms);
            append_int(a, g->paused_ms);
            append_known(a, 0);
            append_known(a, g->position_ms);
            append_known(a, p->duration_ms);
            append_null(a);
            append_text(a, or_empty(g->location));
            append_known_bool(a, g->secure);
            append_known_bool(a, g->relayed);
            append_known32(a, g->bandwidth_kbps);
            append_known32(a, g->source_kbps);
            append_known32(a, g->stream_kbps);
            append_bool(a, p->is_open && k + 1 == p->segment_count);
            append_bool(a, false);
            if (g->span_count)
                append_list(a, g->spans, g->span_count);
            else
                append_null(a);
            append_text(a, w->titles[p->title].media_type);
            append_text(a, p->kind);
            append_bool(a, p->is_short);
            append_bool(a, p->hidden_by);
            append_text(a, or_empty(p->hidden_by));
            append_time(a, p->started);
            append_bool(a, p->segment_count == 1);
            TRY(append_row(a, err));
        }
    }
    return append_close(a, err);
}

static int64_t paused_of(const struct w_play *p)
{
    int64_t sum = 0;
    for (size_t k = 0; k < p->segment_count; k++)
        sum += p->segments[k].paused_ms;
    return sum;
}

static enum status write_state(duckdb_appender a, int64_t id, const struct w_pause *pause,
                               const char *state, int64_t from, int64_t to, struct error *err)
{
    append_int(a, id);
    append_int(a, pause->segment->id);
    append_text(a, state);
    append_time(a, from);
    for (int n = 0; n < 3; n++) /* last seen, at the first position, moved */
        append_time(a, to);
    append_known(a, pause->position_ms);
    append_known(a, pause->position_ms);
    append_int(a, 0);
    append_bool(a, false);
    append_null(a);
    return append_row(a, err);
}

/* What was seen of the segments that were paused. */
static enum status write_observations(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "observation", &a, err));
    int64_t id = 1;
    for (size_t i = 0; i < w->pause_count; i++) {
        const struct w_pause *p = &w->pauses[i];
        int64_t middle = p->started + (p->ended - p->started) / 2;
        if (i == 0 || w->pauses[i - 1].segment != p->segment)
            TRY(write_state(a, id++, p, "playing", p->segment->started, p->started - 1, err));
        TRY(write_state(a, id++, p, "paused", p->started, middle, err));
        if (p->is_told_twice)
            TRY(write_state(a, id++, p, "paused", middle, p->ended - 1, err));
        if (p->has_end)
            TRY(write_state(a, id++, p, i % 7 ? "playing" : "buffering", p->ended, p->ended, err));
    }
    return append_close(a, err);
}

static enum status write_plays(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "play", &a, err));
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        append_int(a, p->id);
        append_text(a, p->kind);
        append_text(a, "live");
        append_id(a, server_of(w, p));
        append_id(a, p->account);
        append_id(a, p->title);
        append_id(a, p->library);
        append_text(a, w->titles[p->title].media_type);
        append_time(a, p->started);
        append_time(a, p->ended);
        for (int n = 0; n < 3; n++)
            append_int(a, p->watch_ms);
        append_int(a, paused_of(p));
        append_known(a, p->position_ms);
        append_known(a, p->duration_ms);
        if (p->percent >= 0)
            duckdb_append_double(a, p->percent);
        else
            append_null(a);
        append_known_bool(a, p->is_watched);
        append_bool(a, p->is_short);
        append_bool(a, p->is_open);
        append_known32(a, (int64_t)p->segment_count);
        append_bool(a, p->hidden_by);
        append_text(a, or_empty(p->hidden_by));
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

static enum status write_titles(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "title", &a, err));
    for (int i = 1; i <= TITLES + UNPLAYED; i++) {
        const struct w_title *t = &w->titles[i];
        append_int(a, i);
        append_text(a, t->media_type);
        append_text(a, t->title);
        append_null(a);
        append_text(a, or_empty(t->show));
        append_id(a, t->season);
        append_id(a, t->episode);
        append_id(a, t->year);
        append_null(a); /* duration */
        append_text(a, or_empty(t->rating));
        append_null(a); /* genres: below */
        append_text(a, t->full);
        TRY(append_row(a, err));
    }
    TRY(append_close(a, err));
    auto_buf struct buf sql = {0};
    for (int i = 1; i <= TITLES + UNPLAYED; i++) {
        const struct w_title *t = &w->titles[i];
        if (!t->genre_count && i % 2)
            continue; /* neither null nor an empty list is known */
        buf_printf(&sql, "update title set genres = [");
        for (size_t g = 0; g < t->genre_count; g++)
            buf_printf(&sql, "%s'%s'", g ? ", " : "", t->genres[g]);
        buf_printf(&sql, "] where title_id = %d;", i);
    }
    return store_exec(c, buf_text(&sql), err);
}

/* A quality's texts, in the order of the columns they go to. */
static enum status write_qualities(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_buf struct buf sql = {0};
    for (int i = 1; i <= QUALITIES; i++) {
        const struct w_quality *q = &w->qualities[i];
        const char *const texts[] = {
            q->decision, q->video, q->audio, q->subtitle, q->container, q->stream_container,
            q->resolution, q->video_codec, q->range, q->framerate, q->audio_codec,
            q->audio_language, q->subtitle_codec, q->subtitle_language, q->stream_video_codec,
            q->stream_resolution, q->stream_range, q->stream_audio_codec, q->hw_decode,
            q->hw_encode, q->reasons};
        buf_puts(&sql, "insert into quality (transcode_decision, video_decision, audio_decision,"
                       " subtitle_decision, container, stream_container, video_resolution,"
                       " video_codec, video_dynamic_range, video_framerate, audio_codec,"
                       " audio_language, subtitle_codec, subtitle_language, stream_video_codec,"
                       " stream_video_resolution, stream_video_dynamic_range, stream_audio_codec,"
                       " hw_decode, hw_encode, transcode_reasons, audio_channels,"
                       " stream_audio_channels, quality_id) values (");
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            buf_printf(&sql, "nullif('%s', ''), ", or_empty(texts[k]));
        buf_printf(&sql, "nullif(%d, 0), nullif(%d, 0), %d);", q->channels, q->stream_channels, i);
    }
    return store_exec(c, buf_text(&sql), err);
}

/* The small ones, as SQL. */
static enum status write_tables(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_buf struct buf sql = {0};
    for (int i = 1; i <= SERVERS; i++) {
        buf_printf(&sql, "insert into server (server_id, key, kind, name, machine_id, version,"
                         " latitude, longitude) values (%d, 's-%d', 'plex', 'Server %d', null, null, ",
                   i, i, i);
        if (w->servers[i].has_place)
            buf_printf(&sql, "%.17g, %.17g);", w->servers[i].latitude, w->servers[i].longitude);
        else
            buf_puts(&sql, "null, null);");
    }
    for (int i = 1; i <= PEOPLE; i++)
        buf_printf(&sql, "insert into person values (%d, 'Person %d');", i, i);
    for (int i = 1; i <= ACCOUNTS; i++)
        buf_printf(&sql, "insert into account (account_id, server_id, key, name, email,"
                         " is_owner, person_id) values (%d, %d, 'a%d', 'A', null, false, "
                         "nullif(%d, 0));", i, w->accounts[i].server, i, w->accounts[i].person);
    for (int i = 1; i <= LIBRARIES; i++)
        buf_printf(&sql, "insert into library values (%d, %d, 'l%d', 'L', 'movie');", i,
                   i > 5 ? i - 4 : 1, i);
    for (int i = 1; i <= DEVICES; i++) {
        const struct w_device *d = &w->devices[i];
        buf_printf(&sql, "insert into device values (%d, 'm', nullif('%s', ''), nullif('%s', ''), "
                         "nullif('%s', ''), nullif('%s', ''), '1');", i, or_empty(d->player),
                   or_empty(d->product), or_empty(d->version), or_empty(d->platform));
    }
    for (int i = 1; i <= PLACES; i++) {
        const struct w_place *p = &w->places[i];
        buf_printf(&sql, "insert into place values (%d, nullif('%s', ''), nullif('%s', ''), "
                         "nullif('%s', ''), nullif('%s', ''), %.17g, %.17g);", i,
                   or_empty(p->country_code), or_empty(p->country), or_empty(p->region), p->city,
                   p->latitude, p->longitude);
    }
    for (int i = 1; i <= ADDRESSES; i++)
        buf_printf(&sql, "insert into address values (%d, '1.2.3.%d', '%s', nullif(%d, 0));", i, i,
                   w->addresses[i].class, w->addresses[i].place);
    for (size_t i = 0; i < w->coverage_count; i++) {
        const struct w_coverage *v = &w->coverage[i];
        buf_printf(&sql, "insert into coverage values (%d, make_timestamp(%lld), ", v->server,
                   (long long)v->started);
        if (v->ended == TIME_NONE)
            buf_printf(&sql, "null, '%s', null);", v->state);
        else
            buf_printf(&sql, "make_timestamp(%lld), '%s', null);", (long long)v->ended, v->state);
    }
    return store_exec(c, buf_text(&sql), err);
}

static enum status write_items(const struct world *w, struct store_conn *c, struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, NULL, "item", &a, err));
    for (int i = 0; i < ITEMS; i++) {
        const struct w_item *t = &w->items[i];
        char key[16];
        snprintf(key, sizeof key, "i%d", i);
        append_id(a, t->server);
        append_text(a, key);
        append_id(a, t->title);
        append_id(a, t->library);
        append_null(a); /* file_key */
        append_time(a, t->added);
        append_time(a, w->now);
        append_time(a, w->now);
        append_time(a, t->removed);
        append_known(a, t->size_bytes);
        append_known(a, t->duration_ms);
        for (int n = 0; n < 6; n++) /* what the file is */
            append_null(a);
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

enum status world_write(const struct world *w, struct store_conn *c, struct error *err)
{
    TRY(write_tables(w, c, err));
    TRY(write_qualities(w, c, err));
    TRY(write_titles(w, c, err));
    TRY(write_items(w, c, err));
    TRY(write_observations(w, c, err));
    TRY(write_plays(w, c, err));
    return write_segments(w, c, err);
}
