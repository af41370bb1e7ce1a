/*
 * The yardstick of `make bench`: a bare loop that reads the columns an import needs from a Tautulli
 * database and does nothing with them. Prints rows and seconds.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

static const char query[] =
    "select sh.id, sh.reference_id, sh.started, sh.stopped, sh.paused_counter, sh.view_offset,"
    " sh.user_id, sh.user, u.username, u.friendly_name, u.email, sh.ip_address, sh.location,"
    " sh.secure, sh.relayed, sh.bandwidth, sh.platform, sh.platform_version, sh.product,"
    " sh.product_version, sh.player, sh.machine_id, sh.media_type, sh.section_id, md.title,"
    " md.parent_title, md.grandparent_title, md.full_title, md.media_index, md.parent_media_index,"
    " md.year, md.guid, md.content_rating, md.genres, md.duration, md.live,"
    " md.marker_credits_first, md.grandparent_rating_key, mi.duration, mi.video_decision,"
    " mi.audio_decision, mi.transcode_decision, mi.container, mi.bitrate, mi.video_codec,"
    " mi.video_resolution, mi.video_dynamic_range, mi.video_framerate, mi.audio_codec,"
    " mi.audio_channels, mi.audio_language, mi.subtitle_codec, mi.subtitle_language,"
    " mi.stream_container, mi.stream_bitrate, mi.stream_video_codec, mi.stream_video_resolution,"
    " mi.stream_video_dynamic_range, mi.stream_audio_codec, mi.stream_audio_channels,"
    " mi.stream_subtitle_decision, mi.transcode_hw_decode, mi.transcode_hw_encode"
    " from session_history sh"
    " left join session_history_metadata md on md.id = sh.id"
    " left join session_history_media_info mi on mi.id = sh.id"
    " left join users u on u.user_id = sh.user_id order by sh.id";

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bare_import FILE\n");
        return 2;
    }
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, query, -1, &stmt, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], sqlite3_errmsg(db));
        return 1;
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    long long rows = 0, bytes = 0;
    int columns = sqlite3_column_count(stmt);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        rows++;
        for (int i = 0; i < columns; i++) {
            if (sqlite3_column_type(stmt, i) == SQLITE_TEXT) {
                (void)sqlite3_column_text(stmt, i);
                bytes += sqlite3_column_bytes(stmt, i);
            } else {
                bytes += sqlite3_column_int64(stmt, i) != 0;
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("{\"rows\":%lld,\"columns\":%d,\"bytes\":%lld,\"seconds\":%.3f}\n", rows, columns, bytes,
           seconds);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return 0;
}
