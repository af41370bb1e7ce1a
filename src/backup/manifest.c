#include "backup/manifest.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "store/migrations.h"

#include "base/banned.h"

enum { FORMAT = 1, DEPTH_MAX = 6, TABLES_MAX = 512 };
static const char PROGRAM[] = "cartographus";

static const struct {
    const char *name;
    bool is_needed;
} known[] = {
    {BACKUP_STORE, true}, {BACKUP_ACCOUNTS, true}, {BACKUP_LOG, true},
    {BACKUP_CLIENT_ID, false}, {BACKUP_ALIVE, false},
};
_Static_assert(ARRAY_LEN(known) == MANIFEST_FILES_MAX, "every file has room");

const char *const backup_left_out[] = {
    "passwords and logins: accounts are kept, everybody logs in anew; the administrator's password"
    " is ADMIN_PASSWORD",
    "JWT_SECRET and all other options, whether from the environment or from a file",
    "tokens of the media servers, and the key that they are sealed with: servers that were added on the"
    " page are kept and ask for theirs",
    "API tokens: make new ones",
};
const size_t backup_left_out_count = ARRAY_LEN(backup_left_out);

void manifest_done(struct manifest *m)
{
    store_summary_done(&m->store);
    *m = (struct manifest){0};
}

const char *manifest_known_file(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(name, str_of(known[i].name)))
            return known[i].name;
    return NULL;
}

const struct manifest_file *manifest_file(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->file_count; i++)
        if (streq(m->files[i].name, name))
            return &m->files[i];
    return NULL;
}

int64_t manifest_bytes(const struct manifest *m)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < m->file_count; i++)
        bytes += m->files[i].bytes;
    return bytes;
}

int64_t manifest_rows(const struct manifest *m, const char *table)
{
    for (size_t i = 0; i < m->store.table_count; i++)
        if (streq(m->store.tables[i].name, table))
            return m->store.tables[i].rows;
    return -1;
}

/* --- writing ----------------------------------------------------------------------------------- */

