/* A database as Tautulli 2.17.2 writes it, with what makes real ones hard to read. */
#include "sim.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

static const char schema[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
    "CREATE TABLE version_info(key TEXT UNIQUE, value TEXT);"
    "INSERT INTO version_info VALUES('version','v2.17.2');"
    "CREATE TABLE session_history(id INTEGER PRIMARY KEY AUTOINCREMENT, reference_id INTEGER,"
    " started INTEGER, stopped INTEGER, rating_key INTEGER, user_id INTEGER, user TEXT,"
    " ip_address TEXT, paused_counter INTEGER DEFAULT 0, player TEXT, product TEXT,"
    " product_version TEXT, platform TEXT, platform_version TEXT, profile TEXT, machine_id TEXT,"
    " bandwidth INTEGER, location TEXT, quality_profile TEXT, secure INTEGER, relayed INTEGER,"
    " parent_rating_key INTEGER, grandparent_rating_key INTEGER, media_type TEXT,"
    " section_id INTEGER, view_offset INTEGER DEFAULT 0);"
    "CREATE TABLE session_history_metadata(id INTEGER PRIMARY KEY, rating_key INTEGER,"
    " parent_rating_key INTEGER, grandparent_rating_key INTEGER, title TEXT, parent_title TEXT,"
    " grandparent_title TEXT, original_title TEXT, full_title TEXT, media_index INTEGER,"
    " parent_media_index INTEGER, thumb TEXT, parent_thumb TEXT, grandparent_thumb TEXT, art TEXT,"
    " media_type TEXT, year INTEGER, originally_available_at TEXT, added_at INTEGER,"
    " updated_at INTEGER, last_viewed_at INTEGER, content_rating TEXT, summary TEXT, tagline TEXT,"
    " rating TEXT, duration INTEGER DEFAULT 0, guid TEXT, directors TEXT, writers TEXT,"
    " actors TEXT, genres TEXT, studio TEXT, labels TEXT, live INTEGER DEFAULT 0,"
    " channel_call_sign TEXT, channel_id TEXT, channel_identifier TEXT, channel_title TEXT,"
    " channel_thumb TEXT, channel_vcn TEXT, marker_credits_first INTEGER,"
    " marker_credits_final INTEGER);"
    "CREATE TABLE session_history_media_info(id INTEGER PRIMARY KEY, rating_key INTEGER,"
    " video_decision TEXT, audio_decision TEXT, transcode_decision TEXT,"
    " duration INTEGER DEFAULT 0, container TEXT, bitrate INTEGER, width INTEGER, height INTEGER,"
    " video_bitrate INTEGER, video_bit_depth INTEGER, video_codec TEXT, video_codec_level TEXT,"
    " video_width INTEGER, video_height INTEGER, video_resolution TEXT, video_framerate TEXT,"
    " video_scan_type TEXT, video_full_resolution TEXT, video_dynamic_range TEXT,"
    " aspect_ratio TEXT, audio_bitrate INTEGER, audio_codec TEXT, audio_channels INTEGER,"
    " audio_language TEXT, audio_language_code TEXT, subtitles INTEGER, subtitle_codec TEXT,"
    " subtitle_forced, subtitle_language TEXT, transcode_protocol TEXT, transcode_container TEXT,"
    " transcode_video_codec TEXT, transcode_audio_codec TEXT, transcode_audio_channels INTEGER,"
    " transcode_width INTEGER, transcode_height INTEGER, transcode_hw_requested INTEGER,"
    " transcode_hw_full_pipeline INTEGER, transcode_hw_decode TEXT,"
    " transcode_hw_decode_title TEXT, transcode_hw_decoding INTEGER, transcode_hw_encode TEXT,"
    " transcode_hw_encode_title TEXT, transcode_hw_encoding INTEGER, stream_container TEXT,"
    " stream_container_decision TEXT, stream_bitrate INTEGER, stream_video_decision TEXT,"
    " stream_video_bitrate INTEGER, stream_video_codec TEXT, stream_video_codec_level TEXT,"
    " stream_video_bit_depth INTEGER, stream_video_height INTEGER, stream_video_width INTEGER,"
    " stream_video_resolution TEXT, stream_video_framerate TEXT, stream_video_scan_type TEXT,"
    " stream_video_full_resolution TEXT, stream_video_dynamic_range TEXT,"
    " stream_audio_decision TEXT, stream_audio_codec TEXT, stream_audio_bitrate INTEGER,"
    " stream_audio_channels INTEGER, stream_audio_language TEXT,"
    " stream_audio_language_code TEXT, stream_subtitle_decision TEXT, stream_subtitle_codec TEXT,"
    " stream_subtitle_container TEXT, stream_subtitle_forced INTEGER,"
    " stream_subtitle_language TEXT, synced_version INTEGER, synced_version_profile TEXT,"
    " optimized_version INTEGER, optimized_version_profile TEXT, optimized_version_title TEXT);"
    "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER UNIQUE,"
    " username TEXT NOT NULL, friendly_name TEXT, thumb TEXT, custom_avatar_url TEXT, title TEXT,"
    " email TEXT, is_active INTEGER DEFAULT 1, is_admin INTEGER DEFAULT 0, is_home_user INTEGER,"
    " is_allow_sync INTEGER, is_restricted INTEGER, do_notify INTEGER DEFAULT 1,"
    " keep_history INTEGER DEFAULT 1, deleted_user INTEGER DEFAULT 0,"
    " allow_guest INTEGER DEFAULT 0, user_token TEXT, server_token TEXT, shared_libraries TEXT,"
    " filter_all TEXT, filter_movies TEXT, filter_tv TEXT, filter_music TEXT,"
    " filter_photos TEXT);"
    "CREATE TABLE library_sections(id INTEGER PRIMARY KEY AUTOINCREMENT, server_id TEXT,"
    " section_id INTEGER, section_name TEXT, section_type TEXT, agent TEXT, thumb TEXT,"
    " custom_thumb_url TEXT, art TEXT, custom_art_url TEXT, count INTEGER, parent_count INTEGER,"
    " child_count INTEGER, is_active INTEGER DEFAULT 1, do_notify INTEGER DEFAULT 1,"
    " do_notify_created INTEGER DEFAULT 1, keep_history INTEGER DEFAULT 1,"
    " deleted_section INTEGER DEFAULT 0, UNIQUE(server_id, section_id));"
    "BEGIN";

struct writer {
    sqlite3 *db;
    sqlite3_stmt *history, *metadata, *media;
    const struct world *world;
    unsigned servers; /* that people have accounts on; this is the first */
};

static int64_t key_of(int item)
{
    return item < 0 ? 0 : 1001 + item;
}

static int64_t user_of(unsigned person)
{
    return 20010007 + (int64_t)person * 3301;
}

/* A key, or what Tautulli writes for none: '' in an integer column. */
static void bind_key(sqlite3_stmt *q, int column, int item)
{
    if (item < 0)
        sqlite3_bind_text(q, column, "", 0, SQLITE_STATIC);
    else
        sqlite3_bind_int64(q, column, key_of(item));
}

static void bind_text(sqlite3_stmt *q, int column, const char *v)
{
    sqlite3_bind_text(q, column, v ? v : "", -1, SQLITE_TRANSIENT);
}

static bool run(sqlite3_stmt *q)
{
    bool is_done = sqlite3_step(q) == SQLITE_DONE;
    sqlite3_reset(q);
    return is_done;
}

static const char *media_type(const struct item *i)
{
    return i->kind == ITEM_MOVIE ? "movie" : i->kind == ITEM_EPISODE ? "episode" : "track";
}

static bool write_row(struct writer *t, int64_t id, int64_t reference, const struct past_play *p,
                      struct rng *r)
{
    const struct item *i = &t->world->items[p->item];
    const struct person *who = &t->world->people[p->person];
    const struct device *d = &who->devices[p->device];
    struct route route = world_route(t->world, p->person, p->device, r);
    struct decision how = world_decide(i, d, route.is_lan);
    const char *ip = route.is_relayed ? route.public_address : route.address;
    sqlite3_stmt *q = t->history;
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, reference);
    sqlite3_bind_int64(q, 3, p->started_s);
    /* Once in a while the stop was never written. */
    if (id % 997 == 0)
        sqlite3_bind_null(q, 4);
    else
        sqlite3_bind_int64(q, 4, id % 991 == 0 ? 0 : p->stopped_s);
    sqlite3_bind_int64(q, 5, key_of((int)p->item));
    sqlite3_bind_int64(q, 6, user_of(p->person));
    bind_text(q, 7, who->username);
    bind_text(q, 8, ip);
    sqlite3_bind_int64(q, 9, p->paused_s);
    bind_text(q, 10, d->name);
    bind_text(q, 11, d->plex_product);
    bind_text(q, 12, d->app_version);
    bind_text(q, 13, d->platform);
    bind_text(q, 14, d->platform_version);
    bind_text(q, 15, d->platform);
    bind_text(q, 16, d->id);
    sqlite3_bind_int64(q, 17, how.bitrate_kbps * 5 / 4);
    bind_text(q, 18, route.is_lan ? "lan" : "wan");
    bind_text(q, 19, how.method == METHOD_TRANSCODE ? "4 Mbps 720p" : "Original");
    sqlite3_bind_int(q, 20, 1);
    sqlite3_bind_int(q, 21, route.is_relayed);
    bind_key(q, 22, i->parent);
    bind_key(q, 23, i->grandparent);
    bind_text(q, 24, media_type(i));
    sqlite3_bind_int(q, 25, i->kind == ITEM_MOVIE ? 1 : i->kind == ITEM_EPISODE ? 2 : 3);
    sqlite3_bind_int64(q, 26, p->end_ms);
    if (!run(q))
        return false;

    char full[160], guid[64], rating[16];
    const char *parent = i->parent >= 0 ? t->world->items[i->parent].title : "";
    const char *grandparent = i->grandparent >= 0 ? t->world->items[i->grandparent].title : "";
    snprintf(full, sizeof(full), "%s%s%s", grandparent, *grandparent ? " - " : "", i->title);
    snprintf(guid, sizeof(guid), "plex://%s/5d77%08x%012x", media_type(i),
             p->item * 2654435u, p->item);
    snprintf(rating, sizeof(rating), "%d.%d", i->rating_tenths / 10, i->rating_tenths % 10);
    q = t->metadata;
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, key_of((int)p->item));
    bind_key(q, 3, i->parent);
    bind_key(q, 4, i->grandparent);
    bind_text(q, 5, i->title);
    bind_text(q, 6, parent);
    bind_text(q, 7, grandparent);
    bind_text(q, 8, full);
    if (i->parent < 0) {
        bind_text(q, 9, "");
        bind_text(q, 10, "");
    } else {
        sqlite3_bind_int(q, 9, i->number);
        sqlite3_bind_int(q, 10, t->world->items[i->parent].number);
    }
    bind_text(q, 11, media_type(i));
    sqlite3_bind_int(q, 12, i->year);
    bind_text(q, 13, i->content_rating);
    bind_text(q, 14, rating);
    sqlite3_bind_int64(q, 15, i->duration_ms);
    bind_text(q, 16, guid);
    snprintf(full, sizeof(full), "%s;%s", i->genres[0], i->genres[1]);
    bind_text(q, 17, full);
    bind_text(q, 18, i->studio);
    sqlite3_bind_int(q, 19, id % 211 == 0); /* live TV */
    sqlite3_bind_int64(q, 20, i->credits_ms);
    if (!run(q))
        return false;

    const struct media *m = i->media;
    static const char *const words[] = {"direct play", "copy", "transcode"};
    bool has_video = m->video_codec != NULL;
    q = t->media;
    sqlite3_bind_int64(q, 1, id);
    sqlite3_bind_int64(q, 2, key_of((int)p->item));
    bind_text(q, 3, has_video ? words[how.video] : "");
    bind_text(q, 4, words[how.audio]);
    bind_text(q, 5, words[how.method]);
    sqlite3_bind_int64(q, 6, i->duration_ms);
    bind_text(q, 7, m->container);
    sqlite3_bind_int(q, 8, m->bitrate_kbps);
    const int numbers[] = {m->width, m->height, m->bit_depth, m->width, m->height};
    for (int n = 0; n < 5; n++)
        if (has_video)
            sqlite3_bind_int(q, 9 + n, numbers[n]);
        else
            bind_text(q, 9 + n, "");
    bind_text(q, 14, m->video_codec);
    bind_text(q, 15, m->resolution);
    bind_text(q, 16, !m->range ? "" : streq(m->range, "DOVI") ? "Dolby Vision" : m->range);
    bind_text(q, 17, m->audio_codec);
    sqlite3_bind_int(q, 18, m->channels);
    bind_text(q, 19, m->language);
    bind_text(q, 20, m->subtitle_codec);
    bind_text(q, 21, how.container);
    sqlite3_bind_int(q, 22, how.bitrate_kbps);
    bind_text(q, 23, how.video_codec);
    bind_text(q, 24, how.resolution);
    bind_text(q, 25, how.audio_codec);
    sqlite3_bind_int(q, 26, how.channels);
    return run(q);
}

