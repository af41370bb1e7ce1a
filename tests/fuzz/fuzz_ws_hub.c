/*
 * What a browser sends after the upgrade: frames in any pieces, to the hub's own thread. The first
 * byte says how much is there with the upgrade itself. Every client is let go in the end.
 */
#include "fuzz.h"

#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/logger.h"
#include "net/ws_hub.h"

static sem_t gone;

static void opened(void *ctx, uint64_t client, void *user)
{
    ws_hub_send(*(struct ws_hub **)ctx, client, STR("{\"type\":\"hello\"}"));
}

static void message(void *ctx, uint64_t client, void *user, struct str text)
{
    CHECK(text.len <= 1000);
    ws_hub_send(*(struct ws_hub **)ctx, client, text);
}

static void closed(void *ctx, uint64_t client, void *user)
{
    sem_post(&gone);
}

static struct ws_hub *hub_once(void)
{
    static struct ws_hub *hub;
    if (hub)
        return hub;
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
    sem_init(&gone, 0, 0);
    struct ws_hub_config c = {.most_message_bytes = 1000, .queue_bytes = 4096, .ctx = &hub,
                              .resync_message = "{}", .opened = opened, .message = message,
                              .closed = closed};
    struct error err = {0};
    CHECK(ws_hub_start(&c, &hub, &err) == STATUS_OK);
    return hub;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_hub *hub = hub_once();
    int ends[2];
    if (size < 1 || size > 8192)
        return 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    size_t early = data[0] < size - 1 ? data[0] : size - 1;
    char *leftover = NULL;
    if (early) {
        leftover = malloc(early);
        memcpy(leftover, data + 1, early);
    }
    CHECK(ws_hub_add(hub, ends[1], leftover, early, NULL));
    (void)!send(ends[0], data + 1 + early, size - 1 - early, MSG_NOSIGNAL);
    shutdown(ends[0], SHUT_WR);
    CHECK(sem_wait(&gone) == 0);
    close(ends[0]);
    return 0;
}
