#include "backup/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "backup/crypt.h"
#include "backup/files.h"
#include "backup/pack.h"
#include "backup/restore_note.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "store/snapshot.h"

#include "base/banned.h"

/* The life of a restore is the name of its folder in the data folder, STATE-YYYYMMDD-HHMMSS:
 * a work folder (nothing has been moved yet), staged (waits for a start), ready (what was there is
 * being put aside), placing (all of it is; the new files are being moved in), gone. */
#define STAGED "restore-staged-"
#define READY "restore-ready-"
#define PLACING "restore-placing-"
#define ASIDE "before-restore-"

_Static_assert((int)RESTORE_STAMP_MAX == (int)FILES_STAMP_MAX, "one stamp");

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
    return streq(name, BACKUP_CLIENT_ID) || streq(name, BACKUP_ALIVE) || streq(name, IMPORTS) ||
           streq(name, RESTORE_NOTE);
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

/* By a folder whose files are whole; it moves. */
static enum status go(const char *data_dir, const char *from, const char *stamp, char **ret_aside,
                      struct error *err)
{
    auto_free char *ready = xasprintf("%s/" READY "%s", data_dir, stamp);
    auto_free char *aside = xasprintf("%s/" ASIDE "%s", data_dir, stamp);
    if (rename(from, ready) != 0)
        return fail_errno(err, errno, "rename '%s'", from);
    TRY(files_sync_folder(data_dir, err));
    enum status s = restore_finish(data_dir, err);
    if (s != STATUS_OK)
        return fail_prefix(err, "the restore is not at its end, the next start goes on with it;"
                           " nothing is lost, what was there is in '%s' or being moved there", aside);
    *ret_aside = is_folder(aside) ? steal_ptr(&aside) : NULL;
    return STATUS_OK;
}

/* --- what is in one ---------------------------------------------------------------------------- */

static enum status fits_folder(const struct manifest *m, bool is_demo_folder, struct error *err)
{
    if (m->is_demo == is_demo_folder)
        return STATUS_OK;
    return fail(err, STATUS_CONFLICT, m->is_demo
                    ? "it holds a demo's invented data; that goes into a demo's folder only"
                    : "it holds real data; that does not go into a demo's folder");
}

static enum status find_facts(const struct pack_source *from, const char *work,
                              const struct manifest *m, struct restore_facts *ret, struct error *err)
{
    auto_free char *store = xasprintf("%s/%s", work, BACKUP_STORE);
    struct stat st;
    const char *name = from->name ? from->name : from->file, *slash = strrchr(name, '/');
    *ret = (struct restore_facts){.bytes = manifest_bytes(m), .made_us = m->made_us,
                                  .schema = m->store.schema, .plays = manifest_rows(m, "play"),
                                  .people = manifest_rows(m, "person"),
                                  .titles = manifest_rows(m, "title")};
    snprintf(ret->file, sizeof ret->file, "%.*s", (int)sizeof ret->file - 1, slash ? slash + 1 : name);
    snprintf(ret->version, sizeof ret->version, "%s", m->version);
    auto_fd int fd = open(from->file, O_RDONLY | O_CLOEXEC);
    ret->is_encrypted = fd >= 0 && crypt_is_sealed(fd);
    ret->file_bytes = fd >= 0 && fstat(fd, &st) == 0 ? (int64_t)st.st_size : 0;
    return store_play_span(store, &ret->first_us, &ret->last_us, err);
}

static enum status unpack(const struct pack_source *from, const char *work, bool is_demo_folder,
                          struct restore_facts *ret, struct error *err)
{
    const char *name = from->name ? from->name : from->file;
    auto_manifest struct manifest m = {0};
    log_info("backup", "restore: unpacking", LF_TEXT("file", name));
    TRY(pack_unpack(from, work, &m, err));
    log_info("backup", "restore: comparing rows and sums", LF_TEXT("file", name));
    enum status s = fits_folder(&m, is_demo_folder, err);
    if (s == STATUS_OK)
        s = backup_compare(work, &m, err);
    if (s == STATUS_OK)
        s = find_facts(from, work, &m, ret, err);
    if (s == STATUS_OK)
        s = files_sync_folder(work, err);
    return s == STATUS_OK ? s : fail_prefix(err, "'%s'", name);
}

enum status restore_prepare(const struct pack_source *from, const char *data_dir,
                            bool is_demo_folder, char **ret_work, struct restore_facts *ret,
                            struct error *err)
{
    auto_free char *work = NULL;
    TRY(files_work_begin(data_dir, &work, err));
    enum status s = unpack(from, work, is_demo_folder, ret, err);
    if (s == STATUS_OK)
        *ret_work = steal_ptr(&work);
    else
        files_remove(work);
    return s;
}

