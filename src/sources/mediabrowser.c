#include "sources/mediabrowser.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/facts.h"

#include "base/banned.h"

enum { TICKS_PER_MS = 10000, PAIRS_MAX = 20000, IDS_A_PAGE = 40, PAGES_MAX = 5000 };

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

static const char *dynamic_range(const struct mediabrowser_kind *k, const json_t *video)
{
    const char *type = jstr(video, "VideoRangeType");
    if (k->is_emby) {
        type = jstr(video, "ExtendedVideoType");
        if (!*type || streq(type, "None"))
            type = jstr(video, "VideoRange");
    }
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

static void source_streams(const struct mediabrowser_kind *k, struct arena *a, const json_t *item,
                           const json_t *play, struct observation *o)
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
        o->video_dynamic_range = dynamic_range(k, video);
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
            if (k->is_emby && !*o->hw_encode && jbool(t, "VideoEncoderIsHardware") == 1)
                o->hw_encode = fact_lower(a, fact_text(a, t, "VideoEncoderHwAccel"));
            if (k->is_emby && jbool(t, "VideoDecoderIsHardware") == 1)
                o->hw_decode = fact_lower(a, fact_text(a, t, "VideoDecoderHwAccel"));
        }
        int throttled = jbool(t, "CurrentThrottle");
        o->transcode_throttled = throttled < 0 ? -1 : throttled;
    } else if (streq(method, "Transcode")) {
        /* Seen while paused: what is converted is not told. */
        whole = "transcode";
        video = audio = "";
    } else if (streq(method, "DirectStream") && !k->is_emby) {
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

static bool is_zero_id(const char *id)
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
    if (!is_zero_id(user)) {
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
    source_streams(k, a, item, play, o);
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

static const struct mediabrowser_kind *kind_of(const struct source *s)
{
    return s->ops->data;
}

void mediabrowser_headers(struct source *s, struct source_request *r)
{
    source_add_header(r, "Accept: application/json");
    if (kind_of(s)->is_emby) {
        source_add_header(r, "X-Emby-Token: %s", s->config->token);
        return;
    }
    source_add_header(r,
                      "Authorization: MediaBrowser Client=\"Cartographus\", Device=\"Server\", "
                      "DeviceId=\"%s\", Version=\"1.0\", Token=\"%s\"",
                      s->config->client_id, s->config->token);
}

void mediabrowser_socket(struct source *s, struct buf *path)
{
    buf_puts(path, kind_of(s)->socket_path);
    buf_add_urlencoded(path, str_of(s->config->token));
    buf_puts(path, "&deviceId=");
    buf_add_urlencoded(path, str_of(s->config->client_id));
}

void mediabrowser_socket_opened(struct source *s)
{
    (void)ws_send(s->ws, STR("{\"MessageType\":\"SessionsStart\",\"Data\":\"0,1500\"}"), NULL);
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
    mediabrowser_sessions(kind_of(s), data, &a, &seen, &count);
    struct tracker_hint *hints = arena_alloc(&a, (count + 1) * sizeof(*hints));
    for (size_t i = 0; i < count; i++)
        hints[i] = (struct tracker_hint){.session = seen[i].session,
                                         .item_key = seen[i].item_key,
                                         .state = seen[i].state,
                                         .position_ms = seen[i].position_ms,
                                         .full = &seen[i]};
    return tracker_hint(s->tracker, hints, count, true, clock_now_us()) ? HINT_AGREES : HINT_POLL;
}

enum status mediabrowser_identity(struct source *s, const json_t *root, struct error *err)
{
    const char *id = jstr(root, "Id");
    if (!*id)
        return fail(err, STATUS_PROTOCOL, "the server does not say who it is");
    bool is_jellyfin = *jstr(root, "ProductName") != '\0';
    if (is_jellyfin == kind_of(s)->is_emby)
        return fail(err, STATUS_PROTOCOL, "this is %s server, not %s",
                    is_jellyfin ? "a Jellyfin" : "an Emby",
                    is_jellyfin ? "an Emby server" : "a Jellyfin server");
    source_set_identity(s, jstr(root, "ServerName"), id, jstr(root, "Version"));
    return STATUS_OK;
}

enum status mediabrowser_snapshot(struct source *s, const json_t *root, struct arena *a,
                                  struct observation **ret, size_t *ret_count, struct error *err)
{
    if (!json_is_array(root))
        return fail(err, STATUS_PROTOCOL, "the list of sessions is no list");
    mediabrowser_sessions(kind_of(s), root, a, ret, ret_count);
    return STATUS_OK;
}

/* --- backfill ----------------------------------------------------------------------------- */

enum sync_step { SYNC_USERS, SYNC_LIBRARIES, SYNC_ACTIVITY, SYNC_PAIR_ITEMS, SYNC_PLAYED, SYNC_DONE };

/* A start that may have found its stop. */
struct pair {
    char id[24];
    char user[40];
    char item[40];
    int64_t at_us;
    int64_t ended_us; /* TIME_NONE: none */
};

struct mediabrowser_sync {
    enum sync_step step;
    unsigned page;
    char (*users)[40];
    size_t user_count, user;
    struct pair *pairs; /* newest first, as read */
    size_t pair_count, pair_room, pair_done;
    struct pair *stops; /* not yet matched */
    size_t stop_count, stop_room;
    int64_t oldest_activity_us;
    int64_t newest_us;      /* newest activity of the last finished sync */
    int64_t newest_seen_us; /* of this one */
    int64_t played_since_us; /* newest LastPlayedDate of the last finished sync */
    int64_t played_seen_us;
};

static struct mediabrowser_sync *sync_of(struct source *s)
{
    if (!s->vendor) {
        struct mediabrowser_sync *y = xcalloc(1, sizeof(*y));
        y->newest_us = y->newest_seen_us = TIME_NONE;
        y->played_since_us = y->played_seen_us = TIME_NONE;
        s->vendor = y;
    }
    return s->vendor;
}

void mediabrowser_free(struct source *s)
{
    struct mediabrowser_sync *y = s->vendor;
    if (!y)
        return;
    free(y->users);
    free(y->pairs);
    free(y->stops);
    free(y);
    s->vendor = NULL;
}

void mediabrowser_sync_reset(struct source *s)
{
    struct mediabrowser_sync *y = sync_of(s);
    y->step = SYNC_USERS;
    y->page = 0;
    y->user = y->user_count = 0;
    y->pair_count = y->pair_done = y->stop_count = 0;
    y->oldest_activity_us = INT64_MAX;
    y->newest_seen_us = y->newest_us;
    y->played_seen_us = y->played_since_us;
}

static unsigned page_size(const struct source *s)
{
    return s->config->batch_size ? s->config->batch_size : 500;
}

bool mediabrowser_sync_next(struct source *s, struct buf *path)
{
    struct mediabrowser_sync *y = sync_of(s);
    const struct mediabrowser_kind *k = kind_of(s);
    buf_puts(path, k->prefix);
    switch (y->step) {
    case SYNC_USERS:
        buf_puts(path, "/Users");
        return true;
    case SYNC_LIBRARIES:
        buf_puts(path, "/Library/VirtualFolders");
        return true;
    case SYNC_ACTIVITY:
        buf_printf(path, "/System/ActivityLog/Entries?StartIndex=%u&Limit=%u",
                   y->page * page_size(s), page_size(s));
        return true;
    case SYNC_PAIR_ITEMS:
        buf_puts(path, "/Items?Recursive=true&Fields=ProviderIds,Genres&Ids=");
        for (size_t i = y->pair_done; i < y->pair_count && i < y->pair_done + IDS_A_PAGE; i++) {
            if (i > y->pair_done)
                buf_putc(path, ',');
            buf_add_urlencoded(path, str_of(y->pairs[i].item));
        }
        return true;
    case SYNC_PLAYED:
        if (k->is_emby)
            buf_printf(path, "/Users/%s/Items?", y->users[y->user]);
        else
            buf_printf(path, "/Items?userId=%s&", y->users[y->user]);
        buf_printf(path,
                   "Recursive=true&Filters=IsPlayed&IncludeItemTypes=Movie,Episode,Audio&"
                   "Fields=ProviderIds,Genres&EnableUserData=true&SortBy=DatePlayed&"
                   "SortOrder=Descending&StartIndex=%u&Limit=%u",
                   y->page * page_size(s), page_size(s));
        return true;
    case SYNC_DONE:
        break;
    }
    y->newest_us = y->newest_seen_us;
    y->played_since_us = y->played_seen_us;
    return false;
}

static const json_t *rows_of(const json_t *root)
{
    return json_is_array(root) ? root : jget(root, "Items");
}

static void take_users(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_array(&w, "accounts");
    size_t count = json_array_size(rows);
    free(y->users);
    y->users = xcalloc(count + 1, sizeof(*y->users));
    y->user_count = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *user = json_array_get(rows, i);
        const char *id = jstr(user, "Id");
        if (!*id || strlen(id) >= sizeof(*y->users) || id[strspn(id, "0123456789abcdefABCDEF-")])
            continue;
        snprintf(y->users[y->user_count++], sizeof(*y->users), "%s", id);
        jw_object(&w);
        jw_kv_text(&w, "key", id);
        jw_kv_text(&w, "name", jstr(user, "Name"));
        jw_kv_text(&w, "email", "");
        jw_kv_bool(&w, "is_owner", jbool(jget(user, "Policy"), "IsAdministrator") == 1);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append(s, LOG_ACCOUNTS, &b);
}

static const char *library_kind(const char *type)
{
    static const struct {
        const char *type, *kind;
    } kinds[] = {{"movies", "movie"}, {"tvshows", "show"}, {"music", "artist"},
                 {"homevideos", "clip"}, {"musicvideos", "clip"}, {"photos", "photo"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (streq(type, kinds[i].type))
            return kinds[i].kind;
    return "mixed";
}

static void take_libraries(struct source *s, const json_t *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_array(&w, "libraries");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char scratch[32];
        const char *key = jtext(row, "ItemId", scratch);
        if (!key)
            continue;
        jw_object(&w);
        jw_kv_text(&w, "key", key);
        jw_kv_text(&w, "name", jstr(row, "Name"));
        jw_kv_text(&w, "kind", library_kind(jstr(row, "CollectionType")));
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append(s, LOG_LIBRARIES, &b);
}

static void push_pair(struct pair **list, size_t *count, size_t *room, const struct pair *p)
{
    if (*count >= PAIRS_MAX)
        return;
    if (*count == *room) {
        *room = *room ? 2 * *room : 64;
        *list = xreallocarray(*list, *room, sizeof(**list));
    }
    (*list)[(*count)++] = *p;
}

/* Entries come newest first, so a stop is met before its start. */
static void take_entry(struct mediabrowser_sync *y, const json_t *row)
{
    char scratch[32];
    const char *type = jstr(row, "Type");
    struct pair p = {.ended_us = TIME_NONE};
    if (!time_parse(str_of(jstr(row, "Date")), &p.at_us))
        return;
    if (p.at_us < y->oldest_activity_us)
        y->oldest_activity_us = p.at_us;
    if (p.at_us > y->newest_seen_us)
        y->newest_seen_us = p.at_us;
    bool is_stop = false;
    if (streq(type, "VideoPlaybackStopped") || streq(type, "AudioPlaybackStopped") ||
        streq(type, "playback.stop"))
        is_stop = true;
    else if (!streq(type, "VideoPlayback") && !streq(type, "AudioPlayback") &&
             !streq(type, "playback.start"))
        return;
    const char *id = jtext(row, "Id", scratch);
    snprintf(p.id, sizeof(p.id), "%s", id ? id : "");
    snprintf(p.user, sizeof(p.user), "%s", jstr(row, "UserId"));
    char item_scratch[32];
    const char *item = jtext(row, "ItemId", item_scratch);
    snprintf(p.item, sizeof(p.item), "%s", item ? item : "");
    if (!*p.item || !*p.user || !*p.id || is_zero_id(p.item))
        return;
    if (is_stop) {
        push_pair(&y->stops, &y->stop_count, &y->stop_room, &p);
        return;
    }
    for (size_t i = y->stop_count; i-- > 0;) {
        struct pair *stop = &y->stops[i];
        if (streq(stop->user, p.user) && streq(stop->item, p.item) &&
            stop->at_us - p.at_us < US_PER_DAY) {
            p.ended_us = stop->at_us;
            *stop = y->stops[--y->stop_count];
            break;
        }
    }
    /* Still open, or cut off by a restart: the live tracker or the played list knows more. */
    if (p.ended_us != TIME_NONE)
        push_pair(&y->pairs, &y->pair_count, &y->pair_room, &p);
}

static void after_activity(struct mediabrowser_sync *y)
{
    y->page = 0;
    y->pair_done = 0;
    if (y->pair_count)
        y->step = SYNC_PAIR_ITEMS;
    else
        y->step = y->user_count ? SYNC_PLAYED : SYNC_DONE;
    if (!y->pair_count)
        y->oldest_activity_us = INT64_MAX;
}

static void begin_views(struct source *s, struct json_writer *w, struct buf *b)
{
    buf_clear(b);
    jw_begin(w, b);
    jw_object(w);
    jw_kv_text(w, "server", s->config->key);
    jw_kv_array(w, "views");
}

static void end_views(struct source *s, struct json_writer *w, struct buf *b, size_t count)
{
    jw_array_end(w);
    jw_object_end(w);
    if (count)
        source_append(s, LOG_VIEWS, b);
}

static void take_pair_items(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    auto_arena struct arena a = {0};
    struct json_writer w;
    begin_views(s, &w, &b);
    size_t written = 0;
    size_t until = y->pair_done + IDS_A_PAGE;
    for (; y->pair_done < y->pair_count && y->pair_done < until; y->pair_done++) {
        const struct pair *p = &y->pairs[y->pair_done];
        size_t i;
        json_t *row;
        json_array_foreach (rows, i, row) {
            char scratch[32];
            const char *id = jtext(row, "Id", scratch);
            if (!id || strcasecmp(id, p->item) != 0)
                continue;
            struct observation item;
            observation_init(&item);
            mediabrowser_item(&a, row, &item);
            char source_id[64];
            snprintf(source_id, sizeof(source_id), "activity:%s", p->id);
            source_write_view(&w, source_id, p->user, p->at_us, p->ended_us, &item);
            written++;
            break;
        }
    }
    end_views(s, &w, &b, written);
}

/* False when everything further is known already. */
static bool take_played(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    auto_arena struct arena a = {0};
    struct json_writer w;
    begin_views(s, &w, &b);
    size_t written = 0;
    bool is_more = true;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        int64_t at_us;
        const char *date = jstr(jget(row, "UserData"), "LastPlayedDate");
        if (!time_parse(str_of(date), &at_us) || at_us <= 0)
            continue;
        if (y->played_since_us != TIME_NONE && at_us < y->played_since_us) {
            is_more = false;
            break;
        }
        if (at_us > y->played_seen_us)
            y->played_seen_us = at_us;
        if (at_us >= y->oldest_activity_us)
            continue; /* told by the activity log, with its end */
        struct observation item;
        observation_init(&item);
        mediabrowser_item(&a, row, &item);
        if (!*item.item_key)
            continue;
        char source_id[160];
        snprintf(source_id, sizeof(source_id), "played:%s:%.48s:%lld", y->users[y->user],
                 item.item_key, (long long)(at_us / US_PER_S));
        source_write_view(&w, source_id, y->users[y->user], at_us, TIME_NONE, &item);
        written++;
    }
    end_views(s, &w, &b, written);
    return is_more;
}

enum status mediabrowser_sync_take(struct source *s, const json_t *root, struct error *err)
{
    struct mediabrowser_sync *y = sync_of(s);
    const json_t *rows = rows_of(root);
    if (!json_is_array(rows))
        return fail(err, STATUS_PROTOCOL, "the answer holds no list");
    size_t count = json_array_size(rows);
    bool is_last = count < page_size(s) || ++y->page >= PAGES_MAX;
    switch (y->step) {
    case SYNC_USERS:
        take_users(s, y, rows);
        y->page = 0;
        y->step = SYNC_LIBRARIES;
        source_set_percent(s, 5);
        break;
    case SYNC_LIBRARIES:
        take_libraries(s, rows);
        y->page = 0;
        y->step = SYNC_ACTIVITY;
        source_set_percent(s, 10);
        break;
    case SYNC_ACTIVITY: {
        bool is_known = false;
        for (size_t i = 0; i < count; i++) {
            const json_t *row = json_array_get(rows, i);
            int64_t at_us;
            /* A day of overlap: a stop may come long after the start we saw last time. */
            if (y->newest_us != TIME_NONE && time_parse(str_of(jstr(row, "Date")), &at_us) &&
                at_us < y->newest_us - US_PER_DAY)
                is_known = true;
            take_entry(y, row);
        }
        if (is_last || is_known)
            after_activity(y);
        source_set_percent(s, 15);
        break;
    }
    case SYNC_PAIR_ITEMS:
        take_pair_items(s, y, rows);
        source_set_percent(s, 20 + (int)(40 * y->pair_done / (y->pair_count ? y->pair_count : 1)));
        if (y->pair_done >= y->pair_count) {
            y->page = 0;
            y->step = y->user_count ? SYNC_PLAYED : SYNC_DONE;
        }
        break;
    case SYNC_PLAYED:
        if (!take_played(s, y, rows) || is_last) {
            y->page = 0;
            if (++y->user >= y->user_count)
                y->step = SYNC_DONE;
        }
        source_set_percent(s, 60 + (int)(40 * y->user / (y->user_count ? y->user_count : 1)));
        break;
    case SYNC_DONE:
        break;
    }
    return STATUS_OK;
}