void manifest_write(const struct manifest *m, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_text(&w, "program", PROGRAM);
    jw_kv_int(&w, "format", FORMAT);
    jw_kv_text(&w, "version", m->version);
    jw_kv_text(&w, "engine", m->engine);
    jw_kv_int(&w, "schema", m->store.schema);
    jw_kv_time(&w, "made_at", m->made_us);
    jw_kv_int(&w, "log_position", m->store.position);
    jw_kv_bool(&w, "is_demo", m->is_demo);
    jw_kv_array(&w, "files");
    for (size_t i = 0; i < m->file_count; i++) {
        jw_object(&w);
        jw_kv_text(&w, "name", m->files[i].name);
        jw_kv_int(&w, "bytes", m->files[i].bytes);
        jw_kv_text(&w, "sha256", m->files[i].sha256);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_kv_array(&w, "tables");
    for (size_t i = 0; i < m->store.table_count; i++) {
        jw_object(&w);
        jw_kv_text(&w, "name", m->store.tables[i].name);
        jw_kv_int(&w, "rows", m->store.tables[i].rows);
        jw_kv_text(&w, "sum", m->store.tables[i].sum);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_kv_array(&w, "left_out");
    for (size_t i = 0; i < backup_left_out_count; i++)
        jw_text(&w, backup_left_out[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    buf_putc(out, '\n');
}

/* --- reading ----------------------------------------------------------------------------------- */

static enum status wrong(struct error *err, const char *what)
{
    return fail(err, STATUS_INVALID, "its " MANIFEST_NAME " is wrong: %s", what);
}

static bool is_made_of(const char *text, const char *chars, size_t least, size_t most)
{
    size_t n = strlen(text);
    return n >= least && n <= most && strspn(text, chars) == n;
}

static enum status read_file(const json_t *one, struct manifest *m, struct error *err)
{
    const char *name = manifest_known_file(str_of(jstr(one, "name")));
    struct manifest_file f = {.name = name, .bytes = jint(one, "bytes", -1)};
    const char *sum = jstr(one, "sha256");
    if (!name || manifest_file(m, name))
        return fail(err, STATUS_INVALID, "its " MANIFEST_NAME " names '%.60s', which no backup has"
                    " in it", jstr(one, "name"));
    if (f.bytes < 0 || !is_made_of(sum, "0123456789abcdef", sizeof f.sha256 - 1, sizeof f.sha256 - 1))
        return wrong(err, "a file without size or sum");
    memcpy(f.sha256, sum, sizeof f.sha256);
    m->files[m->file_count++] = f;
    return STATUS_OK;
}

static enum status read_files(const json_t *list, struct manifest *m, struct error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        TRY(read_file(one, m, err));
    for (i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].is_needed && !manifest_file(m, known[i].name))
            return fail(err, STATUS_INVALID, "its " MANIFEST_NAME " names no %s", known[i].name);
    int64_t bytes = 0;
    for (i = 0; i < m->file_count; i++)
        if (__builtin_add_overflow(bytes, m->files[i].bytes, &bytes))
            return wrong(err, "sizes beyond all bounds");
    return STATUS_OK;
}

static enum status read_tables(const json_t *list, struct manifest *m, struct error *err)
{
    size_t count = json_array_size(list), i;
    if (!count || count > TABLES_MAX)
        return wrong(err, "no list of tables");
    m->store.tables = xcalloc(count, sizeof *m->store.tables);
    json_t *one;
    json_array_foreach(list, i, one) {
        struct store_table *t = &m->store.tables[m->store.table_count++];
        const char *name = jstr(one, "name"), *sum = jstr(one, "sum");
        t->rows = jint(one, "rows", -1);
        if (t->rows < 0 || !*name || strlen(name) >= sizeof t->name ||
            !is_made_of(sum, "0123456789", 1, sizeof t->sum - 1))
            return wrong(err, "a table without name, rows or sum");
        snprintf(t->name, sizeof t->name, "%s", name);
        snprintf(t->sum, sizeof t->sum, "%s", sum);
    }
    return STATUS_OK;
}

static enum status read_all(const json_t *root, struct manifest *m, struct error *err)
{
    int64_t format = jint(root, "format", 0);
    if (!streq(jstr(root, "program"), PROGRAM) || format < 1)
        return fail(err, STATUS_INVALID, "its " MANIFEST_NAME " is not of Cartographus");
    snprintf(m->version, sizeof m->version, "%s", jstr(root, "version"));
    snprintf(m->engine, sizeof m->engine, "%s", jstr(root, "engine"));
    m->store.schema = jint(root, "schema", 0);
    m->store.position = jint(root, "log_position", -1);
    m->is_demo = jbool(root, "is_demo") == 1;
    if (format > FORMAT || m->store.schema > migration_count)
        return fail(err, STATUS_CONFLICT, "it was made by the newer version %s (format %" PRId64
                    ", schema %" PRId64 "); this program knows up to format %d, schema %u: take"
                    " that version or a newer one", m->version, format, m->store.schema, FORMAT,
                    migration_count);
    if (m->store.schema < 1 || m->store.position < 0 ||
        !time_parse(str_of(jstr(root, "made_at")), &m->made_us))
        return wrong(err, "schema, log_position or made_at is missing");
    TRY(read_files(jget(root, "files"), m, err));
    return read_tables(jget(root, "tables"), m, err);
}

enum status manifest_read(struct str text, struct manifest *ret, struct error *err)
{
    auto_json json_t *root = NULL;
    struct error why;
    if (json_parse(text, MANIFEST_BYTES_MAX, DEPTH_MAX, &root, &why) != STATUS_OK)
        return fail(err, STATUS_INVALID, "its " MANIFEST_NAME " cannot be read: %.200s", why.text);
    *ret = (struct manifest){0};
    enum status s = read_all(root, ret, err);
    if (s != STATUS_OK)
        manifest_done(ret);
    return s;
}
