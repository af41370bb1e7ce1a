/* What the tests of backups share: a data folder with rows, log and accounts; a backup of it. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../test.h"

#include "auth/auth.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "base/logger.h"
#include "log/log.h"
#include "store/store.h"

static char root[64]; /* of all that a test makes */

[[maybe_unused]] static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

[[maybe_unused]] static int set_up(void **state)
{
    (void)state;
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
    snprintf(root, sizeof root, "/tmp/cartographus-backup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

[[maybe_unused]] static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct error err; /* of the last call */
#define OK(call)                      \
    do {                              \
        if ((call) != STATUS_OK)      \
            fail_msg("%s", err.text); \
    } while (0)

[[maybe_unused]] static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

[[maybe_unused]] static char *read_text(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return xstrdup("(none)");
    char text[256] = "";
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return xstrdup(text);
}

[[maybe_unused]] static bool is_there(const char *folder, const char *name)
{
    auto_free char *path = xasprintf("%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* A running program's parts, with so many plays. */
struct world {
    char data[96], backups[96];
    struct store *store;
    struct store_conn *conn;
    struct log *log;
    struct auth *auth;
};

[[maybe_unused]] static void world_open(struct world *w, const char *name, int plays)
{
    *w = (struct world){0};
    snprintf(w->data, sizeof w->data, "%s/%s", root, name);
    snprintf(w->backups, sizeof w->backups, "%s/%s-backups", root, name);
    mkdir(w->data, 0700);
    auto_free char *store = xasprintf("%s/cartographus.duckdb", w->data);
    auto_free char *log = xasprintf("%s/log.sqlite", w->data);
    auto_free char *accounts = xasprintf("%s/cartographus.sqlite", w->data);
    struct store_config sc = {.path = store, .max_memory = "256MB", .threads = 1};
    struct auth_config ac = {.path = accounts, .jwt_secret = "0123456789012345678901234567890123",
                             .admin_username = "ada", .admin_password = "correct horse battery",
                             .session_timeout_us = US_PER_HOUR};
    if (store_open(&sc, &w->store, NULL, &err) != STATUS_OK ||
        store_connect(w->store, &w->conn, &err) != STATUS_OK ||
        log_open(log, &w->log, &err) != STATUS_OK || auth_open(&ac, &w->auth, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    auto_free char *sql = xasprintf("insert into play (play_id, watch_ms) select i, i * 7 from"
                                    " range(%d) r(i)", plays);
    OK(store_exec(w->conn, sql, &err));
}

[[maybe_unused]] static void world_close(struct world *w)
{
    auth_close(w->auth);
    log_close(w->log);
    store_disconnect(w->conn);
    store_close(w->store);
}

[[maybe_unused]] static struct backup_config config_of(struct world *w)
{
    return (struct backup_config){.data_dir = w->data, .folder = w->backups, .conn = w->conn,
                                  .log = w->log, .version = "1.2.3"};
}

/* Its path. */
[[maybe_unused]] static char *make_backup(struct world *w)
{
    struct backup_config c = config_of(w);
    char name[BACKUP_NAME_MAX];
    auto_manifest struct manifest m = {0};
    OK(backup_make(&c, name, &m, &err));
    return xasprintf("%s/%s", w->backups, name);
}

/* A store nobody has open. */
[[maybe_unused]] static int64_t plays_in(const char *data)
{
    auto_free char *path = xasprintf("%s/cartographus.duckdb", data);
    struct store_summary s;
    int64_t rows = -1;
    OK(store_summarize(path, &s, &err));
    for (size_t i = 0; i < s.table_count; i++)
        if (streq(s.tables[i].name, "play"))
            rows = s.tables[i].rows;
    store_summary_done(&s);
    return rows;
}
