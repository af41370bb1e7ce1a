#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/queue.h"
#include "ingest/machine.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

#define POSITION_PREFIX "backfill:" /* names of settings */
enum { RECORD_BYTES_MAX = 64 * 1024 * 1024, CHECKPOINT_RECORDS = 20000, JOBS_MAX = 64 };
#define CHECKPOINT_US (15 * US_PER_MIN)
#define CHECKPOINT_AGAIN_US (30 * US_PER_S)
#define PROGRESS_WAIT_US (15 * US_PER_S)
#define RETRY_US (2 * US_PER_S)
/* Times that a store, a browser and a person can make sense of: 1970 to 2200. */
#define LATEST_US (INT64_C(7258118400) * US_PER_S)

/* A session that has begun and not ended, with the one row that may still change. */
struct session {
    UT_hash_handle hh;
    char *key; /* "server\x1fsession" */
    int64_t segment_id;
    enum session_state state;
    struct fact_ids ids;
    struct arena arena; /* of `last` */
    struct observation last;  /* as observed */
    struct observation facts; /* what session_in holds: the last one before the stop */
    struct arena facts_arena;
    struct state_row row;
    int64_t row_id, paused_since_us; /* TIME_NONE: not paused */
    char *record;                    /* the observation that the row began with, as in the log */
    bool is_row_stored, is_row_dirty;
    bool is_stored, is_dirty; /* the facts */
};

/* A row that is complete and waits for the end of the batch. */
struct done_row {
    int64_t row_id, segment_id;
    struct state_row row;
    char *record;
};

struct job {
    ingest_job *run;
    void *ctx;
    bool is_reading; /* changes nothing */
    enum status status;
    struct error *err;
    bool is_done; /* guarded by ingest.lock */
};

struct ingest {
    struct ingest_config config;
    struct store_conn *conn;
    struct dims *dims;
    struct session *sessions;
    int64_t next_input, next_row;
    int64_t position, checkpointed, checkpointed_us;

    /* The batch. */
    struct done_row *rows;
    size_t row_count, row_room;
    struct buf stale; /* ids of stored rows that are written again, comma separated */
    struct derive_key *keys;
    size_t key_count, key_room;
    bool has_changes;
    int64_t careful_until; /* a batch failed: up to here records are applied one by one */

    /* Mere progress that waits for company. */
    int64_t peeked, waiting_since_us;
    size_t waiting;
    bool must_apply;

    struct queue *jobs;
    bool is_checkpoint_due;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t applied, wanted; /* guarded by lock */
    atomic_int_least64_t skipped, failures;
    atomic_int rederive_percent;
    atomic_bool is_stopping;
};

#define GROW(array, count, room)                                       \
    __extension__({                                                    \
        if ((count) == (room)) {                                       \
            (room) = (room) ? (room) * 2 : 64;                         \
            (array) = xreallocarray((array), (room), sizeof *(array)); \
        }                                                              \
        &(array)[(count)++];                                           \
    })

/* --- sessions in memory -------------------------------------------------------------------- */

static void session_free(struct session *s)
{
    arena_done(&s->arena);
    arena_done(&s->facts_arena);
    free(s->record);
    free(s->key);
    free(s);
}

static void forget_session(struct ingest *in, struct session *s)
{
    HASH_DEL(in->sessions, s);
    session_free(s);
}

static void forget_batch(struct ingest *in)
{
    for (size_t i = 0; i < in->row_count; i++)
        free(in->rows[i].record);
    in->row_count = in->key_count = 0;
    in->has_changes = false;
    buf_clear(&in->stale);
}

static void forget_sessions(struct ingest *in)
{
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next)
        forget_session(in, s);
    forget_batch(in);
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
    s->paused_since_us = TIME_NONE;
    HASH_ADD_KEYPTR(hh, in->sessions, s->key, strlen(s->key), s);
    return s;
}

static void keep(struct arena *a, struct observation *kept, const struct observation *o)
{
    struct arena fresh = {0};
    observation_copy(&fresh, o, kept);
    arena_done(a);
    *a = fresh;
}

/* The row that the session had is complete. */
static void end_row(struct ingest *in, struct session *s)
{
    if (!s->is_row_dirty)
        return;
    if (s->is_row_stored)
        buf_printf(&in->stale, "%s%" PRId64, in->stale.len ? "," : "", s->row_id);
    *GROW(in->rows, in->row_count, in->row_room) =
        (struct done_row){s->row_id, s->segment_id, s->row, s->record};
    s->record = NULL;
    s->is_row_dirty = false;
}

static void begin_row(struct ingest *in, struct session *s, const struct state_row *row,
                      struct str record)
{
    end_row(in, s);
    free(s->record);
    s->record = xstrndup(record.ptr, record.len);
    s->row = *row;
    s->row_id = in->next_row++;
    s->is_row_stored = false;
    s->is_row_dirty = true;
}

/* How long a pause has been going on decides whether the segment ends with it. */
static void note_pause(struct session *s, const struct state_row *row)
{
    if (row->state != PLAY_PAUSED)
        s->paused_since_us = TIME_NONE;
    else if (s->paused_since_us == TIME_NONE)
        s->paused_since_us = row->first_us;
}

