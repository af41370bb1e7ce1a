#include "../test.h"

#include "auth/origin.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

static void same_origin_by_host_and_port(void **state)
{
    static const struct {
        const char *origin, *host, *site;
        bool is_same;
        const char *scheme;
    } rows[] = {
        {NULL, "localhost:3857", NULL, true},
        {"http://localhost:3857", "localhost:3857", "same-origin", true},
        {"http://LOCALHOST:3857", "localhost:3857", NULL, true},
        {"http://evil.example", "localhost:3857", NULL, false},
        {"http://localhost:3858", "localhost:3857", NULL, false},
        {"https://map.example.com", "map.example.com", NULL, true},
        {"http://localhost:8088", "localhost", NULL, true},
        {"http://localhost", "localhost:80", NULL, true},
        {"https://localhost", "localhost:80", NULL, false},
        {"http://[::1]:3857", "[::1]:3857", NULL, true},
        {"http://[::1]:3857", "[::2]:3857", NULL, false},
        {"null", "localhost:3857", NULL, false},
        {"file://", "localhost:3857", NULL, false},
        {"http://localhost.evil.example", "localhost", NULL, false},
        {"http://localhost:3857", NULL, NULL, false},
        {NULL, "localhost:3857", "cross-site", false},
        {"https://map.example.com", "map.example.com", NULL, true, "https"},
        {"https://map.example.com:8443", "map.example.com:8443", NULL, true, "https"},
        {"http://map.example.com", "map.example.com", NULL, false, "https"},
        {"https://map.example.com", "map.example.com", NULL, false, "http"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (auth_is_same_origin(rows[i].origin, rows[i].scheme, rows[i].host, rows[i].site) != rows[i].is_same)
            fail_msg("row %zu", i);
    }
}

static int64_t try_from(struct throttle *t, const char *account, const char *address, int64_t now_us)
{
    return throttle_try(t, &(struct throttle_who){account, address, NULL}, now_us);
}

static void failures_are_delayed_by_account_and_address(void **state)
{
    struct throttle *t = throttle_new();
    for (int i = 0; i < 4; i++)
        assert_int_equal(try_from(t, "ann", "10.0.0.1", 1), 0);
    assert_int_equal(try_from(t, "ann", "10.0.0.1", 1), 0);
    assert_true(try_from(t, "ann", "10.0.0.9", 1) > 0);
    assert_true(try_from(t, "bob", "10.0.0.1", 1) > 0);
    assert_int_equal(try_from(t, "bob", "10.0.0.9", 1), 0);
    assert_int_equal(try_from(t, "ann", "10.0.0.1", 1 + 2 * US_PER_S), 0);
    throttle_succeeded(t, &(struct throttle_who){"ann", "10.0.0.1", NULL});
    assert_int_equal(try_from(t, "ann", "10.0.0.1", 1 + 2 * US_PER_S), 0);
    throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_origin_by_host_and_port),
        cmocka_unit_test(failures_are_delayed_by_account_and_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
