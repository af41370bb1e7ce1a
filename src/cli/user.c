#include "cli/control.h"

#include <stdio.h>
#include <termios.h>

#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/args.h"
#include "cli/table.h"

#include "base/banned.h"

enum { PASSWORD_MAX = 1024 };

static bool is_admin;
static const struct arg_option options[] = {
    {"--admin", NULL, "add: an administrator, who sees everything; else a viewer", NULL, &is_admin},
};
static const struct args args = {
    .usage = "user list|accounts|add|link|unlink|disable|enable|role|password|remove|reset ...",
    .about =
        "Who can log in, and whose plays they see. A viewer sees the plays of their own accounts only.\n"
        "\n"
        "  list                           everybody who can log in, or could\n"
        "  accounts [WORDS]               accounts on the media servers, for link\n"
        "  add NAME                       a login with a password, which is read from the terminal or stdin\n"
        "  link LOGIN SERVER ACCOUNT      that account's plays are theirs (keys as in `accounts`)\n"
        "  unlink LOGIN SERVER ACCOUNT    take that back\n"
        "  disable LOGIN, enable LOGIN    whether they may log in; disabling ends their sessions\n"
        "  role LOGIN viewer|admin        of a login made by add\n"
        "  password LOGIN                 another password, for a login made by add; ends their sessions\n"
        "  remove LOGIN                   delete it with its links\n"
        "  reset NAME                     end all sessions and API tokens of NAME; a try need not wait\n"
        "\n"
        "LOGIN is a name, or the id that `list` shows. The administrator of the configuration and whoever a\n"
        "provider knows have their password, and their role, there.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .least = 1,
    .most = 4,
};

/* --- what the verbs share -------------------------------------------------------------------- */

/* The id of a login by it, or by the name that only one has. */
static enum status find(struct control *ctl, const char *who, int64_t *ret, struct error *err)
{
    auto_json json_t *answer = NULL;
    TRY(control_ask(ctl, "GET", "/api/v1/users", &answer, err));
    int64_t id = 0;
    bool is_number = str_to_i64(str_of(who), &id);
    size_t i, found = 0;
    json_t *one;
    auto_buf struct buf ids = {0};
    json_array_foreach(jget(answer, "users"), i, one) {
        bool is_name = streq(jstr(one, "name"), who);
        if (!is_name && !(is_number && jint(one, "id", 0) == id))
            continue;
        found++;
        *ret = jint(one, "id", 0);
        buf_printf(&ids, "%s%lld", ids.len ? ", " : "", (long long)*ret);
    }
    if (found == 0)
        return fail(err, STATUS_NOT_FOUND, "there is no login '%s'; `cartographus user list` shows them",
                    who);
    if (found > 1)
        return fail(err, STATUS_CONFLICT, "'%s' are several (%s): say which by the number", who,
                    buf_text(&ids));
    return STATUS_OK;
}

