#include "store/sealed.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "store/cell.h"

#include "base/banned.h"

/* What the file is called while it is attached. */
#define EXTRACT "extract"
#define SEALED "cartographus"

/* --- what may be seen, into a file ------------------------------------------------------------- */

struct extracting {
    const struct extract_table *tables;
    size_t count;
};

static enum status fill(void *ctx, struct store_conn *c, struct error *err)
{
    const struct extracting *e = ctx;
    for (size_t i = 0; i < e->count; i++) {
        auto_free char *sql = xasprintf("create table " EXTRACT ".%s as %s", e->tables[i].name,
                                        e->tables[i].sql);
        if (store_exec(c, sql, err) != STATUS_OK)
            return fail_prefix(err, "copy the table %s", e->tables[i].name);
    }
    return STATUS_OK;
}

enum status extract_write(struct store_conn *c, const char *to, const struct extract_table *tables,
                          size_t count, struct error *err)
{
    struct extracting e = {tables, count};
    auto_buf struct buf attach = {0};
    buf_puts(&attach, "attach '");
    for (const char *at = to; *at; at++) {
        if (*at == '\'')
            buf_putc(&attach, '\'');
        buf_putc(&attach, *at);
    }
    buf_puts(&attach, "' as " EXTRACT);
    TRY(store_exec(c, buf_text(&attach), err));
    enum status s = store_transaction(c, fill, &e, err);
    if (s == STATUS_OK)
        s = store_exec(c, "checkpoint " EXTRACT, err);
    struct error late;
    enum status end = store_exec(c, "detach " EXTRACT, &late);
    return s == STATUS_OK && end != STATUS_OK ? fail(err, end, "%s", late.text) : s;
}

/* --- an instance with nothing else ------------------------------------------------------------- */

struct sealed {
    duckdb_database db;
    duckdb_connection conn;
};

static void auto_config_fn(duckdb_config *c)
{
    duckdb_destroy_config(c);
}

enum status sealed_fail(const char *message, struct error *err)
{
    static const char *const memory[] = {"Out of Memory", "could not allocate", "failed to pin",
                                         "std::bad_alloc"};
    const char *text = message ? message : "DuckDB does not say what is wrong";
    for (size_t i = 0; i < ARRAY_LEN(memory); i++)
        if (strstr(text, memory[i]))
            return fail(err, STATUS_TOO_LARGE, "the answer needs more memory than SQL_MAX_MEMORY allows");
    return fail_field(err, STATUS_INVALID, "sql", "%s", text);
}

static enum status exec(struct sealed *s, const char *sql, struct error *err)
{
    auto_result duckdb_result r = {0};
    if (duckdb_query(s->conn, sql, &r) == DuckDBSuccess)
        return STATUS_OK;
    return store_fail(duckdb_result_error(&r), "shut the database", err);
}

