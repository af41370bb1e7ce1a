/* Who there is and what they may see; the API's side of it is in tests/integration/viewers.test.mjs. */
#include "../test.h"

#include <semaphore.h>
#include <sqlite3.h>

#include "auth/auth.h"
#include "auth/backup.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

#define SECRET "a-secret-of-enough-characters-0123456789"
#define PASSWORD "correct horse battery"

struct waiting {
    sem_t done;
    struct auth_login_result login;
    struct auth_change_result change;
    enum status status;
};

static void logged_in(void *ctx, const struct auth_login_result *r)
{
    struct waiting *w = ctx;
    w->login = *r;
    sem_post(&w->done);
}

static void logged_out(void *ctx, enum status s)
{
    struct waiting *w = ctx;
    w->status = s;
    sem_post(&w->done);
}

static void changed(void *ctx, const struct auth_change_result *r)
{
    struct waiting *w = ctx;
    w->change = *r;
    sem_post(&w->done);
}

static struct auth *open_file(const char *path, const char *issuer)
{
    struct auth_config c = {.path = path, .jwt_secret = SECRET, .admin_username = "admin",
                            .admin_password = PASSWORD, .issuers = {issuer},
                            .session_timeout_us = INT64_C(3600000000)};
    struct auth *a = NULL;
    struct error err = {0};
    if (auth_open(&c, &a, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return a;
}

static struct auth_login_result enter(struct auth *a, const char *issuer, const char *subject, enum role role)
{
    struct waiting w = {0};
    struct auth_identity who = {.role = role};
    snprintf(who.issuer, sizeof who.issuer, "%s", issuer);
    snprintf(who.subject, sizeof who.subject, "%s", subject);
    snprintf(who.name, sizeof who.name, "john");
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_enter_identity(a, &who, "127.0.0.1", logged_in, &w, NULL), STATUS_OK);
    sem_wait(&w.done);
    return w.login;
}

static struct auth_change_result change(struct auth *a, struct auth_change c)
{
    struct waiting w = {0};
    struct error err = {0};
    sem_init(&w.done, 0, 0);
    enum status s = auth_change(a, &c, changed, &w, &err);
    if (s != STATUS_OK)
        return (struct auth_change_result){.status = s, .error = err};
    sem_wait(&w.done);
    return w.change;
}

static bool sees(struct auth *a, int64_t id, const char *server, const char *kind, const char *account)
{
    auto_scope struct scope s = {0};
    auth_scope(a, id, &s);
    return scope_has(&s, &(struct scope_account){server, kind, account});
}

static void who_plex_knows_sees_their_own_account_at_plex(void **state)
{
    (void)state;
    struct auth *a = open_file(":memory:", "https://plex.tv");
    struct auth_login_result john = enter(a, "https://plex.tv", "12345", ROLE_VIEWER);
    assert_int_equal(john.status, STATUS_OK);
    assert_int_equal(john.user.role, ROLE_VIEWER);
    assert_true(sees(a, john.user.id, "plex-1", "plex", "12345"));
    assert_true(sees(a, john.user.id, "plex-2", "plex", "12345"));
    assert_false(sees(a, john.user.id, "emby-1", "emby", "12345"));
    assert_false(sees(a, john.user.id, "plex-1", "plex", "1234"));
    /* 1 is what every server calls its own owner, whoever has that number at plex.tv. */
    struct auth_login_result one = enter(a, "https://plex.tv", "1", ROLE_VIEWER);
    assert_false(sees(a, one.user.id, "plex-1", "plex", "1"));
    /* The same number from elsewhere is another's; so is an issuer that only looks alike. */
    static const char *const others[] = {"https://id.example.org", "https://plex.tv/", "http://plex.tv", "https://plex.tv.example"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct auth_login_result r = enter(a, others[i], "12345", ROLE_VIEWER);
        assert_int_equal(r.status, STATUS_OK);
        assert_int_not_equal(r.user.id, john.user.id);
        assert_false(sees(a, r.user.id, "plex-1", "plex", "12345"));
    }
    /* An administrator of that number sees all while they are one. */
    struct auth_login_result admin = enter(a, "https://plex.tv", "12345", ROLE_ADMIN);
    assert_int_equal(admin.user.id, john.user.id);
    assert_true(sees(a, admin.user.id, "emby-1", "emby", "x"));
    assert_int_equal(enter(a, "https://plex.tv", "12345", ROLE_VIEWER).status, STATUS_OK);
    assert_false(sees(a, admin.user.id, "emby-1", "emby", "x"));
    auth_close(a);
}

static void who_has_no_role_is_refused_and_sees_nothing(void **state)
{
    (void)state;
    struct auth *a = open_file(":memory:", "https://plex.tv");
    assert_int_equal(enter(a, "https://plex.tv", "7", ROLE_NOBODY).status, STATUS_DENIED);
    auto_arena struct arena arena = {0};
    size_t count = 0;
    auth_logins(a, &arena, &count);
    assert_int_equal(count, 1); /* the administrator: of who is refused nothing is kept */
    struct auth_login_result r = enter(a, "https://plex.tv", "7", ROLE_VIEWER);
    struct auth_user user;
    assert_true(auth_session(a, r.token, &user));
    assert_int_equal(enter(a, "https://plex.tv", "7", ROLE_NOBODY).status, STATUS_DENIED);
    assert_false(auth_session(a, r.token, &user));
    assert_false(auth_current(a, r.user.id, &user));
    auth_close(a);
}

static void what_nobody_is_sees_nothing(void **state)
{
    (void)state;
    struct auth *a = open_file(":memory:", NULL);
    static const int64_t ids[] = {0, -1, 987654321, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_false(sees(a, ids[i], "plex-1", "plex", "7"));
    auth_close(a);
}

static void the_command_line_ends_no_sessions_but_its_own(void **state)
{
    (void)state;
    struct auth *a = open_file(":memory:", "https://plex.tv");
    struct auth_login_result r = enter(a, "https://plex.tv", "7", ROLE_VIEWER);
    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_logout_everywhere(a, 0, logged_out, &w, NULL), STATUS_OK);
    sem_wait(&w.done);
    struct auth_user user;
    assert_true(auth_session(a, r.token, &user));
    auth_close(a);
}

static void links_have_a_limit_and_their_keys_a_form(void **state)
{
    (void)state;
    struct auth *a = open_file(":memory:", "https://plex.tv");
    int64_t id = enter(a, "https://plex.tv", "7", ROLE_VIEWER).user.id;
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(change(a, (struct auth_change){.kind = AUTH_LINK, .user_id = id, .server = "emby-1", .account = key}).status, STATUS_OK);
    }
    assert_int_equal(change(a, (struct auth_change){.kind = AUTH_LINK, .user_id = id, .server = "emby-1", .account = "more"}).status, STATUS_TOO_LARGE);
    assert_true(sees(a, id, "emby-1", "emby", "499"));
    assert_false(sees(a, id, "emby-1", "emby", "more"));
    static const char *const wrong[] = {"", "a\x1f" "b", "a\x1e" "b", "\n"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(change(a, (struct auth_change){.kind = AUTH_LINK, .user_id = id, .server = "emby-1", .account = wrong[i]}).status, STATUS_INVALID);
    char longest[SCOPE_KEY_MAX + 1] = {0};
    memset(longest, 'x', SCOPE_KEY_MAX);
    assert_int_equal(change(a, (struct auth_change){.kind = AUTH_LINK, .user_id = id, .server = longest, .account = "x"}).status, STATUS_INVALID);
    auth_close(a);
}

static void a_file_of_an_earlier_version_is_taken_on_and_a_backup_has_the_links(void **state)
{
    (void)state;
    char folder[] = "/tmp/cartographus-users-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *path = xasprintf("%s/a.sqlite", folder), *copy = xasprintf("%s/b.sqlite", folder);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "create table user (user_id integer primary key, name text not null unique,"
                                  "  role text not null, password text not null, is_configured integer not null,"
                                  "  created_us integer not null) strict;"
                                  "create table identity (user_id integer primary key, issuer text not null,"
                                  "  subject text not null, name text not null, unique (issuer, subject)) strict;"
                                  "insert into user values (7, 'https://plex.tv 70', 'viewer', '', 0, 1);"
                                  "insert into identity values (7, 'https://plex.tv', '70', 'john')",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct auth *a = open_file(path, "https://plex.tv");
    assert_true(sees(a, 7, "plex-1", "plex", "70"));
    assert_int_equal(change(a, (struct auth_change){.kind = AUTH_LINK, .user_id = 7, .server = "emby-1", .account = "x"}).status, STATUS_OK);
    assert_int_equal(change(a, (struct auth_change){.kind = AUTH_DISABLE, .user_id = 7}).status, STATUS_OK);
    assert_false(sees(a, 7, "emby-1", "emby", "x"));
    struct error err = {0};
    assert_int_equal(auth_backup(path, copy, &err), STATUS_OK);
    auth_close(a);
    a = open_file(copy, "https://plex.tv");
    assert_int_equal(enter(a, "https://plex.tv", "70", ROLE_VIEWER).status, STATUS_DENIED);
    assert_int_equal(change(a, (struct auth_change){.kind = AUTH_ENABLE, .user_id = 7}).status, STATUS_OK);
    assert_true(sees(a, 7, "emby-1", "emby", "x"));
    auth_close(a);
    unlink(path);
    unlink(copy);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_plex_knows_sees_their_own_account_at_plex),
        cmocka_unit_test(who_has_no_role_is_refused_and_sees_nothing),
        cmocka_unit_test(what_nobody_is_sees_nothing),
        cmocka_unit_test(the_command_line_ends_no_sessions_but_its_own),
        cmocka_unit_test(links_have_a_limit_and_their_keys_a_form),
        cmocka_unit_test(a_file_of_an_earlier_version_is_taken_on_and_a_backup_has_the_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
