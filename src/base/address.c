#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/banned.h"

enum { V4_AT = 12, V4_BITS = 32, ALL_BITS = 128 };

static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

static bool parse_plain(struct str s, struct address *ret)
{
    char text[ADDRESS_TEXT_MAX];
    if (!s.len || s.len >= sizeof text || memchr(s.ptr, '\0', s.len))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    struct address a;
    if (inet_pton(AF_INET6, text, a.bytes) != 1) {
        memcpy(a.bytes, mapped, sizeof mapped);
        if (inet_pton(AF_INET, text, a.bytes + V4_AT) != 1)
            return false;
    }
    *ret = a;
    return true;
}

bool address_parse(struct str s, struct address *ret)
{
    if (parse_plain(s, ret))
        return true;
    if (!s.len)
        return false;
    const char *end = s.ptr[0] == '[' ? memchr(s.ptr, ']', s.len) : memchr(s.ptr, ':', s.len);
    if (!end)
        return false;
    size_t from = s.ptr[0] == '[';
    return parse_plain((struct str){s.ptr + from, (size_t)(end - s.ptr) - from}, ret);
}

bool address_of_socket(const struct sockaddr *sa, struct address *ret)
{
    if (sa && sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)sa;
        memcpy(ret->bytes, mapped, sizeof mapped);
        memcpy(ret->bytes + V4_AT, &v4->sin_addr, sizeof v4->sin_addr);
        return true;
    }
    if (!sa || sa->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const void *)sa;
    memcpy(ret->bytes, &v6->sin6_addr, sizeof ret->bytes);
    return true;
}

void address_format(const struct address *a, char dst[static ADDRESS_TEXT_MAX])
{
    const void *from = a->bytes + (is_v4(a) ? V4_AT : 0);
    if (!inet_ntop(is_v4(a) ? AF_INET : AF_INET6, from, dst, ADDRESS_TEXT_MAX))
        dst[0] = '\0';
}

/* Puts every bit after the first `bits` to zero. */
static void cut(struct address *a, unsigned bits)
{
    for (unsigned i = 0; i < sizeof a->bytes; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        if (kept < 8)
            a->bytes[i] = (uint8_t)(a->bytes[i] & (0xff00u >> kept));
    }
}

enum status address_range_parse(struct str s, struct address_range *ret, struct error *err)
{
    const char *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;
    struct str text = {s.ptr, slash ? (size_t)(slash - s.ptr) : s.len};
    struct address a;
    if (!parse_plain(text, &a))
        return fail(err, STATUS_INVALID,
                    "'%.*s' is no address; it must be one such as 172.17.0.1 or fd00::1, or a network "
                    "such as 10.0.0.0/8 (a name is not looked up)", (int)s.len, s.ptr);
    unsigned most = is_v4(&a) ? V4_BITS : ALL_BITS;
    int64_t bits = most;
    if (slash && (!str_to_i64((struct str){slash + 1, s.len - text.len - 1}, &bits) || bits < 0 ||
                  bits > most))
        return fail(err, STATUS_INVALID, "'%.*s': what is behind the / must be between 0 and %u",
                    (int)s.len, s.ptr, most);
    struct address_range r = {a, (unsigned)bits + ALL_BITS - most};
    cut(&r.first, r.bits);
    if (memcmp(&r.first, &a, sizeof a) != 0) {
        char first[ADDRESS_TEXT_MAX];
        address_format(&r.first, first);
        return fail(err, STATUS_INVALID,
                    "'%.*s' is an address within a network; did you mean %s/%lld or %.*s ?", (int)s.len,
                    s.ptr, first, (long long)bits, (int)text.len, text.ptr);
    }
    *ret = r;
    return STATUS_OK;
}

bool address_range_has(const struct address_range *r, const struct address *a)
{
    struct address first = *a;
    cut(&first, r->bits);
    return memcmp(&first, &r->first, sizeof first) == 0;
}
