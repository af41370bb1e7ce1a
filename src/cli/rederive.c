#include "cli/control.h"

#include <stdio.h>

#include "cli/args.h"
#include "base/json_read.h"

#include "base/banned.h"

static const struct args args = {
    .usage = "rederive",
    .about = "Makes all plays anew from what was recorded (observations, imports, edits) and takes\n"
             "the new ones in at once. Without a new version or other limits nothing changes.",
};

static void print_report(const json_t *r)
{
    printf("%lld plays in %lld segments", (long long)jint(r, "plays_after", 0),
           (long long)jint(r, "segments_after", 0));
    if (jbool(r, "is_changed") == 0)
        puts(", as before");
    else
        printf("; there were %lld in %lld\n", (long long)jint(r, "plays_before", 0),
               (long long)jint(r, "segments_before", 0));
}

int cli_rederive(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    auto_json json_t *answer = NULL;
    status = EXIT_OK;
    if (control_ask(&ctl, "POST", "/api/v1/rederive", &answer, &err) == STATUS_OK)
        print_report(answer);
    else
        status = control_failed(&err);
    control_close(&ctl);
    return status;
}
