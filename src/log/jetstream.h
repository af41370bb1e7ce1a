/* Inside of log: the stream, between its way there (jetstream_open.c) and its use (jetstream.c). */
#pragma once

#include <nats/nats.h>

#include "log/home.h"

enum {
    IN_FLIGHT = 64, /* messages sent before their answers are waited for */
    ANSWER_MS = 5000,
    SESSION_BYTES = 8,
};

struct jetstream {
    struct log base;
    pthread_mutex_t io; /* one conversation with the server at a time */
    natsOptions *options;
    natsConnection *connection;
    jsCtx *js;
    natsSubscription *answers;
    natsInbox *inbox;
    uint64_t asked; /* numbers the answers */
    char *stream, *subject, *get_subject;
    char session[2 * SESSION_BYTES + 1];
    size_t piece;      /* most bytes of payload in a message */
    size_t ask;        /* messages asked for at once: about as many as a read takes */
    uint64_t first;    /* nothing is left before it */
    uint64_t end;      /* last number that the server acknowledged */
    bool is_in_doubt;  /* an append did not end: there may be more than that */
};

/* With its lock and operations, and nothing else yet; log_close() frees it. */
struct jetstream *jetstream_new(void);

/* With what the library says of it. */
enum status fail_nats(natsStatus s, const char *doing, struct error *err);

static inline void destroy_info(jsStreamInfo **i)
{
    jsStreamInfo_Destroy(*i);
}
#define auto_info __attribute__((cleanup(destroy_info)))
