/* A few texts as one gzipped tar, in memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct bundle_file {
    const char *name;
    struct str text;
};
/* Each in `folder`. Pure; any thread. */
enum status bundle_pack(const char *folder, const struct bundle_file *files, size_t count,
                        int64_t made_us, struct buf *out, struct error *err);
