#include "ingest/decide.h"

#include <inttypes.h>

#include "base/clock.h"
#include "store/cursor.h"

#include "base/banned.h"

struct wish {
    int64_t play_id;
    bool is_deleted;
    const char *who;
    const struct knobs *knobs;
};

/* An input is decided on where the newest decision on it says otherwise. */
static const char decide_sql[] =
    "insert into decision select (select coalesce(max(decision_id), 0) from decision)"
    " + row_number() over (order by id), $2, $3, $4, id, null"
    " from (select $1 as id union select segment_id from segment where play_id = $1)"
    " where coalesce((select arg_max(kind, decision_id) from decision"
    "  where subject = id and kind in ('delete_play', 'restore_play')), 'restore_play') <> $4";

static enum status read_key(struct store_conn *c, int64_t play_id, struct derive_key *ret,
                            struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = play_id}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select server_id, account_id, title_id from play where play_id = $1", v, 1,
                    &r, err));
    if (!cursor_next(&r))
        return fail_field(err, STATUS_NOT_FOUND, "id", "there is no play %" PRId64, play_id);
    *ret = (struct derive_key){(int32_t)cursor_int(&r, 0, 0), (int32_t)cursor_int(&r, 1, 0),
                               (int32_t)cursor_int(&r, 2, 0)};
    return STATUS_OK;
}

static enum status decide(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    const struct wish *w = ctx;
    struct derive_key key;
    (void)d;
    TRY(read_key(c, w->play_id, &key, err));
    struct store_value v[] = {
        {.kind = SV_INT, .i = w->play_id},
        {.kind = SV_TIME, .i = clock_now_us()},
        {.kind = SV_TEXT, .s = str_of(w->who)},
        {.kind = SV_TEXT, .s = str_of(w->is_deleted ? "delete_play" : "restore_play")}};
    auto_result duckdb_result r = {0};
    TRY(store_query(c, decide_sql, v, ARRAY_LEN(v), &r, err));
    return derive_keys(c, &key, 1, w->knobs, err);
}

enum status decide_deleted(struct ingest *i, int64_t play_id, bool is_deleted, const char *who,
                           struct error *err)
{
    struct wish w = {play_id, is_deleted, who, ingest_knobs(i)};
    return ingest_run(i, decide, &w, err);
}

/* --- a whole server -------------------------------------------------------------------------- */

struct server_wish {
    const char *key, *who;
    int64_t count;
};

static const char decide_server_sql[] =
    "insert into decision select (select coalesce(max(decision_id), 0) from decision)"
    " + row_number() over (order by id), $2, $3, 'delete_play', id, null"
    " from (select play_id as id from play join server using (server_id) where key = $1"
    "       union select segment_id from segment where play_id in"
    "        (select play_id from play join server using (server_id) where key = $1))"
    " where id not in (select subject from decision where kind in ('delete_play', 'restore_play')"
    "                  group by subject having arg_max(kind, decision_id) = 'delete_play')";

static enum status decide_server(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    struct server_wish *w = ctx;
    (void)d;
    struct store_value v[] = {{.kind = SV_TEXT, .s = str_of(w->key)},
                              {.kind = SV_TIME, .i = clock_now_us()},
                              {.kind = SV_TEXT, .s = str_of(w->who)}};
    TRY(store_query_int(c, "select count(*) from play join server using (server_id) where key = $1"
                           " and not is_hidden", v, 1, 0, &w->count, err));
    auto_result duckdb_result r = {0};
    return store_query(c, decide_server_sql, v, ARRAY_LEN(v), &r, err);
}

enum status decide_server_deleted(struct ingest *i, const char *key, const char *who, int64_t *ret_count,
                                  struct error *err)
{
    struct server_wish w = {.key = key, .who = who};
    TRY(ingest_run(i, decide_server, &w, err));
    *ret_count = w.count;
    return w.count ? ingest_rederive(i, NULL, err) : STATUS_OK;
}
