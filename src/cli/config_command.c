#include "cli/args.h"

#include <stdio.h>

#include "base/mem.h"

#include "base/banned.h"

static const char *const forms[] = {"show", "docs", "sample"};

static const struct args args = {
    .usage = "config show | config docs | config sample",
    .about = "show: every option with its value, as environment, file and defaults give it; secrets\n"
             "are masked. docs: the page of all options, in Markdown. sample: a file for systemd's\n"
             "EnvironmentFile and for --env-file, with every option and its default commented out.",
    .least = 1,
    .most = 1,
    .statuses = "0 ok, 1 a fault in the configuration (told after the values), 2 wrong usage",
};

int cli_config(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    auto_buf struct buf out = {0};
    if (streq(argv[0], "docs") || streq(argv[0], "sample")) {
        if (streq(argv[0], "docs"))
            config_docs(&out);
        else
            config_sample(&out);
        fputs(buf_text(&out), stdout);
        return EXIT_OK;
    }
    if (!streq(argv[0], "show")) {
        char hint[80];
        args_nearest(argv[0], forms, ARRAY_LEN(forms), hint);
        fprintf(stderr, "cartographus: config has no '%s'%s\nusage: cartographus %s\n", argv[0], hint,
                args.usage);
        return EXIT_USAGE;
    }
    struct config config;
    auto_free char *faults = NULL;
    bool is_well = config_load(&c->origin, false, &config, &faults) == STATUS_OK;
    config_show(&config, &out);
    fputs(buf_text(&out), stdout);
    fputs(faults, stderr);
    config_done(&config);
    return is_well ? EXIT_OK : EXIT_FAILED;
}
