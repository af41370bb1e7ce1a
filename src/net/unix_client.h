/*
 * A blocking HTTP client of the control socket: one request a call, in the caller's thread. For the
 * command line; nothing that serves may use it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct unix_request {
    const char *socket_path;
    const char *method; /* NULL: GET */
    const char *target; /* "/api/v1/plays?limit=5" */
    struct str body;
    int body_fd;        /* -1: `body` is sent; else a file, from its beginning */
    int64_t timeout_ms; /* of the whole call; 0: none */
    /* Gets the body of a 2xx answer in parts instead of *ret_body; false stops. NULL: collected. */
    bool (*take)(void *ctx, struct str part);
    /* Bytes of a body file that are sent, some times a second; false stops. NULL: nobody asks. */
    bool (*sent)(void *ctx, int64_t bytes, int64_t total);
    void *ctx;
};

/* OK when an HTTP answer came, whatever its code (*ret_code); its body is in *ret_body unless taken.
 * UNAVAILABLE: nobody listens there. DENIED: not our socket. CANCELLED: `take` or `sent` stopped. */
enum status unix_fetch(const struct unix_request *r, int *ret_code, struct buf *ret_body,
                       struct error *err);
