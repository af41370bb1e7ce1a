/* The protocol of a Plex Media Server: one tree an answer, written as XML or JSON by Accept. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

static void set_text(json_t *o, const char *key, const char *v)
{
    if (v)
        json_object_set_new(o, key, json_string(v));
}

static void set_int(json_t *o, const char *key, int64_t v)
{
    json_object_set_new(o, key, json_integer(v));
}

static void set_bool(json_t *o, const char *key, bool v)
{
    json_object_set_new(o, key, json_boolean(v));
}

/* Many fields arrive as quoted numbers. */
static void set_quoted(json_t *o, const char *key, int64_t v)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, v);
    set_text(o, key, text);
}

static json_t *add_object(json_t *o, const char *key)
{
    json_t *child = json_object();
    json_object_set_new(o, key, child);
    return child;
}

static json_t *add_row(json_t *o, const char *key)
{
    json_t *list = json_object_get(o, key);
    if (!list) {
        list = json_array();
        json_object_set_new(o, key, list);
    }
    json_t *row = json_object();
    json_array_append_new(list, row);
    return row;
}

/* --- XML ------------------------------------------------------------------------------------------ */

static void xml_text(struct buf *b, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&': buf_puts(b, "&amp;"); break;
        case '<': buf_puts(b, "&lt;"); break;
        case '>': buf_puts(b, "&gt;"); break;
        case '"': buf_puts(b, "&quot;"); break;
        case '\n': buf_puts(b, "&#10;"); break;
        default: buf_putc(b, *s);
        }
}

static const char *xml_name(const char *key, const json_t *row)
{
    if (!streq(key, "Metadata"))
        return key;
    const char *type = jstr(row, "type");
    if (streq(type, "movie") || streq(type, "episode") || streq(type, "clip"))
        return "Video";
    return streq(type, "track") ? "Track" : streq(type, "photo") ? "Photo" : "Directory";
}

static void xml_element(struct buf *b, const char *name, json_t *o)
{
    buf_printf(b, "<%s", name);
    const char *key;
    json_t *v;
    bool has_children = false;
    json_object_foreach(o, key, v) {
        if (json_is_object(v) || json_is_array(v)) {
            has_children = true;
            continue;
        }
        buf_printf(b, " %s=\"", key);
        if (json_is_string(v))
            xml_text(b, json_string_value(v));
        else if (json_is_boolean(v))
            buf_putc(b, json_is_true(v) ? '1' : '0');
        else if (json_is_integer(v))
            buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        else
            buf_printf(b, "%g", json_number_value(v));
        buf_putc(b, '"');
    }
    if (!has_children) {
        buf_puts(b, "/>\n");
        return;
    }
    buf_puts(b, ">\n");
    json_object_foreach(o, key, v) {
        size_t n;
        json_t *row;
        if (json_is_object(v))
            xml_element(b, key, v);
        else if (json_is_array(v))
            json_array_foreach(v, n, row)
                xml_element(b, xml_name(key, row), row);
    }
    buf_printf(b, "</%s>\n", name);
}

/* --- items ---------------------------------------------------------------------------------------- */

static const char *type_of(const struct item *i)
{
    switch (i->kind) {
    case ITEM_MOVIE: return "movie";
    case ITEM_SHOW: return "show";
    case ITEM_SEASON: return "season";
    case ITEM_EPISODE: return "episode";
    case ITEM_ARTIST: return "artist";
    case ITEM_ALBUM: return "album";
    case ITEM_TRACK: return "track";
    }
    return "movie";
}

struct section {
    int id, type;
    const char *title, *kind, *agent;
};
static const struct section sections[] = {
    {1, 1, "Films", "movie", "tv.plex.agents.movie"},
    {2, 2, "Series", "show", "tv.plex.agents.series"},
    {3, 8, "Music", "artist", "tv.plex.agents.music"},
};

static const struct section *section_of(const struct item *i)
{
    switch (i->kind) {
    case ITEM_MOVIE: return &sections[0];
    case ITEM_SHOW:
    case ITEM_SEASON:
    case ITEM_EPISODE: return &sections[1];
    case ITEM_ARTIST:
    case ITEM_ALBUM:
    case ITEM_TRACK: return &sections[2];
    }
    return &sections[0];
}

