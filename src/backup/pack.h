/*
 * The archive: a gzipped tar with manifest.json first, then the files that it names, all flat. What
 * comes from outside is unpacked by that list alone: other names, links, sizes that differ, sums
 * that do not fit are refused before anything is used.
 */
#pragma once

#include "backup/manifest.h"

/* Packs the files from `folder` into the new file `to`, synced. */
enum status pack_write(const char *to, const char *folder, const struct manifest *m,
                       struct error *err);
/* Unpacks into the empty `folder`, mode 0600, synced, and checks every sum. Fails before the
 * first byte where `folder` has no room for it. On failure `folder` may hold a part.
 * The caller owns *ret. */
enum status pack_unpack(const char *file, const char *folder, struct manifest *ret,
                        struct error *err);
/* Size and SHA-256 of folder/f->name. */
enum status pack_sum(const char *folder, struct manifest_file *f, struct error *err);