static void touch(struct ingest *in, const struct fact_ids *ids)
{
    struct derive_key key = {ids->server, ids->account, ids->title};
    /* Records of one session come in a row: this keeps most doubles out. */
    if (in->key_count && memcmp(&in->keys[in->key_count - 1], &key, sizeof key) == 0)
        return;
    *GROW(in->keys, in->key_count, in->key_room) = key;
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

static struct store_value sv_degrees(const json_t *j, const char *key, double most)
{
    double v = jdouble(j, key, 1000);
    return v >= -most && v <= most ? (struct store_value){.kind = SV_DOUBLE, .d = v}
                                   : (struct store_value){.kind = SV_NULL};
}

/* Where a public address is, as latitude and longitude; where it is not known they stay. */
static void locate(const struct ingest *in, const char *address, struct store_value *latitude,
                   struct store_value *longitude)
{
    struct place_found found = {0};
    if (!*address || !in->config.lookup)
        return;
    in->config.lookup(in->config.lookup_ctx, address, &found);
    if (!found.has_place)
        return;
    *latitude = (struct store_value){.kind = SV_DOUBLE, .d = found.latitude};
    *longitude = (struct store_value){.kind = SV_DOUBLE, .d = found.longitude};
}

static bool is_time(int64_t us)
{
    return us >= 0 && us <= LATEST_US;
}

static void skip(struct ingest *in, const struct log_record *r, const char *why)
{
    in->skipped++;
    log_warn("ingest", "a record of the log makes no sense and is left out",
             LF_INT("position", r->seq), LF_TEXT("error", why));
}

static enum status read_observation(const struct log_record *r, struct arena *a,
                                    struct observation *ret, struct error *err)
{
    TRY(observation_read(r->payload.ptr, r->payload.len, a, ret, err));
    if (!is_time(ret->observed_us) || ret->blind_ms < 0 || ret->blind_ms > LATEST_US / US_PER_MS)
        return fail(err, STATUS_PROTOCOL, "observed at no possible time");
    return STATUS_OK;
}

static const char *session_key(struct arena *a, const struct observation *o)
{
    return arena_printf(a, "%s\x1f%s", o->server, o->session);
}

/* Whether this session has ended already: what comes late for it changes nothing. */
static enum status has_ended(struct ingest *in, const struct observation *o, bool *ret,
                             struct error *err)
{
    int32_t server;
    TRY(dims_server(in->dims, in->conn, o->server, &server, err));
    struct store_value v[] = {sv_int(server), sv_text(o->session)};
    int64_t known;
    TRY(store_query_int(in->conn, "select count(*) from session_in where server_id = $1"
                                  " and session = $2", v, 2, 0, &known, err));
    *ret = known > 0;
    return STATUS_OK;
}

static enum status begin_session(struct ingest *in, struct session *s, const struct observation *o,
                                 struct str record, struct error *err)
{
    struct state_row first = {.state = o->state,
                              .first_us = o->observed_us,
                              .last_us = o->observed_us,
                              .head_us = o->observed_us,
                              .moved_us = o->observed_us,
                              .first_position_ms = o->position_ms,
                              .last_position_ms = o->position_ms,
                              .blind_ms = o->blind_ms,
                              .is_interrupted = o->is_interrupted};
    begin_row(in, s, &first, record);
    note_pause(s, &first);
    keep(&s->facts_arena, &s->facts, o);
    s->is_dirty = true;
    return dims_resolve(in->dims, in->conn, o, &s->ids, err);
}

/* What the facts point at changes; who and what do not, else it would be another session. */
static enum status change_facts(struct ingest *in, struct session *s, const struct observation *o,
                                struct error *err)
{
    struct fact_ids ids;
    TRY(dims_resolve(in->dims, in->conn, o, &ids, err));
    ids.server = s->ids.server;
    ids.account = s->ids.account;
    ids.title = s->ids.title;
    ids.library = s->ids.library ? s->ids.library : ids.library;
    s->ids = ids;
    keep(&s->facts_arena, &s->facts, o);
    s->is_dirty = true;
    return STATUS_OK;
}

/* A pause beyond the cap ended the segment where it began; what follows is the next one. */
static bool is_past_pause_cap(const struct ingest *in, const struct session *s,
                              const struct observation *o)
{
    return s->state == SESSION_PAUSED && s->paused_since_us != TIME_NONE &&
           o->state != PLAY_PAUSED && o->state != PLAY_STOPPED &&
           o->observed_us - s->paused_since_us > in->config.knobs.pause_cap_us;
}

static enum status save_facts(struct ingest *in, struct session *s, bool is_ended,
                              struct error *err);

static enum status apply_observation(struct ingest *in, const struct log_record *r,
                                     struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation o;
    struct error why;
    if (read_observation(r, &a, &o, &why) != STATUS_OK) {
        skip(in, r, why.text);
        return STATUS_OK;
    }
    const char *key = session_key(&a, &o);
    struct session *s = session_find(in, key);
    enum session_state to = SESSION_NONE;
    if (!session_next(s ? s->state : SESSION_NONE, o.state, &to))
        return STATUS_OK;
    if (s && is_past_pause_cap(in, s, &o)) {
        s->row.last_us = o.observed_us; /* the pause lasted, which is why it does not count */
        s->is_row_dirty = true;
        end_row(in, s);
        touch(in, &s->ids);
        TRY(save_facts(in, s, true, err));
        forget_session(in, s);
        s = session_add(in, key, in->next_input++);
        TRY(begin_session(in, s, &o, r->payload, err));
    } else if (!s) {
        bool is_late;
        TRY(has_ended(in, &o, &is_late, err));
        if (is_late)
            return STATUS_OK;
        s = session_add(in, key, in->next_input++);
        TRY(begin_session(in, s, &o, r->payload, err));
    } else {
        bool facts_same = observation_same_but_progress(&s->last, &o);
        struct state_row before = s->row;
        struct fold f = fold_observation(&s->row, &o, facts_same, &in->config.knobs);
        if (memcmp(&before, &s->row, sizeof before) != 0)
            s->is_row_dirty = true;
        if (f.is_new_row) {
            begin_row(in, s, &f.next, r->payload);
            note_pause(s, &f.next);
            if (o.state != PLAY_STOPPED)
                TRY(change_facts(in, s, &o, err));
        }
    }
    s->state = to;
    if (to == SESSION_ENDED)
        s->is_dirty = true;
    keep(&s->arena, &s->last, &o);
    touch(in, &s->ids);
    return STATUS_OK;
}

/* From `at` on the server's coverage is `state`, whatever was said about later before. */
static enum status apply_coverage(struct ingest *in, const struct log_record *r, const json_t *j,
                                  struct error *err)
{
    int64_t at = jint(j, "at_us", TIME_NONE);
    const char *state = jstr(j, "state");
    if (!is_time(at) || !*state) {
        skip(in, r, "coverage needs a time and a state");
        return STATUS_OK;
    }
    int32_t server;
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_time(at), sv_text(state),
                              sv_text(jstr(j, "why"))};
    int64_t goes_on;
    TRY(store_query_int(in->conn,
                        "select count(*) from coverage where server_id = $1 and started <= $2"
                        " and ended is null and state = $3", v, 3, 0, &goes_on, err));
    if (goes_on)
        return STATUS_OK;
    TRY(exec(in, "delete from coverage where server_id = $1 and started >= $2", v, 2, err));
    TRY(exec(in, "update coverage set ended = $2 where server_id = $1"
                 " and (ended is null or ended > $2)", v, 2, err));
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
        if (!key || !*key)
            continue;
        TRY(dims_account(in->dims, in->conn, server, key, jstr(one, "name"), jstr(one, "email"),
                         &account, err));
        int is_owner = jbool(one, "is_owner");
        struct store_value v[] = {sv_int(account), {.kind = SV_BOOL, .i = is_owner}};
        if (is_owner >= 0)
            TRY(exec(in, "update account set is_owner = $2 where account_id = $1"
                         " and is_owner is distinct from $2", v, 2, err));
    }
    in->has_changes = true;
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
        if (!key || !*key)
            continue;
        TRY(dims_library(in->dims, in->conn, server, key, jstr(one, "name"), &library, err));
        struct store_value v[] = {sv_int(library), sv_text(jstr(one, "name")),
                                  sv_text(jstr(one, "kind"))};
        TRY(exec(in, "update library set name = coalesce($2, name), kind = coalesce($3, kind)"
                     " where library_id = $1 and (name is distinct from coalesce($2, name)"
                     " or kind is distinct from coalesce($3, kind))", v, 3, err));
    }
    in->has_changes = true;
    return STATUS_OK;
}

