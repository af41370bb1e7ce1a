/* Arguments of a subcommand: one description, from which parsing and --help derive. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

struct arg_option {
    const char *name;      /* "--format" */
    const char *value;     /* "FORMAT"; NULL: a switch */
    const char *help;
    const char **ret_text; /* of a value */
    bool *ret_is_on;       /* of a switch */
};

struct args {
    const char *usage;   /* "import PATH [options]" */
    const char *about;   /* what it does; may have several lines */
    const struct arg_option *options;
    size_t option_count;
    int least, most;     /* arguments that are no options */
    const char *statuses; /* NULL: "0 ok, 1 failed, 2 wrong usage" */
};

enum { ARGS_GO_ON = -1 };
/* Takes the options out of argv, --help and --data among them; what is left are the arguments.
 * ARGS_GO_ON, or the exit status after having said why. */
int args_read(struct cli *c, const struct args *a, int *argc, char **argv);
/* Takes --data or --config at argv[*at], which is left at its last piece; false: it is neither. */
bool args_common(struct cli *c, int argc, char **argv, int *at);
/* Whether the --format given is one of these; else says on stderr what is right, which `words` lists. */
bool args_is_format(const char *given, const char *const *formats, size_t count, const char *words);
/* "did you mean 'check'?" where one of the names is near, else "". */
void args_nearest(const char *given, const char *const *names, size_t count, char dst[static 80]);
