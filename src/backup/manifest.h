/*
 * manifest.json, the first file of every backup: what is in it, of when and by whom. Reading it
 * takes nothing on trust: names from our own list only, numbers and sums in shape.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "store/snapshot.h"

#define MANIFEST_NAME "manifest.json"
/* The files a backup may hold beside it. */
#define BACKUP_STORE "cartographus.duckdb"
#define BACKUP_ACCOUNTS "cartographus.sqlite"
#define BACKUP_LOG "log.sqlite"
#define BACKUP_CLIENT_ID "client-id"
#define BACKUP_ALIVE "alive"

enum {
    MANIFEST_BYTES_MAX = 1024 * 1024,
    MANIFEST_FILES_MAX = 5,
    MANIFEST_VERSION_MAX = 64,
    SHA256_TEXT_MAX = 65,
};

struct manifest_file {
    const char *name; /* static */
    int64_t bytes;
    char sha256[SHA256_TEXT_MAX];
};

struct manifest {
    char version[MANIFEST_VERSION_MAX]; /* of the program */
    char engine[MANIFEST_VERSION_MAX];  /* of DuckDB, as in store_engine() */
    int64_t made_us;
    bool is_demo; /* invented data */
    struct store_summary store;
    size_t file_count;
    struct manifest_file files[MANIFEST_FILES_MAX];
};
void manifest_done(struct manifest *m);
#define auto_manifest __attribute__((cleanup(manifest_done)))

/* What no backup has in it, one line each. */
extern const char *const backup_left_out[];
extern const size_t backup_left_out_count;

/* A name that a backup may hold, as the static text; NULL: it may not. */
const char *manifest_known_file(struct str name);
const struct manifest_file *manifest_file(const struct manifest *m, const char *name);
int64_t manifest_bytes(const struct manifest *m); /* of all files */
int64_t manifest_rows(const struct manifest *m, const char *table); /* -1: there is none */

void manifest_write(const struct manifest *m, struct buf *out);
/* CONFLICT: made by a newer version. INVALID: no manifest of ours. The caller owns *ret. */
enum status manifest_read(struct str text, struct manifest *ret, struct error *err);
