/* What comes in as a file: formats, years, damage, and things made to do harm. */
#include "../test.h"

#include <archive.h>
#include <archive_entry.h>

#include "helpers.h"

static void write_file(const char *path, const void *data, size_t len)
{
    auto_file FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
}

static char *read_file(const char *path, size_t *ret_len)
{
    auto_file FILE *f = fopen(path, "re");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *ret_len = (size_t)ftell(f);
    rewind(f);
    char *data = xmalloc(*ret_len + 1);
    assert_int_equal(fread(data, 1, *ret_len, f), *ret_len);
    return data;
}

/* A zip with one member; `zeros`: so many zero bytes instead of the data. */
static char *make_zip(const char *name, const char *member, const void *data, size_t len,
                      size_t zeros)
{
    char *path = in_folder(name);
    struct archive *a = archive_write_new();
    archive_write_set_format_zip(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, member);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)(len + zeros));
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    archive_write_data(a, data, len);
    auto_free char *block = xcalloc(1, 1 << 20);
    for (size_t done = 0; done < zeros; done += 1 << 20)
        archive_write_data(a, block, zeros - done < 1 << 20 ? zeros - done : 1 << 20);
    archive_entry_free(e);
    archive_write_free(a);
    return path;
}

/* Takes the file; its fault is one of bad input and names what is wrong. */
static void assert_refused(const char *path, enum status expected, const char *words)
{
    struct world w = open_world("refused");
    struct import_job job = job_for(&w, path);
    struct import_report r = {0};
    struct error err = {0};
    enum status s = import(&job, &r, &err);
    if (s != expected || !strstr(err.text, words))
        fail_msg("%s: %s: '%s', not '%s'", path, status_text(s), err.text, words);
    assert_int_equal(files_in(w.folder), 0);
    assert_int_equal(ask(w.store, "select count(*) from segment_in"), 0);
    assert_int_equal(ask(w.store, "select count(*) from import where state in ('counting',"
                                  " 'running', 'done')"), 0);
    close_world(&w);
    remove_store("refused");
}