static enum status apply_server(struct ingest *in, const json_t *j, struct error *err)
{
    int32_t server;
    if (streq(jstr(j, "kind"), "plex") && *jstr(j, "machine_id"))
        TRY(dims_adopt_server(in->dims, in->conn, jstr(j, "server"), jstr(j, "machine_id"), err));
    TRY(dims_server(in->dims, in->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_text(jstr(j, "kind")), sv_text(jstr(j, "name")),
                              sv_text(jstr(j, "machine_id")), sv_text(jstr(j, "version")),
                              sv_degrees(j, "latitude", 90), sv_degrees(j, "longitude", 180)};
    locate(in, jstr(j, "public_address"), &v[5], &v[6]);
    in->has_changes = true;
    return exec(in,
                "update server set kind = coalesce($2, kind), name = coalesce($3, name),"
                " machine_id = coalesce($4, machine_id), version = coalesce($5, version),"
                " latitude = coalesce($6, latitude), longitude = coalesce($7, longitude)"
                " where server_id = $1", v, ARRAY_LEN(v), err);
}

/* --- backfilled views ------------------------------------------------------------------------ */

static bool is_view(const json_t *view)
{
    char scratch[32];
    const char *source_id = jtext(view, "source_id", scratch);
    return source_id && *source_id && is_time(jint(view, "at_us", TIME_NONE)) &&
           *jstr(view, "media_type");
}

/* Puts the views that are not known yet into temp.view_stage, by their place in the array. */
static enum status stage_views(struct ingest *in, const json_t *views, struct error *err)
{
    TRY(store_exec(in->conn, "create or replace temp table view_stage (ord integer,"
                             " source_id varchar)", err));
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(in->conn, "temp", "view_stage", &a, err));
    size_t i;
    json_t *one;
    json_array_foreach(views, i, one) {
        if (!is_view(one))
            continue;
        char scratch[32];
        append_id(a, (int64_t)i + 1);
        append_text(a, jtext(one, "source_id", scratch));
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

static enum status apply_view(struct ingest *in, const char *server_key, int32_t server,
                              const json_t *view, duckdb_appender out, struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation item;
    observation_read_facts(view, &a, &item);
    item.server = server_key;
    struct fact_ids ids = {.server = server};
    if (*item.account_key)
        TRY(dims_account(in->dims, in->conn, server, item.account_key, item.account_name,
                         item.account_email, &ids.account, err));
    TRY(dims_title(in->dims, in->conn, &item, &ids.title, err));
    if (*item.library_key)
        TRY(dims_library(in->dims, in->conn, server, item.library_key, item.library_name,
                         &ids.library, err));
    char scratch[32];
    int64_t at_us = jint(view, "at_us", 0), ended_us = jint(view, "ended_us", TIME_NONE);
    append_int(out, in->next_input++);
    append_id(out, server);
    append_text(out, jtext(view, "source_id", scratch));
    append_id(out, ids.account);
    append_id(out, ids.title);
    append_id(out, ids.library);
    append_time(out, at_us);
    append_time(out, is_time(ended_us) && ended_us >= at_us ? ended_us : TIME_NONE);
    touch(in, &ids);
    return append_row(out, err);
}

static enum status apply_views(struct ingest *in, const json_t *j, struct error *err)
{
    const json_t *views = jget(j, "views");
    const char *server_key = jstr(j, "server");
    int32_t server;
    TRY(dims_server(in->dims, in->conn, server_key, &server, err));
    TRY(stage_views(in, views, err));
    struct store_value v[] = {sv_int(server)};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(in->conn,
                    "select min(ord)::integer o from temp.view_stage s where not exists"
                    " (select 1 from view_in v where v.server_id = $1"
                    " and v.source_id = s.source_id) group by source_id order by o",
                    v, 1, &r, err));
    auto_appender duckdb_appender out = NULL;
    TRY(append_open(in->conn, NULL, "view_in", &out, err));
    while (cursor_next(&r))
        TRY(apply_view(in, server_key, server,
                       json_array_get(views, (size_t)cursor_int(&r, 0, 1) - 1), out, err));
    return append_close(out, err);
}

/* In the same transaction as the views before it, so that a kill loses both or neither. */
static enum status apply_position(struct ingest *in, const struct log_record *r, const json_t *j,
                                  struct error *err)
{
    auto_free char *name = xasprintf(POSITION_PREFIX "%s", jstr(j, "server"));
    struct store_value v[] = {sv_text(name), {.kind = SV_TEXT, .s = r->payload}};
    TRY(exec(in, "delete from setting where name = $1", v, 1, err));
    return exec(in, "insert into setting values ($1, $2)", v, 2, err);
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
        skip(in, r, *why.text ? why.text : "it names no server");
        return STATUS_OK;
    }
    switch (r->kind) {
    case LOG_COVERAGE:
        return apply_coverage(in, r, j, err);
    case LOG_ACCOUNTS:
        return apply_accounts(in, j, err);
    case LOG_LIBRARIES:
        return apply_libraries(in, j, err);
    case LOG_VIEWS:
        return apply_views(in, j, err);
    case LOG_SERVER:
        return apply_server(in, j, err);
    case LOG_POSITION:
        return apply_position(in, r, j, err);
    case LOG_OBSERVATION:
        break;
    }
    skip(in, r, "its kind is not known");
    return STATUS_OK;
}

