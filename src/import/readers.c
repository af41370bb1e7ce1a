#include "import/readers.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/logger.h"
#include "store/cursor.h"

#include "base/banned.h"

enum { SLOTS = 8 }; /* chunks that are being read, wait, or are being written */

struct reader {
    struct readers *all;
    unsigned number;
    struct tautulli *file;
    struct store_conn *conn; /* NULL: nothing is known */
    pthread_t thread;
    bool is_started;
};

struct readers {
    struct readers_config config;
    struct reader reader[READERS_MOST];
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* All below: guarded by lock. */
    int64_t next_number, next_after; /* the chunk that is to be read next */
    int64_t wanted;                  /* the chunk that is to be handed on next */
    int64_t end;                     /* how many chunks there are; INT64_MAX: not known yet */
    struct import_chunk *ready[SLOTS];
    struct import_chunk *idle[SLOTS];
    size_t idle_count, out_count;    /* out: handed on, not given back yet */
    struct error error;
    bool has_failed;
};

/* --- the threads ------------------------------------------------------------------------------- */

static enum status read_known(struct reader *r, struct import_chunk *c, struct error *err)
{
    if (!r->conn)
        return STATUS_OK;
    struct store_value v[] = {{.kind = SV_INT, .i = r->all->config.server},
                              {.kind = SV_INT, .i = c->after},
                              {.kind = SV_INT, .i = c->last}};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(r->conn,
                    "select s.source_row, s.started, s.segment_in_id, i.state = 'undone'"
                    " from segment_in s join import i using (import_id)"
                    " where s.server_id = $1 and s.source_row > $2 and s.source_row <= $3"
                    " and i.source = 'tautulli' and i.state in ('done', 'undone')"
                    " order by s.source_row, s.segment_in_id", v, ARRAY_LEN(v), &q, err));
    while (cursor_next(&q)) {
        if (c->known_count == c->known_room) {
            c->known_room = c->known_room ? c->known_room * 2 : 1024;
            c->known = xreallocarray(c->known, c->known_room, sizeof *c->known);
        }
        c->known[c->known_count++] = (struct known_row){.source_row = cursor_int(&q, 0, 0),
                                                        .started_us = cursor_int(&q, 1, 0),
                                                        .id = cursor_int(&q, 2, 0),
                                                        .is_undone = cursor_int(&q, 3, 0) == 1};
    }
    return STATUS_OK;
}

/* With the lock held: takes the next chunk to read, or NULL when there is none any more. */
static struct import_chunk *take_work(struct reader *r, int64_t *ret_number, enum status *ret,
                                      struct error *err)
{
    struct readers *all = r->all;
    while (!all->stop && !all->has_failed && all->end == INT64_MAX &&
           all->next_number - all->wanted + (int64_t)all->out_count >= SLOTS)
        pthread_cond_wait(&all->moved, &all->lock);
    if (all->stop || all->has_failed || all->end != INT64_MAX)
        return NULL;
    int64_t last;
    bool is_end;
    *ret = tautulli_bound(r->file, all->next_after, all->config.chunk_rows, &last, &is_end, err);
    if (*ret != STATUS_OK)
        return NULL;
    if (is_end) {
        all->end = all->next_number;
        pthread_cond_broadcast(&all->moved);
        return NULL;
    }
    struct import_chunk *c = all->idle_count ? all->idle[--all->idle_count] : chunk_new();
    chunk_clear(c);
    c->reader = r->number;
    c->after = all->next_after;
    c->last = last;
    all->next_after = last;
    *ret_number = all->next_number++;
    return c;
}

static enum status read_all(struct reader *r, struct error *err)
{
    struct readers *all = r->all;
    for (;;) {
        int64_t number = 0;
        enum status s = STATUS_OK;
        pthread_mutex_lock(&all->lock);
        struct import_chunk *c = take_work(r, &number, &s, err);
        pthread_mutex_unlock(&all->lock);
        if (!c)
            return s;
        s = read_known(r, c, err);
        if (s == STATUS_OK)
            s = tautulli_read(r->file, c, err);
        if (s != STATUS_OK) {
            chunk_free(c);
            return s;
        }
        pthread_mutex_lock(&all->lock);
        all->ready[number % SLOTS] = c;
        pthread_cond_broadcast(&all->moved);
        pthread_mutex_unlock(&all->lock);
    }
}