static enum status open_memory(const struct sealed_config *c, struct sealed *s, struct error *err)
{
    auto_cleanup(auto_config_fn) duckdb_config config = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return fail(err, STATUS_NOMEM, "no memory for the database's settings");
    char memory[32];
    snprintf(memory, sizeof memory, "%" PRId64 "B", c->max_memory);
    const char *settings[][2] = {
        {"memory_limit", memory},
        {"threads", "1"},
        {"temp_directory", ""},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_persistent_secrets", "false"},
        {"custom_user_agent", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (duckdb_set_config(config, settings[i][0], settings[i][1]) != DuckDBSuccess)
            return fail(err, STATUS_INTERNAL, "DuckDB does not take %s=%s", settings[i][0],
                        settings[i][1]);
    char *message = NULL;
    if (duckdb_open_ext(":memory:", &s->db, config, &message) != DuckDBSuccess) {
        enum status status = store_fail(message, "open a database in memory", err);
        duckdb_free(message);
        return status;
    }
    return duckdb_connect(s->db, &s->conn) == DuckDBSuccess
               ? STATUS_OK
               : fail(err, STATUS_UNAVAILABLE, "the database gives no connection");
}

/* The descriptor's name in /proc stands for the file, so that no statement can find its path. */
static enum status seal(const struct sealed_config *c, struct sealed *s, struct error *err)
{
    auto_free char *attach = xasprintf("attach '/proc/self/fd/%d' as " SEALED " (read_only)", c->fd);
    auto_free char *zone = xasprintf("set TimeZone = '%s'", c->time_zone);
    TRY(exec(s, attach, err));
    TRY(exec(s, "use " SEALED, err));
    TRY(exec(s, zone, err));
    TRY(exec(s, "set enable_external_access = false", err));
    return exec(s, "set lock_configuration = true", err);
}

static void close_sealed(struct sealed *s)
{
    duckdb_disconnect(&s->conn);
    duckdb_close(&s->db);
    free(s);
}

enum status sealed_open(const struct sealed_config *c, struct sealed **ret, struct error *err)
{
    struct sealed *s = xcalloc(1, sizeof *s);
    enum status status = open_memory(c, s, err);
    if (status == STATUS_OK)
        status = seal(c, s, err);
    if (status != STATUS_OK) {
        close_sealed(s);
        return status;
    }
    *ret = s;
    return STATUS_OK;
}

/* --- one statement ----------------------------------------------------------------------------- */

/* Past white space, comments (those between slashes nest) and opening parentheses. */
static const char *skip_to_word(const char *at)
{
    while (*at) {
        if (isspace((unsigned char)*at) || *at == '(' || *at == ';') {
            at++;
        } else if (strncmp(at, "--", 2) == 0) {
            at += strcspn(at, "\n");
        } else if (strncmp(at, "/*", 2) == 0) {
            unsigned depth = 0;
            do {
                bool opens = strncmp(at, "/*", 2) == 0, closes = strncmp(at, "*/", 2) == 0;
                depth += opens;
                depth -= closes;
                at += opens || closes ? 2 : 1;
            } while (*at && depth);
        } else {
            break;
        }
    }
    return at;
}

/* DuckDB tells PRAGMA and SELECT apart by the text alone, and makes one of the other. */
static enum status check_word(const char *sql, struct error *err)
{
    static const char *const reading[] = {"select", "with", "from", "values", "table", "explain",
                                          "describe", "desc", "show", "summarize", "pivot", "unpivot"};
    const char *word = skip_to_word(sql);
    size_t len = 0;
    while (isalpha((unsigned char)word[len]))
        len++;
    for (size_t i = 0; i < ARRAY_LEN(reading); i++)
        if (len == strlen(reading[i]) && strncasecmp(word, reading[i], len) == 0)
            return STATUS_OK;
    if (!*word)
        return fail_field(err, STATUS_INVALID, "sql", "there is no statement in it");
    return fail_field(err, STATUS_INVALID, "sql", "it begins with '%.*s'; only what reads can be asked: "
                      "SELECT, WITH, FROM, VALUES, EXPLAIN, DESCRIBE, SHOW, SUMMARIZE", len ? (int)len : 1,
                      word);
}

/* The first value of a result that is a text. */
static void add_first(duckdb_result r, struct buf *out)
{
    auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
    if (!chunk || duckdb_data_chunk_get_size(chunk) == 0)
        return;
    const struct cell_vector v = cell_vector(duckdb_data_chunk_get_vector(chunk, 0));
    if (!cell_is_null(&v, 0))
        buf_add_str(out, cell_text(&v, 0));
}

/* Functions that a SELECT can call and that change the instance. There is nothing in it to be harmed, so
 * this is for a plain answer; the walls are the process's. */
static enum status check_functions(struct sealed *s, const char *sql, struct error *err)
{
    static const char *const changing[] = {
        "enable_logging", "disable_logging", "truncate_duckdb_logs", "write_log", "enable_profiling",
        "disable_profiling", "checkpoint", "force_checkpoint",
        /* What they run is not in the tree. */
        "query", "json_execute_serialized_sql"};
    duckdb_prepared_statement p = NULL;
    auto_buf struct buf tree = {0};
    auto_result duckdb_result r = {0};
    if (duckdb_prepare(s->conn, "select json_serialize_sql($1::varchar)::varchar", &p) == DuckDBSuccess &&
        duckdb_bind_varchar(p, 1, sql) == DuckDBSuccess &&
        duckdb_execute_prepared(p, &r) == DuckDBSuccess)
        add_first(r, &tree);
    duckdb_destroy_prepare(&p);
    for (size_t i = 0; i < ARRAY_LEN(changing); i++) {
        auto_free char *call = xasprintf("\"function_name\":\"%s\"", changing[i]);
        if (strstr(buf_text(&tree), call))
            return fail_field(err, STATUS_INVALID, "sql",
                              "%s() cannot be called here: only what reads can be asked", changing[i]);
    }
    return STATUS_OK;
}

static enum status run(duckdb_prepared_statement p, duckdb_result *ret, struct error *err)
{
    duckdb_statement_type type = duckdb_prepared_statement_type(p);
    if (type != DUCKDB_STATEMENT_TYPE_SELECT && type != DUCKDB_STATEMENT_TYPE_EXPLAIN)
        return fail_field(err, STATUS_INVALID, "sql", "only what reads can be asked: this changes something");
    if (duckdb_nparams(p) > 0)
        return fail_field(err, STATUS_INVALID, "sql", "it has a parameter ($1 or ?), which nothing gives a "
                          "value to");
    if (duckdb_execute_prepared_streaming(p, ret) != DuckDBSuccess)
        return sealed_fail(duckdb_result_error(ret), err);
    return STATUS_OK;
}

enum status sealed_ask(struct sealed *s, const char *sql, duckdb_result *ret, struct error *err)
{
    duckdb_extracted_statements all = NULL;
    duckdb_prepared_statement p = NULL;
    TRY(check_word(sql, err));
    idx_t count = duckdb_extract_statements(s->conn, sql, &all);
    enum status status = STATUS_OK;
    if (count == 0)
        status = sealed_fail(duckdb_extract_statements_error(all), err);
    else if (count > 1)
        status = fail_field(err, STATUS_INVALID, "sql", "one statement at a time; these are %d", (int)count);
    if (status == STATUS_OK)
        status = check_functions(s, sql, err);
    if (status == STATUS_OK &&
        duckdb_prepare_extracted_statement(s->conn, all, 0, &p) != DuckDBSuccess)
        status = sealed_fail(duckdb_prepare_error(p), err);
    if (status == STATUS_OK)
        status = run(p, ret, err);
    duckdb_destroy_prepare(&p);
    duckdb_destroy_extracted(&all);
    return status;
}
