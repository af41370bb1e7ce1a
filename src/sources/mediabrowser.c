#include "sources/mediabrowser.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/facts.h"

#include "base/banned.h"

enum { TICKS_PER_MS = 10000 };

static int64_t ticks_ms(const json_t *obj, const char *key)
{
    int64_t ticks = jint(obj, key, -1);
    return ticks < 0 ? -1 : ticks / TICKS_PER_MS;
}

/* --- items and sessions ------------------------------------------------------------------- */

static const char *media_type(const json_t *item)
{
    static const struct {
        const char *type, *name;
    } types[] = {
        {"Movie", "movie"},        {"Episode", "episode"},     {"Audio", "track"},
        {"AudioBook", "track"},    {"MusicVideo", "clip"},     {"Video", "clip"},
        {"Trailer", "extra"},      {"TvChannel", "live"},      {"LiveTvProgram", "live"},
        {"LiveTvChannel", "live"}, {"Program", "live"},        {"Photo", "photo"},
        {"Book", "photo"},
    };
    if (*jstr(item, "ExtraType"))
        return "extra";
    const char *type = jstr(item, "Type");
    if (streq(type, "Recording"))
        return *jstr(item, "SeriesName") ? "episode" : "movie";
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (streq(type, types[i].type))
            return types[i].name;
    return streq(jstr(item, "MediaType"), "Audio") ? "track" : "clip";
}

static const char *provider_ids(struct arena *a, const json_t *item)
{
    auto_buf struct buf b = BUF_INIT(512);
    const char *key;
    json_t *value;
    json_t *ids = jget(item, "ProviderIds");
    if (!json_is_object(ids))
        return "";
    json_object_foreach (ids, key, value) {
        char scratch[32];
        const char *id = jtext(ids, key, scratch);
        if (!id || !*id || strlen(id) > 64 || strpbrk(id, " ;") || strpbrk(key, " :"))
            continue;
        buf_printf(&b, "%s%s:%s", b.len ? " " : "", fact_lower(a, key), id);
    }
    return b.is_overflowed || !b.len ? "" : arena_strdup(a, b.data);
}

static const char *joined(struct arena *a, const json_t *array, char separator)
{
    auto_buf struct buf b = BUF_INIT(1000);
    size_t i;
    json_t *value;
    if (json_is_string(array))
        return arena_strdup(a, json_string_value(array));
    json_array_foreach (array, i, value)
        if (json_is_string(value)) {
            if (b.len)
                buf_putc(&b, separator);
            buf_puts(&b, json_string_value(value));
        }
    return b.len ? arena_strndup(a, b.data, b.len) : "";
}

void mediabrowser_item(struct arena *a, const json_t *item, struct observation *o)
{
    o->media_type = media_type(item);
    o->item_key = fact_text(a, item, "Id");
    o->provider_ids = provider_ids(a, item);
    o->title = fact_text(a, item, "Name");
    bool is_track = streq(o->media_type, "track");
    o->parent_title = fact_text(a, item, is_track ? "Album" : "SeasonName");
    o->grandparent_title = fact_text(a, item, is_track ? "AlbumArtist" : "SeriesName");
    if (is_track && !*o->grandparent_title)
        o->grandparent_title = joined(a, jget(item, "Artists"), ',');
    o->grandparent_key = fact_text(a, item, is_track ? "AlbumId" : "SeriesId");
    if (streq(o->media_type, "live") && !*o->grandparent_title)
        o->grandparent_title = fact_text(a, item, "ChannelName");
    const json_t *file = json_array_get(jget(item, "MediaSources"), 0);
    o->file_key = fact_file_key(a, jstr(file, "Path"), fact_int(file, "Size"),
                                ticks_ms(file, "RunTimeTicks"));
    o->content_rating = fact_text(a, item, "OfficialRating");
    o->genres = joined(a, jget(item, "Genres"), ';');
    o->duration_ms = ticks_ms(item, "RunTimeTicks");
    o->year = fact_int(item, "ProductionYear");
    if (o->year == 0)
        o->year = -1;
    o->season = fact_int(item, "ParentIndexNumber");
    o->episode = fact_int(item, "IndexNumber");
}

static const json_t *stream_of(const json_t *item, const char *type, int64_t index)
{
    const json_t *streams = jget(item, "MediaStreams");
    const json_t *first = NULL;
    size_t i;
    json_t *s;
    json_array_foreach (streams, i, s) {
        if (!streq(jstr(s, "Type"), type))
            continue;
        if (index >= 0 && jint(s, "Index", -1) == index)
            return s;
        if (!first)
            first = s;
    }
    return first;
}