/* --- writing rows -------------------------------------------------------------------------- */

static enum status save_rows(struct ingest *in, struct error *err)
{
    if (in->stale.len) {
        auto_free char *sql = xasprintf("delete from observation where observation_id in (%s)",
                                        buf_text(&in->stale));
        TRY(store_exec(in->conn, sql, err));
    }
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(in->conn, NULL, "observation", &a, err));
    for (size_t i = 0; i < in->row_count; i++) {
        const struct done_row *d = &in->rows[i];
        append_int(a, d->row_id);
        append_int(a, d->segment_id);
        append_text(a, play_state_name(d->row.state));
        append_time(a, d->row.first_us);
        append_time(a, d->row.last_us);
        append_time(a, d->row.head_us);
        append_time(a, d->row.moved_us);
        append_known(a, d->row.first_position_ms);
        append_known(a, d->row.last_position_ms);
        append_int(a, d->row.blind_ms);
        append_bool(a, d->row.is_interrupted);
        append_text(a, d->record);
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

static enum status save_facts(struct ingest *in, struct session *s, bool is_ended,
                              struct error *err)
{
    if (s->is_stored)
        TRY(exec(in, "delete from session_in where segment_id = $1",
                 (struct store_value[]){sv_int(s->segment_id)}, 1, err));
    const struct observation *f = &s->facts;
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(in->conn, NULL, "session_in", &a, err));
    append_int(a, s->segment_id);
    append_text(a, f->session);
    append_id(a, s->ids.server);
    append_id(a, s->ids.account);
    append_id(a, s->ids.title);
    append_id(a, s->ids.library);
    append_id(a, s->ids.device);
    append_id(a, s->ids.quality);
    append_id(a, s->ids.address);
    append_known(a, f->duration_ms);
    append_known(a, f->credits_ms);
    append_text(a, f->location);
    append_known_bool(a, f->secure);
    append_known_bool(a, f->relayed);
    append_known32(a, f->bandwidth_kbps);
    append_known32(a, f->bitrate_kbps);
    append_known32(a, f->stream_bitrate_kbps);
    append_bool(a, streq(f->media_type, "live"));
    append_bool(a, is_ended);
    TRY(append_row(a, err));
    s->is_stored = true;
    s->is_dirty = false;
    return append_close(a, err);
}

