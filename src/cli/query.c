#include "cli/control.h"

#include <stdio.h>

#include "cli/args.h"
#include "base/json_read.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *format;
static bool is_explained, is_list;

static const char *const formats[] = {"table", "json", "csv", "ndjson"};

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

static void print_explanation(const json_t *e)
{
    size_t i;
    json_t *v;
    printf("\n%s\n\n%s\n", jstr(e, "definition"), jstr(e, "sql"));
    json_array_foreach(jget(e, "values"), i, v) {
        auto_free char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        printf("  %s\n", text);
    }
}

/* For a name that there is none of: the nearest that there is. */
static void suggest(struct control *ctl, const char *name)
{
    auto_json json_t *answer = NULL;
    const char *names[256] = {""};
    char hint[80];
    size_t i, n = 0;
    json_t *q;
    if (control_ask(ctl, "GET", "/api/v1/analytics", &answer, NULL) != STATUS_OK)
        return;
    json_array_foreach(jget(answer, "queries"), i, q)
        if (n < ARRAY_LEN(names))
            names[n++] = jstr(q, "name");
    args_nearest(name, names, n, hint);
    fprintf(stderr, "cartographus: there is no query '%s'%s (cartographus query lists them)\n", name,
            hint);
}

static enum status ask(struct control *ctl, const char *name, int argc, char **params,
                       struct error *err)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/analytics/");
    buf_add_urlencoded(&target, str_of(name));
    buf_printf(&target, "?format=%s%s", streq(format, "table") ? "json" : format,
               is_explained ? "&explain=1" : "");
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
        if (is_explained)
            print_explanation(jget(answer, "explain"));
        return STATUS_OK;
    }
    struct unix_request r = {.target = buf_text(&target), .body_fd = -1};
    return control_print(ctl, &r, err);
}

static const struct arg_option options[] = {
    {"--format", "FORMAT", "table (default), json, csv or ndjson", &format, NULL},
    {"--explain", NULL, "also tell (table, json) what is counted, and the SQL with its values", NULL,
     &is_explained},
    {"--list", NULL, "the names and questions there are, as without a name", NULL, &is_list},
};
static const struct args args = {
    .usage = "query [NAME [PARAMETER=VALUE ...]] [--format FORMAT] [--explain] [--list]",
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
    if (!args_is_format(format, formats, ARRAY_LEN(formats), "table, json, csv or ndjson"))
        return EXIT_USAGE;
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
    enum status s = argc == 0 || is_list ? list(&ctl, &err) : ask(&ctl, argv[0], argc - 1, argv + 1, &err);
    if (s == STATUS_NOT_FOUND && argc > 0 && !is_list) {
        suggest(&ctl, argv[0]);
        status = EXIT_FAILED;
    } else {
        status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    }
    control_close(&ctl);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    return status;
}
