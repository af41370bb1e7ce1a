/* The header of HTTP Basic (RFC 7617). Pure; any thread. */
#pragma once

#include <stdbool.h>

#include "auth/auth.h"

struct basic_credentials {
    char name[AUTH_NAME_MAX];
    char password[AUTH_PASSWORD_MAX];
};

/* Reads the value of Authorization. False: it is no Basic, or not well formed: no base64, no UTF-8,
 * no colon, a control character, too long. The caller wipes *ret in either case. */
bool basic_parse(const char *header, struct basic_credentials *ret);