static void *run(void *arg)
{
    struct reader *r = arg;
    logger_set_thread("import");
    struct error err = {0};
    if (read_all(r, &err) != STATUS_OK) {
        pthread_mutex_lock(&r->all->lock);
        if (!r->all->has_failed)
            r->all->error = err;
        r->all->has_failed = true;
        pthread_cond_broadcast(&r->all->moved);
        pthread_mutex_unlock(&r->all->lock);
    }
    return NULL;
}

/* --- public ------------------------------------------------------------------------------------ */

static enum status any_known(struct readers *r, bool *ret, struct error *err)
{
    *ret = false;
    if (!r->config.server)
        return STATUS_OK;
    struct store_conn *conn = NULL;
    TRY(store_connect(r->config.store, &conn, err));
    struct store_value v[] = {{.kind = SV_INT, .i = r->config.server}};
    int64_t n = 0;
    enum status s = store_query_int(conn, "select count(*) from import where server_id = $1 and"
                                          " source = 'tautulli' and state in ('done', 'undone')",
                                    v, 1, 0, &n, err);
    store_disconnect(conn);
    *ret = n > 0;
    return s;
}

static enum status start_reader(struct readers *all, unsigned number, bool has_known,
                                struct error *err)
{
    struct reader *r = &all->reader[number];
    r->all = all;
    r->number = number;
    TRY(tautulli_open(all->config.path, &all->stop, &r->file, err));
    if (all->config.owner >= 0)
        tautulli_set_owner(r->file, all->config.owner);
    if (has_known)
        TRY(store_connect(all->config.store, &r->conn, err));
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        return fail(err, STATUS_INTERNAL, "a thread to read the file did not start");
    r->is_started = true;
    return STATUS_OK;
}

enum status readers_start(const struct readers_config *c, struct readers **ret, struct error *err)
{
    struct readers *r = xcalloc(1, sizeof *r);
    r->config = *c;
    if (!c->chunk_rows || c->chunk_rows > IMPORT_CHUNK_ROWS)
        r->config.chunk_rows = IMPORT_CHUNK_ROWS;
    r->next_after = c->after;
    r->end = INT64_MAX;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->moved, &attr);
    pthread_condattr_destroy(&attr);
    bool has_known = false;
    enum status s = any_known(r, &has_known, err);
    for (unsigned i = 0; i < c->threads && s == STATUS_OK; i++)
        s = start_reader(r, i, has_known, err);
    if (s != STATUS_OK) {
        readers_stop(r);
        return s;
    }
    *ret = r;
    return STATUS_OK;
}

enum status readers_next(struct readers *r, int64_t timeout_us, struct import_chunk **ret,
                         bool *ret_is_end, struct error *err)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % US_PER_S * 1000;
    until.tv_sec += (time_t)(timeout_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&r->lock);
    struct import_chunk **slot = &r->ready[r->wanted % SLOTS];
    int rc = 0;
    while (!*slot && !r->has_failed && r->wanted < r->end && rc == 0)
        rc = pthread_cond_timedwait(&r->moved, &r->lock, &until);
    *ret = steal_ptr(slot);
    *ret_is_end = !*ret && r->wanted >= r->end;
    enum status s = STATUS_OK;
    if (*ret) {
        r->wanted++;
        r->out_count++;
    } else if (r->has_failed) {
        s = fail(err, r->error.status, "%s", r->error.text);
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

void readers_recycle(struct readers *r, struct import_chunk *c)
{
    pthread_mutex_lock(&r->lock);
    r->out_count--;
    r->idle[r->idle_count++] = c;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}

void readers_stop(struct readers *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < READERS_MOST; i++) {
        if (r->reader[i].is_started)
            pthread_join(r->reader[i].thread, NULL);
        tautulli_close(r->reader[i].file);
        store_disconnect(r->reader[i].conn);
    }
    for (size_t i = 0; i < SLOTS; i++)
        chunk_free(r->ready[i]);
    for (size_t i = 0; i < r->idle_count; i++)
        chunk_free(r->idle[i]);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->moved);
    free(r);
}
