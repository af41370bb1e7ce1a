#include "cli/cli.h"

#include <stdio.h>

#include "base/banned.h"

int cli_version(struct cli *c, int argc, char **argv)
{
    puts(c->version);
    return EXIT_OK;
}
