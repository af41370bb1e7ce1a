#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/queue.h"
#include "ingest/items.h"
#include "ingest/names.h"
#include "ingest/people.h"
#include "ingest/servers.h"
#include "ingest/sessions.h"
#include "ingest/titles.h"
#include "ingest/views.h"
#include "ingest/writer.h"
#include "store/cursor.h"

#include "base/banned.h"

enum { RECORD_BYTES_MAX = 64 * 1024 * 1024, CHECKPOINT_RECORDS = 20000, JOBS_MAX = 64 };
#define CHECKPOINT_US (15 * US_PER_MIN)
#define CHECKPOINT_AGAIN_US (30 * US_PER_S)
#define PROGRESS_WAIT_US (15 * US_PER_S)
#define RETRY_US (2 * US_PER_S)
#define MATCH_US (60 * US_PER_MIN)

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
    struct writer w;
    struct sessions *sessions;
    struct views views;
    struct items items;
    struct names *names;
    int64_t position, checkpointed, checkpointed_us;
    int64_t careful_until; /* a batch failed: up to here records are applied one by one */

    /* Mere progress that waits for company. */
    int64_t peeked, waiting_since_us;
    size_t waiting;
    bool must_apply; /* something in the log that does not wait, or the rest of it after a batch */

    struct queue *jobs;
    bool is_checkpoint_due;
    bool have_people_changed;  /* in the transaction that is open, or was last */
    atomic_bool is_match_due;
    int64_t matched_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int64_t applied, wanted; /* guarded by lock */
    atomic_int_least64_t failures;
    atomic_int rederive_percent;
    atomic_bool is_stopping;
};

/* --- the batch ----------------------------------------------------------------------------- */

static enum status apply_record(void *ctx, const struct log_record *r, struct error *err)
{
    struct ingest *in = ctx;
    struct writer *w = &in->w;
    in->position = r->seq;
    if (r->kind == LOG_NOTHING)
        return STATUS_OK;
    if (r->kind != LOG_VIEWS)
        TRY(views_apply(&in->views, w, err));
    if (r->kind != LOG_ITEMS)
        TRY(items_apply(&in->items, w, err));
    if (r->kind == LOG_OBSERVATION)
        return sessions_apply(in->sessions, r, err);
    auto_json json_t *j = NULL;
    struct error why = {0};
    if (json_parse(r->payload, RECORD_BYTES_MAX, 8, &j, &why) != STATUS_OK ||
        !*jstr(j, "server")) {
        writer_skip(w, r, *why.text ? why.text : "it names no server");
        return STATUS_OK;
    }
    switch (r->kind) {
    case LOG_COVERAGE:
        return apply_coverage(w, r, j, err);
    case LOG_ACCOUNTS:
        return apply_accounts(w, j, err);
    case LOG_LIBRARIES:
        return apply_libraries(w, j, err);
    case LOG_VIEWS:
        views_add(&in->views, steal_ptr(&j));
        return STATUS_OK;
    case LOG_SERVER:
        return apply_server(w, j, err);
    case LOG_POSITION:
        return apply_position(w, r, j, err);
    case LOG_ITEMS:
        items_add(&in->items, steal_ptr(&j));
        return STATUS_OK;
    case LOG_ITEMS_END:
        return items_end(w, r, j, err);
    case LOG_NOTHING:
    case LOG_OBSERVATION:
        break;
    }
    writer_skip(w, r, "its kind is not known");
    return STATUS_OK;
}

/* Whose accounts are, where anything has changed by which they are known. */
static enum status match_news(struct ingest *in, struct store_conn *c, struct error *err)
{
    in->have_people_changed = false;
    if (!dims_has_news_of_people(in->w.dims) && !in->w.has_new_names)
        return STATUS_OK;
    TRY(people_match(c, in->w.dims, 0, &in->have_people_changed, err));
    in->w.has_changes = in->w.has_changes || in->have_people_changed;
    return STATUS_OK;
}

/* Which rows are one title, where there are new ones; then the plays of what has moved by that, and of the
 * batch. */
