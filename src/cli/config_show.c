#include "cli/cli.h"

#include "base/mem.h"

#include "base/banned.h"

int cli_config(struct cli *c, int argc, char **argv)
{
    if (argc != 1 || !streq(argv[0], "show")) {
        fputs("usage: cartographus config show\n", stderr);
        return EXIT_USAGE;
    }
    struct config config;
    auto_free char *faults = NULL;
    bool is_well = config_load(&c->origin, false, &config, &faults) == STATUS_OK;
    auto_buf struct buf out = {0};
    config_show(&config, &out);
    fputs(buf_text(&out), stdout);
    fputs(faults, stderr);
    config_done(&config);
    return is_well ? EXIT_OK : EXIT_FAILED;
}
