#include "../test.h"

#include <sodium.h>

#include "auth/remembered.h"
#include "base/clock.h"

#include "base/banned.h"

static const struct auth_user ann = {.id = 7, .name = "ann", .role = ROLE_ADMIN};

static void is_remembered_for_five_minutes(void **state)
{
    struct remembered *m = remembered_new();
    struct remembered_key k = remembered_key(m, "ann", "secret");
    struct auth_user user = {0};
    assert_false(remembered_find(m, &k, 1, &user));
    assert_false(remembered_begin(m, &k));
    remembered_end(m, &k, 1000, &ann);
    assert_true(remembered_find(m, &k, 1000 + 5 * US_PER_MIN - 1, &user));
    assert_int_equal(user.id, 7);
    assert_false(remembered_find(m, &k, 1000 + 5 * US_PER_MIN, &user));
    remembered_free(m);
}

static void name_and_password_do_not_run_into_each_other(void **state)
{
    struct remembered *m = remembered_new(), *other = remembered_new();
    struct remembered_key a = remembered_key(m, "an", "nsecret"), b = remembered_key(m, "ann", "secret");
    assert_memory_not_equal(a.bytes, b.bytes, sizeof a.bytes);
    struct remembered_key c = remembered_key(other, "ann", "secret");
    assert_memory_not_equal(c.bytes, b.bytes, sizeof b.bytes);
    remembered_free(other);
    remembered_free(m);
}

static void a_check_that_is_under_way_is_told_and_a_failure_is_not_remembered(void **state)
{
    struct remembered *m = remembered_new();
    struct remembered_key k = remembered_key(m, "ann", "wrong");
    struct auth_user user;
    assert_false(remembered_begin(m, &k));
    assert_true(remembered_begin(m, &k));
    remembered_end(m, &k, 1, NULL);
    assert_true(remembered_begin(m, &k));
    remembered_end(m, &k, 1, NULL);
    remembered_end(m, &k, 1, NULL);
    assert_false(remembered_begin(m, &k));
    assert_false(remembered_find(m, &k, 2, &user));
    remembered_free(m);
}

static void the_oldest_makes_room(void **state)
{
    struct remembered *m = remembered_new();
    struct auth_user user;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", i);
        struct remembered_key k = remembered_key(m, name, "x");
        remembered_end(m, &k, 1000 + i, &ann);
    }
    struct remembered_key first = remembered_key(m, "user0", "x"), last = remembered_key(m, "user99", "x");
    assert_false(remembered_find(m, &first, 1100, &user));
    assert_true(remembered_find(m, &last, 1100, &user));
    remembered_free(m);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_remembered_for_five_minutes),
        cmocka_unit_test(name_and_password_do_not_run_into_each_other),
        cmocka_unit_test(a_check_that_is_under_way_is_told_and_a_failure_is_not_remembered),
        cmocka_unit_test(the_oldest_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
