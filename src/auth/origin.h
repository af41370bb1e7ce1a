/* Same-origin rule for everything that changes something, and for the WebSocket. Pure; any thread. */
#pragma once

#include <stdbool.h>

/*
 * True when a request with these headers may change something: no Origin (not a page), or an
 * Origin whose host is the Host's. Ports must agree when Host names one; a proxy that passes Host
 * without its port (nginx's $host) is believed. `scheme` is how the browser came ("https"), where
 * that is known: the Origin's must be the same. `fetch_site` is Sec-Fetch-Site; any may be NULL.
 */
bool auth_is_same_origin(const char *origin, const char *scheme, const char *host,
                         const char *fetch_site);
