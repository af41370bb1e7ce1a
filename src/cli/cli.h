/* Subcommands: one file each and one row in main.c. Exit status: 0 ok, 1 failed, 2 usage. */
#pragma once

#include "config/config.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
    const char *version;
    struct config_origin origin;
};

/* Each gets the arguments after its own name. */
int cli_serve(struct cli *c, int argc, char **argv);
int cli_init(struct cli *c, int argc, char **argv);
int cli_check(struct cli *c, int argc, char **argv);
int cli_config(struct cli *c, int argc, char **argv);
int cli_version(struct cli *c, int argc, char **argv);
