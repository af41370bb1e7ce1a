#include "cli/args.h"

#include <stdio.h>

#include "base/banned.h"

static const struct args args = {.usage = "version", .about = "Prints version and commit."};

int cli_version(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    puts(c->version);
    return EXIT_OK;
}
