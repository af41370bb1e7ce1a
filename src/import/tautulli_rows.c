/* One row of Tautulli's history: what it says, in our words. */
#include "import/tautulli_file.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

#include "base/clock.h"

#include "base/banned.h"

/* Nothing was recorded before 2000, nor after this time of tomorrow. */
#define FIRST_S INT64_C(946684800)
/* A row that lasts longer than twice its title and an hour, or a day where that is not known, is
 * one whose end was written late. */
#define SLACK_MS (INT64_C(3600) * 1000)
#define UNKNOWN_MOST_MS (INT64_C(86400) * 1000)
#define MS_MOST (INT64_C(10) * 365 * 86400 * 1000)

/* --- texts ------------------------------------------------------------------------------------- */

struct str tautulli_raw(sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    if (!text)
        return (struct str){"", 0};
    size_t len = (size_t)sqlite3_column_bytes(q, column);
    if (len > RAW_MAX) {
        len = RAW_MAX;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    return (struct str){text, len};
}

const char *tautulli_text(struct arena *a, struct str raw)
{
    if (!raw.len)
        return "";
    if (str_is_utf8(raw))
        return arena_strndup(a, raw.ptr, raw.len);
    auto_buf struct buf clean = {0};
    buf_add_clean_utf8(&clean, raw);
    return arena_strdup(a, buf_text(&clean));
}

static const char *lower(struct arena *a, const char *text)
{
    char *copy = arena_strdup(a, text);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

/* The static word of the list that a text is, or NULL. */
static const char *word_of(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(text, str_of(list[i])))
            return list[i];
    return NULL;
}

/* --- facts, each looked at closely only when it is new ----------------------------------------- */

struct taking {
    struct tautulli *t;
    struct import_chunk *c;
    sqlite3_stmt *q;
    const char *media_type;
    int64_t user_id;
};

static const char *text_of(const struct taking *k, int column)
{
    return tautulli_text(&k->c->arena, tautulli_raw(k->q, column));
}

static void key_bytes(struct tautulli *t, const void *data, size_t len)
{
    assert(t->key_len + len <= sizeof t->key);
    memcpy(t->key + t->key_len, data, len);
    t->key_len += len;
}

static void key_text(struct tautulli *t, struct str s)
{
    uint32_t len = (uint32_t)s.len;
    key_bytes(t, &len, sizeof len);
    key_bytes(t, s.ptr, s.len);
}

static void key_int(struct tautulli *t, int64_t v)
{
    key_bytes(t, &v, sizeof v);
}

/* The number of the fact whose key has been put together; a new one is given to `fill`. */
static uint32_t number_of(const struct taking *k, enum import_fact_kind kind,
                          void (*fill)(const struct taking *k, struct observation *o))
{
    bool is_new;
    uint32_t local =
        dictionary_number(&k->t->facts[kind], k->t->key, k->t->key_len, &is_new);
    if (is_new)
        fill(k, &chunk_fact(k->c, kind, local)->o);
    return local;
}

static void fill_account(const struct taking *k, struct observation *o)
{
    struct arena *a = &k->c->arena;
    const struct tautulli_user *u = k->user_id >= 0 ? tautulli_user(k->t, k->user_id) : NULL;
    const char *name = u && *u->name ? u->name : text_of(k, COL_USER);
    if (k->user_id < 0) {
        o->account_key = arena_printf(a, "user:%s", name);
    } else {
        o->account_key = tautulli_account_key(k->t, k->user_id, a);
        if (k->user_id == 0 && !*name)
            name = "Local";
    }
    o->account_name = arena_strdup(a, name);
    o->account_email = u ? arena_strdup(a, u->email) : "";
}

static uint32_t account_of(struct taking *k)
{
    struct tautulli *t = k->t;
    k->user_id = foreign_int(k->q, COL_USER_ID, -1);
    t->key_len = 0;
    key_int(t, k->user_id);
    if (k->user_id < 0) {
        struct str name = tautulli_raw(k->q, COL_USER);
        if (!name.len)
            return 0;
        key_text(t, name);
    }
    return number_of(k, FACT_ACCOUNT, fill_account);
}

static int64_t positive(const struct taking *k, int column)
{
    int64_t v = foreign_int(k->q, column, -1);
    return v > 0 && v <= MS_MOST ? v : -1;
}

static int64_t index_of(const struct taking *k, int column)
{
    int64_t v = foreign_int(k->q, column, -1);
    return v >= 0 && v <= INT32_MAX ? v : -1;
}

static void fill_title(const struct taking *k, struct observation *o)
{
    struct arena *a = &k->c->arena;
    int64_t item = foreign_int(k->q, COL_RATING_KEY, 0);
    bool has_numbers = streq(k->media_type, "episode") || streq(k->media_type, "track");
    o->media_type = k->media_type;
    o->item_key = item > 0 ? arena_printf(a, "%" PRId64, item) : "";
    o->guid = text_of(k, COL_GUID);
    o->provider_ids = plex_agent_id(a, o->media_type, o->guid);
    o->title = text_of(k, COL_TITLE);
    if (!*o->title)
        o->title = item > 0 ? arena_printf(a, "Unknown (item %" PRId64 ")", item) : "Unknown";
    o->parent_title = text_of(k, COL_PARENT_TITLE);
    o->grandparent_title = text_of(k, COL_GRANDPARENT_TITLE);
    o->season = has_numbers ? index_of(k, COL_PARENT_INDEX) : -1;
    o->episode = has_numbers ? index_of(k, COL_INDEX) : -1;
    int64_t year = positive(k, COL_YEAR);
    o->year = year <= 9999 ? year : -1;
    o->duration_ms = streq(k->media_type, "live") ? -1 : positive(k, COL_DURATION);
    o->content_rating = text_of(k, COL_CONTENT_RATING);
    o->genres = text_of(k, COL_GENRES);
}

static uint32_t title_of(struct taking *k)
{
    static const int texts[] = {COL_GUID, COL_TITLE, COL_PARENT_TITLE, COL_GRANDPARENT_TITLE,
                                COL_CONTENT_RATING, COL_GENRES};
    static const int ints[] = {COL_RATING_KEY, COL_INDEX, COL_PARENT_INDEX, COL_YEAR,
                               COL_DURATION};
    struct tautulli *t = k->t;
    t->key_len = 0;
    key_bytes(t, k->media_type, strlen(k->media_type));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        key_text(t, tautulli_raw(k->q, texts[i]));
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        key_int(t, foreign_int(k->q, ints[i], -1));
    return number_of(k, FACT_TITLE, fill_title);
}

static int64_t section_of(const struct taking *k)
{
    int64_t section = foreign_int(k->q, COL_SECTION, -1);
    return section > 0 ? section : foreign_int(k->q, COL_OLD_SECTION, -1);
}

static void fill_library(const struct taking *k, struct observation *o)
{
    int64_t section = section_of(k);
    o->library_key = arena_printf(&k->c->arena, "%" PRId64, section);
    for (size_t i = 0; i < k->t->library_count; i++)
        if (k->t->libraries[i].section == section)
            o->library_name = arena_strdup(&k->c->arena, k->t->libraries[i].name);
}

static uint32_t library_of(struct taking *k)
{
    int64_t section = section_of(k);
    if (section <= 0)
        return 0;
    k->t->key_len = 0;
    key_int(k->t, section);
    return number_of(k, FACT_LIBRARY, fill_library);
}

static void fill_device(const struct taking *k, struct observation *o)
{
    o->machine_id = text_of(k, COL_MACHINE);
    o->player = text_of(k, COL_PLAYER);
    o->product = text_of(k, COL_PRODUCT);
    o->product_version = text_of(k, COL_PRODUCT_VERSION);
    o->platform = text_of(k, COL_PLATFORM);
    o->platform_version = text_of(k, COL_PLATFORM_VERSION);
}

static uint32_t device_of(struct taking *k)
{
    k->t->key_len = 0;
    for (int i = COL_MACHINE; i <= COL_PLATFORM_VERSION; i++)
        key_text(k->t, tautulli_raw(k->q, i));
    return number_of(k, FACT_DEVICE, fill_device);
}

/* Without brackets, zone and the prefix of IPv4 in IPv6; "" where it is no address. */
static void fill_address(const struct taking *k, struct observation *o)
{
    struct str s = str_trim(tautulli_raw(k->q, COL_ADDRESS));
    if (str_has_prefix(s, STR("[")) && memchr(s.ptr, ']', s.len))
        s = (struct str){s.ptr + 1, (size_t)((char *)memchr(s.ptr, ']', s.len) - s.ptr) - 1};
    if (str_has_prefix(s, STR("::ffff:")) && memchr(s.ptr, '.', s.len))
        s = (struct str){s.ptr + 7, s.len - 7};
    const char *zone = s.len ? memchr(s.ptr, '%', s.len) : NULL;
    if (zone)
        s.len = (size_t)(zone - s.ptr);
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    if (!s.len || s.len >= sizeof text)
        return;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1)
        o->address = arena_strdup(&k->c->arena, text);
}

