/*
 * Inside of ingest: views, what servers tell of the time before they were watched. They come by the
 * thousands, so those of neighbouring records are written together. Writer's thread.
 */
#pragma once

#include "base/json_read.h"
#include "ingest/writer.h"

/* Records that wait to be written. Zero is empty. */
struct views {
    json_t **records;
    size_t count, room;
};

/* Takes the record's payload, which names a server. */
void views_add(struct views *v, json_t *record);
/* Writes those that are not known yet, in their order; none waits any more. */
enum status views_apply(struct views *v, struct writer *w, struct error *err);
void views_forget(struct views *v);
void views_done(struct views *v);
