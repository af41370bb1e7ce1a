#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "ingest/machine.h"

#include "base/banned.h"

enum { BATCH_MAX = 500, RECORD_BYTES_MAX = 4 * 1024 * 1024, CHECKPOINT_RECORDS = 20000 };
#define CHECKPOINT_US (15 * US_PER_MIN)
#define PROGRESS_WAIT_US (15 * US_PER_S)
#define RETRY_US (2 * US_PER_S)

/* A session that has begun and not ended: its rows in memory, as they are in the store. */
struct session {
    UT_hash_handle hh;
    char *key; /* "server\x1fsession" */
    int64_t segment_id;
    enum session_state state;
    struct fact_ids ids;
    struct arena arena; /* of `last` */
    struct observation last;
    struct state_row *rows;
    int64_t *row_ids;
    char **records; /* the observation that each row began with, as it is in the log */
    size_t count;
    size_t saved;        /* rows that are in the store */
    bool is_saved_stale; /* the last saved one has changed since */
    bool is_dirty;
};

struct ingest {
    struct ingest_config config;
    struct store_conn *conn;
    struct dims *dims;
    struct session *sessions;
    int64_t next_segment, next_row;
    int64_t position, checkpointed, checkpointed_us;
    bool has_changes; /* in this batch: more than mere progress */
    uint64_t skipped;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t applied; /* guarded by lock */
    _Atomic bool is_stopping;
};

/* --- sessions in memory -------------------------------------------------------------------- */

static void session_free(struct session *s)
{
    arena_done(&s->arena);
    for (size_t i = 0; i < s->count; i++)
        free(s->records[i]);
    free(s->records);
    free(s->rows);
    free(s->row_ids);
    free(s->key);
    free(s);
}

static void forget_sessions(struct ingest *in)
{
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next) {
        HASH_DEL(in->sessions, s);
        session_free(s);
    }
}

static struct session *session_find(struct ingest *in, const char *key)
{
    struct session *s = NULL;
    HASH_FIND_STR(in->sessions, key, s);
    return s;
}

static struct session *session_add(struct ingest *in, const char *key, int64_t segment_id)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->key = xstrdup(key);
    s->segment_id = segment_id;
    HASH_ADD_KEYPTR(hh, in->sessions, s->key, strlen(s->key), s);
    return s;
}

static void add_row(struct ingest *in, struct session *s, const struct state_row *row,
                    struct str record)
{
    s->rows = xreallocarray(s->rows, s->count + 1, sizeof *s->rows);
    s->row_ids = xreallocarray(s->row_ids, s->count + 1, sizeof *s->row_ids);
    s->records = xreallocarray(s->records, s->count + 1, sizeof *s->records);
    s->records[s->count] = xstrndup(record.ptr, record.len);
    s->row_ids[s->count] = in->next_row++;
    s->rows[s->count++] = *row;
}

static void keep_last(struct session *s, const struct observation *o)
{
    struct arena fresh = {0};
    struct observation copy;
    observation_copy(&fresh, o, &copy);
    arena_done(&s->arena);
    s->arena = fresh;
    s->last = copy;
}

/* --- applying records ---------------------------------------------------------------------- */

static enum status exec(struct ingest *in, const char *sql, const struct store_value *v, size_t n,
                        struct error *err)
{
    auto_result duckdb_result r = {0};
    return store_query(in->conn, sql, v, n, &r, err);
}

static struct store_value sv_int(int64_t i)
{
    return (struct store_value){.kind = SV_INT, .i = i};
}

static struct store_value sv_known(int64_t i) /* -1 is NULL */
{
    return i == -1 ? (struct store_value){.kind = SV_NULL} : sv_int(i);
}

static struct store_value sv_id(int32_t id) /* 0 is NULL */
{
    return id ? sv_int(id) : (struct store_value){.kind = SV_NULL};
}

static struct store_value sv_time(int64_t us)
{
    return us == TIME_NONE ? (struct store_value){.kind = SV_NULL}
                           : (struct store_value){.kind = SV_TIME, .i = us};
}

static struct store_value sv_text(const char *s)
{
    return *s ? (struct store_value){.kind = SV_TEXT, .s = str_of(s)}
              : (struct store_value){.kind = SV_NULL};
}

