#include "app/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/logger.h"
#include "base/mem.h"
#include "import/import.h"
#include "store/store.h"

#include "base/banned.h"

enum { TRIALS_KEPT = 8 };

struct jobs {
    struct jobs_config config;
    struct api_imports imports;
    pthread_t thread;
    bool is_started;
    atomic_bool is_stopping, is_cancelled;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* All below: guarded by lock. */
    bool is_open;              /* takes imports */
    bool is_busy;              /* one is being taken, waits or runs */
    bool is_waiting;           /* for the thread */
    struct import_report now;  /* of the one that waits or runs */
    char *server_key;          /* asked for, or NULL */
    struct import_report trials[TRIALS_KEPT]; /* dry runs that have ended, in a ring */
    size_t trial_count;
    int64_t *unfinished;       /* by an earlier process, oldest first */
    size_t unfinished_count, unfinished_next;
};

/* --- the thread -------------------------------------------------------------------------------- */

static void progress(void *ctx, const struct import_report *r)
{
    struct jobs *j = ctx;
    pthread_mutex_lock(&j->lock);
    j->now = *r;
    pthread_mutex_unlock(&j->lock);
    auto_buf struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_text(&w, "type", "import");
    jw_key(&w, "data");
    import_report_write(&w, r);
    jw_object_end(&w);
    j->config.frame(j->config.ctx, buf_str(&out));
}

static enum import_wish wish(void *ctx)
{
    const struct jobs *j = ctx;
    return j->is_stopping ? IMPORT_PAUSE : j->is_cancelled ? IMPORT_CANCEL : IMPORT_GO_ON;
}

static struct import_job job_of(struct jobs *j)
{
    return (struct import_job){.ingest = j->config.ingest,
                               .store = j->config.store,
                               .knobs = j->config.knobs,
                               .folder = j->config.folder,
                               .max_bytes = j->config.import_max_bytes,
                               .progress = progress,
                               .wish = wish,
                               .ctx = j};
}

static void run_import(struct jobs *j, int64_t id, bool is_dry_run, const char *name,
                       const char *server_key)
{
    struct import_job job = job_of(j);
    job.is_dry_run = is_dry_run;
    job.name = name;
    job.server_key = server_key;
    char likely[SERVER_KEY_MAX + 1];
    if (j->config.likely_server(j->config.ctx, likely))
        job.likely_server_key = likely;
    struct import_report r;
    struct error err = {0};
    int64_t from_us = clock_monotonic_us();
    enum status s = import_run(&job, id, &r, &err);
    int64_t took_us = clock_monotonic_us() - from_us;
    if (s == STATUS_OK)
        log_info("import", is_dry_run ? "counted" : "done", LF_INT("import", id),
                 LF_INT("rows", r.rows_read), LF_INT("added", r.rows_added),
                 LF_INT("skipped", r.rows_skipped), LF_INT("took_us", took_us));
    else
        log_warn("import", "not done", LF_INT("import", id), LF_INT("rows", r.rows_read),
                 LF_ERROR(&err));
    pthread_mutex_lock(&j->lock);
    if (is_dry_run)
        j->trials[j->trial_count++ % TRIALS_KEPT] = r;
    j->now = (struct import_report){0};
    j->is_busy = false;
    pthread_mutex_unlock(&j->lock);
}

/* With the lock held: the import to run next, or false when the thread is to end. */
static bool next_import(struct jobs *j, int64_t *ret_id, bool *ret_is_dry_run, char **ret_name,
                        char **ret_server)
{
    *ret_name = *ret_server = NULL;
    *ret_is_dry_run = false;
    if (!j->is_stopping && j->unfinished_next < j->unfinished_count) {
        *ret_id = j->now.import_id = j->unfinished[j->unfinished_next++];
        j->is_busy = true;
        return true;
    }
    while (!j->is_waiting && !j->is_stopping)
        pthread_cond_wait(&j->moved, &j->lock);
    if (j->is_stopping)
        return false;
    j->is_waiting = false;
    *ret_id = j->now.import_id;
    *ret_is_dry_run = j->now.is_dry_run;
    *ret_name = xstrdup(j->now.file);
    *ret_server = steal_ptr(&j->server_key);
    return true;
}

static void *run(void *arg)
{
    struct jobs *j = arg;
    logger_set_thread("jobs");
    for (;;) {
        int64_t id;
        bool is_dry_run;
        auto_free char *name = NULL, *server_key = NULL;
        pthread_mutex_lock(&j->lock);
        bool has_one = next_import(j, &id, &is_dry_run, &name, &server_key);
        pthread_mutex_unlock(&j->lock);
        if (!has_one)
            return NULL;
        run_import(j, id, is_dry_run, name, server_key);
        j->is_cancelled = false;
    }
}

/* --- for the API ------------------------------------------------------------------------------- */

