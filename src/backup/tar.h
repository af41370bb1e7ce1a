/* A tar written file by file to a descriptor, not packed. One thread. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct tar;
/* Writes to `fd`, which is borrowed, from where it stands. NULL is fine to tar_free(). */
enum status tar_begin(int fd, struct tar **ret, struct error *err);
void tar_free(struct tar *t);
static inline void auto_tar_fn(struct tar **t)
{
    tar_free(*t);
}
#define auto_tar __attribute__((cleanup(auto_tar_fn)))
enum status tar_add_text(struct tar *t, const char *name, struct str text, int64_t made_us,
                         struct error *err);
/* All `bytes` of the file behind `from`, from its beginning. */
enum status tar_add_file(struct tar *t, const char *name, int from, uint64_t bytes, int64_t made_us,
                         struct error *err);
/* After the last one. */
enum status tar_end(struct tar *t, struct error *err);