static bool write_users(struct writer *t)
{
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(t->db,
                           "INSERT INTO users(user_id,username,friendly_name,title,email,is_admin,"
                           "is_active,deleted_user,user_token) VALUES(?,?,?,?,?,?,?,?,?)",
                           -1, &q, NULL) != SQLITE_OK)
        return false;
    bool is_ok = true;
    for (unsigned p = 0; p < t->world->n_people && is_ok; p++) {
        if (!world_has_account(t->world, p, 0, t->servers))
            continue;
        const struct person *who = &t->world->people[p];
        sqlite3_bind_int64(q, 1, user_of(p));
        bind_text(q, 2, who->username);
        bind_text(q, 3, who->name);
        bind_text(q, 4, who->username);
        bind_text(q, 5, who->email);
        sqlite3_bind_int(q, 6, p == 0);
        sqlite3_bind_int(q, 7, !who->is_deleted);
        sqlite3_bind_int(q, 8, who->is_deleted);
        bind_text(q, 9, "simulated-token-never-to-be-imported");
        is_ok = run(q);
    }
    sqlite3_finalize(q);
    return is_ok;
}

static bool write_libraries(struct writer *t)
{
    static const char sql[] =
        "INSERT INTO library_sections(server_id,section_id,section_name,section_type,agent)"
        " VALUES(?1,'1','Films','movie','tv.plex.agents.movie'),"
        "(?1,'2','Series','show','tv.plex.agents.series'),"
        "(?1,'3','Music','artist','tv.plex.agents.music')";
    char machine_id[41];
    world_machine_id(t->world->seed, 0, true, machine_id);
    sqlite3_stmt *q = NULL;
    bool is_ok = sqlite3_prepare_v2(t->db, sql, -1, &q, NULL) == SQLITE_OK;
    if (is_ok) {
        bind_text(q, 1, machine_id);
        is_ok = run(q);
    }
    sqlite3_finalize(q);
    return is_ok;
}

