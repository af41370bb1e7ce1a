/* The data folder's lock: one process at a time, told apart from the dead by flock. */
#pragma once

#include "base/error.h"

/* Takes DATA/lock for as long as *ret_fd is open. CONFLICT: "Database locked: process N (host H,
 * since T)". */
enum status data_lock(const char *path, int *ret_fd, struct error *err);
