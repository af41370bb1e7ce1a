/* The search on titles made at random: one typo is forgiven, what is not a letter is itself, and nobody
 * finds what is not theirs. */
#include "../test.h"

#include <stdio.h>

#include "analytics/analytics.h"
#include "base/json_read.h"
#include "base/mem.h"

enum { NAMES = 120, NAME_MAX_LENGTH = 80 };

static struct store *store;
static struct store_conn *conn;
static char names[NAMES][NAME_MAX_LENGTH];

/* splitmix64: the same numbers everywhere. */
static uint64_t seed = 7;
static uint64_t below(uint64_t most)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % most;
}

/* One to four words of 4 to 9 letters. */
static void make_name(char name[static NAME_MAX_LENGTH])
{
    size_t n = 0;
    for (uint64_t words = 1 + below(4); words > 0; words--) {
        for (uint64_t letters = 4 + below(6); letters > 0; letters--)
            name[n++] = (char)('a' + below(26));
        name[n++] = words > 1 ? ' ' : '\0';
    }
}

static const char more_sql[] =
    "insert into title select * from (values"
    " (1001, 'movie', '100% Wolf', null, null, null, null, 2020, null, null, null, '100% Wolf'),"
    " (1002, 'movie', '1000 Wolves', null, null, null, null, 2020, null, null, null, '1000 Wolves'),"
    " (1003, 'movie', 'q7_z9', null, null, null, null, 2020, null, null, null, 'q7_z9'),"
    " (1004, 'movie', 'Märchen', null, null, null, null, 1999, null, null, null, 'Märchen'),"
    " (1005, 'movie', 'Schitt''s Creek', null, null, null, null, 1999, null, null, null, ''),"
    " (1006, 'movie', 'Spider-Man', null, null, null, null, 2002, null, null, null, ''),"
    " (1007, 'movie', '天気の子', null, null, null, null, 2019, null, null, null, ''),"
    " (1008, 'movie', '!!!', null, null, null, null, 2019, null, null, null, ''),"
    " (1009, 'episode', 'Pilot', null, 'The Wire', 1, 1, null, null, null, null, ''),"
    " (1010, 'movie', 'Wire', null, null, null, null, 1987, null, null, null, ''),"
    " (1011, 'movie', 'Wire', null, null, null, null, 2017, null, null, null, '')) t;"
    "insert into server (server_id, key, kind, name) values (1, 's', 'emby', 'S');"
    "insert into person values (1, 'Zoë Quartz'), (2, 'Quentin');"
    "insert into account (account_id, server_id, key, name, is_owner, person_id) values"
    " (1, 1, 'k1', 'zoeq', false, 1), (2, 1, 'k2', 'Quentin', false, 2);"
    /* Each title is played by the first, the even ones by the second, too. */
    "insert into play select title_id * 2 + account, 'play', 'live', 1, account, title_id, null, media_type,"
    " '2026-03-01', '2026-03-01 01:00', 1000, 1000, 1000, 0, 1, 1, 50, false, false, false, 0, false, null"
    " from title, (values (1), (2)) a(account) where account = 1 or title_id % 2 = 0";

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "256MB", .threads = 1};
    struct error err = {0};
    auto_buf struct buf sql = {0};
    for (int i = 0; i < NAMES; i++) {
        make_name(names[i]);
        buf_printf(&sql, "insert into title values (%d, 'movie', '%s', null, null, null, null, null,"
                         " null, null, null, '%s');", i + 1, names[i], names[i]);
    }
    buf_puts(&sql, more_sql);
    if (store_open(&c, &store, NULL, &err) != STATUS_OK || store_connect(store, &conn, &err) != STATUS_OK ||
        store_exec(conn, buf_text(&sql), &err) != STATUS_OK) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    return 0;
}

