/*
 * Inside of ingest: what servers tell of themselves: when they were watched, their accounts and
 * libraries, who they are, how far their past has been read. Writer's thread, in a transaction.
 */
#pragma once

#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/writer.h"

/* Each takes the record's payload, which names a server. */
enum status apply_coverage(struct writer *w, const struct log_record *r, const json_t *j,
                           struct error *err);
enum status apply_accounts(struct writer *w, const json_t *j, struct error *err);
enum status apply_libraries(struct writer *w, const json_t *j, struct error *err);
enum status apply_server(struct writer *w, const json_t *j, struct error *err);
enum status apply_position(struct writer *w, const struct log_record *r, const json_t *j,
                           struct error *err);
/* The newest position of that server, in the arena; NULL: none. */
enum status read_position(struct store_conn *c, const char *server, struct arena *a,
                          const char **ret, struct error *err);
