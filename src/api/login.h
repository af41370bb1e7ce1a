/* What the ways to log in share: the cookies they set. Any thread that owns the request. */
#pragma once

#include "api/request.h"

/* For the whole site, for this host's own pages only, and not for scripts. "" and 0 take it away. */
void login_set_cookie(struct request *r, const char *name, const char *value, int64_t seconds);
/* A session, and by which device it was made. */
void login_set(struct request *r, const struct auth_login_result *result);
/* "user": who it is now. */
void login_write_user(struct json_writer *w, const struct auth_user *user);
