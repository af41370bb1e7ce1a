#include "analytics/cache.h"

#include <pthread.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

/* An answer, or (body NULL) a claim on one. Entries stand in the order of their use. */
struct entry {
    char *key, *body;
    size_t len;
    int64_t until_us; /* monotonic */
    UT_hash_handle hh;
};

struct cache {
    pthread_mutex_t mutex;
    pthread_cond_t claim_ended;
    struct entry *entries, *claims;
    size_t bytes, most_bytes;
};

struct cache *cache_new(size_t most_bytes)
{
    struct cache *c = xcalloc(1, sizeof *c);
    c->most_bytes = most_bytes;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->claim_ended, NULL);
    return c;
}

static struct entry *find(struct entry *head, const char *key)
{
    struct entry *e;
    HASH_FIND_STR(head, key, e);
    return e;
}

/* What an entry takes, the table's own part guessed. */
static size_t cost(const struct entry *e)
{
    return e->len + strlen(e->key) + sizeof *e + 64;
}

static void drop(struct entry **head, struct entry *e)
{
    HASH_DELETE(hh, *head, e);
    free(e->key);
    free(e->body);
    free(e);
}

static void drop_answer(struct cache *c, struct entry *e)
{
    c->bytes -= cost(e);
    drop(&c->entries, e);
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    while (c->entries)
        drop_answer(c, c->entries);
    while (c->claims)
        drop(&c->claims, c->claims);
    pthread_cond_destroy(&c->claim_ended);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static bool get_locked(struct cache *c, const char *key, struct buf *out)
{
    struct entry *e = find(c->entries, key);
    if (!e)
        return false;
    if (clock_monotonic_us() >= e->until_us) {
        drop_answer(c, e);
        return false;
    }
    /* To the end: the newest use. */
    HASH_DELETE(hh, c->entries, e);
    HASH_ADD_KEYPTR(hh, c->entries, e->key, strlen(e->key), e);
    buf_add(out, e->body, e->len);
    return true;
}

bool cache_get(struct cache *c, const char *key, struct buf *out)
{
    pthread_mutex_lock(&c->mutex);
    bool has = get_locked(c, key, out);
    pthread_mutex_unlock(&c->mutex);
    return has;
}

bool cache_get_or_claim(struct cache *c, const char *key, struct buf *out)
{
    pthread_mutex_lock(&c->mutex);
    bool has = get_locked(c, key, out);
    while (!has && find(c->claims, key)) {
        pthread_cond_wait(&c->claim_ended, &c->mutex);
        has = get_locked(c, key, out);
    }
    if (!has) {
        struct entry *e = xcalloc(1, sizeof *e);
        e->key = xstrdup(key);
        HASH_ADD_KEYPTR(hh, c->claims, e->key, strlen(e->key), e);
    }
    pthread_mutex_unlock(&c->mutex);
    return has;
}

static void end_claim(struct cache *c, const char *key)
{
    struct entry *e = find(c->claims, key);
    if (!e)
        return;
    drop(&c->claims, e);
    pthread_cond_broadcast(&c->claim_ended);
}

void cache_put(struct cache *c, const char *key, struct str body, int64_t for_us)
{
    struct entry *e = xcalloc(1, sizeof *e);
    e->key = xstrdup(key);
    e->body = xmalloc(body.len + 1);
    memcpy(e->body, body.ptr, body.len);
    e->len = body.len;
    e->until_us = clock_monotonic_us() + for_us;
    pthread_mutex_lock(&c->mutex);
    struct entry *old = find(c->entries, key);
    if (old)
        drop_answer(c, old);
    while (c->entries && c->bytes + cost(e) > c->most_bytes)
        drop_answer(c, c->entries);
    if (c->bytes + cost(e) <= c->most_bytes) {
        c->bytes += cost(e);
        HASH_ADD_KEYPTR(hh, c->entries, e->key, strlen(e->key), e);
        e = NULL;
    }
    end_claim(c, key);
    pthread_mutex_unlock(&c->mutex);
    if (e) {
        free(e->key);
        free(e->body);
        free(e);
    }
}

void cache_give_up(struct cache *c, const char *key)
{
    pthread_mutex_lock(&c->mutex);
    end_claim(c, key);
    pthread_mutex_unlock(&c->mutex);
}

size_t cache_bytes(struct cache *c)
{
    pthread_mutex_lock(&c->mutex);
    size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->mutex);
    return bytes;
}

size_t cache_count(struct cache *c)
{
    pthread_mutex_lock(&c->mutex);
    size_t count = HASH_COUNT(c->entries);
    pthread_mutex_unlock(&c->mutex);
    return count;
}