static const char *dynamic_range(const json_t *video)
{
    const char *type = jstr(video, "VideoRangeType"); /* Jellyfin's */
    if (!*type)
        type = jstr(video, "ExtendedVideoType"); /* Emby's, whose VideoRange is free text */
    if (!*type || streq(type, "None"))
        type = jstr(video, "VideoRange");
    if (strncasecmp(type, "DOVI", 4) == 0 || strncasecmp(type, "Dolby", 5) == 0)
        return "Dolby Vision";
    if (strcasecmp(type, "HDR10Plus") == 0 || strcasecmp(type, "Hdr10+") == 0 ||
        strcasecmp(type, "HDR 10+") == 0)
        return "HDR10+";
    if (strcasecmp(type, "HLG") == 0 || strcasecmp(type, "HyperLogGamma") == 0)
        return "HLG";
    if (strncasecmp(type, "HDR", 3) == 0 || streq(jstr(video, "VideoRange"), "HDR"))
        return "HDR10";
    return strcasecmp(type, "SDR") == 0 || streq(jstr(video, "VideoRange"), "SDR") ? "SDR" : "";
}

static const char *framerate(struct arena *a, const json_t *video)
{
    double fps = jdouble(video, "RealFrameRate", 0);
    if (fps <= 0)
        fps = jdouble(video, "AverageFrameRate", 0);
    return fps > 0 && fps < 1000 ? arena_printf(a, "%dp", (int)(fps + 0.5)) : "";
}

static void source_streams(struct arena *a, const json_t *item, const json_t *play,
                           struct observation *o)
{
    o->container = fact_lower(a, fact_text(a, item, "Container"));
    int64_t subtitle_index = jint(play, "SubtitleStreamIndex", -1);
    const json_t *video = stream_of(item, "Video", -1);
    const json_t *audio = stream_of(item, "Audio", jint(play, "AudioStreamIndex", -1));
    const json_t *subtitle = subtitle_index >= 0 ? stream_of(item, "Subtitle", subtitle_index)
                                                 : NULL;
    if (video) {
        o->width = fact_int(video, "Width");
        o->height = fact_int(video, "Height");
        o->video_codec = fact_lower(a, fact_text(a, video, "Codec"));
        o->video_resolution = fact_resolution(o->width, o->height);
        o->video_dynamic_range = dynamic_range(video);
        o->video_framerate = framerate(a, video);
    }
    if (audio) {
        o->audio_codec = fact_lower(a, fact_text(a, audio, "Codec"));
        o->audio_language = fact_lower(a, fact_text(a, audio, "Language"));
        o->audio_channels = fact_int(audio, "Channels");
    }
    if (subtitle) {
        o->subtitle_codec = fact_lower(a, fact_text(a, subtitle, "Codec"));
        o->subtitle_language = fact_lower(a, fact_text(a, subtitle, "Language"));
    }
    int64_t bits = jint(item, "Bitrate", -1);
    if (bits <= 0) {
        bits = 0;
        const json_t *const parts[] = {video, audio};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            int64_t rate = parts[i] ? jint(parts[i], "BitRate", 0) : 0;
            bits += rate > 0 && rate < INT32_MAX ? rate : 0;
        }
    }
    o->bitrate_kbps = fact_kbps(bits);
    o->stream_container = o->container;
    o->stream_video_codec = o->video_codec;
    o->stream_video_resolution = o->video_resolution;
    o->stream_video_dynamic_range = o->video_dynamic_range;
    o->stream_audio_codec = o->audio_codec;
    o->stream_audio_channels = o->audio_channels;
    o->stream_bitrate_kbps = o->bitrate_kbps;
}

static int64_t time_of(const json_t *item, const char *key)
{
    int64_t at_us;
    return time_parse(str_of(jstr(item, key)), &at_us) && at_us > 0 ? at_us : TIME_NONE;
}

