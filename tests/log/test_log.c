/* What every home of the log holds: the same tests on each of them. */
#include "../test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "helpers.h"
#include "log/log.h"
#include "log/nats_server.h"

static char path[64];

static void forget_file(void)
{
    const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        auto_free char *file = xasprintf("%s%s", path, ends[i]);
        unlink(file);
    }
}

static void begin_file(void)
{
    snprintf(path, sizeof path, "/tmp/cartographus-log-%d.sqlite", getpid());
}

static enum status open_file(struct log **ret, struct error *err)
{
    return log_open(path, ret, err);
}

static char folder[64];
static struct nats_server *server;

static void begin_server(void)
{
    struct error err;
    snprintf(folder, sizeof folder, "/tmp/cartographus-nats-XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct nats_server_config c = {.folder = folder, .max_memory = 64 << 20, .max_store = 256 << 20};
    if (nats_server_start(&c, &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static enum status open_stream(struct log **ret, struct error *err)
{
    struct log_nats c = {.url = nats_server_url(server), .stream = "TEST", .max_bytes = 256 << 20,
                         .patience_us = 20 * US_PER_S};
    return log_open_nats(&c, ret, err);
}

static void end_server(void)
{
    nats_server_stop(server);
    remove_folder(folder);
}

static const struct home {
    const char *name;
    void (*begin)(void);
    enum status (*open)(struct log **ret, struct error *err);
    void (*end)(void);
} homes[] = {
    {"sqlite", begin_file, open_file, forget_file},
    {"nats", begin_server, open_stream, end_server},
};
static const struct home *home;

static struct log *open_log(void)
{
    struct log *l = NULL;
    struct error err;
    if (home->open(&l, &err) != STATUS_OK)
        fail_msg("%s: %s", home->name, err.text);
    return l;
}

static enum status collect(void *ctx, const struct log_record *r, struct error *err)
{
    struct buf *out = ctx;
    (void)err;
    if (r->kind != LOG_NOTHING)
        buf_printf(out, "%d:%.*s ", (int)r->kind, (int)r->payload.len, r->payload.ptr);
    return STATUS_OK;
}

static void records_come_back_in_order_also_after_reopening(void **state)
{
    struct log *l = open_log();
    struct error err;
    int64_t before = log_last(l);
    struct log_record two[] = {{.kind = LOG_OBSERVATION, .payload = STR("{\"a\":1}")},
                               {.kind = LOG_COVERAGE, .payload = STR("{}")}};
    assert_int_equal(log_append(l, two, 2, &err), STATUS_OK);
    assert_int_equal(two[1].seq, two[0].seq + 1);
    assert_false(log_wait(l, two[1].seq, 1000));
    auto_free char *name = xstrdup(log_home(l));
    log_close(l);

    l = open_log();
    assert_string_equal(log_home(l), name);
    assert_int_equal(log_last(l), two[1].seq);
    auto_buf struct buf seen = {0};
    assert_int_equal(log_read(l, before, 10, collect, &seen, &err), STATUS_OK);
    assert_string_equal(buf_text(&seen), "1:{\"a\":1} 2:{} ");
    log_close(l);
}

static enum status count(void *ctx, const struct log_record *r, struct error *err)
{
    (void)r;
    (void)err;
    ++*(int *)ctx;
    return STATUS_OK;
}

static void a_read_ends_after_a_megabyte(void **state)
{
    struct log *l = open_log();
    struct error err;
    auto_buf struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 400000; i++)
        buf_putc(&text, '1');
    struct log_record four[4];
    for (int i = 0; i < 4; i++)
        four[i] = (struct log_record){.kind = LOG_VIEWS, .payload = buf_str(&text)};
    assert_int_equal(log_append(l, four, 4, &err), STATUS_OK);
    int first = 0, second = 0;
    assert_int_equal(log_read(l, four[0].seq - 1, 10, count, &first, &err), STATUS_OK);
    assert_int_equal(first, 3);
    assert_int_equal(log_read(l, four[2].seq, 10, count, &second, &err), STATUS_OK);
    assert_int_equal(second, 1);
    assert_int_equal(log_trim(l, four[3].seq, &err), STATUS_OK);
    log_close(l);
}

static enum status check_long(void *ctx, const struct log_record *r, struct error *err)
{
    const struct log_record *want = ctx;
    (void)err;
    assert_int_equal(r->seq, want->seq);
    assert_int_equal(r->appended_us, want->appended_us);
    assert_true(str_eq(r->payload, want->payload));
    return STATUS_OK;
}

static void a_record_may_be_long(void **state)
{
    struct log *l = open_log();
    struct error err;
    auto_buf struct buf text = {0};
    for (int i = 0; i < 500000; i++)
        buf_printf(&text, "%d,", i);
    struct log_record three[] = {{.kind = LOG_COVERAGE, .payload = STR("{}")},
                                 {.kind = LOG_VIEWS, .payload = buf_str(&text)},
                                 {.kind = LOG_COVERAGE, .payload = STR("{}")}};
    assert_int_equal(log_append(l, three, 3, &err), STATUS_OK);
    assert_int_equal(log_read(l, three[0].seq, 1, check_long, &three[1], &err), STATUS_OK);
    assert_int_equal(log_read(l, three[1].seq, 1, check_long, &three[2], &err), STATUS_OK);
    log_close(l);
}

static void a_read_takes_no_more_than_was_asked_for(void **state)
{
    struct log *l = open_log();
    struct error err;
    enum { MANY = 1000 };
    static struct log_record many[MANY];
    for (int i = 0; i < MANY; i++)
        many[i] = (struct log_record){.kind = LOG_COVERAGE, .payload = STR("{}")};
    assert_int_equal(log_append(l, many, MANY, &err), STATUS_OK);
    int n = 0;
    assert_int_equal(log_read(l, many[0].seq, 70, count, &n, &err), STATUS_OK);
    assert_int_equal(n, 70);
    n = 0;
    assert_int_equal(log_read(l, many[0].seq, 2 * MANY, count, &n, &err), STATUS_OK);
    assert_int_equal(n, MANY - 1);
    log_close(l);
}

static void numbers_are_never_given_out_again(void **state)
{
    struct log *l = open_log();
    struct error err;
    struct log_record one = {.kind = LOG_COVERAGE, .payload = STR("{}")};
    assert_int_equal(log_append(l, &one, 1, &err), STATUS_OK);
    int64_t last = one.seq;
    assert_int_equal(log_trim(l, last, &err), STATUS_OK);
    auto_buf struct buf seen = {0};
    assert_int_equal(log_read(l, 0, 10, collect, &seen, &err), STATUS_OK);
    assert_string_equal(buf_text(&seen), "");
    log_close(l);

    l = open_log();
    assert_int_equal(log_append(l, &one, 1, &err), STATUS_OK);
    assert_int_equal(one.seq, last + 1);
    log_close(l);
}

static void a_file_that_is_no_log_is_named(void **state)
{
    auto_free char *other = xasprintf("%s.other", path);
    auto_file FILE *f = fopen(other, "we");
    fputs("this is not a database, it is a plain text of some length", f);
    fflush(f);
    struct log *l = NULL;
    struct error err;
    assert_int_equal(log_open(other, &l, &err), STATUS_IO);
    assert_non_null(strstr(err.text, other));
    assert_null(l);
    unlink(other);
}

static enum status collect_numbers(void *ctx, const struct log_record *r, struct error *err)
{
    struct buf *out = ctx;
    (void)err;
    buf_printf(out, "%d:%d:%.*s ", (int)r->seq, (int)r->kind, (int)r->payload.len, r->payload.ptr);
    return STATUS_OK;
}

static void a_backup_has_what_comes_after_the_stores_position(void **state)
{
    static const struct {
        int64_t applied;
        const char *records;
        int64_t next;
    } rows[] = {
        {0, "1:2:{} 2:2:{} 3:2:{} ", 4}, {2, "3:2:{} ", 4}, {3, "", 4},
        {9, "", 10}, /* the store went on after the copy of the log */
    };
    begin_file();
    struct log *l = NULL;
    struct error err;
    assert_int_equal(log_open(path, &l, &err), STATUS_OK);
    struct log_record one = {.kind = LOG_COVERAGE, .payload = STR("{}")};
    for (int i = 0; i < 3; i++)
        assert_int_equal(log_append(l, &one, 1, &err), STATUS_OK);
    auto_free char *to = xasprintf("%s-copy", path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct log *copy = NULL;
        auto_buf struct buf seen = {0};
        assert_int_equal(log_backup(l, 0, to, &err), STATUS_OK);
        assert_int_equal(log_backup_end(to, rows[i].applied, &err), STATUS_OK);
        assert_int_equal(log_open(to, &copy, &err), STATUS_OK);
        assert_int_equal(log_read(copy, 0, 10, collect_numbers, &seen, &err), STATUS_OK);
        assert_string_equal(buf_text(&seen), rows[i].records);
        assert_int_equal(log_append(copy, &one, 1, &err), STATUS_OK);
        assert_int_equal(one.seq, rows[i].next);
        log_close(copy);
        unlink(to);
    }
    assert_int_equal(log_last(l), 3);
    log_close(l);
    forget_file();
}

static int set_up(void **state)
{
    home->begin();
    return 0;
}

static int tear_down(void **state)
{
    home->end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(records_come_back_in_order_also_after_reopening),
        cmocka_unit_test(a_read_ends_after_a_megabyte),
        cmocka_unit_test(a_record_may_be_long),
        cmocka_unit_test(a_read_takes_no_more_than_was_asked_for),
        cmocka_unit_test(numbers_are_never_given_out_again),
    };
    const struct CMUnitTest file[] = {
        cmocka_unit_test(a_file_that_is_no_log_is_named),
        cmocka_unit_test(a_backup_has_what_comes_after_the_stores_position),
    };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
        home = &homes[i];
        print_message("in %s\n", home->name);
        failed += cmocka_run_group_tests(each, set_up, tear_down);
    }
    return failed + cmocka_run_group_tests(file, NULL, NULL);
}