static uint32_t address_of(struct taking *k)
{
    struct str raw = tautulli_raw(k->q, COL_ADDRESS);
    if (!raw.len)
        return 0;
    k->t->key_len = 0;
    key_text(k->t, raw);
    return number_of(k, FACT_ADDRESS, fill_address);
}

/* --- how it was delivered ---------------------------------------------------------------------- */

static const char *resolution(const struct taking *k, int column)
{
    static const char *const known[] = {"sd", "480", "576", "720", "1080", "1440", "4k", "8k"};
    struct str text = str_trim(tautulli_raw(k->q, column));
    if (text.len > 1 && (text.ptr[text.len - 1] == 'p' || text.ptr[text.len - 1] == 'i'))
        text.len--;
    if (str_eq(text, STR("2160")))
        return "4k";
    if (str_eq_nocase(text, STR("2k")))
        return "1440";
    const char *word = word_of(text, known, ARRAY_LEN(known));
    return word ? word : "";
}

static const char *dynamic_range(const struct taking *k, int column)
{
    static const char *const known[] = {"SDR", "HDR10", "HDR10+", "HLG", "Dolby Vision"};
    struct str text = str_trim(tautulli_raw(k->q, column));
    if (str_eq_nocase(text, STR("HDR")))
        return "HDR10";
    const char *word = word_of(text, known, ARRAY_LEN(known));
    return word ? word : "";
}

