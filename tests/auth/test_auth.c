#include "../test.h"

#include <semaphore.h>

#include "auth/auth.h"
#include "auth/backup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

struct waiting {
    sem_t done;
    struct auth_login_result result;
    enum status status;
};

static void logged_in(void *ctx, const struct auth_login_result *r)
{
    struct waiting *w = ctx;
    w->result = *r;
    sem_post(&w->done);
}

static void logged_out(void *ctx, enum status s)
{
    struct waiting *w = ctx;
    w->status = s;
    sem_post(&w->done);
}

static struct auth_login_result login_from(struct auth *a, const char *name, const char *password,
                                           const char *address, const char *device)
{
    struct auth_try try = {name, password, address, device};
    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    int64_t after = 0;
    struct error err = {0};
    enum status s = auth_login(a, &try, logged_in, &w, &after, &err);
    if (s != STATUS_OK) {
        w.result.status = s;
        w.result.error = err;
    } else {
        sem_wait(&w.done);
    }
    sem_destroy(&w.done);
    return w.result;
}

static struct auth_login_result login(struct auth *a, const char *name, const char *password)
{
    return login_from(a, name, password, "127.0.0.1", NULL);
}

static struct auth *open_with(const char *path, const char *password, const char *secret)
{
    struct auth_config c = {.path = path,
                            .jwt_secret = secret,
                            .admin_username = "admin",
                            .admin_password = password,
                            .session_timeout_us = US_PER_HOUR};
    struct auth *a = NULL;
    struct error err = {0};
    if (auth_open(&c, &a, &err) != STATUS_OK)
        fail_msg("open: %s", err.text);
    return a;
}

static const char SECRET[] = "0123456789abcdef0123456789abcdef";

static void right_password_gives_a_session_until_logout(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    struct auth_login_result r = login(a, "admin", "correct horse battery");
    assert_int_equal(r.status, STATUS_OK);
    struct auth_user user = {0};
    assert_true(auth_session(a, r.token, &user));
    assert_string_equal(user.name, "admin");
    assert_int_equal(user.role, ROLE_ADMIN);

    char forged[AUTH_TOKEN_MAX];
    snprintf(forged, sizeof forged, "%s", r.token);
    size_t last = strlen(forged) - 1;
    forged[last] = forged[last] == '0' ? '1' : '0';
    assert_false(auth_session(a, forged, &user));
    assert_false(auth_session(a, "", &user));
    assert_false(auth_session(a, NULL, &user));

    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_logout(a, r.token, logged_out, &w, NULL), STATUS_OK);
    assert_false(auth_session(a, r.token, &user));
    sem_wait(&w.done);
    assert_int_equal(w.status, STATUS_OK);
    sem_destroy(&w.done);
    auth_close(a);
}

static void wrong_logins_are_refused_alike(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    struct auth_login_result wrong = login(a, "admin", "Correct horse battery");
    struct auth_login_result unknown = login(a, "nobody", "correct horse battery");
    assert_int_equal(wrong.status, STATUS_UNAUTHORIZED);
    assert_int_equal(unknown.status, STATUS_UNAUTHORIZED);
    assert_string_equal(wrong.error.text, unknown.error.text);
    auth_close(a);
}

static void repeated_failures_are_slowed_down(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    enum status s = STATUS_OK;
    for (int i = 0; i < 10 && s != STATUS_RATE_LIMITED; i++)
        s = login(a, "admin", "wrong").status;
    assert_int_equal(s, STATUS_RATE_LIMITED);
    auth_close(a);
}

static void strangers_do_not_lock_out_a_known_device(void **state)
{
    static const char right[] = "correct horse battery";
    struct auth *a = open_with(":memory:", right, SECRET);
    struct auth_login_result first = login(a, "admin", right);
    assert_int_equal(first.status, STATUS_OK);
    assert_true(*first.device);
    /* Guesses from everywhere, the owner's own address among them. */
    for (int i = 0; i < 8; i++) {
        char address[32];
        snprintf(address, sizeof address, "198.51.100.%d", i);
        (void)login_from(a, "admin", "wrong", i % 2 ? address : "127.0.0.1", NULL);
    }
    assert_int_equal(login(a, "admin", right).status, STATUS_RATE_LIMITED);
    struct auth_login_result known = login_from(a, "admin", right, "127.0.0.1", first.device);
    assert_int_equal(known.status, STATUS_OK);
    assert_string_equal(known.device, "");

    /* Of another account, forged or stale it is no device, but never in the way of a login. */
    char forged[AUTH_TOKEN_MAX];
    snprintf(forged, sizeof forged, "%s", first.device);
    forged[0] = forged[0] == '0' ? '1' : '0';
    const char *const others[] = {forged, "", "stale", known.token};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(login_from(a, "admin", right, "127.0.0.1", others[i]).status,
                         STATUS_RATE_LIMITED);
    assert_int_equal(login_from(a, "other", right, "203.0.113.1", first.device).status,
                     STATUS_UNAUTHORIZED);
    auth_close(a);
}

static void a_known_device_is_slowed_down_by_its_own_failures(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    struct auth_login_result first = login(a, "admin", "correct horse battery");
    enum status s = STATUS_OK;
    for (int i = 0; i < 10 && s != STATUS_RATE_LIMITED; i++)
        s = login_from(a, "admin", "wrong", "127.0.0.1", first.device).status;
    assert_int_equal(s, STATUS_RATE_LIMITED);
    auth_close(a);
}

