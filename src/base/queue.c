#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/mem.h"

#include "base/banned.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t has_items;
    bool is_closed;
    size_t capacity, head, count;
    void *items[];
};

struct queue *queue_new(size_t capacity)
{
    struct queue *q = xcalloc(1, sizeof *q + capacity * sizeof(void *));
    q->capacity = capacity;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&q->has_items, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->has_items);
    free(q);
}

bool queue_try_push(struct queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    bool ok = !q->is_closed && q->count < q->capacity;
    if (ok) {
        q->items[(q->head + q->count++) % q->capacity] = item;
        pthread_cond_signal(&q->has_items);
    }
    pthread_mutex_unlock(&q->lock);
    return ok;
}

void *queue_pop(struct queue *q, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_us >= 0) {
        int64_t ns = until.tv_nsec + timeout_us % 1000000 * 1000;
        until.tv_sec += (time_t)(timeout_us / 1000000 + ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
    }
    pthread_mutex_lock(&q->lock);
    int rc = 0;
    while (!q->count && !q->is_closed && rc != ETIMEDOUT) {
        if (timeout_us < 0)
            pthread_cond_wait(&q->has_items, &q->lock);
        else
            rc = pthread_cond_timedwait(&q->has_items, &q->lock, &until);
    }
    void *item = NULL;
    if (q->count) {
        item = q->items[q->head];
        q->head = (q->head + 1) % q->capacity;
        q->count--;
    }
    pthread_mutex_unlock(&q->lock);
    return item;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->is_closed = true;
    pthread_cond_broadcast(&q->has_items);
    pthread_mutex_unlock(&q->lock);
}

bool queue_is_closed(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool v = q->is_closed;
    pthread_mutex_unlock(&q->lock);
    return v;
}

size_t queue_length(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->count;
    pthread_mutex_unlock(&q->lock);
    return n;
}
