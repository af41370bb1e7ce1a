#include "cli/control.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/args.h"

#include "base/banned.h"

static const struct args args = {
    .usage = "user reset NAME",
    .about = "Ends all sessions of NAME, and lets them try to log in at once after failures. A password\n"
             "is changed in the configuration (ADMIN_PASSWORD), which is read at every start, or at the\n"
             "OpenID Connect provider.",
    .least = 2,
    .most = 2,
};

int cli_user(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    if (!streq(argv[0], "reset")) {
        fprintf(stderr, "cartographus: user: '%s' is not known; it must be: user reset NAME\n", argv[0]);
        return EXIT_USAGE;
    }
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/users/");
    buf_add_urlencoded(&target, str_of(argv[1]));
    buf_puts(&target, "/reset");
    struct error err = {0};
    json_t *answer = NULL;
    status = EXIT_OK;
    if (control_ask(&ctl, "POST", buf_text(&target), &answer, &err) == STATUS_OK)
        printf("all sessions of %s have ended\n", argv[1]);
    else
        status = control_failed(&err);
    json_decref(answer);
    control_close(&ctl);
    return status;
}