static void set_relative(const struct sim_server *s, json_t *o, const char *prefix, int item)
{
    if (item < 0)
        return;
    const struct item *i = &s->sim->world->items[item];
    char id[ID_MAX], name[40], text[96];
    id_item(s, (unsigned)item, id);
    snprintf(name, sizeof(name), "%sRatingKey", prefix);
    set_text(o, name, id);
    snprintf(name, sizeof(name), "%sKey", prefix);
    snprintf(text, sizeof(text), "/library/metadata/%s", id);
    set_text(o, name, text);
    snprintf(name, sizeof(name), "%sGuid", prefix);
    snprintf(text, sizeof(text), "plex://%s/5d77%08x%012x", type_of(i), (unsigned)item * 2654435u,
             (unsigned)item);
    set_text(o, name, text);
    snprintf(name, sizeof(name), "%sTitle", prefix);
    set_text(o, name, i->title);
    snprintf(name, sizeof(name), "%sThumb", prefix);
    snprintf(text, sizeof(text), "/library/metadata/%s/thumb/1700000000", id);
    set_text(o, name, text);
    if (streq(prefix, "parent"))
        set_int(o, "parentIndex", i->number);
}

static void set_item(struct sim_server *s, json_t *o, unsigned item)
{
    const struct item *i = &s->sim->world->items[item];
    const struct section *section = section_of(i);
    char id[ID_MAX], text[96];
    id_item(s, item, id);
    set_text(o, "ratingKey", id);
    bool is_leaf = i->kind == ITEM_MOVIE || i->kind == ITEM_EPISODE || i->kind == ITEM_TRACK;
    snprintf(text, sizeof(text), "/library/metadata/%s%s", id, is_leaf ? "" : "/children");
    set_text(o, "key", text);
    if (s->has_no_ids)
        snprintf(text, sizeof(text), "local://%s", id);
    else
        snprintf(text, sizeof(text), "plex://%s/5d77%08x%012x", type_of(i), item * 2654435u, item);
    set_text(o, "guid", text);
    set_text(o, "type", type_of(i));
    set_text(o, "title", i->title);
    set_relative(s, o, "parent", i->parent);
    set_relative(s, o, "grandparent", i->grandparent);
    if (i->number)
        set_int(o, "index", i->number);
    set_text(o, "summary", "Nobody in the harbour expected the ledger to talk.");
    set_int(o, "year", i->year);
    if (i->kind != ITEM_TRACK) {
        set_text(o, "contentRating", i->content_rating);
        set_text(o, "studio", i->studio);
        json_object_set_new(o, "audienceRating", json_real(i->rating_tenths / 10.0));
    }
    snprintf(text, sizeof(text), "/library/metadata/%s/thumb/1700000000", id);
    set_text(o, "thumb", text);
    if (i->duration_ms)
        set_int(o, "duration", i->duration_ms);
    snprintf(text, sizeof(text), "%d-03-%02u", i->year, 1 + item % 28);
    set_text(o, "originallyAvailableAt", text);
    int64_t added_us = shelf_added_us(s, item);
    if (added_us != TIME_NONE) {
        set_int(o, "addedAt", (added_us + server_skew_us(s)) / US_PER_S);
        set_int(o, "updatedAt", (added_us + server_skew_us(s)) / US_PER_S);
    }
    set_quoted(o, "librarySectionID", section->id);
    set_text(o, "librarySectionTitle", section->title);
    snprintf(text, sizeof(text), "/library/sections/%d", section->id);
    set_text(o, "librarySectionKey", text);
    if (i->kind == ITEM_MOVIE || i->kind == ITEM_SHOW)
        for (unsigned g = 0; g < 2; g++)
            set_text(add_row(o, "Genre"), "tag", i->genres[g]);
    if (s->has_no_ids)
        return;
    snprintf(text, sizeof(text), "tmdb://%d", i->tmdb);
    set_text(add_row(o, "Guid"), "id", text);
    snprintf(text, sizeof(text), "imdb://tt%07d", i->tmdb * 3);
    set_text(add_row(o, "Guid"), "id", text);
}

