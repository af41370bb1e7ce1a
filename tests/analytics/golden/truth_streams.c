/* The truth of the queries about what is streamed: quality and its other names,
 * resolution-mismatch, bitrate. */
#include "golden.h"

#include <math.h>
#include <stdio.h>

enum { VALUES_MAX = 64 };

/* What is counted for one value; its name is a text that tells it apart, NULL: unknown. */
struct tally {
    char *name;
    int64_t plays, told, finished;
    double watch_us;
    bool people[PEOPLE + 1];
};

struct tallies {
    struct tally all[VALUES_MAX];
    size_t count;
};

static struct tally *tally_of(struct tallies *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++) {
        const char *own = t->all[i].name;
        if (own == name || (own && name && streq(own, name)))
            return &t->all[i];
    }
    if (t->count == VALUES_MAX)
        abort();
    struct tally *v = &t->all[t->count++];
    *v = (struct tally){.name = name ? xstrdup(name) : NULL};
    return v;
}

static void tallies_done(struct tallies *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->all[i].name);
    *t = (struct tallies){0};
}

static int64_t people_of(const struct tally *t)
{
    int64_t n = 0;
    for (int i = 1; i <= PEOPLE; i++)
        n += t->people[i];
    return n;
}

/* The value of a segment (NULL: a play without one); what it returns may lie in `room`. */
enum { ROOM = 64 };
typedef const char *value_fn(const struct selection *s, const struct w_segment *g, char room[ROOM]);

static void count_play(const struct selection *s, const struct w_play *p, value_fn *value,
                       struct tallies *ret)
{
    const struct world *w = s->world;
    bool is_selected = selects_play(s, p), is_counted[VALUES_MAX] = {0};
    for (size_t k = 0; k < (p->segment_count ? p->segment_count : 1); k++) {
        const struct w_segment *g = p->segment_count ? &p->segments[k] : NULL;
        char room[ROOM];
        if (g ? !selects_segment(s, g) || (!is_selected && !overlaps(s, g)) : !is_selected)
            continue;
        struct tally *t = tally_of(ret, value(s, g, room));
        t->people[person_of(w, p)] = true;
        t->watch_us += g && overlaps(s, g) ? watch_selected(s, g) : 0;
        if (!is_selected || is_counted[t - ret->all])
            continue;
        is_counted[t - ret->all] = true;
        t->plays++;
        if (g && !p->is_open && p->percent >= 0) {
            t->told++;
            t->finished += p->is_watched == 1;
        }
    }
}

static void count_all(const struct selection *s, value_fn *value, bool has_music,
                      struct tallies *ret)
{
    const struct world *w = s->world;
    *ret = (struct tallies){0};
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (selects_kind(s, p) && (has_music || !streq(w->titles[p->title].media_type, "track")))
            count_play(s, p, value, ret);
    }
}

static double known_watch(const struct tallies *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->count; i++)
        sum += t->all[i].name ? t->all[i].watch_us : 0;
    return sum;
}

/* --- quality --------------------------------------------------------------------------------- */

static const char *codec(const char *raw)
{
    static const char *const names[][2] = {
        {"h264", "H.264"}, {"hevc", "HEVC"}, {"h265", "HEVC"},      {"av1", "AV1"},
        {"aac", "AAC"},    {"dca", "DTS"},   {"dts", "DTS"},        {"dca-ma", "DTS-HD MA"},
        {"opus", "Opus"},  {"eac3", "Dolby Digital Plus"}};
    for (size_t i = 0; raw && i < ARRAY_LEN(names); i++)
        if (streq(raw, names[i][0]))
            return names[i][1];
    return raw;
}

static const char *channels(int n, char room[ROOM])
{
    if (n == 1 || n == 2)
        return n == 1 ? "mono" : "stereo";
    if (n == 6 || n == 8)
        return n == 6 ? "5.1" : "7.1";
    snprintf(room, ROOM, "%d channels", n);
    return n ? room : NULL;
}

