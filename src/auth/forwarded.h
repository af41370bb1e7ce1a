/*
 * Who asks, where a proxy may stand between: the connection's peer, unless that is a trusted proxy,
 * whose X-Forwarded-* then count. Pure; any thread.
 */
#pragma once

#include <stddef.h>

#include "base/address.h"

enum { ASKER_HOST_MAX = 262 }; /* a name of 253, a colon, a port */

struct trusted_proxies {
    struct address_range *ranges;
    size_t count;
};

/* Reads TRUSTED_PROXIES, which has been checked. The caller frees `ranges`. */
struct trusted_proxies trusted_proxies_parse(const char *list);

/* What a request says of itself; any may be NULL. */
struct request_origin {
    const struct sockaddr *peer;
    const char *host;
    const char *forwarded_for; /* all of these headers, joined by commas */
    const char *forwarded_proto;
    const char *forwarded_host;
};

struct asker {
    char address[ADDRESS_TEXT_MAX]; /* "": not known */
    const char *scheme;             /* "http" or "https" as a trusted proxy says; NULL: nobody says */
    char host[ASKER_HOST_MAX];      /* host[:port] as the browser has it; "": not known */
};

/*
 * Of X-Forwarded-For the last address that is no trusted proxy counts: what stands before it anybody
 * may have written. Of the others the last value, which the nearest proxy wrote.
 */
void asker_find(const struct trusted_proxies *t, const struct request_origin *r, struct asker *ret);
