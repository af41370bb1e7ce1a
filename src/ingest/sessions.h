/*
 * Inside of ingest: live sessions, from observations to rows of session_in and observation. A
 * session that has begun and not ended is in memory, with the one row that may still change; mere
 * progress is folded into it. Writer's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ingest/writer.h"
#include "model/observation.h"

struct sessions;
struct sessions *sessions_new(struct writer *w); /* borrowed */
void sessions_free(struct sessions *all);
/* Makes what is in memory again from the store: at the start and after a ROLLBACK. */
enum status sessions_load(struct sessions *all, struct error *err);

enum status sessions_apply(struct sessions *all, const struct log_record *r, struct error *err);
/* Writes what has changed, at the end of the batch. */
enum status sessions_save(struct sessions *all, struct error *err);
/* The batch is committed: forgets what has ended. */
void sessions_saved(struct sessions *all);

/* Whether the record only moves on what a known session does. */
bool sessions_is_progress(const struct sessions *all, const struct log_record *r);
/* The last observation of every open session. Texts live in the arena. */
struct observation *sessions_list(const struct sessions *all, struct arena *a, size_t *ret_count);
