/* The data folder and its lock: one process at a time, told apart from the dead by flock. */
#pragma once

#include "base/error.h"

/* Makes the folder (0700) if needed and checks that it can be written to. */
enum status data_folder_prepare(const char *path, struct error *err);
/* Takes DATA/lock for as long as *ret_fd is open. CONFLICT: "Database locked: process N (host H,
 * since T)". */
enum status data_lock(const char *path, int *ret_fd, struct error *err);
