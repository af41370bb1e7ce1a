#include "../test.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/match.h"

enum { ACCOUNTS_MOST = 12 };

/* One sentence of the rules: accounts, and which of them are one person. */
struct sentence {
    const char *says;
    struct match_account accounts[6];
    struct match_hand hands[4];
    int apart[2][2];        /* ids that watched at the same time elsewhere */
    const char *people;     /* a letter each account, the same for the same person */
    const char *suggested;  /* "1-2 email/plex_id; ..." */
};

#define A(number, machine, own_key, ...) \
    {.id = number, .server = machine, .key = own_key, .plex_id = "", .plex_login = "", .email = "", \
     .name = "", .loose_name = "", __VA_ARGS__}
#define NAMED(text) .name = text, .loose_name = text

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct sentence sentences[] = {
    {"strangers are two", {A(1, "p", "5", NAMED("ada")), A(2, "j", "x", NAMED("bob"))},
     .people = "ab", .suggested = ""},
    {"the same id at plex.tv is certain",
     {A(1, "p", "5", NAMED("ada"), .plex_id = "5"), A(2, "q", "5", NAMED("eve"), .plex_id = "5")},
     .people = "aa", .suggested = ""},
    {"also with two e-mails, of which one is old",
     {A(1, "p", "5", .plex_id = "5", .email = "a@x"), A(2, "q", "5", .plex_id = "5", .email = "b@x")},
     .people = "aa", .suggested = ""},
    {"a server's own id 1 is nobody's: two owners are two",
     {A(1, "p", "1", .plex_login = "ada"), A(2, "q", "1", .plex_login = "bob")},
     .people = "ab", .suggested = ""},
    {"owners without a login known are not joined by it",
     {A(1, "p", "1"), A(2, "q", "1")}, .people = "ab", .suggested = ""},
    {"the same owner of two servers, by the login at plex.tv",
     {A(1, "p", "1", .plex_login = "ada"), A(2, "q", "1", .plex_login = "ada")},
     .people = "aa", .suggested = ""},
    {"the owner by the id that an import gave",
     {A(1, "p", "1", .plex_login = "ada", .plex_id = "9"), A(2, "q", "9", .plex_id = "9")},
     .people = "aa", .suggested = ""},
    {"the same server under two addresses: server and id",
     {A(1, "m", "x", NAMED("ada")), A(2, "m", "x", NAMED("eve"))}, .people = "aa", .suggested = ""},
    {"the same id at two servers of Jellyfin is nothing",
     {A(1, "m", "x", NAMED("ada")), A(2, "n", "x", NAMED("eve"))}, .people = "ab", .suggested = ""},
    {"the same e-mail is certain, whatever the names",
     {A(1, "p", "5", NAMED("ada"), .email = "a@x"), A(2, "j", "x", NAMED("eve"), .email = "a@x")},
     .people = "aa", .suggested = ""},
    {"a login that is an e-mail is one",
     {A(1, "p", "1", NAMED("ada"), .plex_login = "a@x"), A(2, "j", "x", NAMED("eve"), .email = "a@x")},
     .people = "aa", .suggested = ""},
    {"the same name once on each server is likely",
     {A(1, "p", "5", NAMED("ada")), A(2, "j", "x", NAMED("ada")), A(3, "e", "y", NAMED("ada"))},
     .people = "aaa", .suggested = ""},
    {"two e-mails contradict a name",
     {A(1, "p", "5", NAMED("john"), .email = "a@x"), A(2, "j", "x", NAMED("john"), .email = "b@x")},
     .people = "ab", .suggested = "1-2 name/email"},
    {"two ids at plex.tv contradict a name",
     {A(1, "p", "5", NAMED("john"), .plex_id = "5"), A(2, "q", "6", NAMED("john"), .plex_id = "6")},
     .people = "ab", .suggested = "1-2 name/plex_id"},
    {"two logins at plex.tv contradict a name",
     {A(1, "p", "1", NAMED("john"), .plex_login = "j1"), A(2, "q", "1", NAMED("john"), .plex_login = "j2")},
     .people = "ab", .suggested = "1-2 name/plex_id"},
    {"a name twice on one server joins nothing",
     {A(1, "p", "5", NAMED("john")), A(2, "p", "6", NAMED("john")), A(3, "j", "x", NAMED("john"))},
     .people = "abc", .suggested = "1-2 name/server; 1-3 name/others; 2-3 name/others"},
    {"a shared name joins nothing",
     {A(1, "p", "5", NAMED("kids")), A(2, "j", "x", NAMED("kids"))},
     .people = "ab", .suggested = "1-2 name/shared_name"},
    {"not even written otherwise",
     {A(1, "p", "5", .name = "living room", .loose_name = "livingroom"),
      A(2, "j", "x", .name = "living room", .loose_name = "livingroom")},
     .people = "ab", .suggested = "1-2 name/shared_name"},
    {"at the same time from different public addresses is two",
     {A(1, "p", "5", NAMED("john")), A(2, "j", "x", NAMED("john"))}, .apart = {{1, 2}},
     .people = "ab", .suggested = "1-2 name/places"},
    {"what is certain is not parted by that",
     {A(1, "p", "5", .email = "a@x"), A(2, "j", "x", .email = "a@x")}, .apart = {{1, 2}},
     .people = "aa", .suggested = ""},
    {"nobody can say whose a third john is",
     {A(1, "p", "5", NAMED("john"), .email = "a@x"), A(2, "e", "y", NAMED("john"), .email = "b@x"),
      A(3, "j", "x", NAMED("john"))},
     .people = "abc", .suggested = "1-2 name/email; 1-3 name/others; 2-3 name/others"},
    {"a chain of certain reasons that ends in two ids at plex.tv joins nothing by e-mail",
     {A(1, "p", "5", .plex_id = "5", .email = "a@x"), A(2, "q", "5", .plex_id = "5", .email = "b@x"),
      A(3, "r", "7", .plex_id = "7", .email = "b@x")},
     .people = "aab", .suggested = "2-3 email/others"},
    {"through one of two e-mails",
     {A(1, "p", "1", .plex_login = "a@x", .email = "b@x"), A(2, "j", "x", .email = "a@x"),
      A(3, "e", "y", .email = "b@x")},
     .people = "abc", .suggested = "1-2 email/others; 1-3 email/others"},
    {"a likeness is a suggestion",
     {A(1, "p", "5", .name = "john doe", .loose_name = "johndoe"),
      A(2, "j", "x", .name = "john.doe", .loose_name = "johndoe")},
     .people = "ab", .suggested = "1-2 similar_name/likeness"},
    {"so is a name in an e-mail",
     {A(1, "p", "5", NAMED("ada"), .email = "johndoe@x"), A(2, "j", "x", NAMED("johndoe"))},
     .people = "ab", .suggested = "1-2 email_name/likeness"},
    {"by hand together", {A(1, "p", "5", NAMED("ada")), A(2, "j", "x", NAMED("bob"))},
     .hands = {{1, 2, true, 1}}, .people = "aa", .suggested = ""},
    {"by hand apart, whatever is certain",
     {A(1, "p", "5", .plex_id = "5"), A(2, "q", "5", .plex_id = "5")},
     .hands = {{1, 2, false, 1}}, .people = "ab", .suggested = ""},
    {"by hand together against two ids",
     {A(1, "p", "5", NAMED("ada"), .plex_id = "5"), A(2, "q", "6", NAMED("ada"), .plex_id = "6")},
     .hands = {{1, 2, true, 1}}, .people = "aa", .suggested = ""},
    {"one is split off, the others stay together",
     {A(1, "p", "5", NAMED("ada")), A(2, "j", "x", NAMED("ada")), A(3, "e", "y", NAMED("ada"))},
     .hands = {{1, 2, false, 1}, {2, 3, false, 1}}, .people = "aba", .suggested = ""},
    {"and a new one that resembles both sides comes to neither",
     {A(1, "p", "5", .email = "a@x"), A(2, "j", "x", .email = "a@x"), A(3, "e", "y", .email = "a@x"),
      A(4, "f", "z", .email = "a@x")},
     .hands = {{1, 2, false, 1}, {2, 3, false, 1}}, .people = "abac",
     .suggested = "1-4 email/others; 2-4 email/others; 3-4 email/others"},
    {"a chain by hand: the newest decision is kept",
     {A(1, "p", "5"), A(2, "j", "x"), A(3, "e", "y")},
     .hands = {{1, 2, true, 1}, {2, 3, true, 2}, {1, 3, false, 3}}, .people = "abb",
     .suggested = ""},
};
#pragma GCC diagnostic pop

