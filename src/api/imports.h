/*
 * What the API asks of whoever runs imports, one at a time. All functions: any thread but the
 * writer's.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "import/import.h"

struct api_import {
    const char *path;       /* the file, which is taken over or removed in any case */
    const char *name;       /* as its owner calls it */
    const char *server_key; /* NULL: as the file says */
    bool is_dry_run;
};

struct api_imports {
    void *ctx;
    /* Takes the file and lines the import up. CONFLICT: one is running; else as import_begin(). */
    enum status (*begin)(void *ctx, const struct api_import *i, struct import_report *ret,
                         struct error *err);
    /* How the one that runs, or a dry run of a while ago, stands; false: look in the store. */
    bool (*find)(void *ctx, int64_t id, struct import_report *ret);
    /* CONFLICT when it does not run. */
    enum status (*cancel)(void *ctx, int64_t id, struct error *err);
    enum status (*undo)(void *ctx, int64_t id, const char *who, struct error *err);
};
