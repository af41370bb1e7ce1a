#include "sources/prober.h"

#include <pthread.h>
#include <stdio.h>

#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

struct asked {
    struct prober *prober;
    char *url, *token, *client_id;
    struct source_config config;
    void (*done)(void *ctx, const struct probe_result *r);
    void *ctx;
    struct asked *next; /* of those that wait for the thread */
};

struct prober {
    struct loop *loop;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    struct asked *waiting;
    unsigned under_way;
    bool is_stopped;
};

static void asked_free(struct asked *a)
{
    secret_wipe(a->token, strlen(a->token));
    free(a->url);
    free(a->token);
    free(a->client_id);
    free(a);
}

static void probed(void *ctx, const struct probe_result *r)
{
    struct asked *a = ctx;
    pthread_mutex_lock(&a->prober->lock);
    a->prober->under_way--;
    pthread_mutex_unlock(&a->prober->lock);
    a->done(a->ctx, r);
    asked_free(a);
}

static struct asked *take_waiting(struct prober *p)
{
    pthread_mutex_lock(&p->lock);
    struct asked *a = p->waiting;
    if (a)
        p->waiting = a->next;
    pthread_mutex_unlock(&p->lock);
    return a;
}

static void begin(void *ctx)
{
    struct prober *p = ctx;
    struct asked *a = take_waiting(p);
    if (a)
        probe_start(p->loop, &a->config, probed, a);
}

enum status prober_ask(struct prober *p, const struct source_config *c,
                       void (*done)(void *ctx, const struct probe_result *r), void *ctx, struct error *err)
{
    struct asked *a = xcalloc(1, sizeof *a);
    *a = (struct asked){.prober = p, .config = *c, .done = done, .ctx = ctx};
    a->config.key = "";
    a->config.name = a->config.position = a->config.off = NULL;
    a->config.url = a->url = xstrdup(c->url);
    a->config.token = a->token = xstrdup(c->token);
    a->config.client_id = a->client_id = xstrdup(c->client_id);
    pthread_mutex_lock(&p->lock);
    enum status s = p->is_stopped ? fail(err, STATUS_UNAVAILABLE, "the program is stopping")
                    : p->under_way >= PROBES_MAX
                        ? fail(err, STATUS_RATE_LIMITED, "%d servers are being tried already; try again",
                               PROBES_MAX)
                        : STATUS_OK;
    if (s == STATUS_OK) {
        p->under_way++;
        a->next = p->waiting;
        p->waiting = a;
        loop_post(p->loop, begin, p);
    }
    pthread_mutex_unlock(&p->lock);
    if (s != STATUS_OK)
        asked_free(a);
    return s;
}

static void *run(void *ctx)
{
    struct prober *p = ctx;
    logger_set_thread("prober");
    loop_run(p->loop);
    return NULL;
}

enum status prober_start(struct prober **ret, struct error *err)
{
    struct prober *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    enum status s = loop_new(&p->loop, err);
    int failed = s == STATUS_OK ? pthread_create(&p->thread, NULL, run, p) : 0;
    if (failed)
        s = fail_errno(err, failed, "cannot start a thread");
    if (s == STATUS_OK) {
        *ret = p;
        return s;
    }
    loop_free(p->loop);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return s;
}

void prober_stop(struct prober *p)
{
    pthread_mutex_lock(&p->lock);
    bool was_stopped = p->is_stopped;
    p->is_stopped = true;
    pthread_mutex_unlock(&p->lock);
    if (was_stopped)
        return;
    loop_stop(p->loop);
    pthread_join(p->thread, NULL);
    struct probe_result stopped = {.verdict = PROBE_UNREACHABLE, .kind = SERVER_KINDS, .text = "stopped"};
    for (struct asked *a = take_waiting(p); a; a = take_waiting(p))
        probed(a, &stopped);
    loop_free(p->loop); /* answers the others */
}

void prober_free(struct prober *p)
{
    if (!p)
        return;
    prober_stop(p);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