static void logging_out_everywhere_ends_all_sessions(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    struct auth_login_result one = login(a, "admin", "correct horse battery");
    struct auth_login_result two = login(a, "admin", "correct horse battery");
    struct auth_user user;
    assert_true(auth_session(a, one.token, &user) && auth_session(a, two.token, &user));
    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_logout_everywhere(a, user.id, logged_out, &w, NULL), STATUS_OK);
    sem_wait(&w.done);
    sem_destroy(&w.done);
    assert_int_equal(w.status, STATUS_OK);
    assert_false(auth_session(a, one.token, &user) || auth_session(a, two.token, &user));
    auth_close(a);
}

static void a_password_once_verified_is_remembered_and_no_other(void **state)
{
    struct auth *a = open_with(":memory:", "correct horse battery", SECRET);
    struct auth_user user;
    assert_false(auth_remembers(a, "admin", "correct horse battery", &user));
    int64_t after = 0;
    /* As many at once as a client may send: one guess, however often. */
    struct auth_try right = {"admin", "correct horse battery", "127.0.0.1", NULL};
    struct waiting all[12] = {0};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        sem_init(&all[i].done, 0, 0);
        assert_int_equal(auth_verify(a, &right, logged_in, &all[i], &after, NULL), STATUS_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        sem_wait(&all[i].done);
        sem_destroy(&all[i].done);
        assert_int_equal(all[i].result.status, STATUS_OK);
        assert_string_equal(all[i].result.token, "");
    }
    assert_true(auth_remembers(a, "admin", "correct horse battery", &user));
    assert_string_equal(user.name, "admin");
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_false(auth_remembers(a, "admin", "correct horse batterx", &user));
    assert_false(auth_remembers(a, "Admin", "correct horse battery", &user));
    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    struct auth_try wrong = {"admin", "correct horse batterx", "127.0.0.1", NULL};
    assert_int_equal(auth_verify(a, &wrong, logged_in, &w, &after, NULL), STATUS_OK);
    sem_wait(&w.done);
    assert_int_equal(w.result.status, STATUS_UNAUTHORIZED);
    assert_false(auth_remembers(a, "admin", "correct horse batterx", &user));
    sem_destroy(&w.done);
    auth_close(a);
}

static void sessions_outlive_a_restart_but_not_a_new_password(void **state)
{
    char folder[] = "auth-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *path = xasprintf("%s/cartographus.sqlite", folder);
    struct auth *a = open_with(path, "correct horse battery", SECRET);
    struct auth_login_result r = login(a, "admin", "correct horse battery");
    assert_int_equal(r.status, STATUS_OK);
    auth_close(a);

    struct auth_user user;
    a = open_with(path, "correct horse battery", SECRET);
    assert_true(auth_session(a, r.token, &user));
    auth_close(a);

    a = open_with(path, "another horse battery", SECRET);
    assert_false(auth_session(a, r.token, &user));
    assert_int_equal(login(a, "admin", "correct horse battery").status, STATUS_UNAUTHORIZED);
    assert_int_equal(login(a, "admin", "another horse battery").status, STATUS_OK);
    auth_close(a);

    a = open_with(path, "another horse battery", "another-secret-0123456789abcdef-");
    assert_false(auth_session(a, r.token, &user));
    auth_close(a);
    unlink(path);
    rmdir(folder);
}

static bool holds(const char *path, const char *text)
{
    auto_file FILE *f = fopen(path, "re");
    assert_non_null(f);
    static char bytes[256 * 1024];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    return memmem(bytes, n, text, strlen(text)) != NULL;
}

static void a_backup_has_the_accounts_but_no_password_and_no_session(void **state)
{
    (void)state;
    char folder[] = "/tmp/cartographus-auth-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *path = xasprintf("%s/a.sqlite", folder), *copy = xasprintf("%s/b.sqlite", folder);
    struct auth *a = open_with(path, "correct horse battery", SECRET);
    struct auth_login_result r = login(a, "admin", "correct horse battery");
    assert_int_equal(r.status, STATUS_OK);
    struct error err = {0};
    assert_int_equal(auth_backup(path, copy, &err), STATUS_OK);
    auth_close(a);
    assert_true(holds(path, "$argon2id$"));
    assert_true(holds(copy, "admin"));
    assert_false(holds(copy, "$argon2id$"));

    a = open_with(copy, "correct horse battery", SECRET);
    struct auth_user user;
    assert_false(auth_session(a, r.token, &user));
    assert_int_equal(login(a, "admin", "correct horse battery").status, STATUS_OK);
    auth_close(a);
    unlink(path);
    unlink(copy);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_password_gives_a_session_until_logout),
        cmocka_unit_test(wrong_logins_are_refused_alike),
        cmocka_unit_test(repeated_failures_are_slowed_down),
        cmocka_unit_test(strangers_do_not_lock_out_a_known_device),
        cmocka_unit_test(a_known_device_is_slowed_down_by_its_own_failures),
        cmocka_unit_test(logging_out_everywhere_ends_all_sessions),
        cmocka_unit_test(a_password_once_verified_is_remembered_and_no_other),
        cmocka_unit_test(sessions_outlive_a_restart_but_not_a_new_password),
        cmocka_unit_test(a_backup_has_the_accounts_but_no_password_and_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
