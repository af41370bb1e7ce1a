#include "app/restores.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "backup/files.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

#define UPLOADS "restore-upload"

enum state { NONE, VERIFYING, LOCKED, READY, FAILED, STAGED };
static const char *const state_names[] = {"none", "verifying", "locked", "ready", "failed", "staged"};

struct restores {
    struct restores_config config;
    struct api_restores api;
    char *upload_folder;
    pthread_mutex_t lock;
    /* All below: guarded by lock. */
    pthread_t thread;
    bool has_thread; /* to be joined; it runs while the state is VERIFYING */
    bool is_uploading, is_stopping, is_cancelled;
    enum state state;
    int64_t id;
    char name[RESTORE_FILE_MAX];
    char *file;       /* what is looked at; NULL: nothing is */
    bool is_our_file; /* an upload: removed at the end */
    char *passphrase; /* given for it */
    const char *step;
    int percent;
    char *work; /* READY: unpacked and verified */
    struct restore_facts facts;
    struct error error;
};

/* --- with the lock held ------------------------------------------------------------------------ */

static void forget_passphrase(struct restores *r)
{
    if (r->passphrase)
        secret_wipe(r->passphrase, strlen(r->passphrase));
    free(steal_ptr(&r->passphrase));
}

static void forget_file(struct restores *r)
{
    if (r->file && r->is_our_file)
        unlink(r->file);
    free(steal_ptr(&r->file));
    forget_passphrase(r);
}

/* Back to nothing; what is staged stays. */
static void clear(struct restores *r)
{
    forget_file(r);
    if (r->work)
        files_remove(r->work);
    free(steal_ptr(&r->work));
    r->state = NONE;
    r->error = (struct error){0};
    *r->name = '\0';
}

static enum status need_idle(const struct restores *r, struct error *err)
{
    if (r->is_stopping)
        return fail(err, STATUS_UNAVAILABLE, "no restore is begun now: the program stops");
    if (r->state == STAGED)
        return fail(err, STATUS_CONFLICT, "a restore is staged for the next start: cancel it first");
    if (r->state != NONE && r->state != FAILED)
        return fail(err, STATUS_CONFLICT, "a restore is under way (%s): one at a time, cancel it first",
                    state_names[r->state]);
    return STATUS_OK;
}

/* --- the thread -------------------------------------------------------------------------------- */

static bool go_on(void *ctx, int64_t done, int64_t all)
{
    struct restores *r = ctx;
    pthread_mutex_lock(&r->lock);
    bool is_wanted = !r->is_stopping && !r->is_cancelled;
    r->percent = all > 0 && done < all ? (int)(100 * (done / 1024) / (all / 1024 + 1)) : -1;
    r->step = done < all ? "unpacking" : "comparing rows and sums";
    pthread_mutex_unlock(&r->lock);
    return is_wanted;
}

/* Takes over what has come of it. */
static void end(struct restores *r, enum status s, char *work, const struct restore_facts *facts,
                const struct error *err)
{
    pthread_mutex_lock(&r->lock);
    bool is_cancelled = r->is_cancelled || r->is_stopping;
    r->error = (struct error){0};
    r->work = work;
    if (is_cancelled) {
        clear(r);
        log_info("backup", "restore: given up before it was staged; nothing has changed");
    } else if (s == STATUS_OK) {
        r->facts = *facts;
        r->state = READY;
        forget_file(r);
        log_info("backup", "restore: verified, waits for a confirmation", LF_TEXT("file", r->name),
                 LF_INT("plays", facts->plays));
    } else {
        r->error = *err;
        r->state = s == STATUS_DENIED ? LOCKED : FAILED;
        if (s == STATUS_DENIED)
            forget_passphrase(r);
        else
            forget_file(r);
        log_at(s == STATUS_DENIED ? LOG_WARN : LOG_ERROR, "backup",
               "restore: refused; nothing has changed", LF_TEXT("file", r->name), LF_ERROR(err));
    }
    pthread_mutex_unlock(&r->lock);
}

