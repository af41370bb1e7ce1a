#include "cli/control.h"

#include <stdio.h>

#include "base/json_read.h"
#include "cli/args.h"
#include "cli/table.h"
#include "sql/order.h"

#include "base/banned.h"

static const char *format;
static bool is_listing;

static const char *const formats[] = {"table", "json", "csv", "ndjson"};

/* Tables and columns, each with what it means. */
static enum status list(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/sql", &answer, err));
    if (streq(format, "json")) {
        json_dumpf(jget(answer, "tables"), stdout, JSON_INDENT(2));
        putchar('\n');
        return STATUS_OK;
    }
    size_t i, k;
    json_t *t, *column;
    json_array_foreach(jget(answer, "tables"), i, t) {
        printf("%s%s: %s\n", i ? "\n" : "", jstr(t, "name"), jstr(t, "about"));
        json_array_foreach(jget(t, "columns"), k, column)
            printf("  %-27s %-12s %s\n", jstr(column, "name"), jstr(column, "type"), jstr(column, "about"));
    }
    return STATUS_OK;
}

/* Of the argument, or where there is none (or it is -) of standard input. */
static enum status read_question(int argc, char **argv, struct buf *out, struct error *err)
{
    char part[4096];
    size_t n;
    if (argc > 0 && !streq(argv[0], "-")) {
        buf_puts(out, argv[0]);
        return STATUS_OK;
    }
    while (!out->is_overflowed && (n = fread(part, 1, sizeof part, stdin)) > 0)
        buf_add(out, part, n);
    if (out->is_overflowed)
        return fail(err, STATUS_TOO_LARGE, "the question has more than %d bytes", SQL_TEXT_MAX);
    if (!str_is_utf8(buf_str(out)))
        return fail(err, STATUS_INVALID, "the question is no UTF-8 text");
    return STATUS_OK;
}

static enum status print_table(json_t *answer)
{
    const json_t *about = jget(answer, "about");
    json_t *rows = jget(answer, "rows");
    if (json_array_size(rows) == 0)
        puts("no rows");
    else
        table_print(stdout, rows);
    if (json_is_true(jget(about, "has_more")))
        fprintf(stderr, "only the first %lld rows (SQL_MAX_ROWS)\n", (long long)jint(about, "rows", 0));
    return STATUS_OK;
}

static enum status ask(struct control *ctl, const char *sql, struct error *err)
{
    auto_json json_t *order = json_pack("{s:s}", "sql", sql);
    if (!order)
        return fail(err, STATUS_INVALID, "the question is no UTF-8 text");
    if (streq(format, "table")) {
        auto_json json_t *answer = NULL;
        TRY(control_send(ctl, "POST", "/api/v1/sql", order, &answer, err));
        return print_table(answer);
    }
    auto_free char *target = xasprintf("/api/v1/sql?format=%s", format);
    auto_free char *body = json_dumps(order, JSON_COMPACT);
    struct unix_request r = {.method = "POST", .target = target, .body = str_of(body), .body_fd = -1};
    return control_print(ctl, &r, err);
}

static const struct arg_option options[] = {
    {"--format", "FORMAT", "table (default), json, csv or ndjson", &format, NULL},
    {"--tables", NULL, "list the tables and columns there are, and what each means", NULL, &is_listing},
};
static const struct args args = {
    .usage = "sql ['SELECT ...'] [--format FORMAT] | sql --tables",
    .about = "Asks a question of your own in SQL (DuckDB's), such as\n"
             "  cartographus sql 'select count(*) from play'\n"
             "Without one, or with -, it is read from standard input. One statement that only reads; it\n"
             "runs on a copy, in a process of its own that can do nothing else.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .most = 1,
};

int cli_sql(struct cli *c, int argc, char **argv)
{
    format = "table";
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    if (!args_is_format(format, formats, ARRAY_LEN(formats), "table, json, csv or ndjson"))
        return EXIT_USAGE;
    if (is_listing && argc > 0) {
        fputs("cartographus: --tables asks nothing else\n", stderr);
        return EXIT_USAGE;
    }
    auto_buf struct buf sql = BUF_INIT(SQL_TEXT_MAX);
    struct error err = {0};
    if (!is_listing && read_question(argc, argv, &sql, &err) != STATUS_OK)
        return control_failed(&err);
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    enum status s = is_listing ? list(&ctl, &err) : ask(&ctl, buf_text(&sql), &err);
    status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    return status;
}