static struct store_value sv_flag(int64_t v) /* 1, 0, -1 unknown */
{
    return v == -1 ? (struct store_value){.kind = SV_NULL}
                   : (struct store_value){.kind = SV_BOOL, .i = v};
}

static enum status touch(struct ingest *in, const struct fact_ids *ids, struct error *err)
{
    struct store_value v[] = {sv_int(ids->server), sv_int(ids->account), sv_int(ids->title)};
    in->has_changes = true;
    return exec(in, "insert into touched values ($1, $2, $3)", v, 3, err);
}

static enum status apply_observation(struct ingest *in, const struct log_record *r,
                                     struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation o;
    struct error why;
    if (observation_read(r->payload.ptr, r->payload.len, &a, &o, &why) != STATUS_OK) {
        in->skipped++;
        log_warn("ingest", "a record of the log makes no sense and is left out",
                 LF_INT("position", r->seq), LF_ERROR(&why));
        return STATUS_OK;
    }
    const char *key = arena_printf(&a, "%s\x1f%s", o.server, o.session);
    struct session *s = session_find(in, key);
    enum session_state to = SESSION_NONE;
    if (!session_next(s ? s->state : SESSION_NONE, o.state, &to))
        return STATUS_OK;
    bool is_new = s == NULL;
    bool facts_same = !is_new && observation_same_but_progress(&s->last, &o);
    if (is_new) {
        s = session_add(in, key, in->next_segment++);
        struct state_row first = {.state = o.state,
                                  .first_us = o.observed_us,
                                  .last_us = o.observed_us,
                                  .head_us = o.observed_us,
                                  .moved_us = o.observed_us,
                                  .first_position_ms = o.position_ms,
                                  .last_position_ms = o.position_ms};
        add_row(in, s, &first, r->payload);
    } else {
        struct fold f =
            fold_observation(&s->rows[s->count - 1], &o, facts_same, &in->config.knobs);
        if (s->saved == s->count)
            s->is_saved_stale = true;
        if (f.is_new_row)
            add_row(in, s, &f.next, r->payload);
    }
    s->state = to;
    if (is_new || !facts_same)
        TRY(dims_resolve(in->dims, in->conn, &o, &s->ids, err));
    keep_last(s, &o);
    if (is_new || !facts_same)
        TRY(touch(in, &s->ids, err));
    s->is_dirty = true;
    return STATUS_OK;
}

static enum status apply_coverage(struct ingest *in, const json_t *j, struct error *err)
{
    int32_t server;
    int64_t at = jint(j, "at_us", 0);
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_time(at), sv_text(jstr(j, "state")),
                              sv_text(jstr(j, "why"))};
    TRY(exec(in, "update coverage set ended = $2 where server_id = $1 and ended is null", v, 2, err));
    in->has_changes = true;
    return exec(in, "insert into coverage values ($1, $2, null, $3, $4)", v, 4, err);
}

static enum status apply_accounts(struct ingest *in, const json_t *j, struct error *err)
{
    int32_t server, account;
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(j, "accounts"), i, one) {
        char scratch[32];
        const char *key = jtext(one, "key", scratch);
        if (key && *key)
            TRY(dims_account(in->dims, in->conn, server, key, jstr(one, "name"),
                             jstr(one, "email"), &account, err));
    }
    return STATUS_OK;
}

static enum status apply_libraries(struct ingest *in, const json_t *j, struct error *err)
{
    int32_t server, library;
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(j, "libraries"), i, one) {
        char scratch[32];
        const char *key = jtext(one, "key", scratch);
        if (key && *key)
            TRY(dims_library(in->dims, in->conn, server, key, jstr(one, "name"), &library, err));
    }
    return STATUS_OK;
}

static enum status apply_server(struct ingest *in, const json_t *j, struct error *err)
{
    int32_t server;
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_text(jstr(j, "kind")), sv_text(jstr(j, "name")),
                              sv_text(jstr(j, "machine_id")), sv_text(jstr(j, "version"))};
    return exec(in,
                "update server set kind = coalesce($2, kind), name = coalesce($3, name),"
                " machine_id = coalesce($4, machine_id), version = coalesce($5, version)"
                " where server_id = $1", v, ARRAY_LEN(v), err);
}

