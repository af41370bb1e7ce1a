#include "app/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, OTHERS = 0077 };

static enum status not_ours(const char *path, const char *what, const struct stat *st,
                            struct error *err)
{
    return fail(err, STATUS_IO,
                "DATA_DIR: '%s' cannot be %s (owner %u, mode %04o); it must belong to user %u, who "
                "runs this", path, what, (unsigned)st->st_uid, (unsigned)(st->st_mode & 07777),
                (unsigned)geteuid());
}

/* Files that the program itself makes in the folder. */
static bool is_own_file(const char *name)
{
    static const char *const own[] = {"cartographus.duckdb", "cartographus.sqlite", "log.sqlite",
                                      "cartographus.yaml", "secret.key", "lock"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_has_prefix(str_of(name), str_of(own[i])))
            return true;
    return false;
}

/* access() asks for the real user, so the effective one of a set-uid start would not count. */
static bool may(const char *path, int how)
{
    return faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

static enum status check_files(const char *path, struct error *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return fail_errno(err, errno, "DATA_DIR: '%s'", path);
    enum status s = STATUS_OK;
    for (struct dirent *e; s == STATUS_OK && (e = readdir(folder));) {
        struct stat st;
        if (!is_own_file(e->d_name) || fstatat(dirfd(folder), e->d_name, &st, 0) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        auto_free char *file = xasprintf("%s/%s", path, e->d_name);
        if (!may(file, R_OK | W_OK))
            s = not_ours(file, "read and written", &st, err);
        else if ((st.st_mode & OTHERS) && chmod(file, FILE_MODE) == 0)
            log_info("app", "a file was open to others and is narrowed", LF_TEXT("file", file));
    }
    closedir(folder);
    return s;
}

static enum status check_folder(const char *path, struct stat *st, struct error *err)
{
    if (stat(path, st) != 0)
        return errno == ENOENT ? fail(err, STATUS_NOT_FOUND, "DATA_DIR: '%s' does not exist", path)
                               : fail_errno(err, errno, "DATA_DIR: '%s'", path);
    if (!S_ISDIR(st->st_mode))
        return fail(err, STATUS_IO, "DATA_DIR: '%s' is not a folder", path);
    if (!may(path, R_OK | W_OK | X_OK))
        return not_ours(path, "written to", st, err);
    return STATUS_OK;
}

enum status data_folder_check(const char *path, struct error *err)
{
    struct stat st;
    return check_folder(path, &st, err);
}

enum status data_folder_prepare(const char *path, struct error *err)
{
    struct stat st;
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "DATA_DIR: make '%s'", path);
    TRY(check_folder(path, &st, err));
    if (geteuid() == 0 && st.st_uid != 0)
        log_warn("app", "running as root on a folder of another user, who cannot read what is made now",
                 LF_TEXT("folder", path), LF_INT("owner", st.st_uid));
    if ((st.st_mode & OTHERS) && chmod(path, FOLDER_MODE) == 0)
        log_info("app", "the data folder was open to others and is narrowed", LF_TEXT("folder", path));
    return check_files(path, err);
}
