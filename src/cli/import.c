#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/args.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "cli/table.h"

#include "base/banned.h"

enum { POLL_US = 150 * 1000, BAR = 30, LINE_EVERY_US = 5 * 1000 * 1000 };

static bool is_dry_run, is_agreed;
static const char *server;
static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

/* --- progress -------------------------------------------------------------------------------- */

struct progress {
    bool is_terminal;
    int64_t told_us;
};

/* A bar on a terminal, else a line every few seconds. */
static void show(struct progress *p, const char *what, double share, bool is_end)
{
    int64_t now = clock_monotonic_us();
    if (p->is_terminal) {
        int full = (int)(share * BAR);
        fprintf(stderr, "\r%-8s [", what);
        for (int i = 0; i < BAR; i++)
            fputc(i < full ? '#' : '.', stderr);
        fprintf(stderr, "] %3d%%%s", (int)(share * 100), is_end ? "\n" : "");
    } else if (!is_end && now - p->told_us >= LINE_EVERY_US) {
        p->told_us = now;
        fprintf(stderr, "%s: %d%%\n", what, (int)(share * 100));
    }
}

static bool sent(void *ctx, int64_t bytes, int64_t total)
{
    if (total > 0)
        show(ctx, "sending", (double)bytes / (double)total, false);
    return !is_interrupted;
}

/* --- the report ------------------------------------------------------------------------------ */

static void print_reasons(const json_t *list, const char *what)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        printf("  %s: %lld, %s", what, (long long)jint(one, "count", 0), jstr(one, "reason"));
        if (*jstr(one, "sample"))
            printf(" (%s)", jstr(one, "sample"));
        putchar('\n');
    }
}

static void print_report(const json_t *i)
{
    bool is_dry = jbool(i, "is_dry_run") == 1;
    printf("%s: %lld rows read, %lld %s, %lld left out\n", jstr(i, "file"),
           (long long)jint(i, "rows_read", 0), (long long)jint(i, "rows_added", 0),
           is_dry ? "would be added" : "added", (long long)jint(i, "rows_skipped", 0));
    if (jint(i, "rows_added", 0) > 0)
        printf("  %lld people, %lld titles, from %.10s to %.10s\n", (long long)jint(i, "people", 0),
               (long long)jint(i, "titles", 0), jstr(i, "from"), jstr(i, "to"));
    print_reasons(jget(i, "skips"), "left out");
    print_reasons(jget(i, "notes"), "note");
    if (*jstr(i, "error"))
        printf("  %s: %s\n", jstr(i, "state"), jstr(i, "error"));
}

static bool is_running(const json_t *i)
{
    return streq(jstr(i, "state"), "counting") || streq(jstr(i, "state"), "running");
}

/* --- one run --------------------------------------------------------------------------------- */

static enum status send_file(struct control *ctl, int fd, const char *path, bool is_dry,
                             struct progress *p, json_t **ret, struct error *err)
{
    const char *slash = strrchr(path, '/');
    auto_buf struct buf target = {0}, body = {0};
    buf_puts(&target, "/api/v1/import?name=");
    buf_add_urlencoded(&target, str_of(slash ? slash + 1 : path));
    buf_printf(&target, "&dry_run=%d", is_dry);
    if (server) {
        buf_puts(&target, "&server=");
        buf_add_urlencoded(&target, str_of(server));
    }
    struct unix_request r = {.method = "POST",
                             .target = buf_text(&target),
                             .body_fd = fd,
                             .sent = sent,
                             .ctx = p};
    if (lseek(fd, 0, SEEK_SET) != 0)
        return fail_errno(err, errno, "'%s'", path);
    TRY(control_fetch(ctl, &r, &body, err));
    auto_json json_t *answer = NULL;
    TRY(json_parse(buf_str(&body), 1 << 20, 8, &answer, err));
    *ret = json_incref(jget(answer, "import"));
    return *ret ? STATUS_OK : fail(err, STATUS_PROTOCOL, "the server's answer names no import");
}

/* Replaces *report by how the import stands. */
static enum status look(struct control *ctl, json_t **report, struct error *err)
{
    auto_free char *target = xasprintf("/api/v1/import/%lld", (long long)jint(*report, "id", 0));
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", target, &answer, err));
    json_decref(*report);
    *report = json_incref(jget(answer, "import"));
    return *report ? STATUS_OK : fail(err, STATUS_PROTOCOL, "the server's answer names no import");
}