static char *read_password(void)
{
    char line[PASSWORD_MAX + 2];
    struct termios before;
    bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (is_terminal) {
        struct termios silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        fputs("password: ", stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    char *read = fgets(line, sizeof line, stdin) ? line : NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    char *password = read ? xstrndup(line, strcspn(line, "\r\n")) : NULL;
    secret_wipe(line, sizeof line);
    return password;
}

/* A JSON body of one password, and a name if there is one. */
static json_t *with_password(json_t *body, struct error *err)
{
    char *password = read_password();
    if (password == NULL) {
        (void)fail(err, STATUS_INVALID, "no password came from the terminal or stdin");
        json_decref(body);
        return NULL;
    }
    json_object_set_new(body, "password", json_string(password));
    secret_wipe(password, strlen(password));
    free(password);
    return body;
}

static enum status change(struct control *ctl, const char *who, json_t *body, struct error *err)
{
    auto_json json_t *owned = body, *answer = NULL;
    int64_t id = 0;
    TRY(find(ctl, who, &id, err));
    auto_free char *target = xasprintf("/api/v1/users/%lld", (long long)id);
    return control_send(ctl, owned ? "PUT" : "DELETE", target, owned, &answer, err);
}

/* --- the verbs ------------------------------------------------------------------------------- */

static const char *known_by(const json_t *user)
{
    if (jbool(user, "is_configured") == 1)
        return "the configuration";
    return *jstr(user, "issuer") ? jstr(user, "issuer") : "a password here";
}

static void add_seen(const json_t *user, struct buf *out)
{
    size_t i;
    json_t *one;
    if (streq(jstr(user, "role"), "admin")) {
        buf_puts(out, "everything");
        return;
    }
    json_array_foreach(jget(user, "accounts"), i, one)
        buf_printf(out, "%s%s on %s%s", i ? ", " : "",
                   *jstr(one, "account") ? jstr(one, "account") : jstr(one, "key"), jstr(one, "server"),
                   jbool(one, "is_known") == 1 ? "" : " (not there any more)");
    if (out->len == 0)
        buf_puts(out, "nothing: no account");
}

static enum status list(struct control *ctl, char **a, struct error *err)
{
    (void)a;
    auto_json json_t *answer = NULL, *rows = json_array();
    TRY(control_ask(ctl, "GET", "/api/v1/users", &answer, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(answer, "users"), i, one) {
        auto_buf struct buf seen = {0};
        add_seen(one, &seen);
        json_t *row = json_object();
        json_object_set(row, "id", jget(one, "id"));
        json_object_set(row, "name", jget(one, "name"));
        json_object_set(row, "role", jget(one, "role"));
        json_object_set_new(row, "known_by", json_string(known_by(one)));
        json_object_set(row, "is_disabled", jget(one, "is_disabled"));
        json_object_set(row, "sessions", jget(one, "sessions"));
        json_object_set(row, "last_login_at", jget(one, "last_login_at"));
        json_object_set_new(row, "sees", json_string(buf_text(&seen)));
        json_array_append_new(rows, row);
    }
    table_print(stdout, rows);
    return STATUS_OK;
}

static enum status accounts(struct control *ctl, char **a, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/user-accounts?search=");
    if (a[0] != NULL)
        buf_add_urlencoded(&target, str_of(a[0]));
    TRY(control_ask(ctl, "GET", buf_text(&target), &answer, err));
    table_print(stdout, jget(answer, "accounts"));
    return STATUS_OK;
}

static enum status add(struct control *ctl, char **a, struct error *err)
{
    auto_json json_t *answer = NULL;
    json_t *body = json_object();
    json_object_set_new(body, "name", json_string(a[0]));
    json_object_set_new(body, "role", json_string(is_admin ? "admin" : "viewer"));
    auto_json json_t *owned = with_password(body, err);
    if (owned == NULL)
        return err->status;
    TRY(control_send(ctl, "POST", "/api/v1/users", owned, &answer, err));
    printf("%s can log in, as %s%s\n", a[0], is_admin ? "administrator" : "viewer",
           is_admin ? "" : "; what they see: cartographus user link");
    return STATUS_OK;
}

static enum status link_or_not(struct control *ctl, const char *method, char **a, struct error *err)
{
    auto_json json_t *answer = NULL;
    int64_t id = 0;
    TRY(find(ctl, a[0], &id, err));
    auto_buf struct buf target = {0};
    buf_printf(&target, "/api/v1/users/%lld/links/", (long long)id);
    buf_add_urlencoded(&target, str_of(a[1]));
    buf_putc(&target, '/');
    buf_add_urlencoded(&target, str_of(a[2]));
    TRY(control_ask(ctl, method, buf_text(&target), &answer, err));
    printf("%s %s the plays of %s on %s\n", a[0], streq(method, "PUT") ? "sees" : "does not see", a[2], a[1]);
    return STATUS_OK;
}

static enum status link_account(struct control *ctl, char **a, struct error *err)
{
    return link_or_not(ctl, "PUT", a, err);
}

static enum status unlink_account(struct control *ctl, char **a, struct error *err)
{
    return link_or_not(ctl, "DELETE", a, err);
}

static enum status disable(struct control *ctl, char **a, struct error *err)
{
    TRY(change(ctl, a[0], json_pack("{s:b}", "is_disabled", 1), err));
    printf("%s cannot log in any more; all sessions have ended\n", a[0]);
    return STATUS_OK;
}

static enum status enable(struct control *ctl, char **a, struct error *err)
{
    TRY(change(ctl, a[0], json_pack("{s:b}", "is_disabled", 0), err));
    printf("%s can log in\n", a[0]);
    return STATUS_OK;
}

static enum status set_role(struct control *ctl, char **a, struct error *err)
{
    TRY(change(ctl, a[0], json_pack("{s:s}", "role", a[1]), err));
    printf("%s is %s now\n", a[0], streq(a[1], "admin") ? "an administrator" : "a viewer");
    return STATUS_OK;
}

static enum status set_password(struct control *ctl, char **a, struct error *err)
{
    json_t *body = with_password(json_object(), err);
    if (body == NULL)
        return err->status;
    TRY(change(ctl, a[0], body, err));
    printf("%s has another password; all sessions have ended\n", a[0]);
    return STATUS_OK;
}

static enum status remove_login(struct control *ctl, char **a, struct error *err)
{
    TRY(change(ctl, a[0], NULL, err));
    printf("the login %s is deleted\n", a[0]);
    return STATUS_OK;
}

static enum status reset(struct control *ctl, char **a, struct error *err)
{
    auto_json json_t *answer = NULL;
    auto_buf struct buf target = {0};
    buf_puts(&target, "/api/v1/users/");
    buf_add_urlencoded(&target, str_of(a[0]));
    buf_puts(&target, "/reset");
    TRY(control_ask(ctl, "POST", buf_text(&target), &answer, err));
    printf("all sessions and API tokens of %s have ended\n", a[0]);
    return STATUS_OK;
}

static const struct {
    const char *name, *arguments;
    int least, most;
    enum status (*run)(struct control *ctl, char **a, struct error *err);
} verbs[] = {
    {"list", "", 0, 0, list},
    {"accounts", " [WORDS]", 0, 1, accounts},
    {"add", " NAME [--admin]", 1, 1, add},
    {"link", " LOGIN SERVER ACCOUNT", 3, 3, link_account},
    {"unlink", " LOGIN SERVER ACCOUNT", 3, 3, unlink_account},
    {"disable", " LOGIN", 1, 1, disable},
    {"enable", " LOGIN", 1, 1, enable},
    {"role", " LOGIN viewer|admin", 2, 2, set_role},
    {"password", " LOGIN", 1, 1, set_password},
    {"remove", " LOGIN", 1, 1, remove_login},
    {"reset", " NAME", 1, 1, reset},
};

int cli_user(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    size_t v = 0;
    while (v < ARRAY_LEN(verbs) && !streq(verbs[v].name, argv[0]))
        v++;
    if (v == ARRAY_LEN(verbs)) {
        const char *names[ARRAY_LEN(verbs)];
        char nearest[80];
        for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
            names[i] = verbs[i].name;
        args_nearest(argv[0], names, ARRAY_LEN(names), nearest);
        fprintf(stderr, "cartographus: user: '%s' is not known%s (user --help lists what is)\n", argv[0],
                nearest);
        return EXIT_USAGE;
    }
    if (argc - 1 < verbs[v].least || argc - 1 > verbs[v].most) {
        fprintf(stderr, "cartographus: it must be: user %s%s\n", verbs[v].name, verbs[v].arguments);
        return EXIT_USAGE;
    }
    char *given[4] = {NULL};
    for (int i = 1; i < argc; i++)
        given[i - 1] = argv[i];
    struct control ctl;
    if (!control_open(c, &ctl))
        return EXIT_FAILED;
    struct error err = {0};
    status = verbs[v].run(&ctl, given, &err) == STATUS_OK ? EXIT_OK : control_failed(&err);
    control_close(&ctl);
    return status;
}
