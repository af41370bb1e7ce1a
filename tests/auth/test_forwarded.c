#include "../test.h"

#include <arpa/inet.h>

#include "auth/forwarded.h"
#include "base/mem.h"

#include "base/banned.h"

static void only_trusted_proxies_are_believed(void **state)
{
    static const struct {
        const char *peer, *forwarded_for, *proto, *forwarded_host;
        const char *address, *scheme, *host;
    } rows[] = {
        /* nobody to believe */
        {"203.0.113.1", NULL, NULL, NULL, "203.0.113.1", NULL, "here:3857"},
        {"203.0.113.1", "198.51.100.1", "https", "evil.example", "203.0.113.1", NULL, "here:3857"},
        /* one proxy */
        {"10.0.0.1", "198.51.100.1", "https", "map.example.com", "198.51.100.1", "https", "map.example.com"},
        {"10.0.0.1", NULL, "http", NULL, "10.0.0.1", "http", "here:3857"},
        {"10.0.0.1", NULL, NULL, NULL, "10.0.0.1", NULL, "here:3857"},
        {"10.0.0.1", "198.51.100.1:4711", "HTTPS", "", "198.51.100.1", "https", "here:3857"},
        {"10.0.0.1", "[2001:db8::1]:4711", NULL, NULL, "2001:db8::1", NULL, "here:3857"},
        /* a chain, and what the first of it made up */
        {"10.0.0.1", "198.51.100.1, 10.0.0.2", NULL, NULL, "198.51.100.1", NULL, "here:3857"},
        {"10.0.0.1", "1.1.1.1, 198.51.100.1,10.0.0.2", NULL, NULL, "198.51.100.1", NULL, "here:3857"},
        {"10.0.0.1", "10.0.0.3,10.0.0.2", NULL, NULL, "10.0.0.3", NULL, "here:3857"},
        {"10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", NULL, NULL, "10.0.0.2", NULL, "here:3857"},
        {"10.0.0.1", "1.1.1.1,", "gopher", NULL, "10.0.0.1", NULL, "here:3857"},
        {"10.0.0.1", NULL, "http, https", "made.up, map.example.com:8443", "10.0.0.1", "https", "map.example.com:8443"},
    };
    struct trusted_proxies t = trusted_proxies_parse(" 172.17.0.1 , 10.0.0.0/8");
    assert_int_equal(t.count, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_in peer = {.sin_family = AF_INET};
        assert_int_equal(inet_pton(AF_INET, rows[i].peer, &peer.sin_addr), 1);
        struct request_origin r = {(const void *)&peer, "here:3857", rows[i].forwarded_for,
                                   rows[i].proto, rows[i].forwarded_host};
        struct asker a;
        asker_find(&t, &r, &a);
        bool is_scheme = a.scheme ? rows[i].scheme && streq(a.scheme, rows[i].scheme) : !rows[i].scheme;
        if (!streq(a.address, rows[i].address) || !is_scheme || !streq(a.host, rows[i].host))
            fail_msg("row %zu: %s %s %s", i, a.address, a.scheme ? a.scheme : "-", a.host);
    }
    free(t.ranges);
}

static void what_is_not_known_is_empty(void **state)
{
    struct trusted_proxies t = trusted_proxies_parse("");
    assert_int_equal(t.count, 0);
    struct request_origin nothing = {0};
    struct asker a;
    asker_find(&t, &nothing, &a);
    assert_string_equal(a.address, "");
    assert_string_equal(a.host, "");
    assert_null(a.scheme);
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct request_origin endless = {.host = text};
    asker_find(&t, &endless, &a);
    assert_string_equal(a.host, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_trusted_proxies_are_believed),
        cmocka_unit_test(what_is_not_known_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
