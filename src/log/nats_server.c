#include "log/nats_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { TOKEN_BYTES = 24, LINE_MAX_BYTES = 4096, LOCK_MS = 15000, STOP_S = 15, MAX_PAYLOAD_MB = 8 };
/* Descriptors of the child beyond stdin, stdout and stderr. */
enum { CHILD_LOCK_FD = 3, CHILD_FDS = 4 };
#define BACKOFF_LEAST_US (500 * US_PER_MS)
#define BACKOFF_MOST_US (30 * US_PER_S)
#define LIVED_WELL_US (60 * US_PER_S)

struct nats_server {
    char *program, *settings, *url;
    char memory[48]; /* GOMEMLIMIT=... */
    int lock_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    pid_t child; /* 0: none runs */
    bool is_stopping;
};

static char *find_program(void)
{
    const char *path = getenv("PATH");
    auto_free char *all = xasprintf("%s:/usr/sbin:/usr/local/bin", path ? path : "/usr/bin");
    struct str rest = str_of(all), folder;
    while (str_next(&rest, ':', &folder)) {
        auto_free char *file = xasprintf("%.*s/nats-server", (int)folder.len, folder.ptr);
        if (folder.len && access(file, X_OK) == 0)
            return steal_ptr(&file);
    }
    return NULL;
}

enum status nats_server_check(struct error *err)
{
    auto_free char *program = find_program();
    return program ? STATUS_OK
                   : fail(err, STATUS_NOT_FOUND, "nats-server is not installed; type, as root: "
                                                 "apt-get install nats-server");
}

/* --- its settings ------------------------------------------------------------------------------ */

/* A port that nobody uses now. The child has it for as long as we run, so that a connection finds the
 * next child as well. */
static enum status choose_port(int *ret, struct error *err)
{
    auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return fail_errno(err, errno, "no port on loopback for nats-server");
    *ret = ntohs(a.sin_port);
    return STATUS_OK;
}

static void add_quoted(struct buf *b, const char *text)
{
    buf_putc(b, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *text);
    }
    buf_putc(b, '"');
}

static enum status write_settings(struct nats_server *s, const struct nats_server_config *c,
                                  struct error *err)
{
    uint8_t random[TOKEN_BYTES];
    char token[2 * TOKEN_BYTES + 1];
    int port = 0;
    TRY(choose_port(&port, err));
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail(err, STATUS_INTERNAL, "no random numbers");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    logger_add_secret(token);
    s->url = xasprintf("nats://%s@127.0.0.1:%d", token, port);
    auto_buf struct buf text = {0};
    buf_printf(&text,
               "# Written at each start of Cartographus.\n"
               "listen: \"127.0.0.1:%d\"\n"
               "authorization { token: \"%s\" }\n"
               "max_payload: %dMB\n"
               "logtime: false\n"
               "jetstream {\n"
               "  max_memory_store: %" PRId64 "\n"
               "  max_file_store: %" PRId64 "\n"
               "  store_dir: ",
               port, token, MAX_PAYLOAD_MB, c->max_memory, c->max_store);
    secret_wipe(token, sizeof token);
    add_quoted(&text, c->folder);
    buf_puts(&text, "\n}\n");
    (void)unlink(s->settings);
    auto_fd int fd = open(s->settings, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, buf_text(&text), text.len) != (ssize_t)text.len)
        return fail_errno(err, errno, "write '%s'", s->settings);
    return STATUS_OK;
}

/* One nats-server at a time has the folder: a child outlives a kill -9 of ours by an instant. The
 * lock goes on to it, and is free when both are gone. */
static enum status take_folder(struct nats_server *s, const char *folder, struct error *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "make '%s'", folder);
    auto_free char *path = xasprintf("%s/lock", folder);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return fail_errno(err, errno, "open '%s'", path);
    int64_t until_us = clock_monotonic_us() + LOCK_MS * US_PER_MS;
    while (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || clock_monotonic_us() > until_us)
            return fail(err, STATUS_CONFLICT, "another nats-server still has '%s'", folder);
        const struct timespec pause = {.tv_nsec = 50 * 1000000};
        nanosleep(&pause, NULL);
    }
    return STATUS_OK;
}

/* --- the child --------------------------------------------------------------------------------- */

