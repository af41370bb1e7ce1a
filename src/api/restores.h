/*
 * What the API asks of whoever prepares a restore for the next start, one at a time:
 *
 *   none -> uploading -> verifying -> ready -> staged -> (the next start)
 *                        verifying -> locked (a passphrase is needed) -> verifying
 *                        verifying -> failed
 *
 * All functions: any thread.
 */
#pragma once

#include <stdbool.h>

#include "backup/restore.h"
#include "base/error.h"

struct api_restore_state {
    int64_t id; /* 1, 2, ...: of what is being looked at; 0: nothing yet */
    const char *state;
    const char *step; /* of verifying */
    int percent;      /* of its step; -1: not known */
    char file[RESTORE_FILE_MAX];
    bool has_facts;
    struct restore_facts facts;
    struct error error; /* of locked and failed; text "": none */
};

struct api_restores {
    void *ctx;
    const char *upload_folder;
    int64_t most_bytes; /* of an upload */
    /* Before its first byte: an upload of so many bytes (-1: not said) begins. CONFLICT: another one,
     * or something else, is under way. Each that was OK is followed by one release(). */
    enum status (*claim)(void *ctx, int64_t bytes, struct error *err);
    void (*release)(void *ctx);
    /* The file is there: it is taken over, also on failure, and looked at. */
    enum status (*begin_upload)(void *ctx, char *path, const char *name, struct error *err);
    enum status (*begin_kept)(void *ctx, const char *backup, struct error *err);
    /* CONFLICT: none waits for one. */
    enum status (*unlock)(void *ctx, const char *passphrase, struct error *err);
    /* Stages number `id`, which must be ready. */
    enum status (*confirm)(void *ctx, int64_t id, const char *who, struct error *err);
    /* Ends whatever is under way, staged included. NOT_FOUND: nothing is. */
    enum status (*drop)(void *ctx, struct error *err);
    void (*find)(void *ctx, struct api_restore_state *ret);
    /* From what the data that is there was restored; the caller owns *ret. */
    bool (*last)(void *ctx, struct restored *ret);
    void (*forget_last)(void *ctx);
};
