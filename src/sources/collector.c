#include "sources/collector.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

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

/* A server, with texts of its own. */
struct watched {
    struct arena texts;
    char *token;
    struct source_config config;
    struct source *source; /* NULL: it is off */
};

struct watched_list {
    size_t count;
    struct watched *all[SOURCES_MAX];
};

struct collector {
    struct collector_config config; /* without the sources */
    struct loop *loop;
    struct source_sink sink;
    pthread_t thread;
    struct watched_list watched; /* loop's thread */

    /* Loop's thread: what waits for the log. */
    struct pending *pending;
    size_t pending_count, pending_room;
    struct heard *heard;
    size_t heard_count, heard_room;
    struct loop_timer *retry, *alive;
    size_t lost;
    bool is_alive_unwritten;

    pthread_mutex_t lock; /* guards what follows */
    struct watched_list *wanted; /* by the last collector_set() that is not done yet; NULL: none */
    size_t status_count;
    struct source_status *statuses; /* SOURCES_MAX */
    bool *is_sync_wanted;           /* of each; only while a call for it is on its way */
};

/* --- servers ------------------------------------------------------------------------------ */

static const char *keep(struct arena *a, const char *text)
{
    return text ? arena_strdup(a, text) : NULL;
}

static struct watched *watched_new(const struct source_config *c)
{
    struct watched *w = xcalloc(1, sizeof(*w));
    struct arena *a = &w->texts;
    w->config = *c;
    w->config.key = keep(a, c->key);
    w->config.name = keep(a, c->name);
    w->config.url = keep(a, c->url);
    w->config.token = w->token = c->token ? xstrdup(c->token) : NULL;
    w->config.client_id = keep(a, c->client_id);
    w->config.position = keep(a, c->position);
    w->config.off = keep(a, c->off);
    w->config.tls.pinned_sha256 = keep(a, c->tls.pinned_sha256);
    return w;
}

static void watched_free(struct watched *w)
{
    source_free(w->source);
    if (w->token)
        secret_wipe(w->token, strlen(w->token));
    free(w->token);
    arena_done(&w->texts);
    free(w);
}

static struct watched *take(struct watched_list *l, const char *key)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->all[i] && streq(l->all[i]->config.key, key))
            return steal_ptr(&l->all[i]);
    return NULL;
}

static void list_free(struct watched_list *l)
{
    for (size_t i = 0; l && i < l->count; i++)
        watched_free(l->all[i]);
    free(l);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && streq(a, b));
}

/* But for the name, and for how far was read, which the source knows better. */
static bool is_same_server(const struct source_config *a, const struct source_config *b)
{
    return a->kind == b->kind && is_same_text(a->url, b->url) && is_same_text(a->token, b->token) &&
           is_same_text(a->client_id, b->client_id) && a->is_realtime == b->is_realtime &&
           a->is_polling == b->is_polling && a->polling_interval_us == b->polling_interval_us &&
           a->sync_interval_us == b->sync_interval_us && a->batch_size == b->batch_size &&
           a->tls.is_unverified == b->tls.is_unverified && !a->off == !b->off;
}

