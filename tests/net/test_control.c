/* The control socket: the same server on a unix socket, for our own user and root alone. */
#include "../test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/http_server.h"
#include "net/unix_client.h"
#include "net/unix_path.h"

enum { FILE_BYTES = 3 << 20 };

struct rig {
    struct http_server *server;
    char folder[64];
    char *socket_path;
    _Atomic unsigned handled;
};

static void handle(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    r->handled++;
    char text[64];
    struct stat st = {0};
    if (http_body_file(x) && stat(http_body_file(x), &st) == 0)
        snprintf(text, sizeof text, "%lld bytes", (long long)st.st_size);
    else
        snprintf(text, sizeof text, "%s %s", http_method(x), http_is_control(x) ? "own" : "foreign");
    http_reply(x, streq(http_path(x), "/refused") ? 400 : 200, "text/plain", str_of(text));
}

static struct http_body_policy policy(void *ctx, struct http_exchange *x)
{
    struct rig *r = ctx;
    return (struct http_body_policy){.most_bytes = streq(http_path(x), "/small") ? 10 : 8 << 20,
                                     .into_folder = r->folder};
}

static int set_up(void **state)
{
    struct rig *r = xcalloc(1, sizeof *r);
    snprintf(r->folder, sizeof r->folder, "/tmp/cartographus-control-XXXXXX");
    if (!mkdtemp(r->folder) || chmod(r->folder, 0755) != 0)
        return -1;
    r->socket_path = xasprintf("%s/control.sock", r->folder);
    struct http_server_config c = {
        .socket_path = r->socket_path, .ctx = r, .handle = handle, .body_policy = policy};
    struct error err;
    if (http_server_start(&c, &r->server, &err) != STATUS_OK)
        return -1;
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    http_server_stop(r->server);
    bool is_gone = access(r->socket_path, F_OK) != 0;
    rmdir(r->folder);
    free(r->socket_path);
    free(r);
    return is_gone ? 0 : -1;
}

static void requests_over_the_socket_are_marked(void **state)
{
    struct rig *r = *state;
    struct stat st;
    assert_int_equal(stat(r->socket_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    static const struct {
        const char *method, *target;
        int code;
        const char *expected;
    } rows[] = {
        {NULL, "/x?y=z", 200, "GET own"},
        {"POST", "/x", 200, "POST own"},
        {"DELETE", "/x", 200, "DELETE own"},
        {"GET", "/refused", 400, "GET own"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct unix_request q = {.socket_path = r->socket_path, .method = rows[i].method,
                                 .target = rows[i].target, .body_fd = -1, .timeout_ms = 5000};
        auto_buf struct buf body = {0};
        struct error err;
        int code = 0;
        if (unix_fetch(&q, &code, &body, &err) != STATUS_OK)
            fail_msg("%s: %s", rows[i].target, err.text);
        assert_int_equal(code, rows[i].code);
        assert_string_equal(buf_text(&body), rows[i].expected);
    }
}

static bool stop_at_half(void *ctx, int64_t bytes, int64_t total)
{
    return !(total == FILE_BYTES && bytes > total / 2);
}

static void a_file_is_streamed_refused_or_stopped(void **state)
{
    struct rig *r = *state;
    auto_free char *path = xasprintf("%s/file", r->folder);
    auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
    unlink(path);
    struct unix_request q = {.socket_path = r->socket_path, .method = "POST", .target = "/file",
                             .body_fd = fd, .timeout_ms = 20000};
    auto_buf struct buf body = {0};
    struct error err;
    int code = 0;
    assert_int_equal(unix_fetch(&q, &code, &body, &err), STATUS_OK);
    assert_string_equal(buf_text(&body), "3145728 bytes");

    buf_clear(&body);
    lseek(fd, 0, SEEK_SET);
    q.target = "/small";
    if (unix_fetch(&q, &code, &body, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(code, 413);

    lseek(fd, 0, SEEK_SET);
    q.target = "/file";
    q.sent = stop_at_half;
    enum status s = unix_fetch(&q, &code, &body, &err);
    /* The kernel may have taken it all before we were asked. */
    assert_true(s == STATUS_CANCELLED || s == STATUS_OK);
}

static void nobody_there_is_told_apart(void **state)
{
    struct rig *r = *state;
    auto_free char *none = xasprintf("%s/none.sock", r->folder);
    struct unix_request q = {.socket_path = none, .target = "/", .body_fd = -1};
    auto_buf struct buf body = {0};
    struct error err;
    int code = 0;
    assert_int_equal(unix_fetch(&q, &code, &body, &err), STATUS_UNAVAILABLE);
    assert_non_null(strstr(err.text, "none.sock"));
}

static void a_path_longer_than_a_socket_address_works(void **state)
{
    struct rig *r = *state;
    char name[120];
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    auto_free char *folder = xasprintf("%s/%s", r->folder, name);
    auto_free char *path = xasprintf("%s/control.sock", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    struct http_server_config c = {.socket_path = path, .ctx = r, .handle = handle};
    struct http_server *second = NULL;
    struct error err;
    if (http_server_start(&c, &second, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    struct unix_request q = {.socket_path = path, .target = "/", .body_fd = -1, .timeout_ms = 5000};
    auto_buf struct buf body = {0};
    int code = 0;
    assert_int_equal(unix_fetch(&q, &code, &body, &err), STATUS_OK);
    assert_string_equal(buf_text(&body), "GET own");
    http_server_stop(second);
    assert_int_equal(rmdir(folder), 0);
}

/* What a process of another user gets: 'c' cannot connect, 'e' is cut off, 'a' an answer. */
static char try_as_nobody(const char *path)
{
    struct unix_path at = UNIX_PATH_NONE;
    if (setgid(65534) != 0 || setuid(65534) != 0 || unix_path_init(path, &at, NULL) != STATUS_OK)
        return 's';
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&at.address, sizeof at.address) != 0)
        return 'c';
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char byte;
    if (write(fd, request, sizeof request - 1) < 0)
        return 'e';
    return read(fd, &byte, 1) > 0 ? 'a' : 'e';
}

static int as_nobody(const char *path)
{
    pid_t child = fork();
    if (child == 0)
        _exit(try_as_nobody(path));
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static void another_user_is_refused(void **state)
{
    struct rig *r = *state;
    if (geteuid() != 0)
        skip(); /* only root can become another user */
    unsigned before = r->handled;
    assert_int_equal(as_nobody(r->socket_path), 'c');
    /* Even where the mode lets them in, the kernel says who they are. */
    assert_int_equal(chmod(r->socket_path, 0666), 0);
    assert_int_equal(as_nobody(r->socket_path), 'e');
    assert_int_equal(r->handled, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_over_the_socket_are_marked),
        cmocka_unit_test(a_file_is_streamed_refused_or_stopped),
        cmocka_unit_test(nobody_there_is_told_apart),
        cmocka_unit_test(a_path_longer_than_a_socket_address_works),
        cmocka_unit_test(another_user_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