static void zips_and_databases_without_their_wal_are_taken(void **state)
{
    (void)state;
    auto_free char *path = make_file("plain.db", 30, "");
    /* in WAL mode, with rows that are in the -wal only, and it stays behind */
    auto_free char *with_wal = make_file("wal.db", 30, "pragma journal_mode = wal");
    sqlite3 *open = NULL;
    assert_int_equal(sqlite3_open(with_wal, &open), SQLITE_OK);
    sqlite3_exec(open, "pragma wal_autocheckpoint = 0; insert into session_history(id, started)"
                       " values (9999, 1)", NULL, NULL, NULL);
    size_t len;
    auto_free char *data = read_file(with_wal, &len);
    auto_free char *lone = in_folder("lone.db");
    write_file(lone, data, len);
    sqlite3_close(open);
    auto_free char *plain = read_file(path, &len);
    auto_free char *zip = make_zip("backup.zip", "tautulli.db", plain, len, 0);
    auto_free char *old_zip = make_zip("old.zip", "plexpy.db", plain, len, 0);
    const char *const files[] = {path, lone, zip, old_zip};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        auto_free char *name = xasprintf("formats-%zu", i);
        struct world w = open_world(name);
        assert_int_equal(must_import(&w, files[i]).rows_added, 30);
        assert_int_equal(access(files[i], F_OK), 0); /* not ours to take */
        close_world(&w);
    }
    struct world w = open_world("given");
    struct import_job job = job_for(&w, path);
    struct import_report r;
    struct error err = {0};
    job.is_given = true;
    assert_int_equal(import(&job, &r, &err), STATUS_OK);
    assert_int_equal(access(path, F_OK), -1);
    struct stat st;
    assert_int_equal(stat(w.folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close_world(&w);
}

static void what_is_no_tautulli_database_is_refused(void **state)
{
    (void)state;
    auto_free char *path = in_folder("bad");
    write_file(path, "hello, this is no database at all", 33);
    assert_refused(path, STATUS_INVALID, "neither a Tautulli database");
    write_file(path, "", 0);
    assert_refused(path, STATUS_INVALID, "neither a Tautulli database");
    write_file(path, "SQLite format 3", 16);
    assert_refused(path, STATUS_INVALID, "cannot be read");
    write_file(path, "PK\003\004 and then nothing", 20);
    assert_refused(path, STATUS_INVALID, "zip");
    assert_refused(folder, STATUS_INVALID, "is not a file");
    auto_free char *none = in_folder("there-is-none");
    assert_refused(none, STATUS_IO, "there-is-none");
    unlink(path);
    sql(path, "create table t(a)");
    assert_refused(path, STATUS_INVALID, "no table 'session_history'");
    unlink(path);
    sql(path, "create table session_history(id integer primary key, started, stopped);"
              "create table session_history_metadata(id integer primary key)");
    assert_refused(path, STATUS_INVALID, "no column 'user_id'");
    auto_free char *without = make_zip("without.zip", "other.db", "x", 1, 0);
    assert_refused(without, STATUS_INVALID, "no tautulli.db");
    auto_free char *outside = make_zip("outside.zip", "../tautulli.db", "SQLite format 3", 16, 0);
    assert_refused(outside, STATUS_INVALID, "no tautulli.db");
    auto_free char *text = make_zip("text.zip", "tautulli.db", "just text", 9, 0);
    assert_refused(text, STATUS_INVALID, "is no database");
}

static void bombs_and_giants_are_refused(void **state)
{
    (void)state;
    auto_free char *bomb = make_zip("bomb.zip", "tautulli.db", "SQLite format 3", 16, 48 << 20);
    assert_refused(bomb, STATUS_TOO_LARGE, "times its size");
    auto_free char *giant = make_zip("giant.zip", "tautulli.db", "SQLite format 3", 16, 80 << 20);
    assert_refused(giant, STATUS_TOO_LARGE, "larger than the limit");
    auto_free char *path = make_file("large.db", 0, "create table f(b); insert into f values"
                                                    " (zeroblob(70000000))");
    assert_refused(path, STATUS_TOO_LARGE, "larger than the limit");
}

static void a_hostile_schema_cannot_act(void **state)
{
    (void)state;
    static const char *const tricks[][2] = {
        {"alter table session_history rename to h; create view session_history as select * from h",
         "'session_history' is no real table"},
        {"alter table session_history_metadata rename to m; create view session_history_metadata"
         " as select * from m", "'session_history_metadata' is no real table"},
        {"drop table users; create view users as with recursive n(i) as (select 1 union all"
         " select i + 1 from n) select i as id, i as user_id, 'x' as username from n",
         "'users' is no real table"},
        {"drop table library_sections; create virtual table library_sections using fts5(section_id)",
         "'library_sections' is no real table"},
        {"pragma writable_schema = on; update sqlite_schema set rootpage = 99999 where name ="
         " 'session_history'", "cannot be read"},
        {"pragma writable_schema = on; update sqlite_schema set sql = 'create table session_history"
         "(' where name = 'session_history'", "cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_LEN(tricks); i++) {
        auto_free char *path = make_file("trick.db", 10, tricks[i][0]);
        assert_refused(path, STATUS_INVALID, tricks[i][1]);
    }
    /* triggers and computed columns lie there and do nothing */
    auto_free char *path = make_file("still.db", 10,
        "create trigger t after insert on session_history begin delete from users; end;"
        "alter table session_history add column thumb text generated always as"
        " (hex(zeroblob(1000000))) virtual");
    struct world w = open_world("still");
    assert_int_equal(must_import(&w, path).rows_added, 10);
    close_world(&w);
}

static void damage_in_the_middle_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    auto_free char *path = make_file("damaged.db", 2000, "");
    size_t len;
    auto_free char *data = read_file(path, &len);
    memset(data + len / 2, 0x5a, len / 4);
    write_file(path, data, len);
    assert_refused(path, STATUS_INVALID, "cannot be read");
    write_file(path, data, len / 3);
    assert_refused(path, STATUS_INVALID, "cannot be read");
}

/* As PlexPy wrote it in 2016: a third of the columns, the section in the metadata. */
static const char tables_2016[] =
    "create table session_history(id integer primary key autoincrement, reference_id integer,"
    " started integer, stopped integer, rating_key integer, user_id integer, user text,"
    " ip_address text, paused_counter integer default 0, player text, platform text,"
    " machine_id text, parent_rating_key integer, grandparent_rating_key integer, media_type text,"
    " view_offset integer default 0);"
    "create table session_history_metadata(id integer primary key, rating_key integer,"
    " title text, parent_title text, grandparent_title text, full_title text, media_index integer,"
    " parent_media_index integer, section_id integer, media_type text, year integer, duration"
    " integer default 0, guid text, genres text);"
    "create table session_history_media_info(id integer primary key, video_decision text,"
    " audio_decision text, duration integer default 0, container text, video_codec text,"
    " transcode_container text);"
    "create table users(id integer primary key autoincrement, user_id integer unique, username text"
    " not null, friendly_name text, thumb text, email text, is_home_user integer default null);"
    "insert into users(user_id, username) values (77, 'eve');"
    "insert into session_history values(1, 1, 1460000000, 1460003600, 5, 77, 'eve', '192.0.2.1', 60,"
    " 'TV', 'Roku', 'm', 4, 3, 'episode', 3000000);"
    "insert into session_history_metadata values(1, 5, 'Pilot', 'Season 1', 'Show', 'Show - Pilot', 1,"
    " 1, 2, 'episode', 2015, 3600000, 'com.plexapp.agents.thetvdb://99/1/1?lang=en', 'Drama');"
    "insert into session_history_media_info values(1, 'transcode', 'copy', 3600000, 'mkv', 'h264', '')";

static void a_file_of_2016_is_read(void **state)
{
    (void)state;
    auto_free char *path = in_folder("2016.db");
    sql(path, tables_2016);
    struct world w = open_world("2016");
    struct import_report r = must_import(&w, path);
    assert_int_equal(r.rows_added, 1);
    assert_int_equal(r.note_count, 0);
    assert_string_equal(r.server, "plex-imported");
    assert_int_equal(ask(w.store, "select watch_ms from play"), 3540000);
    assert_int_equal(ask(w.store, "select count(*) from title where season = 1 and episode = 1 and"
                                  " grandparent_title = 'Show' and media_type = 'episode'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from segment join library using (library_id)"
                                  " where key = '2'"), 1);
    assert_int_equal(ask(w.store, "select count(*) from segment join quality using (quality_id)"
                                  " where transcode_decision = 'transcode'"), 1);
    close_world(&w);
}

struct odd {
    const char *sql;   /* done to row 5 of ten */
    const char *reason; /* NULL: none */
    const char *check; /* is 1 afterwards */
    bool is_skip;
};

static void odd_rows_are_left_out_or_mended_and_said(void **state)
{
    (void)state;
    static const struct odd rows[] = {
        {"update session_history set stopped = 0 where id = 5", "it has no end; it counts as a play"
         " without watch time", "select count(*) from play where watch_ms = 0", false},
        {"update session_history set stopped = null where id = 5", "it has no end; it counts as a"
         " play without watch time", "select count(*) from play where watch_ms = 0", false},
        {"update session_history set stopped = started - 10 where id = 5", "it has no end; it counts"
         " as a play without watch time", "select count(*) from play where watch_ms = 0", false},
        {"update session_history set stopped = 9223372036854775807 where id = 5", "it has no end; it"
         " counts as a play without watch time", "select count(*) from play where watch_ms = 0",
         false},
        {"update session_history set stopped = started + 864000 where id = 5",
         "it lasts much longer than its title; the time was cut",
         "select count(*) from play where watch_ms = 10800000", false},
        {"update session_history set paused_counter = 999999 where id = 5", NULL,
         "select count(*) from play where watch_ms = 0 and paused_ms > 0", false},
        {"update session_history set paused_counter = -5 where id = 5", NULL,
         "select count(*) from segment_in where source_row = 5 and paused_ms = 0", false},
        {"update session_history set started = '' where id = 5",
         "its start is no possible time", "select count(*) = 9 from play", true},
        {"update session_history set started = 9e17 where id = 5",
         "its start is no possible time", "select count(*) = 9 from play", true},
        {"update session_history set media_type = 'hologram' where id = 5",
         "its media type is not known", "select count(*) = 9 from play", true},
        {"update session_history set rating_key = '', section_id = '', secure = '', bandwidth = ''"
         " where id = 5; update session_history_metadata set year = '', media_index = ''"
         " where id = 5", NULL, "select count(*) = 10 from play", false},
        {"update session_history_metadata set title = cast(x'4869c328ff' as text) where id = 5", NULL,
         "select count(*) from title where title like 'Hi_(%'", false},
        {"update session_history set user_id = 0, user = 'Local' where id = 5", NULL,
         "select count(*) from account where key = '0' and name = 'Local'", false},
        {"update session_history set user_id = null, user = 'ghost' where id = 5", NULL,
         "select count(*) from account where key = 'user:ghost' and name = 'ghost'", false},
        {"update session_history set user_id = 777, user = 'gone' where id = 5", NULL,
         "select count(*) from account where key = '777' and name = 'gone'", false},
        {"delete from session_history_metadata where id = 5", "it says nothing about its title",
         "select count(*) from title where title = 'Unknown (item 105)'", false},
        {"update session_history_metadata set live = 1 where id = 5", NULL,
         "select count(*) from play where media_type = 'live'", false},
        {"update session_history set ip_address = '[2001:db8::1]' where id = 5", NULL,
         "select count(*) from address where address = '2001:db8::1'", false},
        {"update session_history set ip_address = 'N/A' where id = 5", NULL,
         "select count(*) from segment where address_id is null", false},
        {"update session_history set started = cast(started as text), stopped = ' ' || stopped"
         " where id = 5", NULL, "select count(*) = 10 from play where watch_ms > 2000000", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *path = make_file("odd.db", 10, rows[i].sql);
        struct world w = open_world("odd");
        struct import_report r = must_import(&w, path);
        const struct import_reason *found = rows[i].is_skip ? r.skips : r.notes;
        if (r.skip_count + r.note_count != (rows[i].reason != NULL) ||
            (rows[i].reason && !streq(found->reason, rows[i].reason)))
            fail_msg("%s: says '%s'", rows[i].sql, found->reason);
        if (rows[i].reason && strncmp(found->sample, "row 5", 5) != 0)
            fail_msg("%s: sample '%s'", rows[i].sql, found->sample);
        assert_int_equal(r.rows_added, rows[i].is_skip ? 9 : 10);
        assert_int_equal(r.rows_skipped, rows[i].is_skip ? 1 : 0);
        if (ask(w.store, rows[i].check) != 1)
            fail_msg("%s: not so: %s", rows[i].sql, rows[i].check);
        close_world(&w);
        remove_store("odd");
    }
}

static void tokens_stay_where_they_are(void **state)
{
    (void)state;
    auto_free char *path = make_file("secret.db", 10, "");
    struct world w = open_world("secret");
    (void)must_import(&w, path);
    close_world(&w);
    auto_free char *pattern = in_folder("secret.*");
    glob_t found;
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t len;
        auto_free char *data = read_file(found.gl_pathv[i], &len);
        bool has_secret = memmem(data, len, "SECRET-TOKEN", 12) != NULL;
        assert_true(has_secret == streq(strrchr(found.gl_pathv[i], '.'), ".db"));
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zips_and_databases_without_their_wal_are_taken),
        cmocka_unit_test(what_is_no_tautulli_database_is_refused),
        cmocka_unit_test(bombs_and_giants_are_refused),
        cmocka_unit_test(a_hostile_schema_cannot_act),
        cmocka_unit_test(damage_in_the_middle_is_told_and_leaves_nothing),
        cmocka_unit_test(a_file_of_2016_is_read),
        cmocka_unit_test(odd_rows_are_left_out_or_mended_and_said),
        cmocka_unit_test(tokens_stay_where_they_are),
    };
    return cmocka_run_group_tests_name("import files", tests, set_up, tear_down);
}
