#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/files.h"
#include "cli/args.h"
#include "store/export.h"

#include "base/banned.h"

static const char *format, *to_file;
static bool is_forced;

/* --- the file: whole under its name, or not there --------------------------------------------- */

struct output {
    int fd;
    char *part; /* what it is called meanwhile */
    int64_t bytes;
    struct error err;
    enum status status;
};

static enum status begin_output(struct output *o, struct error *err)
{
    struct stat st;
    if (!is_forced && lstat(to_file, &st) == 0)
        return fail(err, STATUS_CONFLICT, "'%s' is there already; --force replaces it", to_file);
    o->part = xasprintf("%s.part-XXXXXX", to_file);
    o->fd = mkostemp(o->part, O_CLOEXEC);
    return o->fd >= 0 ? STATUS_OK : fail_errno(err, errno, "write '%s'", to_file);
}

static bool take(void *ctx, struct str part)
{
    struct output *o = ctx;
    o->status = files_write(o->fd, to_file, part.ptr, part.len, &o->err);
    o->bytes += (int64_t)part.len;
    return o->status == STATUS_OK;
}

/* Without --force what has come there meanwhile stays, where the file system can see to that. */
static enum status name_output(const struct output *o, struct error *err)
{
    if (fsync(o->fd) != 0)
        return fail_errno(err, errno, "write '%s'", to_file);
    if (!is_forced && renameat2(AT_FDCWD, o->part, AT_FDCWD, to_file, RENAME_NOREPLACE) == 0)
        return STATUS_OK;
    if (!is_forced && errno == EEXIST)
        return fail(err, STATUS_CONFLICT, "'%s' is there already; --force replaces it", to_file);
    return rename(o->part, to_file) == 0 ? STATUS_OK : fail_errno(err, errno, "name '%s'", to_file);
}

static void end_output(struct output *o, bool is_named)
{
    if (o->fd >= 0)
        close(o->fd);
    if (o->fd >= 0 && !is_named)
        unlink(o->part);
    free(o->part);
}

static enum status fetch(struct control *ctl, const char *target, struct error *err)
{
    struct output o = {.fd = -1};
    auto_buf struct buf body = {0};
    enum status s = begin_output(&o, err);
    if (s == STATUS_OK) {
        struct unix_request r = {.target = target, .body_fd = -1, .take = take, .ctx = &o};
        s = control_fetch(ctl, &r, &body, err);
        if (o.status != STATUS_OK)
            s = fail(err, o.status, "%s", o.err.text);
    }
    if (s == STATUS_OK)
        s = name_output(&o, err);
    end_output(&o, s == STATUS_OK);
    if (s == STATUS_OK)
        printf("%s: %lld bytes\n", to_file, (long long)o.bytes);
    return s;
}

/* --- what is asked ----------------------------------------------------------------------------- */

static void add_parameter(struct buf *target, const char *given)
{
    const char *equals = strchr(given, '=');
    buf_putc(target, '&');
    buf_add_urlencoded(target, (struct str){given, (size_t)(equals - given)});
    buf_putc(target, '=');
    buf_add_urlencoded(target, str_of(equals + 1));
}

static const struct arg_option options[] = {
    {"--format", "FORMAT", "of plays: csv, ndjson, parquet or geojson; else as FILE's name ends", &format,
     NULL},
    {"-o", "FILE", "of plays: the file to write", &to_file, NULL},
    {"--force", NULL, "replace FILE if it is there", NULL, &is_forced},
};
static const struct args args = {
    .usage = "export plays [PARAMETER=VALUE ...] -o FILE [--format FORMAT] | export store FILE",
    .about = "plays: all plays of a filter (days=30, users=1,2, media_types=movie, ...; as the history\n"
             "has them) in a file for other programs. store: everything that is stored, one Parquet file\n"
             "a table in one .tar; README.txt in it says what each is. It has e-mail and network\n"
             "addresses. FILE is there when it is whole, and is not replaced unless --force is given.\n"
             "The answer of a single question: cartographus query NAME --format csv.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 100,
};

static int misused(const char *text)
{
    fprintf(stderr, "cartographus: %s\nusage: cartographus %s (--help tells more)\n", text, args.usage);
    return EXIT_USAGE;
}

/* The address to ask, or NULL after having said what is wrong. */
static char *target_of_plays(int argc, char **argv)
{
    enum export_format f;
    auto_buf struct buf target = {0};
    if (!to_file)
        return misused("-o FILE is missing"), NULL;
    const char *dot = strrchr(to_file, '.');
    const char *word = format ? format : dot ? dot + 1 : "";
    if (!export_parse(word, &f))
        return misused(format ? "--format must be csv, ndjson, parquet or geojson"
                              : "give --format csv, ndjson, parquet or geojson"), NULL;
    buf_printf(&target, "/api/v1/plays?format=%s", export_word(f));
    for (int i = 0; i < argc; i++) {
        if (!strchr(argv[i], '='))
            return misused("after plays come parameters like days=30"), NULL;
        add_parameter(&target, argv[i]);
    }
    return buf_steal(&target);
}

int cli_export(struct cli *c, int argc, char **argv)
{
    format = to_file = NULL;
    is_forced = false;
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    auto_free char *target = NULL;
    if (streq(argv[0], "plays")) {
        target = target_of_plays(argc - 1, argv + 1);
    } else if (streq(argv[0], "store") && argc == 2 && !format && !to_file) {
        to_file = argv[1];
        target = xstrdup("/api/v1/export/store");
    } else {
        return misused("say what: export plays ... -o FILE, or export store FILE.tar");
    }
    if (!target)
        return EXIT_USAGE;
    struct control ctl;
    struct error err = {0};
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    status = fetch(&ctl, target, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
