#include "cli/args.h"

#include <stdio.h>

#include "base/mem.h"
#include "sql/child.h"
#include "sql/order.h"
#include "version.h"

#include "base/banned.h"

static const struct {
    const char *name;
    int (*run)(struct cli *c, int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", cli_serve, "serve page and API (what happens without a subcommand)"},
    {"init", cli_init, "write a first configuration with fresh secrets, unless there is one"},
    {"check", cli_check, "try the configuration and each media server, and say what is wrong"},
    {"server", cli_server, "list, try, add, change or remove media servers, without a restart"},
    {"import", cli_import, "take in another tool's history (Tautulli); list, undo"},
    {"people", cli_people, "list people, join and part them, and take that back"},
    {"title", cli_title, "list titles, join and part them, and take that back"},
    {"query", cli_query, "ask one of the catalogue's questions"},
    {"sql", cli_sql, "ask a question of your own in SQL, or list the tables there are"},
    {"export", cli_export, "take plays, or all that is stored, out as files for other programs"},
    {"search", cli_search, "find titles, shows, artists and people, typos forgiven"},
    {"backup", cli_backup, "make a backup now; list, verify, open, prune"},
    {"restore", cli_restore, "put a backup in the place of the data, while no server runs; undo"},
    {"rederive", cli_rederive, "make all plays anew from what was recorded"},
    {"user", cli_user, "who can log in, and whose plays they see"},
    {"token", cli_token, "API tokens for programs: add, list, remove"},
    {"audit", cli_audit, "who logged in, changed something or took data out"},
    {"support-bundle", cli_support_bundle, "what a report of a fault needs, without secrets and names"},
    {"config", cli_config, "show all options with their values, secrets masked"},
    {"version", cli_version, "print the version"},
};

static void help(void)
{
    fputs("usage: cartographus [--data DIR] [--config FILE] [SUBCOMMAND] [--help]\n\n", stdout);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-15s %s\n", commands[i].name, commands[i].help);
    fputs("\nA subcommand goes through the server that runs on the data folder, and works on the\n"
          "folder itself where none does. SUBCOMMAND --help tells more.\n"
          "\nexit status: 0 ok, 1 failed, 2 wrong usage\n\noptions, by environment or file:\n", stdout);
    auto_buf struct buf out = {0};
    config_help(&out);
    fputs(buf_text(&out), stdout);
}

void cli_set_data(struct cli *c, const char *folder)
{
    free(c->data);
    c->data = xasprintf("DATA_DIR=%s", folder);
    c->overrides[0] = c->data;
    c->origin.overrides = c->overrides;
}

static int run(struct cli *c, int argc, char **argv)
{
    int i = 1;
    while (i < argc && args_common(c, argc, argv, &i))
        i++;
    if (i >= argc)
        return cli_serve(c, 0, argv + argc);
    if (streq(argv[i], "--help") || streq(argv[i], "-h") || streq(argv[i], "help")) {
        help();
        return EXIT_OK;
    }
    if (streq(argv[i], "--version"))
        return cli_version(c, 0, argv + argc);
    const char *names[ARRAY_LEN(commands)];
    for (size_t k = 0; k < ARRAY_LEN(commands); k++) {
        names[k] = commands[k].name;
        if (streq(argv[i], names[k]))
            return commands[k].run(c, argc - i - 1, argv + i + 1);
    }
    char hint[80];
    args_nearest(argv[i], names, ARRAY_LEN(names), hint);
    fprintf(stderr, "cartographus: '%s' is no subcommand%s (--help lists them)\n", argv[i], hint);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && streq(argv[1], SQL_CHILD_WORD))
        return sql_child();
    struct cli c = {.version = CARTOGRAPHUS_VERSION};
    int status = run(&c, argc, argv);
    free(c.data);
    return status;
}
