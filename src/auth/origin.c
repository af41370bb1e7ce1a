#include "auth/origin.h"

#include <stdlib.h>

#include "base/str.h"

#include "base/banned.h"

/* "host[:port]" or "[v6][:port]" -> its two parts; port empty when absent. */
static bool split_host(struct str text, struct str *ret_host, struct str *ret_port)
{
    *ret_port = STR("");
    if (text.len == 0)
        return false;
    const char *colon;
    if (text.ptr[0] == '[') {
        const char *close = memchr(text.ptr, ']', text.len);
        if (close == NULL)
            return false;
        size_t len = (size_t)(close - text.ptr) + 1;
        *ret_host = (struct str){text.ptr, len};
        if (len == text.len)
            return true;
        colon = close + 1;
        if (*colon != ':')
            return false;
    } else {
        colon = memchr(text.ptr, ':', text.len);
        if (colon == NULL) {
            *ret_host = text;
            return true;
        }
        *ret_host = (struct str){text.ptr, (size_t)(colon - text.ptr)};
    }
    size_t used = (size_t)(colon - text.ptr) + 1;
    *ret_port = (struct str){colon + 1, text.len - used};
    return ret_host->len > 0 && ret_port->len > 0;
}

bool auth_is_same_origin(const char *origin, const char *scheme, const char *host,
                         const char *fetch_site)
{
    if (fetch_site != NULL && streq(fetch_site, "cross-site"))
        return false;
    if (origin == NULL)
        return true;
    if (host == NULL)
        return false;
    struct str rest = str_of(origin);
    struct str default_port;
    if (str_has_prefix(rest, STR("http://"))) {
        default_port = STR("80");
        rest = (struct str){rest.ptr + 7, rest.len - 7};
    } else if (str_has_prefix(rest, STR("https://"))) {
        default_port = STR("443");
        rest = (struct str){rest.ptr + 8, rest.len - 8};
    } else {
        return false;
    }
    if (scheme != NULL && !streq(scheme, str_eq(default_port, STR("443")) ? "https" : "http"))
        return false;
    struct str origin_host, origin_port, own_host, own_port;
    if (!split_host(rest, &origin_host, &origin_port) ||
        !split_host(str_of(host), &own_host, &own_port))
        return false;
    if (!str_eq_nocase(origin_host, own_host))
        return false;
    if (own_port.len == 0)
        return true;
    return str_eq(origin_port.len > 0 ? origin_port : default_port, own_port);
}
