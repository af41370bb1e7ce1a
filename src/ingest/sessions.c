#include "ingest/sessions.h"

#include <inttypes.h>
#include <uthash.h>

#include "base/clock.h"
#include "ingest/machine.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

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

struct sessions {
    struct writer *w;
    struct session *open;
    int64_t next_row;

    /* Of the batch. */
    struct done_row *rows;
    size_t row_count, row_room;
    struct buf stale; /* ids of stored rows that are written again, comma separated */
};

/* --- sessions in memory -------------------------------------------------------------------- */

static void session_free(struct session *s)
{
    arena_done(&s->arena);
    arena_done(&s->facts_arena);
    free(s->record);
    free(s->key);
    free(s);
}

static void forget_session(struct sessions *all, struct session *s)
{
    HASH_DEL(all->open, s);
    session_free(s);
}

static void forget_batch(struct sessions *all)
{
    for (size_t i = 0; i < all->row_count; i++)
        free(all->rows[i].record);
    all->row_count = 0;
    buf_clear(&all->stale);
}

static void forget_sessions(struct sessions *all)
{
    struct session *s, *next;
    HASH_ITER(hh, all->open, s, next)
        forget_session(all, s);
    forget_batch(all);
}

struct sessions *sessions_new(struct writer *w)
{
    struct sessions *all = xcalloc(1, sizeof *all);
    all->w = w;
    return all;
}

void sessions_free(struct sessions *all)
{
    forget_sessions(all);
    free(all->rows);
    buf_done(&all->stale);
    free(all);
}

static struct session *session_find(const struct sessions *all, const char *key)
{
    struct session *s = NULL;
    HASH_FIND_STR(all->open, key, s);
    return s;
}

static struct session *session_add(struct sessions *all, const char *key, int64_t segment_id)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->key = xstrdup(key);
    s->segment_id = segment_id;
    s->paused_since_us = TIME_NONE;
    HASH_ADD_KEYPTR(hh, all->open, s->key, strlen(s->key), s);
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
static void end_row(struct sessions *all, struct session *s)
{
    if (!s->is_row_dirty)
        return;
    if (s->is_row_stored)
        buf_printf(&all->stale, "%s%" PRId64, all->stale.len ? "," : "", s->row_id);
    *GROW(all->rows, all->row_count, all->row_room) =
        (struct done_row){s->row_id, s->segment_id, s->row, s->record};
    s->record = NULL;
    s->is_row_dirty = false;
}

