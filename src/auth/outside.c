#include "auth/outside.h"

#include <pthread.h>

#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

struct outside {
    char name[16];
    struct loop *loop;
    pthread_t thread;
    bool is_stopped;
};

static void *work(void *arg)
{
    struct outside *o = arg;
    logger_set_thread(o->name);
    loop_run(o->loop);
    return NULL;
}

enum status outside_start(const char *name, struct outside **ret, struct error *err)
{
    struct loop *loop = NULL;
    TRY(loop_new(&loop, err));
    struct outside *o = xcalloc(1, sizeof *o);
    snprintf(o->name, sizeof o->name, "%s", name);
    o->loop = loop;
    if (pthread_create(&o->thread, NULL, work, o) != 0) {
        loop_free(loop);
        free(o);
        return fail(err, STATUS_UNAVAILABLE, "no thread for logins (%s)", name);
    }
    *ret = o;
    return STATUS_OK;
}

void outside_stop(struct outside *o)
{
    if (o == NULL || o->is_stopped)
        return;
    o->is_stopped = true;
    loop_stop(o->loop);
    pthread_join(o->thread, NULL);
    loop_free(steal_ptr(&o->loop));
}

void outside_free(struct outside *o)
{
    outside_stop(o);
    free(o);
}

void outside_post(struct outside *o, void (*call)(void *ctx), void *ctx)
{
    loop_post(o->loop, call, ctx);
}

struct loop *outside_loop(struct outside *o)
{
    return o->loop;
}

void outside_ask(struct outside *o, struct http_request r,
                 void (*done)(void *ctx, const struct http_answer *a), void *ctx)
{
    if (!r.timeout_ms)
        r.timeout_ms = OUTSIDE_TIMEOUT_MS;
    if (!r.most_bytes)
        r.most_bytes = OUTSIDE_ANSWER_MOST;
    http_fetch(o->loop, &r, done, ctx);
}

enum status outside_read(const struct http_answer *a, const char *what, json_t **ret,
                         struct error *err)
{
    if (a->status != STATUS_OK)
        return fail(err, STATUS_UNAVAILABLE, "%s cannot be reached: %.200s", what, a->error.text);
    if (a->code != 200)
        return fail(err, STATUS_PROTOCOL, "%s answers %d", what, a->code);
    if (json_parse(a->body, OUTSIDE_ANSWER_MOST, 8, ret, NULL) != STATUS_OK)
        return fail(err, STATUS_PROTOCOL, "%s does not answer with JSON", what);
    if (json_is_object(*ret))
        return STATUS_OK;
    json_decref(*ret);
    *ret = NULL;
    return fail(err, STATUS_PROTOCOL, "%s does not answer with a JSON object", what);
}
