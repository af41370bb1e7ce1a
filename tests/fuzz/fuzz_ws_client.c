/*
 * What a media server answers on its notification socket. An even first byte: the rest is the answer
 * to the handshake; an odd one: frames after a right answer. However it ends, it is told once.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/logger.h"
#include "net/loop.h"
#include "net/ws_accept.h"

enum { INPUT_MAX = 8192, MESSAGE_MAX = 1000 };

struct peer {
    int listener;
    const uint8_t *data;
    size_t size;
};

struct run {
    struct loop *loop;
    unsigned opened, closed;
};

static void send_all(int fd, const void *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL);
}

/* Reads the request, up to its empty line; its key in ret. */
static void read_request(int fd, struct buf *request)
{
    char piece[1024];
    ssize_t n;
    while (!strstr(buf_text(request), "\r\n\r\n") && (n = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_add(request, piece, (size_t)n);
}

static void *answer(void *arg)
{
    const struct peer *p = arg;
    auto_fd int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    auto_buf struct buf request = {0};
    read_request(fd, &request);
    if (p->data[0] % 2) {
        static const char name[] = "Sec-WebSocket-Key: ";
        const char *key = strstr(buf_text(&request), name);
        char accept[WS_ACCEPT_TEXT];
        CHECK(key);
        ws_accept_key((struct str){key + sizeof name - 1, 24}, accept);
        char head[256];
        int n = snprintf(head, sizeof head,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
        send_all(fd, head, (size_t)n);
    }
    send_all(fd, p->data + 1, p->size - 1);
    shutdown(fd, SHUT_WR);
    char ignored[1024];
    while (recv(fd, ignored, sizeof ignored, 0) > 0)
        ;
    return NULL;
}

static void opened(void *ctx)
{
    struct run *r = ctx;
    CHECK(r->opened++ == 0 && !r->closed);
}

static void message(void *ctx, struct str text)
{
    const struct run *r = ctx;
    CHECK(r->opened && !r->closed && text.len <= MESSAGE_MAX);
}

static void closed(void *ctx, const struct error *why)
{
    struct run *r = ctx;
    CHECK(r->closed++ == 0 && why->text[0] != '\0');
    loop_stop(r->loop);
}

static int listen_once(char url[static 64])
{
    static int fd = -1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    if (fd < 0) {
        logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
    }
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(url, 64, "ws://127.0.0.1:%u/", ntohs(at.sin_port));
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    char url[64];
    struct peer peer = {listen_once(url), data, size};
    struct run run = {0};
    struct error err = {0};
    CHECK(loop_new(&run.loop, &err) == STATUS_OK);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer, &peer) == 0);
    const struct ws_client_events events = {opened, message, closed};
    const struct ws_client_options options = {.url = url, .most_bytes = MESSAGE_MAX};
    struct ws_client *c = ws_open(run.loop, &options, &events, &run);
    loop_run(run.loop);
    CHECK(run.closed == 1);
    ws_close(run.loop, c);
    loop_free(run.loop);
    pthread_join(thread, NULL);
    return 0;
}