/* Media of an item: the file when d is NULL, else what is sent. */
static void set_media(const struct sim_server *s, json_t *o, unsigned item,
                      const struct decision *d)
{
    const struct item *i = &s->sim->world->items[item];
    const struct media *m = i->media;
    if (!m)
        return;
    char text[160];
    json_t *media = add_row(o, "Media");
    json_t *part = add_row(media, "Part");
    bool is_session = d != NULL;
    void (*set_id)(json_t *, const char *, int64_t) = is_session ? set_quoted : set_int;
    bool is_same = !d || d->method == METHOD_DIRECT;
    set_id(media, "id", item + 70000);
    set_int(media, "duration", i->duration_ms);
    set_int(media, "bitrate", is_same ? m->bitrate_kbps : d->bitrate_kbps);
    set_text(media, "audioCodec", is_same ? m->audio_codec : d->audio_codec);
    set_int(media, "audioChannels", is_same ? m->channels : d->channels);
    set_text(media, "container", is_same ? m->container : d->container);
    set_id(part, "id", item + 90000);
    set_int(part, "duration", i->duration_ms);
    set_text(part, "container", is_same ? m->container : d->container);
    if (is_same) {
        snprintf(text, sizeof(text), "/library/parts/%u/1700000000/file.%s", item + 90000,
                 m->container);
        set_text(part, "key", text);
        snprintf(text, sizeof(text), "/media/%s/%d/%s.%s", section_of(i)->title, i->tmdb, i->title,
                 m->container);
        set_text(part, "file", text);
        set_int(part, "size", i->duration_ms / 8 * m->bitrate_kbps);
    }
    if (is_session) {
        set_bool(media, "selected", true);
        set_bool(part, "selected", true);
        set_text(part, "decision", is_same ? "directplay" : "transcode");
    }
    static const char *const decisions[] = {"copy", "copy", "transcode"};
    if (m->video_codec) {
        set_text(media, "videoCodec", is_same ? m->video_codec : d->video_codec);
        set_text(media, "videoResolution", is_same ? m->resolution : d->resolution);
        set_int(media, "width", is_same ? m->width : d->width);
        set_int(media, "height", is_same ? m->height : d->height);
        set_text(media, "videoFrameRate", m->fps < 24.5 ? "24p" : m->fps < 26 ? "PAL" : "50p");
        set_text(media, "videoProfile", m->video_profile);
        json_t *video = add_row(part, "Stream");
        set_id(video, "id", item * 10 + 200001);
        set_int(video, "streamType", 1);
        set_int(video, "index", 0);
        set_bool(video, "default", true);
        set_text(video, "codec", is_same ? m->video_codec : d->video_codec);
        set_int(video, "bitrate", is_same ? m->bitrate_kbps - 640 : d->bitrate_kbps);
        set_int(video, "width", is_same ? m->width : d->width);
        set_int(video, "height", is_same ? m->height : d->height);
        json_object_set_new(video, "frameRate", json_real(m->fps));
        bool has_hdr = !streq(m->range, "SDR");
        snprintf(text, sizeof(text), "%s%s (%s%s%s)", m->resolution,
                 streq(m->resolution, "4k") || streq(m->resolution, "sd") ? "" : "p",
                 m->video_codec, has_hdr ? " " : "",
                 !has_hdr ? "" : streq(m->range, "DOVI") ? "Dolby Vision" : m->range);
        set_text(video, "displayTitle", text);
        set_text(video, "extendedDisplayTitle", text);
        if (!is_session || d->video != METHOD_TRANSCODE) {
            set_int(video, "bitDepth", m->bit_depth);
            if (has_hdr)
                set_text(video, "colorTrc",
                         streq(m->range, "HLG") ? "arib-std-b67" : "smpte2084");
            if (streq(m->range, "DOVI")) {
                set_bool(video, "DOVIPresent", true);
                set_int(video, "DOVIProfile", 8);
            }
        }
        if (is_session && !is_same)
            set_text(video, "decision", decisions[d->video]);
        if (is_session)
            set_text(video, "location", is_same ? "direct" : "segments-video");
    }
    json_t *audio = add_row(part, "Stream");
    set_id(audio, "id", item * 10 + 200002);
    set_int(audio, "streamType", 2);
    set_int(audio, "index", m->video_codec ? 1 : 0);
    set_bool(audio, "selected", true);
    set_text(audio, "codec", is_same ? m->audio_codec : d->audio_codec);
    set_int(audio, "channels", is_same ? m->channels : d->channels);
    set_text(audio, "language", m->language);
    set_text(audio, "languageCode", m->language_code);
    snprintf(text, sizeof(text), "%s (%s %s)", m->language ? m->language : "Unknown",
             m->audio_codec, m->channels > 6 ? "7.1" : m->channels > 2 ? "5.1" : "Stereo");
    set_text(audio, "displayTitle", text);
    if (is_session && !is_same)
        set_text(audio, "decision", decisions[d->audio]);
    if (is_session)
        set_text(audio, "location", is_same ? "direct" : "segments-audio");
    if (m->subtitle_codec) {
        json_t *sub = add_row(part, "Stream");
        set_id(sub, "id", item * 10 + 200003);
        set_int(sub, "streamType", 3);
        set_int(sub, "index", 2);
        set_text(sub, "codec", m->subtitle_codec);
        set_text(sub, "language", "English");
        set_text(sub, "languageCode", "eng");
        set_text(sub, "displayTitle", "English");
    }
}

/* --- sessions --------------------------------------------------------------------------------------- */

static const char *state_text(enum session_state s)
{
    return s == STATE_PAUSED ? "paused" : s == STATE_BUFFERING ? "buffering" : "playing";
}