static const char *framerate(const char *raw)
{
    return !raw ? NULL : streq(raw, "PAL") ? "25p" : streq(raw, "NTSC") ? "30p" : raw;
}

static const char *subtitle(const struct w_quality *q, const char *own)
{
    if (q->subtitle || q->subtitle_codec || q->subtitle_language)
        return own;
    return q->video ? "none" : NULL;
}

static const char *of_quality(const char *of, const struct w_quality *q, char room[ROOM])
{
    const char *const plain[][2] = {
        {"resolution", q->resolution},       {"range", q->range},
        {"audio-language", q->audio_language}, {"container", q->container},
        {"stream-resolution", q->stream_resolution}, {"stream-range", q->stream_range},
        {"stream-container", q->stream_container},
        {"video-codec", codec(q->video_codec)}, {"audio-codec", codec(q->audio_codec)},
        {"stream-video-codec", codec(q->stream_video_codec)},
        {"stream-audio-codec", codec(q->stream_audio_codec)},
        {"frame-rate", framerate(q->framerate)},
        {"subtitle-codec", subtitle(q, q->subtitle_codec)},
        {"subtitle-language", subtitle(q, q->subtitle_language)},
        {"subtitle-decision", subtitle(q, q->subtitle)}};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (streq(plain[i][0], of))
            return plain[i][1];
    return channels(streq(of, "audio-channels") ? q->channels : q->stream_channels, room);
}

static const char *default_of;

static const char *quality_value(const struct selection *s, const struct w_segment *g,
                                 char room[ROOM])
{
    const char *of = param_of(s, "of", default_of);
    if (!g)
        return NULL;
    if (streq(of, "location"))
        return g->location;
    if (streq(of, "secure"))
        return g->secure < 0 ? NULL : g->secure ? "secure" : "not secure";
    if (streq(of, "relayed"))
        return g->relayed < 0 ? NULL : g->relayed ? "relayed" : "direct";
    return of_quality(of, &s->world->qualities[g->quality], room);
}

static json_t *quality_as(const struct selection *s, const char *otherwise)
{
    static const char with_music[] = " audio-codec audio-channels audio-language container"
                                     " stream-audio-codec stream-audio-channels stream-container"
                                     " secure relayed location ";
    struct tallies all;
    default_of = otherwise;
    auto_free char *word = xasprintf(" %s ", param_of(s, "of", otherwise));
    count_all(s, quality_value, strstr(with_music, word), &all);
    double known = known_watch(&all);
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) {
        const struct tally *t = &all.all[i];
        add_row(rows, "siiiFF", t->name, t->plays, people_of(t), (int64_t)(t->watch_us / 1000),
                t->name && known > 0 ? t->watch_us / known : NAN,
                t->told ? (double)t->finished / (double)t->told : NAN);
    }
    tallies_done(&all);
    return rows;
}

static json_t *quality(const struct selection *s)
{
    return quality_as(s, "resolution");
}

static json_t *codecs(const struct selection *s)
{
    return quality_as(s, "video-codec");
}

static json_t *hdr(const struct selection *s)
{
    return quality_as(s, "range");
}

static json_t *audio(const struct selection *s)
{
    return quality_as(s, "audio-channels");
}

static json_t *subtitles(const struct selection *s)
{
    return quality_as(s, "subtitle-language");
}

static json_t *frame_rate(const struct selection *s)
{
    return quality_as(s, "frame-rate");
}

static json_t *container(const struct selection *s)
{
    return quality_as(s, "container");
}

static json_t *connection_security(const struct selection *s)
{
    return quality_as(s, "secure");
}

/* --- resolution-mismatch --------------------------------------------------------------------- */

