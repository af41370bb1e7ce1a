#include "net/upgraded.h"

#include <microhttpd.h>
#include <pthread.h>
#include <unistd.h>
#include <uthash.h>

#include "base/mem.h"

#include "base/banned.h"

struct entry {
    int fd;
    struct MHD_UpgradeResponseHandle *handle;
    UT_hash_handle hh;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

void upgraded_remember(int fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct entry *e = xcalloc(1, sizeof *e);
    e->fd = fd;
    e->handle = handle;
    pthread_mutex_lock(&lock);
    HASH_ADD_INT(entries, fd, e);
    pthread_mutex_unlock(&lock);
}

void upgraded_close(int fd)
{
    pthread_mutex_lock(&lock);
    struct entry *e = NULL;
    HASH_FIND_INT(entries, &fd, e);
    if (e)
        HASH_DEL(entries, e);
    pthread_mutex_unlock(&lock);
    if (e)
        MHD_upgrade_action(e->handle, MHD_UPGRADE_ACTION_CLOSE);
    else
        close(fd);
    free(e);
}