static const char *decision(const struct taking *k, int column)
{
    static const char *const known[] = {"direct play", "copy", "transcode", "burn"};
    const char *word = word_of(str_trim(tautulli_raw(k->q, column)), known, ARRAY_LEN(known));
    return word ? word : "";
}

/* Files of the first years do not say it of the whole. */
static const char *whole_decision(const struct observation *o)
{
    if (!*o->video_decision && !*o->audio_decision)
        return "";
    if (streq(o->video_decision, "transcode") || streq(o->audio_decision, "transcode"))
        return "transcode";
    return streq(o->video_decision, "copy") || streq(o->audio_decision, "copy") ? "copy"
                                                                                 : "direct play";
}

static int64_t channels(const struct taking *k, int column)
{
    int64_t v = foreign_int(k->q, column, -1);
    return v > 0 && v < 1000 ? v : -1;
}

static void fill_quality(const struct taking *k, struct observation *o)
{
    struct arena *a = &k->c->arena;
    o->video_decision = decision(k, COL_VIDEO_DECISION);
    o->audio_decision = decision(k, COL_AUDIO_DECISION);
    o->subtitle_decision = decision(k, COL_SUBTITLE_DECISION);
    o->transcode_decision = decision(k, COL_TRANSCODE_DECISION);
    if (!*o->transcode_decision)
        o->transcode_decision = whole_decision(o);
    o->container = lower(a, text_of(k, COL_CONTAINER));
    o->video_codec = lower(a, text_of(k, COL_VIDEO_CODEC));
    o->video_resolution = resolution(k, COL_VIDEO_RESOLUTION);
    o->video_dynamic_range = dynamic_range(k, COL_VIDEO_RANGE);
    o->video_framerate = text_of(k, COL_VIDEO_FRAMERATE);
    o->audio_codec = lower(a, text_of(k, COL_AUDIO_CODEC));
    o->audio_channels = channels(k, COL_AUDIO_CHANNELS);
    const char *language = text_of(k, COL_AUDIO_LANGUAGE_CODE);
    o->audio_language = lower(a, *language ? language : text_of(k, COL_AUDIO_LANGUAGE));
    o->subtitle_codec = lower(a, text_of(k, COL_SUBTITLE_CODEC));
    o->subtitle_language = lower(a, text_of(k, COL_SUBTITLE_LANGUAGE));
    o->stream_container = lower(a, text_of(k, COL_STREAM_CONTAINER));
    o->stream_video_codec = lower(a, text_of(k, COL_STREAM_VIDEO_CODEC));
    o->stream_video_resolution = resolution(k, COL_STREAM_VIDEO_RESOLUTION);
    o->stream_video_dynamic_range = dynamic_range(k, COL_STREAM_VIDEO_RANGE);
    o->stream_audio_codec = lower(a, text_of(k, COL_STREAM_AUDIO_CODEC));
    o->stream_audio_channels = channels(k, COL_STREAM_AUDIO_CHANNELS);
    if (streq(o->video_decision, "transcode")) {
        o->hw_decode = lower(a, text_of(k, COL_HW_DECODE));
        o->hw_encode = lower(a, text_of(k, COL_HW_ENCODE));
    }
}

