#include "cli/cli.h"

#include "base/mem.h"
#include "version.h"

#include "base/banned.h"

static const struct {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", cli_serve, "serve page and API (what happens without a subcommand)"},
    {"init", cli_init, "write DATA/cartographus.yaml with fresh secrets, unless it exists"},
    {"check", cli_check, "check the configuration; --configured: also that a server is named"},
    {"config", cli_config, "config show: all options with their values, secrets masked"},
    {"version", cli_version, "print the version"},
};

static void help(FILE *to)
{
    fputs("usage: cartographus [--data DIR] [SUBCOMMAND] [--help]\n\n", to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs("\nexit status: 0 ok, 1 failed, 2 wrong usage\n\noptions, by environment or file:\n", to);
    auto_buf struct buf out = {0};
    config_help(&out);
    fputs(buf_text(&out), to);
}

int main(int argc, char **argv)
{
    struct cli c = {.version = CARTOGRAPHUS_VERSION};
    auto_free char *data = NULL;
    const char *overrides[] = {NULL, NULL};
    int i = 1;
    if (i + 1 < argc && streq(argv[i], "--data")) {
        data = xasprintf("DATA_DIR=%s", argv[i + 1]);
        setenv("DATA_DIR", argv[i + 1], 1);
        overrides[0] = data;
        c.origin.overrides = overrides;
        i += 2;
    }
    for (int k = i; k < argc; k++) {
        if (streq(argv[k], "--help") || streq(argv[k], "-h")) {
            help(stdout);
            return EXIT_OK;
        }
    }
    if (i >= argc)
        return cli_serve(&c, 0, argv + argc);
    for (size_t k = 0; k < ARRAY_LEN(commands); k++) {
        if (streq(argv[i], commands[k].name))
            return commands[k].run(&c, argc - i - 1, argv + i + 1);
    }
    fprintf(stderr, "cartographus: '%s' is no subcommand\n\n", argv[i]);
    help(stderr);
    return EXIT_USAGE;
}
