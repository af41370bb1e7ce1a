#include "backup/restore.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "backup/files.h"
#include "backup/pack.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

/* The life of a restore is the name of its folder in the data folder, STATE-YYYYMMDD-HHMMSS:
 * a work folder (nothing has been moved yet), ready (what was there is being put aside), placing
 * (all of it is; the new files are being moved in), gone. */
#define READY "restore-ready-"
#define PLACING "restore-placing-"
#define ASIDE "before-restore-"

void restored_done(struct restored *r)
{
    free(r->aside);
    *r = (struct restored){0};
}

static bool is_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The first stamp from now on under which nothing lies aside. */
static void free_stamp(const char *data_dir, char ret[static FILES_STAMP_MAX])
{
    for (int64_t us = clock_now_us();; us += US_PER_S) {
        files_stamp(us, ret);
        auto_free char *path = xasprintf("%s/" ASIDE "%s", data_dir, ret);
        if (access(path, F_OK) != 0)
            return;
    }
}

/* The last name in the folder, as names are sorted, that is the prefix and a stamp; NULL: none. */
static char *last_named(const char *data_dir, const char *prefix)
{
    DIR *d = opendir(data_dir);
    char *found = NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!str_has_prefix(str_of(e->d_name), str_of(prefix)) ||
            strlen(e->d_name) != strlen(prefix) + FILES_STAMP_MAX - 1 ||
            (found && strcmp(e->d_name, found) < 0))
            continue;
        free(found);
        found = xstrdup(e->d_name);
    }
    if (d)
        closedir(d);
    return found;
}

/* --- moving ------------------------------------------------------------------------------------ */

/* A folder: private copies for imports that are not done, which by their numbers would be taken for
 * those of another store. */
#define IMPORTS "imports"

/* What belongs to a store: with write-ahead logs and the like beside. */
static bool is_data_file(const char *name)
{
    static const char *const kinds[] = {BACKUP_STORE, BACKUP_ACCOUNTS, BACKUP_LOG};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_has_prefix(str_of(name), str_of(kinds[i])))
            return true;
    return streq(name, BACKUP_CLIENT_ID) || streq(name, BACKUP_ALIVE) || streq(name, IMPORTS);
}

static bool is_any(const char *name)
{
    return !streq(name, ".") && !streq(name, "..");
}

/* Moves the files that are meant; the folder `to` is made with the first one. */
static enum status move_files(const char *from, const char *to, bool (*is_meant)(const char *name),
                              struct error *err)
{
    DIR *d = opendir(from);
    if (!d)
        return fail_errno(err, errno, "read the folder '%s'", from);
    enum status s = STATUS_OK;
    for (struct dirent *e; s == STATUS_OK && (e = readdir(d));) {
        struct stat st;
        if (!is_meant(e->d_name) || fstatat(dirfd(d), e->d_name, &st, 0) != 0 ||
            !(S_ISREG(st.st_mode) || streq(e->d_name, IMPORTS)))
            continue;
        auto_free char *a = xasprintf("%s/%s", from, e->d_name);
        auto_free char *b = xasprintf("%s/%s", to, e->d_name);
        if ((mkdir(to, 0700) != 0 && errno != EEXIST) || rename(a, b) != 0)
            s = fail_errno(err, errno, "move '%s' to '%s'", a, b);
    }
    closedir(d);
    return s;
}

/* From READY on. Each part can be begun again: nothing new is placed before all that is old is aside. */
static enum status put_aside(const char *data_dir, const char *stamp, struct error *err)
{
    auto_free char *ready = xasprintf("%s/" READY "%s", data_dir, stamp);
    auto_free char *placing = xasprintf("%s/" PLACING "%s", data_dir, stamp);
    auto_free char *aside = xasprintf("%s/" ASIDE "%s", data_dir, stamp);
    log_info("backup", "restore: putting aside what is there", LF_TEXT("folder", aside));
    TRY(move_files(data_dir, aside, is_data_file, err));
    if (is_folder(aside))
        TRY(files_sync_folder(aside, err));
    TRY(files_sync_folder(data_dir, err));
    if (rename(ready, placing) != 0)
        return fail_errno(err, errno, "rename '%s'", ready);
    return files_sync_folder(data_dir, err);
}