char *plex_playing_message(const struct sim_server *s, const struct session *n, const char *state)
{
    char id[ID_MAX], text[96];
    id_item(s, n->item, id);
    auto_json json_t *root = json_object();
    json_t *box = add_object(root, "NotificationContainer");
    set_text(box, "type", "playing");
    set_int(box, "size", 1);
    json_t *row = add_row(box, "PlaySessionStateNotification");
    set_quoted(row, "sessionKey", n->plex_key);
    set_text(row, "clientIdentifier", s->sim->world->people[n->person].devices[n->device].id);
    set_text(row, "guid", "");
    set_text(row, "ratingKey", id);
    set_text(row, "url", "");
    snprintf(text, sizeof(text), "/library/metadata/%s", id);
    set_text(row, "key", text);
    set_int(row, "viewOffset", n->reported_ms);
    set_int(row, "playQueueItemID", n->number * 10 + 3);
    set_int(row, "playQueueID", n->number);
    set_text(row, "state", state);
    if (n->decision.method != METHOD_DIRECT) {
        snprintf(text, sizeof(text), "sim%08d", n->number);
        set_text(row, "transcodeSession", text);
    }
    return json_dumps(root, JSON_COMPACT);
}

static void set_transcode(json_t *o, const struct sim_server *s, const struct session *n)
{
    const struct decision *d = &n->decision;
    const struct item *i = &s->sim->world->items[n->item];
    static const char *const words[] = {"copy", "copy", "transcode"};
    char text[48];
    snprintf(text, sizeof(text), "/transcode/sessions/sim%08d", n->number);
    set_text(o, "key", text);
    set_bool(o, "throttled", n->reported_ms > 60000);
    set_bool(o, "complete", false);
    json_object_set_new(o, "progress",
                        json_real((double)(float)((double)n->reported_ms * 100.0 /
                                                  (double)i->duration_ms)));
    set_int(o, "size", -22);
    json_object_set_new(o, "speed", json_real(n->reported_ms > 60000 ? 0 : 5.3000001907348633));
    set_bool(o, "error", false);
    set_int(o, "duration", i->duration_ms);
    set_text(o, "context", "streaming");
    set_text(o, "sourceVideoCodec", i->media->video_codec);
    set_text(o, "sourceAudioCodec", i->media->audio_codec);
    if (i->media->video_codec)
        set_text(o, "videoDecision", words[d->video]);
    set_text(o, "audioDecision", words[d->audio]);
    set_text(o, "protocol", "hls");
    set_text(o, "container", d->container);
    set_text(o, "videoCodec", d->video_codec);
    set_text(o, "audioCodec", d->audio_codec);
    set_int(o, "audioChannels", d->channels);
    set_int(o, "width", d->width);
    set_int(o, "height", d->height);
    set_bool(o, "transcodeHwRequested", true);
    if (d->video == METHOD_TRANSCODE) {
        set_text(o, "transcodeHwDecoding", "vaapi");
        set_text(o, "transcodeHwEncoding", "vaapi");
        set_bool(o, "transcodeHwFullPipeline", true);
    }
}

static void add_session(struct sim_server *s, json_t *box, const struct session *n)
{
    const struct person *p = &s->sim->world->people[n->person];
    const struct device *d = &p->devices[n->device];
    char id[ID_MAX];
    json_t *row = add_row(box, "Metadata");
    set_item(s, row, n->item);
    set_quoted(row, "sessionKey", n->plex_key);
    set_quoted(row, "viewOffset", n->reported_ms);
    set_media(s, row, n->item, &n->decision);
    json_t *user = add_object(row, "User");
    set_text(user, "id", id_user(s, n->person, id));
    set_text(user, "title", user_name(s, n->person));
    set_text(user, "thumb", "https://plex.tv/users/0000000000000000/avatar?c=1");
    json_t *player = add_object(row, "Player");
    set_text(player, "address", n->route.address);
    set_text(player, "device", d->platform);
    set_text(player, "machineIdentifier", d->id);
    set_text(player, "model", "");
    set_text(player, "platform", d->platform);
    set_text(player, "platformVersion", d->platform_version);
    set_text(player, "product", d->plex_product);
    set_text(player, "profile", d->platform);
    if (n->route.public_address[0])
        set_text(player, "remotePublicAddress", n->route.public_address);
    set_text(player, "state", state_text(n->state));
    set_text(player, "title", d->name);
    set_text(player, "vendor", "");
    set_text(player, "version", d->app_version);
    set_bool(player, "local", n->route.is_lan);
    set_bool(player, "relayed", n->route.is_relayed);
    set_bool(player, "secure", true);
    set_int(player, "userID", jint(user, "id", 0));
    json_t *session = add_object(row, "Session");
    set_text(session, "id", n->id);
    set_int(session, "bandwidth", n->decision.bitrate_kbps * 5 / 4);
    set_text(session, "location", n->route.is_lan ? "lan" : "wan");
    if (n->decision.method != METHOD_DIRECT)
        set_transcode(add_object(row, "TranscodeSession"), s, n);
}

