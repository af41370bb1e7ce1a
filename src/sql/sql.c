#include "sql/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/queue.h"
#include "sql/tables.h"
#include "store/sealed.h"

#include "base/banned.h"

enum { MOST_WAITING = 4, LOOK_EVERY_MS = 50, FDS_ABOVE = 16 };
#define MOST_BYTES (INT64_C(64) << 20)
/* A copy that nobody asks any more gives its room on the disk back. */
#define KEEP_IDLE_US (10 * US_PER_MIN)
/* One that took long is asked on although there is newer data, so that making copies takes a tenth of the
 * time at most. A store that is copied within a second is always asked as it is. */
#define LONG_US US_PER_S
enum { SHARE = 10 };

#define COPY_NAME "sql-copy.duckdb"

struct sql {
    struct sql_config config;
    struct store_conn *conn;
    struct queue *queue;
    pthread_t thread;
    _Atomic bool is_stopping;
    /* The copy; the thread's. */
    int copy_fd; /* -1: none */
    int64_t copy_version, copied_us, copy_took_us;
};

struct waiting {
    struct sql_question q;
    char sql[];
};

/* --- the copy ---------------------------------------------------------------------------------- */

static void drop_copy(struct sql *s)
{
    if (s->copy_fd >= 0)
        close(s->copy_fd);
    s->copy_fd = -1;
}

static bool is_copy_good(const struct sql *s)
{
    if (s->copy_fd < 0)
        return false;
    if (s->copy_version == store_data_version(s->config.store))
        return true;
    return s->copy_took_us > LONG_US && clock_now_us() - s->copied_us < SHARE * s->copy_took_us;
}

static void remove_files(const char *path)
{
    auto_free char *wal = xasprintf("%s.wal", path);
    (void)unlink(path);
    (void)unlink(wal);
}

static enum status write_copy(struct sql *s, const char *path, struct error *err)
{
    auto_free struct extract_table *tables = xcalloc(sql_table_count, sizeof *tables);
    for (size_t i = 0; i < sql_table_count; i++)
        tables[i] = (struct extract_table){sql_tables[i].name, sql_table_select(&sql_tables[i])};
    enum status status = extract_write(s->conn, path, tables, sql_table_count, err);
    for (size_t i = 0; i < sql_table_count; i++)
        free((char *)(uintptr_t)tables[i].sql);
    return status;
}

/* It has no name once it is made: whatever becomes of us, it goes. */
static enum status refresh_copy(struct sql *s, struct error *err)
{
    if (is_copy_good(s))
        return STATUS_OK;
    drop_copy(s);
    auto_free char *path = xasprintf("%s/" COPY_NAME, s->config.folder);
    remove_files(path);
    int64_t version = store_data_version(s->config.store), now_us = clock_now_us();
    int64_t started_us = clock_monotonic_us();
    enum status status = write_copy(s, path, err);
    if (status == STATUS_OK) {
        s->copy_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (s->copy_fd < 0)
            status = fail_errno(err, errno, "open the copy that SQL asks");
    }
    remove_files(path);
    if (status != STATUS_OK)
        return fail_prefix(err, "copy what SQL may see");
    s->copy_version = version;
    s->copied_us = now_us;
    s->copy_took_us = clock_monotonic_us() - started_us;
    log_debug("sql", "copied what SQL may see", LF_INT("took_us", s->copy_took_us));
    return STATUS_OK;
}

/* --- the process ------------------------------------------------------------------------------- */

static void make_order(const struct sql *s, const struct waiting *w, struct sql_order *ret)
{
    int64_t most = s->config.most_rows;
    bool is_limited = w->q.most_rows > 0 && w->q.most_rows < most;
    *ret = (struct sql_order){.magic = SQL_MAGIC,
                              .format = w->q.format,
                              .parent = getpid(),
                              .most_rows = is_limited ? w->q.most_rows : most,
                              .is_cut = is_limited || w->q.format == SQL_JSON,
                              .most_bytes = MOST_BYTES,
                              .max_memory = s->config.max_memory,
                              .most_cpu_s = s->config.timeout_us / US_PER_S + 2,
                              .as_of_us = s->copied_us};
    snprintf(ret->time_zone, sizeof ret->time_zone, "%s", s->config.time_zone);
}

