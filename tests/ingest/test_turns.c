/* A long log, as a backfill makes it, and those who do not want to wait for its end. */
#include "../test.h"

#include <pthread.h>
#include <semaphore.h>

#include "helpers.h"

enum { RECORDS = 400, VIEWS = 300 }; /* some thirty batches */

static enum status grow(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)c;
    (void)d;
    (void)err;
    for (int i = 0; i < RECORDS; i++)
        tell_views(ctx, (unsigned)i, 1000000, VIEWS);
    return STATUS_OK;
}

static enum status read_applied(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    return store_query_int(c, "select position from applied", NULL, 0, 0, ctx, err);
}

static void a_job_waits_for_one_batch_of_a_long_log(void **state)
{
    (void)state;
    struct log *l = open_log("turns.sqlite");
    struct store *s = open_store("turns.duckdb");
    struct ingest *in = start(l, s);
    struct error err;
    int64_t position = 0;
    assert_int_equal(ingest_run(in, grow, l, &err), STATUS_OK);
    assert_int_equal(ingest_run(in, read_applied, &position, &err), STATUS_OK);
    assert_in_range(position, 1, RECORDS - 1);
    assert_true(ingest_wait(in, RECORDS, 60 * US_PER_S));
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

static sem_t gate;

/* Writer's thread, after the first batch: holds it until the stop has begun. */
static void hold(void *ctx, int64_t data_version)
{
    bool *is_held = ctx;
    (void)data_version;
    if (!*is_held)
        sem_wait(&gate);
    *is_held = true;
}

static void *open_gate(void *arg)
{
    (void)arg;
    usleep(200000);
    sem_post(&gate);
    return NULL;
}

static void stopping_waits_for_one_batch_of_a_long_log(void **state)
{
    (void)state;
    struct log *l = open_log("stop.sqlite");
    struct store *s = open_store("stop.duckdb");
    bool is_held = false;
    struct ingest_config c = {.log = l, .store = s, .knobs = knobs_default(), .applied = hold,
                              .ctx = &is_held};
    struct ingest *in = NULL;
    pthread_t thread;
    sem_init(&gate, 0, 0);
    assert_int_equal(ingest_start(&c, &in, NULL), STATUS_OK);
    assert_int_equal(grow(l, NULL, NULL, NULL), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, open_gate, NULL), 0);
    ingest_stop(in);
    pthread_join(thread, NULL);
    sem_destroy(&gate);
    assert_in_range(ask(s, "select position from applied"), 1, RECORDS / 2);
    in = start(l, s);
    assert_int_equal(ask(s, "select position from applied"), RECORDS);
    ingest_stop(in);
    store_close(s);
    log_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_waits_for_one_batch_of_a_long_log),
        cmocka_unit_test(stopping_waits_for_one_batch_of_a_long_log),
    };
    return cmocka_run_group_tests_name("turns", tests, set_up, tear_down);
}
