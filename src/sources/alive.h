/*
 * DATA/alive: until when each server was being watched, so that after a kill or a power cut the
 * next start knows since when nobody watched. One line a server; always the same length, written
 * over itself, so that a kill leaves the old state or the new one. Nothing else depends on it: what
 * follows from it is told to the log.
 *
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ALIVE_KEY_MAX = 64 };

struct alive_entry {
    char key[ALIVE_KEY_MAX]; /* of the server */
    int64_t until_us;        /* since then nobody has watched, as far as is certain */
};

/* Reads at most `room` entries; returns how many. No file, or one that makes no sense: none. */
size_t alive_read(const char *path, struct alive_entry *ret, size_t room);
/* Not synced to the disk: after a power cut an older state makes the blind time longer, never
 * shorter. False with errno where it cannot be written. */
bool alive_write(const char *path, const struct alive_entry *entries, size_t count);
