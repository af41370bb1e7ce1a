#include "net/http_server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/logger.h"
#include "net/unix_path.h"
#include "net/upgraded.h"
#include "net/ws_accept.h"

#include "base/banned.h"

enum {
    BODY_MAX_DEFAULT = 1024 * 1024,
    HEADERS_MAX = 24,
    CONNECTION_MEMORY = 32 * 1024,
    REQUEST_ID_MAX = 17,
};

/* One of the two ways in: the TCP port and the control socket. */
struct entrance {
    struct http_server *server;
    struct MHD_Daemon *daemon; /* NULL: not open */
    bool is_control;
};

struct http_server {
    struct entrance tcp, control;
    struct http_server_config config;
    char *socket_path;
    uint16_t port;
    _Atomic bool is_stopping;
    _Atomic uint64_t next_id;
    pthread_mutex_t lock;
    struct http_exchange *open; /* all that are not completed */
};

enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_HANDLED };

/*
 * One request. Shared by the http thread and whoever keeps it: `users` counts both. `lock` guards
 * what they both touch: response, is_suspended, is_replied.
 */
struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_exchange *next, *prev;
    pthread_mutex_t lock;
    unsigned users;
    enum phase phase;
    char id[REQUEST_ID_MAX];
    char *method;
    char *path;
    char *query_text;
    struct buf body;
    struct http_body_policy policy;
    int body_fd;
    uint64_t body_bytes;
    char *body_path;
    bool is_body_refused;
    bool is_kept, is_suspended, is_replied, is_queued;
    bool is_control;
    int status;
    struct MHD_Response *response;
    size_t header_count;
    struct {
        char *name, *value;
    } headers[HEADERS_MAX];
    void *user;
    void (*free_user)(void *);
};

/* --- life of an exchange ------------------------------------------------------------------- */

static struct http_exchange *exchange_new(struct entrance *from, struct MHD_Connection *c,
                                          const char *url, const char *query_text)
{
    struct http_server *s = from->server;
    struct http_exchange *x = xcalloc(1, sizeof *x);
    x->server = s;
    x->is_control = from->is_control;
    x->connection = c;
    x->users = 1;
    x->body_fd = -1;
    pthread_mutex_init(&x->lock, NULL);
    x->path = xstrdup(url);
    x->query_text = xstrdup(query_text ? query_text : "");
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = ++s->next_id;
    snprintf(x->id, sizeof x->id, "%016" PRIx64, random);
    pthread_mutex_lock(&s->lock);
    x->next = s->open;
    if (s->open)
        s->open->prev = x;
    s->open = x;
    pthread_mutex_unlock(&s->lock);
    return x;
}

