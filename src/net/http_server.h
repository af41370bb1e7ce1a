/*
 * The HTTP server: one port for HTTP and WebSocket, and the same on a unix socket for the command
 * line (http_is_control()), on libmicrohttpd's epoll threads. A handler
 * runs in an http thread and never blocks: it replies at once, or keeps the exchange, hands it to
 * another thread and that thread replies later. Every exchange gets exactly one reply.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/str.h"

struct http_server;
struct http_exchange;

/* Says what to do with a request body, before it is read. */
struct http_body_policy {
    size_t most_bytes;       /* over it: 413 */
    const char *into_folder; /* not NULL: the body is streamed to a new file in this folder */
};

struct http_server_config {
    const char *host; /* "0.0.0.0", "127.0.0.1", "::"; NULL: no port */
    uint16_t port;    /* 0: any free one, see http_server_port() */
    /* A unix socket of mode 0600 for our own user and root; made anew, so the caller holds the
     * folder's lock. NULL: none. */
    const char *socket_path;
    /* "/cartographus": a request below it is as one without it, so that a reverse proxy may pass it on
     * or cut it off. Borrowed; NULL or empty: none. */
    const char *base_path;
    unsigned threads; /* of the port; 0: 2 */
    unsigned most_connections; /* 0: 1024 */
    unsigned timeout_s;        /* idle connections; 0: 75 */
    void *ctx;
    /* http thread. Called when the headers are there; NULL means 1 MiB in memory. It may reply:
     * then the body is not read and `handle` is not called. */
    struct http_body_policy (*body_policy)(void *ctx, struct http_exchange *x);
    /* http thread. Called when the request is complete. Must not block. */
    void (*handle)(void *ctx, struct http_exchange *x);
};

/* Starts listening. A taken port is STATUS_CONFLICT with a text naming port and, where it can be
 * known, the process that holds it. */
enum status http_server_start(const struct http_server_config *config, struct http_server **ret,
                              struct error *err);
/* Whether `host` can be listened on, at some port. */
enum status http_server_check_host(const char *host, struct error *err);
uint16_t http_server_port(const struct http_server *s);
/* Answers open exchanges with 503 where nobody replied, closes everything, frees. NULL is fine. */
void http_server_stop(struct http_server *s);

/* The request: valid until the reply. Any thread that owns the exchange. */
const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x); /* decoded, without base path and query */
/* First value of a query parameter, decoded; NULL when absent, "" when empty. */
const char *http_query(const struct http_exchange *x, const char *name);
/* All query parameters in order; return false from `each` to stop. */
void http_query_each(const struct http_exchange *x,
                     bool (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* Name of the first query parameter with a NUL byte in it, which all others here would take for its
 * end; NULL: there is none. */
const char *http_query_with_nul(const struct http_exchange *x);
/* The raw query string as sent, "" when none. */
const char *http_query_text(const struct http_exchange *x);
const char *http_header(const struct http_exchange *x, const char *name); /* NULL when absent */
/* Value of a cookie copied into dst; false when absent or too long. */
bool http_cookie(const struct http_exchange *x, const char *name, char *dst, size_t size);
/* All headers in order, repeated ones too; return false from `each` to stop. */
void http_header_each(const struct http_exchange *x,
                      bool (*each)(void *ctx, const char *name, const char *value), void *ctx);
struct str http_body(const struct http_exchange *x);
const char *http_body_file(const struct http_exchange *x); /* NULL when it was in memory */
/* The file's path, now the caller's to free and the file the caller's to remove; NULL as above.
 * A body file nobody steals is removed after the reply. */
char *http_steal_body_file(struct http_exchange *x);
const struct sockaddr *http_peer(const struct http_exchange *x);
/* True if the request came over the unix socket, from our own user or root. */
bool http_is_control(const struct http_exchange *x);
/* A short unique id, sent back as X-Request-Id and logged. */
const char *http_request_id(const struct http_exchange *x);
/* True once the client has gone: a long query should stop. Any thread. */
bool http_is_gone(const struct http_exchange *x);
/* A pointer for the layer above; `free_fn` runs after the reply. */
void http_set_user(struct http_exchange *x, void *user, void (*free_fn)(void *));
void *http_user(const struct http_exchange *x);

/* The reply. http_reply* end the exchange: it must not be touched after them. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
/* Sends a copy of body. content_type NULL: none. Any thread. */
void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body);
/* As http_reply, taking over malloc()ed memory. */
void http_reply_take(struct http_exchange *x, int status, const char *content_type, char *body,
                     size_t len);
/* Sends static memory that lives for ever. */
void http_reply_static(struct http_exchange *x, int status, const char *content_type,
                       struct str body);
/* Sends a file from disk (streamed); the exchange closes fd. */
void http_reply_fd(struct http_exchange *x, int status, const char *content_type, int fd,
                   uint64_t size);

/* Keeps the exchange for a later reply from another thread (call before handing it on; again is as
 * once). */
void http_keep(struct http_exchange *x);

/* True when the request asks for a WebSocket, version 13. */
bool http_wants_upgrade(const struct http_exchange *x);
/* RFC 6455 hand-over: checks the upgrade headers, answers 101 and gives the socket to `opened`
 * (which owns fd and frees `leftover` with free()). Answers 426 itself when the request is no
 * WebSocket upgrade. Use with net/ws_hub.h. */
void http_upgrade(struct http_exchange *x,
                  void (*opened)(void *ctx, int fd, char *leftover, size_t leftover_len),
                  void *ctx);