static void add_sessions(struct sim_server *s, json_t *box)
{
    int64_t count = 0;
    for (unsigned i = 0; i < s->sim->n_sessions; i++) {
        const struct session *n = s->sim->sessions[i];
        if (&s->sim->servers[n->server] != s || n->state == STATE_STOPPED)
            continue;
        add_session(s, box, n);
        count++;
    }
    set_int(box, "size", count);
}

/* --- history ----------------------------------------------------------------------------------------- */

static int64_t number_of(struct http_exchange *x, const char *name, int64_t fallback)
{
    const char *text = http_header(x, name);
    int64_t n;
    if (!text)
        text = http_query(x, name);
    return text && str_to_i64(str_of(text), &n) ? n : fallback;
}

static void add_history_row(const struct sim_server *s, json_t *box, size_t number,
                            unsigned person, unsigned device, unsigned item, int64_t viewed_s)
{
    const struct item *i = &s->sim->world->items[item];
    char id[ID_MAX], text[96];
    id_item(s, item, id);
    json_t *row = add_row(box, "Metadata");
    snprintf(text, sizeof(text), "/status/sessions/history/%zu", number);
    set_text(row, "historyKey", text);
    snprintf(text, sizeof(text), "/library/metadata/%s", id);
    set_text(row, "key", text);
    set_text(row, "ratingKey", id);
    set_quoted(row, "librarySectionID", section_of(i)->id);
    if (i->parent >= 0) {
        const struct item *parent = &s->sim->world->items[i->parent];
        id_item(s, (unsigned)i->parent, id);
        snprintf(text, sizeof(text), "/library/metadata/%s", id);
        set_text(row, "parentKey", text);
        set_text(row, "parentTitle", parent->title);
        set_int(row, "parentIndex", parent->number);
        set_int(row, "index", i->number);
    }
    if (i->grandparent >= 0) {
        id_item(s, (unsigned)i->grandparent, id);
        snprintf(text, sizeof(text), "/library/metadata/%s", id);
        set_text(row, "grandparentKey", text);
        set_text(row, "grandparentTitle", s->sim->world->items[i->grandparent].title);
    }
    set_text(row, "title", i->title);
    set_text(row, "type", type_of(i));
    snprintf(text, sizeof(text), "%d-03-%02u", i->year, 1 + item % 28);
    set_text(row, "originallyAvailableAt", text);
    set_int(row, "viewedAt", viewed_s);
    char user[ID_MAX];
    int64_t account = 0;
    (void)str_to_i64(str_of(id_user(s, person, user)), &account);
    set_int(row, "accountID", account);
    set_int(row, "deviceID", person * DEVICES_EACH + device + 1);
}

struct window {
    int64_t start, size, total, account, since, item;
};

static bool window_takes(struct window *w)
{
    bool is_in = w->total >= w->start && (w->size < 0 || w->total < w->start + w->size);
    w->total++;
    return is_in;
}

/* The operator counts only when it came literally: any other spelling is ignored, and everything
 * is given. */
static int64_t viewed_since(const struct http_exchange *x)
{
    const char *at = strstr(http_query_text(x), "viewedAt>=");
    return at ? strtoll(at + 10, NULL, 10) : INT64_MIN;
}

static bool is_in_window(struct sim_server *s, const struct window *w, unsigned person,
                         unsigned item, int64_t viewed_s)
{
    char id[ID_MAX];
    int64_t account = 0;
    (void)str_to_i64(str_of(id_user(s, person, id)), &account);
    if (viewed_s < w->since || (w->account >= 0 && w->account != account))
        return false;
    int64_t key = 0;
    (void)str_to_i64(str_of(id_item(s, item, id)), &key);
    return w->item < 0 || w->item == key;
}

/* What makes one row of the history. */
struct viewing {
    size_t number;
    unsigned person, device, item;
    int64_t viewed_s;
};

static int newest_first(const void *a, const void *b)
{
    const struct viewing *x = a, *y = b;
    if (x->viewed_s != y->viewed_s)
        return x->viewed_s < y->viewed_s ? 1 : -1;
    return (x->number < y->number) - (x->number > y->number);
}

