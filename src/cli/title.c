#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/table.h"
#include "cli/verbs.h"

#include "base/banned.h"

static const char *reason;
static bool is_of_items;

static const struct arg_option options[] = {
    {"--reason", "TEXT", "of merge and split: why, for the history", &reason, NULL},
    {"--items", NULL, "of split: the IDs are those of items, which show lists", NULL, &is_of_items},
};
static const struct verb_decisions decisions = {"title", "/api/v1/titles"};
static const struct args args = {
    .usage = "title list [TEXT] | show ID | suggestions | merge ID... | split ID... |\n"
             "       history | undo DECISION",
    .about = "Items are one title by themselves where ids, the file or the names are the same and\n"
             "nothing speaks against it, whatever servers call them; what is not certain, suggestions\n"
             "has. list has the 1000 most watched. merge makes titles one; split keeps titles apart, or\n"
             "with --items takes items out of their title. Both win over whatever resembles, until undo;\n"
             "history has the numbers.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 60,
};

enum { LIST_MOST = 1000 };

/* "Heat (1995)", "Show - S1E2 Name" */
static json_t *name_of(const json_t *t)
{
    auto_buf struct buf out = {0};
    if (*jstr(t, "grandparent_title"))
        buf_printf(&out, "%s - ", jstr(t, "grandparent_title"));
    if (streq(jstr(t, "media_type"), "episode") && jint(t, "season", -1) >= 0)
        buf_printf(&out, "S%lldE%lld ", (long long)jint(t, "season", 0), (long long)jint(t, "episode", 0));
    buf_puts(&out, *jstr(t, "title") ? jstr(t, "title") : "?");
    if (streq(jstr(t, "media_type"), "movie") && jint(t, "year", -1) >= 0)
        buf_printf(&out, " (%lld)", (long long)jint(t, "year", 0));
    return json_string(buf_text(&out));
}

static json_t *row_of(const json_t *t)
{
    return CELLS("id", same(t, "id"), "type", same(t, "media_type"), "title", name_of(t), "plays",
                 same(t, "plays"), "watch_ms", same(t, "watch_ms"), "last_seen", same(t, "last_seen"),
                 "items", same(t, "items"), "servers", words(jget(t, "servers")));
}

static enum status list(struct control *ctl, int argc, char **argv, struct error *err)
{
    auto_json json_t *rows = json_array();
    long long total;
    TRY(verbs_list(ctl, "/api/v1/titles?find=", argc ? argv[0] : NULL, "titles", LIST_MOST, row_of, rows,
                   &total, err));
    printf("%lld %s\n", total, total == 1 ? "title" : "titles");
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status show(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    auto_json json_t *t = NULL, *items = json_array(), *keys = json_array();
    auto_free char *target = xasprintf("/api/v1/titles/%s", argv[0]);
    TRY(control_ask(ctl, "GET", target, &t, err));
    auto_json json_t *name = name_of(t);
    printf("%lld: %s: %lld plays by %lld people\n", (long long)jint(t, "id", 0), json_string_value(name),
           (long long)jint(t, "plays", 0), (long long)jint(t, "people", 0));
    size_t i, k;
    json_t *item, *key;
    json_array_foreach (jget(t, "items"), i, item) {
        const char *why = jstr(item, "why");
        json_array_append_new(items, CELLS("item", same(item, "id"), "name", name_of(item), "servers",
                                           words(jget(item, "servers")), "joined_by",
                                           json_string(*why ? why : "-"), "inputs", same(item, "plays"),
                                           "last_seen", same(item, "last_seen")));
        json_array_foreach (jget(item, "keys"), k, key)
            json_array_append_new(keys, CELLS("item", same(item, "id"), "kind", same(key, "kind"), "key",
                                              same(key, "key")));
    }
    table_print(stdout, items);
    table_print(stdout, keys);
    return STATUS_OK;
}

static enum status suggestions(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    (void)argv;
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/titles/suggestions", &answer, err));
    size_t i;
    json_t *one;
    json_array_foreach (jget(answer, "suggestions"), i, one) {
        const json_t *a = json_array_get(jget(one, "titles"), 0), *b = json_array_get(jget(one, "titles"), 1);
        json_array_append_new(
            rows, CELLS("id", same(a, "id"), "title", name_of(a), "servers", words(jget(a, "servers")), "and",
                        same(b, "id"), "its title", name_of(b), "its servers", words(jget(b, "servers")),
                        "for", same(one, "why"), "against", same(one, "against")));
    }
    printf("%zu pairs may be one title\n", json_array_size(rows));
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status history(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    (void)argv;
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/titles/history", &answer, err));
    size_t i, k;
    json_t *e, *item;
    json_array_foreach (jget(answer, "events"), i, e) {
        auto_buf struct buf items = {0};
        json_array_foreach (jget(e, "items"), k, item)
            buf_printf(&items, "%s%s", k ? ", " : "", jstr(item, "title"));
        json_array_append_new(
            rows, CELLS("at", same(e, "at"), "decision", same(e, "decision"), "who", same(e, "who"),
                        "what", same(e, "kind"), "undone", same(e, "is_undone"), "items",
                        json_string(buf_text(&items)), "why", same(e, "why")));
    }
    table_print(stdout, rows);
    return STATUS_OK;
}

/* --- decisions ------------------------------------------------------------------------------- */

static enum status merge(struct control *ctl, int argc, char **argv, struct error *err)
{
    return verbs_send_ids(ctl, &decisions, "merge", "titles", reason, argc, argv, err);
}

static enum status split(struct control *ctl, int argc, char **argv, struct error *err)
{
    return verbs_send_ids(ctl, &decisions, "split", is_of_items ? "items" : "titles", reason, argc, argv,
                          err);
}

static enum status undo(struct control *ctl, int argc, char **argv, struct error *err)
{
    (void)argc;
    return verbs_undo(ctl, &decisions, argv[0], err);
}

static const struct verb verbs[] = {
    {"list", 0, 1, list},    {"show", 1, 1, show},    {"suggestions", 0, 0, suggestions},
    {"merge", 2, 50, merge}, {"split", 1, 50, split}, {"history", 0, 0, history},
    {"undo", 1, 1, undo},
};

int cli_title(struct cli *c, int argc, char **argv)
{
    return verbs_run(c, &args, verbs, ARRAY_LEN(verbs), argc, argv);
}