/* --- the batch ----------------------------------------------------------------------------- */

static enum status save_sessions(struct ingest *in, struct error *err)
{
    struct session *s, *next;
    HASH_ITER(hh, in->sessions, s, next) {
        if (s->is_dirty)
            TRY(save_facts(in, s, s->state == SESSION_ENDED, err));
        if (!s->is_row_dirty)
            continue;
        auto_free char *record = xstrdup(s->record);
        end_row(in, s);
        s->record = steal_ptr(&record);
        s->is_row_stored = true;
    }
    return save_rows(in, err);
}

static enum status apply_batch(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ctx;
    int64_t from;
    TRY(store_query_int(c, "select position from applied", NULL, 0, 0, &from, err));
    in->position = from;
    forget_batch(in);
    size_t most = from < in->careful_until ? 1 : in->config.batch_max;
    TRY(log_read(in->config.log, from, most, apply_record, in, err));
    TRY(save_sessions(in, err));
    TRY(derive_keys(c, in->keys, in->key_count, &in->config.knobs, err));
    if (in->key_count)
        in->has_changes = true;
    struct store_value v[] = {sv_int(in->position)};
    return exec(in, "update applied set position = $1", v, 1, err);
}

/* An open session's rows, read back in order: the last one is the one that may still change. */
static enum status load_row(struct ingest *in, const struct cursor *r, struct error *err)
{
    auto_arena struct arena a = {0};
    struct str record = cursor_text(r, 10), name = cursor_text(r, 12);
    struct state_row row = {.first_us = cursor_int(r, 2, 0),
                            .last_us = cursor_int(r, 3, 0),
                            .head_us = cursor_int(r, 4, 0),
                            .moved_us = cursor_int(r, 5, 0),
                            .first_position_ms = cursor_int(r, 6, -1),
                            .last_position_ms = cursor_int(r, 7, -1),
                            .blind_ms = cursor_int(r, 8, 0),
                            .is_interrupted = cursor_int(r, 9, 0) == 1};
    struct observation o;
    TRY(observation_read(record.ptr, record.len, &a, &o, err));
    if (!play_state_parse(name, &row.state))
        return fail(err, STATUS_INTERNAL, "a stored observation has an unknown state");
    const char *key = session_key(&a, &o);
    int64_t segment_id = cursor_int(r, 1, 0);
    struct session *s = session_find(in, key);
    if (!s) {
        s = session_add(in, key, segment_id);
        s->ids = (struct fact_ids){
            .server = (int32_t)cursor_int(r, 13, 0),  .account = (int32_t)cursor_int(r, 14, 0),
            .title = (int32_t)cursor_int(r, 15, 0),   .library = (int32_t)cursor_int(r, 16, 0),
            .device = (int32_t)cursor_int(r, 17, 0),  .quality = (int32_t)cursor_int(r, 18, 0),
            .address = (int32_t)cursor_int(r, 19, 0)};
        s->is_stored = true;
    }
    s->row = row;
    s->row_id = cursor_int(r, 0, 0);
    s->is_row_stored = true;
    free(s->record);
    s->record = xstrndup(record.ptr, record.len);
    note_pause(s, &row);
    if (row.state != PLAY_STOPPED)
        keep(&s->facts_arena, &s->facts, &o);
    static const enum session_state states[] = {
        [PLAY_PLAYING] = SESSION_PLAYING,
        [PLAY_PAUSED] = SESSION_PAUSED,
        [PLAY_BUFFERING] = SESSION_BUFFERING,
        [PLAY_STOPPED] = SESSION_ENDED,
    };
    s->state = states[row.state];
    o.observed_us = row.last_us;
    o.position_ms = row.last_position_ms;
    keep(&s->arena, &s->last, &o);
    return STATUS_OK;
}

static enum status read_next_ids(struct ingest *in, struct error *err)
{
    TRY(input_next_id(in->conn, &in->next_input, err));
    return store_query_int(in->conn, "select 1 + coalesce(max(observation_id), 0) from observation",
                           NULL, 0, 1, &in->next_row, err);
}

/* What is in memory, made again from the store: at the start and after a ROLLBACK. */
static enum status reload(struct ingest *in, struct error *err)
{
    forget_sessions(in);
    TRY(dims_load(in->dims, in->conn, err));
    TRY(read_next_ids(in, err));
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(in->conn,
                    "select o.observation_id, o.segment_id, o.first_at, o.last_at, o.head_at,"
                    " o.moved_at, o.first_position_ms, o.last_position_ms, o.blind_ms,"
                    " o.is_interrupted, o.record::varchar, s.session, o.state, s.server_id,"
                    " s.account_id, s.title_id, s.library_id, s.device_id, s.quality_id,"
                    " s.address_id from observation o join session_in s using (segment_id)"
                    " where not s.is_ended order by o.segment_id, o.observation_id",
                    NULL, 0, &r, err));
    while (cursor_next(&r))
        TRY(load_row(in, &r, err));
    return store_query_int(in->conn, "select position from applied", NULL, 0, 0, &in->position,
                           err);
}

