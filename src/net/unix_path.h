/*
 * The address of a unix socket at a path of any length: a socket address has room for 107 bytes
 * only, so a longer path goes through the descriptor of its folder.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct unix_path {
    struct sockaddr_un address; /* valid until unix_path_done() */
    int folder; /* -1: the path was short enough */
};
#define UNIX_PATH_NONE ((struct unix_path){.folder = -1})

/* IO: a long path whose folder cannot be opened. *ret is UNIX_PATH_NONE before. */
enum status unix_path_init(const char *path, struct unix_path *ret, struct error *err);
void unix_path_done(struct unix_path *p);
