#include "ingest/people.h"

#include <pthread.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/cursor.h"

#include "base/banned.h"

struct name {
    UT_hash_handle hh;
    char *key; /* "server\x1f" "account" */
    char *name;
};

struct people {
    pthread_mutex_t lock;
    struct name *names; /* guarded by lock */
};

struct people *people_new(void)
{
    struct people *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void forget(struct name **names)
{
    struct name *n, *next;
    HASH_ITER(hh, *names, n, next) {
        HASH_DEL(*names, n);
        free(n->key);
        free(n->name);
        free(n);
    }
}

void people_free(struct people *p)
{
    forget(&p->names);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

enum status people_load(struct people *p, struct store_conn *c, struct error *err)
{
    auto_cursor struct cursor r = {0};
    auto_cleanup(forget) struct name *names = NULL;
    TRY(cursor_open(c, "select s.key || chr(31) || a.key, p.name from account a join server s"
                       " using (server_id) join person p using (person_id)", NULL, 0, &r, err));
    while (cursor_next(&r)) {
        struct str key = cursor_text(&r, 0), name = cursor_text(&r, 1);
        struct name *n = xcalloc(1, sizeof *n);
        n->key = xstrndup(key.ptr, key.len);
        n->name = xstrndup(name.ptr, name.len);
        HASH_ADD_KEYPTR(hh, names, n->key, key.len, n);
    }
    pthread_mutex_lock(&p->lock);
    struct name *old = p->names;
    p->names = names;
    pthread_mutex_unlock(&p->lock);
    names = old;
    return STATUS_OK;
}

bool people_find(struct people *p, const char *server, const char *account_key, char *ret_name,
                 size_t size)
{
    auto_free char *key = xasprintf("%s\x1f%s", server, account_key);
    struct name *n = NULL;
    pthread_mutex_lock(&p->lock);
    HASH_FIND_STR(p->names, key, n);
    if (n)
        snprintf(ret_name, size, "%s", n->name);
    pthread_mutex_unlock(&p->lock);
    return n && *ret_name;
}
