/*
 * What an administrator's page may ask: first line METHOD TARGET, the rest is the body. The whole API
 * over the control socket, in the real program, on an empty store. Whatever is asked: one answer, none of it a failure of
 * ours, and every refusal in the one error shape.
 */
#include "fuzz.h"

#include <ftw.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/app.h"
#include "base/json_read.h"

enum { TARGET_MAX = 2048, BODY_MAX = 2048, ANSWER_MAX = 4 * 1024 * 1024 };

static char folder[] = "/tmp/cartographus-fuzz-XXXXXX";
static char socket_path[64];

static struct app *app;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return remove(path);
}

static void stop(void)
{
    app_stop(app);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(void)
{
    static struct config config;
    static const char *environment[] = {
        "JWT_SECRET=0123456789012345678901234567890123456789", "ADMIN_USERNAME=admin",
        "ADMIN_PASSWORD=correct horse battery", "SETUP=true", "TZ=Europe/Berlin",
        "DUCKDB_MAX_MEMORY=256MB", "DUCKDB_THREADS=1", "LOG_LEVEL=error", NULL, NULL};
    CHECK(mkdtemp(folder) != NULL);
    environment[8] = xasprintf("DATA_DIR=%s", folder);
    snprintf(socket_path, sizeof socket_path, "%s/%s", folder, APP_SOCKET);
    struct config_origin origin = {.environment = environment, .file = "/dev/null"};
    struct error err = {0};
    char *faults;
    CHECK(config_load(&origin, true, &config, &faults) == STATUS_OK);
    free(faults);
    CHECK(app_start(&config, "0", APP_OFFLINE, &app, &err) == STATUS_OK);
    CHECK(atexit(stop) == 0);
}

/* The request, with what cannot stand in a request line percent-encoded. */
static bool make_request(struct str input, struct buf *out)
{
    struct str line, method;
    if (!str_next(&input, '\n', &line) || !str_next(&line, ' ', &method) || !line.ptr)
        return false;
    struct str body = {input.ptr ? input.ptr : "", input.ptr ? input.len : 0};
    if (!method.len || method.len > 8 || line.len > TARGET_MAX || body.len > BODY_MAX)
        return false;
    for (size_t i = 0; i < method.len; i++)
        if (method.ptr[i] < 'A' || method.ptr[i] > 'Z')
            return false;
    if (str_eq(method, STR("HEAD")) || str_eq(method, STR("CONNECT")))
        return false;
    buf_add_str(out, method);
    buf_puts(out, " /api/v1/");
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        buf_printf(out, c > ' ' && c < 127 ? "%c" : "%%%02x", c);
    }
    buf_printf(out, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
               body.len);
    buf_add_str(out, body);
    return true;
}

static void exchange(struct str request, struct buf *answer)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", socket_path);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    for (size_t sent = 0; sent < request.len;) {
        ssize_t n = send(fd, request.ptr + sent, request.len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    char piece[8192];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_add(answer, piece, (size_t)n);
}

static void check_answer(const struct buf *answer)
{
    int code = 0;
    CHECK(sscanf(buf_text(answer), "HTTP/1.1 %d ", &code) == 1);
    CHECK(code < 500 || code == 503);
    if (code < 400)
        return;
    const char *body = strstr(answer->data, "\r\n\r\n");
    auto_json json_t *root = NULL;
    CHECK(body && json_parse(str_of(body + 4), ANSWER_MAX, 4, &root, NULL) == STATUS_OK);
    CHECK(*jstr(jget(root, "error"), "code") && *jstr(jget(root, "error"), "message"));
    CHECK(strstr(answer->data, jstr(jget(root, "error"), "request_id")) < body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_started;
    auto_buf struct buf request = {0}, answer = BUF_INIT(ANSWER_MAX);
    if (!is_started)
        start();
    is_started = true;
    if (!make_request(input_of(data, size), &request))
        return 0;
    exchange(buf_str(&request), &answer);
    check_answer(&answer);
    return 0;
}
