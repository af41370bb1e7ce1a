#include "places/places.h"

#include <arpa/inet.h>
#include <math.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/banned.h"

struct places {
    size_t count;
    MMDB_s *files;
};

enum { ADDRESS_TEXT_MAX = 128 };

struct prefix {
    uint8_t bytes[16];
    unsigned bits;
    const char *address_class;
};

/* The first that matches decides. */
static const struct prefix prefixes_v4[] = {
    {{0}, 8, "unknown"},
    {{127}, 8, "loopback"},
    {{10}, 8, "lan"},
    {{172, 16}, 12, "lan"},
    {{192, 168}, 16, "lan"},
    {{169, 254}, 16, "link-local"},
    {{100, 64}, 10, "cgnat"},
    {{192, 0, 2}, 24, "unknown"},    /* documentation */
    {{198, 51, 100}, 24, "unknown"}, /* documentation */
    {{203, 0, 113}, 24, "unknown"},  /* documentation */
    {{198, 18}, 15, "unknown"},      /* benchmarks */
    {{224}, 3, "unknown"},           /* multicast, reserved, broadcast */
    {{0}, 0, "public"},
};

static const struct prefix prefixes_v6[] = {
    {{[15] = 1}, 128, "loopback"},
    {{0xfe, 0x80}, 10, "link-local"},
    {{0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0}, 48, "tailscale"},
    {{0xfc}, 7, "ula"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "unknown"}, /* documentation */
    {{0x3f, 0xff}, 20, "unknown"},             /* documentation */
    {{0x20}, 3, "public"},                     /* global unicast */
    {{0}, 0, "unknown"},
};

static bool is_in(const uint8_t *address, const struct prefix *p)
{
    unsigned whole = p->bits / 8, rest = p->bits % 8;
    if (memcmp(address, p->bytes, whole) != 0)
        return false;
    return rest == 0 || ((address[whole] ^ p->bytes[whole]) >> (8 - rest)) == 0;
}

/* The tables end with an entry that matches everything. */
static const char *class_of(const uint8_t *address, const struct prefix *p)
{
    while (!is_in(address, p))
        p++;
    return p->address_class;
}

/* Reads an address, a mapped one as IPv4; an interface after '%' is ignored. */
static bool parse(const char *text, struct sockaddr_storage *ret)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[ADDRESS_TEXT_MAX];
    size_t len = strcspn(text, "%");
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';

    *ret = (struct sockaddr_storage){0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (!text[len] && inet_pton(AF_INET, copy, &v4.sin_addr) == 1) {
        memcpy(ret, &v4, sizeof v4);
        return true;
    }
    if (inet_pton(AF_INET6, copy, &v6.sin6_addr) != 1)
        return false;
    if (memcmp(&v6.sin6_addr, mapped, sizeof mapped) == 0) {
        memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + sizeof mapped, sizeof v4.sin_addr);
        memcpy(ret, &v4, sizeof v4);
    } else {
        memcpy(ret, &v6, sizeof v6);
    }
    return true;
}

