/*
 * Server side of WebSocket: one thread that owns every upgraded socket and its bounded send queue.
 * A reader whose queue is full gets `resync` once instead of what it missed; if that does not go
 * out within the deadline either, it is dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct ws_hub;
struct ws_hub_config {
    unsigned most_clients;      /* 0: 1024 */
    size_t queue_bytes;         /* per client; 0: 256 KiB */
    size_t most_message_bytes;  /* from a client; 0: 64 KiB */
    int64_t ping_interval_ms;   /* 0: 30 s */
    const char *resync_message; /* text sent to a slow reader, NULL: none, it is dropped at once */
    int64_t slow_deadline_ms;   /* 0: 10 s */
    void *ctx;
    /* hub thread */
    void (*opened)(void *ctx, uint64_t client, void *user);
    void (*message)(void *ctx, uint64_t client, void *user, struct str text);
    void (*closed)(void *ctx, uint64_t client, void *user); /* last use of user */
};

enum status ws_hub_start(const struct ws_hub_config *c, struct ws_hub **ret, struct error *err);
/* Closes every socket and takes no other; what is sent from then on is for nobody. Before the HTTP server
 * that they came from stops. */
void ws_hub_close(struct ws_hub *h);
/* Closes, then frees. NULL is fine. */
void ws_hub_stop(struct ws_hub *h);
unsigned ws_hub_count(struct ws_hub *h);                     /* any thread */
/* Takes over a socket from http_upgrade(). False when full: fd is closed with code 1013 and a reason. */
bool ws_hub_add(struct ws_hub *h, int fd, char *leftover, size_t leftover_len, void *user);
void ws_hub_send(struct ws_hub *h, uint64_t client, struct str text); /* any thread */
/* Which clients a text is for. */
struct ws_readers {
    bool (*wants)(void *ctx, const void *about, void *user); /* hub thread */
    const void *about; /* handed to it; copied */
    size_t about_size;
};
/* To every client that `readers` wants (NULL: all). Any thread. */
void ws_hub_broadcast(struct ws_hub *h, struct str text, const struct ws_readers *readers);
/* Closes every client for which `keeps` (hub thread) says no, with a code. Any thread. */
void ws_hub_sweep(struct ws_hub *h, int code, bool (*keeps)(void *ctx, void *user));
/* Closes with a code; `is_abrupt` cuts the TCP connection without a close frame. Any thread. */
void ws_hub_kick(struct ws_hub *h, uint64_t client, int code, bool is_abrupt);
