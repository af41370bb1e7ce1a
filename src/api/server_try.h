/* Inside of api: what somebody asks of the list of media servers, read from a request's body, and the
 * server tried before anything is done about it. */
#pragma once

#include "api/request.h"
#include "servers/servers.h"
#include "sources/probe.h"

enum server_wish { SERVER_WISH_TEST = 1, SERVER_WISH_ADD, SERVER_WISH_EDIT };

struct server_try {
    enum server_wish wish;
    enum server_kind kind;
    char *key;  /* of the server that it is about; NULL: a new one */
    char *url;  /* in its plain form; NULL: not given */
    char *token, *name;
    char *likely_url; /* probably meant instead of one that is no address */
    int is_enabled, is_tls_verified; /* -1: not given */
    bool is_untested; /* not to be tried, whatever comes of it */
    bool is_probed;
    struct probe_result result; /* if it is */
    struct error address;       /* of a test: why there is nobody to ask; text "": there is */
};

/* http thread. Reads the body into r->server_try and has the server tried if that is due, then has the
 * handler called in a query worker. False after having answered. */
bool server_try_begin(struct request *r, enum server_wish wish);
