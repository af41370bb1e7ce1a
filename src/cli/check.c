#include "cli/cli.h"

#include "base/mem.h"

#include "base/banned.h"

int cli_check(struct cli *c, int argc, char **argv)
{
    bool needs_server = false, is_quiet = false;
    for (int i = 0; i < argc; i++) {
        needs_server = needs_server || streq(argv[i], "--configured");
        is_quiet = is_quiet || streq(argv[i], "--quiet");
    }
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
