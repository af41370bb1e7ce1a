#include "sources/plex/plex.h"

#include <stdlib.h>

#include "base/json_read.h"
#include "sources/facts.h"

#include "base/banned.h"

enum { STREAM_VIDEO = 1, STREAM_AUDIO = 2, STREAM_SUBTITLE = 3, KBPS_UNLIMITED = 10000000 };

static int64_t kbps(const json_t *obj, const char *key)
{
    int64_t v = jint(obj, key, -1);
    return v <= 0 || v >= KBPS_UNLIMITED ? -1 : v;
}

static const char *media_type(const json_t *item)
{
    const char *type = jstr(item, "type");
    const char *guid = jstr(item, "guid");
    int64_t section = jint(item, "librarySectionID", 0);
    if (jbool(item, "live") == 1 || section == -4)
        return "live";
    if (section == -2 || strncmp(guid, "library://", 10) == 0 || *jstr(item, "extraType") ||
        jint(item, "extraType", 0) > 0)
        return "extra";
    if (streq(type, "clip"))
        return *jstr(item, "subtype") ? "extra" : "clip";
    static const char *const same[] = {"movie", "episode", "track", "photo"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (streq(type, same[i]))
            return same[i];
    return "clip";
}

static const char *tags(struct arena *a, const json_t *array)
{
    auto_buf struct buf b = BUF_INIT(1000);
    size_t i;
    json_t *value;
    json_array_foreach (array, i, value) {
        const char *tag = jstr(value, "tag");
        if (*tag) {
            if (b.len)
                buf_putc(&b, ';');
            buf_puts(&b, tag);
        }
    }
    return b.len ? arena_strndup(a, b.data, b.len) : "";
}

/* Guid[{id "imdb://tt1"}] as "imdb:tt1 ..."; the old agents' guid says it too. */
static const char *provider_ids(struct arena *a, const json_t *item)
{
    auto_buf struct buf b = BUF_INIT(512);
    const json_t *guids = jget(item, "Guid");
    size_t i;
    json_t *value;
    json_array_foreach (guids, i, value) {
        const char *id = jstr(value, "id");
        const char *mark = strstr(id, "://");
        if (!mark || mark == id || strlen(id) > 80 || strchr(id, ' '))
            continue;
        buf_printf(&b, "%s%.*s:%s", b.len ? " " : "", (int)(mark - id), id, mark + 3);
    }
    if (!b.len)
        return plex_agent_id(a, media_type(item), jstr(item, "guid"));
    return b.is_overflowed ? "" : arena_strdup(a, b.data);
}

static const char *tail_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_strdup(a, slash + 1) : "";
}

void plex_item_read(struct arena *a, const json_t *item, struct observation *o)
{
    o->media_type = media_type(item);
    o->item_key = fact_text(a, item, "ratingKey");
    o->guid = fact_text(a, item, "guid");
    o->provider_ids = provider_ids(a, item);
    o->title = fact_text(a, item, "title");
    o->parent_title = fact_text(a, item, "parentTitle");
    o->grandparent_title = fact_text(a, item, "grandparentTitle");
    o->grandparent_key = fact_text(a, item, "grandparentRatingKey");
    if (!*o->grandparent_key)
        o->grandparent_key = tail_of(a, jstr(item, "grandparentKey"));
    int64_t section = jint(item, "librarySectionID", -1);
    if (section > 0)
        o->library_key = arena_printf(a, "%lld", (long long)section);
    o->library_name = fact_text(a, item, "librarySectionTitle");
    o->content_rating = fact_text(a, item, "contentRating");
    o->genres = tags(a, jget(item, "Genre"));
    o->duration_ms = fact_int(item, "duration");
    int64_t year = jint(item, "year", -1);
    /* The history tells no year, but the day. */
    if (year <= 0 && streq(o->media_type, "movie"))
        year = strtol(jstr(item, "originallyAvailableAt"), NULL, 10);
    o->year = year > 0 ? year : -1;
    if (streq(o->media_type, "episode") || streq(o->media_type, "track")) {
        o->season = fact_int(item, "parentIndex");
        o->episode = fact_int(item, "index");
    }
}

/* --- streams ------------------------------------------------------------------------------ */

static const json_t *selected_of(const json_t *array)
{
    size_t i;
    json_t *value;
    json_array_foreach (array, i, value)
        if (jbool(value, "selected") == 1)
            return value;
    return json_array_get(array, 0);
}

static bool has_same_id(const json_t *a, const json_t *b)
{
    char left[32], right[32];
    const char *x = jtext(a, "id", left);
    const char *y = jtext(b, "id", right);
    return x && y && streq(x, y);
}

