/* The configured media servers as the sources want them. */
#pragma once

#include "config/config.h"
#include "sources/source.h"

/* One for each of c->servers, in their order; free() the array. The texts are the configuration's
 * and the caller's. */
struct source_config *servers_of(const struct config *c, const char *client_id);
