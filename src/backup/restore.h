/*
 * A backup back into a data folder that nobody holds. It is unpacked and verified beside; what was
 * there is put aside into DATA/before-restore-YYYYMMDD-HHMMSS, from where restore_undo() takes it
 * back. From the moment at which anything is moved a kill leaves what restore_finish(), called at
 * every start, brings to its end: never half the one and half the other.
 *
 * All functions: the caller holds the data folder's lock.
 */
#pragma once

#include "backup/manifest.h"

struct restored {
    char *aside; /* where what was there is now; NULL: there was nothing */
};
void restored_done(struct restored *r);

/* The caller owns *ret_manifest and *ret. CONFLICT: made by a newer version, or invented data for a
 * real folder or the other way round. On failure all is as it was. */
enum status restore_file(const char *file, const char *data_dir, bool is_demo_folder,
                         struct manifest *ret_manifest, struct restored *ret, struct error *err);
/* Changes what is there for what the last restore has put aside. NOT_FOUND: nothing is. */
enum status restore_undo(const char *data_dir, struct restored *ret, struct error *err);
/* Ends a restore that a kill has cut short, and removes what one that had not begun has left. */
enum status restore_finish(const char *data_dir, struct error *err);
