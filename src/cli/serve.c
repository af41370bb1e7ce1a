#include "cli/args.h"

#include <stdio.h>

#include "app/app.h"
#include "app/checks.h"
#include "app/demo.h"
#include "base/logger.h"
#include "base/mem.h"

#include "base/banned.h"

static const struct args args = {
    .usage = "serve",
    .about = "Serves page and API until it is stopped by SIGINT or SIGTERM. What it needs is set by\n"
             "environment or file: cartographus --help lists the options.",
    .statuses = "0 stopped as asked, 1 could not start (each fault is told), 2 wrong usage",
};

int cli_serve(struct cli *c, int argc, char **argv)
{
    int status = args_read(c, &args, &argc, argv);
    if (status != ARGS_GO_ON)
        return status;
    struct config config;
    auto_free char *faults = NULL;
    auto_buf struct buf more = {0};
    bool is_well = config_load(&c->origin, true, &config, &faults) == STATUS_OK;
    is_well = config_check_parts(&config, true, &more) && is_well;
    if (!is_well) {
        fputs(faults, stderr);
        fputs(buf_text(&more), stderr);
        config_done(&config);
        return EXIT_FAILED;
    }
    struct error err = {0};
    logger_setup(LOG_INFO, streq(config.log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
    enum status s = logger_set_levels(config.log_level, &err);
    struct demo demo = {.child = -1};
    if (s == STATUS_OK && config.is_demo)
        s = demo_start(&config, &demo, &err);
    else if (s == STATUS_OK && demo_is_folder(config.data_dir))
        s = fail(&err, STATUS_CONFLICT, "DATA_DIR: '%s' holds the demo's invented data; take another "
                 "folder, or set DEMO=true with the folder above it", config.data_dir);
    if (s == STATUS_OK)
        s = app_serve(&config, c->version, &err);
    demo_stop(&demo);
    if (s != STATUS_OK)
        fprintf(stderr, "cartographus: %s\n", err.text);
    config_done(&config);
    return s == STATUS_OK ? EXIT_OK : EXIT_FAILED;
}