static enum status derive(struct ingest *in, struct store_conn *c, struct error *err)
{
    const struct title_move *moves;
    size_t count;
    TRY(titles_match(dims_titles(in->w.dims), c, 0, &moves, &count, err));
    TRY(derive_moved(c, moves, count, in->w.keys, in->w.key_count, &in->config.knobs, err));
    in->w.has_changes = in->w.has_changes || count || in->w.key_count;
    return STATUS_OK;
}

static enum status apply_batch(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ctx;
    int64_t from;
    TRY(store_query_int(c, "select position from applied", NULL, 0, 0, &from, err));
    in->position = from;
    in->w.key_count = 0;
    in->w.has_changes = in->w.has_new_names = false;
    size_t most = from < in->careful_until ? 1 : in->config.batch_max;
    TRY(log_read(in->config.log, from, most, apply_record, in, err));
    TRY(views_apply(&in->views, &in->w, err));
    TRY(items_apply(&in->items, &in->w, err));
    TRY(sessions_save(in->sessions, err));
    TRY(derive(in, c, err));
    TRY(match_news(in, c, err));
    struct store_value v[] = {sv_int(in->position)};
    return writer_exec(&in->w, "update applied set position = $1", v, 1, err);
}

/* --- around the batch ------------------------------------------------------------------------ */

/* What is in memory, made again from the store: at the start and after a ROLLBACK. */
static enum status reload(struct ingest *in, struct error *err)
{
    struct store_conn *c = in->w.conn;
    views_forget(&in->views);
    items_forget(&in->items);
    TRY(dims_load(in->w.dims, c, err));
    TRY(input_next_id(c, &in->w.next_input, err));
    TRY(sessions_load(in->sessions, err));
    return store_query_int(c, "select position from applied", NULL, 0, 0, &in->position, err);
}

static bool is_behind(struct ingest *in)
{
    return log_last(in->config.log) > in->position;
}

static void tell(struct ingest *in)
{
    store_bump_data_version(in->config.store);
    if (in->config.applied)
        in->config.applied(in->config.ctx, store_data_version(in->config.store));
}

static void load_names(struct ingest *in)
{
    struct error err;
    if (names_load(in->names, in->w.conn, &err) != STATUS_OK)
        log_warn("ingest", "people and servers go by the names they had", LF_ERROR(&err));
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
    return writer_exec(&in->w, "update applied set position = $1", v, 1, err);
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
    if (store_transaction(in->w.conn, skip_record, in, &why) != STATUS_OK) {
        in->position = from;
        return s;
    }
    in->w.skipped++;
    log_error("ingest", "a record of the log cannot be applied and is left out",
              LF_INT("position", failed), LF_ERROR(err));
    announce(in);
    return STATUS_OK;
}