struct apart {
    const struct match_account *accounts;
    const int (*pairs)[2];
    size_t count;
    unsigned seed; /* instead of pairs: about one in five */
};

static enum status find_apart(void *ctx, const size_t (*pairs)[2], size_t count, bool *ret,
                              struct error *err)
{
    (void)err;
    const struct apart *k = ctx;
    for (size_t i = 0; i < count; i++) {
        int a = k->accounts[pairs[i][0]].id, b = k->accounts[pairs[i][1]].id;
        int low = a < b ? a : b, high = a < b ? b : a;
        for (size_t n = 0; n < k->count; n++)
            if (k->pairs[n][0] == low && k->pairs[n][1] == high)
                ret[i] = true;
        if (k->seed && (k->seed ^ ((unsigned)low * 2654435761u + (unsigned)high * 40503u)) % 5 == 0)
            ret[i] = true;
    }
    return STATUS_OK;
}

static size_t length(const struct match_account *a)
{
    size_t n = 0;
    while (n < 6 && a[n].id)
        n++;
    return n;
}

static void write_suggestions(const struct match_result *r, struct buf *out)
{
    for (size_t i = 0; i < r->pair_count; i++) {
        const struct match_pair *p = &r->pairs[i];
        if (!p->is_joined)
            buf_printf(out, "%s%d-%d %s/%s", out->len ? "; " : "", p->a, p->b,
                       match_why_word(p->why), match_against_word(p->against));
    }
}

