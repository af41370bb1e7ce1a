#include "cli/control.h"

#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/table.h"
#include "cli/verbs.h"

#include "base/banned.h"

static const char *reason;
static bool is_of_accounts;

static const struct arg_option options[] = {
    {"--reason", "TEXT", "of merge and split: why, for the history", &reason, NULL},
    {"--accounts", NULL, "of merge and split: the IDs are those of accounts", NULL, &is_of_accounts},
};
static const struct verb_decisions decisions = {"people", "/api/v1/people"};
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

static json_t *row_of(const json_t *p)
{
    return CELLS("id", same(p, "id"), "name", same(p, "name"), "plays", same(p, "plays"), "watch_ms",
                 same(p, "watch_ms"), "last_seen", same(p, "last_seen"), "by_name", same(p, "is_by_name"),
                 "accounts", accounts_text(jget(p, "accounts")));
}

static enum status list(struct control *ctl, int argc, char **argv, struct error *err)
{
    auto_json json_t *rows = json_array();
    long long total;
    TRY(verbs_list(ctl, "/api/v1/people?order=name&find=", argc ? argv[0] : NULL, "people", SIZE_MAX,
                   row_of, rows, &total, err));
    printf("%lld %s\n", total, total == 1 ? "person" : "people");
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
        const json_t *reasons = jget(a, "reasons");
        json_array_append_new(accounts,
                              CELLS("account", same(a, "id"), "name", same(a, "name"), "email",
                                    same(a, "email"), "server", same(a, "server"), "joined_by",
                                    json_array_size(reasons) ? words(reasons) : json_string("-")));
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

static enum status merge(struct control *ctl, int argc, char **argv, struct error *err)
{
    return verbs_send_ids(ctl, &decisions, "merge", is_of_accounts ? "accounts" : "people", reason, argc,
                          argv, err);
}

static enum status split(struct control *ctl, int argc, char **argv, struct error *err)
{
    return verbs_send_ids(ctl, &decisions, "split", is_of_accounts ? "accounts" : "people", reason, argc,
                          argv, err);
}

static enum status rename_person(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    auto_free char *target = xasprintf("/api/v1/people/%s", argv[0]);
    auto_json json_t *body = json_object();
    json_object_set_new(body, "name", json_string(argv[1]));
    return verbs_send(ctl, &decisions, "PATCH", target, body, err);
}

static enum status undo(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    return verbs_undo(ctl, &decisions, argv[0], err);
}

static const struct verb verbs[] = {
    {"list", 0, 1, list},         {"show", 1, 1, show},       {"suggestions", 0, 0, suggestions},
    {"merge", 2, 50, merge},      {"split", 1, 50, split},    {"rename", 2, 2, rename_person},
    {"history", 0, 0, history},   {"undo", 1, 1, undo},
};

int cli_people(struct cli *c, int argc, char **argv)
{
    return verbs_run(c, &args, verbs, ARRAY_LEN(verbs), argc, argv);
}
