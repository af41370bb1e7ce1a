#include "cli/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "backup/files.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "cli/args.h"
#include "cli/passphrase.h"
#include "cli/table.h"

#include "base/banned.h"

enum { POLL_US = 150 * 1000 };

static bool is_dry_run;
static const char *passphrase_file, *to_folder;

/* --- make one ---------------------------------------------------------------------------------- */

/* Waits for the job's end, telling its steps; the caller owns *ret. */
static enum status wait_for_end(struct control *ctl, int64_t id, json_t **ret, struct error *err)
{
    auto_buf struct buf told = {0};
    for (;;) {
        TRY(control_ask(ctl, "GET", "/api/v1/backups", ret, err));
        const json_t *job = jget(*ret, "job");
        if (jint(job, "id", 0) != id)
            return fail(err, STATUS_IO, "the backup's end was not seen: another one has begun");
        if (!streq(jstr(job, "state"), "running"))
            return STATUS_OK;
        if (!streq(buf_text(&told), jstr(job, "step"))) {
            buf_clear(&told);
            buf_puts(&told, jstr(job, "step"));
            fprintf(stderr, "backup: %s\n", buf_text(&told));
        }
        json_decref(*ret);
        *ret = NULL;
        usleep(POLL_US);
    }
}

static const json_t *find(const json_t *list, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        if (streq(jstr(one, "name"), name))
            return one;
    return NULL;
}

static enum status make(struct control *ctl, struct error *err)
{
    auto_json json_t *begun = NULL, *answer = NULL;
    TRY(control_ask(ctl, "POST", "/api/v1/backups", &begun, err));
    TRY(wait_for_end(ctl, jint(jget(begun, "job"), "id", 0), &answer, err));
    const json_t *job = jget(answer, "job");
    if (streq(jstr(job, "state"), "cancelled"))
        return fail(err, STATUS_CANCELLED, "the backup was cancelled; nothing is left of it");
    if (!streq(jstr(job, "state"), "done"))
        return fail(err, STATUS_IO, "the backup has failed: %s", jstr(job, "error"));
    const json_t *one = find(jget(answer, "backups"), jstr(job, "name"));
    printf("%s/%s: %lld bytes, %lld plays, verified\n", jstr(answer, "folder"), jstr(job, "name"),
           (long long)jint(one, "bytes", 0), (long long)jint(job, "plays", 0));
    if (jbool(one, "is_shrunk") == 1)
        puts("careful: it has less than half the size of the one before");
    puts("not in it:");
    for (size_t i = 0; i < backup_left_out_count; i++)
        printf("  %s\n", backup_left_out[i]);
    return STATUS_OK;
}

/* --- list, prune ------------------------------------------------------------------------------- */

static enum status list(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/backups", &answer, err));
    json_t *backups = jget(answer, "backups");
    printf("%zu backups in %s", json_array_size(backups), jstr(answer, "folder"));
    if (*jstr(answer, "next_at"))
        printf("; the next one is due at %s", jstr(answer, "next_at"));
    putchar('\n');
    table_print(stdout, backups);
    return STATUS_OK;
}

static enum status prune(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL, *pruned = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/backups", &answer, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(answer, "backups"), i, one)
        if (jbool(one, "is_kept") == 0)
            json_array_append(rows, one);
    if (!is_dry_run)
        TRY(control_ask(ctl, "DELETE", "/api/v1/backups", &pruned, err));
    printf("%zu of %zu backups %s\n", json_array_size(rows), json_array_size(jget(answer, "backups")),
           is_dry_run ? "would be removed" : "are removed");
    table_print(stdout, rows);
    return STATUS_OK;
}

/* --- verify, open ------------------------------------------------------------------------------------ */

static void tell(const char *file, const struct manifest *m)
{
    char made[TIME_TEXT_MAX];
    printf("%s: whole; made at %s by version %s, schema %lld, log position %lld\n", file,
           time_format(m->made_us, made), m->version, (long long)m->store.schema,
           (long long)m->store.position);
    for (size_t i = 0; i < m->store.table_count; i++)
        if (m->store.tables[i].rows)
            printf("  %-16s %lld rows\n", m->store.tables[i].name, (long long)m->store.tables[i].rows);
}