static void begin_row(struct sessions *all, struct session *s, const struct state_row *row,
                      struct str record)
{
    end_row(all, s);
    free(s->record);
    s->record = xstrndup(record.ptr, record.len);
    s->row = *row;
    s->row_id = all->next_row++;
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

/* --- applying -------------------------------------------------------------------------------- */

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
static enum status has_ended(struct sessions *all, const struct observation *o, bool *ret,
                             struct error *err)
{
    int32_t server;
    TRY(dims_server(all->w->dims, all->w->conn, o->server, &server, err));
    struct store_value v[] = {sv_int(server), sv_text(o->session)};
    int64_t known;
    TRY(store_query_int(all->w->conn, "select count(*) from session_in where server_id = $1"
                                  " and session = $2", v, 2, 0, &known, err));
    *ret = known > 0;
    return STATUS_OK;
}

static enum status begin_session(struct sessions *all, struct session *s, const struct observation *o,
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
    begin_row(all, s, &first, record);
    note_pause(s, &first);
    keep(&s->facts_arena, &s->facts, o);
    s->is_dirty = true;
    return dims_resolve(all->w->dims, all->w->conn, o, &s->ids, err);
}

/* What the facts point at changes; who and what do not, else it would be another session. */
static enum status change_facts(struct sessions *all, struct session *s, const struct observation *o,
                                struct error *err)
{
    struct fact_ids ids;
    TRY(dims_resolve(all->w->dims, all->w->conn, o, &ids, err));
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
static bool is_past_pause_cap(const struct sessions *all, const struct session *s,
                              const struct observation *o)
{
    return s->state == SESSION_PAUSED && s->paused_since_us != TIME_NONE &&
           o->state != PLAY_PAUSED && o->state != PLAY_STOPPED &&
           o->observed_us - s->paused_since_us > all->w->knobs->pause_cap_us;
}

static enum status save_facts(struct sessions *all, struct session *s, bool is_ended,
                              struct error *err);

enum status sessions_apply(struct sessions *all, const struct log_record *r, struct error *err)
{
    auto_arena struct arena a = {0};
    struct observation o;
    struct error why;
    if (read_observation(r, &a, &o, &why) != STATUS_OK) {
        writer_skip(all->w, r, why.text);
        return STATUS_OK;
    }
    const char *key = session_key(&a, &o);
    struct session *s = session_find(all, key);
    enum session_state to = SESSION_NONE;
    if (!session_next(s ? s->state : SESSION_NONE, o.state, &to))
        return STATUS_OK;
    if (s && is_past_pause_cap(all, s, &o)) {
        s->row.last_us = o.observed_us; /* the pause lasted, which is why it does not count */
        s->is_row_dirty = true;
        end_row(all, s);
        writer_touch(all->w, &s->ids);
        TRY(save_facts(all, s, true, err));
        forget_session(all, s);
        s = session_add(all, key, all->w->next_input++);
        TRY(begin_session(all, s, &o, r->payload, err));
    } else if (!s) {
        bool is_late;
        TRY(has_ended(all, &o, &is_late, err));
        if (is_late)
            return STATUS_OK;
        s = session_add(all, key, all->w->next_input++);
        TRY(begin_session(all, s, &o, r->payload, err));
    } else {
        bool facts_same = observation_same_but_progress(&s->last, &o);
        struct state_row before = s->row;
        struct fold f = fold_observation(&s->row, &o, facts_same, all->w->knobs);
        if (memcmp(&before, &s->row, sizeof before) != 0)
            s->is_row_dirty = true;
        if (f.is_new_row) {
            begin_row(all, s, &f.next, r->payload);
            note_pause(s, &f.next);
            if (o.state != PLAY_STOPPED)
                TRY(change_facts(all, s, &o, err));
        }
    }
    s->state = to;
    if (to == SESSION_ENDED)
        s->is_dirty = true;
    keep(&s->arena, &s->last, &o);
    writer_touch(all->w, &s->ids);
    return STATUS_OK;
}

/* --- writing rows -------------------------------------------------------------------------- */

static enum status save_rows(struct sessions *all, struct error *err)
{
    if (all->stale.len) {
        auto_free char *sql = xasprintf("delete from observation where observation_id in (%s)",
                                        buf_text(&all->stale));
        TRY(store_exec(all->w->conn, sql, err));
    }
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(all->w->conn, NULL, "observation", &a, err));
    for (size_t i = 0; i < all->row_count; i++) {
        const struct done_row *d = &all->rows[i];
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

static enum status save_facts(struct sessions *all, struct session *s, bool is_ended,
                              struct error *err)
{
    if (s->is_stored)
        TRY(writer_exec(all->w, "delete from session_in where segment_id = $1",
                        (struct store_value[]){sv_int(s->segment_id)}, 1, err));
    const struct observation *f = &s->facts;
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(all->w->conn, NULL, "session_in", &a, err));
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

enum status sessions_save(struct sessions *all, struct error *err)
{
    struct session *s, *next;
    HASH_ITER(hh, all->open, s, next) {
        if (s->is_dirty)
            TRY(save_facts(all, s, s->state == SESSION_ENDED, err));
        if (!s->is_row_dirty)
            continue;
        auto_free char *record = xstrdup(s->record);
        end_row(all, s);
        s->record = steal_ptr(&record);
        s->is_row_stored = true;
    }
    return save_rows(all, err);
}

void sessions_saved(struct sessions *all)
{
    struct session *s, *next;
    HASH_ITER(hh, all->open, s, next)
        if (s->state == SESSION_ENDED)
            forget_session(all, s);
    forget_batch(all);
}

/* --- loading --------------------------------------------------------------------------------- */

/* An open session's rows, read back in order: the last one is the one that may still change. */
static enum status load_row(struct sessions *all, const struct cursor *r, struct error *err)
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
    struct session *s = session_find(all, key);
    if (!s) {
        s = session_add(all, key, segment_id);
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

enum status sessions_load(struct sessions *all, struct error *err)
{
    forget_sessions(all);
    TRY(store_query_int(all->w->conn, "select 1 + coalesce(max(observation_id), 0) from observation",
                        NULL, 0, 1, &all->next_row, err));
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(all->w->conn,
                    "select o.observation_id, o.segment_id, o.first_at, o.last_at, o.head_at,"
                    " o.moved_at, o.first_position_ms, o.last_position_ms, o.blind_ms,"
                    " o.is_interrupted, o.record::varchar, s.session, o.state, s.server_id,"
                    " s.account_id, s.title_id, s.library_id, s.device_id, s.quality_id,"
                    " s.address_id from observation o join session_in s using (segment_id)"
                    " where not s.is_ended order by o.segment_id, o.observation_id",
                    NULL, 0, &r, err));
    while (cursor_next(&r))
        TRY(load_row(all, &r, err));
    return STATUS_OK;
}

/* --- asking ---------------------------------------------------------------------------------- */

bool sessions_is_progress(const struct sessions *all, const struct log_record *r)
{
    auto_arena struct arena a = {0};
    struct observation o;
    if (r->kind != LOG_OBSERVATION || read_observation(r, &a, &o, NULL) != STATUS_OK)
        return false;
    const struct session *s = session_find(all, session_key(&a, &o));
    return s && !o.blind_ms && observation_same_but_progress(&s->last, &o);
}

struct observation *sessions_list(const struct sessions *all, struct arena *a, size_t *ret_count)
{
    struct observation *list = arena_alloc(a, (HASH_COUNT(all->open) + 1) * sizeof *list);
    struct session *s, *next;
    size_t count = 0;
    HASH_ITER(hh, all->open, s, next)
        observation_copy(a, &s->last, &list[count++]);
    *ret_count = count;
    return list;
}
