/*
 * What a reader of a foreign file hands to the import: rows with numbers of their own for the facts
 * they point at ("local ids"), and each fact once, when it is first met. Plain data; a chunk
 * belongs to one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "model/observation.h"

enum { IMPORT_CHUNK_ROWS = 40960 }; /* a third of one of DuckDB's row groups */

enum import_fact_kind {
    FACT_ACCOUNT,
    FACT_TITLE,
    FACT_LIBRARY,
    FACT_DEVICE,
    FACT_QUALITY,
    FACT_ADDRESS,
    FACT_KINDS
};

/* A fact that a row of the chunk is the first to point at. Of `o` only the members of its kind
 * count; texts live in the chunk. */
struct import_fact {
    enum import_fact_kind kind;
    uint32_t local; /* 1, 2, ... per kind and reader */
    struct observation o;
};

/* Numbers: -1 is unknown; local ids: 0 is none. */
struct import_row {
    int64_t source_row, source_group;
    int64_t same_as; /* id of this very row in an import that was undone; 0: none */
    int64_t started_us, ended_us, watch_ms, paused_ms, position_ms, duration_ms, credits_ms;
    int32_t bandwidth_kbps, bitrate_kbps, stream_bitrate_kbps;
    uint32_t local[FACT_KINDS];
    const char *location; /* static */
    int8_t secure, relayed;
    bool is_live;
};

/* X(name, is it left out, text): why a row is left out, or in what it was taken in changed. */
#define IMPORT_REASONS(X)                                                                         \
    X(KNOWN, true, "is there already")                                                            \
    X(NO_START, true, "its start is no possible time")                                            \
    X(NO_TYPE, true, "its media type is not known")                                               \
    X(NO_END, false, "it has no end; it counts as a play without watch time")                     \
    X(TOO_LONG, false, "it lasts much longer than its title; the time was cut")                   \
    X(NO_TITLE, false, "it says nothing about its title")

enum import_why {
#define X(name, is_skip, text) WHY_##name,
    IMPORT_REASONS(X)
#undef X
    WHY_COUNT
};

enum { WHY_SAMPLE_MAX = 160 };
struct import_why_count {
    int64_t count;
    char sample[WHY_SAMPLE_MAX];
};

/* A row that is in the store already. */
struct known_row {
    int64_t source_row, started_us, id;
    bool is_undone; /* of an import that was undone: comes back as it was */
};

struct import_chunk {
    unsigned reader;       /* whose local ids these are */
    int64_t after, last;   /* source rows in ]after, last] */
    struct import_row *rows; /* IMPORT_CHUNK_ROWS at most */
    size_t row_count;
    int64_t rows_read;
    struct import_fact *facts;
    size_t fact_count, fact_room;
    struct import_why_count why[WHY_COUNT];
    struct known_row *known; /* by source_row */
    size_t known_count, known_room;
    struct arena arena;
};

struct import_chunk *chunk_new(void);
void chunk_free(struct import_chunk *c); /* NULL is fine */
/* Empties it; the memory stays. */
void chunk_clear(struct import_chunk *c);
/* A new fact, with o as observation_init() leaves it. */
struct import_fact *chunk_fact(struct import_chunk *c, enum import_fact_kind kind, uint32_t local);
/* The row of this number and start that is known, or NULL; one that counts before one undone. */
const struct known_row *chunk_known(const struct import_chunk *c, int64_t source_row,
                                    int64_t started_us);
/* Counts; the first one's sample is kept: "row 17: text". */
void chunk_note(struct import_chunk *c, enum import_why why, int64_t source_row, struct str text);