/* Applies one batch. */
static enum status step(struct ingest *in, struct error *err)
{
    enum status s = store_transaction(in->w.conn, apply_batch, in, err);
    if (s == STATUS_OK) {
        sessions_saved(in->sessions);
        if (dims_has_news_of_people(in->w.dims) || in->w.has_new_names)
            load_names(in);
        dims_set_news_of_people(in->w.dims, false);
        if (in->w.has_changes)
            tell(in);
        announce(in);
    } else {
        TRY(recover(in, s, err));
    }
    in->peeked = in->position;
    in->waiting = 0;
    in->must_apply = is_behind(in);
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
    if (store_checkpoint(in->w.conn, &position, &err) != STATUS_OK) {
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
    TRY(j->run(j->ctx, c, in->w.dims, err));
    in->w.has_new_names = false;
    in->w.key_count = 0;
    if (j->is_reading)
        return STATUS_OK;
    TRY(derive(in, c, err));
    return match_news(in, c, err);
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
    enum status s = store_transaction(in->w.conn, call_job, ctx, j->err);
    struct error why;
    if (s != STATUS_OK) {
        if (reload(in, &why) != STATUS_OK)
            log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
    } else if (!j->is_reading) {
        if (input_next_id(in->w.conn, &in->w.next_input, &why) != STATUS_OK)
            log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
        in->is_checkpoint_due = true; /* the log does not hold what a job wrote */
        dims_set_news_of_people(in->w.dims, false);
        load_names(in);
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

/* --- people -------------------------------------------------------------------------------------- */

/* Of a store that an older version has left, or after other rules. */
static enum status match_titles(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ctx;
    titles_doubt_all(dims_titles(in->w.dims));
    in->w.key_count = 0;
    return derive(in, c, err);
}

static enum status match_all(void *ctx, struct store_conn *c, struct error *err)
{
    struct ingest *in = ctx;
    return people_match(c, in->w.dims, 0, &in->have_people_changed, err);
}

/* Also where no account has changed: what they watched may speak against a name by now. */
static enum status match(struct ingest *in, struct error *err)
{
    in->is_match_due = false;
    in->matched_us = clock_monotonic_us();
    in->have_people_changed = false;
    TRY(store_transaction(in->w.conn, match_all, in, err));
    log_debug("ingest", "people are matched",
              LF_TEXT("changed", in->have_people_changed ? "yes" : "no"),
              LF_INT("took_us", clock_monotonic_us() - in->matched_us));
    if (in->have_people_changed) {
        in->is_checkpoint_due = true;
        load_names(in);
        tell(in);
    }
    return STATUS_OK;
}

static void match_when_due(struct ingest *in)
{
    struct error err, why;
    if (!in->is_match_due && clock_monotonic_us() - in->matched_us < MATCH_US)
        return;
    if (match(in, &err) == STATUS_OK)
        return;
    log_error("ingest", "people were not matched; they stay as they were", LF_ERROR(&err));
    if (reload(in, &why) != STATUS_OK)
        log_error("ingest", "the store cannot be read again", LF_ERROR(&why));
}

void ingest_match_people(struct ingest *in)
{
    in->is_match_due = true;
    log_wake(in->config.log);
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
    in->must_apply = !sessions_is_progress(in->sessions, r);
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
    if (!is_behind(in))
        return false;
    if (in->must_apply || patience_us < 0 || is_wanted(in) || queue_length(in->jobs))
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

/* A batch and a job take turns, so that neither a long log nor many jobs hold up the other. */
static void *run(void *arg)
{
    struct ingest *in = arg;
    logger_set_thread("writer");
    while (!in->is_stopping) {
        int64_t seen = in->peeked > in->position ? in->peeked : in->position;
        if (!in->must_apply && !queue_length(in->jobs) && !in->is_match_due)
            (void)log_wait(in->config.log, seen, US_PER_S);
        /* One that comes later may be about what this batch does not hold yet: it takes the next turn. */
        bool has_job = queue_length(in->jobs) > 0;
        struct error err;
        if (is_due(in, &err) && step(in, &err) != STATUS_OK) {
            log_error("ingest", "a batch was not applied; trying again",
                      LF_INT("position", in->position), LF_ERROR(&err));
            if (!queue_length(in->jobs))
                (void)log_wait(in->config.log, INT64_MAX, RETRY_US);
        }
        struct job *j = has_job ? queue_pop(in->jobs, 0) : NULL;
        if (j)
            run_job(in, j);
        match_when_due(in);
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
    return store_transaction(in->w.conn, skip_record, in, err);
}

static enum status apply_all(struct ingest *in, struct error *err)
{
    TRY(match_position(in, err));
    while (is_behind(in))
        TRY(step(in, err));
    return STATUS_OK;
}

static enum status ask_home(struct store_conn *c, char **ret_home, bool *ret_is_read_out,
                            struct error *err)
{
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select home, is_read_out from applied", NULL, 0, &r, err));
    if (!cursor_next(&r))
        return fail(err, STATUS_INTERNAL, "the store does not know how far it is");
    struct str home = cursor_text(&r, 0);
    *ret_home = xstrndup(home.ptr, home.len);
    *ret_is_read_out = cursor_int(&r, 1, 0);
    return STATUS_OK;
}

/* Another log than the one the position is of: it goes on where it was left, or begins. */
static enum status change_home(void *ctx, struct store_conn *c, struct error *err)
{
    (void)c;
    struct ingest *in = ctx;
    struct store_value home[] = {sv_text(log_home(in->config.log))};
    TRY(writer_exec(&in->w, "insert into applied_before select home, position from applied", NULL, 0,
                    err));
    TRY(writer_exec(&in->w, "update applied set home = $1, is_read_out = false, position = coalesce("
                            "(select position from applied_before where home = $1), 0)", home, 1,
                    err));
    return writer_exec(&in->w, "delete from applied_before where home = $1", home, 1, err);
}

/* The same records under another roof: a backup's file is the log now, with the numbers of the NATS
 * that it was copied from. */
static enum status take_home(void *ctx, struct store_conn *c, struct error *err)
{
    (void)c;
    struct ingest *in = ctx;
    struct store_value home[] = {sv_text(log_home(in->config.log))};
    TRY(writer_exec(&in->w, "delete from applied_before where home = $1", home, 1, err));
    return writer_exec(&in->w, "update applied set home = $1, is_read_out = false", home, 1, err);
}

static enum status apply_of(struct ingest *in, struct log *other, struct error *err)
{
    struct log *log = in->config.log;
    in->config.log = other;
    enum status s = apply_all(in, err);
    in->config.log = log;
    return s;
}

/* What a backup's file holds of the log that the position is of comes first, wherever that log is. */
static enum status apply_rest(struct ingest *in, const char *was, bool *ret_is, struct error *err)
{
    struct log *former = in->config.former;
    *ret_is = former && streq(was, log_rest_of(former));
    if (!*ret_is)
        return STATUS_OK;
    if (log_last(former) > in->position)
        TRY(apply_of(in, former, err));
    return log_rest_done(former, err);
}

static void tell_elsewhere(const struct ingest *in, const char *was, bool is_restored)
{
    log_warn("ingest", is_restored
                 ? "the data was restored from a backup whose log was in another NATS stream; all that"
                   " the backup held is applied. If that stream is still there, start and stop once with"
                   " NATS as it was: then what came after the backup is there, too"
                 : "the log was elsewhere, and its last records may not be applied: to have "
                   "them, start and stop once with NATS as it was",
             LF_TEXT("log", was), LF_INT("position", in->position));
}

/* Where the log has moved, its former home is read to the end first. */
static enum status follow_home(struct ingest *in, struct error *err)
{
    auto_free char *was = NULL;
    struct log *log = in->config.log;
    bool is_read_out = false, is_restored = false;
    TRY(ask_home(in->w.conn, &was, &is_read_out, err));
    TRY(apply_rest(in, was, &is_restored, err));
    if (streq(was, log_home(log)))
        return STATUS_OK;
    bool is_taken = streq(was, log_rest_of(log));
    if (in->config.former && streq(was, log_home(in->config.former)))
        TRY(apply_of(in, in->config.former, err));
    else if (!is_read_out && !streq(was, "sqlite")) /* that file is at hand, or there is none */
        tell_elsewhere(in, was, is_restored || is_taken);
    TRY(store_transaction(in->w.conn, is_taken ? take_home : change_home, in, err));
    TRY(log_rest_done(log, err));
    if (in->position)
        log_info("ingest", "the log has moved", LF_TEXT("from", was), LF_TEXT("to", log_home(log)));
    in->peeked = in->careful_until = 0;
    in->waiting = 0;
    TRY(reload(in, err));
    announce(in);
    return STATUS_OK;
}

/* Only of a home that the next start may not have at hand. */
static enum status note_read_out(struct ingest *in, bool is_read_out, struct error *err)
{
    if (streq(log_home(in->config.log), "sqlite"))
        return STATUS_OK;
    return store_exec(in->w.conn, is_read_out ? "update applied set is_read_out = true"
                                              : "update applied set is_read_out = false", err);
}

static void ingest_free(struct ingest *in)
{
    views_done(&in->views);
    items_done(&in->items);
    sessions_free(in->sessions);
    names_free(in->names);
    free(in->w.keys);
    queue_free(in->jobs);
    dims_free(in->w.dims);
    store_disconnect(in->w.conn);
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
    in->w = (struct writer){.dims = dims_new(c->lookup, c->lookup_ctx), .knobs = &in->config.knobs,
                            .lookup = c->lookup, .lookup_ctx = c->lookup_ctx};
    in->sessions = sessions_new(&in->w);
    in->names = names_new();
    in->jobs = queue_new(JOBS_MAX);
    in->checkpointed_us = clock_monotonic_us();
    enum status s = store_connect(c->store, &in->w.conn, err);
    if (s == STATUS_OK)
        s = reload(in, err);
    if (s == STATUS_OK)
        s = follow_home(in, err);
    if (s == STATUS_OK)
        s = note_read_out(in, false, err);
    if (s == STATUS_OK)
        s = apply_all(in, err);
    in->config.former = NULL;
    if (s == STATUS_OK)
        s = store_transaction(in->w.conn, match_titles, in, err);
    if (s == STATUS_OK)
        s = match(in, err);
    if (s == STATUS_OK)
        s = names_load(in->names, in->w.conn, err);
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
    if (is_behind(in) && step(in, &err) != STATUS_OK)
        log_warn("ingest", "the log is applied at the next start", LF_ERROR(&err));
    if (is_behind(in))
        log_info("ingest", "the rest of the log is applied at the next start",
                 LF_INT("records", log_last(in->config.log) - in->position));
    else if (note_read_out(in, true, &err) != STATUS_OK)
        log_warn("ingest", "it was not noted that the log is applied", LF_ERROR(&err));
    checkpoint(in, true);
    ingest_free(in);
}

struct asked {
    struct ingest *in;
    struct arena *arena;
    struct observation *open;
    size_t open_count;
    const char *const *servers;
    const char **positions;
    size_t server_count;
};

static enum status list_open(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)c;
    (void)d;
    (void)err;
    struct asked *k = ctx;
    k->open = sessions_list(k->in->sessions, k->arena, &k->open_count);
    return STATUS_OK;
}

const struct observation *ingest_open_sessions(struct ingest *in, struct arena *a, size_t *ret_count)
{
    struct asked k = {.in = in, .arena = a};
    struct error err;
    struct job j = {.run = list_open, .ctx = &k, .is_reading = true, .err = &err};
    *ret_count = 0;
    if (post(in, &j, &err) != STATUS_OK)
        return arena_alloc(a, sizeof *k.open);
    *ret_count = k.open_count;
    return k.open;
}

static enum status find_positions(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    struct asked *k = ctx;
    for (size_t i = 0; i < k->server_count; i++)
        TRY(read_position(c, k->servers[i], k->arena, &k->positions[i], err));
    return STATUS_OK;
}

void ingest_positions(struct ingest *in, const char *const *servers, size_t count, struct arena *a,
                      const char **ret)
{
    struct asked k = {.servers = servers, .server_count = count, .positions = ret, .arena = a};
    struct error err;
    struct job j = {.run = find_positions, .ctx = &k, .is_reading = true, .err = &err};
    if (post(in, &j, &err) != STATUS_OK)
        log_warn("ingest", "histories are read from their beginning", LF_ERROR(&err));
}

int32_t ingest_person(struct ingest *in, const char *server, const char *account_key, char *ret_name,
                      size_t size)
{
    return names_person(in->names, server, account_key, ret_name, size);
}

int32_t ingest_server(struct ingest *in, const char *key, char *ret_name, size_t size)
{
    return names_server(in->names, key, ret_name, size);
}

bool ingest_machine(struct ingest *in, const char *server, char *ret, size_t size)
{
    return names_machine(in->names, server, ret, size);
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
    *ret = (struct ingest_stats){position, in->w.skipped, in->failures};
}