/* In the child, after fork(): only what is safe there. Nothing of our environment goes along. */
__attribute__((noreturn)) static void become(struct nats_server *s, int out, pid_t parent)
{
    char *argv[] = {s->program, (char[]){"-c"}, s->settings, NULL};
    char *env[] = {s->memory, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    setpgid(0, 0); /* Ctrl-C is for us; we end it when the log is closed */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int in = open("/dev/null", O_RDONLY);
    /* Out of the way of the numbers that they are to have. */
    int lock = fcntl(s->lock_fd, F_DUPFD, 16), text = fcntl(out, F_DUPFD, 16);
    if (getppid() == parent && in >= 0 && lock >= 0 && text >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
        dup2(text, STDOUT_FILENO) >= 0 && dup2(text, STDERR_FILENO) >= 0 &&
        dup2(lock, CHILD_LOCK_FD) >= 0 && close_range(CHILD_FDS, ~0U, 0) == 0)
        execve(s->program, argv, env);
    _exit(127);
}

/* Its lines are "[pid] [INF] text". */
static void tell(const char *line)
{
    static const struct {
        const char *mark;
        enum log_level level;
    } marks[] = {{"[ERR] ", LOG_ERROR}, {"[FTL] ", LOG_ERROR}, {"[WRN] ", LOG_WARN},
                 {"[INF] ", LOG_DEBUG}, {"[DBG] ", LOG_DEBUG}, {"[TRC] ", LOG_TRACE}};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        const char *at = strstr(line, marks[i].mark);
        if (at) {
            log_at(marks[i].level, "nats", at + strlen(marks[i].mark));
            return;
        }
    }
    log_warn("nats", line);
}

static pid_t spawn(struct nats_server *s, FILE **ret_lines)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -1;
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        become(s, pipe_fds[1], parent);
    close(pipe_fds[1]);
    *ret_lines = child > 0 ? fdopen(pipe_fds[0], "r") : NULL;
    if (!*ret_lines)
        close(pipe_fds[0]);
    return child;
}

/* One life: until it has ended. */
static void run_child(struct nats_server *s)
{
    auto_file FILE *lines = NULL;
    pthread_mutex_lock(&s->lock);
    pid_t child = s->is_stopping ? 0 : spawn(s, &lines);
    s->child = child > 0 ? child : 0;
    pthread_mutex_unlock(&s->lock);
    if (child <= 0) {
        if (child < 0)
            log_error("nats", "nats-server was not started", LF_INT("errno", errno));
        return;
    }
    char line[LINE_MAX_BYTES];
    while (lines && fgets(line, sizeof line, lines)) {
        line[strcspn(line, "\n")] = '\0';
        tell(line);
    }
    siginfo_t info = {0};
    (void)waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    pthread_mutex_lock(&s->lock); /* its number may be another's once it is waited for */
    (void)waitpid(child, NULL, 0);
    s->child = 0;
    bool is_stopping = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    if (!is_stopping)
        log_warn("nats", info.si_code == CLD_EXITED ? "nats-server ended; starting it again"
                                                    : "nats-server was killed; starting it again",
                 LF_INT(info.si_code == CLD_EXITED ? "status" : "signal", info.si_status));
}

/* False when it is time to stop. */
static bool pause_for(struct nats_server *s, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us % US_PER_S * 1000;
    until.tv_sec += (time_t)(us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (!s->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool is_stopping = s->is_stopping;
    pthread_mutex_unlock(&s->lock);
    return !is_stopping;
}

static void *watch(void *ctx)
{
    struct nats_server *s = ctx;
    logger_set_thread("nats");
    int64_t wait_us = BACKOFF_LEAST_US;
    while (true) {
        int64_t began_us = clock_monotonic_us();
        run_child(s);
        if (clock_monotonic_us() - began_us > LIVED_WELL_US)
            wait_us = BACKOFF_LEAST_US;
        if (!pause_for(s, wait_us))
            break;
        wait_us = wait_us < BACKOFF_MOST_US / 2 ? 2 * wait_us : BACKOFF_MOST_US;
    }
    return NULL;
}

/* --- public ------------------------------------------------------------------------------------ */

static void free_server(struct nats_server *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    if (s->url)
        secret_wipe(s->url, strlen(s->url));
    free(s->url);
    free(s->program);
    free(s->settings);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

enum status nats_server_start(const struct nats_server_config *c, struct nats_server **ret,
                              struct error *err)
{
    TRY(nats_server_check(err));
    struct nats_server *s = xcalloc(1, sizeof *s);
    s->lock_fd = -1;
    s->program = find_program();
    s->settings = xasprintf("%s/server.conf", c->folder);
    snprintf(s->memory, sizeof s->memory, "GOMEMLIMIT=%" PRId64, c->max_memory);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    enum status status = take_folder(s, c->folder, err);
    if (status == STATUS_OK)
        status = write_settings(s, c, err);
    if (status == STATUS_OK && pthread_create(&s->thread, NULL, watch, s) != 0)
        status = fail(err, STATUS_INTERNAL, "the thread that watches nats-server did not start");
    if (status != STATUS_OK) {
        free_server(s);
        return status;
    }
    *ret = s;
    return STATUS_OK;
}

const char *nats_server_url(const struct nats_server *s)
{
    return s->url;
}

void nats_server_stop(struct nats_server *s)
{
    if (!s)
        return;
    struct timespec until;
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    if (s->child)
        kill(s->child, SIGTERM);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    if (pthread_timedjoin_np(s->thread, NULL, &until) != 0) {
        log_warn("nats", "nats-server does not end and is killed");
        pthread_mutex_lock(&s->lock);
        if (s->child)
            kill(s->child, SIGKILL);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    free_server(s);
}
