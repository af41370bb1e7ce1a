/*
 * The jobs thread: what takes long and may wait. Today imports, one at a time; those that a stopped
 * or killed process left unfinished come first.
 */
#pragma once

#include "api/imports.h"
#include "base/error.h"
#include "base/str.h"
#include "config/config.h"
#include "ingest/derive.h"

struct ingest;
struct store;
struct jobs;

/* Everything is borrowed until jobs_free(). */
struct jobs_config {
    struct store *store;
    struct ingest *ingest;
    struct knobs knobs;
    const char *folder; /* DATA/imports */
    int64_t import_max_bytes;
    /* likely_server_key as in struct import_job; false: none. */
    bool (*likely_server)(void *ctx, char ret_key[static SERVER_KEY_MAX + 1]);
    void (*frame)(void *ctx, struct str text); /* jobs thread: for the browsers */
    void *ctx;
};

/* Makes the folder and sweeps it. Before jobs_start() and after jobs_stop() what is begun is
 * refused as UNAVAILABLE. */
enum status jobs_new(const struct jobs_config *c, struct jobs **ret, struct error *err);
enum status jobs_start(struct jobs *j, struct error *err);
/* What runs is put off to the next start. NULL is fine. */
void jobs_stop(struct jobs *j);
void jobs_free(struct jobs *j); /* NULL is fine */
/* For the API; lives as long as j. */
const struct api_imports *jobs_imports(struct jobs *j);