static enum status verify(const struct pack_source *from, struct error *err)
{
    const char *temporary = getenv("TMPDIR");
    auto_manifest struct manifest m = {0};
    TRY(backup_verify(from, temporary && *temporary ? temporary : "/var/tmp", &m, err));
    tell(from->file, &m);
    return STATUS_OK;
}

/* The files by hand, of whichever kind of archive. */
static enum status open_up(const struct pack_source *from, struct error *err)
{
    auto_manifest struct manifest m = {0};
    if (mkdir(to_folder, 0700) != 0)
        return fail_errno(err, errno, "make the new folder '%s'", to_folder);
    enum status s = pack_unpack(from, to_folder, &m, err);
    if (s != STATUS_OK) {
        files_remove(to_folder);
        return s;
    }
    tell(from->file, &m);
    printf("its files are in %s; put into an empty data folder they are a store\n", to_folder);
    return STATUS_OK;
}

/* Needs no server and no data folder, only to know where backups are. */
static enum status read_one(const struct config *c, const char *given, struct error *err)
{
    auto_free char *folder = app_backup_folder(c), *file = backup_find(folder, given);
    auto_cleanup(passphrase_done) char *passphrase = NULL;
    TRY(passphrase_read(passphrase_file, c, &passphrase, err));
    struct pack_source from = {.file = file, .passphrase = passphrase};
    return to_folder ? open_up(&from, err) : verify(&from, err);
}

/* --- the subcommand ---------------------------------------------------------------------------- */

static const struct arg_option options[] = {
    {PASSPHRASE_OPTION, "PATH", "of verify and open: a file with the passphrase of an encrypted backup;"
     " else BACKUP_PASSPHRASE", &passphrase_file, NULL},
    {"--to", "FOLDER", "of open: a new folder for the files", &to_folder, NULL},
    {"--dry-run", NULL, "of prune: only say what would be removed", NULL, &is_dry_run},
};
static const struct args args = {
    .usage = "backup | backup list | backup verify FILE | backup open FILE --to FOLDER | backup prune",
    .about = "Makes a backup now, in BACKUP_DIR, while the server runs: one .tar.gz with a snapshot of\n"
             "all data, verified by unpacking and opening it (.tar.zst with BACKUP_COMPRESSION=zstd, .enc\n"
             "with a BACKUP_PASSPHRASE). Options, passwords and tokens are not in it. verify tries a\n"
             "backup, without a server, in TMPDIR (else /var/tmp); open unpacks one by hand, encrypted ones\n"
             "too; FILE is a path, or the name of one in BACKUP_DIR. prune removes those that\n"
             "BACKUP_KEEP_NEWEST, _DAILY, _WEEKLY and _MONTHLY do not keep, as it happens after each backup\n"
             "of BACKUP_SCHEDULE. The way back: cartographus restore FILE.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .most = 2,
};

static int run_read(struct cli *c, const char *given)
{
    struct config config;
    struct error err = {0};
    auto_free char *faults = NULL;
    logger_setup(LOG_WARN, LOG_FORMAT_LOGFMT);
    int status = EXIT_FAILED;
    if (config_load(&c->origin, false, &config, &faults) != STATUS_OK)
        fputs(faults, stderr);
    else
        status = read_one(&config, given, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    config_done(&config);
    return status;
}

int cli_backup(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    bool is_open = argc == 2 && streq(argv[0], "open");
    if (argc == 2 && (is_open || streq(argv[0], "verify")) && is_open == (to_folder != NULL))
        return run_read(c, argv[1]);
    static const struct {
        const char *name;
        enum status (*run)(struct control *ctl, struct error *err);
    } verbs[] = {{"list", list}, {"prune", prune}};
    enum status (*run)(struct control *ctl, struct error *err) = argc ? NULL : make;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (argc == 1 && streq(argv[0], verbs[i].name))
            run = verbs[i].run;
    if (!run || to_folder) {
        fprintf(stderr, "cartographus: '%s' is not understood\nusage: cartographus %s\n",
                argc ? argv[0] : "--to", args.usage);
        return EXIT_USAGE;
    }
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    status = run(&ctl, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