static enum status apply_view(struct ingest *in, const char *server, const json_t *view,
                              struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation o;
    observation_init(&o);
    char scratch[32];
#define X(member)                                                              \
    {                                                                          \
        const char *text = jtext(view, #member, scratch);                      \
        o.member = text && *text ? arena_strndup(&a, text, 2000) : "";         \
    }
    OBSERVATION_TEXTS(X)
#undef X
#define X(member) o.member = jint(view, #member, -1);
    OBSERVATION_INTS(X)
#undef X
    o.server = server;
    const char *source_id = jtext(view, "source_id", scratch);
    int64_t at = jint(view, "at_us", TIME_NONE), ended = jint(view, "ended_us", TIME_NONE);
    if (!source_id || at == TIME_NONE || !*o.media_type)
        return STATUS_OK;
    struct fact_ids ids;
    TRY(dims_resolve(in->dims, in->conn, &o, &ids, err));
    struct store_value seen[] = {sv_int(ids.server), sv_text(source_id)};
    int64_t known;
    TRY(store_query_int(in->conn,
                        "select count(*) from view_in where server_id = $1 and source_id = $2",
                        seen, 2, 0, &known, err));
    if (known)
        return STATUS_OK;
    struct store_value v[] = {sv_int(in->next_segment++), sv_int(ids.server), sv_text(source_id),
                              sv_id(ids.account), sv_int(ids.title), sv_id(ids.library),
                              sv_time(at), sv_time(ended)};
    TRY(exec(in, "insert into view_in values ($1, $2, $3, $4, $5, $6, $7, $8)", v, ARRAY_LEN(v),
             err));
    return touch(in, &ids, err);
}

static enum status apply_views(struct ingest *in, const json_t *j, struct error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(jget(j, "views"), i, one)
        TRY(apply_view(in, jstr(j, "server"), one, err));
    return STATUS_OK;
}

static enum status apply_record(void *ctx, const struct log_record *r, struct error *err)
{
    struct ingest *in = ctx;
    in->position = r->seq;
    if (r->kind == LOG_OBSERVATION)
        return apply_observation(in, r, err);
    auto_json json_t *j = NULL;
    struct error why = {0};
    if (json_parse(r->payload, RECORD_BYTES_MAX, 8, &j, &why) != STATUS_OK ||
        !*jstr(j, "server")) {
        in->skipped++;
        log_warn("ingest", "a record of the log makes no sense and is left out",
                 LF_INT("position", r->seq), LF_ERROR(&why));
        return STATUS_OK;
    }
    switch (r->kind) {
    case LOG_COVERAGE:
        return apply_coverage(in, j, err);
    case LOG_ACCOUNTS:
        return apply_accounts(in, j, err);
    case LOG_LIBRARIES:
        return apply_libraries(in, j, err);
    case LOG_VIEWS:
        return apply_views(in, j, err);
    case LOG_SERVER:
        return apply_server(in, j, err);
    case LOG_OBSERVATION:
        break;
    }
    return STATUS_OK;
}

/* --- writing rows -------------------------------------------------------------------------- */

static enum status save_rows(struct ingest *in, struct session *s, struct error *err)
{
    size_t from = s->saved;
    if (s->is_saved_stale && from) {
        from--;
        TRY(exec(in, "delete from observation where observation_id = $1",
                 (struct store_value[]){sv_int(s->row_ids[from])}, 1, err));
    }
    for (size_t i = from; i < s->count; i++) {
        const struct state_row *r = &s->rows[i];
        struct store_value v[] = {
            sv_int(s->row_ids[i]), sv_int(s->segment_id), sv_text(play_state_name(r->state)),
            sv_time(r->first_us), sv_time(r->last_us), sv_time(r->head_us), sv_time(r->moved_us),
            sv_known(r->first_position_ms), sv_known(r->last_position_ms), sv_int(r->blind_ms),
            sv_flag(r->is_interrupted), sv_text(s->records[i])};
        TRY(exec(in, "insert into observation values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
                     " $12)", v, ARRAY_LEN(v), err));
    }
    s->saved = s->count;
    s->is_saved_stale = false;
    return STATUS_OK;
}

static enum status save_segment(struct ingest *in, struct session *s, struct error *err)
{
    const struct observation *o = &s->last;
    struct segment_sum sum;
    sum_segment(s->rows, s->count, streq(o->media_type, "live"), &in->config.knobs, &sum);
    auto_buf struct buf spans = {0};
    for (size_t i = 0; i < sum.span_count; i++)
        buf_printf(&spans, "%c%" PRId64, i ? ',' : '[', sum.spans[i]);
    buf_puts(&spans, sum.span_count ? "]" : "[]");
    free(sum.spans);
    const struct fact_ids *f = &s->ids;
    struct store_value v[] = {
        sv_int(s->segment_id), sv_id(f->server), sv_id(f->account), sv_id(f->title),
        sv_id(f->library), sv_id(f->device), sv_id(f->quality), sv_id(f->address),
        sv_time(sum.started_us), sv_time(sum.ended_us), sv_int(sum.watch_us / US_PER_MS),
        sv_int(sum.watch_low_us / US_PER_MS), sv_int(sum.watch_high_us / US_PER_MS),
        sv_int(sum.paused_us / US_PER_MS), sv_known(sum.start_position_ms),
        sv_known(sum.position_ms), sv_known(o->duration_ms), sv_known(o->credits_ms),
        sv_text(o->location), sv_flag(o->secure), sv_flag(o->relayed), sv_known(o->bandwidth_kbps),
        sv_known(o->bitrate_kbps), sv_known(o->stream_bitrate_kbps),
        sv_flag(s->state != SESSION_ENDED), sv_flag(sum.is_interrupted),
        {.kind = SV_TEXT, .s = buf_str(&spans)}};
    TRY(exec(in, "delete from segment where segment_id = $1", v, 1, err));
    return exec(in,
                "insert into segment values ($1, $1, 'live', $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                " $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,"
                " $27::bigint[])", v, ARRAY_LEN(v), err);
}

/* The segments of every touched account and title, in the order that join_plays() wants. */
static const char parts_sql[] =
    "select s.segment_id, s.play_id, epoch_us(s.started), epoch_us(s.ended),"
    " coalesce(s.start_position_ms, -1), coalesce(s.position_ms, -1), coalesce(s.duration_ms, -1),"
    " coalesce(s.device_id, 0)::bigint, s.server_id::bigint, coalesce(s.account_id, 0)::bigint,"
    " s.title_id::bigint, (t.media_type in ('track', 'live'))::bigint"
    " from segment s join title t using (title_id)"
    " where (s.server_id, coalesce(s.account_id, 0), s.title_id) in"
    "   (select server_id, account_id, title_id from touched)"
    " order by s.server_id, coalesce(s.account_id, 0), s.title_id, s.started, s.segment_id";

struct part_list {
    struct play_part *parts;
    int64_t *before; /* play_id as it is in the store */
    size_t count;
    int64_t key[4];
};

static enum status join_list(struct ingest *in, struct part_list *l, struct error *err)
{
    if (!l->count)
        return STATUS_OK;
    join_plays(l->parts, l->count, l->key[3] != 0, &in->config.knobs);
    for (size_t i = 0; i < l->count; i++)
        if (l->parts[i].play_id != l->before[i])
            TRY(exec(in, "update segment set play_id = $1 where segment_id = $2",
                     (struct store_value[]){sv_int(l->parts[i].play_id),
                                            sv_int(l->parts[i].segment_id)},
                     2, err));
    l->count = 0;
    return STATUS_OK;
}

static enum status join_touched(struct ingest *in, struct error *err)
{
    auto_result duckdb_result r = {0};
    TRY(store_query(in->conn, parts_sql, NULL, 0, &r, err));
    struct part_list l = {0};
    enum status s = STATUS_OK;
    for (;;) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
        if (!chunk)
            break;
        idx_t n = duckdb_data_chunk_get_size(chunk);
        int64_t *column[12];
        for (idx_t k = 0; k < ARRAY_LEN(column); k++)
            column[k] = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, k));
        for (idx_t i = 0; i < n && s == STATUS_OK; i++) {
            int64_t key[4] = {column[8][i], column[9][i], column[10][i], column[11][i]};
            if (memcmp(key, l.key, sizeof key) != 0)
                s = join_list(in, &l, err);
            memcpy(l.key, key, sizeof key);
            l.parts = xreallocarray(l.parts, l.count + 1, sizeof *l.parts);
            l.before = xreallocarray(l.before, l.count + 1, sizeof *l.before);
            l.before[l.count] = column[1][i];
            l.parts[l.count++] = (struct play_part){.segment_id = column[0][i],
                                                    .started_us = column[2][i],
                                                    .ended_us = column[3][i],
                                                    .start_position_ms = column[4][i],
                                                    .position_ms = column[5][i],
                                                    .duration_ms = column[6][i],
                                                    .device_id = column[7][i]};
        }
    }
    if (s == STATUS_OK)
        s = join_list(in, &l, err);
    free(l.parts);
    free(l.before);
    return s;
}

