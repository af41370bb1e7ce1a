/* The server's side of people's own SQL with real processes, which are this test's own program. */
#include "../test.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sql/child.h"
#include "sql/order.h"
#include "sql/sql.h"
#include "sql/tables.h"
#include "store/store.h"

static const char forever[] = "select count(*) from range(1000000000000)";

/* --- the report ------------------------------------------------------------------------------ */

static struct sql_report good_report(void)
{
    struct sql_report r = {.magic = SQL_MAGIC, .status = STATUS_INVALID, .rows = 1, .bytes = 2, .took_us = 3};
    memcpy(r.text, "wrong", 6);
    return r;
}

static void test_report_is_believed_within_bounds(void **state)
{
    struct sql_report r = good_report(), read;
    struct error err;
    assert_int_equal(sql_report_read(&r, sizeof r, &read, &err), STATUS_OK);
    assert_string_equal(read.text, "wrong");
    for (size_t len = 0; len < sizeof r; len += 7)
        assert_int_equal(sql_report_read(&r, len, &read, &err), STATUS_PROTOCOL);
    struct sql_report bad[] = {good_report(), good_report(), good_report(), good_report(), good_report(),
                               good_report()};
    bad[0].magic++;
    bad[1].status = -1;
    bad[2].status = STATUS_INTERNAL + 1;
    bad[3].rows = -1;
    bad[4].bytes = INT64_MIN;
    bad[5].took_us = -1;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(sql_report_read(&bad[i], sizeof bad[i], &read, &err), STATUS_PROTOCOL);
}

static void test_report_of_any_bytes_has_texts_that_end(void **state)
{
    struct sql_report r = good_report(), read;
    for (int byte = 0; byte < 256; byte++) {
        memset(r.field, byte, sizeof r.field);
        memset(r.text, byte, sizeof r.text);
        assert_int_equal(sql_report_read(&r, sizeof r, &read, NULL), STATUS_OK);
        assert_true(strnlen(read.field, sizeof read.field) < sizeof read.field);
        assert_true(strnlen(read.text, sizeof read.text) < sizeof read.text);
    }
}

/* --- the thread ------------------------------------------------------------------------------ */

static struct store *store;
static char folder[] = "/tmp/cartographus-sql-XXXXXX";

static int set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "128MB", .threads = 1};
    return !mkdtemp(folder) || store_open(&c, &store, NULL, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    store_close(store);
    return rmdir(folder); /* nothing is left in it */
}

struct asked {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
    _Atomic bool is_gone;
    struct sql_answer answer;
    char text[4096];
};
#define ASKED {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static bool is_gone(void *ctx)
{
    return ((struct asked *)ctx)->is_gone;
}

static void done(void *ctx, const struct sql_answer *a)
{
    struct asked *q = ctx;
    pthread_mutex_lock(&q->mutex);
    q->answer = *a;
    if (a->status == STATUS_OK) {
        ssize_t n = pread(a->fd, q->text, sizeof q->text - 1, 0);
        assert_int_equal(n, a->bytes);
        close(a->fd);
    }
    q->is_done = true;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}

static enum status ask(struct sql *s, struct asked *q, const char *sql)
{
    struct sql_question question = {.sql = sql, .format = SQL_CSV, .ctx = q, .is_gone = is_gone, .done = done};
    return sql_ask(s, &question, NULL);
}

static enum status wait_for(struct asked *q)
{
    pthread_mutex_lock(&q->mutex);
    while (!q->is_done)
        pthread_cond_wait(&q->changed, &q->mutex);
    pthread_mutex_unlock(&q->mutex);
    return q->answer.status;
}

static struct sql *start(int64_t timeout_us)
{
    struct sql_config c = {.store = store, .folder = folder, .time_zone = "Europe/Berlin",
                           .timeout_us = timeout_us, .max_memory = 128 << 20, .most_rows = 1000};
    struct sql *s = NULL;
    struct error err = {0};
    if (sql_start(&c, &s, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return s;
}

static void answers(struct sql *s, const char *sql, enum status status, const char *text)
{
    struct asked q = ASKED;
    assert_int_equal(ask(s, &q, sql), STATUS_OK);
    if (wait_for(&q) != status)
        fail_msg("%s: %s: %s", sql, status_text(q.answer.status), q.answer.error.text);
    const char *said = status == STATUS_OK ? q.text : q.answer.error.text;
    if (!strstr(said, text))
        fail_msg("%s: '%s' has no '%s'", sql, said, text);
}

static void test_questions_are_answered(void **state)
{
    struct sql *s = start(600 * US_PER_S);
    answers(s, "select 42 as n", STATUS_OK, "n\r\n42\r\n");
    for (size_t i = 0; i < sql_table_count; i++) {
        auto_free char *sql = xasprintf("select count(*) as n from %s", sql_tables[i].name);
        answers(s, sql, STATUS_OK, "n\r\n0\r\n");
    }
    answers(s, "select hour(timestamptz '2026-07-01 00:00:00+00') as h", STATUS_OK, "h\r\n2\r\n");
    answers(s, "select nothing from play", STATUS_INVALID, "LINE 1");
    answers(s, "drop table play", STATUS_INVALID, "begins with 'drop'");
    answers(s, "select * from range(2000)", STATUS_TOO_LARGE, "more than 1000 rows");
    answers(s, "select * from read_text('/etc/passwd')", STATUS_INVALID, "disabled");
    answers(s, "select list(range) from range(1000000000)", STATUS_TOO_LARGE, "memory");
    sql_free(s);
}

static void test_time_ends(void **state)
{
    struct sql *s = start(US_PER_S / 2);
    answers(s, forever, STATUS_TIMEOUT, "QUERY_TIMEOUT");
    sql_free(s);
}

static void test_who_goes_is_not_waited_for(void **state)
{
    struct sql *s = start(600 * US_PER_S);
    struct asked q = ASKED;
    assert_int_equal(ask(s, &q, forever), STATUS_OK);
    q.is_gone = true;
    assert_int_equal(wait_for(&q), STATUS_CANCELLED);
    sql_free(s);
}

static void test_stop_answers_what_runs_and_waits(void **state)
{
    struct sql *s = start(600 * US_PER_S);
    struct asked q[8] = {ASKED, ASKED, ASKED, ASKED, ASKED, ASKED, ASKED, ASKED};
    size_t taken = 0, refused = 0;
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        if (ask(s, &q[i], forever) == STATUS_OK) {
            taken++;
            continue;
        }
        refused++;
        q[i].is_done = true;
        q[i].answer.status = STATUS_UNAVAILABLE;
    }
    assert_true(taken >= 4 && refused >= 1);
    sql_stop(s);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        assert_int_equal(wait_for(&q[i]), STATUS_UNAVAILABLE);
    struct asked late = ASKED;
    assert_int_equal(ask(s, &late, "select 1"), STATUS_UNAVAILABLE);
    sql_free(s);
}

int main(int argc, char **argv)
{
    if (argc == 2 && streq(argv[1], SQL_CHILD_WORD))
        return sql_child();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_is_believed_within_bounds),
        cmocka_unit_test(test_report_of_any_bytes_has_texts_that_end),
        cmocka_unit_test(test_questions_are_answered),
        cmocka_unit_test(test_time_ends),
        cmocka_unit_test(test_who_goes_is_not_waited_for),
        cmocka_unit_test(test_stop_answers_what_runs_and_waits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
