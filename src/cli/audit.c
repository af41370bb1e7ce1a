#include "cli/control.h"

#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *kind, *about, *limit = "50", *before;

static const struct arg_option options[] = {
    {"--kind", "KIND", "only login, refused, change or export", &kind, NULL},
    {"--about", "TEXT", "only rows with that in who, token, address, action or detail", &about, NULL},
    {"--limit", "N", "how many, 50 by default", &limit, NULL},
    {"--before", "ID", "only rows older than this one", &before, NULL},
};
static const struct args args = {
    .usage = "audit [options]",
    .about = "The audit log, newest first: logins, refused logins, changes, exports; AUDIT_KEEP_ROWS and\n"
             "AUDIT_KEEP say how much of it is kept.",
    .options = options,
    .option_count = ARRAY_LEN(options),
};

static void add(struct buf *target, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(target, "&%s=", name);
    buf_add_urlencoded(target, str_of(value));
}

static enum status show(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/audit?limit=");
    buf_add_urlencoded(&target, str_of(limit));
    add(&target, "kind", kind);
    add(&target, "about", about);
    add(&target, "before", before);
    TRY(control_ask(ctl, "GET", buf_text(&target), &answer, err));
    table_print(stdout, jget(answer, "rows"));
    if (jint(answer, "next_before", 0))
        printf("there are more: --before %lld\n", (long long)jint(answer, "next_before", 0));
    return STATUS_OK;
}

int cli_audit(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    struct control ctl;
    struct error err = {0};
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    status = show(&ctl, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