static void add_history(struct sim_server *s, struct http_exchange *x, json_t *box,
                        struct answer *a)
{
    struct window w = {.start = number_of(x, "X-Plex-Container-Start", 0),
                       .size = number_of(x, "X-Plex-Container-Size", -1),
                       .account = number_of(x, "accountID", -1),
                       .item = number_of(x, "metadataItemID", -1),
                       .since = viewed_since(x)};
    const struct world *world = s->sim->world;
    int64_t count = 0;
    auto_free struct viewing *all = xcalloc(s->sim->n_sessions + s->sim->n_past + 1, sizeof(*all));
    size_t n_all = 0;
    for (unsigned i = 0; i < s->sim->n_sessions; i++) {
        const struct session *n = s->sim->sessions[i];
        if (&s->sim->servers[n->server] != s || n->state != STATE_STOPPED ||
            n->position_ms * 10 < world->items[n->item].duration_ms * 9)
            continue;
        all[n_all++] = (struct viewing){s->sim->n_past + (size_t)n->number, n->person, n->device,
                                        n->item,
                                        (n->stopped_us + server_skew_us(s)) / US_PER_S};
    }
    for (size_t i = 0; i < s->sim->n_past; i++) {
        const struct past_play *p = &s->sim->past[i];
        if (p->server != s->number || p->end_ms * 10 < world->items[p->item].duration_ms * 9)
            continue;
        all[n_all++] = (struct viewing){i + 1, p->person, p->device, p->item,
                                        p->stopped_s + server_skew_us(s) / US_PER_S};
    }
    qsort(all, n_all, sizeof(*all), newest_first);
    for (const struct viewing *v = all; v < all + n_all; v++)
        if (is_in_window(s, &w, v->person, v->item, v->viewed_s) && window_takes(&w)) {
            add_history_row(s, box, v->number, v->person, v->device, v->item, v->viewed_s);
            count++;
        }
    set_int(box, "size", count);
    set_int(box, "totalSize", w.total);
    set_int(box, "offset", w.start);
    a->total = w.total;
    a->start = w.start;
}

/* --- libraries ------------------------------------------------------------------------------------- */

static void add_sections(struct sim_server *s, json_t *box)
{
    char text[64];
    set_int(box, "size", ARRAY_LEN(sections));
    set_bool(box, "allowSync", false);
    set_text(box, "title1", "Plex Library");
    for (unsigned i = 0; i < ARRAY_LEN(sections); i++) {
        json_t *row = add_row(box, "Directory");
        set_quoted(row, "key", sections[i].id);
        set_text(row, "type", sections[i].kind);
        set_text(row, "title", sections[i].title);
        set_text(row, "agent", sections[i].agent);
        set_text(row, "scanner", "Plex Scanner");
        set_text(row, "language", "en-US");
        snprintf(text, sizeof(text), "%08x-0000-4000-8000-%012x", (unsigned)s->salt, i);
        set_text(row, "uuid", text);
        set_bool(row, "refreshing", false);
        set_bool(row, "filters", true);
        set_bool(row, "allowSync", true);
        set_bool(row, "content", true);
        set_bool(row, "directory", true);
        set_int(row, "hidden", 0);
        set_text(row, "art", "/:/resources/movie-fanart.jpg");
        set_text(row, "thumb", "/:/resources/movie.png");
        set_text(row, "composite", "/library/sections/1/composite/1700000000");
        set_int(row, "createdAt", 1600000000);
        set_int(row, "updatedAt", 1700000000);
        set_int(row, "scannedAt", 1700000000);
        set_int(row, "contentChangedAt", 123456);
        json_t *place = add_row(row, "Location");
        set_int(place, "id", sections[i].id);
        snprintf(text, sizeof(text), "/media/%s", sections[i].title);
        set_text(place, "path", text);
    }
}

static int type_number(const struct item *i)
{
    switch (i->kind) {
    case ITEM_MOVIE: return 1;
    case ITEM_SHOW: return 2;
    case ITEM_SEASON: return 3;
    case ITEM_EPISODE: return 4;
    case ITEM_ARTIST: return 8;
    case ITEM_ALBUM: return 9;
    case ITEM_TRACK: return 10;
    }
    return 0;
}

