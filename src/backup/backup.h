/*
 * Backups: one archive each, cartographus-YYYYMMDD-HHMMSS.tar.gz (UTC; .tar.zst, .tar.gz.enc and
 * .tar.zst.enc too), with a snapshot of the store and what goes with it. Written under another name,
 * verified by unpacking and opening it, and only then given its own: what has such a name is whole.
 *
 * One backup at a time in a folder. Every step is logged by module "backup".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backup/pack.h"
#include "base/error.h"

struct log;
struct store_conn;

enum { BACKUP_NAME_MAX = 48 };

/* Everything is borrowed. */
struct backup_config {
    const char *data_dir;
    const char *folder; /* BACKUP_DIR */
    struct store_conn *conn; /* the caller's own */
    struct log *log;
    const char *version;
    bool is_demo;
    struct pack_form form;
    /* Asked before each step, which is told; false stops. */
    bool (*go_on)(void *ctx, const char *step);
    void *ctx;
};

/* Says what would be in the way, and makes nothing but the folder: rights, room. */
enum status backup_check(const struct backup_config *c, struct error *err);
/* The thread of c->conn. The caller owns *ret_manifest. CANCELLED when go_on() said so. */
enum status backup_make(const struct backup_config *c, char ret_name[static BACKUP_NAME_MAX],
                        struct manifest *ret_manifest, struct error *err);
/* Removes what killed processes left in the folder. */
void backup_sweep(const char *folder);

/* Unpacks the file into a new folder in `scratch`, holds what is there against the manifest
 * and opens it as a start would. Any thread. The caller owns *ret. */
enum status backup_verify(const struct pack_source *from, const char *scratch, struct manifest *ret,
                          struct error *err);
/* The same of a folder into which pack_unpack() has unpacked; it is opened read-only. */
enum status backup_compare(const char *folder, const struct manifest *m, struct error *err);

/* --- those that are there ---------------------------------------------------------------------- */

struct backup_entry {
    char name[BACKUP_NAME_MAX];
    int64_t made_us;
    int64_t bytes;
};
/* Newest first; none where there is no folder. free() *ret. */
enum status backup_list(const char *folder, struct backup_entry **ret, size_t *ret_count,
                        struct error *err);
/* Is it a backup's name? Then *ret_made_us is set (may be NULL). */
bool backup_is_name(const char *name, int64_t *ret_made_us);
/* The path of what a person calls a file: a path, or the name of one in the folder. The caller frees. */
char *backup_find(const char *folder, const char *given);
/* Has it half the size of the former, `before`, or less? */
bool backup_is_shrunk(const struct backup_entry *b, const struct backup_entry *before);
enum status backup_remove(const char *folder, const char *name, struct error *err);
