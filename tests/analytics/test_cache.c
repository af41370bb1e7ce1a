#include "../test.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "analytics/cache.h"
#include "base/clock.h"

static bool has(struct cache *c, const char *key, const char *want)
{
    auto_buf struct buf out = {0};
    bool found = cache_get(c, key, &out);
    if (found)
        assert_string_equal(buf_text(&out), want);
    return found;
}

static void what_was_put_is_got(void **state)
{
    struct cache *c = cache_new(10000);
    assert_false(has(c, "a", ""));
    cache_put(c, "a", STR("one"), US_PER_HOUR);
    cache_put(c, "b", STR(""), US_PER_HOUR);
    assert_true(has(c, "a", "one"));
    assert_true(has(c, "b", ""));
    cache_put(c, "a", STR("another"), US_PER_HOUR);
    assert_true(has(c, "a", "another"));
    assert_int_equal(cache_count(c), 2);
    cache_free(c);
}

static void an_answer_past_its_time_is_gone(void **state)
{
    struct cache *c = cache_new(10000);
    cache_put(c, "a", STR("one"), 0);
    assert_false(has(c, "a", ""));
    assert_int_equal(cache_count(c), 0);
    assert_int_equal(cache_bytes(c), 0);
    cache_free(c);
}

static void the_least_recently_used_goes_first_and_memory_is_bounded(void **state)
{
    enum { MOST = 8 * 1024 };
    char body[1000] = {0};
    memset(body, 'x', sizeof body - 1);
    struct cache *c = cache_new(MOST);
    cache_put(c, "kept", str_of(body), US_PER_HOUR);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        cache_put(c, key, str_of(body), US_PER_HOUR);
        assert_true(cache_bytes(c) <= MOST);
        assert_true(has(c, "kept", body));
    }
    assert_false(has(c, "0", ""));
    assert_true(has(c, "99", body));
    cache_free(c);
}

static void what_is_larger_than_all_is_not_kept(void **state)
{
    struct cache *c = cache_new(300);
    cache_put(c, "a", STR("small"), US_PER_HOUR);
    char body[400] = {0};
    memset(body, 'x', sizeof body - 1);
    cache_put(c, "b", str_of(body), US_PER_HOUR);
    assert_false(has(c, "b", ""));
    cache_free(c);
}

/* Threads that want the same thing at once: one works it out, the others get what it found. */
struct crowd {
    struct cache *cache;
    _Atomic int worked, right;
    bool first_fails;
};

static void *want(void *arg)
{
    struct crowd *w = arg;
    auto_buf struct buf out = {0};
    if (!cache_get_or_claim(w->cache, "k", &out)) {
        if (w->worked++ == 0 && w->first_fails) {
            cache_give_up(w->cache, "k");
            return NULL;
        }
        usleep(2000);
        buf_puts(&out, "found");
        cache_put(w->cache, "k", buf_str(&out), US_PER_HOUR);
    }
    if (streq(buf_text(&out), "found"))
        w->right++;
    return NULL;
}

static void crowd(bool first_fails, int worked, int right)
{
    enum { THREADS = 8 };
    struct crowd w = {.cache = cache_new(10000), .first_fails = first_fails};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, want, &w), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(w.worked, worked);
    assert_int_equal(w.right, right);
    cache_free(w.cache);
}

static void the_same_thing_at_once_is_worked_out_once(void **state)
{
    crowd(false, 1, 8);
}

static void when_the_first_gives_up_the_next_one_works_it_out(void **state)
{
    crowd(true, 2, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_got),
        cmocka_unit_test(an_answer_past_its_time_is_gone),
        cmocka_unit_test(the_least_recently_used_goes_first_and_memory_is_bounded),
        cmocka_unit_test(what_is_larger_than_all_is_not_kept),
        cmocka_unit_test(the_same_thing_at_once_is_worked_out_once),
        cmocka_unit_test(when_the_first_gives_up_the_next_one_works_it_out),
    };
    return cmocka_run_group_tests_name("analytics/cache", tests, NULL, NULL);
}