/* $1 share that counts as watched, $2 and $3 least watch time of video and music in ms. */
static const char plays_sql[] =
    "insert into play"
    " select s.play_id, if(any_value(t.media_type) in ('extra', 'clip', 'photo'), 'extra', 'play'),"
    "  min(s.origin), s.server_id, s.account_id, s.title_id, arg_min(s.library_id, s.started),"
    "  any_value(t.media_type), min(s.started), max(s.ended), sum(s.watch_ms)::bigint,"
    "  sum(s.watch_low_ms)::bigint, sum(s.watch_high_ms)::bigint, sum(s.paused_ms)::bigint,"
    "  max(s.position_ms), max(s.duration_ms),"
    "  if(max(s.duration_ms) > 0, least(100.0, 100.0 * max(s.position_ms) / max(s.duration_ms)), null),"
    "  coalesce(max(s.position_ms) >= max(s.credits_ms), false)"
    "   or coalesce(max(s.position_ms) >= $1 * max(s.duration_ms), false),"
    "  sum(s.watch_ms) < if(any_value(t.media_type) = 'track', $3, $2), bool_or(s.is_open),"
    "  count(*)::integer,"
    "  coalesce((select arg_max(d.kind, d.decision_id) = 'delete_play' from decision d"
    "   where d.subject = s.play_id and d.kind in ('delete_play', 'restore_play')), false), null"
    " from segment s join title t using (title_id)"
    " where (s.server_id, coalesce(s.account_id, 0), s.title_id) in"
    "   (select server_id, account_id, title_id from touched)"
    " group by s.play_id, s.server_id, s.account_id, s.title_id";

