/* The protocol Jellyfin and Emby share, and where they part. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

enum { TICKS_PER_MS = 10000 };

/* Token="..." of an Authorization header. */
static bool has_token(const char *header, const char *scheme, const char *token)
{
    if (!header || strncasecmp(header, scheme, strlen(scheme)) != 0)
        return false;
    const char *at = strstr(header, "Token=\"");
    size_t n = strlen(token);
    return at && strncmp(at + 7, token, n) == 0 && at[7 + n] == '"';
}

static bool is_same(const char *given, const char *token)
{
    return given && streq(given, token);
}

bool mb_is_allowed(const struct sim_server *s, struct http_exchange *x)
{
    const char *authorization = http_header(x, "Authorization");
    if (s->kind == KIND_JELLYFIN) {
        if (has_token(authorization, "MediaBrowser ", s->token) ||
            is_same(http_query(x, "ApiKey"), s->token))
            return true;
        if (s->sim->is_legacy_auth_off)
            return false;
        if (is_same(http_header(x, "X-MediaBrowser-Token"), s->token) ||
            has_token(http_header(x, "X-Emby-Authorization"), "MediaBrowser ", s->token))
            return true;
    }
    return has_token(authorization, "Emby ", s->token) ||
           has_token(http_header(x, "X-Emby-Authorization"), "Emby ", s->token) ||
           is_same(http_header(x, "X-Emby-Token"), s->token) ||
           is_same(http_query(x, "api_key"), s->token);
}

static const char *type_of(const struct item *i)
{
    static const char *const names[] = {"Movie", "Series", "Season", "Episode", "MusicArtist",
                                        "MusicAlbum", "Audio"};
    return names[i->kind];
}

/* A range as Emby says it. */
static const char *extended_type(const char *range)
{
    return streq(range, "SDR")    ? "None"
           : streq(range, "DOVI") ? "DolbyVision"
           : streq(range, "HLG")  ? "HyperLogGamma"
                                  : "Hdr10";
}

