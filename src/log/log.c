#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "log/home.h"

#include "base/banned.h"

void log_init(struct log *l, const struct log_ops *ops)
{
    l->ops = ops;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->appended, &attr);
    pthread_condattr_destroy(&attr);
}

void log_done(struct log *l)
{
    pthread_cond_destroy(&l->appended);
    pthread_mutex_destroy(&l->lock);
    free(l->home);
    free(l->rest_of);
}

void log_close(struct log *l)
{
    if (l)
        l->ops->close(l);
}

const char *log_home(const struct log *l)
{
    return l->home;
}

const char *log_rest_of(const struct log *l)
{
    return l->rest_of ? l->rest_of : "";
}

enum status log_rest_done(struct log *l, struct error *err)
{
    if (!l->rest_of)
        return STATUS_OK;
    TRY(l->ops->rest_done(l, err));
    free(steal_ptr(&l->rest_of));
    return STATUS_OK;
}

/* --- records copied out --------------------------------------------------------------------- */

void log_copy_add(struct log_copy *c, const struct log_record *r)
{
    *GROW(c->list, c->count, c->room) = (struct log_copied){*r, c->texts.len};
    buf_add_str(&c->texts, r->payload);
}

enum status log_copy_tell(struct log_copy *c, log_each *each, void *ctx, struct error *err)
{
    if (c->texts.is_overflowed && c->count)
        c->count--; /* the rest comes with the next call */
    for (size_t i = 0; i < c->count; i++) {
        c->list[i].record.payload.ptr = buf_text(&c->texts) + c->list[i].at;
        TRY(each(ctx, &c->list[i].record, err));
    }
    return STATUS_OK;
}

void log_copy_done(struct log_copy *c)
{
    buf_done(&c->texts);
    free(c->list);
}

/* --- the operations -------------------------------------------------------------------------- */

enum status log_append(struct log *l, struct log_record *records, size_t count, struct error *err)
{
    if (!count)
        return STATUS_OK;
    for (size_t i = 0; i < count; i++)
        records[i].appended_us = clock_now_us();
    TRY(l->ops->append(l, records, count, err));
    pthread_mutex_lock(&l->lock);
    l->last = records[count - 1].seq;
    pthread_cond_broadcast(&l->appended);
    pthread_mutex_unlock(&l->lock);
    return STATUS_OK;
}

enum status log_read(struct log *l, int64_t after, size_t most, log_each *each, void *ctx,
                     struct error *err)
{
    return l->ops->read(l, after, most, each, ctx, err);
}

enum status log_trim(struct log *l, int64_t seq, struct error *err)
{
    return l->ops->trim(l, seq, err);
}

bool log_wait(struct log *l, int64_t after, int64_t timeout_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_us % US_PER_S * 1000;
    until.tv_sec += (time_t)(timeout_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&l->lock);
    int rc = 0;
    while (l->last <= after && !l->is_woken && rc == 0)
        rc = pthread_cond_timedwait(&l->appended, &l->lock, &until);
    bool has = l->last > after;
    l->is_woken = false;
    pthread_mutex_unlock(&l->lock);
    return has;
}

void log_wake(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_woken = true;
    pthread_cond_broadcast(&l->appended);
    pthread_mutex_unlock(&l->lock);
}

int64_t log_last(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t last = l->last;
    pthread_mutex_unlock(&l->lock);
    return last;
}
