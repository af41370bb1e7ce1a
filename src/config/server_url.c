#include "config/server_url.h"

#include <ctype.h>

#include "base/str.h"

#include "base/banned.h"

enum { URL_MAX = 2048 };

/* Host and port of "host[:port]" or "[v6][:port]"; NULL: without a port. */
static const char *colon_of(struct str host)
{
    if (!host.ptr || !host.len)
        return NULL;
    const char *bracket = memrchr(host.ptr, ']', host.len);
    return bracket ? memchr(bracket, ':', host.len - (size_t)(bracket - host.ptr))
                   : memchr(host.ptr, ':', host.len);
}

static struct str host_of(struct str rest)
{
    const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
    return (struct str){rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
}

/* http:// before it and the kind's usual port in it, unless it has one. */
static char *with_port(enum server_kind kind, struct str rest)
{
    struct str host = host_of(rest);
    bool has_port = colon_of(host) != NULL;
    return xasprintf("http://%.*s%s%s%.*s", (int)host.len, host.ptr, has_port ? "" : ":",
                     has_port ? "" : server_kinds[kind].port, (int)(rest.len - host.len),
                     rest.ptr + host.len);
}

/* What belongs into no address is refused before any of it is shown: it may be a secret. */
static enum status check_parts(struct str s, struct error *err)
{
    if (s.len > URL_MAX)
        return fail(err, STATUS_INVALID, "the address has over %d characters", URL_MAX);
    if (!s.len)
        return fail(err, STATUS_INVALID, "is missing; give the server's address");
    if (memchr(s.ptr, '@', s.len))
        return fail(err, STATUS_INVALID, "user and password do not belong into the address");
    if (memchr(s.ptr, '?', s.len) || memchr(s.ptr, '#', s.len))
        return fail(err, STATUS_INVALID, "an address ends before '?' or '#'");
    return STATUS_OK;
}

static enum status check_scheme(enum server_kind kind, struct str s, char **likely, struct error *err)
{
    if (str_has_prefix(s, STR("http://")) || str_has_prefix(s, STR("https://")))
        return STATUS_OK;
    if (memmem(s.ptr, s.len, "://", 3))
        return fail(err, STATUS_INVALID, "'%.*s' is neither http:// nor https://", (int)s.len, s.ptr);
    *likely = with_port(kind, s);
    return fail(err, STATUS_INVALID, "'%.*s' has no http:// or https://; did you mean %s ?", (int)s.len,
                s.ptr, *likely);
}

static enum status check_host(enum server_kind kind, struct str s, char **likely, struct error *err)
{
    bool is_tls = s.ptr[4] == 's';
    size_t scheme = is_tls ? strlen("https://") : strlen("http://");
    struct str rest = {s.ptr + scheme, s.len - scheme}, host = host_of(rest);
    const char *colon = colon_of(host);
    if (!host.len || colon == host.ptr)
        return fail(err, STATUS_INVALID, "'%.*s' names no host", (int)s.len, s.ptr);
    for (size_t i = 0; i < s.len; i++)
        if (isspace((unsigned char)s.ptr[i]) || iscntrl((unsigned char)s.ptr[i]))
            return fail(err, STATUS_INVALID, "'%.*s' has white space in it", (int)s.len, s.ptr);
    if (colon) {
        struct str digits = {colon + 1, host.len - (size_t)(colon + 1 - host.ptr)};
        int64_t number;
        if (!str_to_i64(digits, &number) || number < 1 || number > 65535)
            return fail(err, STATUS_INVALID, "'%.*s' is no port; it must be between 1 and 65535",
                        (int)digits.len, digits.ptr);
    } else if (!is_tls) {
        *likely = with_port(kind, rest);
        return fail(err, STATUS_INVALID,
                    "'%.*s' has no port; did you mean %s ? (port 80 must be typed)", (int)s.len, s.ptr,
                    *likely);
    }
    return STATUS_OK;
}

char *server_url_check(enum server_kind kind, const char *value, char **ret_likely, struct error *err)
{
    struct str s = str_trim(str_of(value));
    auto_free char *likely = NULL;
    if (ret_likely)
        *ret_likely = NULL;
    enum status status = check_parts(s, err);
    if (status == STATUS_OK)
        status = check_scheme(kind, s, &likely, err);
    if (status == STATUS_OK)
        status = check_host(kind, s, &likely, err);
    if (status != STATUS_OK) {
        if (ret_likely)
            *ret_likely = steal_ptr(&likely);
        return NULL;
    }
    while (s.len && s.ptr[s.len - 1] == '/')
        s.len--;
    return xstrndup(s.ptr, s.len);
}