static void every_sentence_is_true(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        const struct sentence *s = &sentences[i];
        size_t count = length(s->accounts), hands = 0;
        while (hands < 4 && s->hands[hands].a)
            hands++;
        struct apart apart = {.accounts = s->accounts, .pairs = s->apart, .count = 2};
        struct match_result r;
        struct error err;
        assert_int_equal(match_people(s->accounts, count, s->hands, hands, find_apart, &apart, &r,
                                      &err), STATUS_OK);
        assert_int_equal(count, strlen(s->people));
        for (size_t a = 0; a < count; a++)
            for (size_t b = 0; b < count; b++)
                if ((s->people[a] == s->people[b]) != (r.oldest[a] == r.oldest[b]))
                    fail_msg("%s: %zu and %zu", s->says, a + 1, b + 1);
        auto_buf struct buf said = {0};
        write_suggestions(&r, &said);
        if (!streq(buf_text(&said), s->suggested))
            fail_msg("%s: suggested %s, not %s", s->says, buf_text(&said), s->suggested);
        match_result_done(&r);
    }
}

/* --- of any accounts ------------------------------------------------------------------------- */

static unsigned dice(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 12) % n;
}

static size_t invent(unsigned seed, struct match_account *ret, struct match_hand *ret_hands,
                     size_t *ret_hand_count)
{
    static const char *const servers[] = {"p", "q", "j", "e"};
    static const char *const keys[] = {"1", "2", "3", "4", "5"};
    static const char *const ids[] = {"", "", "7", "8"};
    static const char *const logins[] = {"", "", "ada", "a@x"};
    static const char *const emails[] = {"", "", "a@x", "b@x", "c@x"};
    static const char *const names[] = {"", "ada", "bob", "john", "kids"};
    size_t count = 2 + dice(&seed, ACCOUNTS_MOST - 1);
    for (size_t i = 0; i < count; i++) {
        const char *name = names[dice(&seed, 5)];
        ret[i] = (struct match_account){
            .id = (int32_t)(i * 3 + 1), .server = servers[dice(&seed, 4)], .key = keys[dice(&seed, 5)],
            .plex_id = ids[dice(&seed, 4)], .plex_login = logins[dice(&seed, 4)],
            .email = emails[dice(&seed, 5)], .name = name, .loose_name = name};
    }
    *ret_hand_count = 0;
    for (size_t a = 0; a < count; a++)
        for (size_t b = a + 1; b < count; b++)
            if (dice(&seed, 12) == 0)
                ret_hands[(*ret_hand_count)++] = (struct match_hand){
                    ret[a].id, ret[b].id, dice(&seed, 2), 1 + (int64_t)dice(&seed, 5)};
    return count;
}