static json_t *find_by(const struct scope *scope, const char *query, const char *q)
{
    const struct filter_config config = {
        .time_zone = "UTC", .now_us = INT64_C(1774000000000000), .sees_all = !scope, .scope = scope};
    struct question *question = question_new(query_find(query), &config);
    struct analytics *a = analytics_new(store, 0);
    struct error err = {0};
    auto_buf struct buf key = {0}, out = {0};
    json_t *root = NULL;
    enum status s = question_take(question, "q", q, &err);
    if (s == STATUS_OK)
        s = question_finish(question, &err);
    analytics_key(a, question, &key);
    if (s == STATUS_OK)
        s = analytics_answer(a, question, buf_text(&key), conn, &out, &err);
    if (s == STATUS_OK)
        s = json_parse(buf_str(&out), 1 << 20, 20, &root, &err);
    if (s != STATUS_OK)
        fail_msg("%s: %s", q, err.text);
    json_t *data = json_incref(jget(root, "data"));
    json_decref(root);
    analytics_free(a);
    question_free(question);
    return data;
}

static json_t *find(const char *q)
{
    return find_by(NULL, "search/fuzzy", q);
}

/* One typo in a word of a name: a letter less, more, another one, or two in each other's place. */
static char *mistyped(const char *name)
{
    size_t length = strlen(name), at;
    do
        at = (size_t)below(length);
    while (name[at] == ' ' || name[at + 1] == ' ' || !name[at + 1]);
    char letter = (char)('a' + below(26));
    int head = (int)at;
    switch (below(4)) {
    case 0:
        return xasprintf("%.*s%s", head, name, name + at + 1);
    case 1:
        return xasprintf("%.*s%c%s", head, name, letter, name + at);
    case 2:
        return xasprintf("%.*s%c%s", head, name, letter, name + at + 1);
    default:
        return xasprintf("%.*s%c%c%s", head, name, name[at + 1], name[at], name + at + 2);
    }
}

static void a_title_with_one_typo_in_it_is_found_first(void **state)
{
    for (int i = 0; i < NAMES; i++) {
        auto_free char *typed = mistyped(names[i]);
        json_t *data = find(typed);
        if (jint(json_array_get(data, 0), "title_id", 0) != i + 1)
            fail_msg("'%s' typed as '%s' finds %s", names[i], typed, json_dumps(data, JSON_COMPACT));
        json_decref(data);
    }
}

static void a_title_is_found_first_by_its_name_and_by_how_it_begins(void **state)
{
    for (int i = 0; i < NAMES; i += 10) {
        char typed[NAME_MAX_LENGTH];
        snprintf(typed, sizeof typed, "%.*s", i % 20 ? (int)strlen(names[i]) : 4, names[i]);
        json_t *data = find(typed);
        const json_t *first = json_array_get(data, 0);
        assert_int_equal(jint(first, "title_id", 0), i + 1);
        if (i % 20)
            assert_int_equal(jint(first, "score", 0), 100);
        else
            assert_true(jint(first, "score", 0) >= 80);
        json_decref(data);
    }
}

