#include "ingest/names.h"

#include <pthread.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/cursor.h"

#include "base/banned.h"

struct name {
    UT_hash_handle hh;
    char *key; /* of a server, its name; "server\x1f" "account"; "server\x1e", its machine id */
    char *name;
    int32_t id; /* of the server, or the person */
};

struct names {
    pthread_mutex_t lock;
    struct name *all; /* guarded by lock */
};

struct names *names_new(void)
{
    struct names *n = xcalloc(1, sizeof *n);
    pthread_mutex_init(&n->lock, NULL);
    return n;
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

void names_free(struct names *n)
{
    forget(&n->all);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

enum status names_load(struct names *n, struct store_conn *c, struct error *err)
{
    auto_cursor struct cursor r = {0};
    auto_cleanup(forget) struct name *all = NULL;
    TRY(cursor_open(c, "select s.key || chr(31) || a.key, p.name, person_id from account a"
                       " join server s using (server_id) join person p using (person_id)"
                       " union all select key, name, server_id from server"
                       " union all select key || chr(30), machine_id, server_id from server"
                       " where machine_id is not null", NULL, 0, &r, err));
    while (cursor_next(&r)) {
        struct str key = cursor_text(&r, 0), name = cursor_text(&r, 1);
        struct name *one = xcalloc(1, sizeof *one);
        one->key = xstrndup(key.ptr, key.len);
        one->name = xstrndup(name.ptr, name.len);
        one->id = (int32_t)cursor_int(&r, 2, 0);
        HASH_ADD_KEYPTR(hh, all, one->key, key.len, one);
    }
    pthread_mutex_lock(&n->lock);
    struct name *old = n->all;
    n->all = all;
    pthread_mutex_unlock(&n->lock);
    all = old;
    return STATUS_OK;
}

/* Its id, 0 where it is not known. */
static int32_t find(struct names *n, const char *key, char *ret_name, size_t size)
{
    struct name *one = NULL;
    int32_t id = 0;
    pthread_mutex_lock(&n->lock);
    HASH_FIND_STR(n->all, key, one);
    if (one && *one->name) {
        snprintf(ret_name, size, "%s", one->name);
        id = one->id;
    }
    pthread_mutex_unlock(&n->lock);
    return id;
}

int32_t names_person(struct names *n, const char *server, const char *account_key, char *ret_name,
                     size_t size)
{
    auto_free char *key = xasprintf("%s\x1f%s", server, account_key);
    return find(n, key, ret_name, size);
}

int32_t names_server(struct names *n, const char *key, char *ret_name, size_t size)
{
    return find(n, key, ret_name, size);
}

bool names_machine(struct names *n, const char *server, char *ret, size_t size)
{
    auto_free char *key = xasprintf("%s\x1e", server);
    return find(n, key, ret, size) != 0;
}
