#include "import/dictionary.h"

#include <string.h>

#include "base/banned.h"

enum { ROOM_FIRST = 1024, KEY_BYTES_MAX = 64 * 1024 * 1024 };

struct dictionary_slot {
    uint64_t hash;
    const char *key; /* NULL: free */
    uint32_t len, number;
};

void dictionary_done(struct dictionary *d)
{
    free(d->slots);
    arena_done(&d->keys);
    *d = (struct dictionary){0};
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 u128;
    u128 product = (u128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(const char *p, size_t len)
{
    uint64_t h = len;
    while (len >= 16) {
        uint64_t a, b;
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = mix(a ^ h, b);
        p += 16;
        len -= 16;
    }
    uint64_t tail[2] = {0, 0};
    memcpy(tail, p, len);
    return mix(tail[0] ^ h, tail[1] ^ (h >> 32));
}

static void grow(struct dictionary *d)
{
    size_t room = d->room ? d->room * 2 : ROOM_FIRST;
    struct dictionary_slot *slots = xcalloc(room, sizeof *slots);
    for (size_t i = 0; i < d->room; i++) {
        if (!d->slots[i].key)
            continue;
        size_t at = d->slots[i].hash & (room - 1);
        while (slots[at].key)
            at = (at + 1) & (room - 1);
        slots[at] = d->slots[i];
    }
    free(d->slots);
    d->slots = slots;
    d->room = room;
}

static void forget(struct dictionary *d)
{
    memset(d->slots, 0, d->room * sizeof *d->slots);
    d->count = d->key_bytes = 0;
    arena_reset(&d->keys);
}

uint32_t dictionary_number(struct dictionary *d, const void *key, size_t len, bool *ret_is_new)
{
    uint64_t h = hash_bytes(key, len);
    if (d->key_bytes > KEY_BYTES_MAX)
        forget(d);
    if (d->count * 2 >= d->room)
        grow(d);
    size_t at = h & (d->room - 1);
    for (; d->slots[at].key; at = (at + 1) & (d->room - 1)) {
        const struct dictionary_slot *s = &d->slots[at];
        if (s->hash == h && s->len == len && memcmp(s->key, key, len) == 0) {
            *ret_is_new = false;
            return s->number;
        }
    }
    char *kept = arena_alloc(&d->keys, len + 1);
    memcpy(kept, key, len);
    d->slots[at] = (struct dictionary_slot){h, kept, (uint32_t)len, ++d->last};
    d->count++;
    d->key_bytes += len;
    *ret_is_new = true;
    return d->last;
}
