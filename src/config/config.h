/*
 * Configuration: environment over YAML file over defaults, one table (options.def). Loaded once at
 * start and never changed after it, so any thread may read it.
 *
 * More servers than one of a kind come as a list: YAML `plex_servers:` (url, token, name), or
 * PLEX_SERVERS in the environment, a JSON array of such objects; so for each kind.
 * A secret may be in a file named by X_FILE, and every *_API_KEY goes by *_TOKEN as well.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_write.h"
#include "base/str.h"
#include "model/observation.h"

enum { CONFIG_FILES_MAX = 3, SERVERS_MAX = 64, SERVER_KEY_MAX = 40 };

/* One media server to watch, configured or stored (servers/servers.h). */
struct server_config {
    enum server_kind kind;
    char *key; /* its id, else "plex-1": by kind and order */
    char *name; /* NULL: as it calls itself */
    char *url; /* scheme://host[:port][/prefix], no trailing slash */
    char *token;
    bool is_realtime;
    bool is_polling;
    int64_t polling_interval_us;
    bool is_tls_unverified;
};

struct config {
#define TEXT char *
#define LIST char *
#define BOOL bool
#define INT int64_t
#define SIZE int64_t
#define DURATION int64_t
#define DOUBLE double
#define OPTION(member, env, yaml, type, fallback, least, most, is_secret, help) type member;
#include "config/options.def"
#undef OPTION
#undef TEXT
#undef LIST
#undef BOOL
#undef INT
#undef SIZE
#undef DURATION
#undef DOUBLE
    struct server_config *servers;
    unsigned server_count;
    char *files[CONFIG_FILES_MAX]; /* YAML files that were read, what is said first counts; then NULL */
};

/* A DOUBLE that was not given is NAN. */

/* Where options come from; NULL members mean the real ones. For `overrides`: "NAME=value" texts
 * of the command line, NULL-terminated, over the environment. */
struct config_origin {
    const char *const *environment;
    const char *file; /* --config; NULL: CONFIG_PATH, else ./config.yaml, ... */
    const char *const *overrides;
};

/* Reads and checks everything. Every fault is told at once: one line each in *ret_faults (naming
 * the option, what was found, what is right), which the caller frees; STATUS_INVALID then.
 * With `is_serving`, what `serve` needs beyond that (secrets, administrator) is checked too; whether
 * there is a server to watch app/checks.c finds out, which knows the stored ones. Secrets are
 * registered with the logger. */
enum status config_load(const struct config_origin *origin, bool is_serving, struct config *ret,
                        char **ret_faults);
void config_done(struct config *c);
/* What the options of each kind say of every server of it: live updates, polling. No texts. */
void config_usual_servers(const struct config *c, struct server_config ret[SERVER_KINDS]);
/* Whether AUTH_MODE has it. */
bool config_has_auth_mode(const struct config *c, const char *mode);
/* All options with their values; secrets as "***". Lines "NAME=value". */
void config_show(const struct config *c, struct buf *out);
/* The same for strangers: numbers and switches, and of texts only whether there is one. */
void config_describe(const struct config *c, struct buf *out);
/* Help text: every option with default and meaning. */
void config_help(struct buf *out);
/* The Markdown page of options (docs/wiki/Configuration.md, and the sample file's rows). */
void config_docs(struct buf *out);
/* A file of NAME=value: every option with its default, commented out. */
void config_sample(struct buf *out);
