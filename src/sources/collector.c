#include "sources/collector.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "sources/alive.h"

#include "base/banned.h"

enum { PENDING_MAX = 100000, ALIVE_MAX = 256 };
#define RETRY_US US_PER_S
#define ALIVE_US (10 * US_PER_S)

struct pending {
    enum log_kind kind;
    char *payload;
    size_t len;
};

struct heard {
    struct arena arena;
    struct observation o;
};

struct collector {
    struct collector_config config;
    struct loop *loop;
    struct source **sources;
    struct source_sink sink;
    pthread_t thread;

    /* Loop's thread: what waits for the log. */
    struct pending *pending;
    size_t pending_count, pending_room;
    struct heard *heard;
    size_t heard_count, heard_room;
    struct loop_timer *retry, *alive;
    size_t lost;
    bool is_alive_unwritten;

    pthread_mutex_t lock; /* guards statuses */
    struct source_status *statuses;
};

static void sink_append(void *ctx, enum log_kind kind, struct str payload)
{
    struct collector *c = ctx;
    if (c->pending_count >= PENDING_MAX) {
        if (c->lost++ == 0)
            log_error("sources", "the log takes nothing and the waiting room is full: losing records");
        for (size_t i = 0; i < c->config.source_count; i++)
            source_lost(c->sources[i]);
        return;
    }
    if (c->pending_count == c->pending_room) {
        c->pending_room = c->pending_room ? 2 * c->pending_room : 64;
        c->pending = xreallocarray(c->pending, c->pending_room, sizeof(*c->pending));
    }
    char *copy = xmalloc(payload.len + 1);
    memcpy(copy, payload.ptr, payload.len);
    copy[payload.len] = '\0';
    c->pending[c->pending_count++] = (struct pending){kind, copy, payload.len};
}

static void sink_observed(void *ctx, const struct observation *o)
{
    struct collector *c = ctx;
    if (!c->config.live || c->heard_count >= PENDING_MAX)
        return;
    if (c->heard_count == c->heard_room) {
        c->heard_room = c->heard_room ? 2 * c->heard_room : 64;
        c->heard = xreallocarray(c->heard, c->heard_room, sizeof(*c->heard));
    }
    struct heard *h = &c->heard[c->heard_count++];
    h->arena = (struct arena){0};
    observation_copy(&h->arena, o, &h->o);
}

/* --- DATA/alive --------------------------------------------------------------------------- */

/* Only what is in the log is true after a kill. */
static void write_alive(struct collector *c)
{
    if (c->pending_count)
        return;
    auto_free struct alive_entry *entries = xcalloc(c->config.source_count + 1, sizeof(*entries));
    for (size_t i = 0; i < c->config.source_count; i++)
        source_alive(c->sources[i], &entries[i]);
    bool is_written = alive_write(c->config.alive_path, entries, c->config.source_count);
    if (!is_written && !c->is_alive_unwritten)
        log_warn("sources", "cannot note until when was watched",
                 LF_TEXT("file", c->config.alive_path), LF_INT("errno", errno));
    c->is_alive_unwritten = !is_written;
}

static void stay_alive(void *ctx)
{
    struct collector *c = ctx;
    c->alive = loop_timer_start(c->loop, ALIVE_US, stay_alive, c);
    write_alive(c);
}

static void tell_blind(struct collector *c, const struct alive_entry *e)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", e->key);
    jw_kv_int(&w, "at_us", e->until_us);
    jw_kv_text(&w, "state", source_state_name(SOURCE_BLIND));
    jw_kv_text(&w, "why", "not running");
    jw_object_end(&w);
    c->sink.append(c, LOG_COVERAGE, buf_str(&b));
}

/* Since the last start ended, however it ended, nobody has watched. The log may know of a contact
 * that the file does not, when a kill came between the two: telling it again takes that back. */
static void take_up(struct collector *c)
{
    auto_free struct alive_entry *entries = xcalloc(ALIVE_MAX, sizeof(*entries));
    size_t count = alive_read(c->config.alive_path, entries, ALIVE_MAX);
    int64_t now_us = clock_now_us();
    for (size_t i = 0; i < count; i++) {
        struct alive_entry *e = &entries[i];
        if (e->until_us > now_us)
            e->until_us = now_us;
        tell_blind(c, e);
        for (size_t k = 0; k < c->config.source_count; k++)
            if (streq(e->key, c->config.sources[k].key))
                source_blind(c->sources[k], e->until_us);
    }
}

/* --- what the sources tell ---------------------------------------------------------------- */

static void sink_flush(void *ctx);

static void retry_flush(void *ctx)
{
    struct collector *c = ctx;
    c->retry = NULL;
    sink_flush(c);
}