/* The member of `array` with the id of `like`, else the selected or first one. */
static const json_t *counterpart(const json_t *array, const json_t *like)
{
    size_t i;
    json_t *value;
    json_array_foreach (array, i, value)
        if (like && has_same_id(value, like))
            return value;
    return selected_of(array);
}

static const json_t *stream_of(const json_t *part, int type, const json_t *like, bool is_required)
{
    const json_t *first = NULL;
    const json_t *selected = NULL;
    const json_t *streams = jget(part, "Stream");
    size_t i;
    json_t *s;
    json_array_foreach (streams, i, s) {
        if (jint(s, "streamType", 0) != type)
            continue;
        if (like && has_same_id(s, like))
            return s;
        if (!selected && jbool(s, "selected") == 1)
            selected = s;
        if (!first)
            first = s;
    }
    return selected ? selected : is_required ? first : NULL;
}

static const char *resolution(struct arena *a, const json_t *media)
{
    const char *text = fact_lower(a, fact_text(a, media, "videoResolution"));
    int64_t width = fact_int(media, "width");
    int64_t height = fact_int(media, "height");
    if (width >= 3840 && width < 7000)
        return "4k";
    size_t len = strlen(text);
    if (len > 1 && (text[len - 1] == 'p' || text[len - 1] == 'i'))
        text = arena_strndup(a, text, len - 1);
    if (streq(text, "2160"))
        return "4k";
    if (streq(text, "2k"))
        return "1440";
    static const char *const known[] = {"sd", "480", "576", "720", "1080", "1440", "4k", "8k"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (streq(text, known[i]))
            return known[i];
    return fact_resolution(width, height);
}

static const char *dynamic_range(const json_t *video)
{
    const char *title = jstr(video, "extendedDisplayTitle");
    const char *curve = jstr(video, "colorTrc");
    if (!video)
        return "";
    if (jbool(video, "DOVIPresent") == 1 || strstr(title, "Dolby Vision"))
        return "Dolby Vision";
    if (strstr(title, "HDR10+"))
        return "HDR10+";
    if (strstr(title, "HLG") || streq(curve, "arib-std-b67"))
        return "HLG";
    if (strstr(title, "HDR") || streq(curve, "smpte2084"))
        return "HDR10";
    return "SDR";
}

static const char *language(struct arena *a, const json_t *stream)
{
    const char *code = fact_text(a, stream, "languageCode");
    return fact_lower(a, *code ? code : fact_text(a, stream, "language"));
}

/* What the file holds. */
static void read_source(struct arena *a, const json_t *media, const json_t *part,
                        const json_t *session_part, struct observation *o)
{
    const json_t *video = stream_of(part, STREAM_VIDEO,
                                    stream_of(session_part, STREAM_VIDEO, NULL, true), true);
    const json_t *audio = stream_of(part, STREAM_AUDIO,
                                    stream_of(session_part, STREAM_AUDIO, NULL, true), true);
    const json_t *in_use = stream_of(session_part, STREAM_SUBTITLE, NULL, false);
    const json_t *subtitle = in_use ? stream_of(part, STREAM_SUBTITLE, in_use, false) : NULL;
    if (in_use && !subtitle)
        subtitle = in_use;
    const char *container = fact_text(a, part, "container");
    o->container = fact_lower(a, *container ? container : fact_text(a, media, "container"));
    o->bitrate_kbps = kbps(media, "bitrate");
    const char *codec = fact_text(a, media, "videoCodec");
    o->video_codec = fact_lower(a, *codec ? codec : video ? fact_text(a, video, "codec") : "");
    if (*o->video_codec) {
        o->width = fact_int(media, "width");
        o->height = fact_int(media, "height");
        o->video_resolution = resolution(a, media);
        o->video_dynamic_range = dynamic_range(video);
        o->video_framerate = fact_text(a, media, "videoFrameRate");
    }
    codec = audio ? fact_text(a, audio, "codec") : "";
    o->audio_codec = fact_lower(a, *codec ? codec : fact_text(a, media, "audioCodec"));
    int64_t channels = audio ? fact_int(audio, "channels") : -1;
    o->audio_channels = channels > 0 ? channels : fact_int(media, "audioChannels");
    if (audio)
        o->audio_language = language(a, audio);
    if (subtitle) {
        o->subtitle_codec = fact_lower(a, fact_text(a, subtitle, "codec"));
        o->subtitle_language = language(a, subtitle);
    }
}

void plex_file_read(struct arena *a, const json_t *item, struct item *ret)
{
    const json_t *all = jget(item, "Media");
    const json_t *media = json_array_get(all, 0);
    const json_t *part = json_array_get(jget(media, "Part"), 0);
    read_source(a, media, part, NULL, &ret->what);
    size_t i, k;
    json_t *m, *p;
    json_array_foreach (all, i, m)
        json_array_foreach (jget(m, "Part"), k, p) {
            int64_t bytes = jint(p, "size", 0);
            if (bytes > 0 && bytes < ITEM_BYTES_MAX)
                ret->size_bytes = (ret->size_bytes < 0 ? 0 : ret->size_bytes) + bytes;
        }
    ret->what.file_key = fact_file_key(a, jstr(part, "file"), fact_int(part, "size"),
                                       fact_int(part, "duration"));
}

/* "copy" and "transcode" as they are; all else is played as it lies there. */
static const char *decision(const char *word)
{
    return streq(word, "copy") || streq(word, "transcode") || streq(word, "burn") ? word
                                                                                  : "direct play";
}

static const char *kept(struct arena *a, const char *text)
{
    return *text ? arena_strdup(a, text) : "";
}

/* What is sent. */
static void read_delivery(struct arena *a, const json_t *session, const json_t *media,
                          const json_t *part, struct observation *o)
{
    const json_t *t = jget(session, "TranscodeSession");
    bool has_transcode = json_is_object(t);
    const json_t *video = stream_of(part, STREAM_VIDEO, NULL, true);
    const json_t *audio = stream_of(part, STREAM_AUDIO, NULL, true);
    const json_t *subtitle = stream_of(part, STREAM_SUBTITLE, NULL, false);
    const char *video_word = video ? jstr(video, "decision") : "";
    const char *audio_word = audio ? jstr(audio, "decision") : "";
    const char *subtitle_word = subtitle ? jstr(subtitle, "decision") : "";
    if (has_transcode) {
        video_word = jstr(t, "videoDecision");
        audio_word = jstr(t, "audioDecision");
        if (*jstr(t, "subtitleDecision"))
            subtitle_word = jstr(t, "subtitleDecision");
    }
    const char *video_decision = decision(video_word);
    const char *audio_decision = decision(audio_word);
    if (streq(subtitle_word, "burn"))
        video_decision = "transcode";
    if (streq(video_decision, "transcode") || streq(audio_decision, "transcode"))
        o->transcode_decision = "transcode";
    else if (streq(video_decision, "copy") || streq(audio_decision, "copy"))
        o->transcode_decision = "copy";
    else
        o->transcode_decision = "direct play";

    const char *codec = fact_text(a, media, "videoCodec");
    o->stream_video_codec = fact_lower(a, *codec ? codec : video ? fact_text(a, video, "codec") : "");
    codec = fact_text(a, media, "audioCodec");
    o->stream_audio_codec = fact_lower(a, *codec ? codec : audio ? fact_text(a, audio, "codec") : "");
    o->stream_container = fact_lower(a, fact_text(a, media, "container"));
    o->stream_bitrate_kbps = kbps(media, "bitrate");
    o->stream_audio_channels = fact_int(media, "audioChannels");
    if (has_transcode) {
        codec = fact_lower(a, fact_text(a, t, "videoCodec"));
        if (*codec && !streq(codec, "*"))
            o->stream_video_codec = codec;
        codec = fact_lower(a, fact_text(a, t, "audioCodec"));
        if (*codec && !streq(codec, "*"))
            o->stream_audio_codec = codec;
        const char *container = fact_lower(a, fact_text(a, t, "container"));
        if (*container)
            o->stream_container = container;
        if (jint(t, "audioChannels", 0) > 0)
            o->stream_audio_channels = jint(t, "audioChannels", -1);
        int throttled = jbool(t, "throttled");
        o->transcode_throttled = throttled < 0 ? -1 : throttled;
        if (streq(video_decision, "transcode")) {
            o->hw_decode = fact_lower(a, fact_text(a, t, "transcodeHwDecoding"));
            o->hw_encode = fact_lower(a, fact_text(a, t, "transcodeHwEncoding"));
        }
    }
    if (*o->stream_video_codec || *video_word) {
        o->video_decision = kept(a, video_decision);
        o->stream_video_resolution = resolution(a, media);
        o->stream_video_dynamic_range = dynamic_range(video);
    }
    if (*o->stream_audio_codec || *audio_word)
        o->audio_decision = kept(a, audio_decision);
    if (subtitle || *subtitle_word)
        o->subtitle_decision = kept(a, decision(subtitle_word));
}

/* --- who and where ------------------------------------------------------------------------ */

static void read_place(struct arena *a, const json_t *session, struct observation *o)
{
    const json_t *player = jget(session, "Player");
    const json_t *link = jget(session, "Session");
    const char *near = fact_address(a, jstr(player, "address"));
    const char *far = fact_address(a, jstr(player, "remotePublicAddress"));
    const char *location = jstr(link, "location");
    int relayed = jbool(player, "relayed");
    int local = jbool(player, "local");
    if (relayed < 0 && !streq(location, "lan") && streq(far, "127.0.0.1"))
        relayed = 1;
    if (streq(location, "lan") || streq(location, "wan") || streq(location, "cellular"))
        o->location = kept(a, location);
    else if (local >= 0)
        o->location = local ? "lan" : "wan";
    else if (relayed == 1)
        o->location = "wan";
    else if (*near)
        o->location = fact_address_is_private(near) ? "lan" : "wan";
    /* Behind the relay, a proxy or a container bridge only the public address says who it is. */
    bool is_far_better = *far && !fact_address_is_private(far) &&
                         (!*near || fact_address_is_private(near)) && !streq(o->location, "lan");
    o->address = is_far_better ? far : near;
    o->relayed = relayed;
    o->secure = jbool(player, "secure");
    o->bandwidth_kbps = kbps(link, "bandwidth");
}

const char *plex_public_address(struct arena *a, const json_t *session)
{
    const json_t *player = jget(session, "Player");
    const char *far = fact_address(a, jstr(player, "remotePublicAddress"));
    bool is_near = streq(jstr(jget(session, "Session"), "location"), "lan") &&
                   jbool(player, "relayed") != 1;
    return is_near && *far && !fact_address_is_private(far) ? far : "";
}

static enum play_state state_of(const char *word)
{
    if (streq(word, "paused"))
        return PLAY_PAUSED;
    return streq(word, "buffering") ? PLAY_BUFFERING : PLAY_PLAYING;
}

static int64_t first_credits(const json_t *source)
{
    const json_t *markers = jget(source, "Marker");
    int64_t first = -1;
    size_t i;
    json_t *m;
    json_array_foreach (markers, i, m) {
        int64_t at = jint(m, "startTimeOffset", -1);
        if (streq(jstr(m, "type"), "credits") && at >= 0 && (first < 0 || at < first))
            first = at;
    }
    return first;
}

bool plex_session_read(struct arena *a, const json_t *session, const json_t *source,
                       struct observation *ret)
{
    struct observation o;
    observation_init(&o);
    o.session = fact_text(a, session, "sessionKey");
    if (!*o.session)
        return false;
    plex_item_read(a, session, &o);
    const json_t *player = jget(session, "Player");
    const json_t *user = jget(session, "User");
    o.account_key = fact_text(a, user, "id");
    o.account_name = fact_text(a, user, "title");
    o.state = state_of(jstr(player, "state"));
    o.position_ms = fact_int(session, "viewOffset");
    o.machine_id = fact_text(a, player, "machineIdentifier");
    o.player = fact_text(a, player, "title");
    if (!*o.player)
        o.player = fact_text(a, player, "device");
    o.product = fact_text(a, player, "product");
    o.product_version = fact_text(a, player, "version");
    o.platform = fact_text(a, player, "platform");
    o.platform_version = fact_text(a, player, "platformVersion");
    read_place(a, session, &o);

    const json_t *media = selected_of(jget(session, "Media"));
    const json_t *part = selected_of(jget(media, "Part"));
    read_delivery(a, session, media, part, &o);
    bool is_direct = streq(o.transcode_decision, "direct play");
    if (source) {
        const json_t *own_media = counterpart(jget(source, "Media"), media);
        const json_t *own_part = counterpart(jget(own_media, "Part"), part);
        read_source(a, own_media, own_part, part, &o);
        o.credits_ms = first_credits(source);
        o.file_key = fact_file_key(a, jstr(own_part, "file"), fact_int(own_part, "size"),
                                   fact_int(own_part, "duration"));
        const char *text = provider_ids(a, source);
        o.provider_ids = *text ? text : o.provider_ids;
        text = tags(a, jget(source, "Genre"));
        o.genres = *text ? text : o.genres;
        if (!streq(o.video_decision, "transcode") && *o.video_dynamic_range)
            o.stream_video_dynamic_range = o.video_dynamic_range;
        if (!*o.stream_video_codec && !streq(o.video_decision, "transcode"))
            o.stream_video_codec = o.video_codec;
        if (!*o.stream_audio_codec && !streq(o.audio_decision, "transcode"))
            o.stream_audio_codec = o.audio_codec;
    } else if (is_direct) {
        /* Sent as it lies there: both ends are the same. */
        read_source(a, media, part, part, &o);
    } else {
        const json_t *t = jget(session, "TranscodeSession");
        o.video_codec = fact_lower(a, fact_text(a, t, "sourceVideoCodec"));
        o.audio_codec = fact_lower(a, fact_text(a, t, "sourceAudioCodec"));
    }
    if (streq(o.media_type, "live"))
        o.duration_ms = -1;
    *ret = o;
    return true;
}
