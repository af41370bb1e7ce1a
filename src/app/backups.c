#include "app/backups.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "store/store.h"

#include "base/banned.h"

/* The first backup of a folder that has none is due soon, but not while all else starts; a failed
 * one is tried again. */
#define FIRST_US (10 * US_PER_MIN)
#define AGAIN_US US_PER_HOUR
enum { INTERRUPT_MS = 50, INTERRUPTS = 20 };
#define LOOK_US (30 * US_PER_S) /* the clock may be set */

struct backups {
    struct backups_config config;
    struct api_backups api;
    struct store_conn *conn; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* All below: guarded by lock. */
    bool is_started, is_stopping, is_ended;
    bool is_asked; /* for one */
    bool is_cancelled; /* the one that is made */
    int64_t due_us; /* TIME_NONE: never */
    struct api_backup_job now;
};

static bool is_running(const struct backups *b)
{
    return b->is_asked || (b->now.id && streq(b->now.state, "running"));
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- one backup -------------------------------------------------------------------------------- */

static bool go_on(void *ctx, const char *step)
{
    struct backups *b = ctx;
    pthread_mutex_lock(&b->lock);
    bool is_wanted = !b->is_stopping && !b->is_cancelled;
    b->now.step = step;
    pthread_mutex_unlock(&b->lock);
    return is_wanted;
}

static struct backup_config config_of(struct backups *b)
{
    return (struct backup_config){.data_dir = b->config.data_dir,
                                  .folder = b->config.folder,
                                  .conn = b->conn,
                                  .log = b->config.log,
                                  .version = b->config.version,
                                  .is_demo = b->config.is_demo,
                                  .form = b->config.form,
                                  .go_on = go_on,
                                  .ctx = b};
}

/* Says how large it is against the one before it. */
static void tell_size(const struct backups *b, const char *name)
{
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    if (backup_list(b->config.folder, &list, &count, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!streq(list[i].name, name))
            continue;
        int64_t before = i + 1 < count ? list[i + 1].bytes : 0;
        log_info("backup", "done", LF_TEXT("file", name), LF_INT("bytes", list[i].bytes),
                 LF_INT("bytes_of_the_former", before));
        if (before && backup_is_shrunk(&list[i], &list[i + 1]))
            log_warn("backup", "this backup has less than half the size of the former one: look what"
                     " is missing before the older ones are removed", LF_TEXT("file", name));
    }
}

static void prune(const struct backups *b)
{
    size_t removed;
    struct error err;
    if (retention_apply(&b->config.retention, b->config.folder, &removed, &err) != STATUS_OK)
        log_warn("backup", "old backups were not removed", LF_ERROR(&err));
}

static enum status give_back(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    return store_trim(c, err);
}

static void make(struct backups *b, bool is_due)
{
    struct backup_config c = config_of(b);
    struct error err = {0};
    char name[BACKUP_NAME_MAX];
    auto_manifest struct manifest m = {0};
    bool was_cancelled;
    log_info("backup", is_due ? "begun, as it is due" : "begun, as asked for",
             LF_TEXT("folder", b->config.folder));
    enum status s = backup_make(&c, name, &m, &err);
    pthread_mutex_lock(&b->lock);
    was_cancelled = b->is_cancelled && s != STATUS_OK;
    pthread_mutex_unlock(&b->lock);
    if (s == STATUS_OK)
        tell_size(b, name);
    else if (was_cancelled)
        log_warn("backup", "cancelled; nothing is left of it");
    else if (s == STATUS_CANCELLED)
        log_warn("backup", "cut short, as the program stops; nothing is left of it");
    else
        log_error("backup", "failed; nothing is left of it", LF_TEXT("folder", b->config.folder),
                  LF_ERROR(&err));
    /* The whole store was read; by the writer, since nobody appends then. */
    struct error why = {0};
    if (ingest_run(b->config.ingest, give_back, NULL, &why) != STATUS_OK)
        log_debug("backup", "memory is kept", LF_ERROR(&why));
    if (s == STATUS_OK && is_due)
        prune(b);
    if (is_due && s != STATUS_CANCELLED)
        b->config.was_due(b->config.ctx, s == STATUS_OK ? name : "", s == STATUS_OK);
    pthread_mutex_lock(&b->lock);
    b->now.ended_us = clock_now_us();
    b->now.state = s == STATUS_OK ? "done" : was_cancelled ? "cancelled" : "failed";
    b->now.plays = s == STATUS_OK ? manifest_rows(&m, "play") : 0;
    snprintf(b->now.name, sizeof b->now.name, "%s", s == STATUS_OK ? name : "");
    if (!was_cancelled)
        b->now.error = err;
    if (b->config.every_us)
        b->due_us = b->now.ended_us +
                    (s == STATUS_OK ? b->config.every_us : earlier(b->config.every_us, AGAIN_US));
    pthread_mutex_unlock(&b->lock);
}

/* --- the thread -------------------------------------------------------------------------------- */

/* With the lock held. */
static void start_job(struct backups *b)
{
    b->is_cancelled = false;
    b->now = (struct api_backup_job){.id = b->now.id + 1, .state = "running", .step = "begun",
                                     .started_us = clock_now_us(), .ended_us = TIME_NONE};
}

/* Waits for one to make; false at the end. */
static bool next(struct backups *b, bool *ret_is_due)
{
    pthread_mutex_lock(&b->lock);
    *ret_is_due = false;
    while (!b->is_stopping && !b->is_asked && !*ret_is_due) {
        int64_t now = clock_now_us(), look_us = now + LOOK_US;
        *ret_is_due = b->due_us != TIME_NONE && now >= b->due_us;
        if (b->due_us != TIME_NONE)
            look_us = earlier(look_us, b->due_us);
        struct timespec until = {.tv_sec = look_us / US_PER_S, .tv_nsec = look_us % US_PER_S * 1000};
        if (!*ret_is_due)
            pthread_cond_timedwait(&b->moved, &b->lock, &until);
    }
    if (*ret_is_due && !b->is_asked)
        start_job(b);
    b->is_asked = false;
    bool has_one = !b->is_stopping;
    b->is_ended = !has_one;
    pthread_mutex_unlock(&b->lock);
    return has_one;
}

static void *run(void *arg)
{
    struct backups *b = arg;
    logger_set_thread("backups");
    for (bool is_due; next(b, &is_due);)
        make(b, is_due);
    return NULL;
}

/* --- for the API ------------------------------------------------------------------------------- */

static enum status begin(void *ctx, struct api_backup_job *ret, struct error *err)
{
    struct backups *b = ctx;
    struct backup_config c = config_of(b);
    TRY(backup_check(&c, err));
    enum status s = STATUS_OK;
    pthread_mutex_lock(&b->lock);
    if (b->is_stopping)
        s = fail(err, STATUS_UNAVAILABLE, "no backup is begun now: the program stops");
    else if (is_running(b))
        s = fail(err, STATUS_CONFLICT, "a backup is being made already: one at a time");
    if (s == STATUS_OK) {
        start_job(b);
        b->is_asked = true;
        *ret = b->now;
        pthread_cond_signal(&b->moved);
    }
    pthread_mutex_unlock(&b->lock);
    return s;
}

static int64_t find(void *ctx, struct api_backup_job *ret)
{
    struct backups *b = ctx;
    pthread_mutex_lock(&b->lock);
    *ret = b->now;
    int64_t due_us = b->due_us;
    pthread_mutex_unlock(&b->lock);
    return due_us;
}

static bool is_being_cancelled(struct backups *b)
{
    pthread_mutex_lock(&b->lock);
    bool is = is_running(b) && b->is_cancelled;
    pthread_mutex_unlock(&b->lock);
    return is;
}

/* The copy of a large store takes long: what DuckDB does is interrupted, a few times, as an interrupt
 * between two statements is none. The thread ends by itself soon after. */
static enum status cancel(void *ctx, struct error *err)
{
    struct backups *b = ctx;
    pthread_mutex_lock(&b->lock);
    bool is = is_running(b);
    b->is_cancelled = is;
    pthread_mutex_unlock(&b->lock);
    if (!is)
        return fail(err, STATUS_NOT_FOUND, "no backup is being made");
    for (int i = 0; i < INTERRUPTS && is_being_cancelled(b); i++) {
        store_interrupt(b->conn);
        usleep(INTERRUPT_MS * 1000);
    }
    return STATUS_OK;
}

/* --- life -------------------------------------------------------------------------------------- */

static int64_t first_due(const struct backups_config *c)
{
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    if (!c->every_us)
        return TIME_NONE;
    int64_t soon = clock_now_us() + earlier(FIRST_US, c->every_us);
    if (backup_list(c->folder, &list, &count, NULL) != STATUS_OK || !count)
        return soon;
    int64_t due = list[0].made_us + c->every_us;
    return due > soon ? due : soon;
}

/* Told at the start, not by a failure in the night. */
static void check(struct backups *b)
{
    struct backup_config c = config_of(b);
    struct error err;
    if (b->config.every_us && backup_check(&c, &err) != STATUS_OK)
        log_warn("backup", "as things are, no backup can be made", LF_ERROR(&err));
}

enum status backups_start(const struct backups_config *c, struct backups **ret, struct error *err)
{
    struct backups *b = xcalloc(1, sizeof *b);
    b->config = *c;
    b->api = (struct api_backups){.ctx = b, .folder = c->folder, .retention = c->retention,
                                  .form = c->form, .every_us = c->every_us,
                                  .begin = begin, .find = find, .cancel = cancel};
    b->due_us = first_due(c);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->moved, NULL);
    check(b);
    backup_sweep(c->folder);
    enum status s = store_connect(c->store, &b->conn, err);
    if (s == STATUS_OK) {
        b->is_started = pthread_create(&b->thread, NULL, run, b) == 0;
        if (!b->is_started)
            s = fail(err, STATUS_INTERNAL, "the backups thread did not start");
    }
    if (s != STATUS_OK) {
        backups_stop(b);
        return s;
    }
    *ret = b;
    return STATUS_OK;
}

/* The copy of a large store takes long: it is interrupted, again and again until it has noticed. */
static void end_thread(struct backups *b)
{
    pthread_mutex_lock(&b->lock);
    b->is_stopping = true;
    pthread_cond_broadcast(&b->moved);
    while (!b->is_ended) {
        pthread_mutex_unlock(&b->lock);
        store_interrupt(b->conn);
        usleep(INTERRUPT_MS * 1000);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
}

void backups_stop(struct backups *b)
{
    if (!b)
        return;
    if (b->is_started)
        end_thread(b);
    store_disconnect(b->conn);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->moved);
    free(b);
}

const struct api_backups *backups_api(struct backups *b)
{
    return &b->api;
}
