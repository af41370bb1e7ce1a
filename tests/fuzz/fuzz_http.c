/*
 * What anybody sends to the port: a whole request as bytes. The server answers once, or closes; what
 * a handler sees of it is text. The first byte says where the bytes are cut in two.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/logger.h"
#include "net/http_server.h"

enum { INPUT_MAX = 8192, BODY_MAX = 1000, ANSWER_MS = 2 };

static bool each(void *ctx, const char *name, const char *value)
{
    size_t *total = ctx;
    *total += strlen(name) + strlen(value);
    return true;
}

static void handle(void *ctx, struct http_exchange *x)
{
    static const char *const names[] = {"Host", "Origin", "Content-Type", "X-Forwarded-For"};
    char cookie[160];
    size_t total = strlen(http_path(x)) + strlen(http_method(x)) + strlen(http_query_text(x));
    http_query_each(x, each, &total);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = http_header(x, names[i]);
        total += value ? strlen(value) : 0;
    }
    if (http_cookie(x, "cartographus_session", cookie, sizeof cookie))
        total += strlen(cookie);
    CHECK(http_body(x).len <= BODY_MAX && total < 4 * INPUT_MAX);
    http_reply(x, http_wants_upgrade(x) ? 400 : 200, "text/plain", http_body(x));
}

static struct http_body_policy policy(void *ctx, struct http_exchange *x)
{
    return (struct http_body_policy){.most_bytes = BODY_MAX};
}

static uint16_t port_once(void)
{
    static struct http_server *server;
    struct http_server_config c = {.host = "127.0.0.1", .base_path = "/base", .threads = 1, .timeout_s = 5,
                                   .body_policy = policy, .handle = handle};
    struct error err = {0};
    if (!server) {
        logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
        CHECK(http_server_start(&c, &server, &err) == STATUS_OK);
    }
    return http_server_port(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX)
        return 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port_once()),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    size_t cut = 1 + (size - 1) * data[0] / 256;
    (void)!send(fd, data + 1, cut - 1, MSG_NOSIGNAL);
    (void)!send(fd, data + cut, size - cut, MSG_NOSIGNAL);
    /* An answer comes at once, or the request is not whole: then we leave. */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char answer[4096];
    if (poll(&p, 1, ANSWER_MS) > 0)
        (void)!recv(fd, answer, sizeof answer, 0);
    return 0;
}
