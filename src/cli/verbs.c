#include "cli/verbs.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

json_t *cells(const char *name, ...)
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
json_t *same(const json_t *of, const char *key)
{
    return json_incref(jget(of, key));
}

json_t *words(const json_t *list)
{
    auto_buf struct buf out = {0};
    size_t i;
    json_t *word;
    json_array_foreach (list, i, word)
        buf_printf(&out, "%s%s", i ? ", " : "", json_string_value(word));
    return json_string(buf_text(&out));
}

enum status verbs_list(struct control *ctl, const char *target, const char *find, const char *name,
                       size_t most, json_t *(*row_of)(const json_t *one), json_t *rows,
                       long long *ret_total, struct error *err)
{
    auto_buf struct buf page = {0};
    auto_json json_t *answer = NULL;
    buf_puts(&page, target);
    if (find)
        buf_add_urlencoded(&page, str_of(find));
    size_t base = page.len;
    for (auto_free char *cursor = xstrdup(""); cursor && json_array_size(rows) < most;) {
        page.len = base;
        buf_printf(&page, "&cursor=%s", cursor);
        json_decref(steal_ptr(&answer));
        TRY(control_ask(ctl, "GET", buf_text(&page), &answer, err));
        size_t i;
        json_t *one;
        json_array_foreach (jget(answer, name), i, one)
            json_array_append_new(rows, row_of(one));
        free(cursor);
        const char *next = jstr(answer, "next_cursor");
        cursor = *next ? xstrdup(next) : NULL;
    }
    *ret_total = (long long)jint(answer, "total", 0);
    return STATUS_OK;
}

enum status verbs_send(struct control *ctl, const struct verb_decisions *d, const char *method,
                       const char *target, json_t *body, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf text = {0};
    auto_free char *json = json_dumps(body, JSON_COMPACT);
    struct unix_request r = {.method = method, .target = target, .body_fd = -1, .body = str_of(json)};
    TRY(control_fetch(ctl, &r, &text, err));
    TRY(json_parse(buf_str(&text), 4096, 4, &answer, err));
    printf("done; to take it back: cartographus %s undo %lld\n", d->subcommand,
           (long long)jint(answer, "decision", 0));
    return STATUS_OK;
}

enum status verbs_send_ids(struct control *ctl, const struct verb_decisions *d, const char *verb,
                           const char *member, const char *reason, int argc, char **argv,
                           struct error *err)
{
    auto_json json_t *body = json_object();
    auto_free char *target = xasprintf("%s/%s", d->target, verb);
    json_t *ids = json_array();
    json_object_set_new(body, member, ids);
    if (reason)
        json_object_set_new(body, "reason", json_string(reason));
    for (int i = 0; i < argc; i++) {
        int64_t id;
        if (!str_to_i64(str_of(argv[i]), &id))
            return fail(err, STATUS_INVALID, "'%s' is no number; cartographus %s list has them", argv[i],
                        d->subcommand);
        json_array_append_new(ids, json_integer(id));
    }
    return verbs_send(ctl, d, "POST", target, body, err);
}

enum status verbs_undo(struct control *ctl, const struct verb_decisions *d, const char *id,
                       struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_free char *target = xasprintf("%s/history/%s/undo", d->target, id);
    TRY(control_ask(ctl, "POST", target, &answer, err));
    printf("decision %s is taken back\n", id);
    return STATUS_OK;
}

int verbs_run(struct cli *c, const struct args *args, const struct verb *verbs, size_t count, int argc,
              char **argv)
{
    int status = args_read(c, args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    for (size_t i = 0; i < count; i++) {
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
            args->usage);
    return EXIT_USAGE;
}