/* Who decided it, and where what was there will be: written beside the files that it is about. */
static enum status decide(const char *data_dir, const char *work, const char *by,
                          struct restore_facts *facts, struct error *err)
{
    free_stamp(data_dir, facts->stamp);
    facts->decided_us = clock_now_us();
    snprintf(facts->by, sizeof facts->by, "%s", by);
    TRY(restore_note_write(work, facts, err));
    return files_sync_folder(work, err);
}

/* --- at once ----------------------------------------------------------------------------------- */

enum status restore_file(const struct pack_source *from, const char *data_dir, bool is_demo_folder,
                         struct restored *ret, struct error *err)
{
    auto_free char *work = NULL;
    *ret = (struct restored){0};
    TRY(restore_finish(data_dir, err));
    TRY(restore_prepare(from, data_dir, is_demo_folder, &work, &ret->facts, err));
    enum status s = decide(data_dir, work, "command line", &ret->facts, err);
    if (s == STATUS_OK && restore_staged(data_dir, NULL))
        s = restore_unstage(data_dir, err);
    if (s == STATUS_OK)
        s = go(data_dir, work, ret->facts.stamp, &ret->aside, err);
    files_remove(work); /* where it is still there */
    return s;
}

enum status restore_undo(const char *data_dir, struct restored *ret, struct error *err)
{
    *ret = (struct restored){0};
    TRY(restore_finish(data_dir, err));
    auto_free char *name = last_named(data_dir, ASIDE);
    if (!name)
        return fail(err, STATUS_NOT_FOUND, "no restore has put anything aside in '%s'", data_dir);
    auto_free char *path = xasprintf("%s/%s", data_dir, name);
    char stamp[FILES_STAMP_MAX];
    free_stamp(data_dir, stamp);
    return go(data_dir, path, stamp, &ret->aside, err);
}

/* --- staged ------------------------------------------------------------------------------------ */

static char *staged_path(const char *data_dir)
{
    auto_free char *name = last_named(data_dir, STAGED);
    return name ? xasprintf("%s/%s", data_dir, name) : NULL;
}

enum status restore_stage(const char *data_dir, const char *work, const char *by,
                          struct restore_facts *facts, struct error *err)
{
    if (restore_staged(data_dir, NULL))
        return fail(err, STATUS_CONFLICT, "a restore is staged already: cancel it first");
    TRY(decide(data_dir, work, by, facts, err));
    auto_free char *staged = xasprintf("%s/" STAGED "%s", data_dir, facts->stamp);
    if (rename(work, staged) != 0)
        return fail_errno(err, errno, "rename '%s'", work);
    log_info("backup", "restore: staged, the next start does it", LF_TEXT("file", facts->file),
             LF_TEXT("by", by));
    return files_sync_folder(data_dir, err);
}

bool restore_staged(const char *data_dir, struct restore_facts *ret)
{
    auto_free char *path = staged_path(data_dir);
    if (path && ret)
        restore_note_read(path, ret);
    return path != NULL;
}

/* Under a work folder's name first: a kill in between leaves what the next start sweeps. */
enum status restore_unstage(const char *data_dir, struct error *err)
{
    auto_free char *path = staged_path(data_dir), *work = NULL;
    if (!path)
        return fail(err, STATUS_NOT_FOUND, "no restore is staged");
    TRY(files_work_begin(data_dir, &work, err));
    if (rename(path, work) != 0)
        return fail_errno(err, errno, "rename '%s'", path);
    log_info("backup", "restore: what was staged is given up", LF_TEXT("folder", path));
    files_remove(work);
    return files_sync_folder(data_dir, err);
}

enum status restore_begin_staged(const char *data_dir, struct error *err)
{
    auto_free char *name = last_named(data_dir, STAGED), *aside = NULL;
    if (!name)
        return STATUS_OK;
    auto_free char *path = xasprintf("%s/%s", data_dir, name);
    struct restore_facts facts;
    restore_note_read(path, &facts);
    log_info("backup", "restore: what was staged begins", LF_TEXT("file", facts.file),
             LF_TEXT("by", facts.by));
    TRY(go(data_dir, path, name + sizeof STAGED - 1, &aside, err));
    log_warn("backup", "restore: the data is that of a backup now; the way back, with the program"
             " stopped: cartographus restore --undo", LF_TEXT("file", facts.file),
             LF_INT("plays", facts.plays), LF_TEXT("former", aside ? aside : ""));
    return STATUS_OK;
}

/* --- afterwards -------------------------------------------------------------------------------- */

bool restore_last(const char *data_dir, struct restored *ret)
{
    *ret = (struct restored){0};
    if (!restore_note_read(data_dir, &ret->facts))
        return false;
    auto_free char *aside = xasprintf("%s/" ASIDE "%s", data_dir, ret->facts.stamp);
    ret->aside = is_folder(aside) ? steal_ptr(&aside) : NULL;
    return true;
}

void restore_forget(const char *data_dir)
{
    auto_free char *path = xasprintf("%s/" RESTORE_NOTE, data_dir);
    unlink(path);
}