/* A file without a name, from its beginning, that holds the order and the text. */
static enum status write_order(const struct sql *s, const struct waiting *w, int *ret_fd, struct error *err)
{
    struct sql_order order;
    make_order(s, w, &order);
    size_t len = strlen(w->sql);
    auto_fd int fd = memfd_create("sql", MFD_CLOEXEC);
    if (fd < 0 || write(fd, &order, sizeof order) != (ssize_t)sizeof order ||
        write(fd, w->sql, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
        return fail_errno(err, errno, "hand the question over");
    *ret_fd = steal_fd(&fd);
    return STATUS_OK;
}

/* Out of the way of the numbers that they are to have in the process. */
static int lift(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, FDS_ABOVE);
}

/* posix_spawn() and not fork(): between the two nothing of this program runs, which has threads. */
static int spawn(const int fds[static SQL_FDS], pid_t *ret)
{
    char *const argv[] = {(char[]){"cartographus"}, (char[]){SQL_CHILD_WORD}, NULL}, *const env[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    for (int i = 0; i < SQL_FDS; i++)
        posix_spawn_file_actions_adddup2(&files, fds[i], i);
    posix_spawn_file_actions_addclosefrom_np(&files, SQL_FDS);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int r = posix_spawn(ret, "/proc/self/exe", &files, &how, argv, env);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return r;
}

static enum status begin(struct sql *s, const struct waiting *w, int answer_fd, int report_fd, pid_t *ret,
                         struct error *err)
{
    auto_fd int order = -1;
    TRY(write_order(s, w, &order, err));
    auto_fd int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int from[SQL_FDS] = {order, nothing, nothing, answer_fd, s->copy_fd, report_fd}, fds[SQL_FDS];
    bool is_whole = true;
    for (int i = 0; i < SQL_FDS; i++)
        is_whole = (fds[i] = lift(from[i])) >= 0 && is_whole;
    int r = is_whole ? spawn(fds, ret) : EMFILE;
    for (int i = 0; i < SQL_FDS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return r == 0 ? STATUS_OK : fail_errno(err, r, "start the process that answers");
}

static enum status why_stopped(const struct sql *s, const struct waiting *w, int64_t deadline_us,
                               struct error *err)
{
    if (s->is_stopping)
        return fail(err, STATUS_UNAVAILABLE, "the server is stopping");
    if (w->q.is_gone(w->q.ctx))
        return fail(err, STATUS_CANCELLED, "the client has gone");
    if (clock_monotonic_us() > deadline_us)
        return fail_field(err, STATUS_TIMEOUT, "sql", "it took longer than %lld seconds (QUERY_TIMEOUT) and "
                          "was stopped", (long long)(s->config.timeout_us / US_PER_S));
    return STATUS_OK;
}

/* Until it reports, or has ended without, or is to be stopped. */
static enum status await(const struct sql *s, const struct waiting *w, int fd, struct sql_report *ret,
                         bool *ret_has_reported, struct error *err)
{
    int64_t deadline_us = clock_monotonic_us() + s->config.timeout_us;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char bytes[sizeof *ret];
    *ret_has_reported = false;
    while (poll(&p, 1, LOOK_EVERY_MS) <= 0)
        TRY(why_stopped(s, w, deadline_us, err));
    ssize_t n = read(fd, bytes, sizeof bytes); /* a pipe gives so few bytes at once */
    if (n <= 0)
        return STATUS_OK;
    *ret_has_reported = true;
    return sql_report_read(bytes, (size_t)n, ret, err);
}

/* What became of one that did not report. */
static enum status tell_end(const struct sql *s, int how, struct error *err)
{
    int signal_number = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    if (signal_number == SIGXCPU)
        return fail_field(err, STATUS_TIMEOUT, "sql", "it took more than %lld seconds of the processor and "
                          "was stopped", (long long)(s->config.timeout_us / US_PER_S));
    if (signal_number == SIGABRT || signal_number == SIGSEGV || signal_number == SIGBUS)
        return fail_field(err, STATUS_TOO_LARGE, "sql", "it needs more memory than there is for it, or is "
                          "nested too deeply: the process that answers broke (%s)",
                          strsignal(signal_number));
    return fail(err, STATUS_UNAVAILABLE, "the process that answers ended without an answer (%s %d)",
                signal_number ? "signal" : "status", signal_number ? signal_number : WEXITSTATUS(how));
}

static enum status run(struct sql *s, const struct waiting *w, int answer_fd, struct sql_report *ret,
                       struct error *err)
{
    int pipe_fds[2];
    pid_t child = 0;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return fail_errno(err, errno, "no pipe for an answer");
    enum status status = begin(s, w, answer_fd, pipe_fds[1], &child, err);
    close(pipe_fds[1]);
    bool has_reported = true;
    if (status == STATUS_OK)
        status = await(s, w, pipe_fds[0], ret, &has_reported, err);
    close(pipe_fds[0]);
    if (!child)
        return status;
    int how = 0;
    if (has_reported || status != STATUS_OK)
        kill(child, SIGKILL);
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
    }
    if (status == STATUS_OK && !has_reported)
        return tell_end(s, how, err);
    return status;
}

/* --- one question ------------------------------------------------------------------------------ */

static enum status answer_from(const struct sql_report *r, int fd, struct error *err)
{
    struct stat st;
    if (r->status != STATUS_OK)
        return fail_field(err, (enum status)r->status, r->field, "%s", r->text);
    if (fstat(fd, &st) != 0 || st.st_size != r->bytes || r->bytes > MOST_BYTES)
        return fail(err, STATUS_PROTOCOL, "the process that answers reports another size than it wrote");
    return STATUS_OK;
}

static enum status answer(struct sql *s, const struct waiting *w, struct sql_answer *a, struct error *err)
{
    struct sql_report report = {0};
    TRY(why_stopped(s, w, INT64_MAX, err));
    enum status copied = refresh_copy(s, err);
    if (copied == STATUS_CANCELLED)
        TRY(why_stopped(s, w, INT64_MAX, err));
    if (copied != STATUS_OK)
        return copied;
    auto_fd int fd = open(s->config.folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(err, errno, "make a file for the answer");
    TRY(run(s, w, fd, &report, err));
    TRY(answer_from(&report, fd, err));
    a->bytes = report.bytes;
    a->rows = report.rows;
    a->fd = steal_fd(&fd);
    return STATUS_OK;
}

static void *work(void *arg)
{
    struct sql *s = arg;
    logger_set_thread("sql");
    while (true) {
        auto_free struct waiting *w = queue_pop(s->queue, KEEP_IDLE_US);
        if (w) {
            struct sql_answer a = {.fd = -1};
            a.status = answer(s, w, &a, &a.error);
            w->q.done(w->q.ctx, &a);
        } else if (queue_is_closed(s->queue)) {
            return NULL;
        } else {
            drop_copy(s);
        }
    }
}

/* --- life -------------------------------------------------------------------------------------- */

enum status sql_start(const struct sql_config *c, struct sql **ret, struct error *err)
{
    struct store_conn *conn = NULL;
    auto_free char *path = xasprintf("%s/" COPY_NAME, c->folder);
    remove_files(path); /* one that was being made when we were killed */
    TRY(store_connect(c->store, &conn, err));
    struct sql *s = xcalloc(1, sizeof *s);
    s->config = *c;
    s->conn = conn;
    s->copy_fd = -1;
    s->queue = queue_new(MOST_WAITING);
    if (pthread_create(&s->thread, NULL, work, s) != 0) {
        store_disconnect(s->conn);
        queue_free(s->queue);
        free(s);
        return fail(err, STATUS_UNAVAILABLE, "no thread for SQL");
    }
    *ret = s;
    return STATUS_OK;
}

enum status sql_ask(struct sql *s, const struct sql_question *q, struct error *err)
{
    size_t size = strlen(q->sql) + 1;
    struct waiting *w = xmalloc(sizeof *w + size);
    w->q = *q;
    memcpy(w->sql, q->sql, size);
    if (queue_try_push(s->queue, w))
        return STATUS_OK;
    free(w);
    return fail(err, STATUS_UNAVAILABLE, s->is_stopping ? "the server is stopping"
                                                         : "%d questions wait already; one is answered at a "
                                                           "time: try again", MOST_WAITING);
}

void sql_stop(struct sql *s)
{
    if (!s || s->is_stopping)
        return;
    s->is_stopping = true;
    queue_close(s->queue);
    store_interrupt(s->conn);
    pthread_join(s->thread, NULL);
}

void sql_free(struct sql *s)
{
    if (!s)
        return;
    sql_stop(s);
    drop_copy(s);
    store_disconnect(s->conn);
    queue_free(s->queue);
    free(s);
}
