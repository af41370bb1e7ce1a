/* What somebody is to be called, from what a provider says of them. Pure; any thread. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "auth/auth.h"

/* The first of these members that says anything, else `fallback`; printable, and cut at the end of a
 * character. */
void identity_name(const json_t *said, const char *const *members, size_t count,
                   const char *fallback, char ret[static AUTH_NAME_MAX]);
