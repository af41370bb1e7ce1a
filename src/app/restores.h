/*
 * Prepares restores for the next start: takes an upload or a backup that is kept, has it unpacked and
 * verified by a thread of its own, and stages it when that is confirmed. What is not staged goes when
 * the program ends.
 */
#pragma once

#include "api/restores.h"

struct restores;

/* Everything is borrowed until restores_stop(). */
struct restores_config {
    const char *data_dir;
    const char *backup_folder;
    const char *passphrase; /* tried first; "": none */
    bool is_demo;
    int64_t most_bytes; /* of an upload */
};

enum status restores_start(const struct restores_config *c, struct restores **ret,
                           struct error *err);
/* What is being verified is cut short. NULL is fine. */
void restores_stop(struct restores *r);
/* For the API; lives as long as r. */
const struct api_restores *restores_api(struct restores *r);
