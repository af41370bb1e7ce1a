/* What plex.tv answers when somebody logs in: the PIN, the account, the servers it has access to.
 * Pure; any thread. Another answer than it should be is PROTOCOL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/error.h"
#include "base/str.h"

enum {
    PLEX_CODE_MAX = 128,
    PLEX_TOKEN_MAX = 1024,
    PLEX_MACHINE_MAX = 65,
    PLEX_RESOURCES_MOST = 4 * 1024 * 1024, /* with every player that the account ever had */
};

struct plex_pin {
    int64_t id;
    char code[PLEX_CODE_MAX];
    int64_t lifetime_s;         /* from now */
    char token[PLEX_TOKEN_MAX]; /* "": nobody has logged in with it yet */
};
enum status plex_read_pin(struct str body, struct plex_pin *ret, struct error *err);

/* Who it is, but for the role. */
enum status plex_read_user(struct str body, struct auth_identity *ret, struct error *err);

/* What somebody with these resources is at each of these machines, by plex.tv's word alone: its owner
 * ROLE_ADMIN, who has access ROLE_VIEWER, everybody else ROLE_NOBODY. ret: as many as machines. */
enum status plex_read_roles(struct str body, const char (*machines)[PLEX_MACHINE_MAX], size_t count,
                            enum role *ret, struct error *err);
