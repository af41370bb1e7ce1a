/* Backups: how they stand, make one, fetch, remove. */
#include "api/backups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/request.h"
#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

static void write_job(struct json_writer *w, const struct api_backup_job *j)
{
    jw_object(w);
    jw_kv_int(w, "id", j->id);
    jw_kv_text(w, "state", j->state);
    jw_kv_text(w, "step", j->step);
    jw_kv_text(w, "name", *j->name ? j->name : NULL);
    jw_kv_time(w, "started_at", j->started_us);
    jw_kv_time(w, "ended_at", j->ended_us);
    jw_kv_text(w, "error", *j->error.text ? j->error.text : NULL);
    jw_kv_int(w, "plays", j->plays);
    jw_object_end(w);
}

static void write_why(struct json_writer *w, unsigned why)
{
    static const struct {
        enum retention_why why;
        const char *name;
    } names[] = {{KEPT_NEWEST, "newest"}, {KEPT_DAILY, "daily"}, {KEPT_WEEKLY, "weekly"},
                 {KEPT_MONTHLY, "monthly"}};
    jw_kv_array(w, "kept_as");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (why & names[i].why)
            jw_text(w, names[i].name);
    jw_array_end(w);
}

static bool is_encrypted(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && streq(name + n - 4, ".enc");
}

/* What it holds says the head of the archive; of one that is encrypted that would cost a key. */
static void write_contents(struct json_writer *w, const struct api_backups *a, const char *name)
{
    auto_manifest struct manifest m = {0};
    auto_free char *path = xasprintf("%s/%s", a->folder, name);
    struct pack_source from = {.file = path};
    bool is_known = !is_encrypted(name) && pack_look(&from, &m, NULL) == STATUS_OK;
    jw_kv_text(w, "version", is_known ? m.version : NULL);
    if (is_known)
        jw_kv_int(w, "plays", manifest_rows(&m, "play"));
    else
        jw_kv_null(w, "plays");
}

static void write_backup(struct json_writer *w, const struct api_backups *a,
                         const struct backup_entry *b, const struct backup_entry *before,
                         unsigned why)
{
    jw_object(w);
    jw_kv_text(w, "name", b->name);
    jw_kv_time(w, "made_at", b->made_us);
    jw_kv_int(w, "bytes", b->bytes);
    if (before)
        jw_kv_int(w, "change_bytes", b->bytes - before->bytes);
    else
        jw_kv_null(w, "change_bytes");
    jw_kv_bool(w, "is_shrunk", before && backup_is_shrunk(b, before));
    jw_kv_bool(w, "is_encrypted", is_encrypted(b->name));
    write_contents(w, a, b->name);
    jw_kv_bool(w, "is_kept", why != 0);
    write_why(w, why);
    jw_object_end(w);
}

static void write_backups(struct json_writer *w, const struct api_backups *a,
                          const struct backup_entry *list, size_t count)
{
    auto_free unsigned *why = xcalloc(count + 1, sizeof *why);
    retention_mark(&a->retention, list, count, why);
    jw_kv_array(w, "backups");
    for (size_t i = 0; i < count; i++)
        write_backup(w, a, &list[i], i + 1 < count ? &list[i + 1] : NULL, why[i]);
    jw_array_end(w);
}

static void write_settings(struct json_writer *w, const struct api_backups *a)
{
    jw_kv_text(w, "folder", a->folder);
    jw_kv_int(w, "every_s", a->every_us / US_PER_S);
    jw_kv_text(w, "compression", a->form.is_zstd ? "zstd" : "gzip");
    jw_kv_bool(w, "is_encrypting", a->form.passphrase && *a->form.passphrase);
    jw_kv_object(w, "keep");
    jw_kv_int(w, "newest", a->retention.newest);
    jw_kv_int(w, "daily", a->retention.daily);
    jw_kv_int(w, "weekly", a->retention.weekly);
    jw_kv_int(w, "monthly", a->retention.monthly);
    jw_object_end(w);
}

void handle_backups(struct request *r)
{
    const struct api_backups *b = r->api->config.backups;
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    struct error err = {0};
    if (backup_list(b->folder, &list, &count, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct api_backup_job job;
    int64_t due_us = b->find(b->ctx, &job);
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    write_settings(&w, b);
    jw_kv_time(&w, "next_at", due_us);
    jw_key(&w, "job");
    if (job.id)
        write_job(&w, &job);
    else
        jw_null(&w);
    write_backups(&w, b, list, count);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

void handle_backup_begin(struct request *r)
{
    const struct api_backups *b = r->api->config.backups;
    struct api_backup_job job;
    struct error err = {0};
    if (b->begin(b->ctx, &job, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_key(&w, "job");
    write_job(&w, &job);
    jw_object_end(&w);
    request_reply(r, 202, &out);
}

void handle_backup_cancel(struct request *r)
{
    const struct api_backups *b = r->api->config.backups;
    struct error err = {0};
    if (b->cancel(b->ctx, &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}

void handle_backup_prune(struct request *r)
{
    const struct api_backups *b = r->api->config.backups;
    struct error err = {0};
    size_t removed = 0;
    if (retention_apply(&b->retention, b->folder, &removed, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "removed", (int64_t)removed);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

static enum status open_backup(const char *folder, const char *name, int *ret_fd, struct stat *ret,
                               struct error *err)
{
    if (!backup_is_name(name, NULL))
        return fail(err, STATUS_NOT_FOUND, "'%.60s' is no backup's name", name);
    auto_free char *path = xasprintf("%s/%s", folder, name);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*ret_fd < 0 && errno == ENOENT)
        return fail(err, STATUS_NOT_FOUND, "there is no backup '%s'", name);
    if (*ret_fd < 0 || fstat(*ret_fd, ret) != 0)
        return fail_errno(err, errno, "open '%s'", path);
    return S_ISREG(ret->st_mode) ? STATUS_OK
                                 : fail(err, STATUS_NOT_FOUND, "'%s' is not a file", name);
}

void handle_backup(struct request *r)
{
    const char *name = r->params[0];
    auto_fd int fd = -1;
    struct stat st;
    struct error err = {0};
    if (open_backup(r->api->config.backups->folder, name, &fd, &st, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    struct http_exchange *x = r->x;
    const char *type = is_encrypted(name)        ? "application/octet-stream"
                       : strstr(name, ".tar.zst") ? "application/zstd"
                                                  : "application/gzip";
    request_add_attachment(r, name);
    request_release_no_store(r, 200); /* r and its name are gone after it */
    http_reply_fd(x, 200, type, steal_fd(&fd), (uint64_t)st.st_size);
}

void handle_backup_delete(struct request *r)
{
    struct error err = {0};
    if (backup_remove(r->api->config.backups->folder, r->params[0], &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}
