#include "cli/control.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "cli/args.h"

#include "base/banned.h"

enum { TOKEN_MAX_BYTES = 4096, VERBS_MAX = 5 };

static const char *token_file, *name, *url;
static bool is_off, is_on, is_untested, is_any_certificate, is_certificate_checked, is_deleting;

static const struct arg_option options[] = {
    {"--token-file", "FILE", "its token: the file's only line; else from standard input", &token_file, NULL},
    {"--name", "NAME", "what it is to be called; '': as it calls itself", &name, NULL},
    {"--url", "URL", "edit: its new address", &url, NULL},
    {"--off", NULL, "edit: do not watch it for now", NULL, &is_off},
    {"--on", NULL, "edit: watch it again", NULL, &is_on},
    {"--any-certificate", NULL, "do not check its certificate", NULL, &is_any_certificate},
    {"--check-certificate", NULL, "edit: check it again", NULL, &is_certificate_checked},
    {"--untested", NULL, "add, edit: also if it does not answer now", NULL, &is_untested},
    {"--delete-plays", NULL, "remove: delete its plays, too (they are kept else)", NULL, &is_deleting},
};
static const struct args args = {
    .usage = "server list | add KIND URL | test KIND URL | test KEY | edit KEY | remove KEY",
    .about = "The media servers: lists them; tries one, adds it if it can be watched, changes it, removes\n"
             "it, without a restart. KIND is plex, jellyfin or emby; KEY is what the list calls it. A token\n"
             "is read from a file or from standard input, never from the command line.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 3,
};

/* --- the token --------------------------------------------------------------------------------- */

/* Without showing it, where somebody types it. */
static enum status read_line(FILE *from, const char *what, char line[static TOKEN_MAX_BYTES],
                             struct error *err)
{
    struct termios shown;
    bool is_typed = isatty(fileno(from)) && tcgetattr(fileno(from), &shown) == 0;
    if (is_typed) {
        struct termios silent = shown;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        fputs("token: ", stderr);
        tcsetattr(fileno(from), TCSAFLUSH, &silent);
    }
    bool is_read = fgets(line, TOKEN_MAX_BYTES, from) != NULL;
    if (is_typed) {
        tcsetattr(fileno(from), TCSAFLUSH, &shown);
        fputc('\n', stderr);
    }
    struct str token = is_read ? str_trim(str_of(line)) : STR("");
    if (!token.len)
        return fail(err, STATUS_INVALID, "there is no token in %s", what);
    memmove(line, token.ptr, token.len);
    line[token.len] = '\0';
    return STATUS_OK;
}

static enum status read_token(char token[static TOKEN_MAX_BYTES], struct error *err)
{
    if (!token_file || streq(token_file, "-"))
        return read_line(stdin, "standard input (or give --token-file FILE)", token, err);
    auto_file FILE *f = fopen(token_file, "re");
    if (!f)
        return fail_errno(err, errno, "read '%s'", token_file);
    return read_line(f, token_file, token, err);
}

/* --- asking ------------------------------------------------------------------------------------- */

struct wish {
    const char *method, *target; /* below /api/v1 */
    const char *kind, *key, *url;
    bool has_token;
};

static enum status ask(struct control *ctl, const struct wish *w, json_t **ret, struct error *err)
{
    auto_buf struct buf body = {0}, answer = {0};
    struct json_writer j;
    jw_begin(&j, &body);
    jw_object(&j);
    const char *const texts[][2] = {{"kind", w->kind}, {"key", w->key}, {"url", w->url}, {"name", name}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i][1])
            jw_kv_text(&j, texts[i][0], texts[i][1]);
    if (w->has_token) {
        char token[TOKEN_MAX_BYTES];
        TRY(read_token(token, err));
        jw_kv_text(&j, "token", token);
        secret_wipe(token, sizeof token);
    }
    if (is_on || is_off)
        jw_kv_bool(&j, "enabled", is_on);
    if (is_any_certificate || is_certificate_checked)
        jw_kv_bool(&j, "tls_verify", is_certificate_checked);
    if (is_untested)
        jw_kv_bool(&j, "untested", true);
    jw_object_end(&j);
    auto_free char *target = xasprintf("/api/v1%s", w->target);
    struct unix_request r = {.method = w->method, .target = target, .body = buf_str(&body), .body_fd = -1};
    enum status s = control_fetch(ctl, &r, &answer, err);
    secret_wipe(body.data, body.len);
    TRY(s);
    return json_parse(buf_str(&answer), answer.len + 1, 8, ret, err);
}

static char *target_of(const char *key, const char *rest)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, "/servers/");
    buf_add_urlencoded(&target, str_of(key));
    buf_puts(&target, rest);
    return buf_steal(&target);
}

/* --- the verbs ---------------------------------------------------------------------------------- */