static bool add_section_items(struct sim_server *s, struct http_exchange *x, int64_t id, json_t *box,
                              struct answer *a)
{
    if (id < 1 || id > (int64_t)ARRAY_LEN(sections))
        return false;
    const struct section *section = &sections[id - 1];
    int64_t type = number_of(x, "type", section->type);
    struct window w = {.start = number_of(x, "X-Plex-Container-Start", 0),
                       .size = number_of(x, "X-Plex-Container-Size", -1)};
    int64_t count = 0;
    size_t n_all = 0;
    auto_free struct shelved *all = xcalloc(s->sim->world->n_items, sizeof(*all));
    for (unsigned i = 0; i < s->sim->world->n_items; i++) {
        const struct item *item = &s->sim->world->items[i];
        int64_t added_us = shelf_added_us(s, i);
        if (section_of(item) == section && type_number(item) == type && added_us != TIME_NONE)
            all[n_all++] = (struct shelved){i, added_us};
    }
    const char *sort = http_query(x, "sort");
    if (sort && (streq(sort, "updatedAt:desc") || streq(sort, "addedAt:desc")))
        shelf_sort(all, n_all);
    for (size_t n = 0; n < n_all; n++) {
        if (!window_takes(&w))
            continue;
        json_t *row = add_row(box, "Metadata");
        set_item(s, row, all[n].item);
        set_media(s, row, all[n].item, NULL);
        /* Streams are told with a single item only. */
        json_t *media = json_array_get(json_object_get(row, "Media"), 0);
        json_object_del(json_array_get(json_object_get(media, "Part"), 0), "Stream");
        count++;
    }
    set_int(box, "size", count);
    set_int(box, "totalSize", w.total);
    set_int(box, "offset", w.start);
    set_int(box, "librarySectionID", section->id);
    set_text(box, "librarySectionTitle", section->title);
    a->total = w.total;
    a->start = w.start;
    return true;
}

/* /library/metadata/1,2,3 and /library/metadata/1/children */
static bool add_metadata(struct sim_server *s, struct http_exchange *x, const char *rest,
                         json_t *box)
{
    const struct world *world = s->sim->world;
    const char *slash = strchr(rest, '/');
    struct str list = {rest, slash ? (size_t)(slash - rest) : strlen(rest)}, piece;
    bool is_children = slash && streq(slash, "/children");
    bool is_leaves = slash && streq(slash, "/allLeaves");
    if (slash && !is_children && !is_leaves)
        return false;
    int64_t count = 0;
    while (str_next(&list, ',', &piece)) {
        char id[ID_MAX];
        snprintf(id, sizeof(id), "%.*s", (int)(piece.len < 20 ? piece.len : 20), piece.ptr);
        int item = item_by_id(s, id);
        for (unsigned i = 0; item >= 0 && i < world->n_items; i++) {
            const struct item *it = &world->items[i];
            bool is_wanted = is_children ? it->parent == item
                             : is_leaves ? it->duration_ms > 0 &&
                                               (it->parent == item || it->grandparent == item)
                                         : (int)i == item;
            if (!is_wanted)
                continue;
            json_t *row = add_row(box, "Metadata");
            set_item(s, row, i);
            set_media(s, row, i, NULL);
            const char *markers = http_query(x, "includeMarkers");
            if (markers && streq(markers, "1") && it->credits_ms) {
                json_t *marker = add_row(row, "Marker");
                set_text(marker, "type", "credits");
                set_int(marker, "startTimeOffset", it->credits_ms);
                set_int(marker, "endTimeOffset", it->duration_ms);
                set_bool(marker, "final", true);
            }
            count++;
        }
    }
    set_int(box, "size", count);
    return count > 0 || is_children || is_leaves;
}

static void add_accounts(struct sim_server *s, json_t *box)
{
    char text[64];
    json_t *nobody = add_row(box, "Account");
    set_int(nobody, "id", 0);
    set_text(nobody, "key", "/accounts/0");
    set_text(nobody, "name", "");
    int64_t count = 1;
    for (unsigned p = 0; p < s->sim->world->n_people; p++) {
        if (!world_has_account(s->sim->world, p, s->number, s->sim->n_servers))
            continue;
        char id[ID_MAX];
        int64_t number = 0;
        (void)str_to_i64(str_of(id_user(s, p, id)), &number);
        json_t *row = add_row(box, "Account");
        set_int(row, "id", number);
        snprintf(text, sizeof(text), "/accounts/%s", id);
        set_text(row, "key", text);
        set_text(row, "name", user_name(s, p));
        set_text(row, "defaultAudioLanguage", "en");
        set_bool(row, "autoSelectAudio", true);
        set_text(row, "defaultSubtitleLanguage", "en");
        set_int(row, "subtitleMode", 1);
        set_text(row, "thumb", "https://plex.tv/users/0000000000000000/avatar?c=1");
        count++;
    }
    set_int(box, "size", count);
    set_text(box, "identifier", "com.plexapp.system.accounts");
}

