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
/* Deletes all plays of a server, by its key, and derives anew; *ret_count is how many they were. As
 * ingest_rederive(). */
enum status decide_server_deleted(struct ingest *i, const char *key, const char *who, int64_t *ret_count,
                                  struct error *err);
