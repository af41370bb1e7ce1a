#include "cli/control.h"

#include <stdio.h>

#include "base/json_read.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/table.h"

#include "base/banned.h"

static const char *scope = "read", *expires = "365d", *account;

static const struct arg_option options[] = {
    {"--scope", "SCOPE", "read (the default): asks, and changes nothing; admin: all that its account may",
     &scope, NULL},
    {"--expires", "TIME", "how long it lives, in days such as 90d (365d is the default), or never",
     &expires, NULL},
    {"--for", "ACCOUNT", "whose it is; else the configured administrator's", &account, NULL},
};
static const struct args args = {
    .usage = "token add NAME [options] | token list | token remove ID",
    .about = "API tokens, for programs: they are sent as Authorization: Bearer cgt_... . A token never may\n"
             "more than its account, and ends with it. It is printed once, by add.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 2,
};

static enum status read_days(json_int_t *ret, struct error *err)
{
    struct str text = str_of(expires);
    int64_t days = 0;
    if (streq(expires, "never")) {
        *ret = 0;
        return STATUS_OK;
    }
    if (text.len > 1 && text.ptr[text.len - 1] == 'd')
        text.len--;
    if (!str_to_i64(text, &days) || days < 1)
        return fail(err, STATUS_INVALID, "--expires '%.40s' is not right; it must be days such as 90d, or "
                    "never", expires);
    *ret = days;
    return STATUS_OK;
}

static enum status add(struct control *ctl, const char *name, struct error *err)
{
    json_int_t days = 0;
    TRY(read_days(&days, err));
    auto_json json_t *order = json_pack("{s:s, s:s, s:I}", "name", name, "scope", scope, "days", days);
    if (order == NULL)
        return fail(err, STATUS_INVALID, "NAME and SCOPE must be UTF-8 text");
    if (account != NULL)
        json_object_set_new(order, "account", json_string(account));
    auto_free char *body = json_dumps(order, JSON_COMPACT);
    auto_buf struct buf text = {0};
    auto_json json_t *answer = NULL;
    struct unix_request r = {.method = "POST", .target = "/api/v1/tokens", .body = str_of(body),
                             .body_fd = -1};
    TRY(control_fetch(ctl, &r, &text, err));
    TRY(json_parse(buf_str(&text), text.len + 1, 8, &answer, err));
    puts(jstr(answer, "secret"));
    const json_t *t = jget(answer, "token");
    fprintf(stderr, "token %lld '%s', of %s, scope %s, expires %s; it is shown only now\n",
            (long long)jint(t, "id", 0), jstr(t, "name"), jstr(t, "account"), jstr(t, "scope"),
            *jstr(t, "expires_at") ? jstr(t, "expires_at") : "never");
    return STATUS_OK;
}

static enum status list(struct control *ctl, struct error *err)
{
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/tokens", &answer, err));
    json_t *tokens = jget(answer, "tokens");
    printf("%zu API tokens\n", json_array_size(tokens));
    table_print(stdout, tokens);
    return STATUS_OK;
}

static enum status remove_one(struct control *ctl, const char *id, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/tokens/");
    buf_add_urlencoded(&target, str_of(id));
    TRY(control_ask(ctl, "DELETE", buf_text(&target), &answer, err));
    printf("token %s is removed\n", id);
    return STATUS_OK;
}

int cli_token(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    bool is_add = argc == 2 && streq(argv[0], "add"), is_remove = argc == 2 && streq(argv[0], "remove");
    if (!is_add && !is_remove && !(argc == 1 && streq(argv[0], "list"))) {
        fprintf(stderr, "cartographus: '%s' is not understood\nusage: cartographus %s\n", argv[0],
                args.usage);
        return EXIT_USAGE;
    }
    struct control ctl;
    struct error err = {0};
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    enum status s = is_add      ? add(&ctl, argv[1], &err)
                    : is_remove ? remove_one(&ctl, argv[1], &err)
                                : list(&ctl, &err);
    status = s == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