/* What is typed, and the ids that are found, in their order. */
static void each_finds_these_and_no_others(void **state)
{
    static const struct {
        const char *q;
        int ids[3];
    } cases[] = {
        {"", {0}},
        {"   ", {0}},
        {"...", {0}},
        {"%", {1001}},
        {"100%", {1001, 1002}},
        {"_", {1003}},
        {"q7_z9", {1003}},
        {"q7%z9", {1003}}, /* the words q7 and z9 */
        {"marchen", {1004}},
        {"MÄRCHEN", {1004}},
        {"marhcen", {1004}},
        {"schitts creek", {1005}},
        {"schitt's creek", {1005}},
        {"spiderman", {1006}},
        {"spider man", {1006}},
        {"spider-man", {1006}},
        {"spidre man 2002", {1006}},
        {"spider man 2003", {0}}, /* numbers forgive no typo */
        {"天気", {1007}},
        {"!!!", {1008}},
        {"wire pilot", {1009}},
        {"wire 2017", {1011}},
        {"'; drop table title; --", {0}},
        {"100", {1001, 1002}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *data = find(cases[i].q);
        size_t count = 0;
        while (count < 3 && cases[i].ids[count])
            count++;
        bool is_right = json_array_size(data) == count;
        for (size_t k = 0; k < count && is_right; k++)
            is_right = jint(json_array_get(data, k), "title_id", 0) == cases[i].ids[k];
        if (!is_right)
            fail_msg("'%s' finds %s", cases[i].q, json_dumps(data, JSON_COMPACT));
        json_decref(data);
    }
}

static void a_show_stands_before_what_only_has_its_word(void **state)
{
    json_t *data = find("the wire");
    assert_int_equal(json_array_size(data), 1); /* none of its episodes is called so */
    assert_string_equal(jstr(json_array_get(data, 0), "kind"), "show");
    assert_int_equal(jint(json_array_get(data, 0), "plays", 0), 1);
    json_decref(data);
}

static void people_are_found_by_name_and_account(void **state)
{
    static const char *const typed[] = {"zoe quartz", "Quatrz", "zoeq"};
    for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
        json_t *data = find_by(NULL, "search/users", typed[i]);
        assert_int_equal(json_array_size(data), 1);
        assert_string_equal(jstr(json_array_get(data, 0), "name"), "Zoë Quartz");
        assert_int_equal(jint(json_array_get(data, 0), "plays", 0), NAMES + 11);
        json_decref(data);
    }
}

static void a_viewer_finds_only_their_own(void **state)
{
    auto_scope struct scope scope = {0};
    scope_add(&scope, "s", "k2");
    for (int i = 0; i < NAMES; i += 7) {
        json_t *data = find_by(&scope, "search/fuzzy", names[i]);
        bool is_theirs = (i + 1) % 2 == 0;
        const json_t *first = json_array_get(data, 0);
        if (is_theirs != (jint(first, "title_id", 0) == i + 1))
            fail_msg("'%s' finds %s", names[i], json_dumps(data, JSON_COMPACT));
        if (is_theirs)
            assert_int_equal(jint(first, "plays", 0), 1);
        json_decref(data);
    }
    static const char *const others[] = {"zoe", "zoeq", "the wire", "quartz"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        json_t *data = find_by(&scope, "search/fuzzy", others[i]);
        assert_int_equal(json_array_size(data), 0);
        json_decref(data);
    }
    json_t *own = find_by(&scope, "search/users", "quentin");
    assert_int_equal(json_array_size(own), 1);
    json_decref(own);
}

static void what_is_no_text_is_refused(void **state)
{
    auto_free char *longest = xcalloc(10001, 1);
    memset(longest, 'x', 200);
    json_decref(find(longest));
    memset(longest, 'x', 10000);
    static const struct filter_config config = {
        .time_zone = "UTC", .now_us = INT64_C(1774000000000000), .sees_all = true};
    const char *const bad[] = {longest, "a\xff", "a\nb", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = {0};
        struct question *q = question_new(query_find("search/fuzzy"), &config);
        assert_int_equal(question_take(q, "q", bad[i], &err), STATUS_INVALID);
        assert_string_equal(err.field, "q");
        question_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_title_with_one_typo_in_it_is_found_first),
        cmocka_unit_test(a_title_is_found_first_by_its_name_and_by_how_it_begins),
        cmocka_unit_test(each_finds_these_and_no_others),
        cmocka_unit_test(a_show_stands_before_what_only_has_its_word),
        cmocka_unit_test(people_are_found_by_name_and_account),
        cmocka_unit_test(a_viewer_finds_only_their_own),
        cmocka_unit_test(what_is_no_text_is_refused),
    };
    return cmocka_run_group_tests_name("analytics/search", tests, set_up, tear_down);
}
