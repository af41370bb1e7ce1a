/* A log that moves from one home to the other: what the former one still holds is applied first, and
 * neither's positions are taken for the other's. */
#include "../test.h"

#include <ftw.h>

#include "helpers.h"
#include "log/nats_server.h"

static struct nats_server *server;

static struct log *open_stream(const char *stream)
{
    struct log_nats c = {.url = nats_server_url(server), .stream = stream,
                         .patience_us = 20 * US_PER_S};
    struct log *l = NULL;
    struct error err;
    if (log_open_nats(&c, &l, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return l;
}

static struct ingest *start_moved(struct log *l, struct log *former, struct store *s)
{
    struct ingest_config c = {.log = l, .former = former, .store = s, .knobs = knobs_default()};
    struct ingest *in = NULL;
    struct error err;
    if (ingest_start(&c, &in, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return in;
}

static const char sessions[] = "select count(*) from session_in";
static const char applied[] = "select position from applied";

static void what_the_former_home_holds_is_applied_first_and_once(void **state)
{
    (void)state;
    struct log *file = open_log("home.sqlite"), *stream = open_stream("MOVE");
    struct store *s = open_store("home.duckdb");
    for (int i = 0; i < 3; i++)
        see(file, (const char *[]){"a", "b", "c"}[i], 100 + i, PLAY_PLAYING, 0, "ada", "Heat");
    /* The stream has one already: it comes after what is in the file. */
    see(stream, "a", 900, PLAY_STOPPED, 800, "ada", "Heat");
    struct ingest *in = start_moved(stream, file, s);
    assert_int_equal(ask(s, sessions), 3);
    assert_int_equal(ask(s, "select count(*) from session_in where is_ended"), 1);
    assert_int_equal(ask(s, applied), 1);
    assert_int_equal(ask(s, "select position from applied_before where home = 'sqlite'"), 3);
    ingest_stop(in);
    assert_int_equal(ask(s, "select is_read_out::int from applied"), 1);

    /* Back: the three are not applied again, a fourth is. */
    see(file, "d", 2000, PLAY_PLAYING, 0, "bob", "Ronin");
    in = start_moved(file, NULL, s);
    assert_int_equal(ask(s, sessions), 4);
    assert_int_equal(ask(s, "select count(*) from observation"), 5);
    assert_int_equal(ask(s, applied), 4);
    ingest_stop(in);

    /* And there again, as it was left. */
    in = start_moved(stream, file, s);
    assert_int_equal(ask(s, "select count(*) from observation"), 5);
    assert_int_equal(ask(s, applied), 1);
    ingest_stop(in);
    log_close(stream);

    /* A stream of another name is another log, although it counts from 1 as well. */
    stream = open_stream("OTHER");
    see(stream, "e", 3000, PLAY_PLAYING, 0, "bob", "Ronin");
    in = start_moved(stream, file, s);
    assert_int_equal(ask(s, sessions), 5);
    assert_int_equal(ask(s, "select count(*) from applied_before"), 2);
    ingest_stop(in);
    leave_store(s);
    log_close(stream);
    log_close(file);
}

/* A store of before, as a backup has it, and the rest of its log in a file of its own. */
static void make_backup(struct log *stream, struct log **ret_rest, const char *name)
{
    struct error err;
    auto_free char *path = in_folder(name);
    if (log_backup(stream, 1, path, &err) != STATUS_OK || log_backup_end(path, 1, &err) != STATUS_OK ||
        log_open(path, ret_rest, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_string_equal(log_rest_of(*ret_rest), log_home(stream));
    assert_int_equal(log_last(*ret_rest), 3);
}

static void the_rest_of_a_log_that_a_backup_holds_is_applied_wherever_the_log_is(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum { SAME_STREAM, NEW_STREAM, FILE_ITSELF } home;
    } rows[] = {{"same", SAME_STREAM}, {"new", NEW_STREAM}, {"file", FILE_ITSELF}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *store_name = xasprintf("rest-%s.duckdb", rows[i].name);
        auto_free char *rest_name = xasprintf("rest-%s.sqlite", rows[i].name);
        auto_free char *stream_name = xasprintf("REST%zu", i), *other_name = xasprintf("ANEW%zu", i);
        struct log *stream = open_stream(stream_name), *rest = NULL, *anew = NULL;
        struct store *s = open_store(store_name);
        see(stream, "a", 100, PLAY_PLAYING, 0, "ada", "Heat");
        struct ingest *in = start_moved(stream, NULL, s); /* one is applied, and then the backup is made */
        ingest_stop(in);
        see(stream, "b", 101, PLAY_PLAYING, 0, "ada", "Heat");
        see(stream, "c", 102, PLAY_PLAYING, 0, "ada", "Heat");
        make_backup(stream, &rest, rest_name);
        assert_int_equal(ask(s, sessions), 1);
        if (rows[i].home == NEW_STREAM)
            anew = open_stream(other_name);
        struct error err;
        assert_int_equal(log_trim(stream, 3, &err), STATUS_OK); /* the stream has gone on */
        see(stream, "d", 103, PLAY_PLAYING, 0, "ada", "Heat");
        in = rows[i].home == FILE_ITSELF ? start_moved(rest, NULL, s)
                                         : start_moved(anew ? anew : stream, rest, s);
        assert_int_equal(ask(s, sessions), rows[i].home == SAME_STREAM ? 4 : 3);
        assert_string_equal(log_rest_of(rest), "");
        ingest_stop(in);
        if (rows[i].home == FILE_ITSELF) { /* it goes on as a log of its own */
            see(rest, "e", 104, PLAY_PLAYING, 0, "ada", "Heat");
            in = start_moved(rest, NULL, s);
            assert_int_equal(ask(s, sessions), 4);
            assert_int_equal(ask(s, applied), 4);
            ingest_stop(in);
        }
        leave_store(s);
        log_close(anew);
        log_close(rest);
        log_close(stream);
    }
}

static int begin(void **state)
{
    struct error err;
    assert_int_equal(set_up(state), 0);
    auto_free char *own = in_folder("nats");
    struct nats_server_config c = {.folder = own, .max_memory = 64 << 20, .max_store = 256 << 20};
    if (nats_server_start(&c, &server, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int end(void **state)
{
    nats_server_stop(server);
    auto_free char *own = in_folder("nats");
    nftw(own, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_former_home_holds_is_applied_first_and_once),
        cmocka_unit_test(the_rest_of_a_log_that_a_backup_holds_is_applied_wherever_the_log_is),
    };
    return cmocka_run_group_tests_name("home", tests, begin, end);
}