static enum status place(const char *data_dir, const char *stamp, struct error *err)
{
    auto_free char *placing = xasprintf("%s/" PLACING "%s", data_dir, stamp);
    log_info("backup", "restore: moving the files in", LF_TEXT("folder", data_dir));
    TRY(move_files(placing, data_dir, is_any, err));
    TRY(files_sync_folder(data_dir, err));
    files_remove(placing);
    return STATUS_OK;
}

enum status restore_finish(const char *data_dir, struct error *err)
{
    files_sweep(data_dir, FILES_WORK, "");
    static const char *const states[] = {READY, PLACING};
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        auto_free char *name = last_named(data_dir, states[i]);
        if (!name)
            continue;
        const char *stamp = name + strlen(states[i]);
        if (streq(states[i], READY))
            TRY(put_aside(data_dir, stamp, err));
        TRY(place(data_dir, stamp, err));
        log_info("backup", "restore: done", LF_TEXT("folder", data_dir));
    }
    return STATUS_OK;
}

static enum status go(const char *data_dir, const char *from, struct restored *ret,
                      struct error *err)
{
    char stamp[FILES_STAMP_MAX];
    free_stamp(data_dir, stamp);
    auto_free char *ready = xasprintf("%s/" READY "%s", data_dir, stamp);
    auto_free char *aside = xasprintf("%s/" ASIDE "%s", data_dir, stamp);
    if (rename(from, ready) != 0)
        return fail_errno(err, errno, "rename '%s'", from);
    TRY(files_sync_folder(data_dir, err));
    enum status s = restore_finish(data_dir, err);
    if (s != STATUS_OK)
        return fail_prefix(err, "the restore is not at its end, the next start goes on with it");
    *ret = (struct restored){.aside = is_folder(aside) ? steal_ptr(&aside) : NULL};
    return STATUS_OK;
}

/* --- the two ways ------------------------------------------------------------------------------ */

static enum status fits_folder(const struct manifest *m, bool is_demo_folder, struct error *err)
{
    if (m->is_demo == is_demo_folder)
        return STATUS_OK;
    return fail(err, STATUS_CONFLICT, m->is_demo
                    ? "it holds a demo's invented data; that goes into a demo's folder only"
                    : "it holds real data; that does not go into a demo's folder");
}

static enum status unpack(const char *file, const char *work, bool is_demo_folder,
                          struct manifest *m, struct error *err)
{
    log_info("backup", "restore: unpacking", LF_TEXT("file", file));
    TRY(pack_unpack(file, work, m, err));
    log_info("backup", "restore: comparing rows and sums", LF_TEXT("file", file));
    enum status s = fits_folder(m, is_demo_folder, err);
    if (s == STATUS_OK)
        s = backup_compare(work, m, err);
    if (s == STATUS_OK)
        s = files_sync_folder(work, err);
    if (s != STATUS_OK) {
        manifest_done(m);
        return fail_prefix(err, "'%s'", file);
    }
    return STATUS_OK;
}

enum status restore_file(const char *file, const char *data_dir, bool is_demo_folder,
                         struct manifest *ret_manifest, struct restored *ret, struct error *err)
{
    auto_free char *work = NULL;
    TRY(restore_finish(data_dir, err));
    TRY(files_work_begin(data_dir, &work, err));
    enum status s = unpack(file, work, is_demo_folder, ret_manifest, err);
    if (s == STATUS_OK) {
        s = go(data_dir, work, ret, err);
        if (s != STATUS_OK)
            manifest_done(ret_manifest);
    }
    files_remove(work); /* where it is still there */
    return s;
}

enum status restore_undo(const char *data_dir, struct restored *ret, struct error *err)
{
    TRY(restore_finish(data_dir, err));
    auto_free char *name = last_named(data_dir, ASIDE);
    if (!name)
        return fail(err, STATUS_NOT_FOUND, "no restore has put anything aside in '%s'", data_dir);
    auto_free char *path = xasprintf("%s/%s", data_dir, name);
    return go(data_dir, path, ret, err);
}
