#include "../test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>

#include "auth/api_token.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

struct waiting {
    sem_t done;
    enum status status;
    char text[API_TOKEN_MAX];
    struct api_token first;
    size_t count;
};

static void told(void *ctx, const struct api_tokens_answer *answer)
{
    struct waiting *w = ctx;
    w->status = answer->status;
    w->count = answer->count;
    memcpy(w->text, answer->text, sizeof w->text);
    if (answer->count > 0)
        w->first = answer->tokens[0];
    sem_post(&w->done);
}

static struct auth *open_auth(void)
{
    struct auth_config c = {.path = ":memory:", .jwt_secret = "0123456789abcdef0123456789abcdef",
                            .admin_username = "admin", .admin_password = "correct horse battery",
                            .session_timeout_us = US_PER_HOUR, .audit_keep_rows = 1000,
                            .audit_keep_us = US_PER_DAY};
    struct auth *a = NULL;
    struct error err = {0};
    if (auth_open(&c, &a, &err) != STATUS_OK)
        fail_msg("open: %s", err.text);
    return a;
}

static struct waiting add(struct auth *a, const char *name, enum token_scope scope)
{
    struct api_token_order order = {.scope = scope, .days = 1};
    struct waiting w = {0};
    struct error err;
    snprintf(order.name, sizeof order.name, "%s", name);
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_token_add(a, &order, told, &w, &err), STATUS_OK);
    sem_wait(&w.done);
    sem_destroy(&w.done);
    return w;
}

static struct waiting remove_one(struct auth *a, int64_t id, int64_t account)
{
    struct waiting w = {0};
    struct error err;
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_token_remove(a, id, account, told, &w, &err), STATUS_OK);
    sem_wait(&w.done);
    sem_destroy(&w.done);
    return w;
}

static enum status use(struct auth *a, const char *text, struct api_token *ret)
{
    int64_t after;
    struct error err;
    return auth_token(a, text, "192.0.2.1", ret, &after, &err);
}

static void a_token_is_its_accounts_until_it_is_removed(void **state)
{
    struct auth *a = open_auth();
    struct waiting made = add(a, "  tool ", TOKEN_READ);
    assert_int_equal(made.status, STATUS_OK);
    assert_string_equal(made.first.name, "tool");
    assert_int_equal(strlen(made.text), API_TOKEN_MAX - 1);
    struct api_token t;
    assert_int_equal(use(a, made.text, &t), STATUS_OK);
    assert_int_equal(t.scope, TOKEN_READ);
    assert_int_equal(t.owner.role, ROLE_ADMIN);
    assert_string_equal(t.used_from, "192.0.2.1");
    assert_int_equal(remove_one(a, t.id, t.owner.id + 1).status, STATUS_NOT_FOUND);
    assert_int_equal(use(a, made.text, &t), STATUS_OK);
    assert_int_equal(remove_one(a, t.id, t.owner.id).status, STATUS_OK);
    assert_int_equal(use(a, made.text, &t), STATUS_UNAUTHORIZED);
    assert_false(auth_token_lives(a, made.text));
    auth_close(a);
}

static void entered(void *ctx, const struct auth_login_result *r)
{
    struct waiting *w = ctx;
    w->status = r->status;
    sem_post(&w->done);
}

static enum status enter(struct auth *a, enum role role)
{
    struct auth_identity who = {.issuer = "https://id.example.org", .subject = "1", .name = "ann",
                                .role = role};
    struct waiting w = {0};
    struct error err;
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_enter_identity(a, &who, "192.0.2.1", entered, &w, &err), STATUS_OK);
    sem_wait(&w.done);
    sem_destroy(&w.done);
    return w.status;
}

static void it_never_may_more_than_its_account_now(void **state)
{
    struct auth *a = open_auth();
    assert_int_equal(enter(a, ROLE_ADMIN), STATUS_OK);
    struct api_token_order order = {.name = "hers", .account = "ann", .scope = TOKEN_ADMIN};
    struct waiting w = {0};
    struct error err;
    sem_init(&w.done, 0, 0);
    assert_int_equal(auth_token_add(a, &order, told, &w, &err), STATUS_OK);
    sem_wait(&w.done);
    sem_destroy(&w.done);
    assert_int_equal(w.status, STATUS_OK);
    struct api_token t;
    assert_int_equal(use(a, w.text, &t), STATUS_OK);
    assert_int_equal(t.expires_us, TIME_NONE);
    (void)!enter(a, ROLE_VIEWER); /* the provider says that she is none any more */
    /* The worker follows its accounts after the job; what is asked next comes after it. */
    add(a, "after it", TOKEN_READ);
    assert_true(use(a, w.text, &t) != STATUS_OK || t.owner.role < ROLE_ADMIN);
    auth_close(a);
}

struct users {
    struct auth *auth;
    const char *text;
    _Atomic bool is_over;
    _Atomic int uses;
};

static void *use_it(void *arg)
{
    struct users *u = arg;
    struct api_token t;
    while (!u->is_over) {
        assert_int_equal(use(u->auth, u->text, &t), STATUS_OK);
        u->uses++;
    }
    return NULL;
}

static void it_is_used_while_others_come_and_go(void **state)
{
    struct auth *a = open_auth();
    struct waiting made = add(a, "busy", TOKEN_ADMIN);
    struct users u = {.auth = a, .text = made.text};
    pthread_t threads[2];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, &u), 0);
    for (int i = 0; i < 50 || u.uses < 100; i++) {
        struct waiting other = add(a, "passing", TOKEN_READ);
        assert_int_equal(other.status, STATUS_OK);
        assert_int_equal(remove_one(a, other.first.id, 0).status, STATUS_OK);
    }
    u.is_over = true;
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    auth_close(a);
}

int main(void)
{
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_its_accounts_until_it_is_removed),
        cmocka_unit_test(it_never_may_more_than_its_account_now),
        cmocka_unit_test(it_is_used_while_others_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