static void tell(struct ingest *in)
{
    store_bump_data_version(in->config.store);
    if (in->config.applied)
        in->config.applied(in->config.ctx, store_data_version(in->config.store));
}

static void announce(struct ingest *in)
{
    pthread_mutex_lock(&in->lock);
    in->applied = in->position;
    pthread_cond_broadcast(&in->moved);
    pthread_mutex_unlock(&in->lock);
}

static enum status skip_record(void *ctx, struct store_conn *c, struct error *err)
{
    (void)c;
    struct ingest *in = ctx;
    struct store_value v[] = {sv_int(in->position)};
    return exec(in, "update applied set position = $1", v, 1, err);
}

/* True if it is the record's fault rather than the disk's, the memory's or the moment's. */
static bool is_records_fault(enum status s)
{
    return s == STATUS_INVALID || s == STATUS_PROTOCOL || s == STATUS_CONFLICT ||
           s == STATUS_TOO_LARGE || s == STATUS_NOT_FOUND || s == STATUS_INTERNAL;
}

/* After a failed batch everything is as before it. Its records are then tried one by one, and one
 * that fails by itself is left out, so that it cannot hold up what follows. */
static enum status recover(struct ingest *in, enum status s, struct error *err)
{
    in->failures++;
    int64_t failed = in->position;
    int64_t from;
    struct error why;
    if (reload(in, &why) != STATUS_OK) {
        log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
        return s;
    }
    from = in->position;
    bool was_alone = failed == from + 1 || from < in->careful_until;
    if (!is_records_fault(s) || failed <= from)
        return s;
    if (!was_alone) {
        in->careful_until = failed;
        return STATUS_OK;
    }
    in->position = failed;
    if (store_transaction(in->conn, skip_record, in, &why) != STATUS_OK) {
        in->position = from;
        return s;
    }
    in->skipped++;
    log_error("ingest", "a record of the log cannot be applied and is left out",
              LF_INT("position", failed), LF_ERROR(err));
    announce(in);
    return STATUS_OK;
}

/* Applies one batch. */
static enum status step(struct ingest *in, struct error *err)
{
    enum status s = store_transaction(in->conn, apply_batch, in, err);
    if (s != STATUS_OK)
        return recover(in, s, err);
    bool has_changes = in->has_changes;
    struct session *session, *next;
    HASH_ITER(hh, in->sessions, session, next)
        if (session->state == SESSION_ENDED)
            forget_session(in, session);
    forget_batch(in);
    if (has_changes)
        tell(in);
    announce(in);
    return STATUS_OK;
}

static enum status apply_all(struct ingest *in, struct error *err)
{
    while (log_last(in->config.log) > in->position)
        TRY(step(in, err));
    in->peeked = in->position;
    in->waiting = 0;
    in->must_apply = false;
    return STATUS_OK;
}

static void checkpoint(struct ingest *in, bool is_forced)
{
    int64_t now = clock_monotonic_us();
    bool has_moved = in->position > in->checkpointed || in->is_checkpoint_due;
    bool is_due = in->position - in->checkpointed >= CHECKPOINT_RECORDS || in->is_checkpoint_due ||
                  now - in->checkpointed_us > CHECKPOINT_US;
    if (!has_moved || (!is_due && !is_forced))
        return;
    int64_t position;
    struct error err;
    if (store_checkpoint(in->conn, &position, &err) != STATUS_OK) {
        /* A reader is in a transaction: again in a while. */
        log_debug("ingest", "checkpoint later", LF_ERROR(&err));
        in->checkpointed_us = now - CHECKPOINT_US + CHECKPOINT_AGAIN_US;
        in->is_checkpoint_due = false;
        return;
    }
    in->checkpointed = position;
    in->checkpointed_us = now;
    in->is_checkpoint_due = false;
    if (log_trim(in->config.log, position, &err) != STATUS_OK)
        log_warn("ingest", "the log was not trimmed", LF_ERROR(&err));
}

/* --- jobs ------------------------------------------------------------------------------------ */

static enum status call_job(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ((void **)ctx)[0];
    struct job *j = ((void **)ctx)[1];
    return j->run(j->ctx, c, in->dims, err);
}

static void end_job(struct ingest *in, struct job *j, enum status s)
{
    pthread_mutex_lock(&in->lock);
    j->status = s;
    j->is_done = true;
    pthread_cond_broadcast(&in->moved);
    pthread_mutex_unlock(&in->lock);
}

static void run_job(struct ingest *in, struct job *j)
{
    void *ctx[] = {in, j};
    enum status s = store_transaction(in->conn, call_job, ctx, j->err);
    struct error why;
    if (s != STATUS_OK) {
        if (reload(in, &why) != STATUS_OK)
            log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
    } else if (!j->is_reading) {
        if (read_next_ids(in, &why) != STATUS_OK)
            log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
        in->is_checkpoint_due = true; /* the log does not hold what a job wrote */
        tell(in);
    }
    end_job(in, j, s);
}

