#include "cli/control.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *reason;
static bool is_of_accounts;

static const struct arg_option options[] = {
    {"--reason", "TEXT", "of merge and split: why, for the history", &reason, NULL},
    {"--accounts", NULL, "of merge and split: the IDs are those of accounts", NULL, &is_of_accounts},
};
static const struct args args = {
    .usage = "people list [TEXT] | show ID | suggestions | merge ID... | split ID... |\n"
             "       rename ID NAME | history | undo DECISION",
    .about = "People are joined from accounts by themselves where that is certain or likely; what is not,\n"
             "suggestions has. merge makes people one, or with --accounts confirms accounts that a name has\n"
             "joined; split keeps people apart, or with --accounts takes accounts out of their person. Both\n"
             "win over whatever resembles, until undo; history has the numbers. rename with \"\" takes the\n"
             "name that the media servers have.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 60,
};

/* An object of names and values, whose references it takes; ended by NULL. */
static json_t *cells(const char *name, ...)
{
    json_t *row = json_object();
    va_list ap;
    va_start(ap, name);
    for (; name; name = va_arg(ap, const char *)) {
        json_t *value = va_arg(ap, json_t *);
        json_object_set_new(row, name, value ? value : json_null());
    }
    va_end(ap);
    return row;
}
#define CELLS(...) cells(__VA_ARGS__, (const char *)NULL)

static json_t *same(const json_t *of, const char *key)
{
    return json_incref(jget(of, key));
}

/* "ada (Plex), Ada (Jellyfin)" */
static json_t *accounts_text(const json_t *accounts)
{
    auto_buf struct buf out = {0};
    size_t i;
    json_t *a;
    json_array_foreach (accounts, i, a)
        buf_printf(&out, "%s%s (%s)", i ? ", " : "", *jstr(a, "name") ? jstr(a, "name") : "?",
                   jstr(a, "server"));
    return json_string(buf_text(&out));
}

