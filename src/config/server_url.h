/* The address of a media server, wherever it was given: configuration, page, command line. Pure. */
#pragma once

#include "base/error.h"
#include "model/observation.h"

/* Its plain form, scheme://host[:port][/prefix] without a slash at the end, which the caller frees;
 * white space around it goes. NULL after saying in *err what was found and what is right; no part of
 * the value that may be a secret is shown. *ret_likely is then the address that is probably meant, or
 * NULL; the caller frees. It may be NULL. */
char *server_url_check(enum server_kind kind, const char *value, char **ret_likely, struct error *err);
