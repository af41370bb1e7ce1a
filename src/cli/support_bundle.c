#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "backup/files.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/args.h"

#include "base/banned.h"

static const struct args args = {
    .usage = "support-bundle [FILE]",
    .about = "What a report of a fault needs, as one .tar.gz: version, options without texts, a try of each\n"
             "media server, how they are watched, rows of each table, metrics, the last lines of the log.\n"
             "No secrets; names, titles and addresses are pseudonyms (README.txt in it says more). From the\n"
             "running server, whose log it then has. Without FILE: cartographus-support-TIME.tar.gz here.",
    .most = 1,
};

static enum status write_file(const char *path, struct str bytes, struct error *err)
{
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "write '%s'", path);
    enum status s = files_write(fd, path, bytes.ptr, bytes.len, err);
    if (s != STATUS_OK)
        unlink(path);
    return s;
}

static enum status make(struct control *ctl, const char *path, struct error *err)
{
    auto_buf struct buf bytes = {0};
    struct unix_request r = {.target = "/api/v1/support-bundle", .body_fd = -1};
    TRY(control_fetch(ctl, &r, &bytes, err));
    TRY(write_file(path, buf_str(&bytes), err));
    printf("%s: %zu bytes%s\n", path, bytes.len,
           ctl->own ? "; no server runs, so it has nothing of a server's log" : "");
    return STATUS_OK;
}

int cli_support_bundle(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    char stamp[FILES_STAMP_MAX];
    files_stamp(clock_now_us(), stamp);
    auto_free char *path = argc ? xstrdup(argv[0]) : xasprintf("cartographus-support-%s.tar.gz", stamp);
    struct control ctl;
    struct error err = {0};
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    status = make(&ctl, path, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
