/*
 * Inside of ingest: what servers' libraries hold (table item). Items come by the thousands, so those of
 * neighbouring records are written together. Writer's thread.
 */
#pragma once

#include "base/json_read.h"
#include "ingest/writer.h"

/* Records that wait to be written. Zero is empty. */
struct items {
    json_t **records;
    size_t count, room;
};

/* Takes the record's payload, which names a server. */
void items_add(struct items *v, json_t *record);
/* Writes them, in their order; none waits any more. */
enum status items_apply(struct items *v, struct writer *w, struct error *err);
/* A pass over a library, or over the server, has ended: what it did not find is not there any more. */
enum status items_end(struct writer *w, const struct log_record *r, const json_t *record,
                      struct error *err);
void items_forget(struct items *v);
void items_done(struct items *v);
