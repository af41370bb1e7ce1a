/*
 * The way from a subcommand to the data: over the control socket of the server that holds the data
 * folder; where none does, the program's own parts are started on it for as long as it takes and
 * asked in the same way. One protocol, the HTTP API.
 */
#pragma once

#include <jansson.h>

#include "app/app.h"
#include "cli/cli.h"
#include "net/unix_client.h"

struct control {
    struct config config;
    char *socket_path;
    struct app *own; /* NULL: a server runs */
};

/* False after having said why. */
bool control_open(struct cli *c, struct control *ret);
void control_close(struct control *ctl);

/* One request; an answer other than 2xx is an error with what it says. The caller owns *ret_answer
 * (NULL when the answer has no body). */
enum status control_ask(struct control *ctl, const char *method, const char *target,
                        json_t **ret_answer, struct error *err);
/* The same with a body, borrowed. */
enum status control_send(struct control *ctl, const char *method, const char *target, json_t *body,
                         json_t **ret_answer, struct error *err);
/* The same with all of struct unix_request, whose socket is filled in. */
enum status control_fetch(struct control *ctl, struct unix_request *r, struct buf *ret_body,
                          struct error *err);
/* The same, but the answer goes to standard output, and ends with a line. */
enum status control_print(struct control *ctl, struct unix_request *r, struct error *err);
/* Says what went wrong; for the end of a subcommand. */
int control_failed(const struct error *err);
