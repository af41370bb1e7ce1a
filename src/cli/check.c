#include "cli/cli.h"

#include <stdio.h>

#include "app/checks.h"
#include "app/client_id.h"
#include "app/folder.h"
#include "app/servers.h"
#include "base/mem.h"
#include "cli/args.h"
#include "sources/probe.h"

#include "base/banned.h"

static bool is_offline;

static const struct arg_option options[] = {
    {"--offline", NULL, "only the configuration: no server is asked", NULL, &is_offline},
};
static const struct args args = {
    .usage = "check",
    .about = "Checks the configuration as serve would, then the data folder, then asks each media\n"
             "server, configured or added, for what watching needs, and says in words: fine, unreachable,\n"
             "tls (its certificate is not trusted), another server, unauthorized (it does not know the\n"
             "token), forbidden (it knows it, but it has no rights), failing.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .statuses = "0 all is fine, 1 something is not (each fault is told), 2 wrong usage",
};

static void say(const char *what, const char *verdict, const char *text)
{
    printf("%-16s %s%s%s\n", what, verdict, *text ? ": " : "", text);
}

struct checking {
    struct loop *loop;
    struct probe_result *results;
    unsigned waiting;
};

struct check_one {
    struct checking *all;
    unsigned number;
};

static void probed(void *ctx, const struct probe_result *r)
{
    struct check_one *one = ctx;
    one->all->results[one->number] = *r;
    if (--one->all->waiting == 0)
        loop_stop(one->all->loop);
}

static void say_result(const struct source_config *s, const struct probe_result *r)
{
    auto_free char *text = NULL;
    if (r->verdict == PROBE_FINE)
        text = xasprintf("%s %s at %s", *r->name ? r->name : server_kind_name(s->kind), r->version,
                         s->url);
    else
        text = xasprintf("%s: %s", s->url, r->text);
    say(s->key, probe_verdict_name(r->verdict), text);
}

/* All at once, but for those that are switched off or lack their token; true if each is fine. */
static bool check_servers(const struct config *c)
{
    struct servers *servers = NULL;
    struct error err = {0};
    if (servers_of_folder(c, true, &servers, &err) != STATUS_OK) {
        say("media servers", "failing", err.text);
        return false;
    }
    char client_id[CLIENT_ID_MAX];
    if (client_id_read(c->data_dir, client_id, NULL) != STATUS_OK)
        snprintf(client_id, sizeof client_id, "cartographus-check"); /* it makes nothing */
    auto_server_list struct server_list *l = servers_get(servers);
    servers_close(servers);
    auto_free struct source_config *sources = sources_of(c, l, client_id, NULL, NULL);
    auto_free struct check_one *ones = xcalloc(l->count + 1, sizeof *ones);
    auto_free struct probe_result *results = xcalloc(l->count + 1, sizeof *results);
    struct checking all = {.results = results};
    if (loop_new(&all.loop, &err) != STATUS_OK) {
        say("media servers", "failing", err.text);
        return false;
    }
    for (unsigned i = 0; i < l->count; i++) {
        ones[i] = (struct check_one){&all, i};
        all.waiting += !sources[i].off;
    }
    for (unsigned i = 0; i < l->count; i++)
        if (!sources[i].off)
            probe_start(all.loop, &sources[i], probed, &ones[i]);
    if (all.waiting > 0)
        loop_run(all.loop);
    loop_free(all.loop);
    bool is_well = true;
    for (unsigned i = 0; i < l->count; i++) {
        if (sources[i].off) {
            say(sources[i].key, "not watched", sources[i].off);
            is_well = is_well && !l->entries[i].is_enabled;
            continue;
        }
        say_result(&sources[i], &results[i]);
        is_well = is_well && results[i].verdict == PROBE_FINE;
    }
    return is_well;
}

static bool check_folder(const struct config *c)
{
    struct error err = {0};
    enum status s = data_folder_check(c->data_dir, &err);
    if (s == STATUS_OK)
        say("data folder", "fine", c->data_dir);
    else
        say("data folder", s == STATUS_NOT_FOUND ? "not there yet" : "failing", err.text);
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
    say("configuration", is_well ? "fine" : "at fault", config.files[0] ? config.files[0] : "");
    fputs(faults, stdout);
    fputs(buf_text(&more), stdout);
    if (!is_offline) {
        is_well = check_folder(&config) && is_well;
        is_well = check_servers(&config) && is_well;
    }
    config_done(&config);
    return is_well ? EXIT_OK : EXIT_FAILED;
}
