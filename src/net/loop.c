#include "net/loop.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_socket.h"

#include "base/banned.h"

enum {
    TIMEOUT_MS_DEFAULT = 30000,
    CONNECT_TIMEOUT_MS = 10000,
    MOST_BYTES_DEFAULT = 16 * 1024 * 1024,
    MOST_REDIRECTS = 3,
    POLL_MS_MAX = 60000,
    CONNECTIONS_PER_HOST = 8,
};

struct posted {
    void (*call)(void *);
    void *ctx;
};

struct loop_timer {
    int64_t due_us;
    void (*call)(void *);
    void *ctx;
    struct loop_timer *next;
};

struct http_call {
    CURL *easy; /* NULL: could not be started, `failure` says why */
    struct curl_slist *headers;
    char *method;
    char *body;
    size_t body_len;
    struct buf answer;
    size_t most_bytes;
    bool is_too_large;
    unsigned redirects;
    int64_t started_us;
    int64_t deadline_us;
    struct error failure;
    char curl_error[CURL_ERROR_SIZE];
    void (*done)(void *ctx, const struct http_answer *a);
    void *ctx;
    struct http_call *next;
};

struct loop {
    CURLM *multi;
    atomic_bool is_stopping;
    struct loop_timer *timers; /* earliest first */
    struct http_call *calls;
    struct loop_socket *sockets;
    struct loop_socket *closed_sockets;
    bool has_failed_calls;

    pthread_mutex_t lock; /* guards what follows */
    struct posted *posted;
    size_t posted_count, posted_room;
};

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status loop_new(struct loop **ret, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, global_init);
    CURLM *multi = curl_multi_init();
    if (!multi)
        return fail(err, STATUS_NOMEM, "cannot start the HTTP client");
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST);
    struct loop *l = xcalloc(1, sizeof(*l));
    l->multi = multi;
    pthread_mutex_init(&l->lock, NULL);
    *ret = l;
    return STATUS_OK;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->is_stopping, true);
    curl_multi_wakeup(l->multi);
}

void loop_post(struct loop *l, void (*call)(void *), void *ctx)
{
    pthread_mutex_lock(&l->lock);
    if (l->posted_count == l->posted_room) {
        l->posted_room = l->posted_room ? 2 * l->posted_room : 16;
        l->posted = xreallocarray(l->posted, l->posted_room, sizeof(*l->posted));
    }
    l->posted[l->posted_count++] = (struct posted){call, ctx};
    pthread_mutex_unlock(&l->lock);
    curl_multi_wakeup(l->multi);
}

static void run_posted(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    struct posted *calls = l->posted;
    size_t count = l->posted_count;
    l->posted = NULL;
    l->posted_count = l->posted_room = 0;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < count; i++)
        calls[i].call(calls[i].ctx);
    free(calls);
}

/* --- timers ------------------------------------------------------------------------------- */

struct loop_timer *loop_timer_start(struct loop *l, int64_t delay_us, void (*call)(void *),
                                    void *ctx)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));
    t->due_us = clock_monotonic_us() + (delay_us > 0 ? delay_us : 0);
    t->call = call;
    t->ctx = ctx;
    struct loop_timer **at = &l->timers;
    while (*at && (*at)->due_us <= t->due_us)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    return t;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
    if (!t)
        return;
    for (struct loop_timer **at = &l->timers; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            free(t);
            return;
        }
}

static void run_timers(struct loop *l)
{
    int64_t now_us = clock_monotonic_us();
    while (l->timers && l->timers->due_us <= now_us && !atomic_load(&l->is_stopping)) {
        struct loop_timer t = *l->timers;
        free(l->timers);
        l->timers = t.next;
        t.call(t.ctx);
    }
}

/* --- HTTP --------------------------------------------------------------------------------- */

enum status loop_curl_error(CURL *easy, CURLcode code, const char *detail, struct error *err)
{
    enum status s = STATUS_UNAVAILABLE;
    if (code == CURLE_OPERATION_TIMEDOUT)
        s = STATUS_TIMEOUT;
    else if (code == CURLE_URL_MALFORMAT)
        s = STATUS_INVALID;
    else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_PINNEDPUBKEYNOTMATCH ||
             code == CURLE_SSL_CONNECT_ERROR || code == CURLE_WEIRD_SERVER_REPLY ||
             code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_BAD_CONTENT_ENCODING ||
             code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM)
        s = STATUS_PROTOCOL;
    if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
        return fail(err, s, "the server's certificate is not the pinned one");
    if (!detail || !*detail)
        detail = curl_easy_strerror(code);
    long why = 0;
    if (code == CURLE_COULDNT_CONNECT && easy)
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &why);
    return fail(err, s, "%s%s%s", detail, why ? ": " : "", why ? strerrordesc_np((int)why) : "");
}

