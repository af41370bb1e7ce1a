/*
 * Numbers for byte strings: the same bytes get the same number, the first ones 1. For the hot loop
 * of an import, where most rows repeat what was there before. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct dictionary {
    struct dictionary_slot *slots;
    size_t room, count; /* room: a power of two */
    size_t key_bytes;   /* beyond a limit all is forgotten; numbers are never given out again */
    uint32_t last;
    struct arena keys;
};

void dictionary_done(struct dictionary *d);
uint32_t dictionary_number(struct dictionary *d, const void *key, size_t len, bool *ret_is_new);