static uint32_t quality_of(struct taking *k)
{
    k->t->key_len = 0;
    for (int i = COL_TRANSCODE_DECISION; i <= COL_HW_ENCODE; i++)
        key_text(k->t, tautulli_raw(k->q, i));
    return number_of(k, FACT_QUALITY, fill_quality);
}

/* --- the row ----------------------------------------------------------------------------------- */

/* NULL: none that is known. */
static const char *media_type_of(const struct taking *k)
{
    static const char *const known[] = {"movie", "episode", "track", "clip", "photo"};
    struct str text = tautulli_raw(k->q, COL_TYPE);
    if (!text.len)
        text = tautulli_raw(k->q, COL_OLD_TYPE);
    const char *word = word_of(text, known, ARRAY_LEN(known));
    return word && foreign_int(k->q, COL_LIVE, 0) == 1 ? "live" : word;
}

/* Tautulli's own playing time: from start to stop without the pauses. */
static void take_times(const struct taking *k, struct import_row *r, int64_t started_s)
{
    struct str title = tautulli_raw(k->q, COL_TITLE);
    int64_t stopped_s = foreign_int(k->q, COL_STOPPED, 0);
    int64_t paused_s = foreign_int(k->q, COL_PAUSED, 0);
    r->started_us = r->ended_us = started_s * US_PER_S;
    if (stopped_s < started_s || stopped_s > k->t->now_us / US_PER_S + 86400) {
        chunk_note(k->c, WHY_NO_END, r->source_row, title);
        return;
    }
    int64_t elapsed_ms = (stopped_s - started_s) * 1000;
    int64_t paused_ms = paused_s <= 0 ? 0 : paused_s > elapsed_ms / 1000 ? elapsed_ms
                                                                         : paused_s * 1000;
    int64_t most_ms = r->duration_ms > 0 ? 2 * r->duration_ms + SLACK_MS : UNKNOWN_MOST_MS;
    r->paused_ms = paused_ms;
    r->watch_ms = elapsed_ms - paused_ms;
    if (r->watch_ms > most_ms) {
        chunk_note(k->c, WHY_TOO_LONG, r->source_row, title);
        r->watch_ms = most_ms;
    }
    r->ended_us += (r->watch_ms + paused_ms) * US_PER_MS;
}

