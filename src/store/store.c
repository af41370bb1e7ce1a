#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "store/id_sets.h"
#include "store/migrations.h"
#include "store/stream_quarters.h"
#include "store/watch_quarters.h"

#include "base/banned.h"

/* Of what is read, so much may be held by an open transaction. */
enum { TRIM_SLACK = 8 * 1024 * 1024 };
enum { FILE_HEADERS = 3 * 4096 }; /* what every file of DuckDB begins with */

struct store {
    duckdb_database db;
    char *path;  /* NULL: in memory */
    struct stat opened; /* the file at path, by its identity */
    char *max_memory;
    pthread_rwlock_t running; /* read: a statement runs; write: none */
    atomic_int_least64_t data_version;
};

struct store_conn {
    struct store *store;
    duckdb_connection conn;
};

static bool says(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, words[i]))
            return true;
    return false;
}

enum status store_fail(const char *message, const char *doing, struct error *err)
{
    /* The kind of error does not come through an appender: there only the reason is told. */
    static const char *const interrupted[] = {"INTERRUPT", "Interrupted"},
                            *const memory[] = {"Out of Memory", "could not allocate block",
                                               "failed to pin block"},
                            *const disk[] = {"IO Error", "No space left", "Could not write",
                                             "Could not read"};
    const char *text = message ? message : "unknown error";
    enum status s = STATUS_INTERNAL;
    if (says(text, interrupted, ARRAY_LEN(interrupted)))
        s = STATUS_CANCELLED;
    else if (says(text, memory, ARRAY_LEN(memory)))
        s = STATUS_NOMEM;
    else if (says(text, disk, ARRAY_LEN(disk)))
        s = STATUS_IO;
    return fail(err, s, "%s: %.*s%s", doing, (int)strcspn(text, "\n"), text,
                s == STATUS_NOMEM ? "; a larger DUCKDB_MAX_MEMORY may help" : "");
}

static void auto_config_fn(duckdb_config *c)
{
    duckdb_destroy_config(c);
}

/* Whether the write-ahead log itself is damaged. All else that can go wrong while it is read and replayed
 * (no right to, no memory, no disk) leaves it good. */
static bool is_wal_damaged(const char *message)
{
    static const char *const damages[] = {"Corrupt WAL", "Invalid WAL entry type"};
    const char *at = strstr(message, "Failure while replaying WAL file \"");
    const char *why = at ? strstr(at, ".wal\": ") : NULL;
    for (size_t i = 0; why && i < ARRAY_LEN(damages); i++)
        if (str_has_prefix(str_of(why + strlen(".wal\": ")), str_of(damages[i])))
            return true;
    return false;
}

static enum status open_file(const struct store_config *c, duckdb_database *ret,
                             bool *ret_is_wal_damaged, struct error *err)
{
    auto_cleanup(auto_config_fn) duckdb_config config = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return fail(err, STATUS_NOMEM, "no memory for the store's settings");
    char threads[16];
    snprintf(threads, sizeof threads, "%u", c->threads);
    const char *settings[][2] = {
        {"memory_limit", c->max_memory},
        {"threads", c->threads ? threads : NULL},
        {"temp_directory", c->temp_path},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"preserve_insertion_order", "true"},
        /* Of a new file. Every column that was appended to since the last checkpoint holds a block
         * in memory, and there are about 200: 46 MB at the usual 256 KB. */
        {"default_block_size", "65536"},
        /* Row groups that are appended are written as they fill, not five at once. */
        {"write_buffer_row_group_count", "1"},
        /* DuckDB's allocator keeps what it has freed unless it is told to give it back. */
        {"allocator_background_threads", "true"},
        {"allocator_flush_threshold", "1MB"},
        {"allocator_bulk_deallocation_flush_threshold", "4MB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (settings[i][1] &&
            duckdb_set_config(config, settings[i][0], settings[i][1]) != DuckDBSuccess)
            return fail(err, STATUS_INVALID, "the store does not take %s=%s", settings[i][0],
                        settings[i][1]);
    char *message = NULL;
    if (duckdb_open_ext(c->path, ret, config, &message) == DuckDBSuccess)
        return STATUS_OK;
    *ret_is_wal_damaged = message && is_wal_damaged(message);
    enum status s = store_fail(message, "open the store", err);
    duckdb_free(message);
    return s;
}

