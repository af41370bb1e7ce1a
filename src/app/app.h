/*
 * The program's parts: an ordered start, a stop in reverse. Whole, to serve; or offline, for one
 * command line: without TCP port and media servers, reached by the control socket all the same.
 */
#pragma once

#include "auth/oidc.h"
#include "base/error.h"
#include "config/config.h"
#include "log/log.h"

/* The control socket, in the data folder. */
#define APP_SOCKET "control.sock"

enum app_mode { APP_SERVE, APP_OFFLINE };

struct app;
/* Takes the data folder and starts the parts. `c` and `version` are borrowed until app_stop().
 * CONFLICT: another process holds the folder. Main thread. */
enum status app_start(const struct config *c, const char *version, enum app_mode mode,
                      struct app **ret, struct error *err);
void app_stop(struct app *a); /* NULL is fine */

/* The parts of a configuration that are of these two; borrowed from it. */
struct oidc_config app_oidc(const struct config *c);
struct log_nats app_nats(const struct config *c);
/* Where backups go; the caller frees. */
char *app_backup_folder(const struct config *c);

/* Serves until SIGINT or SIGTERM. Main thread; logs its own progress. */
enum status app_serve(const struct config *c, const char *version, struct error *err);