static void add_devices(struct sim_server *s, json_t *box)
{
    int64_t count = 0;
    for (unsigned p = 0; p < s->sim->world->n_people; p++)
        for (unsigned d = 0; d < DEVICES_EACH; d++) {
            const struct device *device = &s->sim->world->people[p].devices[d];
            json_t *row = add_row(box, "Device");
            set_int(row, "id", p * DEVICES_EACH + d + 1);
            set_text(row, "name", device->name);
            set_text(row, "platform", device->platform);
            set_text(row, "clientIdentifier", device->id);
            set_int(row, "createdAt", 1650000000 + p * 86400);
            count++;
        }
    set_int(box, "size", count);
    set_text(box, "identifier", "com.plexapp.system.devices");
}

static void set_root(struct sim_server *s, json_t *box)
{
    set_int(box, "size", 0);
    set_bool(box, "claimed", true);
    set_text(box, "friendlyName", s->name);
    set_text(box, "machineIdentifier", s->id);
    set_text(box, "version", s->version);
    set_text(box, "platform", "Linux");
    set_text(box, "platformVersion", "6.1.0-26-amd64");
    set_bool(box, "myPlex", true);
    set_text(box, "myPlexUsername",
             *user_email(s, 0) ? user_email(s, 0) : s->sim->world->people[0].email);
    set_text(box, "myPlexSigninState", "ok");
    set_text(box, "myPlexMappingState", "mapped");
    set_bool(box, "myPlexSubscription", true);
    set_bool(box, "multiuser", true);
    set_bool(box, "allowSync", true);
    set_bool(box, "allowSharing", true);
    set_bool(box, "allowMediaDeletion", true);
    set_bool(box, "transcoderVideo", true);
    set_int(box, "transcoderActiveVideoSessions", 0);
    set_int(box, "livetv", 7);
    set_text(box, "ownerFeatures", "session_bandwidth_restrictions,webhooks,pass");
    set_int(box, "updatedAt", s->sim->born_us / US_PER_S);
}

static int terminate(struct sim_server *s, struct http_exchange *x, struct outbox *o)
{
    const char *id = http_query(x, "sessionId");
    if (!id || !*id)
        return 403;
    for (unsigned i = 0; i < s->sim->n_sessions; i++) {
        struct session *n = s->sim->sessions[i];
        if (&s->sim->servers[n->server] == s && n->state != STATE_STOPPED && streq(n->id, id)) {
            session_stop(s->sim, n, o);
            return 200;
        }
    }
    return 404;
}

void plex_answer(struct sim_server *s, struct http_exchange *x, struct answer *a,
                 struct outbox *o)
{
    /* Clients write some addresses with a slash at the end; a real server takes both. */
    struct str p = str_of(http_path(x));
    if (p.len > 1 && p.ptr[p.len - 1] == '/')
        p.len--;
    auto_free char *path = xstrndup(p.ptr, p.len);
    p.ptr = path;
    auto_json json_t *root = json_object();
    json_t *box = add_object(root, "MediaContainer");
    bool is_found = true;
    if (streq(path, "/identity")) {
        set_int(box, "size", 0);
        set_bool(box, "claimed", true);
        set_text(box, "machineIdentifier", s->id);
        set_text(box, "version", s->version);
    } else if (streq(path, "/")) {
        set_root(s, box);
    } else if (streq(path, "/status/sessions")) {
        add_sessions(s, box);
    } else if (streq(path, "/status/sessions/history/all")) {
        add_history(s, x, box, a);
    } else if (streq(path, "/status/sessions/terminate")) {
        a->status = terminate(s, x, o);
        a->content_type = "text/html";
        return;
    } else if (streq(path, "/accounts")) {
        add_accounts(s, box);
    } else if (streq(path, "/devices")) {
        add_devices(s, box);
    } else if (streq(path, "/library/sections") || streq(path, "/library/sections/all")) {
        add_sections(s, box);
    } else if (str_has_prefix(p, STR("/library/sections/")) && p.len > 22 &&
               streq(path + p.len - 4, "/all")) {
        is_found = add_section_items(s, x, strtoll(path + 18, NULL, 10), box, a);
    } else if (str_has_prefix(p, STR("/library/metadata/"))) {
        is_found = add_metadata(s, x, path + 18, box);
    } else {
        is_found = false;
    }
    if (!is_found) {
        a->total = -1;
        return;
    }
    a->status = 200;
    const char *accept = http_header(x, "Accept");
    if (accept && strcasestr(accept, "application/json")) {
        a->content_type = "application/json";
        a->body = json_dumps(root, JSON_COMPACT);
        return;
    }
    struct buf b = BUF_INIT((size_t)64 << 20);
    buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml_element(&b, "MediaContainer", box);
    a->content_type = "text/xml;charset=utf-8";
    a->body = buf_steal(&b);
}