static enum status reserve(struct jobs *j, struct error *err)
{
    enum status s = STATUS_OK;
    pthread_mutex_lock(&j->lock);
    if (!j->is_open)
        s = fail(err, STATUS_UNAVAILABLE, "no imports are taken now: the program starts or stops");
    else if (j->is_busy || j->unfinished_next < j->unfinished_count)
        s = fail(err, STATUS_CONFLICT, "another import is running: one at a time; wait for its end"
                 " or cancel it");
    else
        j->is_busy = true;
    pthread_mutex_unlock(&j->lock);
    return s;
}

static enum status begin(void *ctx, const struct api_import *i, struct import_report *ret,
                         struct error *err)
{
    struct jobs *j = ctx;
    enum status s = reserve(j, err);
    if (s != STATUS_OK) {
        unlink(i->path);
        return s;
    }
    struct import_job job = job_of(j);
    job.path = i->path;
    job.is_given = true;
    job.name = i->name;
    job.is_dry_run = i->is_dry_run;
    int64_t id = 0;
    s = import_begin(&job, &id, err);
    pthread_mutex_lock(&j->lock);
    if (s == STATUS_OK) {
        j->now = (struct import_report){.import_id = id, .is_dry_run = i->is_dry_run,
                                        .source = "tautulli", .from_us = TIME_NONE,
                                        .to_us = TIME_NONE, .started_us = clock_now_us(),
                                        .ended_us = TIME_NONE};
        snprintf(j->now.file, sizeof j->now.file, "%s", i->name);
        free(j->server_key);
        j->server_key = i->server_key ? xstrdup(i->server_key) : NULL;
        j->is_waiting = true;
        *ret = j->now;
        pthread_cond_signal(&j->moved);
    } else {
        j->is_busy = false;
    }
    pthread_mutex_unlock(&j->lock);
    return s;
}

static bool find(void *ctx, int64_t id, struct import_report *ret)
{
    struct jobs *j = ctx;
    bool is_found = false;
    pthread_mutex_lock(&j->lock);
    /* An unfinished one has nothing to say before its first progress. */
    if (id && j->now.import_id == id && (*j->now.source || id < 0)) {
        *ret = j->now;
        is_found = true;
    }
    for (size_t i = 0; i < TRIALS_KEPT && !is_found && id < 0; i++) {
        if (j->trials[i].import_id == id) {
            *ret = j->trials[i];
            is_found = true;
        }
    }
    pthread_mutex_unlock(&j->lock);
    return is_found;
}

static enum status cancel(void *ctx, int64_t id, struct error *err)
{
    struct jobs *j = ctx;
    pthread_mutex_lock(&j->lock);
    bool is_running = id && j->now.import_id == id;
    if (is_running)
        j->is_cancelled = true;
    pthread_mutex_unlock(&j->lock);
    if (is_running)
        return STATUS_OK;
    return fail(err, STATUS_CONFLICT, "import %lld does not run; what is done can be undone",
                (long long)id);
}

static enum status undo(void *ctx, int64_t id, const char *who, struct error *err)
{
    struct jobs *j = ctx;
    return import_undo(j->config.ingest, &j->config.knobs, id, who, err);
}

/* --- life -------------------------------------------------------------------------------------- */

static enum status find_unfinished(struct jobs *j, struct error *err)
{
    struct store_conn *c = NULL;
    TRY(store_connect(j->config.store, &c, err));
    enum status s = imports_unfinished(c, &j->unfinished, &j->unfinished_count, err);
    store_disconnect(c);
    return s;
}

enum status jobs_new(const struct jobs_config *c, struct jobs **ret, struct error *err)
{
    struct jobs *j = xcalloc(1, sizeof *j);
    j->config = *c;
    j->imports = (struct api_imports){.ctx = j, .begin = begin, .find = find, .cancel = cancel,
                                      .undo = undo};
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->moved, NULL);
    enum status s = find_unfinished(j, err);
    if (s == STATUS_OK && mkdir(c->folder, 0700) != 0 && errno != EEXIST)
        s = fail_errno(err, errno, "make the folder '%s'", c->folder);
    if (s != STATUS_OK) {
        jobs_free(j);
        return s;
    }
    imports_sweep(c->folder, j->unfinished, j->unfinished_count);
    *ret = j;
    return STATUS_OK;
}

enum status jobs_start(struct jobs *j, struct error *err)
{
    j->is_open = true;
    j->is_started = pthread_create(&j->thread, NULL, run, j) == 0;
    return j->is_started ? STATUS_OK
                         : fail(err, STATUS_INTERNAL, "the jobs thread did not start");
}

void jobs_stop(struct jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->is_open = false;
    j->is_stopping = true;
    pthread_cond_broadcast(&j->moved);
    pthread_mutex_unlock(&j->lock);
    if (j->is_started)
        pthread_join(j->thread, NULL);
    j->is_started = false;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    free(j->unfinished);
    free(j->server_key);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->moved);
    free(j);
}

const struct api_imports *jobs_imports(struct jobs *j)
{
    return &j->imports;
}
