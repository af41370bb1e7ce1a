/*
 * Inside of import: from chunks to rows of segment_in. Facts are resolved through dims once each;
 * rows are then only numbers.
 */
#pragma once

#include "import/import.h"
#include "import/readers.h"
#include "import/rows.h"

/* Store ids seen so far, one bit each. */
struct id_set {
    unsigned char *bits;
    size_t room, count;
};

/* What an import knows while it runs. Zero is empty. */
struct batch_state {
    int64_t import_id;
    int32_t server;
    const char *server_key;
    int32_t *ids[READERS_MOST][FACT_KINDS]; /* by local id */
    size_t room[READERS_MOST][FACT_KINDS];
    struct id_set people, titles; /* of a dry run */
    int64_t from_us, to_us;
};

void batch_state_done(struct batch_state *s);
/* Gives the chunk's facts their ids. `c` NULL: in memory only (a dry run). */
enum status batch_resolve(struct batch_state *s, struct store_conn *c, struct dims *d,
                          const struct import_chunk *chunk, struct error *err);
/* Appends the rows of the chunks; ids count on from *next_id. Writer thread, in a transaction. */
enum status batch_append(const struct batch_state *s, struct store_conn *c,
                         struct import_chunk *const *chunks, size_t count, int64_t *next_id,
                         struct error *err);
/* What a dry run counts instead. */
void batch_count(struct batch_state *s, const struct dims *d, const struct import_chunk *chunk);