static const char *pair_value(const struct selection *s, const struct w_segment *g, char room[ROOM])
{
    const struct w_quality *q = &s->world->qualities[g ? g->quality : 0];
    snprintf(room, ROOM, "%s>%s", q->resolution ? q->resolution : "",
             q->stream_resolution ? q->stream_resolution : "");
    return room;
}

static int lines_of(const char *name)
{
    return streq(name, "sd") ? 480 : streq(name, "4k") ? 2160 : (int)strtol(name, NULL, 10);
}

static json_t *resolution_mismatch(const struct selection *s)
{
    struct tallies all;
    count_all(s, pair_value, false, &all);
    double known = 0;
    json_t *rows = json_array();
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < all.count; i++) {
            const struct tally *t = &all.all[i];
            auto_free char *source = xstrdup(t->name);
            char *delivered = strchr(source, '>') + 1;
            delivered[-1] = '\0';
            bool is_known = *source && *delivered;
            known += !pass && is_known ? t->watch_us : 0;
            if (!pass)
                continue;
            int from = lines_of(source), to = lines_of(delivered);
            add_row(rows, "sssiiiF", *source ? source : NULL, *delivered ? delivered : NULL,
                    !is_known ? NULL : from == to ? "same" : to < from ? "lower" : "higher",
                    t->plays, people_of(t), (int64_t)(t->watch_us / 1000),
                    is_known && known > 0 ? t->watch_us / known : NAN);
        }
    }
    tallies_done(&all);
    return rows;
}

/* --- bitrate --------------------------------------------------------------------------------- */

static bool is_source;

static const char *step_value(const struct selection *s, const struct w_segment *g, char room[ROOM])
{
    static const int steps[] = {80000, 40000, 20000, 12000, 8000, 4000, 2000, 1000, 0};
    int64_t kbps = !g ? -1 : is_source ? g->source_kbps : g->stream_kbps;
    size_t i = 0;
    while (kbps >= 0 && steps[i] > kbps)
        i++;
    snprintf(room, ROOM, "%d", steps[i]);
    return kbps < 0 ? NULL : room;
}

static json_t *bitrate(const struct selection *s)
{
    static const int steps[] = {-1, 0, 1000, 2000, 4000, 8000, 12000, 20000, 40000, 80000, -1};
    json_t *rows = json_array();
    for (int of = 0; of < 2; of++) {
        struct tallies all;
        is_source = of == 0;
        count_all(s, step_value, true, &all);
        double known = known_watch(&all);
        for (size_t i = 0; i + 1 < ARRAY_LEN(steps); i++) {
            auto_free char *name = steps[i] < 0 ? NULL : xasprintf("%d", steps[i]);
            const struct tally *t = tally_of(&all, name);
            add_row(rows, "sIIiiiF", of ? "delivered" : "source", (int64_t)steps[i],
                    (int64_t)(steps[i] < 0 ? -1 : steps[i + 1]), t->plays, people_of(t),
                    (int64_t)(t->watch_us / 1000), name && known > 0 ? t->watch_us / known : NAN);
        }
        tallies_done(&all);
    }
    return rows;
}

const struct truth stream_truths[] = {
    {"quality", "", quality, 1},
    {"quality", "of=stream-audio-channels", quality, 1},
    {"quality", "of=stream-range", quality, 1},
    {"codecs", "", codecs, 1},
    {"codecs", "of=audio-codec", codecs, 1},
    {"hdr", "", hdr, 1},
    {"audio", "", audio, 1},
    {"subtitles", "", subtitles, 1},
    {"subtitles", "of=subtitle-decision", subtitles, 1},
    {"frame-rate", "", frame_rate, 1},
    {"container", "", container, 1},
    {"container", "of=stream-container", container, 1},
    {"connection-security", "", connection_security, 1},
    {"connection-security", "of=location", connection_security, 1},
    {"connection-security", "of=relayed", connection_security, 1},
    {"resolution-mismatch", "", resolution_mismatch, 2},
    {"bitrate", "", bitrate, 2},
    {0},
};
