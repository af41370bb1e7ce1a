/*
 * What people decide about plays. A decision is an input like what was observed: it is kept for
 * good, with who made it and when, and plays follow from it, so that what is deleted stays so
 * through re-derivation and re-import.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/ingest.h"

/* Deletes a play, or restores it; `who` is the login. It is hidden, not gone. All inputs that the
 * play is made of are decided on, so that none of them comes back when it is derived otherwise.
 * NOT_FOUND; without effect, and OK, where it is so already. Any thread but the writer's. */
enum status decide_deleted(struct ingest *i, int64_t play_id, bool is_deleted, const char *who,
                           struct error *err);
