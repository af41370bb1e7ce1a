/*
 * The archive: a tar with manifest.json first, then the files that it names, all flat; packed with
 * gzip or zstd, and sealed with a passphrase (crypt.h) if there is one. What comes from outside is
 * unpacked by that list alone: other names, links, sizes that differ, sums that do not fit are
 * refused before anything is used.
 */
#pragma once

#include "backup/manifest.h"

/* How an archive is written. */
struct pack_form {
    bool is_zstd;           /* else gzip */
    const char *passphrase; /* "" or NULL: not encrypted */
};

/* An archive to read. Everything is borrowed. */
struct pack_source {
    const char *file;
    const char *name; /* what errors call it; NULL: the file */
    const char *passphrase; /* "" or NULL: none is known */
    /* Told how far unpacking is, in bytes; false stops it: CANCELLED. May be NULL. */
    bool (*go_on)(void *ctx, int64_t done, int64_t all);
    void *ctx;
};

/* No archive of ours is packed tighter, with so much beside: a bomb is. */
enum { PACK_RATIO_MAX = 1100, PACK_RATIO_BESIDE = 64 * 1024 * 1024 };

/* Packs the files from `folder` into the new file `to`, synced. */
enum status pack_write(const char *to, const char *folder, const struct manifest *m,
                       const struct pack_form *form, struct error *err);
/* Unpacks into the empty `folder`, mode 0600, synced, and checks every sum. Fails before the
 * first byte where `folder` has no room for it. On failure `folder` may hold a part.
 * DENIED: the passphrase is missing or wrong. The caller owns *ret. */
enum status pack_unpack(const struct pack_source *from, const char *folder, struct manifest *ret,
                        struct error *err);
/* Reads the manifest alone. */
enum status pack_look(const struct pack_source *from, struct manifest *ret, struct error *err);
/* Size and SHA-256 of folder/f->name. */
enum status pack_sum(const char *folder, struct manifest_file *f, struct error *err);