static enum status list(struct control *ctl, int argc, char **argv, struct error *err)
{
    auto_buf struct buf target = {0};
    auto_json json_t *answer = NULL, *rows = json_array();
    buf_puts(&target, "/api/v1/people?order=name&find=");
    if (argc)
        buf_add_urlencoded(&target, str_of(argv[0]));
    size_t base = target.len;
    for (auto_free char *cursor = xstrdup(""); cursor;) {
        target.len = base;
        buf_printf(&target, "&cursor=%s", cursor);
        json_decref(steal_ptr(&answer));
        TRY(control_ask(ctl, "GET", buf_text(&target), &answer, err));
        size_t i;
        json_t *p;
        json_array_foreach (jget(answer, "people"), i, p)
            json_array_append_new(
                rows, CELLS("id", same(p, "id"), "name", same(p, "name"), "plays", same(p, "plays"),
                            "watch_ms", same(p, "watch_ms"), "last_seen", same(p, "last_seen"),
                            "by_name", same(p, "is_by_name"), "accounts",
                            accounts_text(jget(p, "accounts"))));
        free(cursor);
        const char *next = jstr(answer, "next_cursor");
        cursor = *next ? xstrdup(next) : NULL;
    }
    printf("%zu %s\n", json_array_size(rows), json_array_size(rows) == 1 ? "person" : "people");
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status show(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    auto_json json_t *p = NULL, *accounts = json_array(), *titles = json_array();
    auto_free char *target = xasprintf("/api/v1/people/%s", argv[0]);
    TRY(control_ask(ctl, "GET", target, &p, err));
    printf("%s: %lld plays of %lld titles, on %lld devices\n", jstr(p, "name"),
           (long long)jint(p, "plays", 0), (long long)jint(p, "titles", 0),
           (long long)jint(p, "devices", 0));
    if (jbool(p, "is_by_name") == 1)
        puts("some of the accounts are joined by nothing but a name");
    size_t i;
    json_t *a;
    json_array_foreach (jget(p, "accounts"), i, a) {
        auto_buf struct buf why = {0};
        size_t k;
        json_t *word;
        json_array_foreach (jget(a, "reasons"), k, word)
            buf_printf(&why, "%s%s", k ? ", " : "", json_string_value(word));
        json_array_append_new(accounts,
                              CELLS("account", same(a, "id"), "name", same(a, "name"), "email",
                                    same(a, "email"), "server", same(a, "server"), "joined_by",
                                    json_string(why.len ? buf_text(&why) : "-")));
    }
    table_print(stdout, accounts);
    json_array_foreach (jget(p, "top_titles"), i, a)
        json_array_append_new(titles, CELLS("title", same(a, "title"), "watch_ms", same(a, "watch_ms"),
                                            "last_seen", same(a, "last_seen")));
    table_print(stdout, titles);
    return STATUS_OK;
}

static enum status suggestions(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    (void)argv;
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/people/suggestions", &answer, err));
    size_t i;
    json_t *one;
    json_array_foreach (jget(answer, "suggestions"), i, one) {
        const json_t *people = jget(one, "people");
        const json_t *a = json_array_get(people, 0), *b = json_array_get(people, 1);
        const json_t *why = json_array_get(jget(one, "reasons"), 0);
        json_array_append_new(
            rows, CELLS("id", same(a, "id"), "accounts", accounts_text(jget(a, "accounts")), "and",
                        same(b, "id"), "accounts of it", accounts_text(jget(b, "accounts")), "for",
                        same(why, "why"), "against", same(why, "against"), "shared_devices",
                        same(one, "shared_devices")));
    }
    printf("%zu pairs may be one person\n", json_array_size(rows));
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status history(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    (void)argv;
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/people/history", &answer, err));
    size_t i;
    json_t *e;
    json_array_foreach (jget(answer, "events"), i, e)
        json_array_append_new(
            rows, CELLS("at", same(e, "at"), "decision", same(e, "decision"), "who", same(e, "who"),
                        "what", same(e, "kind"), "undone", same(e, "is_undone"), "accounts",
                        accounts_text(jget(e, "accounts")), "why", same(e, "why")));
    table_print(stdout, rows);
    return STATUS_OK;
}

/* --- decisions ------------------------------------------------------------------------------- */

static enum status send(struct control *ctl, const char *method, const char *target, json_t *body,
                        struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf text = {0};
    auto_free char *json = json_dumps(body, JSON_COMPACT);
    struct unix_request r = {.method = method, .target = target, .body_fd = -1, .body = str_of(json)};
    TRY(control_fetch(ctl, &r, &text, err));
    TRY(json_parse(buf_str(&text), 4096, 4, &answer, err));
    printf("done; to take it back: cartographus people undo %lld\n",
           (long long)jint(answer, "decision", 0));
    return STATUS_OK;
}

static enum status send_ids(struct control *ctl, const char *target, const char *member, int argc,
                            char **argv, struct error *err)
{
    auto_json json_t *body = json_object();
    json_t *ids = json_array();
    json_object_set_new(body, member, ids);
    if (reason)
        json_object_set_new(body, "reason", json_string(reason));
    for (int i = 0; i < argc; i++) {
        int64_t id;
        if (!str_to_i64(str_of(argv[i]), &id))
            return fail(err, STATUS_INVALID, "'%s' is no number; cartographus people list has them",
                        argv[i]);
        json_array_append_new(ids, json_integer(id));
    }
    return send(ctl, "POST", target, body, err);
}

static enum status merge(struct control *ctl, int argc, char **argv, struct error *err)
{
    return send_ids(ctl, "/api/v1/people/merge", is_of_accounts ? "accounts" : "people", argc, argv,
                    err);
}

static enum status split(struct control *ctl, int argc, char **argv, struct error *err)
{
    return send_ids(ctl, "/api/v1/people/split", is_of_accounts ? "accounts" : "people", argc, argv,
                    err);
}

static enum status rename_person(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    auto_free char *target = xasprintf("/api/v1/people/%s", argv[0]);
    auto_json json_t *body = json_object();
    json_object_set_new(body, "name", json_string(argv[1]));
    return send(ctl, "PATCH", target, body, err);
}

static enum status undo(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    auto_json json_t *answer = NULL;
    auto_free char *target = xasprintf("/api/v1/people/history/%s/undo", argv[0]);
    TRY(control_ask(ctl, "POST", target, &answer, err));
    printf("decision %s is taken back\n", argv[0]);
    return STATUS_OK;
}

static const struct {
    const char *name;
    int least, most;
    enum status (*run)(struct control *ctl, int argc, char **argv, struct error *err);
} verbs[] = {
    {"list", 0, 1, list},         {"show", 1, 1, show},       {"suggestions", 0, 0, suggestions},
    {"merge", 2, 50, merge},      {"split", 1, 50, split},    {"rename", 2, 2, rename_person},
    {"history", 0, 0, history},   {"undo", 1, 1, undo},
};

int cli_people(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!streq(argv[0], verbs[i].name) || argc - 1 < verbs[i].least || argc - 1 > verbs[i].most)
            continue;
        struct control ctl;
        if (!control_open(c, &ctl))
            return EXIT_FAILED;
        struct error err = {0};
        status = verbs[i].run(&ctl, argc - 1, argv + 1, &err) == STATUS_OK ? EXIT_OK
                                                                        : control_failed(&err);
        control_close(&ctl);
        return status;
    }
    fprintf(stderr, "cartographus: '%s' is not understood\nusage: cartographus %s\n", argv[0],
            args.usage);
    return EXIT_USAGE;
}
