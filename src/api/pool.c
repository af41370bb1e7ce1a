#include "api/pool.h"

#include <pthread.h>

#include "api/request.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/queue.h"

#include "base/banned.h"

enum { WORKERS_MOST = 16 };

struct job {
    struct request *request; /* or: */
    void (*call)(void *ctx, struct store_conn *c);
    void *ctx;
};

struct worker {
    struct pool *pool;
    struct store_conn *conn;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards request and deadline_us */
    struct request *request;
    int64_t deadline_us;
};

struct pool {
    struct pool_config config;
    struct queue *queue;
    struct worker workers[WORKERS_MOST];
    unsigned worker_count;
    pthread_t ticker;
    bool has_ticker;
    _Atomic bool is_stopping;
};

static void set_current(struct worker *w, struct request *r, int64_t most_us)
{
    pthread_mutex_lock(&w->mutex);
    w->request = r;
    w->deadline_us = clock_monotonic_us() + most_us;
    pthread_mutex_unlock(&w->mutex);
}

static void run_request(struct worker *w, struct request *r)
{
    if (w->pool->is_stopping) {
        request_failf(r, STATUS_UNAVAILABLE, "", "the server is stopping");
        return;
    }
    if (http_is_gone(r->x)) {
        request_failf(r, STATUS_CANCELLED, "", "the client has gone");
        return;
    }
    logger_set_request(http_request_id(r->x));
    r->conn = w->conn;
    set_current(w, r, w->pool->config.most_us);
    r->watch = w;
    r->route->handle(r);
    logger_set_request(NULL);
}

void pool_extend(struct request *r)
{
    if (r->watch != NULL)
        set_current(r->watch, r, r->watch->pool->config.most_us);
}

void pool_allow(struct request *r, int64_t most_us)
{
    if (r->watch != NULL)
        set_current(r->watch, r, most_us);
}

void pool_forget(struct request *r)
{
    struct worker *w = r->watch;
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->mutex);
    w->request = NULL;
    pthread_mutex_unlock(&w->mutex);
    r->watch = NULL;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    logger_set_thread("query");
    while (true) {
        struct job *j = queue_pop(w->pool->queue, -1);
        if (j == NULL)
            return NULL;
        if (j->request != NULL)
            run_request(w, j->request);
        else if (!w->pool->is_stopping)
            j->call(j->ctx, w->conn);
        free(j);
    }
}

static void *tick(void *arg)
{
    struct pool *p = arg;
    logger_set_thread("ticker");
    while (!p->is_stopping) {
        usleep(200 * 1000);
        for (unsigned i = 0; i < p->worker_count; i++) {
            struct worker *w = &p->workers[i];
            pthread_mutex_lock(&w->mutex);
            if (w->request != NULL) {
                bool is_late = clock_monotonic_us() > w->deadline_us;
                if (is_late)
                    w->request->is_timed_out = true;
                if (is_late || http_is_gone(w->request->x))
                    store_interrupt(w->conn);
            }
            pthread_mutex_unlock(&w->mutex);
        }
        if (p->config.tick != NULL)
            p->config.tick(p->config.ctx);
    }
    return NULL;
}

enum status pool_start(const struct pool_config *c, struct pool **ret, struct error *err)
{
    struct pool *p = xcalloc(1, sizeof *p);
    p->config = *c;
    unsigned workers = c->workers == 0 ? 2 : c->workers;
    if (workers > WORKERS_MOST)
        workers = WORKERS_MOST;
    p->config.most_waiting = c->most_waiting == 0 ? 64 : c->most_waiting;
    p->queue = queue_new(p->config.most_waiting);
    enum status s = STATUS_OK;
    for (unsigned i = 0; i < workers && s == STATUS_OK; i++) {
        struct worker *w = &p->workers[i];
        w->pool = p;
        s = store_connect(c->store, &w->conn, err);
        if (s != STATUS_OK)
            break;
        pthread_mutex_init(&w->mutex, NULL);
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            store_disconnect(w->conn);
            s = fail(err, STATUS_UNAVAILABLE, "no thread for queries");
            break;
        }
        p->worker_count++;
    }
    if (s == STATUS_OK) {
        p->has_ticker = pthread_create(&p->ticker, NULL, tick, p) == 0;
        if (!p->has_ticker)
            s = fail(err, STATUS_UNAVAILABLE, "no thread for deadlines");
    }
    if (s != STATUS_OK) {
        pool_stop(p);
        return s;
    }
    *ret = p;
    return STATUS_OK;
}

void pool_close(struct pool *p)
{
    if (p == NULL || p->is_stopping)
        return;
    p->is_stopping = true;
    queue_close(p->queue);
    if (p->has_ticker)
        pthread_join(p->ticker, NULL);
    for (unsigned i = 0; i < p->worker_count; i++) {
        struct worker *w = &p->workers[i];
        pthread_mutex_lock(&w->mutex);
        if (w->request != NULL)
            store_interrupt(w->conn);
        pthread_mutex_unlock(&w->mutex);
    }
    for (unsigned i = 0; i < p->worker_count; i++)
        pthread_join(p->workers[i].thread, NULL);
}

void pool_stop(struct pool *p)
{
    if (p == NULL)
        return;
    pool_close(p);
    for (unsigned i = 0; i < p->worker_count; i++) {
        store_disconnect(p->workers[i].conn);
        pthread_mutex_destroy(&p->workers[i].mutex);
    }
    queue_free(p->queue);
    free(p);
}

static bool push(struct pool *p, struct job from)
{
    struct job *j = xmalloc(sizeof *j);
    *j = from;
    if (queue_try_push(p->queue, j))
        return true;
    free(j);
    return false;
}

bool pool_submit(struct pool *p, struct request *r)
{
    return push(p, (struct job){.request = r});
}

bool pool_call(struct pool *p, void (*call)(void *ctx, struct store_conn *c), void *ctx)
{
    return push(p, (struct job){.call = call, .ctx = ctx});
}

void pool_get_stats(struct pool *p, struct pool_stats *ret)
{
    *ret = (struct pool_stats){.waiting = queue_length(p->queue),
                               .most_waiting = p->config.most_waiting,
                               .workers = p->worker_count};
    for (unsigned i = 0; i < p->worker_count; i++) {
        struct worker *w = &p->workers[i];
        pthread_mutex_lock(&w->mutex);
        ret->busy += w->request != NULL;
        pthread_mutex_unlock(&w->mutex);
    }
}
