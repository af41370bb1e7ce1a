/*
 * Files sealed with a passphrase: what is written in pieces comes back in pieces, and nothing of it
 * is handed out that was not sealed so. Layout, numbers little-endian:
 *
 *   0  16  "CARTOGRAPHUS-ENC"
 *  16   1  version, 1; then three zeros
 *  20   4  argon2id: passes
 *  24   4  argon2id: memory in KiB
 *  28  16  argon2id: salt
 *  44  24  header of libsodium's secretstream (XChaCha20-Poly1305)
 *  68  17  an empty sealed message over all before it: tells a wrong passphrase
 *  85  16  BLAKE2b of all before it: tells a damaged head from a wrong passphrase
 * 101      sealed pieces of 65536 bytes (and 17 more); the last one is marked as the last
 *
 * One owner at a time. Errors name the path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CRYPT_PIECE = 64 * 1024, CRYPT_HEAD = 101, CRYPT_PASSPHRASE_MIN = 12 };

/* What a key costs to find. */
struct crypt_cost {
    uint32_t passes, memory_kib;
};
extern const struct crypt_cost crypt_cost_usual;

struct crypt_writer;
/* Writes the head. The descriptor and the path are borrowed. */
enum status crypt_writer_new(int fd, const char *path, const char *passphrase,
                             const struct crypt_cost *cost, struct crypt_writer **ret,
                             struct error *err);
enum status crypt_write(struct crypt_writer *w, const void *data, size_t len, struct error *err);
/* Writes the last piece, without which the file counts as cut short. */
enum status crypt_writer_end(struct crypt_writer *w, struct error *err);
void crypt_writer_free(struct crypt_writer *w); /* NULL is fine */

/* Does the file begin as one? The descriptor stays at its place. */
bool crypt_is_sealed(int fd);

struct crypt_reader;
/* Reads the head. DENIED: the passphrase is missing ("" or NULL) or wrong; INVALID: damaged, or what
 * reading it would cost is beyond all bounds; CONFLICT: made by a newer version. */
enum status crypt_reader_new(int fd, const char *path, const char *passphrase,
                             struct crypt_reader **ret, struct error *err);
/* The next piece, valid until the next call; *ret_len 0: that was all, and it was whole. */
enum status crypt_read(struct crypt_reader *r, const void **ret, size_t *ret_len,
                       struct error *err);
void crypt_reader_free(struct crypt_reader *r); /* NULL is fine */
