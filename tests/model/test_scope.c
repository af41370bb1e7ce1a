#include "../test.h"

#include "base/str.h"
#include "model/scope.h"

#include "base/banned.h"

static bool has(const struct scope *s, const char *server, const char *kind, const char *account)
{
    return scope_has(s, &(struct scope_account){server, kind, account});
}

static void a_zeroed_scope_sees_nothing(void **state)
{
    (void)state;
    struct scope none = {0};
    assert_false(has(&none, "plex-1", "plex", "7"));
    assert_false(has(&none, "plex-1", "plex", ""));
    assert_false(has(&none, "", "", ""));
    assert_false(has(&none, NULL, NULL, NULL));
    struct scope all = {.sees_all = true};
    assert_true(has(&all, "plex-1", "plex", "7"));
    assert_true(has(&all, NULL, NULL, NULL));
}

static void accounts_are_seen_by_both_their_keys(void **state)
{
    (void)state;
    auto_scope struct scope s = {0};
    scope_add(&s, "plex-1", "7");
    scope_add(&s, "emby-1", "ab");
    assert_true(has(&s, "plex-1", "plex", "7"));
    assert_true(has(&s, "emby-1", "emby", "ab"));
    assert_false(has(&s, "plex-1", "plex", "ab"));
    assert_false(has(&s, "plex-2", "plex", "7"));
    assert_false(has(&s, "plex-1", "plex", "77"));
    assert_false(has(&s, "plex-1", "plex", ""));
    /* Keys of outside cannot be made to look like two. */
    assert_false(has(&s, "emby-1\x1f" "ab\x1e" "plex-1", "plex", "7"));
    assert_false(has(&s, "emby-1", "emby", "ab\x1e" "plex-1\x1f" "7"));
}

static void equal_scopes_are_equal_texts(void **state)
{
    (void)state;
    auto_scope struct scope a = {0}, b = {0}, copy = {0};
    scope_add(&a, "plex-1", "7");
    scope_add(&a, "emby-1", "x");
    scope_add(&a, "plex-1", "70");
    scope_add(&b, "plex-1", "70");
    scope_add(&b, "plex-1", "7");
    scope_add(&b, "plex-1", "70");
    scope_add(&b, "emby-1", "x");
    assert_string_equal(a.accounts, b.accounts);
    scope_copy(&a, &copy);
    assert_string_equal(copy.accounts, b.accounts);
    scope_done(&copy);
    assert_false(has(&copy, "plex-1", "plex", "7"));
}

static void who_is_at_plex_has_the_account_of_that_key_on_plex_servers_only(void **state)
{
    (void)state;
    struct scope s = {0};
    scope_set_plex_id(&s, "12345");
    assert_true(has(&s, "plex-1", "plex", "12345"));
    assert_true(has(&s, "plex-9", "plex", "12345"));
    assert_false(has(&s, "jellyfin-1", "jellyfin", "12345"));
    assert_false(has(&s, "plex-1", "", "12345"));
    assert_false(has(&s, "plex-1", "plex", "1234"));
    /* 1 is every owner's own number at home; nor is anything else that is no id. */
    static const char *const no_ids[] = {"1", "", "0", "01", "-5", "1 ", "abc", "12x", "0x10",
                                         "123456789012345678901234567890"};
    for (size_t i = 0; i < ARRAY_LEN(no_ids); i++) {
        scope_set_plex_id(&s, no_ids[i]);
        assert_string_equal(s.plex_id, "");
        assert_false(has(&s, "plex-1", "plex", no_ids[i]));
    }
}

static void keys_hold_no_separator(void **state)
{
    (void)state;
    assert_true(scope_is_key("plex-1"));
    assert_true(scope_is_key("jos\xc3\xa9"));
    static const char *const wrong[] = {"", "a\x1f" "b", "a\x1e" "b", "a\nb", "\xff", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(scope_is_key(wrong[i]));
    char longest[SCOPE_KEY_MAX + 1] = {0};
    memset(longest, 'x', SCOPE_KEY_MAX - 1);
    assert_true(scope_is_key(longest));
    longest[SCOPE_KEY_MAX - 1] = 'x';
    assert_false(scope_is_key(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_scope_sees_nothing),
        cmocka_unit_test(accounts_are_seen_by_both_their_keys),
        cmocka_unit_test(equal_scopes_are_equal_texts),
        cmocka_unit_test(who_is_at_plex_has_the_account_of_that_key_on_plex_servers_only),
        cmocka_unit_test(keys_hold_no_separator),
    };
    return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
