#include "cli/control.h"

#include <stdio.h>
#include <unistd.h>

#include "app/checks.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

enum { ANSWER_MOST = 64 * 1024 * 1024, ANSWER_DEPTH = 16, HELLO_MS = 10000 };
enum { START_TRIES = 50, START_WAIT_US = 100 * 1000 };

/* OK: a server answers at the socket. */
static enum status hello(const char *socket_path, struct error *err)
{
    struct unix_request r = {.socket_path = socket_path,
                             .target = "/api/v1/health/live",
                             .body_fd = -1,
                             .timeout_ms = HELLO_MS};
    auto_buf struct buf body = {0};
    int code = 0;
    return unix_fetch(&r, &code, &body, err);
}

static char *in_folder(const char *folder, const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

/* `make run` without media servers serves a demo in a folder of its own: where there is nothing
 * else, that is what is meant. */
static void use_demo(struct config *c)
{
    auto_free char *store = in_folder(c->data_dir, "cartographus.duckdb");
    auto_free char *demo = in_folder(c->data_dir, "demo");
    auto_free char *socket_path = in_folder(demo, APP_SOCKET);
    struct error ignored;
    bool is_meant = c->is_demo || (access(store, F_OK) != 0 && hello(socket_path, &ignored) == STATUS_OK);
    if (!is_meant)
        return;
    if (!c->is_demo)
        fprintf(stderr, "asking the demo in %s\n", demo);
    free(c->data_dir);
    c->data_dir = steal_ptr(&demo);
}

/* A server that has the folder but does not answer yet is starting: it is waited for. */
static enum status connect_or_start(struct cli *c, struct control *ctl, struct error *err)
{
    for (int i = 0; i < START_TRIES; i++) {
        enum status s = hello(ctl->socket_path, err);
        if (s != STATUS_UNAVAILABLE)
            return s;
        s = app_start(&ctl->config, c->version, APP_OFFLINE, &ctl->own, err);
        if (s != STATUS_CONFLICT)
            return s;
        usleep(START_WAIT_US);
    }
    return fail_prefix(err, "the server on this folder does not answer at '%s'", ctl->socket_path);
}

bool control_open(struct cli *c, struct control *ret)
{
    *ret = (struct control){0};
    logger_setup(LOG_WARN, LOG_FORMAT_LOGFMT);
    auto_free char *faults = NULL;
    auto_buf struct buf more = {0};
    bool is_well = config_load(&c->origin, false, &ret->config, &faults) == STATUS_OK;
    is_well = config_check_parts(&ret->config, false, &more) && is_well;
    if (!is_well) {
        fputs(faults, stderr);
        fputs(buf_text(&more), stderr);
        config_done(&ret->config);
        return false;
    }
    /* The log is for the server; here only what goes wrong is of interest. */
    logger_setup(LOG_WARN, LOG_FORMAT_LOGFMT);
    use_demo(&ret->config);
    ret->socket_path = in_folder(ret->config.data_dir, APP_SOCKET);
    struct error err = {0};
    if (connect_or_start(c, ret, &err) == STATUS_OK)
        return true;
    control_failed(&err);
    control_close(ret);
    return false;
}

void control_close(struct control *ctl)
{
    app_stop(ctl->own);
    free(ctl->socket_path);
    config_done(&ctl->config);
    *ctl = (struct control){0};
}

/* The text of the API's error shape. */
static enum status refused(int code, struct str body, struct error *err)
{
    auto_json json_t *root = NULL;
    struct error ignored;
    const json_t *e = json_parse(body, ANSWER_MOST, ANSWER_DEPTH, &root, &ignored) == STATUS_OK
                          ? jget(root, "error")
                          : NULL;
    enum status s = code == 404 ? STATUS_NOT_FOUND : code == 409 ? STATUS_CONFLICT : STATUS_INVALID;
    const char *field = jstr(e, "field");
    if (!*jstr(e, "message"))
        return fail(err, s, "the server answered with HTTP status %d", code);
    return fail_field(err, s, field, "%s%s%s", field, *field ? ": " : "", jstr(e, "message"));
}

enum status control_fetch(struct control *ctl, struct unix_request *r, struct buf *ret_body,
                          struct error *err)
{
    int code = 0;
    r->socket_path = ctl->socket_path;
    if (ret_body->cap == 0)
        ret_body->cap = ANSWER_MOST;
    TRY(unix_fetch(r, &code, ret_body, err));
    return code / 100 == 2 ? STATUS_OK : refused(code, buf_str(ret_body), err);
}

static bool to_stdout(void *ctx, struct str part)
{
    bool *is_line_open = ctx;
    *is_line_open = part.len > 0 && part.ptr[part.len - 1] != '\n';
    return fwrite(part.ptr, 1, part.len, stdout) == part.len;
}

enum status control_print(struct control *ctl, struct unix_request *r, struct error *err)
{
    auto_buf struct buf error_body = {0};
    bool is_line_open = false;
    r->take = to_stdout;
    r->ctx = &is_line_open;
    TRY(control_fetch(ctl, r, &error_body, err));
    if (is_line_open)
        putchar('\n');
    return STATUS_OK;
}

enum status control_ask(struct control *ctl, const char *method, const char *target,
                        json_t **ret_answer, struct error *err)
{
    return control_send(ctl, method, target, NULL, ret_answer, err);
}

enum status control_send(struct control *ctl, const char *method, const char *target, json_t *json,
                         json_t **ret_answer, struct error *err)
{
    auto_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct unix_request r = {.method = method, .target = target, .body = str_of(text), .body_fd = -1};
    auto_buf struct buf body = {0};
    *ret_answer = NULL;
    enum status s = control_fetch(ctl, &r, &body, err);
    if (text) /* there may be a password in it */
        secret_wipe(text, strlen(text));
    TRY(s);
    if (body.len == 0)
        return STATUS_OK;
    return json_parse(buf_str(&body), ANSWER_MOST, ANSWER_DEPTH, ret_answer, err);
}

int control_failed(const struct error *err)
{
    fprintf(stderr, "cartographus: %s\n", err->text);
    return EXIT_FAILED;
}
