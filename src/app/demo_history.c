#include "app/demo_history.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/demo.h"
#include "app/installed.h"
#include "base/logger.h"
#include "base/mem.h"
#include "import/import.h"
#include "store/store.h"

#include "base/banned.h"

extern char **environ;

enum { SERVERS = 3 }; /* that the demo simulates; the Plex server is the first */

struct demo_history {
    struct demo_history_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pid_t child; /* guarded by lock; 0: none that could be killed */
    atomic_bool is_stopping;
};

/* Whoever has undone the import does not want it back. */
static enum status has_import(struct demo_history *h, bool *ret, struct error *err)
{
    struct store_conn *c = NULL;
    int64_t count = 0;
    TRY(store_connect(h->config.store, &c, err));
    enum status s = store_query_int(c, "select count(*) from import", NULL, 0, 0, &count, err);
    store_disconnect(c);
    *ret = count > 0;
    return s;
}

static enum status spawn(struct demo_history *h, char *const argv[], struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pthread_mutex_lock(&h->lock);
    int rc = h->is_stopping ? ECANCELED
                            : posix_spawn(&h->child, argv[0], &actions, NULL, argv, environ);
    pthread_mutex_unlock(&h->lock);
    posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? STATUS_OK : fail_errno(err, rc, "start '%s'", argv[0]);
}

/* Waits for the child; its id is its own until it is no more there to be killed. */
static int reap(struct demo_history *h)
{
    siginfo_t ignored;
    int how = 0;
    while (waitid(P_PID, (id_t)h->child, &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&h->lock);
    waitpid(h->child, &how, 0);
    h->child = 0;
    pthread_mutex_unlock(&h->lock);
    return how;
}

/* Writes the database; its child is waited for and can be killed meanwhile. */
static enum status invent(struct demo_history *h, char *path, struct error *err)
{
    auto_free char *simulator = installed_simulator();
    int64_t until_s = 0;
    if (!simulator)
        return fail(err, STATUS_NOT_FOUND, "cartographus-sim is not installed");
    TRY(demo_until(h->config.folder, &until_s, err));
    auto_free char *until = xasprintf("--until=%lld", (long long)until_s);
    auto_free char *servers = xasprintf("--servers=%d", SERVERS);
    auto_free char *out = xasprintf("--out=%s", path);
    char what[] = "tautulli";
    TRY(spawn(h, (char *[]){simulator, what, out, until, servers, NULL}, err));
    int how = reap(h);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0
               ? STATUS_OK
               : fail(err, STATUS_UNAVAILABLE, "no history was written");
}

static enum status take_in(struct demo_history *h, struct error *err)
{
    bool is_there = false;
    TRY(has_import(h, &is_there, err));
    if (is_there)
        return STATUS_OK;
    auto_free char *path = xasprintf("%s/tautulli.db", h->config.folder);
    enum status s = invent(h, path, err);
    if (s == STATUS_OK) {
        const struct api_import i = {.path = path, .name = "tautulli.db", .server_key = "plex-1"};
        struct import_report report;
        s = h->config.imports->begin(h->config.imports->ctx, &i, &report, err);
    }
    if (s == STATUS_OK)
        log_info("demo", "a year of invented history is being imported");
    else
        unlink(path);
    return s;
}

static void *run(void *arg)
{
    struct demo_history *h = arg;
    struct error err = {0};
    logger_set_thread("demo");
    if (take_in(h, &err) != STATUS_OK && !h->is_stopping)
        log_warn("demo", "the demo has no imported history", LF_ERROR(&err));
    return NULL;
}

enum status demo_history_start(const struct demo_history_config *c, struct demo_history **ret,
                               struct error *err)
{
    struct demo_history *h = xcalloc(1, sizeof *h);
    h->config = *c;
    pthread_mutex_init(&h->lock, NULL);
    if (pthread_create(&h->thread, NULL, run, h) != 0) {
        pthread_mutex_destroy(&h->lock);
        free(h);
        return fail(err, STATUS_UNAVAILABLE, "no thread for the demo's history");
    }
    *ret = h;
    return STATUS_OK;
}

void demo_history_stop(struct demo_history *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->is_stopping = true;
    if (h->child > 0)
        kill(h->child, SIGKILL);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