static enum status wait_for_end(struct control *ctl, json_t **report, struct progress *p,
                                struct error *err)
{
    bool is_told = false;
    auto_free char *cancel =
        xasprintf("/api/v1/import/%lld/cancel", (long long)jint(*report, "id", 0));
    while (is_running(*report)) {
        if (is_interrupted && !is_told) {
            auto_json json_t *ignored = NULL;
            TRY(control_ask(ctl, "POST", cancel, &ignored, err));
            is_told = true;
        }
        usleep(POLL_US);
        TRY(look(ctl, report, err));
        show(p, jbool(*report, "is_dry_run") == 1 ? "counting" : "importing",
             jdouble(*report, "percent", 0) / 100, false);
    }
    show(p, "done", 1, true);
    return STATUS_OK;
}

/* OK when it is done; prints its report in any case. */
static enum status run(struct control *ctl, int fd, const char *path, bool is_dry, struct error *err)
{
    struct progress p = {.is_terminal = isatty(STDERR_FILENO) == 1,
                         .told_us = clock_monotonic_us()};
    auto_json json_t *report = NULL;
    TRY(send_file(ctl, fd, path, is_dry, &p, &report, err));
    TRY(wait_for_end(ctl, &report, &p, err));
    print_report(report);
    if (streq(jstr(report, "state"), "done"))
        return STATUS_OK;
    return fail(err, STATUS_IO, "the import has %s",
                streq(jstr(report, "state"), "cancelled") ? "been cancelled" : "failed");
}

static bool ask_person(void)
{
    fputs("import these? [y/N] ", stderr);
    char line[16];
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static enum status import_file(struct control *ctl, const char *path, struct error *err)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail_errno(err, errno, "'%s'", path);
    if (!S_ISREG(st.st_mode))
        return fail(err, STATUS_INVALID, "'%s' is not a file", path);
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool is_asking = !is_agreed && !is_dry_run && isatty(STDIN_FILENO) == 1;
    if (is_dry_run || is_asking)
        TRY(run(ctl, fd, path, true, err));
    if (is_dry_run || (is_asking && !ask_person()))
        return STATUS_OK;
    return run(ctl, fd, path, false, err);
}

/* --- list, undo ------------------------------------------------------------------------------ */

static enum status list(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/import", &answer, err));
    static const char *const shown[] = {"id",           "state",      "source", "file", "rows_added",
                                        "rows_skipped", "started_at", "from",   "to"};
    size_t i;
    json_t *one;
    json_array_foreach(jget(answer, "imports"), i, one) {
        json_t *row = json_object();
        for (size_t k = 0; k < ARRAY_LEN(shown); k++)
            json_object_set(row, shown[k], jget(one, shown[k]));
        json_array_append_new(rows, row);
    }
    if (json_array_size(rows) == 0)
        puts("no imports yet");
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status undo(struct control *ctl, const char *id, struct error *err)
{
    int64_t number;
    if (!str_to_i64(str_of(id), &number) || number < 1)
        return fail(err, STATUS_INVALID, "'%s' is no import's number (import list shows them)", id);
    auto_free char *target = xasprintf("/api/v1/import/%lld", (long long)number);
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "DELETE", target, &answer, err));
    printf("import %lld is undone: its plays do not count any more\n", (long long)number);
    return STATUS_OK;
}

/* --- the subcommand -------------------------------------------------------------------------- */

static const struct arg_option options[] = {
    {"--dry-run", NULL, "only count and say what would be taken in", NULL, &is_dry_run},
    {"--server", "KEY", "the server that the plays belong to (plex-1), where the file names none",
     &server, NULL},
    {"--yes", NULL, "on a terminal: do not count first and ask", NULL, &is_agreed},
};
static const struct args args = {
    .usage = "import PATH | import list | import undo ID",
    .about = "Takes in the history that another tool has kept: a Tautulli database (tautulli.db) or\n"
             "its backup (.zip). The file is sent to the server as it is and is not changed. What is\n"
             "there already is left out, so that a second time adds nothing. Undo takes an import's\n"
             "rows out again.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 2,
    .statuses = "0 done (also when all was there already), 1 failed or cancelled, 2 wrong usage",
};

int cli_import(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    bool is_undo = argc == 2 && streq(argv[0], "undo");
    if (argc == 2 && !is_undo) {
        fprintf(stderr, "cartographus: one file at a time: '%s' or '%s'\n", argv[0], argv[1]);
        return EXIT_USAGE;
    }
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    enum status s;
    if (is_undo)
        s = undo(&ctl, argv[1], &err);
    else if (streq(argv[0], "list"))
        s = list(&ctl, &err);
    else
        s = import_file(&ctl, argv[0], &err);
    status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
