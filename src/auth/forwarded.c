#include "auth/forwarded.h"

#include <stdio.h>

#include "base/mem.h"

#include "base/banned.h"

struct trusted_proxies trusted_proxies_parse(const char *list)
{
    struct trusted_proxies t = {0};
    struct str rest = str_of(list), piece;
    while (str_next(&rest, ',', &piece)) {
        struct address_range r;
        if (address_range_parse(str_trim(piece), &r, NULL) != STATUS_OK)
            continue;
        t.ranges = xreallocarray(t.ranges, t.count + 1, sizeof *t.ranges);
        t.ranges[t.count++] = r;
    }
    return t;
}

static bool is_trusted(const struct trusted_proxies *t, const struct address *a)
{
    for (size_t i = 0; i < t->count; i++)
        if (address_range_has(&t->ranges[i], a))
            return true;
    return false;
}

/* Cuts the last piece off *rest; false when nothing is left. */
static bool last_piece(struct str *rest, struct str *ret)
{
    if (!rest->ptr)
        return false;
    const char *comma = rest->len ? memrchr(rest->ptr, ',', rest->len) : NULL;
    const char *from = comma ? comma + 1 : rest->ptr;
    *ret = str_trim((struct str){from, (size_t)(rest->ptr + rest->len - from)});
    *rest = comma ? (struct str){rest->ptr, (size_t)(comma - rest->ptr)} : (struct str){0};
    return true;
}

/* From the nearest to the farthest, as long as each is trusted and says who came to it. */
static struct address farthest(const struct trusted_proxies *t, struct address peer,
                               const char *forwarded_for)
{
    struct str rest = str_of(forwarded_for), piece;
    struct address said;
    while (is_trusted(t, &peer) && last_piece(&rest, &piece) &&
           address_parse(piece, &said))
        peer = said;
    return peer;
}

static const char *scheme_of(const char *forwarded_proto)
{
    struct str rest = str_of(forwarded_proto), last;
    if (last_piece(&rest, &last) && str_eq_nocase(last, STR("https")))
        return "https";
    return forwarded_proto && str_eq_nocase(last, STR("http")) ? "http" : NULL;
}

void asker_find(const struct trusted_proxies *t, const struct request_origin *r, struct asker *ret)
{
    *ret = (struct asker){0};
    struct str host = str_of(r->host), rest = str_of(r->forwarded_host), last;
    struct address peer;
    if (address_of_socket(r->peer, &peer)) {
        if (is_trusted(t, &peer)) {
            ret->scheme = scheme_of(r->forwarded_proto);
            if (last_piece(&rest, &last) && last.len)
                host = last;
        }
        struct address from = farthest(t, peer, r->forwarded_for);
        address_format(&from, ret->address);
    }
    if (host.len < sizeof ret->host)
        snprintf(ret->host, sizeof ret->host, "%.*s", (int)host.len, host.ptr ? host.ptr : "");
}
