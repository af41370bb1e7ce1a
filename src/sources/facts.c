#include "sources/facts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>

#include "base/json_read.h"

#include "base/banned.h"

enum { TEXT_MAX = 1000, KBPS_UNLIMITED = 10000000 };

const char *fact_text(struct arena *a, const json_t *obj, const char *key)
{
    char scratch[32];
    const char *s = jtext(obj, key, scratch);
    if (!s || !*s)
        return "";
    size_t len = strlen(s);
    if (len > TEXT_MAX) {
        len = TEXT_MAX;
        while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
            len--;
    }
    return arena_strndup(a, s, len);
}

int64_t fact_int(const json_t *obj, const char *key)
{
    int64_t v = jint(obj, key, -1);
    return v < 0 ? -1 : v;
}

const char *fact_lower(struct arena *a, const char *s)
{
    if (!*s)
        return "";
    char *copy = arena_strdup(a, s);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

const char *fact_address(struct arena *a, const char *s)
{
    struct str t = str_trim(str_of(s));
    const char *close = t.len && t.ptr[0] == '[' ? memchr(t.ptr, ']', t.len) : NULL;
    if (close) {
        t = (struct str){t.ptr + 1, (size_t)(close - t.ptr) - 1};
    } else {
        const char *colon = t.len ? memchr(t.ptr, ':', t.len) : NULL;
        if (colon && !memchr(colon + 1, ':', t.len - (size_t)(colon - t.ptr) - 1))
            t.len = (size_t)(colon - t.ptr);
    }
    const char *zone = t.len ? memchr(t.ptr, '%', t.len) : NULL;
    if (zone)
        t.len = (size_t)(zone - t.ptr);
    static const char mapped[] = "::ffff:";
    bool is_mapped = t.len > sizeof(mapped) && memchr(t.ptr, '.', t.len) &&
                     str_eq_nocase((struct str){t.ptr, sizeof(mapped) - 1}, STR("::ffff:"));
    if (is_mapped)
        t = (struct str){t.ptr + sizeof(mapped) - 1, t.len - sizeof(mapped) + 1};
    char text[INET6_ADDRSTRLEN];
    unsigned char raw[sizeof(struct in6_addr)];
    if (t.len == 0 || t.len >= sizeof(text))
        return "";
    memcpy(text, t.ptr, t.len);
    text[t.len] = '\0';
    if (inet_pton(AF_INET, text, raw) != 1 &&
        (is_mapped || inet_pton(AF_INET6, text, raw) != 1))
        return "";
    return arena_strdup(a, text);
}

bool fact_address_is_private(const char *address)
{
    unsigned char b[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, address, b) == 1)
        return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
               (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) ||
               (b[0] == 100 && (b[1] & 0xc0) == 64);
    if (inet_pton(AF_INET6, address, b) == 1) {
        static const unsigned char loopback[16] = {[15] = 1};
        return (b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
               memcmp(b, loopback, sizeof(loopback)) == 0;
    }
    return false;
}

const char *fact_resolution(int64_t width, int64_t height)
{
    static const struct {
        int64_t width, height;
        const char *name;
    } steps[] = {
        {7000, 4000, "8k"},  {3400, 1900, "4k"}, {2400, 1300, "1440"}, {1700, 950, "1080"},
        {1150, 650, "720"},  {0x7fffffff, 560, "576"}, {700, 400, "480"}, {1, 1, "sd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (width >= steps[i].width || height >= steps[i].height)
            return steps[i].name;
    return "";
}

const char *fact_file_key(struct arena *a, const char *path, int64_t size_bytes, int64_t duration_ms)
{
    enum { BYTES = 16 };
    unsigned char hash[BYTES];
    char hex[2 * BYTES + 1];
    if (!*path || size_bytes <= 0)
        return "";
    auto_free char *text = xasprintf("%s\n%" PRId64 "\n%" PRId64, path, size_bytes, duration_ms);
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text, strlen(text), NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return arena_strdup(a, hex);
}

int64_t fact_kbps(int64_t bits_per_second)
{
    int64_t kbps = bits_per_second / 1000;
    return bits_per_second <= 0 || bits_per_second == INT32_MAX || kbps >= KBPS_UNLIMITED ? -1
                                                                                          : kbps;
}