static enum status list(struct control *ctl, char **argv, struct error *err)
{
    (void)argv;
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/servers", &answer, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(answer, "servers"), i, one) {
        printf("%-20s %-9s %-13s %s (%s), %s, %lld plays", jstr(one, "key"), jstr(one, "kind"),
               jstr(one, "state"), jstr(one, "name"), jstr(one, "url"),
               jbool(one, "is_stored") == 1 ? "added here" : "configured", (long long)jint(one, "plays", 0));
        if (jint(one, "items", -1) >= 0)
            printf(", %lld items", (long long)jint(one, "items", 0));
        putchar('\n');
        if (*jstr(one, "error"))
            printf("  %s\n", jstr(one, "error"));
        if (*jstr(one, "history_error") && !streq(jstr(one, "history_error"), jstr(one, "error")))
            printf("  its history cannot be read: %s\n", jstr(one, "history_error"));
        if (*jstr(one, "items_error"))
            printf("  its libraries: %s\n", jstr(one, "items_error"));
    }
    if (!json_array_size(jget(answer, "servers")))
        puts("there is no media server");
    json_array_foreach(jget(answer, "former"), i, one)
        printf("%-20s %-9s not watched any more: %s, %lld plays are kept\n", jstr(one, "key"),
               jstr(one, "kind"), jstr(one, "name"), (long long)jint(one, "plays", 0));
    return STATUS_OK;
}

static enum status add(struct control *ctl, char **argv, struct error *err)
{
    auto_json json_t *answer = NULL;
    struct wish w = {
        .method = "POST", .target = "/servers", .kind = argv[0], .url = argv[1], .has_token = true};
    TRY(ask(ctl, &w, &answer, err));
    const json_t *server = jget(answer, "server");
    printf("%s is added: %s at %s\n", jstr(server, "key"), jstr(server, "name"), jstr(server, "url"));
    return STATUS_OK;
}

static enum status test(struct control *ctl, char **argv, struct error *err)
{
    auto_json json_t *answer = NULL;
    struct wish w = {.method = "POST", .target = "/servers/test", .has_token = argv[1] || token_file};
    w.kind = argv[1] ? argv[0] : NULL;
    w.key = argv[1] ? NULL : argv[0];
    w.url = argv[1];
    TRY(ask(ctl, &w, &answer, err));
    if (!streq(jstr(answer, "verdict"), "fine"))
        return fail(err, STATUS_INVALID, "%s: %s", jstr(answer, "verdict"), jstr(answer, "text"));
    printf("fine: %s %s%s%s\n", jstr(answer, "name"), jstr(answer, "version"),
           *jstr(answer, "known_as") ? ", watched already as " : "", jstr(answer, "known_as"));
    return STATUS_OK;
}

static enum status edit(struct control *ctl, char **argv, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_free char *target = target_of(argv[0], "");
    struct wish w = {.method = "PATCH", .target = target, .url = url, .has_token = token_file};
    if (!url && !token_file && !name && !is_on && !is_off && !is_any_certificate && !is_certificate_checked)
        return fail(err, STATUS_INVALID, "say what is to change: --url, --token-file, --name, --on, --off, "
                                         "--any-certificate or --check-certificate");
    TRY(ask(ctl, &w, &answer, err));
    printf("%s is changed\n", jstr(jget(answer, "server"), "key"));
    return STATUS_OK;
}

static enum status remove_one(struct control *ctl, char **argv, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_free char *target = target_of(argv[0], is_deleting ? "?plays=delete" : "?plays=keep");
    auto_free char *whole = xasprintf("/api/v1%s", target);
    TRY(control_ask(ctl, "DELETE", whole, &answer, err));
    if (is_deleting)
        printf("%s is removed, and %lld plays of it\n", argv[0],
               (long long)jint(answer, "plays_deleted", 0));
    else
        printf("%s is removed; its plays are kept\n", argv[0]);
    return STATUS_OK;
}

int cli_server(struct cli *c, int argc, char **argv)
{
    static const struct {
        const char *name;
        int least, most; /* arguments */
        enum status (*run)(struct control *ctl, char **argv, struct error *err);
    } verbs[VERBS_MAX] = {{"list", 0, 0, list},
                          {"add", 2, 2, add},
                          {"test", 1, 2, test},
                          {"edit", 1, 1, edit},
                          {"remove", 1, 1, remove_one}};
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    const char *names[VERBS_MAX];
    size_t verb = 0;
    for (size_t i = 0; i < VERBS_MAX; i++)
        names[i] = verbs[i].name;
    while (verb < VERBS_MAX && !streq(argv[0], names[verb]))
        verb++;
    if (verb == VERBS_MAX || argc - 1 < verbs[verb].least || argc - 1 > verbs[verb].most) {
        char hint[80] = "";
        if (verb == VERBS_MAX)
            args_nearest(argv[0], names, VERBS_MAX, hint);
        fprintf(stderr, "cartographus: '%s' is not understood%s\nusage: cartographus %s\n", argv[0], hint,
                args.usage);
        return EXIT_USAGE;
    }
    char *given[3] = {argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, NULL};
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    status = verbs[verb].run(&ctl, given, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