static void sink_append(void *ctx, enum log_kind kind, struct str payload)
{
    struct collector *c = ctx;
    if (c->pending_count >= PENDING_MAX) {
        if (c->lost++ == 0)
            log_error("sources", "the log takes nothing and the waiting room is full: losing records");
        for (size_t i = 0; i < c->watched.count; i++)
            if (c->watched.all[i]->source)
                source_lost(c->watched.all[i]->source);
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
    auto_free struct alive_entry *entries = xcalloc(SOURCES_MAX, sizeof(*entries));
    size_t count = 0;
    for (size_t i = 0; i < c->watched.count; i++)
        if (c->watched.all[i]->source)
            source_alive(c->watched.all[i]->source, &entries[count++]);
    bool is_written = alive_write(c->config.alive_path, entries, count);
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
        for (size_t k = 0; k < c->watched.count; k++) {
            struct watched *w = c->watched.all[k];
            if (w->source && streq(e->key, w->config.key))
                source_blind(w->source, e->until_us);
        }
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

/* Caller holds the lock. */
static struct source_status *find_status(struct collector *c, const char *key)
{
    for (size_t i = 0; i < c->status_count; i++)
        if (streq(c->statuses[i].key, key))
            return &c->statuses[i];
    return NULL;
}

static void sink_changed(void *ctx, struct source *s)
{
    struct collector *c = ctx;
    pthread_mutex_lock(&c->lock);
    struct source_status *known = find_status(c, s->status.key);
    if (known)
        *known = s->status;
    pthread_mutex_unlock(&c->lock);
}

/* --- other servers ------------------------------------------------------------------------ */

/* How a server that was watched, or not (former NULL), is watched from now on. */
static void go_on_with(struct collector *c, struct watched *w, struct watched *former)
{
    if (w->config.off) {
        if (former && former->source)
            source_end(former->source, w->config.off);
        return;
    }
    if (former && former->source && is_same_server(&w->config, &former->config)) {
        w->source = steal_ptr(&former->source);
        if (is_same_text(w->config.name, former->config.name))
            w->source->config = &w->config;
        else
            source_rename(w->source, &w->config);
        return;
    }
    w->source = source_new(&w->config, c->loop, &c->sink);
    if (former && former->source)
        source_take_over(w->source, former->source, "other settings");
}

static void list_statuses(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    c->status_count = 0;
    for (size_t i = 0; i < c->watched.count; i++) {
        c->is_sync_wanted[i] = false;
        if (c->watched.all[i]->source)
            c->statuses[c->status_count++] = c->watched.all[i]->source->status;
    }
    pthread_mutex_unlock(&c->lock);
}

static void set_posted(void *ctx)
{
    struct collector *c = ctx;
    pthread_mutex_lock(&c->lock);
    auto_free struct watched_list *wanted = steal_ptr(&c->wanted);
    pthread_mutex_unlock(&c->lock);
    if (!wanted)
        return;
    struct watched_list former = c->watched;
    struct source *fresh[SOURCES_MAX];
    size_t fresh_count = 0;
    c->watched = (struct watched_list){0};
    for (size_t i = 0; i < wanted->count; i++) {
        struct watched *w = wanted->all[i], *was = take(&former, w->config.key);
        bool had_source = was && was->source;
        go_on_with(c, w, was);
        if (w->source && (!had_source || was->source))
            fresh[fresh_count++] = w->source;
        if (was)
            watched_free(was);
        c->watched.all[c->watched.count++] = w;
    }
    for (size_t i = 0; i < former.count; i++) {
        struct watched *gone = former.all[i];
        if (gone && gone->source)
            source_end(gone->source, "removed");
        if (gone)
            watched_free(gone);
    }
    list_statuses(c);
    for (size_t i = 0; i < fresh_count; i++)
        source_start(fresh[i]);
    sink_flush(c);
    write_alive(c);
}

void collector_set(struct collector *c, const struct source_config *all, size_t count)
{
    struct watched_list *wanted = xcalloc(1, sizeof(*wanted));
    for (size_t i = 0; i < count && i < SOURCES_MAX; i++)
        wanted->all[wanted->count++] = watched_new(&all[i]);
    pthread_mutex_lock(&c->lock);
    struct watched_list *overtaken = c->wanted;
    c->wanted = wanted;
    pthread_mutex_unlock(&c->lock);
    if (!overtaken) /* else it is on its way */
        loop_post(c->loop, set_posted, c);
    list_free(overtaken);
}

static void each_source(struct collector *c, void (*call)(struct source *s))
{
    for (size_t i = 0; i < c->watched.count; i++)
        if (c->watched.all[i]->source)
            call(c->watched.all[i]->source);
}

static void stop_source(struct source *s)
{
    source_stop(s, "stopped");
}

static void *run(void *ctx)
{
    struct collector *c = ctx;
    logger_set_thread("collector");
    take_up(c);
    sink_flush(c);
    each_source(c, source_start);
    stay_alive(c);
    loop_run(c->loop);
    each_source(c, stop_source);
    sink_flush(c);
    for (size_t i = 0; i < c->watched.count; i++)
        watched_free(c->watched.all[i]);
    c->watched.count = 0;
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
    list_free(c->wanted);
    free(c->statuses);
    free(c->is_sync_wanted);
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
    c->statuses = xcalloc(SOURCES_MAX, sizeof(*c->statuses));
    c->is_sync_wanted = xcalloc(SOURCES_MAX, sizeof(*c->is_sync_wanted));
    for (size_t i = 0; i < config->source_count && i < SOURCES_MAX; i++) {
        struct watched *w = watched_new(&config->sources[i]);
        c->watched.all[c->watched.count++] = w;
        if (w->config.off)
            continue;
        w->source = source_new(&w->config, loop, &c->sink);
        for (size_t k = 0; k < config->open_count; k++)
            if (streq(config->open[k].server, w->config.key))
                source_seed(w->source, &config->open[k]);
    }
    list_statuses(c);
    c->config.sources = NULL;
    c->config.source_count = 0;
    c->config.open = NULL;
    c->config.open_count = 0;
    int failed = pthread_create(&c->thread, NULL, run, c);
    if (failed) {
        for (size_t i = 0; i < c->watched.count; i++)
            watched_free(c->watched.all[i]);
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

bool collector_status(struct collector *c, const char *key, struct source_status *ret)
{
    pthread_mutex_lock(&c->lock);
    const struct source_status *known = find_status(c, key);
    if (known)
        *ret = *known;
    pthread_mutex_unlock(&c->lock);
    return known != NULL;
}

static void sync_posted(void *ctx)
{
    struct collector *c = ctx;
    char wanted[SOURCES_MAX][sizeof c->statuses->key];
    size_t count = 0;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->status_count; i++)
        if (c->is_sync_wanted[i]) {
            c->is_sync_wanted[i] = false;
            memcpy(wanted[count++], c->statuses[i].key, sizeof wanted[0]);
        }
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < c->watched.count; k++)
            if (c->watched.all[k]->source && streq(wanted[i], c->watched.all[k]->config.key))
                source_sync_now(c->watched.all[k]->source);
}

enum status collector_sync_now(struct collector *c, const char *key, struct error *err)
{
    bool is_found = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->status_count; i++)
        if (!key || streq(key, c->statuses[i].key))
            is_found = c->is_sync_wanted[i] = true;
    pthread_mutex_unlock(&c->lock);
    if (is_found)
        loop_post(c->loop, sync_posted, c);
    return is_found || !key ? STATUS_OK
                            : fail(err, STATUS_NOT_FOUND, "no media server '%.60s' is watched", key);
}