static void set_tls(CURL *easy, const struct tls_options *tls)
{
    /* A pin is the stronger statement: it also makes a self-signed certificate acceptable. */
    bool is_checked = !tls->is_unverified && !tls->pinned_sha256;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, is_checked ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, is_checked ? 2L : 0L);
    if (tls->pinned_sha256)
        curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, tls->pinned_sha256);
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *c = ctx;
    size_t len = size * count;
    if (c->answer.len + len > c->most_bytes) {
        c->is_too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_add(&c->answer, data, len);
    return len;
}

static void free_call(struct http_call *c)
{
    if (c->easy)
        curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    buf_done(&c->answer);
    free(c->method);
    free(c->body);
    free(c);
}

static void unlink_call(struct loop *l, struct http_call *c)
{
    for (struct http_call **at = &l->calls; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            return;
        }
}

static void set_method(struct http_call *c)
{
    bool is_get = streq(c->method, "GET");
    if (c->body_len || !is_get) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body ? c->body : "");
    } else {
        curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
    }
    if (streq(c->method, "HEAD")) {
        curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST,
                     is_get || streq(c->method, "HEAD") ? NULL : c->method);
}

struct http_call *http_fetch(struct loop *l, const struct http_request *r,
                             void (*done)(void *ctx, const struct http_answer *a), void *ctx)
{
    struct http_call *c = xcalloc(1, sizeof(*c));
    int64_t timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : TIMEOUT_MS_DEFAULT;
    c->most_bytes = r->most_bytes ? r->most_bytes : MOST_BYTES_DEFAULT;
    c->answer = BUF_INIT(c->most_bytes + 1);
    c->started_us = clock_monotonic_us();
    c->deadline_us = c->started_us + timeout_ms * US_PER_MS;
    c->method = xstrdup(r->method ? r->method : "GET");
    if (r->body.len) {
        c->body = xstrndup(r->body.ptr, r->body.len);
        memcpy(c->body, r->body.ptr, r->body.len);
        c->body_len = r->body.len;
    }
    c->done = done;
    c->ctx = ctx;
    c->next = l->calls;
    l->calls = c;
    c->easy = curl_easy_init();
    if (!c->easy) {
        (void)fail(&c->failure, STATUS_NOMEM, "cannot start an HTTP call");
        l->has_failed_calls = true;
        return c;
    }
    for (size_t i = 0; r->headers && r->headers[i]; i++)
        c->headers = curl_slist_append(c->headers, r->headers[i]);
    c->headers = curl_slist_append(c->headers, "Expect:");
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, (char *)c);
    curl_easy_setopt(c->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_error);
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c->easy, CURLOPT_MAXAGE_CONN, 60L);
    set_tls(c->easy, &r->tls);
    set_method(c);
    CURLMcode code = curl_multi_add_handle(l->multi, c->easy);
    if (code != CURLM_OK) {
        curl_easy_cleanup(c->easy);
        c->easy = NULL;
        (void)fail(&c->failure, STATUS_INTERNAL, "%s", curl_multi_strerror(code));
        l->has_failed_calls = true;
    }
    return c;
}

void http_call_cancel(struct loop *l, struct http_call *c)
{
    if (!c)
        return;
    unlink_call(l, c);
    if (c->easy)
        curl_multi_remove_handle(l->multi, c->easy);
    free_call(c);
}

