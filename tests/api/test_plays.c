#include "../test.h"

#include <pthread.h>
#include <stdio.h>

#include "analytics/answer.h"
#include "api/plays.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"

/* 2026-03-10T12:00:00Z */
#define NOW_US (INT64_C(1773144000) * US_PER_S)
enum { AT_FIRST = 80, LATER = 40 };

static struct store *store;
static struct store_conn *conn;
static char path[64]; /* in memory there are no checkpoints */

static void run(const char *sql)
{
    struct error err;
    if (store_exec(conn, sql, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/cartographus-plays-%d.duckdb", getpid());
    struct store_config c = {.path = path, .max_memory = "512MB", .threads = 2};
    struct error err;
    if (store_open(&c, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &conn, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    run("insert into server (server_id, key, kind, name, machine_id, version,"
        " latitude, longitude) values (1, 'a', 'plex', 'A', null, null, null, null);"
        "insert into person values (1, 'zoë'), (2, 'Bob'), (3, 'Zoe'), (4, 'ada');"
        "insert into account (account_id, server_id, key, name, email,"
        " is_owner, person_id) select n, 1, n::varchar, 'acc', null, null, nullif(n, 5) from"
        " range(1, 6) r(n);"
        "insert into title select n, 'movie', 'Title ' || n // 2, null, null, null, null, 1990,"
        " null, null, null, (['title ', 'Title ', 'TÏTLE '])[1 + n % 3] || n // 2 from"
        " range(1, 41) r(n);"
        "insert into library values (1, 1, 'l', 'Films', 'movie');"
        "insert into device values (1, 'm', 'TV', null, null, 'Android', null),"
        " (2, 'n', 'Phone', null, null, 'iOS', null);"
        "insert into place values (1, 'DE', 'Germany', null, 'Berlin', 52.5, 13.4),"
        " (2, 'FR', null, null, null, 48, 2);"
        "insert into address values (1, '1.1.1.1', 'public', 1), (2, '2.2.2.2', 'public', 2);"
        "insert into quality (quality_id, transcode_decision, video_resolution) values"
        " (1, 'transcode', '4k');");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_disconnect(conn);
    store_close(store);
    return unlink(path);
}

/* Plays from..to; many share a start, a title, a watch time, or know no percent. */
static void add_plays(int from, int to)
{
    auto_free char *sql = xasprintf(
        "insert into play select n, 'play', 'live', 1, 1 + (n * 7 %% 5), 1 + (n * 11 %% 40), 1,"
        " 'movie', b, b + interval 1 hour, (n * 13 %% 17) * 60000, 0, 0, 0, null, 3600000,"
        " case when n %% 4 = 0 then null else (n * 3 %% 30) / 3.0 end, true, false, false, 1,"
        " n %% 10 = 9, case when n %% 10 = 9 then 'deleted' end from (select n, case when n %% 3 = 0"
        " then timestamp '2026-01-01' else timestamp '2022-01-01' + to_hours(n * 577 %% 40000) end b"
        " from range(%d, %d) r(n));"
        "insert into segment (segment_id, play_id, server_id, account_id, title_id, device_id,"
        " quality_id, address_id, started, ended, watch_ms) select play_id, play_id, 1, account_id,"
        " title_id, 1 + play_id %% 2, 1, 1 + play_id %% 2, started, ended, watch_ms from play"
        " where play_id >= %d and play_id < %d", from, to, from, to);
    run(sql);
}

static struct filter *filter_of(const char *name, const char *value)
{
    struct filter_config c = {
        .time_zone = "UTC", .now_us = NOW_US, .sees_all = true, .takes_deleted = true};
    struct filter *f = filter_new(&c);
    struct error err = {0};
    bool is_known;
    if ((name && filter_take(f, name, value, &is_known, &err) != STATUS_OK) ||
        filter_finish(f, conn, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return f;
}

static json_t *read_page(struct plays_query *q, int64_t *ret_count)
{
    auto_buf struct buf text = {0};
    struct error err = {0};
    buf_putc(&text, '[');
    if (plays_read(conn, q, ROWS_JSON, &text, ret_count, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    buf_putc(&text, ']');
    json_t *page = NULL;
    if (json_parse(buf_str(&text), text.len, 8, &page, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(json_array_size(page), *ret_count);
    return page;
}

static const char *const words[PLAYS_SORTS] = {"started", "watch_ms", "person", "title", "percent"};

/* What comes first when sorted: the text that compares as the rows should. */
static int compare(const json_t *a, const json_t *b, enum plays_sort sort, bool is_ascending)
{
    static const char *const members[PLAYS_SORTS] = {"started", "watch_ms", "person", "full_title",
                                                     "percent"};
    const json_t *x = jget(a, members[sort]), *y = jget(b, members[sort]);
    if (json_is_null(x) || json_is_null(y))
        return json_is_null(x) - json_is_null(y);
    int order;
    if (json_is_number(x)) {
        double m = json_number_value(x), n = json_number_value(y);
        order = m < n ? -1 : m > n;
    } else if (sort == PLAYS_BY_STARTED) {
        order = strcmp(json_string_value(x), json_string_value(y));
    } else {
        /* accents and case folded: of these names, the number behind, or the first letter */
        const char *m = json_string_value(x), *n = json_string_value(y);
        order = sort == PLAYS_BY_TITLE ? strcmp(strchr(m, ' '), strchr(n, ' '))
                                       : (m[0] | 0x20) - (n[0] | 0x20);
    }
    return is_ascending ? order : -order;
}

/* Pages while rows arrive between them: every row that was there at first comes exactly once, none
 * comes twice, and each page goes on where the one before ended. */
static void paging_gives_each_row_once_while_rows_arrive(void **state)
{
    (void)state;
    for (int variant = 0; variant < 2 * PLAYS_SORTS; variant++) {
        run("delete from play; delete from segment");
        add_plays(1, AT_FIRST + 1);
        struct plays_query q = {.filter = filter_of(NULL, NULL),
                                .sort = (enum plays_sort)(variant / 2),
                                .is_ascending = variant % 2,
                                .limit = 7};
        int seen[AT_FIRST + LATER + 1] = {0};
        int64_t count = q.limit, pages = 0;
        auto_json json_t *last = NULL;
        while (count == q.limit) {
            auto_json json_t *page = read_page(&q, &count);
            size_t i;
            json_t *row;
            json_array_foreach(page, i, row) {
                seen[jint(row, "id", 0)]++;
                if (last && compare(last, row, q.sort, q.is_ascending) > 0)
                    fail_msg("by %s: %lld comes after %lld", words[q.sort],
                             (long long)jint(row, "id", 0), (long long)jint(last, "id", 0));
                json_decref(last);
                last = json_incref(row);
            }
            /* through its text, as a client does */
            char cursor[PLAYS_CURSOR_MAX];
            plays_cursor_format(&q, cursor);
            q.after = (struct plays_place){0};
            if (!plays_cursor_parse(&q, cursor))
                fail_msg("'%s' is no cursor", cursor);
            if (AT_FIRST + pages * 5 < AT_FIRST + LATER)
                add_plays((int)(AT_FIRST + 1 + pages * 5), (int)(AT_FIRST + 6 + pages * 5));
            pages++;
        }
        for (int id = 1; id <= AT_FIRST + LATER; id++) {
            int most = id % 10 == 9 ? 0 : 1;
            if (seen[id] > most || (id <= AT_FIRST && seen[id] != most))
                fail_msg("by %s %s: play %d comes %d times", words[q.sort],
                         q.is_ascending ? "up" : "down", id, seen[id]);
        }
        filter_free(q.filter);
    }
}

static _Atomic bool is_over;

/* As the writer does: rows replaced, and a checkpoint after each time. */
static void *replace_rows(void *ctx)
{
    struct store_conn *c = ctx;
    for (int i = 0; !is_over; i++) {
        auto_free char *sql = xasprintf(
            "begin; create or replace temp table kept as from play where title_id %% 7 = %d;"
            " delete from play where title_id %% 7 = %d; insert into play from kept; commit",
            i % 7, i % 7);
        if (store_exec(c, sql, NULL) != STATUS_OK)
            return c; /* a failure */
        (void)store_exec(c, "checkpoint", NULL); /* it may say: later */
    }
    return NULL;
}

static void a_page_is_whole_while_rows_are_replaced(void **state)
{
    (void)state;
    run("delete from play; delete from segment");
    add_plays(1, 1501);
    struct store_conn *writer;
    struct error err;
    pthread_t thread;
    assert_int_equal(store_connect(store, &writer, &err), STATUS_OK);
    is_over = false;
    assert_int_equal(pthread_create(&thread, NULL, replace_rows, writer), 0);
    struct plays_query q = {.filter = filter_of(NULL, NULL), .limit = 200};
    int64_t count = 0, first = 0;
    for (int i = 0; i < 30; i++) {
        q.after = (struct plays_place){0};
        auto_json json_t *page = read_page(&q, &count);
        int64_t id = jint(json_array_get(page, 0), "id", 0);
        if (count != q.limit || (i && id != first)) {
            count = -1;
            break;
        }
        first = id;
    }
    is_over = true;
    void *failure = NULL;
    pthread_join(thread, &failure);
    store_disconnect(writer);
    filter_free(q.filter);
    assert_null(failure);
    assert_int_equal(count, 200);
    assert_true(first > 0);
}

static void totals_are_those_of_the_filter(void **state)
{
    (void)state;
    run("delete from play; delete from segment");
    add_plays(1, 101);
    static const struct {
        const char *name, *value;
        int64_t total;
    } cases[] = {{NULL, NULL, 90},           {"platforms", "iOS", 40},
                 {"deleted", "only", 10},    {"deleted", "include", 100},
                 {"accounts", "unknown", 0}, {"users", "unknown", 20}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plays_query q = {.filter = filter_of(cases[i].name, cases[i].value), .limit = 1000};
        struct error err;
        int64_t total = -1, count;
        if (answer_count(q.filter, conn, &total, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        json_decref(read_page(&q, &count));
        if (total != count || total != cases[i].total)
            fail_msg("%s=%s: total %lld, %lld rows, not %lld", cases[i].name, cases[i].value,
                     (long long)total, (long long)count, (long long)cases[i].total);
        filter_free(q.filter);
    }
}

/* Device, quality and place are those of the segment with most watch time. */
static void a_row_says_what_is_known(void **state)
{
    (void)state;
    run("delete from play; delete from segment;"
        "insert into play values (5, 'play', 'import', 1, 4, 2, 1, 'movie', '2026-01-02 03:04:05.678',"
        " '2026-01-02 05:00', 3000, 2000, 4000, 500, 100, 7200000, 12.5, false, false, true, 3,"
        " true, 'deleted'),"
        " (6, 'view', 'view', null, null, null, null, null, '2026-01-01', '2026-01-01', 0, 0, 0, 0,"
        " null, null, null, null, false, false, 0, false, null);"
        "insert into segment (segment_id, play_id, device_id, quality_id, address_id, started,"
        " ended, watch_ms) values (5, 5, 1, null, 2, '2026-01-02', '2026-01-02', 1000),"
        " (7, 5, 2, 1, 1, '2026-01-02', '2026-01-02', 1500),"
        " (8, 5, null, null, null, '2026-01-02', '2026-01-02', 500)");
    struct plays_query q = {.filter = filter_of("deleted", "include"), .limit = 10};
    auto_buf struct buf text = {0};
    int64_t count;
    struct error err;
    if (plays_read(conn, &q, ROWS_NDJSON, &text, &count, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_string_equal(
        buf_text(&text),
        "{\"id\":5,\"started\":\"2026-01-02T03:04:05.678Z\",\"ended\":\"2026-01-02T05:00:00.000Z\","
        "\"watch_ms\":3000,\"watch_low_ms\":2000,\"watch_high_ms\":4000,\"paused_ms\":500,"
        "\"percent\":12.5,\"is_watched\":false,\"is_short\":false,\"is_open\":true,"
        "\"is_deleted\":true,\"kind\":\"play\",\"origin\":\"import\",\"server_id\":1,"
        "\"server\":\"A\",\"server_kind\":\"plex\",\"person_id\":4,\"person\":\"ada\","
        "\"media_type\":\"movie\",\"title_id\":2,\"title\":\"Title 1\",\"parent_title\":null,"
        "\"grandparent_title\":null,\"full_title\":\"TÏTLE 1\",\"season\":null,\"episode\":null,"
        "\"year\":1990,\"duration_ms\":7200000,\"segments\":3,\"platform\":\"iOS\","
        "\"player\":\"Phone\",\"transcode_decision\":\"transcode\",\"video_resolution\":\"4k\","
        "\"place\":\"Berlin, Germany\",\"library\":\"Films\"}\n"
        "{\"id\":6,\"started\":\"2026-01-01T00:00:00.000Z\",\"ended\":\"2026-01-01T00:00:00.000Z\","
        "\"watch_ms\":0,\"watch_low_ms\":0,\"watch_high_ms\":0,\"paused_ms\":0,\"percent\":null,"
        "\"is_watched\":null,\"is_short\":false,\"is_open\":false,\"is_deleted\":false,"
        "\"kind\":\"view\",\"origin\":\"view\",\"server_id\":null,\"server\":null,"
        "\"server_kind\":null,\"person_id\":null,\"person\":null,\"media_type\":null,"
        "\"title_id\":null,\"title\":null,\"parent_title\":null,\"grandparent_title\":null,"
        "\"full_title\":null,\"season\":null,\"episode\":null,\"year\":null,\"duration_ms\":null,"
        "\"segments\":0,\"platform\":null,\"player\":null,\"transcode_decision\":null,"
        "\"video_resolution\":null,\"place\":null,\"library\":null}\n");
    filter_free(q.filter);
}

static void only_cursors_of_the_same_sort_are_taken(void **state)
{
    (void)state;
    static const struct {
        enum plays_sort sort;
        bool is_ascending;
        const char *text;
        bool is_right;
    } cases[] = {
        {PLAYS_BY_STARTED, false, "started.desc.1.2.", true},
        {PLAYS_BY_STARTED, false, "started.asc.1.2.", false},
        {PLAYS_BY_STARTED, true, "started.asc.1.2.", true},
        {PLAYS_BY_STARTED, false, "started.desc.1.2.3", false},
        {PLAYS_BY_STARTED, false, "started.desc.1.2", false},
        {PLAYS_BY_STARTED, false, "started.desc.x.2.", false},
        {PLAYS_BY_STARTED, false, "", false},
        {PLAYS_BY_STARTED, false, "x", false},
        {PLAYS_BY_WATCH, false, "started.desc.1.2.", false},
        {PLAYS_BY_WATCH, false, "watch_ms.desc.1.2.77", true},
        {PLAYS_BY_WATCH, false, "watch_ms.desc.1.2.7x", false},
        {PLAYS_BY_PERCENT, false, "percent.desc.1.2.99.5", true},
        {PLAYS_BY_PERCENT, false, "percent.desc.1.2.", true},
        {PLAYS_BY_PERCENT, false, "percent.desc.1.2.a", false},
        {PLAYS_BY_TITLE, false, "title.desc.1.2.99999999999", false},
        {PLAYS_BY_TITLE, false, "title.desc.1.2.0000000000000000000000000000000000000000001", false},
        {PLAYS_BY_PERSON, false, "person.desc.1.2.3", true},
        {PLAYS_BY_PERSON, false, "person.desc.1.2.3.4", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct plays_query q = {.sort = cases[i].sort, .is_ascending = cases[i].is_ascending};
        if (plays_cursor_parse(&q, cases[i].text) != cases[i].is_right)
            fail_msg("'%s' is%s taken", cases[i].text, cases[i].is_right ? " not" : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paging_gives_each_row_once_while_rows_arrive),
        cmocka_unit_test(a_page_is_whole_while_rows_are_replaced),
        cmocka_unit_test(totals_are_those_of_the_filter),
        cmocka_unit_test(a_row_says_what_is_known),
        cmocka_unit_test(only_cursors_of_the_same_sort_are_taken),
    };
    return cmocka_run_group_tests_name("plays", tests, set_up, tear_down);
}
