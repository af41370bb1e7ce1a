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
    if (control_ask(&ctl, "POST", "/api/v1/rederive", &answer, &err) != STATUS_OK)
        status = control_failed(&err);
    const char *name;
    json_t *value;
    json_object_foreach(answer, name, value) {
        if (json_is_integer(value))
            printf("%s: %lld\n", name, (long long)json_integer_value(value));
    }
    control_close(&ctl);
    return status;
}