static void shuffle(unsigned seed, struct match_account *a, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = dice(&seed, (unsigned)i);
        struct match_account was = a[i - 1];
        a[i - 1] = a[k];
        a[k] = was;
    }
}

static int32_t oldest_of(const struct match_account *a, const struct match_result *r, size_t count,
                         int32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].id == id)
            return r->oldest[i];
    return 0;
}

static bool is_hand(const struct match_hand *h, size_t count, int32_t a, int32_t b, bool is_together)
{
    for (size_t i = 0; i < count; i++)
        if (h[i].a == a && h[i].b == b && h[i].is_together == is_together)
            return true;
    return false;
}

/* Whatever comes: the order does not matter, what was parted by hand is apart, a person is held
 * together by pairs, and nothing but a hand or certainty stands against two of one person. */
static void any_order_gives_the_same(void **state)
{
    (void)state;
    int joined = 0, suggested = 0;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct match_account first[ACCOUNTS_MOST + 1], second[ACCOUNTS_MOST + 1];
        struct match_hand hands[ACCOUNTS_MOST * ACCOUNTS_MOST];
        size_t hand_count, count = invent(seed, first, hands, &hand_count);
        memcpy(second, first, sizeof second);
        shuffle(seed * 7u, second, count);
        struct apart a = {.accounts = first, .seed = seed}, b = {.accounts = second, .seed = seed};
        struct match_result x, y;
        struct error err;
        assert_int_equal(match_people(first, count, hands, hand_count, find_apart, &a, &x, &err),
                         STATUS_OK);
        assert_int_equal(match_people(second, count, hands, hand_count, find_apart, &b, &y, &err),
                         STATUS_OK);
        assert_int_equal(x.pair_count, y.pair_count);
        for (size_t i = 0; i < x.pair_count; i++) {
            joined += x.pairs[i].is_joined;
            suggested += !x.pairs[i].is_joined;
            assert_true(x.pairs[i].a < x.pairs[i].b);
            assert_int_equal(x.pairs[i].a, y.pairs[i].a);
            assert_int_equal(x.pairs[i].b, y.pairs[i].b);
            assert_int_equal(x.pairs[i].is_joined, y.pairs[i].is_joined);
            assert_int_equal(x.pairs[i].why, y.pairs[i].why);
            assert_int_equal(x.pairs[i].against, y.pairs[i].against);
        }
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(x.oldest[i], oldest_of(second, &y, count, first[i].id));
            assert_true(x.oldest[i] <= first[i].id);
            bool is_held = x.oldest[i] == first[i].id;
            for (size_t k = 0; k < count; k++) {
                if (i == k || x.oldest[i] != x.oldest[k])
                    continue;
                int32_t low = first[i].id < first[k].id ? first[i].id : first[k].id;
                int32_t high = first[i].id < first[k].id ? first[k].id : first[i].id;
                assert_false(is_hand(hands, hand_count, low, high, false));
                for (size_t n = 0; n < x.pair_count; n++)
                    if (x.pairs[n].is_joined && x.pairs[n].a == low && x.pairs[n].b == high)
                        is_held = true;
            }
            if (!is_held)
                fail_msg("seed %u: nothing holds account %d", seed, first[i].id);
        }
        match_result_done(&x);
        match_result_done(&y);
    }
    assert_true(joined > 1000 && suggested > 1000);
}

static void nobody_is_nobody(void **state)
{
    (void)state;
    struct match_result r;
    struct error err;
    assert_int_equal(match_people(NULL, 0, NULL, 0, NULL, NULL, &r, &err), STATUS_OK);
    assert_int_equal(r.pair_count, 0);
    match_result_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sentence_is_true),
        cmocka_unit_test(any_order_gives_the_same),
        cmocka_unit_test(nobody_is_nobody),
    };
    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