/* Before it is ever opened, so that no lock of DuckDB's is dropped by it. */
static enum status check_is_ours(const char *path, struct error *err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char head[12];
    if (fd < 0 || fstat(fd, &st) != 0)
        return errno == ENOENT ? STATUS_OK : fail_errno(err, errno, "open the store '%s'", path);
    if (S_ISREG(st.st_mode) && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
        memcmp(head + 8, "DUCK", 4) == 0)
        return STATUS_OK;
    return fail(err, STATUS_IO, "'%s' is no DuckDB database (%lld bytes); move it away, or put a "
                                "backup in its place", path, (long long)st.st_size);
}

/* The log still has what was in it. */
static enum status set_wal_aside(const char *path, struct error *err)
{
    auto_free char *wal = xasprintf("%s.wal", path);
    auto_free char *aside = xasprintf("%s.damaged-%" PRId64, wal, clock_now_us() / US_PER_S);
    if (rename(wal, aside) != 0)
        return fail_errno(err, errno, "set the damaged '%s' aside", wal);
    log_warn("store", "the write-ahead log was damaged and is set aside; replaying from the log",
             LF_TEXT("file", aside));
    return STATUS_OK;
}

static enum status migrate(struct store_conn *c, struct error *err)
{
    TRY(store_exec(c, "create table if not exists schema_version (number integer, name varchar, "
                      "applied_at timestamp)", err));
    int64_t have;
    TRY(store_query_int(c, "select coalesce(max(number), 0) from schema_version", NULL, 0, 0, &have,
                        err));
    if (have > migration_count)
        return fail(err, STATUS_CONFLICT,
                    "the store has schema %" PRId64 ", this program knows up to %u; it was written "
                    "by a newer version", have, migration_count);
    for (unsigned i = (unsigned)have; i < migration_count; i++) {
        auto_free char *sql =
            xasprintf("begin; %s; insert into schema_version values (%u, '%s', now() at time zone "
                      "'UTC'); commit", migrations[i].sql, migrations[i].number,
                      migrations[i].name);
        enum status s = store_exec(c, sql, err);
        if (s != STATUS_OK) {
            (void)store_exec(c, "rollback", NULL);
            return fail_prefix(err, "schema step %u (%s)", migrations[i].number, migrations[i].name);
        }
    }
    return STATUS_OK;
}

enum status store_open(const struct store_config *c, struct store **ret, bool *ret_wal_was_damaged,
                       struct error *err)
{
    duckdb_database db = NULL;
    bool was_damaged = false;
    if (!streq(c->path, ":memory:"))
        TRY(check_is_ours(c->path, err));
    enum status s = open_file(c, &db, &was_damaged, err);
    if (was_damaged) {
        bool is_damaged_again;
        TRY(set_wal_aside(c->path, err));
        s = open_file(c, &db, &is_damaged_again, err);
    }
    if (s != STATUS_OK)
        return s;
    struct store *store = xcalloc(1, sizeof *store);
    store->db = db;
    store->max_memory = c->max_memory ? xstrdup(c->max_memory) : NULL;
    pthread_rwlock_init(&store->running, NULL);
    store->data_version = clock_now_us();
    if (stat(c->path, &store->opened) == 0)
        store->path = xstrdup(c->path);
    struct store_conn *conn = NULL;
    s = store_connect(store, &conn, err);
    if (s == STATUS_OK)
        s = migrate(conn, err);
    if (s == STATUS_OK)
        s = watch_quarters_register(conn, err);
    if (s == STATUS_OK)
        s = stream_quarters_register(conn, err);
    if (s == STATUS_OK)
        s = id_sets_register(conn, err);
    store_disconnect(conn);
    if (s != STATUS_OK) {
        store_close(store);
        return s;
    }
    if (ret_wal_was_damaged)
        *ret_wal_was_damaged = was_damaged;
    *ret = store;
    return STATUS_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    duckdb_close(&s->db);
    pthread_rwlock_destroy(&s->running);
    free(s->path);
    free(s->max_memory);
    free(s);
}

enum status store_knows_time_zone(const char *name, bool *ret, struct error *err)
{
    struct store s = {0};
    struct store_conn *c = NULL;
    struct store_config bare = {.path = ":memory:", .max_memory = "64MB", .threads = 1};
    bool is_wal_damaged;
    TRY(open_file(&bare, &s.db, &is_wal_damaged, err));
    struct store_value zone = {.kind = SV_TEXT, .s = str_of(name)};
    int64_t count = 0;
    enum status status = store_connect(&s, &c, err);
    if (status == STATUS_OK)
        status = store_query_int(c, "select count(*) from pg_timezone_names() where name = $1", &zone,
                                 1, 0, &count, err);
    store_disconnect(c);
    duckdb_close(&s.db);
    *ret = count > 0;
    return status;
}