static void url_part(CURLU *u, CURLUPart part, char *dst, size_t room)
{
    char *text = NULL;
    dst[0] = '\0';
    if (curl_url_get(u, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK && text)
        snprintf(dst, room, "%s", text);
    curl_free(text);
}

/* Same scheme, host and port, or https instead of http on the same host. */
static enum status check_redirect(const char *from, const char *to, struct error *err)
{
    struct {
        char scheme[16], host[256], port[8];
    } parts[2] = {0};
    for (unsigned i = 0; i < 2; i++) {
        CURLU *u = curl_url();
        if (u && curl_url_set(u, CURLUPART_URL, i ? to : from, 0) == CURLUE_OK) {
            url_part(u, CURLUPART_SCHEME, parts[i].scheme, sizeof(parts[i].scheme));
            url_part(u, CURLUPART_HOST, parts[i].host, sizeof(parts[i].host));
            url_part(u, CURLUPART_PORT, parts[i].port, sizeof(parts[i].port));
        }
        curl_url_cleanup(u);
    }
    bool is_same_host =
        *parts[1].host && str_eq_nocase(str_of(parts[0].host), str_of(parts[1].host));
    bool is_same = is_same_host && streq(parts[0].scheme, parts[1].scheme) &&
                   streq(parts[0].port, parts[1].port);
    bool is_upgrade =
        is_same_host && streq(parts[0].scheme, "http") && streq(parts[1].scheme, "https");
    if (is_same || is_upgrade)
        return STATUS_OK;
    return fail(err, STATUS_DENIED, "the server redirects to another place (%s://%s:%s)",
                parts[1].scheme, parts[1].host, parts[1].port);
}

/* True when the call goes on at another address. */
static bool follow_redirect(struct loop *l, struct http_call *c, int code)
{
    if (code != 301 && code != 302 && code != 303 && code != 307 && code != 308)
        return false;
    char *to = NULL;
    char *from = NULL;
    curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to);
    curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &from);
    if (!to || !from)
        return false;
    if (check_redirect(from, to, &c->failure) != STATUS_OK)
        return false;
    if (c->redirects++ == MOST_REDIRECTS) {
        (void)fail(&c->failure, STATUS_DENIED, "the server redirects too often");
        return false;
    }
    int64_t left_ms = (c->deadline_us - clock_monotonic_us()) / US_PER_MS;
    if (left_ms <= 0) {
        (void)fail(&c->failure, STATUS_TIMEOUT, "timed out while following redirects");
        return false;
    }
    auto_free char *url = xstrdup(to);
    curl_multi_remove_handle(l->multi, c->easy);
    buf_clear(&c->answer);
    curl_easy_setopt(c->easy, CURLOPT_URL, url);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    if (code != 307 && code != 308 && streq(c->method, "POST")) {
        free(c->method);
        c->method = xstrdup("GET");
        c->body_len = 0;
        set_method(c);
    }
    CURLMcode added = curl_multi_add_handle(l->multi, c->easy);
    if (added == CURLM_OK)
        return true;
    (void)fail(&c->failure, STATUS_INTERNAL, "%s", curl_multi_strerror(added));
    return false;
}

static int64_t server_clock(CURL *easy)
{
    struct curl_header *date = NULL;
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
        return TIME_NONE;
    time_t at = curl_getdate(date->value, NULL);
    return at > 0 ? at * US_PER_S : TIME_NONE;
}

static void finish_call(struct loop *l, struct http_call *c, CURLcode code)
{
    long http_code = 0;
    char *content_type = NULL;
    if (c->easy) {
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http_code);
        if (code == CURLE_OK && follow_redirect(l, c, (int)http_code))
            return;
        curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &content_type);
        curl_multi_remove_handle(l->multi, c->easy);
    }
    unlink_call(l, c);
    struct http_answer a = {.took_us = clock_monotonic_us() - c->started_us,
                            .server_us = c->easy ? server_clock(c->easy) : TIME_NONE};
    if (c->is_too_large)
        (void)fail(&c->failure, STATUS_TOO_LARGE, "the answer is over %zu bytes", c->most_bytes);
    else if (c->failure.status == STATUS_OK && code != CURLE_OK)
        (void)loop_curl_error(c->easy, code, c->curl_error, &c->failure);
    a.is_tls_fault = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
                     code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
    a.error = c->failure;
    a.status = c->failure.status;
    a.code = (int)http_code;
    a.content_type = content_type ? content_type : "";
    if (a.status == STATUS_OK)
        a.body = buf_str(&c->answer);
    c->done(c->ctx, &a);
    free_call(c);
}

static void finish_failed_calls(struct loop *l)
{
    while (l->has_failed_calls) {
        l->has_failed_calls = false;
        for (struct http_call *c = l->calls; c; c = c->next)
            if (!c->easy) {
                l->has_failed_calls = true;
                finish_call(l, c, CURLE_OK);
                break;
            }
    }
}

/* --- sockets ------------------------------------------------------------------------------ */

