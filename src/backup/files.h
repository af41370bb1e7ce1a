/* Folders and files as backups need them. One thread; every error names the path. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum status files_write(int fd, const char *path, const void *data, size_t len, struct error *err);
/* All of a small file into the new file `to`; false in *ret_is_there where `from` is not there. */
enum status files_copy_small(const char *from, const char *to, bool *ret_is_there,
                             struct error *err);
/* IO when the file system of `folder` has less free than that. */
enum status files_need_room(const char *folder, int64_t bytes, struct error *err);
/* Makes the folder if needed and says whether it can be written to. `option` is named. */
enum status files_need_folder(const char *folder, const char *option, struct error *err);
/* Makes folder/.work-xxxxxx; the caller removes it (files_remove) and frees the path. */
#define FILES_WORK ".work-"
enum status files_work_begin(const char *folder, char **ret, struct error *err);
/* Removes what a killed process left in it: files and folders whose names begin and end so. */
void files_sweep(const char *folder, const char *prefix, const char *suffix);
/* The file, or the folder with all in it, as far as that can be done. */
void files_remove(const char *path);
/* A time as names of files have it: 20260102-030405 (UTC). */
enum { FILES_STAMP_MAX = 16 };
void files_stamp(int64_t time_us, char dst[static FILES_STAMP_MAX]);
/* What was renamed or made in it is on the disk after this. */
enum status files_sync_folder(const char *folder, struct error *err);