bool mediabrowser_item_of(struct arena *a, const json_t *item, struct item *ret)
{
    mediabrowser_item(a, item, &ret->what);
    const char *type = ret->what.media_type;
    /* An episode that is only known to exist, without a file, is none. */
    if (!*ret->what.item_key || streq(jstr(item, "LocationType"), "Virtual") ||
        !(streq(type, "movie") || streq(type, "episode") || streq(type, "track")))
        return false;
    const json_t *files = jget(item, "MediaSources");
    const json_t *first = json_array_get(files, 0);
    source_streams(a, first ? first : item, NULL, &ret->what);
    size_t i;
    json_t *file;
    json_array_foreach (files, i, file) {
        int64_t bytes = jint(file, "Size", 0);
        if (bytes > 0 && bytes < ITEM_BYTES_MAX)
            ret->size_bytes = (ret->size_bytes < 0 ? 0 : ret->size_bytes) + bytes;
    }
    ret->what.file_key = fact_file_key(a, jstr(first, "Path"), fact_int(first, "Size"),
                                       ticks_ms(first, "RunTimeTicks"));
    ret->added_us = ret->changed_us = time_of(item, "DateCreated");
    return true;
}

static void decide(const struct mediabrowser_kind *k, struct arena *a, const json_t *session,
                   const json_t *play, struct observation *o)
{
    const json_t *t = jget(session, "TranscodingInfo");
    const char *method = jstr(play, "PlayMethod");
    const char *whole = "direct play";
    const char *video = "direct play";
    const char *audio = "direct play";
    if (json_is_object(t)) {
        bool is_video_copy = jbool(t, "IsVideoDirect") == 1;
        bool is_audio_copy = jbool(t, "IsAudioDirect") == 1;
        video = is_video_copy ? "copy" : "transcode";
        audio = is_audio_copy ? "copy" : "transcode";
        bool is_video_transcoded = *o->video_codec && !is_video_copy;
        bool is_audio_transcoded = *o->audio_codec && !is_audio_copy;
        whole = is_video_transcoded || is_audio_transcoded ? "transcode" : "copy";
        o->transcode_reasons = joined(a, jget(t, "TranscodeReasons"), ' ');
        const char *text = fact_lower(a, fact_text(a, t, "Container"));
        if (*text)
            o->stream_container = text;
        if (is_video_transcoded) {
            text = fact_lower(a, fact_text(a, t, "VideoCodec"));
            o->stream_video_codec = *text ? text : o->video_codec;
            text = fact_resolution(fact_int(t, "Width"), fact_int(t, "Height"));
            o->stream_video_resolution = *text ? text : o->video_resolution;
            o->stream_video_dynamic_range = "SDR";
        }
        if (is_audio_transcoded) {
            text = fact_lower(a, fact_text(a, t, "AudioCodec"));
            o->stream_audio_codec = *text ? text : o->audio_codec;
            int64_t channels = fact_int(t, "AudioChannels");
            o->stream_audio_channels = channels > 0 ? channels : o->audio_channels;
        }
        int64_t kbps = fact_kbps(jint(t, "Bitrate", -1));
        o->stream_bitrate_kbps = kbps > 0 ? kbps : o->bitrate_kbps;
        if (is_video_transcoded) {
            const char *hw = fact_lower(a, fact_text(a, t, "HardwareAccelerationType"));
            o->hw_encode = streq(hw, "none") ? "" : hw;
            if (!*o->hw_encode && jbool(t, "VideoEncoderIsHardware") == 1)
                o->hw_encode = fact_lower(a, fact_text(a, t, "VideoEncoderHwAccel"));
            if (jbool(t, "VideoDecoderIsHardware") == 1)
                o->hw_decode = fact_lower(a, fact_text(a, t, "VideoDecoderHwAccel"));
        }
        int throttled = jbool(t, "CurrentThrottle");
        o->transcode_throttled = throttled < 0 ? -1 : throttled;
    } else if (streq(method, "Transcode")) {
        /* Seen while paused: what is converted is not told. */
        whole = "transcode";
        video = audio = "";
    } else if (streq(method, "DirectStream") && k->has_remux) {
        whole = video = audio = "copy";
    }
    o->transcode_decision = whole;
    o->video_decision = *o->video_codec ? video : "";
    o->audio_decision = *o->audio_codec ? audio : "";
    if (*o->subtitle_codec) {
        bool is_burnt = strstr(o->transcode_reasons, "SubtitleCodecNotSupported") &&
                        streq(video, "transcode");
        o->subtitle_decision = is_burnt ? "burn" : "direct play";
    }
    o->bandwidth_kbps = o->stream_bitrate_kbps;
}

bool mediabrowser_is_zero(const char *id)
{
    return id[strspn(id, "0-")] == '\0';
}

