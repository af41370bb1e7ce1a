#include "cli/control.h"

#include <stdio.h>

#include "cli/args.h"
#include "base/json_read.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *format;

static const char *const formats[] = {"table", "json", "csv", "ndjson"};

static bool is_format(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (streq(formats[i], name))
            return true;
    return false;
}

/* Names and questions of the catalogue. */
static enum status list(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/analytics", &answer, err));
    size_t i;
    json_t *q;
    json_array_foreach(jget(answer, "queries"), i, q)
        printf("%-24s %s\n", jstr(q, "name"),
               *jstr(q, "question") ? jstr(q, "question") : jstr(q, "title"));
    return STATUS_OK;
}

static bool to_stdout(void *ctx, struct str part)
{
    return fwrite(part.ptr, 1, part.len, stdout) == part.len;
}

static enum status ask(struct control *ctl, const char *name, int argc, char **params,
                       struct error *err)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/analytics/");
    buf_add_urlencoded(&target, str_of(name));
    buf_printf(&target, "?format=%s", streq(format, "table") ? "json" : format);
    for (int i = 0; i < argc; i++) {
        const char *equals = strchr(params[i], '=');
        buf_putc(&target, '&');
        buf_add_urlencoded(&target, (struct str){params[i], (size_t)(equals - params[i])});
        buf_putc(&target, '=');
        buf_add_urlencoded(&target, str_of(equals + 1));
    }
    if (streq(format, "table")) {
        auto_json json_t *answer = NULL;
        TRY(control_ask(ctl, "GET", buf_text(&target), &answer, err));
        json_t *rows = jget(answer, "data");
        if (json_array_size(rows) == 0)
            puts("no rows");
        else
            table_print(stdout, rows);
        return STATUS_OK;
    }
    struct unix_request r = {.target = buf_text(&target), .body_fd = -1, .take = to_stdout};
    auto_buf struct buf body = {0};
    return control_fetch(ctl, &r, &body, err);
}

static const struct arg_option options[] = {
    {"--format", "FORMAT", "table (default), json, csv or ndjson", &format, NULL},
};
static const struct args args = {
    .usage = "query [NAME [PARAMETER=VALUE ...]] [--format FORMAT]",
    .about = "Asks one of the catalogue's questions; without a name, lists them. Parameters are those\n"
             "of the filter (days=30, users=1,2, media_types=movie, tz=Europe/Berlin, ...) and the\n"
             "query's own (limit=20, bucket=week, ...); a wrong one is told.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .most = 100,
};

int cli_query(struct cli *c, int argc, char **argv)
{
    format = "table";
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    if (!is_format(format)) {
        char hint[80];
        args_nearest(format, formats, ARRAY_LEN(formats), hint);
        fprintf(stderr, "cartographus: --format: '%s' is not known%s; it must be table, json, csv "
                        "or ndjson\n", format, hint);
        return EXIT_USAGE;
    }
    for (int i = 1; i < argc; i++) {
        if (strchr(argv[i], '=') == NULL) {
            fprintf(stderr, "cartographus: '%s' must be like PARAMETER=VALUE, such as days=30\n",
                    argv[i]);
            return EXIT_USAGE;
        }
    }
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    enum status s = argc == 0 ? list(&ctl, &err) : ask(&ctl, argv[0], argc - 1, argv + 1, &err);
    status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    return status;
}
