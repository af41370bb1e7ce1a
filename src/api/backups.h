/* What the API asks of whoever makes backups, one at a time. All functions: any thread. */
#pragma once

#include <stdbool.h>

#include "backup/backup.h"
#include "backup/retention.h"
#include "base/error.h"

/* How the newest backup that this process has made, or makes, stands. */
struct api_backup_job {
    int64_t id; /* 1, 2, ...; 0: none yet */
    const char *state; /* "running", "done", "failed", "cancelled" */
    const char *step;  /* what it does, or did last */
    char name[BACKUP_NAME_MAX]; /* "" until it is done */
    int64_t started_us, ended_us; /* TIME_NONE: not yet */
    int64_t plays;     /* rows in it */
    struct error error; /* text "": none */
};

struct api_backups {
    void *ctx;
    const char *folder;
    struct retention retention;
    struct pack_form form; /* of those that are made */
    int64_t every_us;      /* 0: only when asked to */
    /* CONFLICT: one is running; else what is in its way. */
    enum status (*begin)(void *ctx, struct api_backup_job *ret, struct error *err);
    /* When the next one is due; TIME_NONE: by hand only. */
    int64_t (*find)(void *ctx, struct api_backup_job *ret);
    /* Ends the one that is being made. NOT_FOUND: none is. */
    enum status (*cancel)(void *ctx, struct error *err);
};
