#include "../test.h"

#include "helpers.h"
#include "ingest/people.h"

/* A server's word on who it has: "key name e-mail" each, '-' for none. */
static void tell_accounts(struct log *l, const char *server, const char *const *accounts)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", server);
    jw_kv_array(&w, "accounts");
    for (; *accounts; accounts++) {
        char key[64], name[64], email[64];
        assert_int_equal(sscanf(*accounts, "%63s %63s %63s", key, name, email), 3);
        jw_object(&w);
        jw_kv_text(&w, "key", key);
        jw_kv_text(&w, "name", streq(name, "-") ? "" : name);
        jw_kv_text(&w, "email", streq(email, "-") ? "" : email);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    append(l, LOG_ACCOUNTS, buf_str(&b));
}

#define TELL(l, server, ...) tell_accounts(l, server, (const char *const[]){__VA_ARGS__, NULL})

static void tell_server(struct log *l, const char *server, const char *machine, const char *login)
{
    auto_free char *text = xasprintf("{\"server\":\"%s\",\"kind\":\"%.*s\",\"name\":\"%s\","
                                     "\"machine_id\":\"%s\",\"version\":\"1\",\"owner_login\":\"%s\"}",
                                     server, (int)strcspn(server, "-"), server, server, machine, login);
    append(l, LOG_SERVER, str_of(text));
}

#define PEOPLE "select count(distinct person_id) from account"

static struct ingest *run(struct log *l, struct store *s)
{
    struct ingest *in = start_with(l, s, 0, -1);
    return in;
}

static void take_in(struct ingest *in, struct log *l)
{
    assert_true(ingest_wait(in, log_last(l), 10 * US_PER_S));
}

static int64_t person(struct store *s, const char *key)
{
    auto_free char *sql = xasprintf("select person_id from account where key = '%s'", key);
    return ask(s, sql);
}

static int64_t account(struct store *s, const char *key)
{
    auto_free char *sql = xasprintf("select account_id from account where key = '%s'", key);
    return ask(s, sql);
}

static void must(enum status s, const struct error *err)
{
    if (s != STATUS_OK)
        fail_msg("%s", err->text);
}

