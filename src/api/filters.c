/* What can be filtered on: the values that the asker's plays have. */
#include "api/request.h"

#include "base/mem.h"
#include "store/cursor.h"
#include "store/rows.h"

#include "base/banned.h"

/*
 * One list: its columns, where they are, and which of the asker's facts point there. An
 * administrator sees all rows of the small table; others those that their own plays have.
 */
struct choice {
    const char *name;
    const char *columns; /* of a row; with one column only the list is of plain values */
    const char *from;
    const char *where; /* "" or a condition */
    const char *key, *facts;
    const char *order;
};

static const struct choice choices[] = {
    {"people", "person_id as id, name", "person",
     "person_id in (select person_id from account)", "person_id", "filtered_play",
     "lower(strip_accents(name)), person_id"},
    {"servers", "server_id as id, coalesce(name, key) as name, kind", "server", "", "server_id",
     "filtered_play", "server_id"},
    {"libraries", "library_id as id, coalesce(name, key) as name, server_id", "library", "",
     "library_id", "filtered_play", "lower(strip_accents(name)), library_id"},
    {"media_types", "distinct media_type", "title",
     "media_type in ('movie', 'episode', 'track', 'live')", "title_id", "filtered_play",
     "media_type"},
    {"platforms", "distinct platform", "device", "platform is not null", "device_id",
     "filtered_segment", "platform"},
    {"transcode_decisions", "distinct transcode_decision", "quality",
     "transcode_decision is not null", "quality_id", "filtered_segment", "transcode_decision"},
    {"video_resolutions", "distinct video_resolution", "quality", "video_resolution is not null",
     "quality_id", "filtered_segment", "video_resolution"},
    {"countries", "distinct coalesce(country, country_code) as country",
     "place join address using (place_id)", "coalesce(country, country_code) is not null",
     "address_id", "filtered_segment", "country"},
};

static enum status run_choice(struct request *r, const struct filter *f, bool sees_all,
                              const struct choice *k, duckdb_result *ret, struct error *err)
{
    auto_buf struct buf sql = {0};
    if (!sees_all) {
        buf_puts(&sql, "with ");
        filter_sql(f, &sql);
    }
    buf_printf(&sql, "\nselect %s from %s where true%s%s", k->columns, k->from,
               *k->where ? " and " : "", k->where);
    if (!sees_all)
        buf_printf(&sql, " and %s in (select %s from %s)", k->key, k->key, k->facts);
    buf_printf(&sql, " order by %s limit 10000", k->order);
    size_t count;
    const struct store_named *values = filter_values(f, &count);
    return store_query_named(r->conn, buf_text(&sql), values, count, ret, err);
}

static void write_texts(duckdb_result result, struct json_writer *w)
{
    struct cursor c = {.result = result};
    while (cursor_next(&c))
        jw_str(w, cursor_text(&c, 0));
    duckdb_destroy_data_chunk(&c.chunk);
}

static enum status write_choice(struct request *r, const struct filter *f, bool sees_all,
                                const struct choice *k, struct json_writer *w, struct error *err)
{
    auto_result duckdb_result result = {0};
    TRY(run_choice(r, f, sees_all, k, &result, err));
    jw_kv_array(w, k->name);
    if (duckdb_column_count(&result) == 1) {
        write_texts(result, w);
    } else {
        auto_rows struct rows rows = {0};
        TRY(rows_begin(&rows, result, ROWS_JSON, err));
        while (rows_next(&rows, w->out)) {
        }
    }
    jw_array_end(w);
    return STATUS_OK;
}

void handle_filters(struct request *r)
{
    struct filter_config config = request_filter_config(r);
    auto_filter struct filter *f = filter_new(&config);
    struct error err = {0};
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    enum status s = filter_finish(f, r->conn, &err);
    for (size_t i = 0; i < ARRAY_LEN(choices) && s == STATUS_OK; i++)
        s = write_choice(r, f, config.sees_all, &choices[i], &w, &err);
    if (s != STATUS_OK) {
        buf_done(&out);
        request_fail(r, &err);
        return;
    }
    jw_object_end(&w);
    request_reply(r, 200, &out);
}
