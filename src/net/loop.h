/*
 * One thread's event loop for everything outgoing: HTTP requests and WebSockets on one curl_multi,
 * timers, and calls posted by other threads. All functions but loop_post() and loop_stop(): the
 * loop's own thread (or before loop_run()).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

struct loop;
enum status loop_new(struct loop **ret, struct error *err);
/* Cancels what is open (callbacks get STATUS_CANCELLED), frees. NULL is fine. */
void loop_free(struct loop *l);
/* Runs until loop_stop(), also one that came before; can be run again. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);                                  /* any thread */
void loop_post(struct loop *l, void (*call)(void *), void *ctx); /* any thread */

struct loop_timer;
/* Calls back once, after delay_us. */
struct loop_timer *loop_timer_start(struct loop *l, int64_t delay_us, void (*call)(void *),
                                    void *ctx);
/* Cancels and frees; NULL and fired timers (set your pointer to NULL in the callback) are fine. */
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* --- HTTP --------------------------------------------------------------------------------- */

struct tls_options {
    bool is_unverified;       /* accept any certificate */
    const char *pinned_sha256; /* "sha256//BASE64" or NULL */
};

struct http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated list, may be NULL */
    struct str body;
    int64_t timeout_ms;   /* whole call; 0: 30 s */
    size_t most_bytes;    /* of the answer; 0: 16 MiB. Over it: STATUS_TOO_LARGE */
    struct tls_options tls;
};

struct http_answer {
    enum status status; /* OK when an HTTP answer came, whatever its code */
    struct error error; /* says what went wrong; never holds the URL's query or a token */
    bool is_tls_fault;  /* it is the certificate, or TLS is not spoken there */
    int code;
    const char *content_type; /* "" when absent */
    struct str body;
    int64_t took_us;
    int64_t server_us; /* the server's clock when it answered (to the second); TIME_NONE: not told */
};

struct http_call;
/* Starts a call; `done` runs once, in the loop's thread, with everything valid for its duration.
 * Redirects: followed at most 3 times and only to the same scheme, host and port (http to https of
 * the same host is allowed); elsewhere is STATUS_DENIED naming the other host. */
struct http_call *http_fetch(struct loop *l, const struct http_request *r,
                             void (*done)(void *ctx, const struct http_answer *a), void *ctx);
/* `done` is not called. */
void http_call_cancel(struct loop *l, struct http_call *c);

/* --- WebSocket ---------------------------------------------------------------------------- */

struct ws_client;
struct ws_client_events {
    void (*opened)(void *ctx);
    /* One whole text or binary message. */
    void (*message)(void *ctx, struct str text);
    /* Once, for every way it can end: refused (error.status DENIED for 401/403), closed, silent. */
    void (*closed)(void *ctx, const struct error *why);
};

struct ws_client_options {
    const char *url; /* ws:// or wss:// (http/https are accepted too) */
    const char *const *headers;
    int64_t ping_interval_ms; /* 0: 15 s; two unanswered pings end it */
    size_t most_bytes;        /* of a message; 0: 4 MiB */
    struct tls_options tls;
};

struct ws_client *ws_open(struct loop *l, const struct ws_client_options *o,
                          const struct ws_client_events *events, void *ctx);
enum status ws_send(struct ws_client *c, struct str text, struct error *err);
/* When something last came from the server, a pong included; the wall clock. */
int64_t ws_heard_us(const struct ws_client *c);
/* No event after this. Must be called exactly once, also after `closed`. */
void ws_close(struct loop *l, struct ws_client *c);
