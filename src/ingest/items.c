#include "ingest/items.h"

#include "base/mem.h"
#include "store/append.h"

#include "base/banned.h"

void items_add(struct items *v, json_t *record)
{
    *GROW(v->records, v->count, v->room) = record;
}

void items_forget(struct items *v)
{
    while (v->count)
        json_decref(v->records[--v->count]);
}

void items_done(struct items *v)
{
    items_forget(v);
    free(v->records);
}

/* One row an item, as it was told last. */
static const char stage_sql[] =
    "create or replace temp table item_stage (place integer, server_id integer, key varchar,"
    " title_id integer, library_id integer, file_key varchar, added_at timestamp, pass_at timestamp,"
    " size_bytes bigint, duration_ms bigint, container varchar, video_codec varchar,"
    " video_resolution varchar, video_dynamic_range varchar, audio_codec varchar,"
    " bitrate_kbps integer)";

static enum status stage_item(struct writer *w, const char *server_key, int32_t server,
                              int32_t library, int64_t pass_us, int64_t place, const json_t *json,
                              duckdb_appender out, struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation item;
    observation_read_facts(json, &a, &item);
    item.server = server_key;
    if (!*item.item_key || !*item.media_type)
        return STATUS_OK;
    int32_t title;
    TRY(dims_title(w->dims, w->conn, &item, &title, err));
    int64_t added_us = jint(json, "added_us", TIME_NONE);
    append_int(out, place);
    append_id(out, server);
    append_text(out, item.item_key);
    append_id(out, title);
    append_id(out, library);
    append_text(out, jstr(json, "file_key"));
    append_time(out, is_time(added_us) ? added_us : TIME_NONE);
    append_time(out, pass_us);
    append_known(out, jint(json, "size_bytes", -1));
    append_known(out, item.duration_ms);
    append_text(out, item.container);
    append_text(out, item.video_codec);
    append_text(out, item.video_resolution);
    append_text(out, item.video_dynamic_range);
    append_text(out, item.audio_codec);
    append_known32(out, item.bitrate_kbps);
    return append_row(out, err);
}

static enum status stage(const struct items *v, struct writer *w, struct error *err)
{
    TRY(store_exec(w->conn, stage_sql, err));
    auto_appender duckdb_appender out = NULL;
    TRY(append_open(w->conn, "temp", "item_stage", &out, err));
    int64_t place = 0;
    for (size_t r = 0; r < v->count; r++) {
        const json_t *record = v->records[r];
        const char *server_key = jstr(record, "server"), *library_key = jstr(record, "library_key");
        int64_t pass_us = jint(record, "pass_us", TIME_NONE);
        int32_t server, library = 0;
        size_t i;
        json_t *item;
        if (!is_time(pass_us))
            continue;
        TRY(dims_server(w->dims, w->conn, server_key, &server, err));
        if (*library_key)
            TRY(dims_library(w->dims, w->conn, server, library_key, "", &library, err));
        json_array_foreach(jget(record, "items"), i, item)
            TRY(stage_item(w, server_key, server, library, pass_us, place++, item, out, err));
    }
    return append_close(out, err);
}

#define FACTS(X, SEPARATOR)                                                                         \
    X(title_id) SEPARATOR X(library_id) SEPARATOR X(file_key) SEPARATOR X(added_at) SEPARATOR       \
    X(size_bytes) SEPARATOR X(duration_ms) SEPARATOR X(container) SEPARATOR X(video_codec)          \
    SEPARATOR X(video_resolution) SEPARATOR X(video_dynamic_range) SEPARATOR X(audio_codec)         \
    SEPARATOR X(bitrate_kbps)

/* Runs a statement; whether any row was changed by it. */
static enum status change(struct writer *w, const char *sql, const struct store_value *v, size_t n,
                          struct error *err)
{
    auto_result duckdb_result r = {0};
    TRY(store_query(w->conn, sql, v, n, &r, err));
    if (duckdb_rows_changed(&r))
        w->has_changes = true;
    return STATUS_OK;
}

static enum status merge(struct writer *w, struct error *err)
{
#define NAME(column) #column
#define SET(column) #column " = s." #column
#define DIFFERS(column) "item." #column " is distinct from s." #column
    static const char last_told[] =
        "create or replace temp table item_told as select * exclude (place),"
        " min(pass_at) over (partition by server_id, key) as first_at from temp.item_stage"
        " qualify row_number() over (partition by server_id, key order by place desc) = 1"
        " order by place";
    /* What is as it was is only seen: most of a whole pass. */
    static const char changed[] =
        "update item set removed_at = null, " FACTS(SET, ", ") " from temp.item_told s"
        " where item.server_id = s.server_id and item.key = s.key and (item.removed_at is not null or "
        FACTS(DIFFERS, " or ") ")";
    static const char seen[] =
        "update item set last_seen = s.pass_at from temp.item_told s"
        " where item.server_id = s.server_id and item.key = s.key";
    static const char added[] =
        "insert into item (server_id, key, first_seen, last_seen, " FACTS(NAME, ", ") ")"
        " select server_id, key, first_at, pass_at, " FACTS(NAME, ", ") " from temp.item_told s"
        " where not exists (select 1 from item i where i.server_id = s.server_id and i.key = s.key)";
#undef NAME
#undef SET
#undef DIFFERS
    TRY(writer_exec(w, last_told, NULL, 0, err));
    TRY(change(w, changed, NULL, 0, err));
    TRY(writer_exec(w, seen, NULL, 0, err));
    return change(w, added, NULL, 0, err);
}

enum status items_apply(struct items *v, struct writer *w, struct error *err)
{
    if (!v->count)
        return STATUS_OK;
    dims_bulk_begin(w->dims);
    enum status s = stage(v, w, err);
    if (s == STATUS_OK)
        s = dims_bulk_end(w->dims, err);
    else
        dims_bulk_drop(w->dims);
    items_forget(v);
    return s == STATUS_OK ? merge(w, err) : s;
}

enum status items_end(struct writer *w, const struct log_record *r, const json_t *record,
                      struct error *err)
{
    int64_t pass_us = jint(record, "pass_us", TIME_NONE);
    const char *library_key = jstr(record, "library_key");
    int32_t server, library = 0;
    if (!is_time(pass_us)) {
        writer_skip(w, r, "a pass over a library needs a time");
        return STATUS_OK;
    }
    TRY(dims_server(w->dims, w->conn, jstr(record, "server"), &server, err));
    if (*library_key)
        TRY(dims_library(w->dims, w->conn, server, library_key, "", &library, err));
    struct store_value v[] = {sv_int(server), sv_time(pass_us), sv_int(library)};
    return change(w, "update item set removed_at = $2 where server_id = $1 and removed_at is null"
                     " and last_seen is distinct from $2 and ($3 = 0 or library_id = $3)", v,
                  ARRAY_LEN(v), err);
}