enum status loop_socket_open(struct loop *l, struct loop_socket *s, const char *url,
                             const struct tls_options *tls, struct error *err)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return fail(err, STATUS_NOMEM, "cannot start a connection");
    s->easy = easy;
    s->fd = CURL_SOCKET_BAD;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, s->curl_error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set_tls(easy, tls);
    CURLMcode code = curl_multi_add_handle(l->multi, easy);
    if (code != CURLM_OK) {
        curl_easy_cleanup(easy);
        s->easy = NULL;
        return fail(err, STATUS_INTERNAL, "%s", curl_multi_strerror(code));
    }
    s->next = l->sockets;
    l->sockets = s;
    return STATUS_OK;
}

void loop_socket_close(struct loop *l, struct loop_socket *s)
{
    for (struct loop_socket **at = &l->sockets; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    if (s->easy) {
        curl_multi_remove_handle(l->multi, s->easy);
        curl_easy_cleanup(s->easy);
        s->easy = NULL;
    }
    s->fd = CURL_SOCKET_BAD;
    s->is_closed = true;
    s->next = l->closed_sockets;
    l->closed_sockets = s;
}

static void release_sockets(struct loop *l)
{
    while (l->closed_sockets) {
        struct loop_socket *s = l->closed_sockets;
        l->closed_sockets = s->next;
        s->ops->release(s);
    }
}

static void take_messages(struct loop *l)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(l->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;
        struct loop_socket *s = l->sockets;
        while (s && s->easy != easy)
            s = s->next;
        if (s) {
            if (code == CURLE_OK)
                curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &s->fd);
            s->ops->connected(s, code, s->curl_error);
            continue;
        }
        char *c = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
        finish_call(l, (struct http_call *)(void *)c, code);
    }
}

static void wait_for_events(struct loop *l)
{
    struct curl_waitfd fds[64];
    struct loop_socket *sockets[ARRAY_LEN(fds)];
    unsigned count = 0;
    for (struct loop_socket *s = l->sockets; s && count < ARRAY_LEN(fds); s = s->next) {
        if (s->fd == CURL_SOCKET_BAD || (!s->wants_read && !s->wants_write))
            continue;
        sockets[count] = s;
        fds[count++] = (struct curl_waitfd){
            .fd = s->fd,
            .events = (short)((s->wants_read ? CURL_WAIT_POLLIN : 0) |
                              (s->wants_write ? CURL_WAIT_POLLOUT : 0))};
    }
    int64_t timeout_ms = POLL_MS_MAX;
    if (l->timers) {
        int64_t left_us = l->timers->due_us - clock_monotonic_us();
        int64_t left_ms = left_us <= 0 ? 0 : (left_us + US_PER_MS - 1) / US_PER_MS;
        timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
    }
    if (l->has_failed_calls)
        timeout_ms = 0;
    int ready = 0;
    curl_multi_poll(l->multi, fds, count, (int)timeout_ms, &ready);
    for (unsigned i = 0; i < count; i++)
        if (fds[i].revents && !sockets[i]->is_closed)
            sockets[i]->ops->ready(sockets[i]);
}

void loop_run(struct loop *l)
{
    while (!atomic_load(&l->is_stopping)) {
        run_posted(l);
        run_timers(l);
        int running;
        curl_multi_perform(l->multi, &running);
        take_messages(l);
        finish_failed_calls(l);
        release_sockets(l);
        if (!atomic_load(&l->is_stopping))
            wait_for_events(l);
    }
    atomic_store(&l->is_stopping, false);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->calls) {
        struct http_call *c = l->calls;
        unlink_call(l, c);
        if (c->easy)
            curl_multi_remove_handle(l->multi, c->easy);
        struct http_answer a = {.content_type = ""};
        a.status = fail(&a.error, STATUS_CANCELLED, "cancelled");
        c->done(c->ctx, &a);
        free_call(c);
    }
    while (l->sockets) {
        struct loop_socket *s = l->sockets;
        s->ops->cancelled(s);
        if (!s->is_closed)
            loop_socket_close(l, s);
    }
    release_sockets(l);
    while (l->timers) {
        struct loop_timer *t = l->timers;
        l->timers = t->next;
        free(t);
    }
    curl_multi_cleanup(l->multi);
    pthread_mutex_destroy(&l->lock);
    free(l->posted);
    free(l);
}