enum status store_connect(struct store *s, struct store_conn **ret, struct error *err)
{
    duckdb_connection conn = NULL;
    if (duckdb_connect(s->db, &conn) != DuckDBSuccess)
        return fail(err, STATUS_UNAVAILABLE, "the store gives no connection");
    struct store_conn *c = xcalloc(1, sizeof *c);
    c->store = s;
    c->conn = conn;
    *ret = c;
    return STATUS_OK;
}

void store_disconnect(struct store_conn *c)
{
    if (!c)
        return;
    duckdb_disconnect(&c->conn);
    free(c);
}

/* Only by its path: DuckDB's lock would be lost with any other handle on the file. */
static enum status check_file(const struct store *s, struct error *err)
{
    struct stat now;
    if (stat(s->path, &now) != 0)
        return fail_errno(err, errno, "the store's file '%s'", s->path);
    if (now.st_ino != s->opened.st_ino || now.st_dev != s->opened.st_dev)
        return fail(err, STATUS_IO, "the store's file '%s' is another than the one in use", s->path);
    if (now.st_size < FILE_HEADERS)
        return fail(err, STATUS_IO, "the store's file '%s' is cut short: it has %lld bytes", s->path,
                    (long long)now.st_size);
    return STATUS_OK;
}

enum status store_check(struct store_conn *c, struct error *err)
{
    int64_t rows = 0;
    TRY(store_query_int(c, "select count(*) from applied", NULL, 0, 0, &rows, err));
    if (rows != 1)
        return fail(err, STATUS_INTERNAL, "the store does not know how far it is");
    return c->store->path ? check_file(c->store, err) : STATUS_OK;
}

void store_interrupt(struct store_conn *c)
{
    duckdb_interrupt(c->conn);
}

duckdb_connection store_duckdb(struct store_conn *c)
{
    return c->conn;
}

static struct store *begin_statement(struct store_conn *c)
{
    pthread_rwlock_rdlock(&c->store->running);
    return c->store;
}

static void end_statement(struct store **s)
{
    pthread_rwlock_unlock(&(*s)->running);
}
#define auto_statement [[maybe_unused]] auto_cleanup(end_statement)

static enum status exec(struct store_conn *c, const char *sql, struct error *err)
{
    auto_result duckdb_result r = {0};
    if (duckdb_query(c->conn, sql, &r) == DuckDBSuccess)
        return STATUS_OK;
    return store_fail(duckdb_result_error(&r), "the store", err);
}

enum status store_exec(struct store_conn *c, const char *sql, struct error *err)
{
    auto_statement struct store *running = begin_statement(c);
    return exec(c, sql, err);
}

static duckdb_state bind(duckdb_prepared_statement p, idx_t at, const struct store_value *v)
{
    switch (v->kind) {
    case SV_NULL:
        return duckdb_bind_null(p, at);
    case SV_INT:
        return duckdb_bind_int64(p, at, v->i);
    case SV_DOUBLE:
        return duckdb_bind_double(p, at, v->d);
    case SV_TEXT:
        return duckdb_bind_varchar_length(p, at, v->s.ptr ? v->s.ptr : "", v->s.len);
    case SV_TIME:
        return duckdb_bind_timestamp(p, at, (duckdb_timestamp){v->i});
    case SV_BOOL:
        return duckdb_bind_boolean(p, at, v->i != 0);
    }
    return DuckDBError;
}

enum status store_query(struct store_conn *c, const char *sql, const struct store_value *values,
                        size_t count, duckdb_result *ret, struct error *err)
{
    auto_statement struct store *running = begin_statement(c);
    *ret = (duckdb_result){0};
    auto_cleanup(duckdb_destroy_prepare) duckdb_prepared_statement p = NULL;
    if (duckdb_prepare(c->conn, sql, &p) != DuckDBSuccess)
        return store_fail(duckdb_prepare_error(p), "prepare", err);
    for (size_t i = 0; i < count; i++)
        if (bind(p, i + 1, &values[i]) != DuckDBSuccess)
            return fail(err, STATUS_INTERNAL, "bind value %zu of %zu", i + 1, count);
    if (duckdb_execute_prepared(p, ret) != DuckDBSuccess)
        return store_fail(duckdb_result_error(ret), "the store", err);
    return STATUS_OK;
}

