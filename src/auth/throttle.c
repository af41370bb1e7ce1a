#include "auth/throttle.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { ENTRIES = 1024, FREE_TRIES = 4, KEY_BYTES = 16, MOST_DELAY_S = 60 };

struct entry {
    unsigned char key[KEY_BYTES];
    unsigned failures; /* 0: not in use */
    int64_t last_us;
    int64_t until_us;
};

struct throttle {
    pthread_mutex_t mutex;
    unsigned char hash_key[crypto_generichash_KEYBYTES];
    struct entry entries[ENTRIES];
};

struct throttle *throttle_new(void)
{
    struct throttle *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    randombytes_buf(t->hash_key, sizeof t->hash_key);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (t == NULL)
        return;
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

static void key_of(const struct throttle *t, char kind, const char *text,
                   unsigned char key[static KEY_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, t->hash_key, sizeof t->hash_key, KEY_BYTES);
    crypto_generichash_update(&state, (const unsigned char *)&kind, 1);
    crypto_generichash_update(&state, (const unsigned char *)text, strlen(text));
    crypto_generichash_final(&state, key, KEY_BYTES);
}

static struct entry *find(struct throttle *t, const unsigned char key[static KEY_BYTES],
                          bool may_make)
{
    struct entry *oldest = &t->entries[0];
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &t->entries[i];
        if (e->failures > 0 && memcmp(e->key, key, KEY_BYTES) == 0)
            return e;
        if (oldest->failures > 0 && (e->failures == 0 || e->until_us < oldest->until_us))
            oldest = e;
    }
    if (!may_make)
        return NULL;
    *oldest = (struct entry){0};
    memcpy(oldest->key, key, KEY_BYTES);
    return oldest;
}

static int64_t delay_of(unsigned failures)
{
    if (failures <= FREE_TRIES)
        return 0;
    unsigned shift = failures - FREE_TRIES - 1;
    int64_t s = shift >= 6 ? MOST_DELAY_S : INT64_C(1) << shift;
    return s * US_PER_S;
}

/* The one or two keys that count; how many. */
static size_t keys_of(const struct throttle *t, const struct throttle_who *who,
                      unsigned char keys[static 2][KEY_BYTES])
{
    if (who->device != NULL) {
        key_of(t, 'd', who->device, keys[0]);
        return 1;
    }
    if (who->account == NULL) {
        key_of(t, 't', who->address, keys[0]);
        return 1;
    }
    key_of(t, 'a', who->account, keys[0]);
    key_of(t, 'i', who->address, keys[1]);
    return 2;
}

int64_t throttle_try(struct throttle *t, const struct throttle_who *who, int64_t now_us)
{
    unsigned char keys[2][KEY_BYTES];
    size_t count = keys_of(t, who, keys);
    pthread_mutex_lock(&t->mutex);
    int64_t wait_us = 0;
    for (size_t i = 0; i < count; i++) {
        const struct entry *e = find(t, keys[i], false);
        if (e != NULL && e->until_us > now_us && e->until_us - now_us > wait_us)
            wait_us = e->until_us - now_us;
    }
    for (size_t i = 0; i < count && wait_us == 0; i++) {
        struct entry *e = find(t, keys[i], true);
        if (e->failures > 0 && now_us - e->last_us > 15 * US_PER_MIN)
            e->failures = 0;
        e->failures++;
        e->last_us = now_us;
        e->until_us = now_us + delay_of(e->failures);
    }
    pthread_mutex_unlock(&t->mutex);
    return wait_us;
}

void throttle_succeeded(struct throttle *t, const struct throttle_who *who)
{
    unsigned char keys[2][KEY_BYTES];
    size_t count = keys_of(t, who, keys);
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < count; i++) {
        struct entry *e = find(t, keys[i], false);
        if (e != NULL)
            *e = (struct entry){0};
    }
    pthread_mutex_unlock(&t->mutex);
}
