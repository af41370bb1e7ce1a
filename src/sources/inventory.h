/*
 * What a server's libraries hold: read page by page after the rest of a backfill, in the same place
 * of the queue, so that there is one request of it at a time. A library is read whole the first time,
 * once a day, and when the server counts other items than are known; else only what it calls newer
 * than what was read before. Collector's thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/observation.h"

/* Libraries and items of a server; what is beyond is left out, and said. */
enum { LIBRARIES_MAX = 256, LIBRARY_ITEMS_MAX = 500000 };

/* Of one file; more is taken for nonsense. */
#define ITEM_BYTES_MAX (INT64_C(1) << 50)

struct library {
    char key[72];
    unsigned type; /* the vendor's own, for its paths */
    /* What is known since it was last read; total -1: it was not. Newest by the server's clock. */
    int64_t total, newest_us;
    int64_t whole_us; /* when it was last read whole, by ours; 0: never */
};

/* A title in a library, as a vendor reads it from a row. Times by the server's clock. */
struct item {
    struct observation what; /* item and stream members */
    int64_t added_us;        /* TIME_NONE: not told */
    int64_t changed_us;      /* what the server sorts by; TIME_NONE: not told */
    int64_t size_bytes;      /* of all its files; -1: not told */
};

struct inventory {
    struct library *all; /* as the server listed them last */
    size_t count, room;
    struct library *listed; /* by the backfill that runs */
    size_t listed_count, listed_room;
    bool has_left_out; /* more than LIBRARIES_MAX */

    /* The pass that runs: its stamp, the library it is at, what was read of it. */
    int64_t pass_us;
    size_t at, wholes;
    bool is_whole;
    unsigned page;
    int64_t rows, first_total, newest_us, fresh;
};

struct source;
void inventory_done(struct inventory *v);
/* A backfill begins to list the server's libraries; one of them. */
void inventory_list(struct inventory *v);
void inventory_add(struct inventory *v, const char *key, unsigned type);

/* Begins with the libraries listed. Then the next path, false when done; its answer. */
void inventory_begin(struct source *s);
bool inventory_next(struct source *s, struct buf *path);
enum status inventory_take(struct source *s, const json_t *root, struct error *err);
/* What is left out because of a limit; NULL: nothing. */
const char *inventory_gap(const struct inventory *v);
/* Items that the server counts; -1: not known. */
int64_t inventory_total(const struct inventory *v);
/* What is known, as a member "inventory" of an object that is being written, and back; NULL: nothing. */
void inventory_write(const struct inventory *v, struct json_writer *w);
void inventory_read(struct inventory *v, const json_t *root);