static int32_t small(const struct taking *k, int column)
{
    int64_t v = foreign_int(k->q, column, -1);
    return v > 0 && v <= INT32_MAX ? (int32_t)v : -1;
}

static int8_t flag(const struct taking *k, int column)
{
    int64_t v = foreign_int(k->q, column, -1);
    return v == 0 || v == 1 ? (int8_t)v : -1;
}

static void take_numbers(const struct taking *k, struct import_row *r)
{
    static const char *const locations[] = {"lan", "wan", "cellular"};
    int64_t group = foreign_int(k->q, COL_REFERENCE, 0);
    int64_t position_ms = foreign_int(k->q, COL_OFFSET, -1);
    r->source_group = group > 0 ? group : r->source_row;
    if (!r->is_live) {
        r->duration_ms = positive(k, COL_MEDIA_DURATION);
        if (r->duration_ms < 0)
            r->duration_ms = positive(k, COL_DURATION);
        r->position_ms = position_ms >= 0 && position_ms <= MS_MOST ? position_ms : -1;
        r->credits_ms = positive(k, COL_CREDITS);
    }
    const char *location =
        word_of(tautulli_raw(k->q, COL_LOCATION), locations, ARRAY_LEN(locations));
    r->location = location ? location : "";
    r->secure = flag(k, COL_SECURE);
    r->relayed = flag(k, COL_RELAYED);
    r->bandwidth_kbps = small(k, COL_BANDWIDTH);
    r->bitrate_kbps = small(k, COL_BITRATE);
    r->stream_bitrate_kbps = small(k, COL_STREAM_BITRATE);
}

void tautulli_take_row(struct tautulli *t, struct import_chunk *c)
{
    struct taking k = {.t = t, .c = c, .q = t->rows};
    int64_t id = sqlite3_column_int64(k.q, COL_ID);
    int64_t started_s = foreign_int(k.q, COL_STARTED, -1);
    struct str title = tautulli_raw(k.q, COL_TITLE);
    if (started_s < FIRST_S || started_s > t->now_us / US_PER_S + 86400) {
        chunk_note(c, WHY_NO_START, id, title);
        return;
    }
    k.media_type = media_type_of(&k);
    if (!k.media_type) {
        chunk_note(c, WHY_NO_TYPE, id, title);
        return;
    }
    const struct known_row *known = chunk_known(c, id, started_s * US_PER_S);
    if (known && !known->is_undone) {
        chunk_note(c, WHY_KNOWN, id, title);
        return;
    }
    if (!title.len)
        chunk_note(c, WHY_NO_TITLE, id, title);
    struct import_row *r = &c->rows[c->row_count++];
    *r = (struct import_row){.source_row = id,
                             .same_as = known ? known->id : 0,
                             .position_ms = -1,
                             .duration_ms = -1,
                             .credits_ms = -1,
                             .is_live = streq(k.media_type, "live")};
    take_numbers(&k, r);
    take_times(&k, r, started_s);
    r->local[FACT_ACCOUNT] = account_of(&k);
    r->local[FACT_TITLE] = title_of(&k);
    r->local[FACT_LIBRARY] = library_of(&k);
    r->local[FACT_DEVICE] = device_of(&k);
    r->local[FACT_QUALITY] = quality_of(&k);
    r->local[FACT_ADDRESS] = address_of(&k);
}
