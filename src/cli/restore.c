#include "backup/restore.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "app/app.h"
#include "app/demo.h"
#include "app/folder.h"
#include "app/lock.h"
#include "auth/audit.h"
#include "app/servers.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/control.h"
#include "cli/passphrase.h"

#include "base/banned.h"

static bool is_undo;
static const char *passphrase_file;

/* Which servers cannot be watched before somebody gives their token. */
static void tell_servers(const struct config *c)
{
    struct servers *servers = NULL;
    struct error err = {0};
    if (servers_of_folder(c, true, &servers, &err) != STATUS_OK) {
        printf("  %s\n", err.text);
        return;
    }
    auto_server_list struct server_list *l = servers_get(servers);
    servers_close(servers);
    for (size_t i = 0; i < l->count; i++) {
        const struct server_config *s = &l->entries[i].config;
        if (!s->token)
            printf("  the token of %s: give it on the page, or by: cartographus server edit %s "
                   "--token-file FILE\n", s->url, s->key);
    }
}

static void tell(const struct config *c, const char *file, const struct restored *r)
{
    char made[TIME_TEXT_MAX];
    printf("%s is restored to %s: %lld plays, as of %s (version %s)\n", file, c->data_dir,
           (long long)r->facts.plays, time_format(r->facts.made_us, made), r->facts.version);
    if (r->aside)
        printf("what was there is in %s; back to it: cartographus restore --undo\n", r->aside);
    puts("not in a backup, so see that they are set:");
    for (size_t i = 0; i < backup_left_out_count; i++)
        printf("  %s\n", backup_left_out[i]);
    tell_servers(c);
}

/* Into the accounts that are there now, as those before are aside. */
static void note(const struct config *c, const char *detail)
{
    auto_free char *path = xasprintf("%s/cartographus.sqlite", c->data_dir);
    struct audit_row row = {.kind = AUDIT_CHANGE, .who = "command line", .via = "command line",
                            .action = "restore", .status = 200};
    struct error err = {0};
    snprintf(row.detail, sizeof row.detail, "%s", detail);
    if (audit_note_offline(path, &row, &err) != STATUS_OK)
        log_warn("backup", "the restore is not in the audit log", LF_ERROR(&err));
}

static enum status restore(const struct config *c, const char *given, struct error *err)
{
    auto_free char *folder = app_backup_folder(c), *file = backup_find(folder, given);
    auto_cleanup(passphrase_done) char *passphrase = NULL;
    TRY(passphrase_read(passphrase_file, c, &passphrase, err));
    struct pack_source from = {.file = file, .passphrase = passphrase};
    struct restored r = {0};
    TRY(restore_file(&from, c->data_dir, demo_is_folder(c->data_dir), &r, err));
    note(c, file);
    tell(c, file, &r);
    restored_done(&r);
    return STATUS_OK;
}

static enum status undo(const struct config *c, struct error *err)
{
    struct restored r = {0};
    TRY(restore_undo(c->data_dir, &r, err));
    note(c, "undo");
    printf("%s is as it was before the last restore\n", c->data_dir);
    if (r.aside)
        printf("what the restore had brought is in %s\n", r.aside);
    restored_done(&r);
    return STATUS_OK;
}

/* A new folder in which nothing was restored goes again. */
static enum status run(const struct config *c, const char *file, struct error *err)
{
    struct stat st;
    bool is_new = stat(c->data_dir, &st) != 0 && errno == ENOENT;
    umask(077);
    TRY(data_folder_prepare(c->data_dir, err));
    auto_fd int lock = -1;
    enum status s = data_lock(c->data_dir, &lock, err);
    if (s == STATUS_CONFLICT)
        return fail_prefix(err, "stop the server first, a restore takes its place");
    if (s == STATUS_OK)
        s = is_undo ? undo(c, err) : restore(c, file, err);
    if (s != STATUS_OK && is_new) {
        auto_free char *path = xasprintf("%s/lock", c->data_dir);
        unlink(path);
        rmdir(c->data_dir);
    }
    return s;
}

static const struct arg_option options[] = {
    {PASSPHRASE_OPTION, "PATH", "a file with the passphrase of an encrypted backup; else"
     " BACKUP_PASSPHRASE", &passphrase_file, NULL},
    {"--undo", NULL, "back to what was there before the last restore", NULL, &is_undo},
};
static const struct args args = {
    .usage = "restore FILE [options] | restore --undo",
    .about = "Puts a backup in the place of the data. The server must be stopped. The backup is verified\n"
             "first; what was there is put aside in the data folder and can be taken back. FILE is a\n"
             "path, or the name of a backup in BACKUP_DIR (cartographus backup list). While the server\n"
             "runs, a restore is staged for its next start: on the page (Settings, Backups), or by\n"
             "POST /restore.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .most = 1,
};

int cli_restore(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    if ((argc == 1) == is_undo) {
        fprintf(stderr, "cartographus: either a file or --undo\nusage: cartographus %s\n", args.usage);
        return EXIT_USAGE;
    }
    struct config config;
    auto_free char *faults = NULL;
    logger_setup(LOG_WARN, LOG_FORMAT_LOGFMT);
    struct error err = {0};
    if (config_load(&c->origin, false, &config, &faults) != STATUS_OK) {
        fputs(faults, stderr);
        status = EXIT_FAILED;
    } else {
        logger_setup(LOG_INFO, LOG_FORMAT_LOGFMT); /* each step, as the server logs it */
        status = run(&config, argv[0], &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    }
    config_done(&config);
    return status;
}
