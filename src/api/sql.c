/* People's own SQL: what there is to ask, and a question with its answer. */
#include "sql/sql.h"

#include "api/request.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "sql/tables.h"

#include "base/banned.h"

enum { NOTED_BYTES = 160 };

/* --- what there is ----------------------------------------------------------------------------- */

static void write_table(struct json_writer *w, const struct sql_table *t)
{
    jw_object(w);
    jw_kv_text(w, "name", t->name);
    jw_kv_text(w, "about", t->about);
    jw_kv_array(w, "columns");
    for (size_t i = 0; i < t->column_count; i++) {
        jw_object(w);
        jw_kv_text(w, "name", t->columns[i].name);
        jw_kv_text(w, "type", t->columns[i].type);
        jw_kv_text(w, "about", t->columns[i].about);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

void handle_sql_tables(struct request *r)
{
    const struct config *c = r->api->config.config;
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "tables");
    for (size_t i = 0; i < sql_table_count; i++)
        write_table(&w, &sql_tables[i]);
    jw_array_end(&w);
    jw_kv_array(&w, "examples");
    for (size_t i = 0; i < sql_example_count; i++) {
        jw_object(&w);
        jw_kv_text(&w, "title", sql_examples[i].title);
        jw_kv_text(&w, "sql", sql_examples[i].sql);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_kv_text(&w, "tz", c->time_zone);
    jw_kv_int(&w, "most_rows", c->sql_max_rows);
    jw_kv_int(&w, "most_seconds", c->query_timeout / US_PER_S);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

/* --- a question -------------------------------------------------------------------------------- */

struct form {
    const char *name, *type, *file; /* file NULL: it is no download */
    enum sql_format format;
};
static const struct form forms[] = {
    {"json", "application/json; charset=utf-8", NULL, SQL_JSON},
    {"csv", "text/csv; charset=utf-8", "answer.csv", SQL_CSV},
    {"ndjson", "application/x-ndjson; charset=utf-8", "answer.ndjson", SQL_NDJSON},
};

struct reading {
    const struct form *form;
    enum status status;
    struct error err;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct reading *g = ctx;
    bool is_format = streq(name, "format");
    g->form = NULL;
    for (size_t i = 0; is_format && i < ARRAY_LEN(forms); i++)
        if (streq(value, forms[i].name))
            g->form = &forms[i];
    if (!is_format)
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    else if (!g->form)
        g->status = fail_field(&g->err, STATUS_INVALID, name,
                               "'%.60s' in format is not right; it must be json, csv or ndjson", value);
    return g->status == STATUS_OK;
}

static enum status read_question(const struct request *r, struct sql_question *ret, struct error *err)
{
    const json_t *sql = jget(r->body, "sql"), *limit = jget(r->body, "limit");
    if (json_string_length(sql) == 0)
        return fail_field(err, STATUS_INVALID, "sql", "the question is missing: a text, such as "
                          "select count(*) from play");
    if (json_string_length(sql) > SQL_TEXT_MAX)
        return fail_field(err, STATUS_TOO_LARGE, "sql", "it has %zu bytes; at most %d are possible",
                          json_string_length(sql), SQL_TEXT_MAX);
    ret->most_rows = json_integer_value(limit);
    if (json_is_integer(limit) && ret->most_rows < 1)
        return fail_field(err, STATUS_INVALID, "limit",
                          "must be a whole number from 1 to %lld (SQL_MAX_ROWS)",
                          (long long)r->api->config.config->sql_max_rows);
    ret->sql = json_string_value(sql);
    return STATUS_OK;
}

static bool is_gone(void *ctx)
{
    return http_is_gone(((struct request *)ctx)->x);
}

static void answered(void *ctx, const struct sql_answer *a)
{
    struct request *r = ctx;
    const struct form *form = http_user(r->x);
    if (a->status != STATUS_OK) {
        request_fail(r, &a->error);
        return;
    }
    struct http_exchange *x = r->x;
    if (form->file)
        request_add_attachment(r, form->file);
    request_release_no_store(r, 200);
    http_reply_fd(x, 200, form->type, a->fd, (uint64_t)a->bytes);
}

static enum status ask(struct request *r, struct error *err)
{
    struct reading g = {.form = &forms[0]};
    struct sql_question q = {.ctx = r, .is_gone = is_gone, .done = answered};
    http_query_each(r->x, read_parameter, &g);
    if (g.status != STATUS_OK) {
        *err = g.err;
        return g.status;
    }
    TRY(read_question(r, &q, err));
    request_note(r, "%.*s", NOTED_BYTES, q.sql);
    q.format = g.form->format;
    http_set_user(r->x, (void *)(uintptr_t)g.form, NULL);
    http_keep(r->x);
    return sql_ask(r->api->sql, &q, err);
}

void handle_sql(struct request *r)
{
    struct error err = {0};
    r->is_download = true; /* whatever its form: rows are taken out */
    enum status s = ask(r, &err);
    if (s == STATUS_OK)
        return; /* r may be gone already */
    if (s == STATUS_UNAVAILABLE)
        request_retry_after(r, 2);
    request_fail(r, &err);
}
