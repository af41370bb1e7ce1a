/*
 * Subcommands that are a list of verbs, of which some decide something that can be taken back
 * (cartographus people, cartographus title).
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/control.h"

struct verb {
    const char *name;
    int least, most; /* arguments */
    enum status (*run)(struct control *ctl, int argc, char **argv, struct error *err);
};
/* Reads the arguments, opens the way to the server and runs the verb; the exit status. */
int verbs_run(struct cli *c, const struct args *args, const struct verb *verbs, size_t count, int argc,
              char **argv);

/* What decisions are about: the subcommand, and where they are told the API. */
struct verb_decisions {
    const char *subcommand, *target;
};
/* Sends it and says by what it can be taken back. */
enum status verbs_send(struct control *ctl, const struct verb_decisions *d, const char *method,
                       const char *target, json_t *body, struct error *err);
/* POST TARGET/VERB with {MEMBER: [ids], "reason"}; reason NULL: none. */
enum status verbs_send_ids(struct control *ctl, const struct verb_decisions *d, const char *verb,
                           const char *member, const char *reason, int argc, char **argv,
                           struct error *err);
enum status verbs_undo(struct control *ctl, const struct verb_decisions *d, const char *id,
                       struct error *err);

/* Appends to `rows` one for each that a paged list has, whose target ends where its text to find goes, up to
 * `most`; NULL text: all. ret_total: how many there are. */
enum status verbs_list(struct control *ctl, const char *target, const char *find, const char *name,
                       size_t most, json_t *(*row_of)(const json_t *one), json_t *rows,
                       long long *ret_total, struct error *err);
/* "a, b": of an array of texts. */
json_t *words(const json_t *list);
/* A row of a table: an object of names and values, whose references it takes. */
json_t *cells(const char *name, ...);
#define CELLS(...) cells(__VA_ARGS__, (const char *)NULL)
/* Another reference to a member. */
json_t *same(const json_t *of, const char *key);
