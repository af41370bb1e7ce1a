/*
 * A file that somebody brings. "PK" or "SQLite": the bytes are the file. Else lines h.column=Tvalue set
 * cells of the first row of a Tautulli database (h history, m metadata, i media info, u users; T: i
 * integer, r real, t text, b blob, n null), and line n sets row n % 3. It is counted as in a dry run.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "import/import.h"

enum { ROWS = 3, LINES_MAX = 40 };

static char folder[] = "/tmp/cartographus-fuzz-XXXXXX";
static char given[64];
static struct store *store;

#define COLUMN(id, table, name) {#table[0], name},
static const struct {
    char table;
    const char *name;
} columns[] = {
#include "import/tautulli_columns.def"
};
#undef COLUMN

static const struct {
    char letter;
    const char *name, *more;
} tables[] = {
    {'h', "session_history", ""},
    {'m', "session_history_metadata", ""},
    {'i', "session_history_media_info", ""},
    {'u', "users", ", user_id, username, friendly_name, email, is_admin"},
};

static void run_sql(sqlite3 *db, const char *sql)
{
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static sqlite3 *make_base(void)
{
    sqlite3 *db;
    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        auto_buf struct buf sql = {0};
        buf_printf(&sql, "create table %s(id integer primary key%s", tables[t].name, tables[t].more);
        for (size_t c = 0; c < ARRAY_LEN(columns); c++)
            if ((columns[c].table | 0x20) == tables[t].letter && !streq(columns[c].name, "id"))
                buf_printf(&sql, ", \"%s\"", columns[c].name);
        buf_puts(&sql, ")");
        CHECK(sqlite3_exec(db, sql.data, NULL, NULL, NULL) == SQLITE_OK);
        for (int i = 1; i <= ROWS; i++) {
            auto_free char *row = xasprintf("insert into %s(id) values (%d)", tables[t].name, i);
            run_sql(db, row);
        }
    }
    run_sql(db, "update session_history set user_id = 500 + id % 2, started = 1600000000 + 7200 * id,"
                " stopped = 1600003600 + 7200 * id, rating_key = 100 + id, media_type = 'movie'");
    run_sql(db, "update session_history_metadata set title = 'Film ' || id, media_type = 'movie',"
                " duration = 5400000");
    run_sql(db, "update users set user_id = 500 + id % 2, username = 'user ' || id");
    return db;
}

static void set_cell(sqlite3 *db, struct str line, int row)
{
    struct str name;
    if (line.len < 4 || line.ptr[1] != '.' || !str_next(&line, '=', &name) || !line.len)
        return;
    const char *table = NULL;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        table = tables[t].letter == name.ptr[0] ? tables[t].name : table;
    for (size_t i = 2; i < name.len; i++)
        if (name.ptr[i] != '_' && (name.ptr[i] < 'a' || name.ptr[i] > 'z'))
            return;
    auto_free char *sql = xasprintf("update or ignore %s set \"%.*s\" = ?1 where rowid = %d",
                                    table ? table : "nothing", (int)name.len - 2, name.ptr + 2, row);
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        return;
    struct str value = {line.ptr + 1, line.len - 1};
    int64_t i = 0;
    double d = 0;
    if (line.ptr[0] == 'i' && str_to_i64(value, &i))
        sqlite3_bind_int64(q, 1, i);
    else if (line.ptr[0] == 'r' && str_to_double(value, &d))
        sqlite3_bind_double(q, 1, d);
    else if (line.ptr[0] == 'b')
        sqlite3_bind_blob(q, 1, value.ptr, (int)value.len, SQLITE_STATIC);
    else if (line.ptr[0] == 't')
        sqlite3_bind_text(q, 1, value.ptr, (int)value.len, SQLITE_STATIC);
    (void)sqlite3_step(q);
    sqlite3_finalize(q);
}

static void write_file(const void *data, size_t size)
{
    auto_fd int fd = open(given, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

static void write_database(struct str input)
{
    sqlite3 *db = make_base();
    struct str line;
    run_sql(db, "begin");
    for (int n = 0; n < LINES_MAX && str_next(&input, '\n', &line); n++)
        set_cell(db, line, 1 + n % ROWS);
    run_sql(db, "commit");
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
    CHECK(bytes);
    write_file(bytes, (size_t)size);
    sqlite3_free(bytes);
    sqlite3_close(db);
}

static void remove_folder(void)
{
    store_close(store);
    auto_free char *inside = xasprintf("%s/imports", folder);
    unlink(given);
    rmdir(inside);
    rmdir(folder);
}

static void start(void)
{
    struct store_config s = {.path = ":memory:", .max_memory = "256MB", .threads = 1};
    struct error err = {0};
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(given, sizeof given, "%s/given", folder);
    CHECK(store_open(&s, &store, NULL, &err) == STATUS_OK);
    CHECK(atexit(remove_folder) == 0);
}

static void check_report(const struct import_report *r, enum status s)
{
    auto_buf struct buf out = {0};
    auto_json json_t *root = NULL;
    struct json_writer w;
    jw_begin(&w, &out);
    import_report_write(&w, r);
    CHECK(json_parse(buf_str(&out), out.len, 6, &root, NULL) == STATUS_OK);
    CHECK((s == STATUS_OK) == (r->state == IMPORT_DONE));
    CHECK(s == STATUS_OK || r->error[0] != '\0');
    CHECK(r->rows_added >= 0 && r->rows_skipped >= 0);
    CHECK(s != STATUS_OK || r->rows_read == r->rows_added + r->rows_skipped);
    CHECK(r->from_us == TIME_NONE || r->from_us <= r->to_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = input_of(data, size);
    if (!store)
        start();
    if (str_has_prefix(input, STR("PK")) || str_has_prefix(input, STR("SQLite")))
        write_file(data, size);
    else
        write_database(input);
    auto_free char *inside = xasprintf("%s/imports", folder);
    struct import_job job = {.store = store, .knobs = knobs_default(), .folder = inside,
                             .path = given, .is_given = true, .name = "file", .is_dry_run = true,
                             .max_bytes = 1 << 22};
    struct import_report report;
    struct error err = {0};
    int64_t id;
    if (import_begin(&job, &id, &err) != STATUS_OK) {
        CHECK(err.text[0] != '\0');
        CHECK(access(given, F_OK) != 0);
        return 0;
    }
    check_report(&report, import_run(&job, id, &report, &err));
    return 0;
}
