/*
 * Threads that read a foreign file ahead of the import, a chunk each, and hand the chunks on in the
 * order of the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "import/rows.h"
#include "import/tautulli.h"
#include "store/store.h"

enum { READERS_MOST = 4 };

struct readers;
struct readers_config {
    const char *path;
    struct store *store; /* where known rows are looked up */
    int32_t server;      /* whose rows are known; 0: nothing is */
    int64_t owner;       /* user id of the server's owner where the file does not say; -1 */
    int64_t after;       /* begin with the first row after this number */
    unsigned chunk_rows; /* 0: IMPORT_CHUNK_ROWS, which is the most */
    unsigned threads;    /* 1..READERS_MOST */
};

/* Texts in the config are borrowed until readers_stop(). */
enum status readers_start(const struct readers_config *c, struct readers **ret, struct error *err);
/* The next chunk, to be given back by readers_recycle(); NULL at the end, or when there is none
 * within timeout_us (*ret_is_end tells). The thread that started them. */
enum status readers_next(struct readers *r, int64_t timeout_us, struct import_chunk **ret,
                         bool *ret_is_end, struct error *err);
void readers_recycle(struct readers *r, struct import_chunk *c);
/* Ends what is being read, joins, frees. NULL is fine. */
void readers_stop(struct readers *r);
