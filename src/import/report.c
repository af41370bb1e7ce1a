#include "import/report.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "store/cursor.h"

#include "base/banned.h"

enum { REPORT_BYTES_MAX = 64 * 1024 };

static const char *const state_names[IMPORT_STATE_COUNT] = {
#define X(name, text) [IMPORT_##name] = text,
    IMPORT_STATES(X)
#undef X
};

const char *import_state_name(enum import_state s)
{
    return state_names[s];
}

static const struct {
    bool is_skip;
    const char *text;
} reasons[WHY_COUNT] = {
#define X(name, is_skip, text) [WHY_##name] = {is_skip, text},
    IMPORT_REASONS(X)
#undef X
};

void report_init(struct import_report *r)
{
    *r = (struct import_report){.from_us = TIME_NONE, .to_us = TIME_NONE,
                                .started_us = TIME_NONE, .ended_us = TIME_NONE};
}

static void add_reason(struct import_reason *list, size_t *count, const char *reason,
                       const char *sample, int64_t n)
{
    size_t i = 0;
    while (i < *count && !streq(list[i].reason, reason))
        i++;
    if (i == IMPORT_REASONS_MAX)
        return;
    if (i == *count) {
        list[i] = (struct import_reason){0};
        snprintf(list[i].reason, sizeof list[i].reason, "%s", reason);
        snprintf(list[i].sample, sizeof list[i].sample, "%s", sample);
        ++*count;
    }
    list[i].count += n;
}

void report_add(struct import_report *r, const struct import_chunk *c)
{
    r->rows_read += c->rows_read;
    r->rows_added += (int64_t)c->row_count;
    r->rows_skipped += c->rows_read - (int64_t)c->row_count;
    for (size_t i = 0; i < WHY_COUNT; i++) {
        const struct import_why_count *w = &c->why[i];
        if (w->count && reasons[i].is_skip)
            add_reason(r->skips, &r->skip_count, reasons[i].text, w->sample, w->count);
        else if (w->count)
            add_reason(r->notes, &r->note_count, reasons[i].text, w->sample, w->count);
    }
}

/* --- in the store ------------------------------------------------------------------------------ */

static void write_reasons(struct json_writer *w, const char *key, const struct import_reason *list,
                          size_t count)
{
    jw_kv_array(w, key);
    for (size_t i = 0; i < count; i++) {
        jw_object(w);
        jw_kv_text(w, "reason", list[i].reason);
        jw_kv_int(w, "count", list[i].count);
        jw_kv_text(w, "sample", list[i].sample);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void read_reasons(const json_t *list, struct import_reason *ret, size_t *ret_count)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        add_reason(ret, ret_count, jstr(one, "reason"), jstr(one, "sample"), jint(one, "count", 0));
}

enum status report_save(struct store_conn *c, const struct import_report *r, int32_t server,
                        int64_t position, struct error *err)
{
    auto_buf struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "rows_total", r->rows_total);
    jw_kv_int(&w, "people", r->people);
    jw_kv_int(&w, "titles", r->titles);
    jw_kv_int(&w, "from_us", r->from_us);
    jw_kv_int(&w, "to_us", r->to_us);
    jw_kv_text(&w, "error", r->error);
    write_reasons(&w, "skips", r->skips, r->skip_count);
    write_reasons(&w, "notes", r->notes, r->note_count);
    jw_object_end(&w);
    struct store_value v[] = {{.kind = SV_INT, .i = r->import_id},
                              {.kind = SV_INT, .i = r->rows_read},
                              {.kind = SV_INT, .i = r->rows_added},
                              {.kind = SV_INT, .i = r->rows_skipped},
                              {.kind = server ? SV_INT : SV_NULL, .i = server},
                              {.kind = SV_INT, .i = position},
                              {.kind = SV_TEXT, .s = buf_str(&out)}};
    auto_result duckdb_result result = {0};
    return store_query(c, "update import set rows_read = $2, rows_added = $3, rows_skipped = $4,"
                          " server_id = $5, position = $6, report = $7 where import_id = $1",
                       v, ARRAY_LEN(v), &result, err);
}

static void copy_text(char *dst, size_t size, struct str s)
{
    snprintf(dst, size, "%.*s", (int)s.len, s.ptr);
}

#define REPORT_COLUMNS                                                                            \
    "select i.import_id, i.source, i.file, i.started_at, i.ended_at, i.state, i.rows_read,"       \
    " i.rows_added, i.rows_skipped, i.server_id, i.position, i.report::varchar, s.key"            \
    " from import i left join server s using (server_id)"