static void sink_flush(void *ctx)
{
    struct collector *c = ctx;
    if (c->pending_count == 0)
        return;
    int64_t now_us = clock_now_us();
    auto_free struct log_record *records = xcalloc(c->pending_count, sizeof(*records));
    for (size_t i = 0; i < c->pending_count; i++)
        records[i] = (struct log_record){.kind = c->pending[i].kind,
                                         .appended_us = now_us,
                                         .payload = {c->pending[i].payload, c->pending[i].len}};
    struct error err;
    if (log_append(c->config.log, records, c->pending_count, &err) != STATUS_OK) {
        if (!c->retry) {
            log_error("sources", "the log takes nothing; trying again", LF_ERROR(&err));
            c->retry = loop_timer_start(c->loop, RETRY_US, retry_flush, c);
        }
        return;
    }
    for (size_t i = 0; i < c->pending_count; i++)
        free(c->pending[i].payload);
    c->pending_count = 0;
    for (size_t i = 0; i < c->heard_count; i++) {
        c->config.live(c->config.ctx, &c->heard[i].o);
        arena_done(&c->heard[i].arena);
    }
    c->heard_count = 0;
    write_alive(c);
}

static void sink_changed(void *ctx, struct source *s)
{
    struct collector *c = ctx;
    size_t i = (size_t)(s->config - c->config.sources);
    pthread_mutex_lock(&c->lock);
    c->statuses[i] = s->status;
    pthread_mutex_unlock(&c->lock);
}

static void *run(void *ctx)
{
    struct collector *c = ctx;
    logger_set_thread("collector");
    take_up(c);
    sink_flush(c);
    for (size_t i = 0; i < c->config.source_count; i++)
        source_start(c->sources[i]);
    stay_alive(c);
    loop_run(c->loop);
    for (size_t i = 0; i < c->config.source_count; i++)
        source_stop(c->sources[i]);
    sink_flush(c);
    for (size_t i = 0; i < c->config.source_count; i++)
        source_free(c->sources[i]);
    loop_timer_cancel(c->loop, c->retry);
    loop_timer_cancel(c->loop, c->alive);
    c->retry = c->alive = NULL;
    return NULL;
}

static void free_collector(struct collector *c)
{
    loop_free(c->loop);
    for (size_t i = 0; i < c->pending_count; i++)
        free(c->pending[i].payload);
    for (size_t i = 0; i < c->heard_count; i++)
        arena_done(&c->heard[i].arena);
    free(c->pending);
    free(c->heard);
    free(c->sources);
    free(c->statuses);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum status collector_start(const struct collector_config *config, struct collector **ret,
                            struct error *err)
{
    struct loop *loop;
    TRY(loop_new(&loop, err));
    struct collector *c = xcalloc(1, sizeof(*c));
    c->config = *config;
    c->loop = loop;
    pthread_mutex_init(&c->lock, NULL);
    c->sink = (struct source_sink){sink_append, sink_observed, sink_flush, sink_changed, c};
    c->sources = xcalloc(config->source_count + 1, sizeof(struct source *));
    c->statuses = xcalloc(config->source_count + 1, sizeof(*c->statuses));
    for (size_t i = 0; i < config->source_count; i++) {
        c->sources[i] = source_new(&config->sources[i], loop, &c->sink);
        c->statuses[i] = c->sources[i]->status;
        for (size_t k = 0; k < config->open_count; k++)
            if (streq(config->open[k].server, config->sources[i].key))
                source_seed(c->sources[i], &config->open[k]);
    }
    c->config.open = NULL;
    c->config.open_count = 0;
    int failed = pthread_create(&c->thread, NULL, run, c);
    if (failed) {
        for (size_t i = 0; i < config->source_count; i++)
            source_free(c->sources[i]);
        free_collector(c);
        return fail_errno(err, failed, "cannot start the collector");
    }
    *ret = c;
    return STATUS_OK;
}

void collector_stop(struct collector *c)
{
    if (!c)
        return;
    loop_stop(c->loop);
    pthread_join(c->thread, NULL);
    free_collector(c);
}

size_t collector_status(struct collector *c, struct source_status *ret, size_t room)
{
    size_t count = c->config.source_count;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < count && i < room; i++)
        ret[i] = c->statuses[i];
    pthread_mutex_unlock(&c->lock);
    return count;
}

static void sync_posted(void *ctx)
{
    source_sync_now(ctx);
}

enum status collector_sync_now(struct collector *c, const char *key, struct error *err)
{
    bool is_found = false;
    for (size_t i = 0; i < c->config.source_count; i++)
        if (!key || streq(key, c->config.sources[i].key)) {
            loop_post(c->loop, sync_posted, c->sources[i]);
            is_found = true;
        }
    if (!is_found && key)
        return fail(err, STATUS_NOT_FOUND, "no media server '%s'", key);
    return STATUS_OK;
}
