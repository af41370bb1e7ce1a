/*
 * NATS_EMBEDDED: Debian's nats-server as a child of this program, on loopback, with its own folder and
 * a login that nobody else knows. It is watched, started again when it ends, and ends with us.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct nats_server_config {
    const char *folder; /* its own; made if there is none */
    int64_t max_memory, max_store; /* bytes */
};

struct nats_server;
/* Whether nats-server is installed; else what to type. */
enum status nats_server_check(struct error *err);
/* Starts it; log_open_nats() then waits until it answers. */
enum status nats_server_start(const struct nats_server_config *c, struct nats_server **ret,
                              struct error *err);
/* Where it is, with the login; a secret. */
const char *nats_server_url(const struct nats_server *s);
/* Ends it and waits for it. NULL is fine. */
void nats_server_stop(struct nats_server *s);
