#include "app/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "app/folder.h"
#include "app/installed.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

extern char **environ;

enum { READY_MAX = 8192, READY_TIMEOUT_MS = 20000 };

/* Made by the first demo in its folder: when the invented past ends, in seconds since 1970. It stays
 * so, or each day's start would bring another past. */
static const char MARK[] = "demo-until";

bool demo_is_folder(const char *folder)
{
    auto_free char *mark = xasprintf("%s/%s", folder, MARK);
    return access(mark, F_OK) == 0;
}

enum status demo_until(const char *folder, int64_t *ret_s, struct error *err)
{
    auto_free char *path = xasprintf("%s/%s", folder, MARK);
    auto_file FILE *f = fopen(path, "re");
    char text[32] = "";
    if (!f)
        return fail_errno(err, errno, "read '%s'", path);
    if (!fgets(text, sizeof text, f) || !str_to_i64(str_trim(str_of(text)), ret_s) || *ret_s < 0)
        return fail(err, STATUS_INVALID, "'%s' is damaged; remove the folder to begin anew", path);
    return STATUS_OK;
}

/* Makes the folder the demo's, unless it is another's. */
static enum status take_folder(const char *folder, struct error *err)
{
    auto_free char *store = xasprintf("%s/cartographus.duckdb", folder);
    auto_free char *path = xasprintf("%s/%s", folder, MARK);
    TRY(data_folder_prepare(folder, err));
    if (demo_is_folder(folder))
        return STATUS_OK;
    if (access(store, F_OK) == 0)
        return fail_field(err, STATUS_CONFLICT, "DEMO",
                          "DEMO=true: '%s' holds a store that is not the demo's; move it away, or "
                          "take another DATA_DIR", folder);
    auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%lld\n", (long long)(clock_now_us() / US_PER_S)) < 0 || fsync(fd) != 0)
        return fail_errno(err, errno, "write '%s'", path);
    return STATUS_OK;
}

static enum status start_child(struct demo *d, int64_t until_s, int *ret_output,
                               struct error *err)
{
    auto_free char *path = installed_simulator();
    if (!path)
        return fail_field(err, STATUS_NOT_FOUND, "DEMO",
                          "DEMO=true needs cartographus-sim, which is not installed");
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0)
        return fail_errno(err, errno, "a pipe to the simulated servers");
    if (pipe2(out, O_CLOEXEC) != 0) {
        int why = errno;
        close(in[0]);
        close(in[1]);
        return fail_errno(err, why, "a pipe from the simulated servers");
    }
    auto_free char *until = xasprintf("--until=%lld", (long long)until_s);
    char serve[] = "serve", sessions[] = "--sessions=6";
    char *argv[] = {path, serve, sessions, until, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    int rc = posix_spawn(&d->child, path, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    if (rc != 0) {
        close(in[1]);
        close(out[0]);
        return fail_errno(err, rc, "start '%s'", path);
    }
    d->keep_alive = in[1];
    *ret_output = out[0];
    return STATUS_OK;
}

/* The child's first line, which comes when all servers listen. */
static enum status read_ready(int fd, json_t **ret, struct error *err)
{
    auto_buf struct buf line = BUF_INIT(READY_MAX);
    while (!line.len || !memchr(line.data, '\n', line.len)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char chunk[1024];
        ssize_t n = poll(&p, 1, READY_TIMEOUT_MS) > 0 ? read(fd, chunk, sizeof chunk) : -1;
        if (n <= 0)
            return fail(err, STATUS_UNAVAILABLE, "the simulated servers did not start");
        buf_add(&line, chunk, (size_t)n);
        if (line.is_overflowed)
            return fail(err, STATUS_PROTOCOL, "the simulated servers said too much");
    }
    return json_parse(buf_str(&line), READY_MAX, 6, ret, err);
}

static enum status use_servers(struct config *c, const json_t *ready, struct error *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(jget(ready, "servers"), i, one) {
        enum server_kind kind;
        if (!server_kind_parse(str_of(jstr(one, "kind")), &kind) || !*jstr(one, "url"))
            return fail(err, STATUS_PROTOCOL, "the simulated servers said nothing of use");
        c->servers = xreallocarray(c->servers, c->server_count + 1, sizeof *c->servers);
        c->servers[c->server_count++] =
            (struct server_config){.kind = kind,
                                   .key = xasprintf("%s-1", server_kind_name(kind)),
                                   .name = xasprintf("Demo %s", server_kind_name(kind)),
                                   .url = xstrdup(jstr(one, "url")),
                                   .token = xstrdup(jstr(one, "token")),
                                   .is_realtime = true,
                                   .is_polling = true};
        logger_add_secret(jstr(one, "token"));
    }
    return STATUS_OK;
}

enum status demo_start(struct config *c, struct demo *ret, struct error *err)
{
    struct demo d = {.child = -1, .keep_alive = -1};
    if (c->server_count)
        return fail_field(err, STATUS_INVALID, "DEMO",
                          "DEMO=true does not go together with media servers of your own; "
                          "take one of them out");
    if (mkdir(c->data_dir, 0700) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "make '%s'", c->data_dir);
    char *folder = xasprintf("%s/demo", c->data_dir);
    free(c->data_dir);
    c->data_dir = folder;
    int64_t until_s = 0;
    TRY(take_folder(folder, err));
    TRY(demo_until(folder, &until_s, err));
    auto_fd int output = -1;
    TRY(start_child(&d, until_s, &output, err));
    auto_json json_t *ready = NULL;
    enum status s = read_ready(output, &ready, err);
    if (s == STATUS_OK)
        s = use_servers(c, ready, err);
    if (s != STATUS_OK) {
        demo_stop(&d);
        return s;
    }
    if (isnan(c->server_latitude)) { /* in Berlin, as the map has to begin its arcs somewhere */
        c->server_latitude = 52.52;
        c->server_longitude = 13.405;
    }
    log_info("demo", "simulated media servers run; what is shown is invented",
             LF_TEXT("folder", folder));
    *ret = d;
    return STATUS_OK;
}

void demo_stop(struct demo *d)
{
    if (d->child <= 0)
        return;
    close(d->keep_alive);
    kill(d->child, SIGTERM);
    while (waitpid(d->child, NULL, 0) < 0 && errno == EINTR)
        ;
    d->child = -1;
}
