#include "ingest/views.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

void views_add(struct views *v, json_t *record)
{
    *GROW(v->records, v->count, v->room) = record;
}

void views_forget(struct views *v)
{
    while (v->count)
        json_decref(v->records[--v->count]);
}

void views_done(struct views *v)
{
    views_forget(v);
    free(v->records);
}

static bool is_view(const json_t *view)
{
    char scratch[32];
    const char *source_id = jtext(view, "source_id", scratch);
    return source_id && *source_id && is_time(jint(view, "at_us", TIME_NONE)) &&
           *jstr(view, "media_type");
}

/* Puts the views into temp.view_stage, by their record and their place in it. */
static enum status stage(const struct views *v, struct writer *w, struct error *err)
{
    TRY(store_exec(w->conn, "create or replace temp table view_stage (record integer, place integer,"
                            " server_id integer, source_id varchar)", err));
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(w->conn, "temp", "view_stage", &a, err));
    for (size_t r = 0; r < v->count; r++) {
        int32_t server;
        size_t i;
        json_t *view;
        TRY(dims_server(w->dims, w->conn, jstr(v->records[r], "server"), &server, err));
        json_array_foreach(jget(v->records[r], "views"), i, view) {
            char scratch[32];
            if (!is_view(view))
                continue;
            append_int(a, (int64_t)r);
            append_int(a, (int64_t)i);
            append_id(a, server);
            append_text(a, jtext(view, "source_id", scratch));
            TRY(append_row(a, err));
        }
    }
    return append_close(a, err);
}

static enum status apply_view(struct writer *w, const char *server_key, int32_t server,
                              const json_t *view, duckdb_appender out, struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation item;
    observation_read_facts(view, &a, &item);
    item.server = server_key;
    struct fact_ids ids = {.server = server};
    if (*item.account_key)
        TRY(dims_account(w->dims, w->conn, server, item.account_key, item.account_name,
                         item.account_email, &ids.account, err));
    TRY(dims_title(w->dims, w->conn, &item, &ids.title, err));
    if (*item.library_key)
        TRY(dims_library(w->dims, w->conn, server, item.library_key, item.library_name,
                         &ids.library, err));
    char scratch[32];
    int64_t at_us = jint(view, "at_us", 0), ended_us = jint(view, "ended_us", TIME_NONE);
    append_int(out, w->next_input++);
    append_id(out, server);
    append_text(out, jtext(view, "source_id", scratch));
    append_id(out, ids.account);
    append_id(out, ids.title);
    append_id(out, ids.library);
    append_time(out, at_us);
    append_time(out, is_time(ended_us) && ended_us >= at_us ? ended_us : TIME_NONE);
    writer_touch(w, &ids);
    return append_row(out, err);
}

static enum status apply(const struct views *v, struct writer *w, struct error *err)
{
    TRY(stage(v, w, err));
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(w->conn,
                    "select record, place, server_id from temp.view_stage s where not exists"
                    " (select 1 from view_in v where v.server_id = s.server_id"
                    " and v.source_id = s.source_id) qualify row_number() over"
                    " (partition by server_id, source_id order by record, place) = 1"
                    " order by record, place", NULL, 0, &r, err));
    auto_appender duckdb_appender out = NULL;
    TRY(append_open(w->conn, NULL, "view_in", &out, err));
    while (cursor_next(&r)) {
        const json_t *record = v->records[cursor_int(&r, 0, 0)];
        const json_t *view = json_array_get(jget(record, "views"), (size_t)cursor_int(&r, 1, 0));
        TRY(apply_view(w, jstr(record, "server"), (int32_t)cursor_int(&r, 2, 0), view, out, err));
    }
    return append_close(out, err);
}

enum status views_apply(struct views *v, struct writer *w, struct error *err)
{
    if (!v->count)
        return STATUS_OK;
    dims_bulk_begin(w->dims);
    enum status s = apply(v, w, err);
    if (s == STATUS_OK)
        s = dims_bulk_end(w->dims, err);
    else
        dims_bulk_drop(w->dims);
    views_forget(v);
    return s;
}
