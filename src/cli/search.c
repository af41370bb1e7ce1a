/* Searching from the command line: the query search/fuzzy, in words that go into another's filter. */
#include "cli/control.h"

#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *format;
static const char *of;
static const char *limit;

static const struct arg_option options[] = {
    {"--of", "KIND", "all (default), title, show, artist or person", &of, NULL},
    {"--limit", "N", "most hits, 1 to 100; default 20", &limit, NULL},
    {"--format", "FORMAT", "table (default) or json", &format, NULL},
};
static const struct args args = {
    .usage = "search WORDS ... [--of KIND] [--limit N] [--format FORMAT]",
    .about = "Looks for titles, shows, artists and people that are called so, or nearly so: a typo is\n"
             "forgiven in words of 4 letters, two in words of 8. `filter` is what chooses the plays of a\n"
             "hit: cartographus query users titles=12",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 100,
};

/* "The Wire - S1 E2 The Detail", or a name alone. */
static char *full_name(const json_t *hit)
{
    const char *name = jstr(hit, "name"), *series = jstr(hit, "series");
    int64_t season = jint(hit, "season", 0), episode = jint(hit, "episode", 0);
    if (!*series || streq(series, name))
        return xstrdup(name);
    if (streq(jstr(hit, "kind"), "episode") && season && episode)
        return xasprintf("%s - S%d E%d %s", series, (int)season, (int)episode, name);
    return xasprintf("%s - %s", series, name);
}

/* A comma inside of a value of the filter has a backslash before it. */
static char *filter_of(const json_t *hit)
{
    if (jint(hit, "title_id", 0))
        return xasprintf("titles=%d", (int)jint(hit, "title_id", 0));
    if (jint(hit, "person_id", 0))
        return xasprintf("users=%d", (int)jint(hit, "person_id", 0));
    auto_buf struct buf value = {0};
    for (const char *c = jstr(hit, "series"); *c; c++) {
        if (*c == ',' || *c == '\\')
            buf_putc(&value, '\\');
        buf_putc(&value, *c);
    }
    return xasprintf("shows=%s", buf_text(&value));
}

static void print_hits(const json_t *hits)
{
    auto_json json_t *rows = json_array();
    size_t i;
    json_t *hit;
    json_array_foreach(hits, i, hit) {
        auto_free char *name = full_name(hit), *filter = filter_of(hit);
        json_t *row = json_object();
        json_object_set_new(row, "score", json_integer(jint(hit, "score", 0)));
        json_object_set_new(row, "kind", json_string(jstr(hit, "kind")));
        json_object_set_new(row, "name", json_string(name));
        json_object_set(row, "year", jget(hit, "year"));
        json_object_set(row, "plays", jget(hit, "plays"));
        json_object_set(row, "watch_ms", jget(hit, "watch_ms"));
        json_object_set(row, "last_seen", jget(hit, "last_seen"));
        json_object_set_new(row, "filter", json_string(filter));
        json_array_append_new(rows, row);
    }
    table_print(stdout, rows);
}

static enum status search(struct control *ctl, const char *words, struct error *err)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/analytics/search/fuzzy?q=");
    buf_add_urlencoded(&target, str_of(words));
    buf_puts(&target, "&of=");
    buf_add_urlencoded(&target, str_of(of));
    buf_puts(&target, "&limit=");
    buf_add_urlencoded(&target, str_of(limit));
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", buf_text(&target), &answer, err));
    json_t *hits = jget(answer, "data");
    if (streq(format, "json")) {
        auto_free char *text = json_dumps(hits, JSON_INDENT(2));
        puts(text);
    } else if (json_array_size(hits) == 0) {
        printf("nothing that is played is called '%s', or nearly so\n", words);
    } else {
        print_hits(hits);
    }
    return STATUS_OK;
}

int cli_search(struct cli *c, int argc, char **argv)
{
    static const char *const formats[] = {"table", "json"};
    format = "table";
    of = "all";
    limit = "20";
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    if (!args_is_format(format, formats, ARRAY_LEN(formats), "table or json"))
        return EXIT_USAGE;
    auto_buf struct buf words = {0};
    for (int i = 0; i < argc; i++)
        buf_printf(&words, "%s%s", i ? " " : "", argv[i]);
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    enum status s = search(&ctl, buf_text(&words), &err);
    status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    return status;
}
