#include "net/unix_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net/unix_path.h"

#include "base/banned.h"

struct transfer {
    const struct unix_request *request;
    CURL *curl;
    struct buf *body;
    FILE *file;
};

static void auto_curl_fn(CURL **c)
{
    curl_easy_cleanup(*c);
}

static void auto_list_fn(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count;
    long code = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (t->request->take && code / 100 == 2)
        return t->request->take(t->request->ctx, (struct str){data, len}) ? len : 0;
    buf_add(t->body, data, len);
    return t->body->is_overflowed ? 0 : len;
}

static size_t on_read(char *dst, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = fread(dst, 1, size * count, t->file);
    return n == 0 && ferror(t->file) ? CURL_READFUNC_ABORT : n;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = ctx;
    (void)down_total;
    (void)down;
    return t->request->sent && !t->request->sent(t->request->ctx, up, up_total);
}

/* Sends `body`, or the file. */
static enum status set_body(struct transfer *t, struct error *err)
{
    const struct unix_request *r = t->request;
    if (r->body_fd >= 0) {
        struct stat st;
        int fd = dup(r->body_fd);
        if (fd < 0 || fstat(fd, &st) != 0 || !(t->file = fdopen(fd, "r")))
            return fail_errno(err, errno, "read the file");
        curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)st.st_size);
        curl_easy_setopt(t->curl, CURLOPT_UPLOAD_BUFFERSIZE, 512 * 1024L);
    } else if (r->method && !streq(r->method, "GET")) {
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, r->body.len ? r->body.ptr : "");
    }
    if (r->method)
        curl_easy_setopt(t->curl, CURLOPT_CUSTOMREQUEST, r->method);
    return STATUS_OK;
}

static enum status tell(struct transfer *t, CURLcode rc, struct error *err)
{
    const char *path = t->request->socket_path;
    long why = 0;
    curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &why);
    if (rc == CURLE_COULDNT_CONNECT && (why == EACCES || why == EPERM))
        return fail(err, STATUS_DENIED, "'%s' belongs to another user", path);
    if (rc == CURLE_COULDNT_CONNECT)
        return fail(err, STATUS_UNAVAILABLE, "nobody listens at '%s'", path);
    if (rc == CURLE_WRITE_ERROR && t->body->is_overflowed)
        return fail(err, STATUS_TOO_LARGE, "the answer is too large");
    if (rc == CURLE_WRITE_ERROR || rc == CURLE_ABORTED_BY_CALLBACK)
        return t->file && ferror(t->file) ? fail(err, STATUS_IO, "the file cannot be read")
                                          : fail(err, STATUS_CANCELLED, "stopped");
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return fail(err, STATUS_TIMEOUT, "no answer at '%s'", path);
    return fail(err, STATUS_IO, "'%s': %s", path, curl_easy_strerror(rc));
}

static enum status fetch(struct transfer *t, const char *socket_path, int *ret_code,
                         struct error *err)
{
    const struct unix_request *r = t->request;
    auto_free char *url = xasprintf("http://localhost%s", r->target);
    curl_easy_setopt(t->curl, CURLOPT_URL, url);
    curl_easy_setopt(t->curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, r->sent ? 0L : 1L);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    TRY(set_body(t, err));
    auto_cleanup(auto_list_fn) struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/octet-stream");
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode rc = curl_easy_perform(t->curl);
    long code = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    /* A refusal may come, and the connection end, while the file is still being sent. */
    bool is_cut = rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR;
    if (rc != CURLE_OK && !(is_cut && code >= 400))
        return tell(t, rc, err);
    *ret_code = (int)code;
    return STATUS_OK;
}

enum status unix_fetch(const struct unix_request *r, int *ret_code, struct buf *ret_body,
                       struct error *err)
{
    auto_cleanup(unix_path_done) struct unix_path at = UNIX_PATH_NONE;
    TRY(unix_path_init(r->socket_path, &at, err));
    auto_cleanup(auto_curl_fn) CURL *curl = curl_easy_init();
    if (!curl)
        return fail(err, STATUS_NOMEM, "no memory for a request");
    struct transfer t = {.request = r, .curl = curl, .body = ret_body};
    enum status s = fetch(&t, at.address.sun_path, ret_code, err);
    if (t.file)
        fclose(t.file);
    return s;
}
