/* What the tests of import share: Tautulli databases made by SQL, a store with a writer, runs. */
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include "../ingest/helpers.h"
#include "import/import.h"

/* The tables as Tautulli 2.17 has them, as far as anything is read. */
static const char tables_now[] =
    "create table session_history(id integer primary key, reference_id integer, started integer,"
    " stopped integer, rating_key integer, user_id integer, user text, ip_address text,"
    " paused_counter integer default 0, player text, product text, product_version text,"
    " platform text, platform_version text, machine_id text, bandwidth integer, location text,"
    " secure integer, relayed integer, media_type text, section_id integer,"
    " view_offset integer default 0);"
    "create table session_history_metadata(id integer primary key, rating_key integer, title text,"
    " parent_title text, grandparent_title text, media_index integer, parent_media_index integer,"
    " media_type text, year integer, content_rating text, duration integer default 0, guid text,"
    " genres text, live integer default 0, marker_credits_first integer);"
    "create table session_history_media_info(id integer primary key, video_decision text,"
    " audio_decision text, transcode_decision text, duration integer default 0, container text,"
    " bitrate integer, video_codec text, video_resolution text, video_dynamic_range text,"
    " audio_codec text, audio_channels integer, audio_language text, audio_language_code text,"
    " stream_bitrate integer, stream_video_codec text, stream_video_resolution text);"
    "create table users(id integer primary key, user_id integer unique, username text not null,"
    " friendly_name text, email text, is_admin integer default 0, user_token text);"
    "create table library_sections(id integer primary key, server_id text, section_id integer,"
    " section_name text, section_type text, is_active integer default 1);"
    "insert into users(user_id, username, friendly_name, email, is_admin, user_token) values"
    " (501, 'ada', 'Ada L.', 'ada@example.org', 1, 'SECRET-TOKEN'),"
    " (502, 'bob', 'bob', 'bob@example.org', 0, 'SECRET-TOKEN');"
    "insert into library_sections(server_id, section_id, section_name, section_type) values"
    " ('machine-a', 1, 'Films', 'movie'), ('machine-a', 2, 'Series', 'show');";

/* Rows 1..n: every third by ada, films of an hour that begin two hours apart, ten of them. */
static const char rows_sql[] =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)"
    " insert into session_history(id, reference_id, started, stopped, rating_key, user_id, user,"
    "  ip_address, paused_counter, player, product, platform, machine_id, location, media_type,"
    "  section_id, view_offset) select i, i, 1600000000 + i * 7200, 1600000000 + i * 7200 + 3000 +"
    "  i %% 7, 100 + i %% 10, 501 + (i %% 3 > 0), 'x', '192.0.2.' || (i %% 5), i %% 11, 'TV', 'App',"
    "  'Roku', 'm' || (i %% 4), 'wan', 'movie', 1, 3000000 from n;"
    "insert into session_history_metadata(id, rating_key, title, media_type, year, duration, guid,"
    "  genres) select id, rating_key, 'Film ' || rating_key, 'movie', 1990 + rating_key %% 10,"
    "  3600000, 'plex://movie/' || rating_key, 'Drama;Noir' from session_history"
    " where id not in (select id from session_history_metadata);"
    "insert into session_history_media_info(id, transcode_decision, video_decision, duration,"
    "  container, video_codec) select id, 'direct play', 'direct play', 3600000, 'mkv', 'h264'"
    " from session_history where id not in (select id from session_history_media_info);";

[[maybe_unused]] static void sql(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", path, why ? why : "does not open");
    sqlite3_close(db);
}

/* A database of `rows` rows in the folder, and `more` SQL run on it; the caller frees the path. */
[[maybe_unused]] static char *make_file(const char *name, int rows, const char *more)
{
    char *path = in_folder(name);
    unlink(path);
    sql(path, tables_now);
    auto_free char *text = xasprintf(rows_sql, rows);
    if (rows)
        sql(path, text);
    sql(path, more);
    return path;
}

[[maybe_unused]] static int64_t ask_file(const char *path, const char *text)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return v;
}

/* A store that has a writer, and where its imports lie. */
struct world {
    struct log *log;
    struct store *store;
    struct ingest *ingest;
    char *folder;
};

[[maybe_unused]] static struct world open_world(const char *name)
{
    auto_free char *log = xasprintf("%s.sqlite", name), *store = xasprintf("%s.duckdb", name);
    struct world w = {.log = open_log(log), .store = open_store(store)};
    w.ingest = start(w.log, w.store);
    w.folder = in_folder("imports");
    return w;
}

[[maybe_unused]] static void close_world(struct world *w)
{
    ingest_stop(w->ingest);
    leave_store(w->store);
    log_close(w->log);
    rmdir(w->folder);
    free(w->folder);
}

[[maybe_unused]] static struct import_job job_for(const struct world *w, const char *path)
{
    return (struct import_job){.ingest = w->ingest, .store = w->store, .knobs = knobs_default(),
                               .folder = w->folder, .path = path, .name = "tautulli.db",
                               .max_bytes = 64 * 1024 * 1024};
}

/* Begins and runs; the status of whichever failed first. */
[[maybe_unused]] static enum status import(const struct import_job *job, struct import_report *ret,
                                           struct error *err)
{
    int64_t id;
    TRY(import_begin(job, &id, err));
    return import_run(job, id, ret, err);
}

[[maybe_unused]] static struct import_report must_import(const struct world *w, const char *path)
{
    struct import_job job = job_for(w, path);
    struct import_report r;
    struct error err = {0};
    if (import(&job, &r, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return r;
}

[[maybe_unused]] static int files_in(const char *path)
{
    auto_free char *pattern = xasprintf("%s/*", path);
    glob_t found;
    int n = glob(pattern, 0, NULL, &found) == 0 ? (int)found.gl_pathc : 0;
    globfree(&found);
    return n;
}

/* Everything that an import leaves in the store but the times at which it ran. */
[[maybe_unused]] static int64_t all_rows(struct store *s)
{
    return ask(s, "select (hash((select string_agg(x::varchar, '|' order by x::varchar) from segment_in x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from play x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from segment x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from title x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from title_key x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from account x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from person x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from device x),"
                  " (select string_agg(x::varchar, '|' order by x::varchar) from address x),"
                  " (select string_agg(concat_ws(' ', state, rows_read, rows_added, rows_skipped,"
                  "  position, report), '|' order by import_id) from import)) // 2)::bigint");
}