enum status store_query_named(struct store_conn *c, const char *sql,
                              const struct store_named *values, size_t count, duckdb_result *ret,
                              struct error *err)
{
    auto_statement struct store *running = begin_statement(c);
    *ret = (duckdb_result){0};
    auto_cleanup(duckdb_destroy_prepare) duckdb_prepared_statement p = NULL;
    if (duckdb_prepare(c->conn, sql, &p) != DuckDBSuccess)
        return store_fail(duckdb_prepare_error(p), "prepare", err);
    idx_t bound = 0;
    for (size_t i = 0; i < count; i++) {
        idx_t at;
        if (duckdb_bind_parameter_index(p, &at, values[i].name) != DuckDBSuccess)
            continue;
        if (bind(p, at, &values[i].value) != DuckDBSuccess)
            return fail(err, STATUS_INTERNAL, "bind $%s", values[i].name);
        bound++;
    }
    if (bound != duckdb_nparams(p))
        return fail(err, STATUS_INTERNAL, "%zu of %zu values are bound", (size_t)bound,
                    (size_t)duckdb_nparams(p));
    if (duckdb_execute_prepared(p, ret) != DuckDBSuccess)
        return store_fail(duckdb_result_error(ret), "the store", err);
    return STATUS_OK;
}

enum status store_query_int(struct store_conn *c, const char *sql, const struct store_value *values,
                            size_t count, int64_t fallback, int64_t *ret, struct error *err)
{
    auto_result duckdb_result r = {0};
    TRY(store_query(c, sql, values, count, &r, err));
    *ret = fallback;
    auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
    if (!chunk || !duckdb_data_chunk_get_size(chunk))
        return STATUS_OK;
    duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
    uint64_t *validity = duckdb_vector_get_validity(v);
    if (validity && !duckdb_validity_row_is_valid(validity, 0))
        return STATUS_OK;
    const void *data = duckdb_vector_get_data(v);
    duckdb_type type = duckdb_column_type(&r, 0);
    if (type == DUCKDB_TYPE_BIGINT || type == DUCKDB_TYPE_TIMESTAMP)
        *ret = *(const int64_t *)data;
    else if (type == DUCKDB_TYPE_INTEGER)
        *ret = *(const int32_t *)data;
    else if (type == DUCKDB_TYPE_BOOLEAN)
        *ret = *(const bool *)data;
    else if (type == DUCKDB_TYPE_HUGEINT)
        *ret = (int64_t)((const duckdb_hugeint *)data)->lower;
    else
        return fail(err, STATUS_INTERNAL, "column 1 is no whole number");
    return STATUS_OK;
}

enum status store_transaction(struct store_conn *c,
                              enum status (*f)(void *ctx, struct store_conn *c, struct error *err),
                              void *ctx, struct error *err)
{
    TRY(store_exec(c, "begin", err));
    enum status s = f(ctx, c, err);
    if (s == STATUS_OK)
        s = store_exec(c, "commit", err);
    if (s != STATUS_OK)
        (void)store_exec(c, "rollback", NULL);
    return s;
}

enum status store_checkpoint(struct store_conn *c, int64_t *ret_position, struct error *err)
{
    int64_t before;
    TRY(store_query_int(c, "select position from applied", NULL, 0, 0, &before, err));
    struct error why;
    if (store_exec(c, "checkpoint", &why) != STATUS_OK)
        return fail(err, STATUS_UNAVAILABLE, "checkpoint later: %s", why.text);
    *ret_position = before;
    return STATUS_OK;
}

static enum status limit_memory(struct store_conn *c, const char *most, struct error *err)
{
    auto_free char *sql = xasprintf("set memory_limit = '%s'", most);
    return exec(c, sql, err);
}

/* On a connection of its own: a limit that is refused, because more is in use, would end c's
 * transaction. */
static enum status trim(struct store_conn *own, struct error *err)
{
    struct store *s = own->store;
    int64_t needed;
    TRY(store_query_int(own, "select sum(memory_usage_bytes)::bigint from duckdb_memory()"
                             " where tag <> 'BASE_TABLE'", NULL, 0, 0, &needed, err));
    bool is_alone = pthread_rwlock_trywrlock(&s->running) == 0;
    auto_free char *low = xasprintf("%" PRId64 "B", needed + TRIM_SLACK);
    if (is_alone)
        (void)limit_memory(own, low, NULL);
    enum status status = limit_memory(own, s->max_memory, err);
    if (is_alone)
        pthread_rwlock_unlock(&s->running);
    return status;
}

/* DuckDB evicts what is above a limit when that is set, and flushes its allocator, be it the same
 * one. A low one is set only while no statement runs that could fail by it. */
enum status store_trim(struct store_conn *c, struct error *err)
{
    struct store_conn *own = NULL;
    if (!c->store->max_memory)
        return STATUS_OK;
    TRY(store_connect(c->store, &own, err));
    enum status s = trim(own, err);
    store_disconnect(own);
    return s;
}

int64_t store_data_version(struct store *s)
{
    return s->data_version;
}

void store_bump_data_version(struct store *s)
{
    s->data_version++;
}
