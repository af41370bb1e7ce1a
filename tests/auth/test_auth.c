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

static struct auth_login_result login(struct auth *a, const char *name, const char *password)
{
    struct waiting w = {0};
    sem_init(&w.done, 0, 0);
    int64_t after = 0;
    struct error err = {0};
    enum status s = auth_login(a, name, password, "127.0.0.1", logged_in, &w, &after, &err);
    if (s != STATUS_OK) {
        w.result.status = s;
        w.result.error = err;
    } else {
        sem_wait(&w.done);
    }
    sem_destroy(&w.done);
    return w.result;
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
        cmocka_unit_test(sessions_outlive_a_restart_but_not_a_new_password),
        cmocka_unit_test(a_backup_has_the_accounts_but_no_password_and_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
