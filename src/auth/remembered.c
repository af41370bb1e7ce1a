#include "auth/remembered.h"

#include <pthread.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { KEPT_MOST = 64, CHECKS_MOST = 32 };
#define KEPT_US (5 * US_PER_MIN)

struct kept {
    struct remembered_key key;
    int64_t until_us; /* 0: free */
    struct auth_user user;
};

struct remembered {
    char secret[2 * TOKEN_HASH_BYTES + 1]; /* of this run */
    pthread_mutex_t mutex;                 /* guards what follows */
    struct kept kept[KEPT_MOST];
    struct remembered_key checks[CHECKS_MOST];
    size_t check_count;
};

struct remembered *remembered_new(void)
{
    struct remembered *m = xcalloc(1, sizeof *m);
    pthread_mutex_init(&m->mutex, NULL);
    unsigned char random[TOKEN_HASH_BYTES];
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(m->secret, sizeof m->secret, random, sizeof random);
    return m;
}

void remembered_free(struct remembered *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->mutex);
    secret_wipe(m, sizeof *m);
    free(m);
}

struct remembered_key remembered_key(const struct remembered *m, const char *name,
                                     const char *password)
{
    struct remembered_key k;
    keyed_hash(m->secret, "basic", name, password, strlen(password), k.bytes);
    return k;
}

static bool is_same(const struct remembered_key *a, const struct remembered_key *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool remembered_find(struct remembered *m, const struct remembered_key *k, int64_t now_us,
                     struct auth_user *ret)
{
    bool is_found = false;
    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; i < KEPT_MOST && !is_found; i++) {
        is_found = m->kept[i].until_us > now_us && is_same(&m->kept[i].key, k);
        if (is_found)
            *ret = m->kept[i].user;
    }
    pthread_mutex_unlock(&m->mutex);
    return is_found;
}

void remembered_forget(struct remembered *m, int64_t user_id)
{
    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; i < KEPT_MOST; i++)
        if (m->kept[i].until_us > 0 && m->kept[i].user.id == user_id)
            m->kept[i] = (struct kept){0};
    pthread_mutex_unlock(&m->mutex);
}

bool remembered_begin(struct remembered *m, const struct remembered_key *k)
{
    bool is_under_way = false;
    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; i < m->check_count && !is_under_way; i++)
        is_under_way = is_same(&m->checks[i], k);
    if (m->check_count < CHECKS_MOST)
        m->checks[m->check_count++] = *k;
    pthread_mutex_unlock(&m->mutex);
    return is_under_way;
}

void remembered_end(struct remembered *m, const struct remembered_key *k, int64_t now_us,
                    const struct auth_user *user)
{
    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; i < m->check_count; i++) {
        if (is_same(&m->checks[i], k)) {
            m->checks[i] = m->checks[--m->check_count];
            break;
        }
    }
    struct kept *place = &m->kept[0];
    for (size_t i = 1; i < KEPT_MOST; i++) {
        if (m->kept[i].until_us < place->until_us)
            place = &m->kept[i];
    }
    for (size_t i = 0; i < KEPT_MOST; i++) {
        if (m->kept[i].until_us > 0 && is_same(&m->kept[i].key, k))
            place = &m->kept[i];
    }
    if (user != NULL)
        *place = (struct kept){.key = *k, .until_us = now_us + KEPT_US, .user = *user};
    pthread_mutex_unlock(&m->mutex);
}