static void exchange_unref(struct http_exchange *x)
{
    pthread_mutex_lock(&x->lock);
    bool is_last = --x->users == 0;
    pthread_mutex_unlock(&x->lock);
    if (!is_last)
        return;
    if (x->free_user)
        x->free_user(x->user);
    if (x->body_fd >= 0)
        close(x->body_fd);
    if (x->body_path) {
        unlink(x->body_path);
        free(x->body_path);
    }
    if (x->response)
        MHD_destroy_response(x->response);
    for (size_t i = 0; i < x->header_count; i++) {
        free(x->headers[i].name);
        free(x->headers[i].value);
    }
    if (x->body.data) /* a password, a token */
        secret_wipe(x->body.data, x->body.room);
    buf_done(&x->body);
    free(x->method);
    free(x->path);
    free(x->query_text);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* http thread: the connection is through with this request. */
static void on_completed(void *cls, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    struct http_exchange *x = *slot;
    (void)connection;
    (void)code;
    struct http_server *s = cls;
    if (!x)
        return;
    *slot = NULL;
    pthread_mutex_lock(&s->lock);
    if (x->prev)
        x->prev->next = x->next;
    else
        s->open = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->next = x->prev = NULL;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_lock(&x->lock);
    x->connection = NULL;
    pthread_mutex_unlock(&x->lock);
    exchange_unref(x);
}

/* --- replying ------------------------------------------------------------------------------ */

/* Takes over `response`. The first reply counts; the keeper's share ends with it. */
static void reply_with(struct http_exchange *x, int status, struct MHD_Response *response)
{
    pthread_mutex_lock(&x->lock);
    bool was_kept = x->is_kept;
    x->is_kept = false;
    if (x->is_replied) {
        if (response)
            MHD_destroy_response(response);
    } else {
        x->is_replied = true;
        x->status = status;
        x->response = response;
        for (size_t i = 0; response && i < x->header_count; i++)
            MHD_add_response_header(response, x->headers[i].name, x->headers[i].value);
        if (response && status != MHD_HTTP_SWITCHING_PROTOCOLS)
            MHD_add_response_header(response, "X-Request-Id", x->id);
        if (x->is_suspended && x->connection) {
            x->is_suspended = false;
            MHD_resume_connection(x->connection);
        }
    }
    pthread_mutex_unlock(&x->lock);
    if (was_kept)
        exchange_unref(x);
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    pthread_mutex_lock(&x->lock);
    if (x->header_count < HEADERS_MAX) {
        x->headers[x->header_count].name = xstrdup(name);
        x->headers[x->header_count++].value = xstrdup(value);
    }
    pthread_mutex_unlock(&x->lock);
}

static void reply_memory(struct http_exchange *x, int status, const char *content_type, void *data,
                         size_t len, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(len, data, mode);
    if (r && content_type)
        MHD_add_response_header(r, "Content-Type", content_type);
    reply_with(x, status, r);
}

/* libmicrohttpd takes a pointer to non-const memory that it only reads. */
static void *unconst(const void *p)
{
    union {
        const void *c;
        void *v;
    } u = {.c = p};
    return u.v;
}

void http_reply(struct http_exchange *x, int status, const char *content_type, struct str body)
{
    reply_memory(x, status, content_type, unconst(body.ptr ? body.ptr : ""), body.len,
                 MHD_RESPMEM_MUST_COPY);
}

void http_reply_take(struct http_exchange *x, int status, const char *content_type, char *body,
                     size_t len)
{
    reply_memory(x, status, content_type, body, len, MHD_RESPMEM_MUST_FREE);
}

void http_reply_static(struct http_exchange *x, int status, const char *content_type,
                       struct str body)
{
    reply_memory(x, status, content_type, unconst(body.ptr ? body.ptr : ""), body.len,
                 MHD_RESPMEM_PERSISTENT);
}

void http_reply_fd(struct http_exchange *x, int status, const char *content_type, int fd,
                   uint64_t size)
{
    struct MHD_Response *r = MHD_create_response_from_fd64(size, fd);
    if (!r)
        close(fd);
    else if (content_type)
        MHD_add_response_header(r, "Content-Type", content_type);
    reply_with(x, status, r);
}

void http_keep(struct http_exchange *x)
{
    pthread_mutex_lock(&x->lock);
    if (!x->is_kept)
        x->users++;
    x->is_kept = true;
    pthread_mutex_unlock(&x->lock);
}

/* --- WebSocket hand-over ------------------------------------------------------------------- */

struct upgrade {
    void (*opened)(void *ctx, int fd, char *leftover, size_t leftover_len);
    void *ctx;
};

static void on_upgraded(void *cls, struct MHD_Connection *connection, void *con_cls,
                        const char *extra, size_t extra_len, MHD_socket sock,
                        struct MHD_UpgradeResponseHandle *handle)
{
    struct upgrade *u = cls;
    (void)connection;
    (void)con_cls;
    char *leftover = NULL;
    if (extra_len) {
        leftover = xmalloc(extra_len);
        memcpy(leftover, extra, extra_len);
    }
    upgraded_remember(sock, handle);
    u->opened(u->ctx, sock, leftover, extra_len);
    free(u);
}

/* True if a comma separated header holds the word. */
static bool has_token(const char *header, const char *word)
{
    struct str rest = str_of(header), piece;
    while (header && str_next(&rest, ',', &piece))
        if (str_eq_nocase(str_trim(piece), str_of(word)))
            return true;
    return false;
}

bool http_wants_upgrade(const struct http_exchange *x)
{
    const char *key = http_header(x, "Sec-WebSocket-Key");
    const char *version = http_header(x, "Sec-WebSocket-Version");
    return has_token(http_header(x, "Upgrade"), "websocket") &&
           has_token(http_header(x, "Connection"), "upgrade") && key && strlen(key) == 24 &&
           version && streq(version, "13");
}

void http_upgrade(struct http_exchange *x,
                  void (*opened)(void *ctx, int fd, char *leftover, size_t leftover_len), void *ctx)
{
    if (!http_wants_upgrade(x)) {
        http_add_header(x, "Upgrade", "websocket");
        http_add_header(x, "Sec-WebSocket-Version", "13");
        http_reply(x, 426, "text/plain", STR("this is a WebSocket address, version 13\n"));
        return;
    }
    char accept[WS_ACCEPT_TEXT];
    ws_accept_key(str_of(http_header(x, "Sec-WebSocket-Key")), accept);
    struct upgrade *u = xcalloc(1, sizeof *u);
    *u = (struct upgrade){opened, ctx};
    struct MHD_Response *r = MHD_create_response_for_upgrade(on_upgraded, u);
    if (!r) {
        free(u);
        http_reply(x, 500, "text/plain", STR("cannot upgrade\n"));
        return;
    }
    MHD_add_response_header(r, "Upgrade", "websocket");
    MHD_add_response_header(r, "Sec-WebSocket-Accept", accept);
    reply_with(x, MHD_HTTP_SWITCHING_PROTOCOLS, r);
}

/* --- the request --------------------------------------------------------------------------- */

const char *http_method(const struct http_exchange *x)
{
    return x->method;
}

const char *http_path(const struct http_exchange *x)
{
    return x->path;
}

const char *http_query_text(const struct http_exchange *x)
{
    return x->query_text;
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (!x->connection ||
        MHD_lookup_connection_value_n(x->connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES)
        return NULL;
    return value ? value : "";
}

struct each_call {
    bool (*each)(void *ctx, const char *name, const char *value);
    void *ctx;
};

static enum MHD_Result each_value(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct each_call *q = cls;
    (void)kind;
    return q->each(q->ctx, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void http_query_each(const struct http_exchange *x,
                     bool (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
    struct each_call q = {each, ctx};
    if (x->connection)
        MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, each_value, &q);
}

static enum MHD_Result find_nul(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t len)
{
    const char **found = cls;
    (void)kind;
    if (strlen(name) == name_len && (!value || strlen(value) == len))
        return MHD_YES;
    *found = name;
    return MHD_NO;
}

const char *http_query_with_nul(const struct http_exchange *x)
{
    const char *found = NULL;
    if (x->connection)
        MHD_get_connection_values_n(x->connection, MHD_GET_ARGUMENT_KIND, find_nul, &found);
    return found;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    return x->connection ? MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name) : NULL;
}

void http_header_each(const struct http_exchange *x,
                      bool (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
    struct each_call q = {each, ctx};
    if (x->connection)
        MHD_get_connection_values(x->connection, MHD_HEADER_KIND, each_value, &q);
}

bool http_cookie(const struct http_exchange *x, const char *name, char *dst, size_t size)
{
    const char *v =
        x->connection ? MHD_lookup_connection_value(x->connection, MHD_COOKIE_KIND, name) : NULL;
    if (!v || strlen(v) >= size)
        return false;
    memcpy(dst, v, strlen(v) + 1);
    return true;
}

struct str http_body(const struct http_exchange *x)
{
    return buf_str(&x->body);
}

const char *http_body_file(const struct http_exchange *x)
{
    return x->body_path;
}

char *http_steal_body_file(struct http_exchange *x)
{
    return steal_ptr(&x->body_path);
}

const struct sockaddr *http_peer(const struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        x->connection ? MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                      : NULL;
    return info ? info->client_addr : NULL;
}

bool http_is_control(const struct http_exchange *x)
{
    return x->is_control;
}

const char *http_request_id(const struct http_exchange *x)
{
    return x->id;
}

bool http_is_gone(const struct http_exchange *x)
{
    if (x->server->is_stopping || !x->connection)
        return true;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return true;
    char byte;
    ssize_t n = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void http_set_user(struct http_exchange *x, void *user, void (*free_fn)(void *))
{
    x->user = user;
    x->free_user = free_fn;
}

void *http_user(const struct http_exchange *x)
{
    return x->user;
}

/* --- what libmicrohttpd calls -------------------------------------------------------------- */

/* The rest of the body is read and dropped, so that the client hears of it. */
static void refuse_body(struct http_exchange *x, int status, const char *code, const char *why)
{
    if (x->is_body_refused)
        return;
    x->is_body_refused = true;
    buf_clear(&x->body);
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"field\":\"\",\"request_id\":"
                     "\"%s\"}}", code, why, x->id);
    http_add_header(x, "Connection", "close");
    http_reply(x, status, "application/json", (struct str){text, (size_t)n});
}

static void refuse_size(struct http_exchange *x)
{
    char why[96];
    snprintf(why, sizeof why, "the request body is over the limit of %zu bytes", x->policy.most_bytes);
    refuse_body(x, 413, "TOO_LARGE", why);
}

/* Into a file: a full disk, mostly. */
static void refuse_file(struct http_exchange *x, int error)
{
    char why[128];
    snprintf(why, sizeof why, "the file cannot be written on the server: %s", strerrordesc_np(error));
    log_warn("http", "a file that is being sent cannot be written", LF_TEXT("path", x->body_path),
             LF_TEXT("error", why));
    refuse_body(x, 500, "IO", why);
}

static bool take_body(struct http_exchange *x, const char *data, size_t len)
{
    x->body_bytes += len;
    if (x->body_bytes > x->policy.most_bytes) {
        refuse_size(x);
        return true;
    }
    if (x->body_fd < 0) {
        buf_add(&x->body, data, len);
        return !x->body.is_overflowed;
    }
    while (len) {
        ssize_t n = write(x->body_fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            refuse_file(x, n ? errno : ENOSPC);
            return true;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool begin_body(struct http_exchange *x)
{
    const struct http_server_config *c = &x->server->config;
    x->policy = c->body_policy ? c->body_policy(c->ctx, x) : (struct http_body_policy){0};
    if (x->is_replied) /* refused before the body */
        return true;
    if (!x->policy.most_bytes)
        x->policy.most_bytes = BODY_MAX_DEFAULT;
    x->body.cap = x->policy.most_bytes;
    const char *length = http_header(x, "Content-Length");
    int64_t n;
    bool is_known = length && str_to_i64(str_of(length), &n) && n >= 0;
    if (is_known && (uint64_t)n > x->policy.most_bytes) {
        refuse_size(x);
        return true;
    }
    bool has_body = length ? !streq(length, "0") : http_header(x, "Transfer-Encoding") != NULL;
    if (x->policy.into_folder && has_body) {
        x->body_path = xasprintf("%s/upload-%s.part", x->policy.into_folder, x->id);
        x->body_fd = open(x->body_path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (x->body_fd < 0)
            refuse_file(x, errno);
    } else if (has_body) {
        buf_reserve(&x->body, is_known ? (size_t)n : x->policy.most_bytes);
    }
    return true;
}

static enum MHD_Result queue_response(struct http_exchange *x)
{
    if (x->is_queued)
        return MHD_YES;
    x->is_queued = true;
    if (!x->response)
        return MHD_NO;
    return MHD_queue_response(x->connection, (unsigned)x->status, x->response);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **slot)
{
    struct http_server *s = cls;
    struct http_exchange *x = *slot;
    (void)version;
    (void)url;
    if (!x || x->phase == PHASE_HEADERS) {
        if (!x) /* refused by on_uri */
            return MHD_NO;
        x->connection = connection;
        x->method = xstrdup(streq(method, "HEAD") ? "GET" : method);
        x->phase = PHASE_BODY;
        if (!begin_body(x))
            return MHD_NO;
        return x->is_replied ? queue_response(x) : MHD_YES;
    }
    if (*data_len) {
        if (!x->is_replied && !take_body(x, data, *data_len))
            return MHD_NO;
        *data_len = 0;
        return MHD_YES;
    }
    if (x->phase == PHASE_BODY && !x->is_replied) {
        x->phase = PHASE_HANDLED;
        if (x->body_fd >= 0) {
            close(x->body_fd);
            x->body_fd = -1;
        }
        logger_set_request(x->id);
        s->config.handle(s->config.ctx, x);
        logger_set_request(NULL);
    }
    pthread_mutex_lock(&x->lock);
    bool is_replied = x->is_replied;
    if (!is_replied && !x->is_suspended) {
        x->is_suspended = true;
        MHD_suspend_connection(connection);
    }
    pthread_mutex_unlock(&x->lock);
    return is_replied ? queue_response(x) : MHD_YES;
}

/* The control socket is for our own user and root: whoever it belongs to, as the kernel says. */
static bool is_own_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred who;
    socklen_t len = sizeof who;
    return info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

/* What is below `base`: "/" for itself, `path` where it is not below it. */
static const char *below_base(const char *base, const char *path)
{
    size_t len = base ? strlen(base) : 0;
    if (len == 0 || strncmp(path, base, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return path;
    return path[len] ? path + len : "/";
}

/* Sees the raw address first: the query text is not to be had later. NULL: the connection is cut. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct entrance *from = cls;
    if (from->is_control && !is_own_peer(connection))
        return NULL;
    const char *question = strchr(uri, '?');
    auto_free char *path = question ? xstrndup(uri, (size_t)(question - uri)) : xstrdup(uri);
    if (!strstr(path, "%00")) /* would end it: then nothing is meant by it */
        MHD_http_unescape(path);
    return exchange_new(from, connection, below_base(from->server->config.base_path, path),
                        question ? question + 1 : "");
}

/* --- start and stop ------------------------------------------------------------------------ */

/* "process 123 (name)" of whoever listens on the port, or "". */
static void describe_holder(uint16_t port, char *dst, size_t size)
{
    *dst = '\0';
    unsigned long inode = 0;
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    for (size_t i = 0; i < ARRAY_LEN(tables) && !inode; i++) {
        auto_file FILE *f = fopen(tables[i], "re");
        char line[512];
        while (f && fgets(line, sizeof line, f)) {
            unsigned p, state;
            unsigned long found;
            if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &p, &state,
                       &found) == 3 &&
                p == port && state == 0x0a) {
                inode = found;
                break;
            }
        }
    }
    if (!inode)
        return;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && !*dst && (entry = readdir(proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        char folder[300];
        snprintf(folder, sizeof folder, "/proc/%s/fd", entry->d_name);
        DIR *fds = opendir(folder);
        struct dirent *fd;
        while (fds && !*dst && (fd = readdir(fds))) {
            char path[600], target[64];
            snprintf(path, sizeof path, "%s/%s", folder, fd->d_name);
            ssize_t n = readlink(path, target, sizeof target - 1);
            if (n <= 0)
                continue;
            target[n] = '\0';
            if (!streq(target, wanted))
                continue;
            char name[64] = "?";
            snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
            auto_file FILE *comm = fopen(path, "re");
            if (comm && fgets(name, sizeof name, comm))
                name[strcspn(name, "\n")] = '\0';
            snprintf(dst, size, "process %.20s (%.63s)", entry->d_name, name);
        }
        if (fds)
            closedir(fds);
    }
    if (proc)
        closedir(proc);
}

/* freeaddrinfo() the list. */
static enum status find_address(const char *host, uint16_t port, struct addrinfo **ret,
                                struct error *err)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int rc = getaddrinfo(host, service, &hints, ret);
    if (rc == 0)
        return STATUS_OK;
    return fail_field(err, STATUS_INVALID, "HTTP_HOST",
                      "cannot listen on '%s': %s; it must be an address of this machine, or 0.0.0.0 "
                      "for all", host, gai_strerror(rc));
}

enum status http_server_check_host(const char *host, struct error *err)
{
    struct addrinfo *list = NULL;
    TRY(find_address(host, 0, &list, err));
    auto_fd int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_ours = fd >= 0 && bind(fd, list->ai_addr, list->ai_addrlen) == 0;
    int why = errno;
    freeaddrinfo(list);
    return is_ours ? STATUS_OK
                   : fail(err, STATUS_INVALID, "cannot listen on '%s': %s; it must be an address of "
                          "this machine, or 0.0.0.0 for all", host, strerrordesc_np(why));
}

static enum status listen_on(const char *host, uint16_t port, int *ret_fd, struct error *err)
{
    struct addrinfo *list = NULL;
    TRY(find_address(host, port, &list, err));
    auto_fd int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, off = 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (list->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    bool ok = fd >= 0 && bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, 511) == 0;
    int why = errno;
    freeaddrinfo(list);
    if (ok) {
        *ret_fd = steal_fd(&fd);
        return STATUS_OK;
    }
    if (why != EADDRINUSE)
        return fail_errno(err, why, "listen on %s port %u", host, port);
    char holder[160];
    describe_holder(port, holder, sizeof holder);
    return fail_field(err, STATUS_CONFLICT, "HTTP_PORT",
                      "port %u is taken%s%s; stop that program or choose another HTTP_PORT", port,
                      *holder ? " by " : "", holder);
}

static void no_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void no_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    char text[256];
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_debug("net", text);
}

static enum status listen_at(const char *path, int *ret_fd, struct error *err)
{
    auto_cleanup(unix_path_done) struct unix_path at = UNIX_PATH_NONE;
    TRY(unix_path_init(path, &at, err));
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path); /* of one who died: the caller makes sure that nobody else is alive */
    /* Nobody can connect before listen(), so the mode is right in time. */
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at.address, sizeof at.address) != 0 ||
        chmod(path, 0600) != 0 || listen(fd, 16) != 0)
        return fail_errno(err, errno, "listen at '%s'", path);
    *ret_fd = steal_fd(&fd);
    return STATUS_OK;
}

/* Takes over fd; threads 0: one, without a pool. daemon stays NULL on failure. */
static void open_entrance(struct entrance *e, int fd, unsigned threads, unsigned most_connections)
{
    struct http_server *s = e->server;
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    e->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_ARRAY, threads ? pool : pool + 1,
        MHD_OPTION_CONNECTION_LIMIT, most_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        s->config.timeout_s ? s->config.timeout_s : 75, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, e, MHD_OPTION_END);
    if (!e->daemon)
        close(fd);
}

static enum status open_tcp(struct http_server *s, struct error *err)
{
    const struct http_server_config *c = &s->config;
    int fd = -1;
    TRY(listen_on(c->host, c->port, &fd, err));
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    getsockname(fd, (struct sockaddr *)&bound, &bound_len);
    s->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                : ((struct sockaddr_in *)&bound)->sin_port);
    open_entrance(&s->tcp, fd, c->threads ? c->threads : 2,
                  c->most_connections ? c->most_connections : 1024);
    if (!s->tcp.daemon)
        return fail(err, STATUS_IO, "the HTTP server did not start on port %u", c->port);
    return STATUS_OK;
}

static enum status open_control(struct http_server *s, struct error *err)
{
    int fd = -1;
    TRY(listen_at(s->config.socket_path, &fd, err));
    s->socket_path = xstrdup(s->config.socket_path);
    open_entrance(&s->control, fd, 0, 32);
    if (!s->control.daemon)
        return fail(err, STATUS_IO, "the HTTP server did not start at '%s'", s->socket_path);
    return STATUS_OK;
}

enum status http_server_start(const struct http_server_config *config, struct http_server **ret,
                              struct error *err)
{
    struct http_server *s = xcalloc(1, sizeof *s);
    s->config = *config;
    s->tcp = (struct entrance){.server = s};
    s->control = (struct entrance){.server = s, .is_control = true};
    pthread_mutex_init(&s->lock, NULL);
    enum status status = config->host ? open_tcp(s, err) : STATUS_OK;
    if (status == STATUS_OK && config->socket_path)
        status = open_control(s, err);
    if (status != STATUS_OK) {
        http_server_stop(s);
        return status;
    }
    *ret = s;
    return STATUS_OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

/* Every suspended connection has to be resumed before a daemon may stop. */
static void resume_all(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct http_exchange *x = s->open; x; x = x->next) {
        pthread_mutex_lock(&x->lock);
        if (x->is_suspended && x->connection) {
            x->is_suspended = false;
            x->is_replied = true;
            x->status = 503;
            x->response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
            MHD_resume_connection(x->connection);
        }
        pthread_mutex_unlock(&x->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    s->is_stopping = true;
    struct entrance *const entrances[] = {&s->tcp, &s->control};
    MHD_socket listening[ARRAY_LEN(entrances)];
    for (size_t i = 0; i < ARRAY_LEN(entrances); i++)
        listening[i] = entrances[i]->daemon ? MHD_quiesce_daemon(entrances[i]->daemon)
                                            : MHD_INVALID_SOCKET;
    resume_all(s);
    for (size_t i = 0; i < ARRAY_LEN(entrances); i++) {
        if (entrances[i]->daemon)
            MHD_stop_daemon(entrances[i]->daemon);
        if (listening[i] != MHD_INVALID_SOCKET)
            close(listening[i]);
    }
    if (s->socket_path)
        unlink(s->socket_path);
    free(s->socket_path);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