static bool get(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *ret)
{
    return MMDB_aget_value(entry, ret, path) == MMDB_SUCCESS && ret->has_data;
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Copies a text, cut between characters where it is too long. */
static bool get_text(MMDB_entry_s *entry, const char *const *path, char *ret, size_t size)
{
    MMDB_entry_data_s data;
    if (!get(entry, path, &data) || data.type != MMDB_DATA_TYPE_UTF8_STRING || !data.data_size)
        return false;
    size_t len = data.data_size;
    if (len >= size) {
        len = size - 1;
        while (len && ((unsigned char)data.utf8_string[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(ret, data.utf8_string, len);
    ret[len] = '\0';
    return true;
}

static bool get_degrees(MMDB_entry_s *entry, const char *const *path, double limit, double *ret)
{
    MMDB_entry_data_s data;
    if (!get(entry, path, &data))
        return false;
    if (data.type == MMDB_DATA_TYPE_DOUBLE)
        *ret = data.double_value;
    else if (data.type == MMDB_DATA_TYPE_FLOAT)
        *ret = (double)data.float_value;
    else
        return false;
    return isfinite(*ret) && fabs(*ret) <= limit;
}

/* Reads a place in the flat layout or the nested one, by what is there. */
static bool read_place(MMDB_entry_s *e, struct place_found *ret)
{
    struct place_found f = {.address_class = ret->address_class, .has_place = true};
    bool has_degrees;
    if (get_text(e, PATH("country_code"), f.country_code, sizeof f.country_code)) {
        get_text(e, PATH("state1"), f.region, sizeof f.region);
        get_text(e, PATH("city"), f.city, sizeof f.city);
        has_degrees = get_degrees(e, PATH("latitude"), 90, &f.latitude) &&
                      get_degrees(e, PATH("longitude"), 180, &f.longitude);
    } else if (get_text(e, PATH("country", "iso_code"), f.country_code, sizeof f.country_code)) {
        get_text(e, PATH("country", "names", "en"), f.country, sizeof f.country);
        get_text(e, PATH("subdivisions", "0", "names", "en"), f.region, sizeof f.region);
        get_text(e, PATH("city", "names", "en"), f.city, sizeof f.city);
        has_degrees = get_degrees(e, PATH("location", "latitude"), 90, &f.latitude) &&
                      get_degrees(e, PATH("location", "longitude"), 180, &f.longitude);
    } else {
        return false;
    }
    /* Databases write 0, 0 where they do not know; nobody watches there. */
    if (!has_degrees || (fpclassify(f.latitude) == FP_ZERO && fpclassify(f.longitude) == FP_ZERO))
        return false;
    *ret = f;
    return true;
}

enum status places_open(const char *const *files, size_t count, struct places **ret,
                        struct error *err)
{
    struct places *p = xcalloc(1, sizeof *p);
    p->files = xcalloc(count ? count : 1, sizeof *p->files);
    for (size_t i = 0; i < count; i++) {
        int rc = MMDB_open(files[i], MMDB_MODE_MMAP, &p->files[i]);
        if (rc != MMDB_SUCCESS) {
            places_close(p);
            return fail(err, rc == MMDB_FILE_OPEN_ERROR ? STATUS_IO : STATUS_INVALID, "%s: %s",
                        files[i], MMDB_strerror(rc));
        }
        p->count++;
        const char *type = p->files[i].metadata.database_type;
        if (!strcasestr(type, "city") && !strcasestr(type, "enterprise")) {
            enum status s = fail(err, STATUS_INVALID, "%s: not a database of cities but \"%.64s\"",
                                 files[i], type);
            places_close(p);
            return s;
        }
    }
    *ret = p;
    return STATUS_OK;
}

void places_close(struct places *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        MMDB_close(&p->files[i]);
    free(p->files);
    free(p);
}

void places_lookup(void *places, const char *address, struct place_found *ret)
{
    const struct places *p = places;
    struct sockaddr_storage storage;
    *ret = (struct place_found){.address_class = "unknown"};
    if (!parse(address, &storage))
        return;
    if (storage.ss_family == AF_INET)
        ret->address_class = class_of(
            (const uint8_t *)&((const struct sockaddr_in *)&storage)->sin_addr, prefixes_v4);
    else
        ret->address_class = class_of(
            ((const struct sockaddr_in6 *)&storage)->sin6_addr.s6_addr, prefixes_v6);
    if (!p || strcmp(ret->address_class, "public") != 0)
        return;
    for (size_t i = 0; i < p->count; i++) {
        int rc;
        MMDB_lookup_result_s found =
            MMDB_lookup_sockaddr(&p->files[i], (const struct sockaddr *)&storage, &rc);
        if (rc == MMDB_SUCCESS && found.found_entry && read_place(&found.entry, ret))
            return;
    }
}