/* A view counts as a play without watch time, unless a play holds its instant. */
static const char views_sql[] =
    "insert into play"
    " select v.view_in_id, 'view', 'view', v.server_id, v.account_id, v.title_id, v.library_id,"
    "  t.media_type, v.viewed_at, coalesce(v.ended, v.viewed_at), 0, 0,"
    "  coalesce(epoch_ms(v.ended) - epoch_ms(v.viewed_at), 0), 0, null, t.duration_ms, null, null,"
    "  false, false, 0,"
    "  exists (select 1 from play p where p.kind = 'play' and p.server_id = v.server_id"
    "   and p.account_id is not distinct from v.account_id and p.title_id = v.title_id"
    "   and v.viewed_at >= p.started - interval 10 minutes"
    "   and v.viewed_at <= p.ended + to_milliseconds(greatest(600000, coalesce(p.duration_ms, 0)))),"
    "  'superseded'"
    " from view_in v join title t using (title_id)"
    " where (v.server_id, coalesce(v.account_id, 0), v.title_id) in"
    "   (select server_id, account_id, title_id from touched)";

static enum status save_plays(struct ingest *in, struct error *err)
{
    const struct knobs *k = &in->config.knobs;
    TRY(join_touched(in, err));
    TRY(store_exec(in->conn,
                   "delete from play where (server_id, coalesce(account_id, 0), title_id) in"
                   " (select server_id, account_id, title_id from touched)", err));
    struct store_value v[] = {{.kind = SV_DOUBLE, .d = k->watched},
                              sv_int(k->min_video_us / US_PER_MS),
                              sv_int(k->min_music_us / US_PER_MS)};
    TRY(exec(in, plays_sql, v, ARRAY_LEN(v), err));
    return store_exec(in->conn, views_sql, err);
}

/* --- the batch ----------------------------------------------------------------------------- */

static enum status apply_batch(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ctx;
    int64_t from;
    TRY(store_query_int(c, "select position from applied", NULL, 0, 0, &from, err));
    in->position = from;
    in->has_changes = false;
    TRY(store_exec(c, "delete from touched", err));
    TRY(log_read(in->config.log, from, BATCH_MAX, apply_record, in, err));
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next) {
        if (!s->is_dirty)
            continue;
        TRY(save_rows(in, s, err));
        TRY(save_segment(in, s, err));
        TRY(touch(in, &s->ids, err));
        s->is_dirty = false;
    }
    if (in->has_changes)
        TRY(save_plays(in, err));
    return exec(in, "update applied set position = $1", (struct store_value[]){sv_int(in->position)},
                1, err);
}