static bool prepare(struct writer *t)
{
    static const char history[] = "INSERT INTO session_history VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                                  "?,?,?,?,?,?,?,?,?,?,?,?)";
    static const char metadata[] =
        "INSERT INTO session_history_metadata(id,rating_key,parent_rating_key,"
        "grandparent_rating_key,title,parent_title,grandparent_title,full_title,media_index,"
        "parent_media_index,media_type,year,content_rating,rating,duration,guid,genres,studio,live,"
        "marker_credits_first) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    static const char media[] =
        "INSERT INTO session_history_media_info(id,rating_key,video_decision,audio_decision,"
        "transcode_decision,duration,container,bitrate,width,height,video_bit_depth,video_width,"
        "video_height,video_codec,video_resolution,video_dynamic_range,audio_codec,audio_channels,"
        "audio_language,subtitle_codec,stream_container,stream_bitrate,stream_video_codec,"
        "stream_video_resolution,stream_audio_codec,stream_audio_channels)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    return sqlite3_exec(t->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(t->db, history, -1, &t->history, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(t->db, metadata, -1, &t->metadata, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(t->db, media, -1, &t->media, NULL) == SQLITE_OK &&
           write_users(t) && write_libraries(t);
}

static void say_truth(const struct world *w, const struct past_play *plays, size_t n)
{
    auto_free int64_t *seconds = xcalloc(w->n_people, sizeof(*seconds));
    auto_free int64_t *rows = xcalloc(w->n_people, sizeof(*rows));
    for (size_t i = 0; i < n; i++) {
        int64_t id = (int64_t)i + 1;
        rows[plays[i].person]++;
        if (id % 997 != 0 && id % 991 != 0) /* the ones without a stop count for nothing */
            seconds[plays[i].person] +=
                plays[i].stopped_s - plays[i].started_s - plays[i].paused_s;
    }
    auto_buf struct buf b = {0};
    struct json_writer j;
    jw_begin(&j, &b);
    jw_object(&j);
    jw_kv_int(&j, "rows", (int64_t)n);
    jw_kv_array(&j, "people");
    for (unsigned p = 0; p < w->n_people; p++) {
        jw_object(&j);
        jw_kv_int(&j, "user_id", user_of(p));
        jw_kv_text(&j, "username", w->people[p].username);
        jw_kv_int(&j, "rows", rows[p]);
        jw_kv_int(&j, "play_seconds", seconds[p]);
        jw_object_end(&j);
    }
    jw_array_end(&j);
    jw_object_end(&j);
    puts(buf_text(&b));
}