static enum status post(struct ingest *in, struct job *j, struct error *err)
{
    if (in->is_stopping || queue_is_closed(in->jobs))
        return fail(err, STATUS_UNAVAILABLE, "the writer is stopping");
    if (!queue_try_push(in->jobs, j))
        return fail(err, STATUS_RATE_LIMITED, "too many changes wait for the writer");
    log_wake(in->config.log);
    pthread_mutex_lock(&in->lock);
    while (!j->is_done)
        pthread_cond_wait(&in->moved, &in->lock);
    pthread_mutex_unlock(&in->lock);
    return j->status;
}

enum status ingest_run(struct ingest *in, ingest_job *job, void *ctx, struct error *err)
{
    struct error text;
    struct job j = {.run = job, .ctx = ctx, .err = err ? err : &text};
    return post(in, &j, err);
}

struct rederiving {
    struct ingest *in;
    struct rederive_report report;
};

/* How many plays and segments there are, and all of their rows as one number. */
static enum status count_derived(struct store_conn *c, int64_t *ret_plays, int64_t *ret_segments,
                                 int64_t *ret_rows, struct error *err)
{
    TRY(store_query_int(c, "select count(*) from play", NULL, 0, 0, ret_plays, err));
    TRY(store_query_int(c, "select count(*) from segment", NULL, 0, 0, ret_segments, err));
    return store_query_int(c, "select (hash((select bit_xor(hash(p)) from play p),"
                              " (select bit_xor(hash(s)) from segment s)) // 2)::bigint",
                           NULL, 0, 0, ret_rows, err);
}

static enum status rederive_job(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    struct rederiving *g = ctx;
    struct rederive_report *r = &g->report;
    int64_t before, after;
    TRY(count_derived(c, &r->plays_before, &r->segments_before, &before, err));
    g->in->rederive_percent = 0;
    enum status s = derive_all(c, &g->in->config.knobs, &g->in->rederive_percent, err);
    g->in->rederive_percent = -1;
    TRY(s);
    TRY(count_derived(c, &r->plays_after, &r->segments_after, &after, err));
    r->is_changed = before != after;
    return STATUS_OK;
}

enum status ingest_rederive(struct ingest *in, struct rederive_report *ret, struct error *err)
{
    struct rederiving g = {.in = in};
    TRY(ingest_run(in, rederive_job, &g, err));
    if (ret)
        *ret = g.report;
    return STATUS_OK;
}

int ingest_rederive_percent(struct ingest *in)
{
    return in->rederive_percent;
}

