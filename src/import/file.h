/*
 * A foreign file on its way in: recognised by its first bytes, copied or unpacked into a private
 * folder. Nothing it says about itself is believed. Any thread.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* How often its own size a zip may unpack to: databases come to 5 or 10 times, bombs to 1000. */
enum { FILE_RATIO_MAX = 200 };

/* Puts the SQLite database that `path` is, or that the backup zip `path` holds (its member
 * tautulli.db or plexpy.db, nothing else of it), into a new file `to` with mode 0600. `is_given`:
 * the file is ours to take, so a database is renamed rather than copied, and what is not taken is
 * removed. INVALID: no known format, an unusable zip; TOO_LARGE: more than max_bytes, or a zip that
 * unpacks to too many times its size. On failure there is no `to`. */
enum status file_take(const char *path, bool is_given, const char *to, int64_t max_bytes,
                      struct error *err);
