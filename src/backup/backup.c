#include "backup/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "auth/auth.h"
#include "auth/backup.h"
#include "backup/files.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "log/log.h"
#include "servers/servers.h"
#include "store/store.h"

#include "base/banned.h"

/* An archive that is being written: ".cartographus-....partial", beside those that are whole. */
#define PARTIAL_PREFIX ".cartographus-"
#define PARTIAL_SUFFIX ".partial"
/* Beside the store's own size: the small files, and DuckDB's head of a file. */
enum { ROOM_BESIDE = 2 * 1024 * 1024 };

/* --- names ------------------------------------------------------------------------------------- */

/* How an archive is packed shows in its name: .tar.gz, .tar.zst, and .enc behind it if sealed. */
static void put_name(int64_t made_us, const struct pack_form *form, char dst[static BACKUP_NAME_MAX])
{
    char stamp[FILES_STAMP_MAX];
    files_stamp(made_us, stamp);
    snprintf(dst, BACKUP_NAME_MAX, "cartographus-%s.tar.%s%s", stamp, form->is_zstd ? "zst" : "gz",
             form->passphrase && *form->passphrase ? ".enc" : "");
}

bool backup_is_name(const char *name, int64_t *ret_made_us)
{
    static const char shape[] = "cartographus-00000000-000000";
    static const char *const endings[] = {".tar.gz", ".tar.zst", ".tar.gz.enc", ".tar.zst.enc"};
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == '0' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i])
            return false;
    bool is_ending = false;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++)
        is_ending = is_ending || streq(name + sizeof shape - 1, endings[i]);
    const char *d = name + 13;
    auto_free char *text = xasprintf("%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 9, d + 11,
                                     d + 13);
    int64_t made_us;
    if (!is_ending || !time_parse(str_of(text), &made_us))
        return false;
    if (ret_made_us)
        *ret_made_us = made_us;
    return true;
}

/* Of this second, or of the first one after it that has no backup yet. */
static int64_t free_name(const struct backup_config *c, char dst[static BACKUP_NAME_MAX])
{
    for (int64_t made_us = clock_now_us();; made_us += US_PER_S) {
        put_name(made_us, &c->form, dst);
        auto_free char *path = xasprintf("%s/%s", c->folder, dst);
        if (access(path, F_OK) != 0)
            return made_us;
    }
}

/* --- what is in the way ------------------------------------------------------------------------ */