/* Names as people write them: folded whatever the script, trimmed whatever the space. */
static void names_are_folded(void **state)
{
    (void)state;
    struct log *l = open_log("fold");
    struct store *s = open_store("fold.duckdb");
    struct ingest *in = run(l, s);
    append(l, LOG_ACCOUNTS, STR("{\"server\":\"plex-1\",\"accounts\":[{\"key\":\"5\",\"name\":"
                                "\"\xc3\x85SA \xce\xa3\xce\x91\xce\xa3\"}]}"));
    append(l, LOG_ACCOUNTS, STR("{\"server\":\"jellyfin-1\",\"accounts\":[{\"key\":\"x\",\"name\":"
                                "\"\xc2\xa0 A\xcc\x8asa \xcf\x83\xce\xb1\xcf\x82\\u2003\"}]}"));
    append(l, LOG_ACCOUNTS, STR("{\"server\":\"emby-1\",\"accounts\":[{\"key\":\"y\",\"name\":"
                                "\"Asa \xcf\x83\xce\xb1\xcf\x82\"}]}"));
    take_in(in, l);
    assert_int_equal(person(s, "5"), person(s, "x"));
    assert_int_not_equal(person(s, "5"), person(s, "y"));
    assert_int_equal(ask(s, "select count(*) from person_pair where is_joined and why = 'name'"), 1);
    assert_int_equal(ask(s, "select count(*) from person_pair where not is_joined"
                            " and why = 'similar_name' and against = 'likeness'"), 2);
    TELL(l, "plex-1", "6 Eve A@X.org");
    TELL(l, "emby-1", "z Zoe a@x.ORG");
    take_in(in, l);
    assert_int_equal(person(s, "6"), person(s, "z"));
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

/* The owner goes by 1 at every server of Plex, by the login at plex.tv where it matches. */
static void owners_are_told_apart(void **state)
{
    (void)state;
    struct log *l = open_log("owner");
    struct store *s = open_store("owner.duckdb");
    struct ingest *in = run(l, s);
    for (int i = 1; i <= 3; i++) {
        auto_free char *server = xasprintf("plex-%d", i), *machine = xasprintf("m%d", i);
        tell_server(l, server, machine, i < 3 ? "Ada@Example.org" : "bob");
        TELL(l, server, "1 Owner -");
    }
    TELL(l, "jellyfin-1", "x zed ada@example.org");
    take_in(in, l);
    assert_int_equal(ask(s, PEOPLE), 2);
    assert_int_equal(ask(s, "select count(*) from person_pair where is_joined and why = 'issuer'"), 1);
    assert_int_equal(ask(s, "select count(*) from person_pair where is_joined and why = 'email'"), 2);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

/* What accounts are called changes: people follow, their ids stay, and every move is told. */
static void people_follow_what_changes(void **state)
{
    (void)state;
    struct log *l = open_log("follow");
    struct store *s = open_store("follow.duckdb");
    struct ingest *in = run(l, s);
    TELL(l, "plex-1", "5 john a@x");
    TELL(l, "jellyfin-1", "x john b@x");
    take_in(in, l);
    int64_t first = person(s, "5"), second = person(s, "x");
    assert_int_not_equal(first, second);
    TELL(l, "jellyfin-1", "x john A@x");
    take_in(in, l);
    assert_int_equal(person(s, "x"), first);
    assert_int_equal(ask(s, "select count(*) from person_change where why = 'email'"
                            " and decision_id is null"), 1);
    TELL(l, "jellyfin-1", "x john c@x");
    take_in(in, l);
    assert_int_equal(person(s, "x"), second);
    assert_int_equal(person(s, "5"), first);
    assert_int_equal(ask(s, "select count(*) from person_change where why = 'parted'"), 1);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

static void nothing_new_writes_nothing(void **state)
{
    (void)state;
    struct log *l = open_log("idle");
    struct store *s = open_store("idle.duckdb");
    struct ingest *in = run(l, s);
    TELL(l, "plex-1", "5 ada -", "6 kids -");
    TELL(l, "jellyfin-1", "x ada -", "y kids -");
    take_in(in, l);
    int64_t version = store_data_version(s), print = fingerprint(s);
    ingest_match_people(in);
    TELL(l, "plex-1", "7 zoe -"); /* the match is before it, or after it: here both */
    take_in(in, l);
    ingest_stop(in);
    assert_int_equal(ask(s, "select count(*) from person_change"), 1);
    in = run(l, s);
    assert_true(store_data_version(s) >= version);
    int64_t started = store_data_version(s);
    ingest_stop(in);
    in = run(l, s); /* a start matches, too */
    assert_int_equal(store_data_version(s), started);
    assert_int_not_equal(fingerprint(s), print);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

/* Two of one name who watch at once, from two homes; from one home; handed over within a minute. */
static void watching_elsewhere_at_once_speaks_against_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        int from_s, to_s;
        bool is_one;
    } cases[] = {
        {"203.0.113.5", "198.51.100.7", 1600, 4000, false},
        {"203.0.113.5", "203.0.113.5", 1600, 4000, true},
        {"192.168.1.5", "198.51.100.7", 1600, 4000, true},
        {"203.0.113.5", "198.51.100.7", 1970, 4000, true},
        {"203.0.113.5", "198.51.100.7", 5000, 9000, true},
        {"2003:e7:1f0a:10::1", "2003:e7:1f0a:10::2", 1600, 4000, true},
        {"2003:e7:1f0a:10::1", "2003:e7:1f0a:11::1", 1600, 4000, false},
        {"203.0.113.5", "2003:e7:1f0a:11::1", 1600, 4000, true},
    };
    struct store *s = open_store("places.duckdb");
    struct store_conn *c;
    struct error err;
    must(store_connect(s, &c, &err), &err);
    must(store_exec(c, "insert into server (server_id, key, kind) values (1, 'plex-1', 'plex'),"
                       " (2, 'jellyfin-1', 'jellyfin');"
                       "insert into person values (1, 'john'), (2, 'john');"
                       "insert into account (account_id, server_id, key, name, person_id,"
                       " home_person_id) values (1, 1, '5', 'john', 1, 1), (2, 2, 'x', 'John', 2, 2)",
                    &err), &err);
    struct dims *d = dims_new(NULL, NULL);
    must(dims_load(d, c, &err), &err);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *sql = xasprintf(
            "delete from segment; delete from address;"
            "insert into address values (1, '%s', '%s', null), (2, '%s', 'public', null);"
            "insert into segment (segment_id, account_id, address_id, started, ended, spans) values"
            " (1, 1, 1, make_timestamp(1000000000), make_timestamp(9000000000),"
            "  [1000000000, 2000000000, 8000000000, 8030000000]),"
            " (2, 2, 2, make_timestamp(%d000000), make_timestamp(%d000000), null)",
            cases[i].first, str_has_prefix(str_of(cases[i].first), STR("192.168")) ? "lan" : "public",
            cases[i].second, cases[i].from_s, cases[i].to_s);
        must(store_exec(c, sql, &err), &err);
        bool is_changed;
        must(people_match(c, d, 0, &is_changed, &err), &err);
        if ((person(s, "5") == person(s, "x")) != cases[i].is_one)
            fail_msg("case %zu", i);
        assert_int_equal(ask(s, "select count(*) from person_pair where against = 'places'"),
                         !cases[i].is_one);
    }
    dims_free(d);
    store_disconnect(c);
    store_close(s);
}

/* --- by hand --------------------------------------------------------------------------------- */

static void hands_win_and_are_taken_back(void **state)
{
    (void)state;
    struct log *l = open_log("hand");
    struct store *s = open_store("hand.duckdb");
    struct ingest *in = run(l, s);
    struct error err;
    TELL(l, "plex-1", "5 ada a@x", "6 bob b@x");
    TELL(l, "jellyfin-1", "x ada a@x", "y zoe -");
    take_in(in, l);
    int64_t ada = person(s, "5"), bob = person(s, "6"), zoe = person(s, "y"), split, merge, name;
    assert_int_equal(person(s, "x"), ada);

    must(people_split(in, (const int64_t[]){account(s, "x")}, 1, "root", "his sister", &split, &err),
         &err);
    assert_int_not_equal(person(s, "x"), ada);
    must(people_merge(in, (const int64_t[]){bob, zoe}, 2, "root", "", &merge, &err), &err);
    assert_int_equal(person(s, "y"), bob);
    must(people_rename(in, bob, "Robert", "root", &name, &err), &err);
    assert_int_equal(ask(s, "select count(*) from person p join account using (person_id)"
                            " where key = 'y' and p.name = 'Robert'"), 1);

    /* Accounts that change, a match, a re-derivation and a restart leave them as they are. */
    TELL(l, "jellyfin-1", "x ada2 a@x", "y zoe z@x");
    take_in(in, l);
    must(ingest_rederive(in, NULL, &err), &err);
    ingest_stop(in);
    in = run(l, s);
    assert_int_not_equal(person(s, "x"), ada);
    assert_int_equal(person(s, "y"), bob);
    assert_int_equal(ask(s, "select count(*) from person where name = 'Robert'"), 1);
    assert_int_equal(ask(s, "select count(*) from decision where who = 'root'"), 3);
    assert_int_equal(ask(s, "select count(*) from person_change where decision_id is not null"), 2);

    must(people_undo(in, split, "root", &err), &err);
    assert_int_equal(person(s, "x"), ada);
    must(people_undo(in, merge, "root", &err), &err);
    assert_int_equal(person(s, "y"), zoe);
    must(people_undo(in, name, "root", &err), &err);
    assert_int_equal(ask(s, "select count(*) from person where name = 'Robert'"), 0);
    assert_int_equal(people_undo(in, name, "root", &err), STATUS_CONFLICT);
    assert_int_equal(people_undo(in, 999, "root", &err), STATUS_NOT_FOUND);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

static void what_makes_no_sense_is_said_so(void **state)
{
    (void)state;
    struct log *l = open_log("no");
    struct store *s = open_store("no.duckdb");
    struct ingest *in = run(l, s);
    struct error err;
    int64_t id;
    TELL(l, "plex-1", "5 ada -", "6 bob -");
    TELL(l, "jellyfin-1", "x ada -");
    take_in(in, l);
    int64_t ada = person(s, "5"), bob = person(s, "6");
    assert_int_equal(people_merge(in, &ada, 1, "r", "", &id, &err), STATUS_INVALID);
    assert_int_equal(people_merge(in, (const int64_t[]){ada, ada}, 2, "r", "", &id, &err),
                     STATUS_INVALID);
    assert_int_equal(people_merge(in, (const int64_t[]){ada, 999}, 2, "r", "", &id, &err),
                     STATUS_NOT_FOUND);
    assert_int_equal(people_split(in, (const int64_t[]){account(s, "6")}, 1, "r", "", &id, &err),
                     STATUS_INVALID);
    assert_int_equal(people_split(in, (const int64_t[]){account(s, "6"), account(s, "5")}, 2, "r", "",
                                  &id, &err), STATUS_INVALID);
    assert_int_equal(people_split(in, (const int64_t[]){999}, 1, "r", "", &id, &err),
                     STATUS_NOT_FOUND);
    assert_int_equal(people_rename(in, 999, "x", "r", &id, &err), STATUS_NOT_FOUND);
    char name[PEOPLE_NAME_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(people_rename(in, ada, name, "r", &id, &err), STATUS_INVALID);
    must(people_part(in, (const int64_t[]){ada, bob}, 2, "r", "", &id, &err), &err);
    assert_int_equal(ask(s, "select count(*) from decision"), 1);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

/* A store of before: a person that two accounts shared stays that of the older one. */
static void accounts_without_a_person_of_their_own_get_one(void **state)
{
    (void)state;
    struct log *l = open_log("old");
    struct store *s = open_store("old.duckdb");
    struct store_conn *c;
    struct error err;
    must(store_connect(s, &c, &err), &err);
    must(store_exec(c, "insert into server (server_id, key, kind) values (1, 'plex-1', 'plex'),"
                       " (2, 'jellyfin-1', 'jellyfin'); insert into person values (1, 'ada');"
                       "insert into account (account_id, server_id, key, name, person_id,"
                       " home_person_id) values (1, 1, '5', 'ada', 1, 1), (2, 2, 'x', 'zoe', 1, null)",
                    &err), &err);
    store_disconnect(c);
    struct ingest *in = run(l, s);
    assert_int_equal(person(s, "5"), 1);
    assert_int_equal(person(s, "x"), 2);
    assert_int_equal(ask(s, "select count(*) from person where name = 'zoe'"), 1);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_folded),
        cmocka_unit_test(owners_are_told_apart),
        cmocka_unit_test(people_follow_what_changes),
        cmocka_unit_test(nothing_new_writes_nothing),
        cmocka_unit_test(watching_elsewhere_at_once_speaks_against_a_name),
        cmocka_unit_test(hands_win_and_are_taken_back),
        cmocka_unit_test(what_makes_no_sense_is_said_so),
        cmocka_unit_test(accounts_without_a_person_of_their_own_get_one),
    };
    return cmocka_run_group_tests_name("people", tests, set_up, tear_down);
}
