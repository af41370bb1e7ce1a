/*
 * A backup back into a data folder. It is unpacked and verified beside; what was there is put aside
 * into DATA/before-restore-YYYYMMDD-HHMMSS, from where restore_undo() takes it back. From the moment
 * at which anything is moved a kill leaves what restore_finish(), called at every start, brings to
 * its end: never half the one and half the other.
 *
 * Either at once, where nobody holds the folder, or staged by the program that runs, for its next
 * start: restore_prepare(), restore_stage(), and then restore_begin_staged().
 *
 * All functions: the caller holds the data folder's lock, or is the program that does.
 */
#pragma once

#include "backup/manifest.h"
#include "backup/pack.h"

enum { RESTORE_FILE_MAX = 128, RESTORE_NAME_MAX = 96, RESTORE_STAMP_MAX = 16 };

/* What a backup that is to be restored, or was, holds; beside its data in DATA/restored.json. */
struct restore_facts {
    char file[RESTORE_FILE_MAX]; /* its name */
    int64_t file_bytes, bytes;   /* packed and not */
    bool is_encrypted;
    int64_t made_us;
    char version[MANIFEST_VERSION_MAX];
    int64_t schema;
    int64_t plays, people, titles;
    int64_t first_us, last_us; /* when plays began; TIME_NONE: there are none */
    int64_t decided_us;        /* when it was restored or staged */
    char by[RESTORE_NAME_MAX]; /* who did */
    char stamp[RESTORE_STAMP_MAX]; /* of the folder in which the former data is put aside */
};

struct restored {
    struct restore_facts facts; /* of a backup; empty after an undo */
    char *aside; /* where what was there is now; NULL: there was nothing */
};
void restored_done(struct restored *r);

/* The caller owns *ret. CONFLICT: made by a newer version, or invented data for a real folder or the
 * other way round. On failure all is as it was. What is staged is given up for it. */
enum status restore_file(const struct pack_source *from, const char *data_dir, bool is_demo_folder,
                         struct restored *ret, struct error *err);
/* Changes what is there for what the last restore has put aside. NOT_FOUND: nothing is. */
enum status restore_undo(const char *data_dir, struct restored *ret, struct error *err);
/* Ends a restore that a kill has cut short, and removes what one that had not begun has left. */
enum status restore_finish(const char *data_dir, struct error *err);

/* --- staged ------------------------------------------------------------------------------------ */

/* Unpacks into a new work folder (files.h) of DATA and verifies it, as restore_file() does; nothing
 * else is touched. The caller owns *ret_work, and removes the folder unless it is staged. */
enum status restore_prepare(const struct pack_source *from, const char *data_dir,
                            bool is_demo_folder, char **ret_work, struct restore_facts *ret,
                            struct error *err);
/* From now on the next start restores it; the work folder has moved. CONFLICT: one is staged. */
enum status restore_stage(const char *data_dir, const char *work, const char *by,
                          struct restore_facts *facts, struct error *err);
/* Is one staged? Then *ret says which. */
bool restore_staged(const char *data_dir, struct restore_facts *ret);
/* Gives it up. NOT_FOUND: none is staged. */
enum status restore_unstage(const char *data_dir, struct error *err);
/* At a start, before anything is opened: does what is staged. */
enum status restore_begin_staged(const char *data_dir, struct error *err);

/* --- afterwards -------------------------------------------------------------------------------- */

/* Was what is there restored? Then *ret, which the caller owns, says from what. */
bool restore_last(const char *data_dir, struct restored *ret);
/* It has been taken note of. */
void restore_forget(const char *data_dir);