static void *run(void *arg)
{
    struct restores *r = arg;
    logger_set_thread("restore");
    pthread_mutex_lock(&r->lock);
    struct pack_source from = {.file = r->file, .name = r->name, .go_on = go_on, .ctx = r,
                               .passphrase = r->passphrase ? r->passphrase : r->config.passphrase};
    pthread_mutex_unlock(&r->lock); /* nobody else changes these while the state is VERIFYING */
    struct restore_facts facts = {0};
    struct error err = {0};
    char *work = NULL;
    enum status s = restore_prepare(&from, r->config.data_dir, r->config.is_demo, &work, &facts, &err);
    end(r, s, work, &facts, &err);
    return NULL;
}

/* With the lock held. What is to be looked at is in r->file. */
static enum status begin(struct restores *r, struct error *err)
{
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    r->is_cancelled = false;
    r->step = "begun";
    r->percent = -1;
    r->error = (struct error){0};
    r->state = VERIFYING;
    r->has_thread = pthread_create(&r->thread, NULL, run, r) == 0;
    if (r->has_thread)
        return STATUS_OK;
    clear(r);
    return fail(err, STATUS_INTERNAL, "the restore's thread did not start");
}

/* --- for the API ------------------------------------------------------------------------------- */

static enum status claim(void *ctx, int64_t bytes, struct error *err)
{
    struct restores *r = ctx;
    pthread_mutex_lock(&r->lock);
    enum status s = need_idle(r, err);
    if (s == STATUS_OK && r->is_uploading)
        s = fail(err, STATUS_CONFLICT, "a backup is being uploaded already: one at a time");
    if (s == STATUS_OK && bytes > 0)
        s = files_need_room(r->upload_folder, bytes, err);
    if (s == STATUS_OK) {
        clear(r); /* a failed one */
        r->is_uploading = true;
        log_info("backup", "restore: an upload begins", LF_INT("bytes", bytes));
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static void release(void *ctx)
{
    struct restores *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->is_uploading = false;
    if (r->state == NONE)
        log_info("backup", "restore: the upload has ended; nothing is left of it");
    pthread_mutex_unlock(&r->lock);
}

/* With the lock held; takes over the path. */
static void take(struct restores *r, char *path, const char *name, bool is_ours)
{
    clear(r);
    r->id++;
    r->file = path;
    r->is_our_file = is_ours;
    snprintf(r->name, sizeof r->name, "%s", name);
}

static enum status begin_upload(void *ctx, char *path, const char *name, struct error *err)
{
    struct restores *r = ctx;
    pthread_mutex_lock(&r->lock);
    enum status s = need_idle(r, err);
    if (s == STATUS_OK) {
        take(r, path, name, true);
        s = begin(r, err);
    } else {
        unlink(path);
        free(path);
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static enum status begin_kept(void *ctx, const char *backup, struct error *err)
{
    struct restores *r = ctx;
    auto_free char *path = xasprintf("%s/%s", r->config.backup_folder, backup);
    if (!backup_is_name(backup, NULL) || access(path, F_OK) != 0)
        return fail_field(err, STATUS_NOT_FOUND, "backup", "there is no backup '%.60s'", backup);
    pthread_mutex_lock(&r->lock);
    enum status s = need_idle(r, err);
    if (s == STATUS_OK && r->is_uploading)
        s = fail(err, STATUS_CONFLICT, "a backup is being uploaded: one at a time");
    if (s == STATUS_OK) {
        take(r, steal_ptr(&path), backup, false);
        s = begin(r, err);
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static enum status unlock(void *ctx, const char *passphrase, struct error *err)
{
    struct restores *r = ctx;
    enum status s = STATUS_OK;
    pthread_mutex_lock(&r->lock);
    if (r->state != LOCKED) {
        s = fail(err, STATUS_CONFLICT, "no backup waits for its passphrase");
    } else {
        r->passphrase = xstrdup(passphrase);
        s = begin(r, err);
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static enum status confirm(void *ctx, int64_t id, const char *who, struct error *err)
{
    struct restores *r = ctx;
    enum status s = STATUS_OK;
    pthread_mutex_lock(&r->lock);
    if (r->state != READY || r->id != id)
        s = fail(err, STATUS_CONFLICT, "number %lld is not what waits to be confirmed: look again",
                 (long long)id);
    if (s == STATUS_OK)
        s = restore_stage(r->config.data_dir, r->work, who, &r->facts, err);
    if (s == STATUS_OK) {
        free(steal_ptr(&r->work));
        r->state = STAGED;
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static enum status drop(void *ctx, struct error *err)
{
    struct restores *r = ctx;
    enum status s = STATUS_OK;
    pthread_mutex_lock(&r->lock);
    switch (r->state) {
    case VERIFYING:
        r->is_cancelled = true;
        r->step = "cancelling";
        break;
    case STAGED:
        s = restore_unstage(r->config.data_dir, err);
        if (s == STATUS_OK)
            clear(r);
        break;
    case LOCKED:
    case READY:
    case FAILED:
        log_info("backup", "restore: given up before it was staged; nothing has changed");
        clear(r);
        break;
    case NONE:
        s = fail(err, STATUS_NOT_FOUND, r->is_uploading
                     ? "an upload runs: it ends with its connection" : "no restore is under way");
    }
    pthread_mutex_unlock(&r->lock);
    return s;
}

static void find(void *ctx, struct api_restore_state *ret)
{
    struct restores *r = ctx;
    pthread_mutex_lock(&r->lock);
    bool is_verifying = r->state == VERIFYING;
    *ret = (struct api_restore_state){
        .id = r->id,
        .state = r->state == NONE && r->is_uploading ? "uploading" : state_names[r->state],
        .step = is_verifying ? r->step : "",
        .percent = is_verifying ? r->percent : -1,
        .has_facts = r->state == READY || r->state == STAGED,
        .facts = r->facts,
        .error = r->error};
    snprintf(ret->file, sizeof ret->file, "%s", r->name);
    pthread_mutex_unlock(&r->lock);
}

static bool last(void *ctx, struct restored *ret)
{
    const struct restores *r = ctx;
    return restore_last(r->config.data_dir, ret);
}

static void forget_last(void *ctx)
{
    const struct restores *r = ctx;
    restore_forget(r->config.data_dir);
}

/* --- life -------------------------------------------------------------------------------------- */

/* What a killed process has left of uploads goes. */
static enum status begin_folder(const char *path, struct error *err)
{
    files_remove(path);
    return mkdir(path, 0700) == 0 ? STATUS_OK : fail_errno(err, errno, "make the folder '%s'", path);
}

enum status restores_start(const struct restores_config *c, struct restores **ret,
                           struct error *err)
{
    auto_free char *folder = xasprintf("%s/" UPLOADS, c->data_dir);
    TRY(begin_folder(folder, err));
    struct restores *r = xcalloc(1, sizeof *r);
    r->config = *c;
    r->upload_folder = steal_ptr(&folder);
    r->step = "";
    pthread_mutex_init(&r->lock, NULL);
    r->api = (struct api_restores){.ctx = r, .upload_folder = r->upload_folder,
                                   .most_bytes = c->most_bytes, .claim = claim, .release = release,
                                   .begin_upload = begin_upload, .begin_kept = begin_kept,
                                   .unlock = unlock, .confirm = confirm, .drop = drop, .find = find,
                                   .last = last, .forget_last = forget_last};
    if (restore_staged(c->data_dir, &r->facts)) { /* seen from the command line, between two starts */
        r->state = STAGED;
        snprintf(r->name, sizeof r->name, "%s", r->facts.file);
    }
    *ret = r;
    return STATUS_OK;
}

void restores_stop(struct restores *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->is_stopping = true;
    pthread_mutex_unlock(&r->lock);
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    clear(r);
    files_remove(r->upload_folder);
    pthread_mutex_destroy(&r->lock);
    free(r->upload_folder);
    free(r);
}

const struct api_restores *restores_api(struct restores *r)
{
    return &r->api;
}