static enum status read_row(const struct cursor *q, struct import_report *ret, int32_t *ret_server,
                            int64_t *ret_position, struct error *err)
{
    report_init(ret);
    ret->import_id = cursor_int(q, 0, 0);
    copy_text(ret->source, sizeof ret->source, cursor_text(q, 1));
    copy_text(ret->file, sizeof ret->file, cursor_text(q, 2));
    ret->started_us = cursor_int(q, 3, TIME_NONE);
    ret->ended_us = cursor_int(q, 4, TIME_NONE);
    struct str state = cursor_text(q, 5);
    ret->state = IMPORT_FAILED;
    for (int i = 0; i < IMPORT_STATE_COUNT; i++)
        if (str_eq(state, str_of(state_names[i])))
            ret->state = (enum import_state)i;
    ret->rows_read = cursor_int(q, 6, 0);
    ret->rows_added = cursor_int(q, 7, 0);
    ret->rows_skipped = cursor_int(q, 8, 0);
    *ret_server = (int32_t)cursor_int(q, 9, 0);
    *ret_position = cursor_int(q, 10, INT64_MIN);
    copy_text(ret->server, sizeof ret->server, cursor_text(q, 12));
    struct str text = cursor_text(q, 11);
    if (!text.len)
        return STATUS_OK;
    auto_json json_t *j = NULL;
    TRY(json_parse(text, REPORT_BYTES_MAX, 8, &j, err));
    ret->rows_total = jint(j, "rows_total", 0);
    ret->people = jint(j, "people", 0);
    ret->titles = jint(j, "titles", 0);
    ret->from_us = jint(j, "from_us", TIME_NONE);
    ret->to_us = jint(j, "to_us", TIME_NONE);
    snprintf(ret->error, sizeof ret->error, "%s", jstr(j, "error"));
    read_reasons(jget(j, "skips"), ret->skips, &ret->skip_count);
    read_reasons(jget(j, "notes"), ret->notes, &ret->note_count);
    return STATUS_OK;
}

enum status report_load(struct store_conn *c, int64_t id, struct import_report *ret,
                        int32_t *ret_server, int64_t *ret_position, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = id}};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, REPORT_COLUMNS " where i.import_id = $1", v, 1, &q, err));
    if (!cursor_next(&q))
        return fail(err, STATUS_NOT_FOUND, "there is no import %lld", (long long)id);
    return read_row(&q, ret, ret_server, ret_position, err);
}

enum status import_get(struct store_conn *c, int64_t id, struct import_report *ret,
                       struct error *err)
{
    int32_t server;
    int64_t position;
    return report_load(c, id, ret, &server, &position, err);
}

enum status imports_list(struct store_conn *c, size_t most, struct import_report **ret,
                         size_t *ret_count, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = (int64_t)most}};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, REPORT_COLUMNS " order by i.import_id desc limit $1", v, 1, &q, err));
    auto_free struct import_report *list = xcalloc(most ? most : 1, sizeof *list);
    size_t n = 0;
    while (n < most && cursor_next(&q)) {
        int32_t server;
        int64_t position;
        TRY(read_row(&q, &list[n++], &server, &position, err));
    }
    *ret = steal_ptr(&list);
    *ret_count = n;
    return STATUS_OK;
}

enum status imports_unfinished(struct store_conn *c, int64_t **ret_ids, size_t *ret_count,
                               struct error *err)
{
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, "select import_id from import where state in ('counting', 'running')"
                       " order by import_id", NULL, 0, &q, err));
    int64_t *ids = NULL;
    size_t n = 0;
    while (cursor_next(&q)) {
        ids = xreallocarray(ids, n + 1, sizeof *ids);
        ids[n++] = cursor_int(&q, 0, 0);
    }
    *ret_ids = ids;
    *ret_count = n;
    return STATUS_OK;
}

/* --- for the API ------------------------------------------------------------------------------- */

static int64_t percent(const struct import_report *r)
{
    if (r->state == IMPORT_DONE || r->state == IMPORT_UNDONE)
        return 100;
    int64_t p = r->rows_total > 0 ? r->rows_read * 100 / r->rows_total : 0;
    return p > 99 ? 99 : p;
}

void import_report_write(struct json_writer *w, const struct import_report *r)
{
    jw_object(w);
    jw_kv_int(w, "id", r->import_id);
    jw_kv_text(w, "source", r->source);
    jw_kv_text(w, "file", r->file);
    jw_kv_text(w, "server", *r->server ? r->server : NULL);
    jw_kv_text(w, "state", import_state_name(r->state));
    jw_kv_bool(w, "is_dry_run", r->is_dry_run);
    jw_kv_int(w, "rows_total", r->rows_total);
    jw_kv_int(w, "rows_read", r->rows_read);
    jw_kv_int(w, "rows_added", r->rows_added);
    jw_kv_int(w, "rows_skipped", r->rows_skipped);
    jw_kv_int(w, "percent", percent(r));
    jw_kv_time(w, "started_at", r->started_us);
    jw_kv_time(w, "ended_at", r->ended_us);
    jw_kv_text(w, "error", *r->error ? r->error : NULL);
    write_reasons(w, "skips", r->skips, r->skip_count);
    write_reasons(w, "notes", r->notes, r->note_count);
    jw_kv_int(w, "people", r->people);
    jw_kv_int(w, "titles", r->titles);
    jw_kv_time(w, "from", r->from_us);
    jw_kv_time(w, "to", r->to_us);
    jw_object_end(w);
}
