/*
 * What loop.c and ws_client.c share: a connection that curl makes (TCP and TLS) and then leaves to
 * its owner to read and write. Inside src/net only; the loop's thread.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "net/loop.h"

struct loop_socket;
struct loop_socket_ops {
    /* The connection stands, or not. */
    void (*connected)(struct loop_socket *s, CURLcode code, const char *detail);
    /* Something may be read or written. */
    void (*ready)(struct loop_socket *s);
    /* The loop ends: says so to the owner. */
    void (*cancelled)(struct loop_socket *s);
    /* After loop_socket_close(), when nothing on the stack uses it any more. */
    void (*release)(struct loop_socket *s);
};

struct loop_socket {
    const struct loop_socket_ops *ops;
    CURL *easy;
    curl_socket_t fd; /* CURL_SOCKET_BAD until connected */
    bool wants_write;
    bool wants_read;
    bool is_closed;
    char curl_error[CURL_ERROR_SIZE];
    struct loop_socket *next;
};

/* Starts to connect to url (http or https). On failure nothing is kept. */
enum status loop_socket_open(struct loop *l, struct loop_socket *s, const char *url,
                             const struct tls_options *tls, struct error *err);
/* Takes it out of the loop; released soon after. */
void loop_socket_close(struct loop *l, struct loop_socket *s);
/* Turns curl's code into ours; `detail` is curl's error buffer, `easy` may tell more or be NULL. */
enum status loop_curl_error(CURL *easy, CURLcode code, const char *detail, struct error *err);