static int64_t size_of(const char *folder, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", folder, name);
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* What a copy of all takes at most, packed or not. */
static int64_t room_needed(const char *data_dir)
{
    static const char *const files[] = {BACKUP_STORE, BACKUP_STORE ".wal", BACKUP_LOG,
                                        BACKUP_LOG "-wal", BACKUP_ACCOUNTS};
    int64_t bytes = ROOM_BESIDE;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        bytes += size_of(data_dir, files[i]);
    return bytes;
}

static bool are_on_one_disk(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

/* The copy is made in the data folder, where locks and everything else that a database asks of a
 * file system are known to work; a folder for backups may be on a share. */
enum status backup_check(const struct backup_config *c, struct error *err)
{
    TRY(files_need_folder(c->folder, "BACKUP_DIR", err));
    int64_t bytes = room_needed(c->data_dir);
    bool is_one = are_on_one_disk(c->data_dir, c->folder);
    if (files_need_room(c->folder, is_one ? 2 * bytes : bytes, err) != STATUS_OK)
        return fail_prefix(err, "BACKUP_DIR");
    if (files_need_room(c->data_dir, bytes, err) != STATUS_OK)
        return fail_prefix(err, "DATA_DIR, for the copy of a backup");
    return STATUS_OK;
}

void backup_sweep(const char *folder)
{
    files_sweep(folder, PARTIAL_PREFIX, PARTIAL_SUFFIX);
}

/* --- making ------------------------------------------------------------------------------------ */

static enum status step(const struct backup_config *c, const char *name, struct error *err)
{
    if (c->go_on && !c->go_on(c->ctx, name))
        return fail(err, STATUS_CANCELLED, "stopped before: %s", name);
    log_info("backup", name, LF_TEXT("folder", c->folder));
    return STATUS_OK;
}

static enum status copy_if_there(const char *data_dir, const char *folder, const char *name,
                                 struct manifest *m, struct error *err)
{
    auto_free char *from = xasprintf("%s/%s", data_dir, name);
    auto_free char *to = xasprintf("%s/%s", folder, name);
    bool is_there;
    TRY(files_copy_small(from, to, &is_there, err));
    if (is_there)
        m->files[m->file_count++].name = name;
    return STATUS_OK;
}

/* Until when servers were watched is read first: an older state makes the time in which nobody
 * watched longer, never shorter. The log comes before the store, so that nothing falls between. */
static enum status snapshot(const struct backup_config *c, const char *folder, struct manifest *m,
                            struct error *err)
{
    auto_free char *store = xasprintf("%s/%s", folder, BACKUP_STORE);
    auto_free char *log = xasprintf("%s/%s", folder, BACKUP_LOG);
    auto_free char *accounts = xasprintf("%s/%s", folder, BACKUP_ACCOUNTS);
    auto_free char *live_accounts = xasprintf("%s/%s", c->data_dir, BACKUP_ACCOUNTS);
    int64_t applied;
    m->files[m->file_count++].name = BACKUP_STORE;
    m->files[m->file_count++].name = BACKUP_LOG;
    m->files[m->file_count++].name = BACKUP_ACCOUNTS;
    TRY(copy_if_there(c->data_dir, folder, BACKUP_ALIVE, m, err));
    TRY(copy_if_there(c->data_dir, folder, BACKUP_CLIENT_ID, m, err));
    TRY(auth_backup(live_accounts, accounts, err));
    TRY(servers_backup(live_accounts, accounts, err));
    TRY(store_query_int(c->conn, "select position from applied", NULL, 0, 0, &applied, err));
    TRY(log_backup(c->log, applied, log, err));
    TRY(step(c, "copying the store", err));
    TRY(store_snapshot(c->conn, store, &m->store, err));
    TRY(log_backup_end(log, m->store.position, err));
    for (size_t i = 0; i < m->file_count; i++)
        TRY(pack_sum(folder, &m->files[i], err));
    return STATUS_OK;
}

/* Packs and verifies it under a name that no list takes up. */
static enum status make_archive(const struct backup_config *c, const char *archive,
                                struct manifest *m, struct error *err)
{
    auto_free char *copies = NULL;
    TRY(files_work_begin(c->data_dir, &copies, err));
    enum status s = snapshot(c, copies, m, err);
    if (s == STATUS_OK)
        s = step(c, "packing", err);
    if (s == STATUS_OK)
        s = pack_write(archive, copies, m, &c->form, err);
    files_remove(copies);
    TRY(s);
    TRY(step(c, "verifying: unpacking it, comparing rows and sums", err));
    auto_manifest struct manifest read = {0};
    struct pack_source from = {.file = archive, .passphrase = c->form.passphrase};
    TRY(backup_verify(&from, c->data_dir, &read, err));
    return step(c, "giving it its name", err);
}

enum status backup_make(const struct backup_config *c, char ret_name[static BACKUP_NAME_MAX],
                        struct manifest *ret_manifest, struct error *err)
{
    *ret_manifest = (struct manifest){.is_demo = c->is_demo};
    snprintf(ret_manifest->version, sizeof ret_manifest->version, "%s", c->version);
    snprintf(ret_manifest->engine, sizeof ret_manifest->engine, "%s", store_engine());
    TRY(backup_check(c, err));
    backup_sweep(c->folder);
    ret_manifest->made_us = free_name(c, ret_name);
    auto_free char *final = xasprintf("%s/%s", c->folder, ret_name);
    auto_free char *partial = xasprintf("%s/.%s" PARTIAL_SUFFIX, c->folder, ret_name);
    enum status s = make_archive(c, partial, ret_manifest, err);
    if (s == STATUS_OK && rename(partial, final) != 0)
        s = fail_errno(err, errno, "rename to '%s'", final);
    if (s == STATUS_OK)
        s = files_sync_folder(c->folder, err);
    if (s != STATUS_OK) {
        unlink(partial);
        manifest_done(ret_manifest);
    }
    return s;
}

/* --- verifying --------------------------------------------------------------------------------- */

static enum status compare_table(const struct store_table *want, const struct store_table *have,
                                 bool is_same_engine, struct error *err)
{
    if (!streq(want->name, have->name))
        return fail(err, STATUS_INVALID, "the table '%s' is in it where '%s' is said to be",
                    have->name, want->name);
    if (want->rows != have->rows)
        return fail(err, STATUS_INVALID, "the table '%s' has %" PRId64 " rows, not %" PRId64 " as its "
                    MANIFEST_NAME " says", want->name, have->rows, want->rows);
    if (is_same_engine && !streq(want->sum, have->sum))
        return fail(err, STATUS_INVALID, "the rows of the table '%s' are not those that its "
                    MANIFEST_NAME " says", want->name);
    return STATUS_OK;
}

static enum status compare_store(const struct manifest *m, const struct store_summary *have,
                                 struct error *err)
{
    if (have->schema != m->store.schema || have->position != m->store.position ||
        have->table_count != m->store.table_count)
        return fail(err, STATUS_INVALID, "the store in it has schema %" PRId64 ", log position %" PRId64
                    " and %zu tables, its " MANIFEST_NAME " says otherwise", have->schema,
                    have->position, have->table_count);
    for (size_t i = 0; i < have->table_count; i++)
        TRY(compare_table(&m->store.tables[i], &have->tables[i],
                          streq(m->engine, store_engine()), err));
    return STATUS_OK;
}

enum status backup_compare(const char *folder, const struct manifest *m, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", folder, BACKUP_STORE);
    struct store_summary have;
    TRY(store_summarize(path, &have, err));
    enum status s = compare_store(m, &have, err);
    store_summary_done(&have);
    return s;
}

/* As a start would: brought to the newest schema, which changes the files. */
static enum status try_start(const char *folder, struct error *err)
{
    auto_free char *store_path = xasprintf("%s/%s", folder, BACKUP_STORE);
    auto_free char *log_path = xasprintf("%s/%s", folder, BACKUP_LOG);
    auto_free char *accounts_path = xasprintf("%s/%s", folder, BACKUP_ACCOUNTS);
    struct store_config sc = {.path = store_path, .max_memory = "512MB", .threads = 1};
    struct auth_config ac = {.path = accounts_path, .jwt_secret = ""};
    struct store *store = NULL;
    struct log *log = NULL;
    struct auth *auth = NULL;
    enum status s = store_open(&sc, &store, NULL, err);
    if (s == STATUS_OK)
        s = log_open(log_path, &log, err);
    if (s == STATUS_OK)
        s = auth_open(&ac, &auth, err);
    auth_close(auth);
    log_close(log);
    store_close(store);
    return s;
}

enum status backup_verify(const struct pack_source *from, const char *scratch, struct manifest *ret,
                          struct error *err)
{
    auto_free char *work = NULL;
    TRY(files_work_begin(scratch, &work, err));
    enum status s = pack_unpack(from, work, ret, err);
    if (s == STATUS_OK) {
        s = backup_compare(work, ret, err);
        if (s == STATUS_OK)
            s = try_start(work, err);
        if (s != STATUS_OK) {
            manifest_done(ret);
            s = fail_prefix(err, "'%s'", from->name ? from->name : from->file);
        }
    }
    files_remove(work);
    return s;
}

/* --- those that are there ---------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    return strcmp(((const struct backup_entry *)b)->name, ((const struct backup_entry *)a)->name);
}

enum status backup_list(const char *folder, struct backup_entry **ret, size_t *ret_count,
                        struct error *err)
{
    *ret = NULL;
    *ret_count = 0;
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? STATUS_OK : fail_errno(err, errno, "BACKUP_DIR: '%s'", folder);
    for (struct dirent *e; (e = readdir(d));) {
        struct backup_entry b = {0};
        struct stat st;
        if (!backup_is_name(e->d_name, &b.made_us) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        snprintf(b.name, sizeof b.name, "%.*s", (int)sizeof b.name - 1, e->d_name);
        b.bytes = st.st_size;
        *ret = xreallocarray(*ret, *ret_count + 1, sizeof **ret);
        (*ret)[(*ret_count)++] = b;
    }
    closedir(d);
    if (*ret_count)
        qsort(*ret, *ret_count, sizeof **ret, newest_first);
    return STATUS_OK;
}

bool backup_is_shrunk(const struct backup_entry *b, const struct backup_entry *before)
{
    return b->bytes <= before->bytes / 2;
}

char *backup_find(const char *folder, const char *given)
{
    auto_free char *in_folder = xasprintf("%s/%s", folder, given);
    bool is_path = strchr(given, '/') || access(given, F_OK) == 0 || access(in_folder, F_OK) != 0;
    return is_path ? xstrdup(given) : steal_ptr(&in_folder);
}

enum status backup_remove(const char *folder, const char *name, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", folder, name);
    if (!backup_is_name(name, NULL))
        return fail(err, STATUS_NOT_FOUND, "'%.60s' is no backup's name", name);
    if (unlink(path) != 0)
        return errno == ENOENT ? fail(err, STATUS_NOT_FOUND, "there is no backup '%s'", name)
                               : fail_errno(err, errno, "remove '%s'", path);
    log_info("backup", "removed", LF_TEXT("file", path));
    return STATUS_OK;
}