static bool read_session(const struct mediabrowser_kind *k, struct arena *a, const json_t *session,
                         struct observation *o)
{
    const json_t *item = jget(session, "NowPlayingItem");
    const json_t *play = jget(session, "PlayState");
    observation_init(o);
    o->session = fact_text(a, session, "Id");
    if (!json_is_object(item) || !*o->session)
        return false;
    mediabrowser_item(a, item, o);
    o->state = jbool(play, "IsPaused") == 1 ? PLAY_PAUSED : PLAY_PLAYING;
    o->position_ms = ticks_ms(play, "PositionTicks");
    const char *user = fact_text(a, session, "UserId");
    if (!mediabrowser_is_zero(user)) {
        o->account_key = user;
        o->account_name = fact_text(a, session, "UserName");
    }
    o->machine_id = fact_text(a, session, "DeviceId");
    o->player = fact_text(a, session, "DeviceName");
    o->product = fact_text(a, session, "Client");
    o->product_version = fact_text(a, session, "ApplicationVersion");
    o->platform = fact_text(a, session, "DeviceType");
    o->address = fact_address(a, jstr(session, "RemoteEndPoint"));
    if (*o->address)
        o->location = fact_address_is_private(o->address) ? "lan" : "wan";
    source_streams(a, item, play, o);
    decide(k, a, session, play, o);
    return true;
}

void mediabrowser_sessions(const struct mediabrowser_kind *k, const json_t *array,
                           struct arena *a, struct observation **ret, size_t *ret_count)
{
    size_t room = json_array_size(array);
    room = room < SOURCE_SESSIONS_MAX ? room : SOURCE_SESSIONS_MAX;
    *ret = arena_alloc(a, (room + 1) * sizeof(**ret));
    *ret_count = 0;
    for (size_t i = 0; i < json_array_size(array) && *ret_count < room; i++)
        if (read_session(k, a, json_array_get(array, i), &(*ret)[*ret_count]))
            ++*ret_count;
}

/* --- the connection ----------------------------------------------------------------------- */

const struct mediabrowser_kind *mediabrowser_kind_of(const struct source *s)
{
    return s->ops->data;
}

/* At most two lists a second, so that a change is here within one. */
void mediabrowser_socket_opened(struct source *s)
{
    (void)ws_send(s->ws, STR("{\"MessageType\":\"SessionsStart\",\"Data\":\"0,500\"}"), NULL);
}

enum source_hint mediabrowser_message(struct source *s, const json_t *root)
{
    static const char *const changes[] = {
        "PlaybackStart",    "PlaybackStarted", "PlaybackStopped",
        "PlaybackProgress", "SessionEnded",    "SessionStarted",
    };
    const char *type = jstr(root, "MessageType");
    if (streq(type, "ForceKeepAlive")) {
        int64_t seconds = jint(root, "Data", 60);
        seconds = seconds < 2 ? 2 : seconds > 600 ? 600 : seconds;
        source_keep_alive(s, seconds * US_PER_S / 2);
        return HINT_NOTHING;
    }
    for (size_t i = 0; i < ARRAY_LEN(changes); i++)
        if (streq(type, changes[i]))
            return HINT_POLL;
    if (!streq(type, "Sessions"))
        return HINT_NOTHING;
    const json_t *data = jget(root, "Data");
    if (!json_is_array(data))
        return HINT_POLL;
    auto_arena struct arena a = {0};
    struct observation *seen;
    size_t count;
    mediabrowser_sessions(mediabrowser_kind_of(s), data, &a, &seen, &count);
    struct tracker_hint *hints = arena_alloc(&a, (count + 1) * sizeof(*hints));
    for (size_t i = 0; i < count; i++)
        hints[i] = (struct tracker_hint){.session = seen[i].session,
                                         .item_key = seen[i].item_key,
                                         .state = seen[i].state,
                                         .position_ms = seen[i].position_ms,
                                         .full = &seen[i]};
    return source_hint(s, hints, count, true);
}

bool mediabrowser_recognize(const json_t *root, struct source_names *ret)
{
    *ret = (struct source_names){jstr(root, "Id"), jstr(root, "ServerName"),
                                 jstr(root, "Version"), ""};
    return *ret->machine_id && *ret->version;
}

enum status mediabrowser_snapshot(struct source *s, const json_t *root, struct arena *a,
                                  struct observation **ret, size_t *ret_count, struct error *err)
{
    if (!json_is_array(root))
        return fail(err, STATUS_PROTOCOL, "the list of sessions is no list");
    mediabrowser_sessions(mediabrowser_kind_of(s), root, a, ret, ret_count);
    return STATUS_OK;
}