const struct knobs *ingest_knobs(const struct ingest *in)
{
    return &in->config.knobs;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Whether the record only moves on what a known session does: then it may wait. */
static enum status peek(void *ctx, const struct log_record *r, struct error *err)
{
    (void)err;
    struct ingest *in = ctx;
    in->peeked = r->seq;
    in->waiting++;
    if (in->must_apply)
        return STATUS_OK;
    auto_arena struct arena a = {0};
    struct observation o;
    in->must_apply = true;
    if (r->kind != LOG_OBSERVATION || read_observation(r, &a, &o, NULL) != STATUS_OK)
        return STATUS_OK;
    const struct session *s = session_find(in, session_key(&a, &o));
    in->must_apply = !s || o.blind_ms || !observation_same_but_progress(&s->last, &o);
    return STATUS_OK;
}

static bool is_wanted(struct ingest *in)
{
    pthread_mutex_lock(&in->lock);
    bool is = in->wanted > in->position;
    pthread_mutex_unlock(&in->lock);
    return is;
}

/* Whether what is in the log has to be applied now. */
static bool is_due(struct ingest *in, struct error *err)
{
    int64_t patience_us = in->config.progress_us;
    if (log_last(in->config.log) <= in->position)
        return false;
    if (patience_us < 0 || is_wanted(in) || queue_length(in->jobs))
        return true;
    if (!in->waiting)
        in->waiting_since_us = clock_monotonic_us();
    if (in->peeked < in->position)
        in->peeked = in->position;
    if (log_read(in->config.log, in->peeked, in->config.batch_max, peek, in, err) != STATUS_OK)
        return true; /* says so again when it is applied */
    return in->must_apply || in->waiting >= in->config.batch_max ||
           clock_monotonic_us() - in->waiting_since_us >= patience_us;
}

static void *run(void *arg)
{
    struct ingest *in = arg;
    logger_set_thread("writer");
    while (!in->is_stopping) {
        int64_t seen = in->peeked > in->position ? in->peeked : in->position;
        (void)log_wait(in->config.log, seen, US_PER_S);
        struct error err;
        if (is_due(in, &err) && apply_all(in, &err) != STATUS_OK) {
            log_error("ingest", "a batch was not applied; trying again",
                      LF_INT("position", in->position), LF_ERROR(&err));
            if (!queue_length(in->jobs))
                (void)log_wait(in->config.log, INT64_MAX, RETRY_US);
        }
        struct job *j;
        while ((j = queue_pop(in->jobs, 0))) {
            if (apply_all(in, &err) != STATUS_OK)
                log_error("ingest", "a batch was not applied before a job",
                          LF_INT("position", in->position), LF_ERROR(&err));
            run_job(in, j);
        }
        checkpoint(in, false);
    }
    return NULL;
}

/* --- public -------------------------------------------------------------------------------- */

/* A log that was lost or begun anew counts from 1 again: the store follows it. */
static enum status match_position(struct ingest *in, struct error *err)
{
    int64_t last = log_last(in->config.log);
    if (in->position <= last)
        return STATUS_OK;
    log_warn("ingest", "the log is older than the store; going on from the log's end",
             LF_INT("store", in->position), LF_INT("log", last));
    in->position = last;
    return store_transaction(in->conn, skip_record, in, err);
}

static void ingest_free(struct ingest *in)
{
    forget_sessions(in);
    free(in->rows);
    free(in->keys);
    buf_done(&in->stale);
    queue_free(in->jobs);
    dims_free(in->dims);
    store_disconnect(in->conn);
    pthread_mutex_destroy(&in->lock);
    pthread_cond_destroy(&in->moved);
    free(in);
}

enum status ingest_start(const struct ingest_config *c, struct ingest **ret, struct error *err)
{
    struct ingest *in = xcalloc(1, sizeof *in);
    in->config = *c;
    in->rederive_percent = -1;
    if (!in->config.batch_max)
        in->config.batch_max = INGEST_BATCH_MAX;
    if (!in->config.progress_us)
        in->config.progress_us = PROGRESS_WAIT_US;
    pthread_mutex_init(&in->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&in->moved, &attr);
    pthread_condattr_destroy(&attr);
    in->dims = dims_new(c->lookup, c->lookup_ctx);
    in->jobs = queue_new(JOBS_MAX);
    in->checkpointed_us = clock_monotonic_us();
    enum status s = store_connect(c->store, &in->conn, err);
    if (s == STATUS_OK)
        s = reload(in, err);
    if (s == STATUS_OK)
        s = match_position(in, err);
    if (s == STATUS_OK)
        s = apply_all(in, err);
    if (s == STATUS_OK && pthread_create(&in->thread, NULL, run, in) != 0)
        s = fail(err, STATUS_INTERNAL, "the writer's thread did not start");
    if (s != STATUS_OK) {
        ingest_free(in);
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
    queue_close(in->jobs);
    log_wake(in->config.log);
    pthread_join(in->thread, NULL);
    struct job *j;
    while ((j = queue_pop(in->jobs, 0)))
        end_job(in, j, fail(j->err, STATUS_UNAVAILABLE, "the writer is stopping"));
    struct error err;
    if (apply_all(in, &err) != STATUS_OK)
        log_warn("ingest", "the rest of the log is applied at the next start", LF_ERROR(&err));
    checkpoint(in, true);
    ingest_free(in);
}

struct open_list {
    struct ingest *ingest;
    struct arena *arena;
    struct observation *list;
    size_t count;
};

static enum status list_open(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)c;
    (void)d;
    (void)err;
    struct open_list *l = ctx;
    struct session *s, *next;
    l->list = arena_alloc(l->arena, (HASH_COUNT(l->ingest->sessions) + 1) * sizeof *l->list);
    HASH_ITER(hh, l->ingest->sessions, s, next)
        observation_copy(l->arena, &s->last, &l->list[l->count++]);
    return STATUS_OK;
}

const struct observation *ingest_open_sessions(struct ingest *in, struct arena *a, size_t *ret_count)
{
    struct open_list l = {.ingest = in, .arena = a};
    struct error err;
    struct job j = {.run = list_open, .ctx = &l, .is_reading = true, .err = &err};
    *ret_count = 0;
    if (post(in, &j, &err) != STATUS_OK)
        return arena_alloc(a, sizeof *l.list);
    *ret_count = l.count;
    return l.list;
}

struct position_of {
    const char *server;
    struct arena *arena;
    const char *position;
};

static enum status read_position(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    struct position_of *p = ctx;
    auto_free char *name = xasprintf(POSITION_PREFIX "%s", p->server);
    struct store_value v[] = {sv_text(name)};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select value from setting where name = $1", v, 1, &r, err));
    if (cursor_next(&r)) {
        struct str text = cursor_text(&r, 0);
        p->position = arena_strndup(p->arena, text.ptr, text.len);
    }
    return STATUS_OK;
}

const char *ingest_position(struct ingest *in, const char *server, struct arena *a)
{
    struct position_of p = {.server = server, .arena = a};
    struct error err;
    struct job j = {.run = read_position, .ctx = &p, .is_reading = true, .err = &err};
    return post(in, &j, &err) == STATUS_OK ? p.position : NULL;
}

bool ingest_wait(struct ingest *in, int64_t seq, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % US_PER_S * 1000;
    until.tv_sec += (time_t)(timeout_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&in->lock);
    if (in->wanted < seq)
        in->wanted = seq;
    pthread_mutex_unlock(&in->lock);
    log_wake(in->config.log);
    pthread_mutex_lock(&in->lock);
    int rc = 0;
    while (in->applied < seq && rc == 0)
        rc = pthread_cond_timedwait(&in->moved, &in->lock, &until);
    bool ok = in->applied >= seq;
    pthread_mutex_unlock(&in->lock);
    return ok;
}

void ingest_get_stats(struct ingest *in, struct ingest_stats *ret)
{
    pthread_mutex_lock(&in->lock);
    int64_t position = in->applied;
    pthread_mutex_unlock(&in->lock);
    *ret = (struct ingest_stats){position, in->skipped, in->failures};
}