/* Reads one state row back; see save_rows(). */
static const char open_sql[] =
    "select o.observation_id, o.segment_id, epoch_us(o.first_at), epoch_us(o.last_at),"
    " epoch_us(o.head_at), epoch_us(o.moved_at), coalesce(o.first_position_ms, -1),"
    " coalesce(o.last_position_ms, -1), coalesce(o.blind_ms, 0),"
    " case o.state when 'playing' then 0 when 'paused' then 1 when 'buffering' then 2 else 3"
    " end::bigint, coalesce(o.is_interrupted, false)::bigint, o.record::varchar"
    " from observation o join segment s using (segment_id) where s.is_open"
    " order by o.segment_id, o.observation_id";

static enum status load_row(struct ingest *in, int64_t *const *column, idx_t i, const char *record,
                            size_t len, struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation o;
    TRY(observation_read(record, len, &a, &o, err));
    const char *key = arena_printf(&a, "%s\x1f%s", o.server, o.session);
    struct session *s = session_find(in, key);
    if (!s)
        s = session_add(in, key, column[1][i]);
    struct state_row row = {.state = (enum play_state)column[9][i],
                            .first_us = column[2][i],
                            .last_us = column[3][i],
                            .head_us = column[4][i],
                            .moved_us = column[5][i],
                            .first_position_ms = column[6][i],
                            .last_position_ms = column[7][i],
                            .blind_ms = column[8][i],
                            .is_interrupted = column[10][i] != 0};
    add_row(in, s, &row, (struct str){record, len});
    s->row_ids[s->count - 1] = column[0][i];
    s->saved = s->count;
    enum session_state to;
    s->state = session_next(SESSION_PLAYING, row.state, &to) ? to : SESSION_PLAYING;
    keep_last(s, &o);
    return dims_resolve(in->dims, in->conn, &s->last, &s->ids, err);
}

/* What is in memory, made again from the store: at the start and after a ROLLBACK. */
static enum status reload(struct ingest *in, struct error *err)
{
    forget_sessions(in);
    TRY(dims_load(in->dims, in->conn, err));
    TRY(store_query_int(in->conn,
                        "select 1 + greatest((select coalesce(max(segment_id), 0) from segment),"
                        " (select coalesce(max(view_in_id), 0) from view_in),"
                        " (select coalesce(max(segment_in_id), 0) from segment_in))",
                        NULL, 0, 1, &in->next_segment, err));
    int64_t next_row;
    TRY(store_query_int(in->conn, "select 1 + coalesce(max(observation_id), 0) from observation",
                        NULL, 0, 1, &next_row, err));
    auto_result duckdb_result r = {0};
    TRY(store_query(in->conn, open_sql, NULL, 0, &r, err));
    for (;;) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
        if (!chunk)
            break;
        idx_t n = duckdb_data_chunk_get_size(chunk);
        int64_t *column[11];
        for (idx_t k = 0; k < ARRAY_LEN(column); k++)
            column[k] = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, k));
        duckdb_string_t *records = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 11));
        for (idx_t i = 0; i < n; i++)
            TRY(load_row(in, column, i, duckdb_string_t_data(&records[i]),
                         duckdb_string_t_length(records[i]), err));
    }
    in->next_row = next_row;
    return store_query_int(in->conn, "select position from applied", NULL, 0, 0, &in->position, err);
}

static void forget_ended(struct ingest *in)
{
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next)
        if (s->state == SESSION_ENDED) {
            HASH_DEL(in->sessions, s);
            session_free(s);
        }
}

static void announce(struct ingest *in)
{
    pthread_mutex_lock(&in->lock);
    in->applied = in->position;
    pthread_cond_broadcast(&in->moved);
    pthread_mutex_unlock(&in->lock);
}