static void put_streams(const struct sim_server *s, struct json_writer *w, const struct media *m)
{
    jw_kv_array(w, "MediaStreams");
    int index = 0;
    if (m->video_codec) {
        bool has_hdr = !streq(m->range, "SDR");
        jw_object(w);
        jw_kv_text(w, "Type", "Video");
        jw_kv_text(w, "Codec", m->video_codec);
        jw_kv_int(w, "Index", index++);
        jw_kv_int(w, "Width", m->width);
        jw_kv_int(w, "Height", m->height);
        jw_kv_int(w, "BitDepth", m->bit_depth);
        jw_kv_int(w, "BitRate", (int64_t)(m->bitrate_kbps - 640) * 1000);
        jw_kv_double(w, "RealFrameRate", m->fps);
        jw_kv_text(w, "Profile", m->video_profile);
        jw_kv_text(w, "VideoRange", has_hdr ? "HDR" : "SDR");
        if (s->kind == KIND_EMBY)
            jw_kv_text(w, "ExtendedVideoType", extended_type(m->range));
        else
            jw_kv_text(w, "VideoRangeType", streq(m->range, "DOVI") ? "DOVIWithHDR10" : m->range);
        jw_kv_bool(w, "IsDefault", true);
        jw_kv_bool(w, "IsExternal", false);
        jw_object_end(w);
    }
    jw_object(w);
    jw_kv_text(w, "Type", "Audio");
    jw_kv_text(w, "Codec", m->audio_codec);
    jw_kv_int(w, "Index", index++);
    jw_kv_int(w, "Channels", m->channels);
    jw_kv_int(w, "BitRate", m->video_codec ? 640000 : (int64_t)m->bitrate_kbps * 1000);
    if (m->language_code)
        jw_kv_text(w, "Language", m->language_code);
    jw_kv_bool(w, "IsDefault", true);
    jw_kv_bool(w, "IsExternal", false);
    jw_object_end(w);
    if (m->subtitle_codec) {
        jw_object(w);
        jw_kv_text(w, "Type", "Subtitle");
        jw_kv_text(w, "Codec", m->subtitle_codec);
        jw_kv_int(w, "Index", index);
        jw_kv_text(w, "Language", "eng");
        jw_kv_bool(w, "IsExternal", false);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* What a user has played of an item, as the server remembers it. */
struct user_data {
    int64_t plays, last_us, position_ms;
};

static bool is_played(const struct user_data *data)
{
    return data->plays > 0 && !data->position_ms;
}

/* Its files, of which each item has one. */
static void put_files(const struct sim_server *s, struct json_writer *w, const struct item *i)
{
    char text[160];
    jw_kv_array(w, "MediaSources");
    jw_object(w);
    jw_kv_text(w, "Protocol", "File");
    snprintf(text, sizeof(text), "/media/%d/%s.%s", i->tmdb, i->title, i->media->container);
    jw_kv_text(w, "Path", text);
    jw_kv_text(w, "Container", i->media->container);
    jw_kv_int(w, "Size", i->duration_ms / 8 * i->media->bitrate_kbps);
    jw_kv_int(w, "Bitrate", (int64_t)i->media->bitrate_kbps * 1000);
    jw_kv_int(w, "RunTimeTicks", i->duration_ms * TICKS_PER_MS);
    put_streams(s, w, i->media);
    jw_object_end(w);
    jw_array_end(w);
}

static void put_item(struct sim_server *s, struct json_writer *w, unsigned item,
                     const struct user_data *data, bool has_files)
{
    const struct world *world = s->sim->world;
    const struct item *i = &world->items[item];
    char id[ID_MAX], text[40];
    jw_object(w);
    jw_kv_text(w, "Name", i->title);
    jw_kv_text(w, "ServerId", s->id);
    jw_kv_text(w, "Id", id_item(s, item, id));
    int64_t added_us = shelf_added_us(s, item);
    if (added_us != TIME_NONE)
        jw_kv_time(w, "DateCreated", added_us + server_skew_us(s));
    jw_kv_text(w, "Type", type_of(i));
    jw_kv_int(w, "ProductionYear", i->year);
    if (i->number)
        jw_kv_int(w, "IndexNumber", i->number);
    if (i->duration_ms)
        jw_kv_int(w, "RunTimeTicks", i->duration_ms * TICKS_PER_MS);
    jw_kv_bool(w, "IsFolder", i->media == NULL);
    if (i->kind == ITEM_EPISODE) {
        const struct item *season = &world->items[i->parent], *show = &world->items[i->grandparent];
        jw_kv_int(w, "ParentIndexNumber", season->number);
        jw_kv_text(w, "SeriesName", show->title);
        jw_kv_text(w, "SeriesId", id_item(s, (unsigned)i->grandparent, id));
        jw_kv_text(w, "SeasonId", id_item(s, (unsigned)i->parent, id));
        jw_kv_text(w, "SeasonName", season->title);
    } else if (i->kind == ITEM_TRACK) {
        jw_kv_text(w, "Album", world->items[i->parent].title);
        jw_kv_text(w, "AlbumId", id_item(s, (unsigned)i->parent, id));
        jw_kv_text(w, "AlbumArtist", world->items[i->grandparent].title);
        jw_kv_array(w, "Artists");
        jw_text(w, world->items[i->grandparent].title);
        jw_array_end(w);
    }
    jw_kv_text(w, "OfficialRating", i->content_rating);
    jw_kv_double(w, "CommunityRating", i->rating_tenths / 10.0);
    jw_kv_array(w, "Genres");
    jw_text(w, i->genres[0]);
    jw_text(w, i->genres[1]);
    jw_array_end(w);
    jw_kv_object(w, "ProviderIds");
    if (!s->has_no_ids) {
        int tmdb = i->tmdb + (s->has_wrong_ids ? 1000000 : 0);
        snprintf(text, sizeof(text), "%d", tmdb);
        jw_kv_text(w, "Tmdb", text);
        snprintf(text, sizeof(text), "tt%07d", tmdb * 3);
        jw_kv_text(w, s->kind == KIND_EMBY ? "IMDB" : "Imdb", text);
    }
    jw_object_end(w);
    if (i->media) {
        jw_kv_text(w, "MediaType", i->media->video_codec ? "Video" : "Audio");
        jw_kv_text(w, "Container", i->media->container);
        if (has_files)
            put_files(s, w, i);
        else
            put_streams(s, w, i->media);
    }
    if (data) {
        jw_kv_object(w, "UserData");
        jw_kv_int(w, "PlaybackPositionTicks", data->position_ms * TICKS_PER_MS);
        jw_kv_int(w, "PlayCount", data->plays);
        jw_kv_bool(w, "IsFavorite", false);
        if (data->last_us)
            jw_kv_time(w, "LastPlayedDate", data->last_us);
        jw_kv_bool(w, "Played", is_played(data));
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void put_transcoding(struct json_writer *w, const struct sim_server *s,
                            const struct session *n)
{
    const struct decision *d = &n->decision;
    jw_kv_object(w, "TranscodingInfo");
    jw_kv_text(w, "AudioCodec", d->audio_codec);
    if (d->video_codec)
        jw_kv_text(w, "VideoCodec", d->video_codec);
    jw_kv_text(w, "Container", "ts");
    jw_kv_bool(w, "IsVideoDirect", d->video != METHOD_TRANSCODE);
    jw_kv_bool(w, "IsAudioDirect", d->audio != METHOD_TRANSCODE);
    jw_kv_int(w, "Bitrate", (int64_t)d->bitrate_kbps * 1000);
    jw_kv_double(w, "CompletionPercentage", 42.5);
    jw_kv_int(w, "Width", d->width);
    jw_kv_int(w, "Height", d->height);
    jw_kv_int(w, "AudioChannels", d->channels);
    if (s->kind == KIND_JELLYFIN) {
        jw_kv_text(w, "HardwareAccelerationType", "vaapi");
    } else {
        jw_kv_bool(w, "VideoEncoderIsHardware", true);
        jw_kv_text(w, "VideoEncoderHwAccel", "VAAPI");
    }
    jw_kv_array(w, "TranscodeReasons");
    if (d->reason)
        jw_text(w, d->reason);
    jw_array_end(w);
    jw_object_end(w);
}

static void put_session(struct sim_server *s, struct json_writer *w, const struct session *n)
{
    const struct person *p = &s->sim->world->people[n->person];
    const struct device *d = &p->devices[n->device];
    const struct decision *how = &n->decision;
    char id[ID_MAX];
    bool is_jellyfin = s->kind == KIND_JELLYFIN;
    jw_object(w);
    jw_kv_object(w, "PlayState");
    jw_kv_int(w, "PositionTicks", n->reported_ms * TICKS_PER_MS);
    jw_kv_bool(w, "CanSeek", true);
    jw_kv_bool(w, "IsPaused", n->state == STATE_PAUSED);
    jw_kv_bool(w, "IsMuted", false);
    jw_kv_int(w, "AudioStreamIndex", 1);
    jw_kv_int(w, "SubtitleStreamIndex", -1);
    jw_kv_text(w, "PlayMethod", how->method == METHOD_DIRECT
                                    ? (is_jellyfin ? "DirectPlay" : "DirectStream")
                                    : "Transcode");
    jw_kv_text(w, "RepeatMode", "RepeatNone");
    if (is_jellyfin)
        jw_kv_text(w, "PlaybackOrder", "Default");
    jw_object_end(w);
    jw_kv_array(w, "AdditionalUsers");
    jw_array_end(w);
    char address[64];
    const char *seen = n->route.is_relayed ? n->route.public_address : n->route.address;
    snprintf(address, sizeof(address), "%s", seen);
    jw_kv_text(w, "RemoteEndPoint", address);
    jw_kv_text(w, "Id", n->id);
    jw_kv_text(w, "UserId", id_user(s, n->person, id));
    jw_kv_text(w, "UserName", user_name(s, n->person));
    jw_kv_text(w, "Client", d->mb_client);
    jw_kv_time(w, "LastActivityDate", n->reported_us + server_skew_us(s));
    if (is_jellyfin) {
        jw_kv_time(w, "LastPlaybackCheckIn", n->reported_us + server_skew_us(s));
        if (n->state == STATE_PAUSED)
            jw_kv_time(w, "LastPausedDate", n->paused_since_us);
        jw_kv_bool(w, "IsActive", true);
    } else {
        jw_kv_text(w, "Protocol", "HTTP/1.1");
    }
    jw_kv_text(w, "DeviceName", d->name);
    jw_kv_text(w, "DeviceId", d->id);
    jw_kv_text(w, "ApplicationVersion", d->app_version);
    jw_kv_bool(w, "SupportsRemoteControl", true);
    jw_kv_text(w, "ServerId", s->id);
    jw_kv_array(w, "SupportedCommands");
    jw_array_end(w);
    jw_kv_array(w, "PlayableMediaTypes");
    jw_text(w, "Video");
    jw_text(w, "Audio");
    jw_array_end(w);
    jw_key(w, "NowPlayingItem");
    put_item(s, w, n->item, NULL, false);
    if (how->method != METHOD_DIRECT)
        put_transcoding(w, s, n);
    jw_object_end(w);
}

static void put_sessions(struct sim_server *s, struct json_writer *w)
{
    jw_array(w);
    for (unsigned i = 0; i < s->sim->n_sessions; i++) {
        const struct session *n = s->sim->sessions[i];
        if (&s->sim->servers[n->server] == s && n->state != STATE_STOPPED)
            put_session(s, w, n);
    }
    if (s->kind == KIND_JELLYFIN) { /* the API key's own connection, idle */
        jw_object(w);
        jw_kv_text(w, "Id", "0f0e0d0c0b0a09080706050403020100");
        jw_kv_text(w, "UserId", "00000000000000000000000000000000");
        jw_kv_text(w, "Client", "Cartographus");
        jw_kv_text(w, "DeviceId", s->id);
        jw_kv_text(w, "DeviceName", s->name);
        jw_kv_time(w, "LastActivityDate", clock_now_us() + server_skew_us(s));
        jw_kv_bool(w, "IsActive", true);
        jw_object_end(w);
    }
    jw_array_end(w);
}

char *mb_sessions_message(struct sim_server *s)
{
    struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "MessageType", "Sessions");
    if (s->kind == KIND_JELLYFIN)
        jw_kv_text(&w, "MessageId", "9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d");
    jw_key(&w, "Data");
    put_sessions(s, &w);
    jw_object_end(&w);
    return buf_steal(&b);
}

static void put_user(const struct sim_server *s, struct json_writer *w, unsigned person)
{
    char id[ID_MAX];
    jw_object(w);
    jw_kv_text(w, "Name", user_name(s, person));
    if (s->kind == KIND_EMBY && *user_email(s, person)) {
        jw_kv_text(w, "ConnectUserName", user_email(s, person));
        jw_kv_text(w, "ConnectLinkType", "LinkedUser");
    }
    jw_kv_text(w, "ServerId", s->id);
    jw_kv_text(w, "Id", id_user(s, person, id));
    jw_kv_bool(w, "HasPassword", true);
    jw_kv_bool(w, "HasConfiguredPassword", true);
    jw_kv_object(w, "Policy");
    jw_kv_bool(w, "IsAdministrator", person == 0);
    jw_kv_bool(w, "IsDisabled", false);
    jw_object_end(w);
    jw_object_end(w);
}

static void put_info(const struct sim_server *s, struct json_writer *w, bool is_public)
{
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", s->port);
    jw_object(w);
    jw_kv_text(w, "LocalAddress", url);
    jw_kv_text(w, "ServerName", s->name);
    jw_kv_text(w, "Version", s->version);
    jw_kv_text(w, "Id", s->id);
    if (s->kind == KIND_JELLYFIN) {
        jw_kv_text(w, "ProductName", "Jellyfin Server");
        jw_kv_text(w, "OperatingSystem", "");
        jw_kv_bool(w, "StartupWizardCompleted", true);
    } else {
        jw_kv_array(w, "LocalAddresses");
        jw_text(w, url);
        jw_array_end(w);
        jw_kv_array(w, "RemoteAddresses");
        jw_array_end(w);
    }
    if (!is_public) {
        jw_kv_bool(w, "HasPendingRestart", false);
        jw_kv_int(w, "WebSocketPortNumber", s->port);
    }
    jw_object_end(w);
}

/* The library that an item is in. */
static unsigned folder_of(const struct item *i)
{
    return i->kind == ITEM_MOVIE ? 0 : i->kind < ITEM_ARTIST ? 1 : 2;
}

static const char *folder_id(const struct sim_server *s, unsigned folder, char dst[static ID_MAX])
{
    snprintf(dst, ID_MAX, s->kind == KIND_EMBY ? "%u" : "%032x", folder + 3);
    return dst;
}

static void put_folders(const struct sim_server *s, struct json_writer *w)
{
    static const char *const names[][3] = {{"Films", "movies", "/media/films"},
                                           {"Series", "tvshows", "/media/series"},
                                           {"Music", "music", "/media/music"}};
    char id[40];
    jw_array(w);
    for (unsigned i = 0; i < 3; i++) {
        jw_object(w);
        jw_kv_text(w, "Name", names[i][0]);
        jw_kv_array(w, "Locations");
        jw_text(w, names[i][2]);
        jw_array_end(w);
        jw_kv_text(w, "CollectionType", names[i][1]);
        jw_kv_text(w, "ItemId", folder_id(s, i, id));
        jw_object_end(w);
    }
    jw_array_end(w);
}

static int64_t query_int(struct http_exchange *x, const char *a, const char *b, int64_t fallback)
{
    const char *text = http_query(x, a);
    int64_t n;
    if (!text)
        text = http_query(x, b);
    return text && str_to_i64(str_of(text), &n) && n >= 0 ? n : fallback;
}

static const char *query(struct http_exchange *x, const char *a, const char *b)
{
    const char *text = http_query(x, a);
    return text ? text : http_query(x, b);
}

/* Is `word` one of a comma-separated list? */
static bool is_listed(const char *list, const char *word)
{
    struct str rest = str_of(list), piece;
    while (str_next(&rest, ',', &piece))
        if (str_eq_nocase(str_trim(piece), str_of(word)))
            return true;
    return false;
}

static void note_play(const struct sim_server *s, struct user_data *data, unsigned item,
                      int64_t at_us, int64_t position_ms)
{
    struct user_data *d = &data[item];
    d->plays++;
    if (at_us < d->last_us)
        return;
    d->last_us = at_us;
    d->position_ms = position_ms * 10 < s->sim->world->items[item].duration_ms * 9 ? position_ms
                                                                                   : 0;
}

/* One for each item of the catalogue. The caller frees. */
static struct user_data *user_data_of(const struct sim_server *s, unsigned person)
{
    struct user_data *data = xcalloc(s->sim->world->n_items, sizeof(*data));
    for (size_t n = 0; n < s->sim->n_past; n++) {
        const struct past_play *p = &s->sim->past[n];
        if (p->server == s->number && p->person == person)
            note_play(s, data, p->item, p->stopped_s * US_PER_S + server_skew_us(s), p->end_ms);
    }
    for (unsigned n = 0; n < s->sim->n_sessions; n++) {
        const struct session *l = s->sim->sessions[n];
        if (l->server == s->number && l->person == person && l->state == STATE_STOPPED)
            note_play(s, data, l->item, l->stopped_us + server_skew_us(s), l->position_ms);
    }
    return data;
}

struct listed {
    unsigned item;
    int64_t played_us, added_us;
};

static int last_played_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->played_us != y->played_us)
        return x->played_us < y->played_us ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static int last_added_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->added_us != y->added_us)
        return x->added_us < y->added_us ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static void put_items(struct sim_server *s, struct http_exchange *x, struct json_writer *w,
                      const char *user)
{
    int64_t start = query_int(x, "startIndex", "StartIndex", 0);
    int64_t limit = query_int(x, "limit", "Limit", 100000);
    const char *types = query(x, "includeItemTypes", "IncludeItemTypes");
    const char *ids = query(x, "ids", "Ids");
    const char *filters = query(x, "filters", "Filters");
    const char *sort = query(x, "sortBy", "SortBy");
    const char *parent = query(x, "parentId", "ParentId");
    const char *fields = query(x, "fields", "Fields");
    int person = user ? user_by_id(s, user) : -1;
    auto_free struct user_data *data = person >= 0 ? user_data_of(s, (unsigned)person) : NULL;
    auto_free struct listed *list = xcalloc(s->sim->world->n_items, sizeof(*list));
    size_t total = 0;
    for (unsigned i = 0; i < s->sim->world->n_items; i++) {
        char id[ID_MAX];
        if (types && !is_listed(types, type_of(&s->sim->world->items[i])))
            continue;
        if (ids && !is_listed(ids, id_item(s, i, id)))
            continue;
        if (filters && is_listed(filters, "IsPlayed") && !(data && is_played(&data[i])))
            continue;
        if (parent && !streq(parent, folder_id(s, folder_of(&s->sim->world->items[i]), id)))
            continue;
        int64_t added_us = shelf_added_us(s, i);
        if (added_us == TIME_NONE)
            continue;
        list[total++] = (struct listed){i, data ? data[i].last_us : 0, added_us};
    }
    if (sort && is_listed(sort, "DatePlayed"))
        qsort(list, total, sizeof(*list), last_played_first);
    else if (sort && is_listed(sort, "DateCreated"))
        qsort(list, total, sizeof(*list), last_added_first);
    jw_object(w);
    jw_kv_array(w, "Items");
    for (size_t i = (size_t)start; i < total && (int64_t)i < start + limit; i++)
        put_item(s, w, list[i].item, data ? &data[list[i].item] : NULL,
                 fields && is_listed(fields, "MediaSources"));
    jw_array_end(w);
    jw_kv_int(w, "TotalRecordCount", (int64_t)total);
    jw_kv_int(w, "StartIndex", start);
    jw_object_end(w);
}

/* One line of the activity log. */
struct activity {
    int64_t id, at_us;
    unsigned person, item;
    bool is_stop;
};

static int newest_first(const void *a, const void *b)
{
    const struct activity *x = a, *y = b;
    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? 1 : -1;
    return x->id < y->id ? 1 : -1;
}

/* Start and stop of every play. The caller frees. */
static struct activity *activities(const struct sim_server *s, size_t *ret_count)
{
    struct activity *all = xcalloc(2 * (s->sim->n_past + s->sim->n_sessions) + 1, sizeof(*all));
    int64_t skew_us = server_skew_us(s);
    size_t count = 0;
    for (size_t n = 0; n < s->sim->n_past; n++) {
        const struct past_play *p = &s->sim->past[n];
        if (p->server != s->number)
            continue;
        int64_t id = (int64_t)n * 2 + 1;
        int64_t from_us = p->started_s * US_PER_S + skew_us, to_us = p->stopped_s * US_PER_S + skew_us;
        all[count++] = (struct activity){id, from_us, p->person, p->item, false};
        all[count++] = (struct activity){id + 1, to_us, p->person, p->item, true};
    }
    for (unsigned n = 0; n < s->sim->n_sessions; n++) {
        const struct session *l = s->sim->sessions[n];
        if (l->server != s->number)
            continue;
        int64_t id = ((int64_t)s->sim->n_past + l->number) * 2 + 1;
        all[count++] = (struct activity){id, l->started_us + skew_us, l->person, l->item, false};
        if (l->state == STATE_STOPPED)
            all[count++] =
                (struct activity){id + 1, l->stopped_us + skew_us, l->person, l->item, true};
    }
    qsort(all, count, sizeof(*all), newest_first);
    *ret_count = count;
    return all;
}

static void put_activity(struct sim_server *s, struct http_exchange *x, struct json_writer *w)
{
    int64_t start = query_int(x, "startIndex", "StartIndex", 0);
    int64_t limit = query_int(x, "limit", "Limit", 100), total = 0, since = INT64_MIN;
    const char *from = query(x, "minDate", "MinDate");
    if (from && !time_parse(str_of(from), &since))
        since = INT64_MIN;
    size_t count;
    auto_free struct activity *all = activities(s, &count);
    jw_object(w);
    jw_kv_array(w, "Items");
    for (const struct activity *a = all; a < all + count; a++) {
        if (a->at_us < since || total++ < start || total > start + limit)
            continue;
        char id[ID_MAX], text[200];
        const struct item *i = &s->sim->world->items[a->item];
        jw_object(w);
        jw_kv_int(w, "Id", a->id);
        snprintf(text, sizeof(text), "%s %s playing %s", user_name(s, a->person),
                 a->is_stop ? "has finished" : "is", i->title);
        jw_kv_text(w, "Name", text);
        bool is_audio = i->kind == ITEM_TRACK;
        snprintf(text, sizeof(text), "%sPlayback%s", is_audio ? "Audio" : "Video",
                 a->is_stop ? "Stopped" : "");
        jw_kv_text(w, "Type", text);
        jw_kv_text(w, "ItemId", id_item(s, a->item, id));
        jw_kv_time(w, "Date", a->at_us);
        jw_kv_text(w, "UserId", id_user(s, a->person, id));
        jw_kv_text(w, "Severity", s->kind == KIND_EMBY ? "Info" : "Information");
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_kv_int(w, "TotalRecordCount", total);
    jw_kv_int(w, "StartIndex", start);
    jw_object_end(w);
}

static bool has_suffix(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcasecmp(s + n - m, end) == 0;
}

/* POST /Sessions/{id}/...: 204 whether or not somebody listens. */
static void command(struct sim_server *s, const char *rest, struct outbox *o)
{
    for (unsigned i = 0; i < s->sim->n_sessions; i++) {
        struct session *n = s->sim->sessions[i];
        if (&s->sim->servers[n->server] != s || n->state == STATE_STOPPED ||
            strncmp(rest, n->id, strlen(n->id)) != 0)
            continue;
        if (has_suffix(rest, "/Playing/Stop"))
            session_stop(s->sim, n, o);
        else if (has_suffix(rest, "/Playing/Pause"))
            session_pause(s->sim, n, o);
        else if (has_suffix(rest, "/Playing/Unpause"))
            session_resume(s->sim, n, o);
        return;
    }
}

void mb_answer(struct sim_server *s, struct http_exchange *x, struct answer *a, struct outbox *o)
{
    const char *path = http_path(x);
    /* Emby answers with its prefix and without, Jellyfin only until it dropped old clients. */
    if (strncasecmp(path, "/emby/", 6) == 0 &&
        (s->kind == KIND_EMBY || !s->sim->is_legacy_auth_off))
        path += 5;
    struct buf b = BUF_INIT((size_t)64 << 20);
    struct json_writer w;
    jw_begin(&w, &b);
    a->content_type = "application/json; charset=utf-8";
    a->status = 200;
    bool is_post = streq(http_method(x), "POST");
    if (is_post && strncasecmp(path, "/Sessions/", 10) == 0) {
        command(s, path + 10, o);
        a->status = 204;
        return;
    }
    if (strcasecmp(path, "/System/Info/Public") == 0) {
        put_info(s, &w, true);
    } else if (strcasecmp(path, "/System/Info") == 0) {
        put_info(s, &w, false);
    } else if (strcasecmp(path, "/System/Ping") == 0) {
        jw_text(&w, s->kind == KIND_EMBY ? "Emby Server" : "Jellyfin Server");
    } else if (strcasecmp(path, "/Sessions") == 0) {
        put_sessions(s, &w);
    } else if (strcasecmp(path, "/Users") == 0 || strcasecmp(path, "/Users/Query") == 0) {
        bool is_query = has_suffix(path, "/Query");
        int64_t count = 0;
        if (is_query) {
            jw_object(&w);
            jw_key(&w, "Items");
        }
        jw_array(&w);
        for (unsigned p = 0; p < s->sim->world->n_people; p++)
            if (world_has_account(s->sim->world, p, s->number, s->sim->n_servers)) {
                put_user(s, &w, p);
                count++;
            }
        jw_array_end(&w);
        if (is_query) {
            jw_kv_int(&w, "TotalRecordCount", count);
            jw_object_end(&w);
        }
    } else if (strcasecmp(path, "/Library/VirtualFolders") == 0) {
        put_folders(s, &w);
    } else if (strcasecmp(path, "/Items") == 0) {
        put_items(s, x, &w, query(x, "userId", "UserId"));
    } else if (strncasecmp(path, "/Users/", 7) == 0 && has_suffix(path, "/Items")) {
        char user[ID_MAX];
        snprintf(user, sizeof(user), "%.36s", path + 7);
        user[strcspn(user, "/")] = '\0';
        put_items(s, x, &w, user);
    } else if (strncasecmp(path, "/Users/", 7) == 0 && user_by_id(s, path + 7) >= 0) {
        put_user(s, &w, (unsigned)user_by_id(s, path + 7));
    } else if (strcasecmp(path, "/System/ActivityLog/Entries") == 0) {
        put_activity(s, x, &w);
    } else {
        buf_done(&b);
        a->status = 404;
        a->content_type = "text/plain";
        return;
    }
    a->body = buf_steal(&b);
}