/* Leaves the plays on server 0. */
static size_t on_first_server(struct past_play *plays, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (plays[i].server == 0)
            plays[kept++] = plays[i];
    return kept;
}

static bool write_rows(struct writer *t, const struct past_play *plays, size_t n, uint64_t seed)
{
    unsigned groups = 0;
    for (size_t i = 0; i < n; i++)
        if (plays[i].group > groups)
            groups = plays[i].group;
    auto_free int64_t *first = xcalloc((size_t)groups + 1, sizeof(*first));
    struct rng r = {mix(seed, 4)};
    bool is_ok = true;
    for (size_t i = 0; i < n && is_ok; i++) {
        int64_t id = (int64_t)i + 1;
        if (!first[plays[i].group])
            first[plays[i].group] = id;
        is_ok = write_row(t, id, first[plays[i].group], &plays[i], &r);
    }
    return is_ok;
}

int tautulli_write(const struct tautulli_options *o)
{
    size_t people = o->rows / ((size_t)(o->days ? o->days : 1) * 3);
    struct world *w = world_new(o->seed, (unsigned)(people < 20 ? 20 : people > 5000 ? 5000 : people));
    struct past_play *plays = NULL;
    size_t n = world_history(w, o->servers, o->until_s, o->days, o->rows, &plays);
    n = on_first_server(plays, n);
    struct writer t = {.world = w, .servers = o->servers};
    (void)unlink(o->path);
    bool is_ok = sqlite3_open(o->path, &t.db) == SQLITE_OK && prepare(&t) &&
                 write_rows(&t, plays, n, o->seed) &&
                 sqlite3_exec(t.db, "COMMIT; PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK;
    if (is_ok)
        say_truth(w, plays, n);
    else
        fprintf(stderr, "cartographus-sim: cannot write '%s': %s\n", o->path, sqlite3_errmsg(t.db));
    sqlite3_finalize(t.history);
    sqlite3_finalize(t.metadata);
    sqlite3_finalize(t.media);
    sqlite3_close(t.db);
    free(plays);
    world_free(w);
    return is_ok ? 0 : 1;
}