/* Applies one batch; after a failure everything is as before it. */
static enum status step(struct ingest *in, struct error *err)
{
    enum status s = store_transaction(in->conn, apply_batch, in, err);
    if (s != STATUS_OK) {
        struct error why;
        if (reload(in, &why) != STATUS_OK)
            log_error("ingest", "cannot read the store again", LF_ERROR(&why));
        return s;
    }
    forget_ended(in);
    if (in->has_changes) {
        store_bump_data_version(in->config.store);
        if (in->config.applied)
            in->config.applied(in->config.ctx, store_data_version(in->config.store));
    }
    announce(in);
    return STATUS_OK;
}

static void checkpoint(struct ingest *in, bool is_forced)
{
    int64_t now = clock_monotonic_us();
    bool is_due = in->position - in->checkpointed >= CHECKPOINT_RECORDS ||
                  (in->position > in->checkpointed && now - in->checkpointed_us > CHECKPOINT_US);
    if (!is_due && !(is_forced && in->position > in->checkpointed))
        return;
    int64_t position;
    struct error err;
    if (store_checkpoint(in->conn, &position, &err) != STATUS_OK) {
        log_debug("ingest", "checkpoint later", LF_ERROR(&err));
        return;
    }
    in->checkpointed = position;
    in->checkpointed_us = now;
    if (log_trim(in->config.log, position, &err) != STATUS_OK)
        log_warn("ingest", "the log was not trimmed", LF_ERROR(&err));
}

static void *run(void *arg)
{
    struct ingest *in = arg;
    logger_set_thread("writer");
    while (!in->is_stopping) {
        if (!log_wait(in->config.log, in->position, US_PER_S)) {
            checkpoint(in, false);
            continue;
        }
        struct error err;
        if (step(in, &err) != STATUS_OK) {
            log_error("ingest", "a batch was not applied; trying again",
                      LF_INT("position", in->position), LF_ERROR(&err));
            usleep((useconds_t)RETRY_US);
        }
        checkpoint(in, false);
    }
    return NULL;
}

/* --- public -------------------------------------------------------------------------------- */

enum status ingest_start(const struct ingest_config *c, struct ingest **ret, struct error *err)
{
    struct ingest *in = xcalloc(1, sizeof *in);
    in->config = *c;
    pthread_mutex_init(&in->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&in->moved, &attr);
    pthread_condattr_destroy(&attr);
    in->dims = dims_new(c->lookup, c->lookup_ctx);
    in->checkpointed_us = clock_monotonic_us();
    enum status s = store_connect(c->store, &in->conn, err);
    if (s == STATUS_OK)
        s = store_exec(in->conn,
                       "create temp table touched (server_id integer, account_id integer,"
                       " title_id integer)", err);
    if (s == STATUS_OK)
        s = reload(in, err);
    while (s == STATUS_OK && log_wait(c->log, in->position, 0))
        s = step(in, err);
    if (s == STATUS_OK && pthread_create(&in->thread, NULL, run, in) != 0)
        s = fail(err, STATUS_INTERNAL, "the writer's thread did not start");
    if (s != STATUS_OK) {
        forget_sessions(in);
        dims_free(in->dims);
        store_disconnect(in->conn);
        free(in);
        return s;
    }
    *ret = in;
    return STATUS_OK;
}

void ingest_stop(struct ingest *in)
{
    if (!in)
        return;
    in->is_stopping = true;
    pthread_join(in->thread, NULL);
    struct error err;
    while (log_wait(in->config.log, in->position, 0) && step(in, &err) == STATUS_OK)
        ;
    checkpoint(in, true);
    forget_sessions(in);
    dims_free(in->dims);
    store_disconnect(in->conn);
    pthread_mutex_destroy(&in->lock);
    pthread_cond_destroy(&in->moved);
    free(in);
}

const struct observation *ingest_open_sessions(struct ingest *in, struct arena *a, size_t *ret_count)
{
    size_t room = HASH_COUNT(in->sessions), n = 0;
    struct observation *list = arena_alloc(a, (room + 1) * sizeof *list);
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next)
        if (n < room)
            observation_copy(a, &s->last, &list[n++]);
    *ret_count = n;
    return list;
}

bool ingest_wait(struct ingest *in, int64_t seq, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_us / US_PER_S) + 1;
    pthread_mutex_lock(&in->lock);
    int rc = 0;
    while (in->applied < seq && rc == 0)
        rc = pthread_cond_timedwait(&in->moved, &in->lock, &until);
    bool ok = in->applied >= seq;
    pthread_mutex_unlock(&in->lock);
    return ok;
}
