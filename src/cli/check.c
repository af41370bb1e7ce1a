#include "cli/cli.h"

#include <stdio.h>

#include "app/checks.h"
#include "app/folder.h"
#include "app/probes.h"
#include "app/servers.h"
#include "base/mem.h"
#include "cli/args.h"
#include "cli/check.h"

#include "base/banned.h"

static bool is_offline;

static const struct arg_option options[] = {
    {"--offline", NULL, "only the configuration: nobody is asked", NULL, &is_offline},
};
static const struct args args = {
    .usage = "check",
    .about = "Checks the configuration as serve would, then the data folder, then asks each media\n"
             "server, configured or added, for what watching needs, and says in words: fine, unreachable,\n"
             "tls (its certificate is not trusted), another server, unauthorized (it does not know the\n"
             "token), forbidden (it knows it, but it has no rights), failing. Then whom people log in at\n"
             "(OIDC_ISSUER_URL, plex.tv) and NATS_URL, where they are used: fine, or what is wrong. None\n"
             "of these keeps serve from starting, but NATS.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .statuses = "0 all is fine, 1 something is not (each fault is told), 2 wrong usage",
};

void check_say(const char *what, const char *verdict, const char *text)
{
    printf("%-16s %s%s%s\n", what, verdict, *text ? ": " : "", text);
}

static void say_result(void *ctx, const struct source_config *s, const struct probe_result *r)
{
    auto_free char *text = NULL;
    (void)ctx;
    if (r == NULL) {
        check_say(s->key, "not watched", s->off);
        return;
    }
    if (r->verdict == PROBE_FINE)
        text = xasprintf("%s %s at %s", *r->name ? r->name : server_kind_name(s->kind), r->version,
                         s->url);
    else
        text = xasprintf("%s: %s", s->url, r->text);
    check_say(s->key, probe_verdict_name(r->verdict), text);
}

static bool check_servers(const struct config *c)
{
    struct servers *servers = NULL;
    struct error err = {0};
    bool is_well = false;
    enum status s = servers_of_folder(c, true, &servers, &err);
    if (s == STATUS_OK) {
        auto_server_list struct server_list *l = servers_get(servers);
        servers_close(servers);
        s = probes_run(c, l, say_result, NULL, &is_well, &err);
    }
    if (s != STATUS_OK)
        check_say("media servers", "failing", err.text);
    return is_well;
}

static bool check_folder(const struct config *c)
{
    struct error err = {0};
    enum status s = data_folder_check(c->data_dir, &err);
    if (s == STATUS_OK)
        check_say("data folder", "fine", c->data_dir);
    else
        check_say("data folder", s == STATUS_NOT_FOUND ? "not there yet" : "failing", err.text);
    return s == STATUS_OK || s == STATUS_NOT_FOUND;
}

int cli_check(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    struct config config;
    auto_free char *faults = NULL;
    bool is_well = config_load(&c->origin, true, &config, &faults) == STATUS_OK;
    auto_buf struct buf more = {0};
    is_well = config_check_parts(&config, true, &more) && is_well;
    check_say("configuration", is_well ? "fine" : "at fault", config.files[0] ? config.files[0] : "");
    fputs(faults, stdout);
    fputs(buf_text(&more), stdout);
    if (!is_offline) {
        is_well = check_folder(&config) && is_well;
        is_well = check_servers(&config) && is_well;
        is_well = check_outside(&config) && is_well;
    }
    config_done(&config);
    return is_well ? EXIT_OK : EXIT_FAILED;
}
