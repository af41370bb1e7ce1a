#include "cli/args.h"

#include <stdio.h>

#include "base/mem.h"

#include "base/banned.h"

static bool needs_server, is_quiet;

static const struct arg_option options[] = {
    {"--configured", NULL, "only tell by the exit status whether a media server is configured", NULL,
     &needs_server},
    {"--quiet", NULL, "say nothing", NULL, &is_quiet},
};
static const struct args args = {
    .usage = "check",
    .about = "Checks the configuration.",
    .options = options,
    .option_count = ARRAY_LEN(options),
};

int cli_check(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    struct config config;
    auto_free char *faults = NULL;
    bool is_well = config_load(&c->origin, !needs_server, &config, &faults) == STATUS_OK;
    if (!is_quiet)
        fputs(faults, stderr);
    bool has_server = config.server_count > 0;
    if (!is_quiet && is_well)
        printf("the configuration is well; %u media server(s)\n", config.server_count);
    config_done(&config);
    return is_well && (has_server || !needs_server) ? EXIT_OK : EXIT_FAILED;
}
