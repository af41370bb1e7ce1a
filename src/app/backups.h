/*
 * The backups thread: makes one when asked to or when it is due, one at a time, with a reading
 * connection of its own.
 */
#pragma once

#include "api/backups.h"

struct ingest;
struct log;
struct store;
struct backups;

/* Everything is borrowed until backups_stop(). */
struct backups_config {
    struct store *store;
    struct ingest *ingest;
    struct log *log;
    const char *data_dir;
    const char *folder;
    const char *version;
    bool is_demo;
    struct pack_form form;
    int64_t every_us; /* 0: only when asked to */
    struct retention retention; /* applied after those that were due */
    /* The backups thread: one that was due is made, or is not. */
    void (*was_due)(void *ctx, const char *name, bool is_well);
    void *ctx;
};

enum status backups_start(const struct backups_config *c, struct backups **ret, struct error *err);
/* What runs is cut short; it leaves nothing. NULL is fine. */
void backups_stop(struct backups *b);
/* For the API; lives as long as b. */
const struct api_backups *backups_api(struct backups *b);
