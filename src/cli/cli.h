/*
 * The command line. Each subcommand is one file and one row in main.c; what it may be given stands
 * in its struct args (args.h), from which its --help derives. Exit status: 0 ok, 1 failed, 2 wrong
 * usage.
 */
#pragma once

#include "config/config.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct cli {
    const char *version;
    struct config_origin origin;
    const char *overrides[2]; /* what --data says, for origin */
    char *data;
};

/* Each gets the arguments after its own name and returns the exit status. */
int cli_server(struct cli *c, int argc, char **argv);
int cli_serve(struct cli *c, int argc, char **argv);
int cli_init(struct cli *c, int argc, char **argv);
int cli_check(struct cli *c, int argc, char **argv);
int cli_config(struct cli *c, int argc, char **argv);
int cli_import(struct cli *c, int argc, char **argv);
int cli_backup(struct cli *c, int argc, char **argv);
int cli_restore(struct cli *c, int argc, char **argv);
int cli_people(struct cli *c, int argc, char **argv);
int cli_title(struct cli *c, int argc, char **argv);
int cli_query(struct cli *c, int argc, char **argv);
int cli_sql(struct cli *c, int argc, char **argv);
int cli_export(struct cli *c, int argc, char **argv);
int cli_search(struct cli *c, int argc, char **argv);
int cli_rederive(struct cli *c, int argc, char **argv);
int cli_user(struct cli *c, int argc, char **argv);
int cli_token(struct cli *c, int argc, char **argv);
int cli_audit(struct cli *c, int argc, char **argv);
int cli_support_bundle(struct cli *c, int argc, char **argv);
int cli_version(struct cli *c, int argc, char **argv);

/* From now on DATA_DIR is `folder`. */
void cli_set_data(struct cli *c, const char *folder);
