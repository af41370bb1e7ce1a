#include "../test.h"

#include <arpa/inet.h>

#include "base/address.h"
#include "base/mem.h"

#include "base/banned.h"

static void ranges_hold_what_they_say(void **state)
{
    static const struct {
        const char *range, *address;
        bool has;
    } rows[] = {
        {"172.17.0.1", "172.17.0.1", true},
        {"172.17.0.1", "172.17.0.2", false},
        {"10.0.0.0/8", "10.255.0.3", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.168.4.0/23", "192.168.5.255", true},
        {"192.168.4.0/23", "192.168.6.0", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "fd00::1", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
        {"10.0.0.1/32", "::ffff:10.0.0.1", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"fd00::/8", "10.0.0.1", false},
        {"::1", "::1", true},
        {"::/0", "2001:db8::1", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address_range r;
        struct address a;
        struct error err;
        if (address_range_parse(str_of(rows[i].range), &r, &err) != STATUS_OK)
            fail_msg("row %zu: %s", i, err.text);
        assert_true(address_parse(str_of(rows[i].address), &a));
        if (address_range_has(&r, &a) != rows[i].has)
            fail_msg("row %zu", i);
    }
}

static void a_bad_range_is_named(void **state)
{
    static const struct {
        const char *range, *says;
    } rows[] = {
        {"", "'' is no address"},
        {"localhost", "'localhost' is no address"},
        {"10.0.0", "'10.0.0' is no address"},
        {"10.0.0.256", "is no address"},
        {"10.0.0.1:80", "is no address"},
        {"/8", "is no address"},
        {"fe80::1%eth0", "is no address"},
        {"10.0.0.0/", "between 0 and 32"},
        {"10.0.0.0/33", "between 0 and 32"},
        {"10.0.0.0/-1", "between 0 and 32"},
        {"10.0.0.0/8/8", "between 0 and 32"},
        {"fd00::/129", "between 0 and 128"},
        {"10.0.0.1/8", "did you mean 10.0.0.0/8 or 10.0.0.1 ?"},
        {"fd00::5/16", "did you mean fd00::/16 or fd00::5 ?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address_range r;
        struct error err = {0};
        assert_int_equal(address_range_parse(str_of(rows[i].range), &r, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void texts_and_sockets_give_addresses(void **state)
{
    char text[ADDRESS_TEXT_MAX];
    struct address a;
    static const struct {
        const char *said, *is;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1"},       {"10.0.0.1:80", "10.0.0.1"}, {"fd00::1", "fd00::1"},
        {"[fd00::1]", "fd00::1"},       {"[fd00::1]:80", "fd00::1"}, {"::ffff:1.2.3.4", "1.2.3.4"},
        {"unknown", NULL},              {"_hidden", NULL},           {"", NULL},
        {"[fd00::1", NULL},             {":80", NULL},               {"[]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool is = address_parse(str_of(rows[i].said), &a);
        if (is != (rows[i].is != NULL))
            fail_msg("row %zu", i);
        if (!is)
            continue;
        address_format(&a, text);
        assert_string_equal(text, rows[i].is);
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(address_of_socket((const void *)&v4, &a));
    address_format(&a, text);
    assert_string_equal(text, "127.0.0.1");
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_true(address_of_socket((const void *)&v6, &a));
    address_format(&a, text);
    assert_string_equal(text, "::1");
    struct sockaddr none = {.sa_family = AF_UNIX};
    assert_false(address_of_socket(&none, &a));
    assert_false(address_of_socket(NULL, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(a_bad_range_is_named),
        cmocka_unit_test(texts_and_sockets_give_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
