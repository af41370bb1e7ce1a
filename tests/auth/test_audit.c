#include "../test.h"

#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/audit.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { KEEP_ROWS = 1000, ROWS_MOST = 4000 };

static char path[64];

static int set_up(void **state)
{
    snprintf(path, sizeof path, "/tmp/cartographus-audit-%d.sqlite", getpid());
    return 0;
}

static int tear_down(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        auto_free char *file = xasprintf("%s%s", path, ends[i]);
        unlink(file);
    }
    return 0;
}

static struct auth *open_keeping(int64_t keep_us)
{
    struct auth_config c = {.path = path, .jwt_secret = "0123456789abcdef0123456789abcdef",
                            .is_offline = true, .session_timeout_us = US_PER_HOUR,
                            .audit_keep_rows = KEEP_ROWS, .audit_keep_us = keep_us};
    struct auth *a = NULL;
    struct error err = {0};
    if (auth_open(&c, &a, &err) != STATUS_OK)
        fail_msg("open: %s", err.text);
    return a;
}

static void note(struct auth *a, enum audit_kind kind, const char *who, const char *detail)
{
    struct audit_row row = {.kind = kind, .via = "session", .action = "DELETE /plays/{id}", .status = 204};
    snprintf(row.who, sizeof row.who, "%s", who);
    snprintf(row.detail, sizeof row.detail, "%s", detail);
    audit_note(a, &row);
}

struct listing {
    sem_t done;
    enum status status;
    size_t count;
    bool has_more;
    struct audit_row rows[ROWS_MOST];
};

static void listed(void *ctx, const struct audit_answer *answer)
{
    struct listing *l = ctx;
    l->status = answer->status;
    l->count = answer->count;
    l->has_more = answer->has_more;
    memcpy(l->rows, answer->rows, answer->count * sizeof *answer->rows);
    sem_post(&l->done);
}

/* The caller frees it. */
static struct listing *list(struct auth *a, struct audit_filter f)
{
    struct listing *l = xcalloc(1, sizeof *l);
    struct error err;
    sem_init(&l->done, 0, 0);
    assert_int_equal(audit_list(a, &f, listed, l, &err), STATUS_OK);
    sem_wait(&l->done);
    sem_destroy(&l->done);
    assert_int_equal(l->status, STATUS_OK);
    return l;
}

static void rows_come_back_newest_first_by_pages_and_filters(void **state)
{
    struct auth *a = open_keeping(US_PER_DAY);
    for (int i = 0; i < 10; i++) {
        char detail[16];
        snprintf(detail, sizeof detail, "%d", i);
        note(a, i % 2 ? AUDIT_CHANGE : AUDIT_EXPORT, i == 7 ? "Zoe" : "admin", detail);
    }
    auto_free struct listing *first = list(a, (struct audit_filter){.limit = 4});
    assert_int_equal(first->count, 4);
    assert_true(first->has_more);
    assert_string_equal(first->rows[0].detail, "9");
    auto_free struct listing *rest =
        list(a, (struct audit_filter){.limit = 100, .before_id = first->rows[3].id});
    assert_int_equal(rest->count, 6);
    assert_false(rest->has_more);
    assert_string_equal(rest->rows[0].detail, "5");
    auto_free struct listing *exports = list(a, (struct audit_filter){.limit = 100, .kind = AUDIT_EXPORT});
    assert_int_equal(exports->count, 5);
    auto_free struct listing *hers = list(a, (struct audit_filter){.limit = 100, .search = "zOE"});
    assert_int_equal(hers->count, 1);
    assert_string_equal(hers->rows[0].detail, "7");
    auth_close(a);
}

static void a_known_secret_is_masked(void **state)
{
    logger_add_secret("a-secret-of-the-test");
    struct auth *a = open_keeping(US_PER_DAY);
    note(a, AUDIT_CHANGE, "admin", "?token=a-secret-of-the-test");
    auto_free struct listing *l = list(a, (struct audit_filter){.limit = 1});
    assert_string_equal(l->rows[0].detail, "?token=***");
    auth_close(a);
}

/* In turns, so that none waits in vain. */
static void note_many(struct auth *a, enum audit_kind kind, int count)
{
    for (int i = 0; i < count; i++) {
        note(a, kind, "admin", "");
        if (i % 100 == 99)
            free(list(a, (struct audit_filter){.limit = 1}));
    }
}

static void what_is_kept_is_bounded_and_refusals_push_nothing_out(void **state)
{
    struct auth *a = open_keeping(US_PER_DAY);
    note_many(a, AUDIT_CHANGE, 500);
    note_many(a, AUDIT_REFUSED, 2000);
    auto_free struct listing *changes = list(a, (struct audit_filter){.limit = 3000, .kind = AUDIT_CHANGE});
    assert_int_equal(changes->count, 500);
    auto_free struct listing *refused = list(a, (struct audit_filter){.limit = 3000, .kind = AUDIT_REFUSED});
    assert_true(refused->count >= KEEP_ROWS / 10 && refused->count <= KEEP_ROWS / 10 + 300);
    note_many(a, AUDIT_CHANGE, 2000);
    auto_free struct listing *more = list(a, (struct audit_filter){.limit = 3000, .kind = AUDIT_CHANGE});
    assert_true(more->count >= KEEP_ROWS && more->count <= KEEP_ROWS + 300);
    auth_close(a);
}

static void what_is_old_goes(void **state)
{
    struct auth *a = open_keeping(US_PER_DAY);
    note_many(a, AUDIT_CHANGE, 100);
    auth_close(a);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    auto_free char *sql = xasprintf("update audit set at_us = %lld where audit_id <= 60",
                                    (long long)(clock_now_us() - 2 * US_PER_DAY));
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    a = open_keeping(US_PER_DAY);
    note(a, AUDIT_CHANGE, "admin", "new");
    auto_free struct listing *l = list(a, (struct audit_filter){.limit = 1000});
    assert_int_equal(l->count, 41);
    auth_close(a);
}

static void what_cannot_be_written_is_counted_and_keeps_nobody_waiting(void **state)
{
    struct auth *a = open_keeping(US_PER_DAY);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "drop table audit", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2000; i++)
        note(a, AUDIT_CHANGE, "admin", "lost");
    auth_stop(a);
    struct audit_counts c;
    audit_get_counts(a, &c);
    assert_true(c.lost > 0);
    auth_close(a);
}

static void an_act_without_a_server_is_noted_in_the_file(void **state)
{
    struct error err = {0};
    struct audit_row row = {.kind = AUDIT_CHANGE, .who = "command line", .action = "restore", .status = 200};
    assert_int_equal(audit_note_offline("/nowhere/at/all.sqlite", &row, &err), STATUS_IO);
    auth_close(open_keeping(US_PER_DAY));
    assert_int_equal(audit_note_offline(path, &row, &err), STATUS_OK);
    struct auth *a = open_keeping(US_PER_DAY);
    auto_free struct listing *l = list(a, (struct audit_filter){.limit = 10});
    assert_int_equal(l->count, 1);
    assert_string_equal(l->rows[0].action, "restore");
    auth_close(a);
}

int main(void)
{
    logger_setup(LOG_ERROR + 1, LOG_FORMAT_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_back_newest_first_by_pages_and_filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_known_secret_is_masked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_bounded_and_refusals_push_nothing_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_old_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_counted_and_keeps_nobody_waiting, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_act_without_a_server_is_noted_in_the_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
