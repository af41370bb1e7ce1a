/* What is read of libraries, and what is told of it: whole or what is new, and when something is gone. */
#include "../test.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/source.h"

static struct {
    struct source source;
    struct buf told; /* "ITEMS library: keys; END library; " */
} run;

static void told(void *ctx, enum log_kind kind, struct str payload)
{
    auto_json json_t *root = NULL;
    (void)ctx;
    assert_int_equal(json_parse(payload, payload.len, 8, &root, NULL), STATUS_OK);
    assert_string_equal(jstr(root, "server"), "plex-1");
    assert_true(jint(root, "pass_us", 0) == run.source.inventory.pass_us);
    const char *library = jstr(root, "library_key");
    size_t i;
    json_t *item;
    if (kind == LOG_ITEMS_END) {
        buf_printf(&run.told, "end %s; ", *library ? library : "all");
        return;
    }
    assert_int_equal(kind, LOG_ITEMS);
    buf_printf(&run.told, "%s:", library);
    json_array_foreach (jget(root, "items"), i, item)
        buf_printf(&run.told, " %s", jstr(item, "item_key"));
    buf_puts(&run.told, "; ");
}

static void nothing(void *ctx, struct source *s)
{
    (void)ctx;
    (void)s;
}

static const struct source_config config = {.key = "plex-1", .url = "http://x", .batch_size = 2};
static const struct source_sink sink = {.append = told, .changed = nothing};

static int begin(void **state)
{
    (void)state;
    run.source = (struct source){.config = &config, .ops = &plex_source, .sink = &sink};
    run.source.tracker = tracker_new("plex-1", NULL, NULL);
    buf_clear(&run.told);
    return 0;
}

static int end(void **state)
{
    (void)state;
    inventory_done(&run.source.inventory);
    tracker_free(run.source.tracker);
    buf_done(&run.told);
    run.told = (struct buf){0};
    return 0;
}

/* A backfill in which the server has these libraries ("1 2"). */
static void list(const char *libraries)
{
    struct str rest = str_of(libraries), key;
    inventory_list(&run.source.inventory);
    while (str_next(&rest, ' ', &key)) {
        char text[8];
        snprintf(text, sizeof text, "%.*s", (int)key.len, key.ptr);
        inventory_add(&run.source.inventory, text, 1);
    }
    inventory_begin(&run.source);
    buf_clear(&run.told);
}

/* The next page is asked for of this library from this row; the server counts `total` and gives
 * "KEY@CHANGED", added then, too, or "KEY@CHANGED/ADDED". */
static void page(const char *library, int start, int total, const char *rows)
{
    auto_buf struct buf path = {0}, body = {0};
    auto_json json_t *root = NULL;
    struct error err = {0};
    assert_true(inventory_next(&run.source, &path));
    auto_free char *of = xasprintf("/library/sections/%s/all?", library);
    auto_free char *from = xasprintf("Container-Start=%d&X-Plex-Container-Size=2", start);
    if (!strstr(buf_text(&path), of) || !strstr(buf_text(&path), from))
        fail_msg("%s is asked for, not %s from %d", buf_text(&path), library, start);
    buf_puts(&body, "{\"MediaContainer\":{");
    if (total >= 0)
        buf_printf(&body, "\"totalSize\":%d,", total);
    buf_puts(&body, "\"Metadata\":[");
    struct str rest = str_of(rows), row;
    for (bool is_first = true; *rows && str_next(&rest, ' ', &row); is_first = false) {
        char key[8];
        int changed, added;
        int got = sscanf(row.ptr, "%7[^@]@%d/%d", key, &changed, &added);
        assert_true(got >= 2);
        buf_printf(&body, "%s{\"ratingKey\":\"%s\",\"type\":\"movie\",\"updatedAt\":%d,\"addedAt\":%d}",
                   is_first ? "" : ",", key, changed, got == 3 ? added : changed);
    }
    buf_puts(&body, "]}}");
    assert_int_equal(json_parse(buf_str(&body), 1 << 20, 8, &root, NULL), STATUS_OK);
    assert_int_equal(inventory_take(&run.source, root, &err), STATUS_OK);
}

static void over(const char *all_told)
{
    auto_buf struct buf path = {0};
    if (inventory_next(&run.source, &path))
        fail_msg("%s is asked for, too", buf_text(&path));
    auto_free char *got = xstrndup(buf_text(&run.told), str_trim(buf_str(&run.told)).len);
    assert_string_equal(got, all_told);
    buf_clear(&run.told);
}

static void first_all_then_what_is_new(void **state)
{
    (void)state;
    list("1 2");
    page("1", 0, 3, "c@30 b@20");
    page("1", 2, 3, "a@10");
    page("2", 0, 0, "");
    over("1: c b; 1: a; end 1; end 2; end all;");
    assert_int_equal(inventory_total(&run.source.inventory), 3);
    /* Nothing new. */
    list("1 2");
    page("1", 0, 3, "c@30 b@20");
    page("2", 0, 0, "");
    over("");
    /* One came, another was changed. */
    list("1 2");
    page("1", 0, 4, "d@50 a@40/10");
    page("1", 2, 4, "c@30 b@20");
    page("2", 0, 0, "");
    over("1: d a;");
    assert_int_equal(inventory_total(&run.source.inventory), 4);
    list("1 2");
    page("1", 0, 4, "d@50 a@40/10");
    page("2", 0, 0, "");
    over("");
}

static void another_count_has_it_read_whole(void **state)
{
    (void)state;
    list("1 2");
    page("1", 0, 2, "b@20 a@10");
    page("2", 0, 1, "x@10");
    over("1: b a; end 1; 2: x; end 2; end all;");
    /* One is gone; the other library is left alone. */
    list("1 2");
    page("1", 0, 1, "b@20");
    page("1", 0, 1, "b@20");
    page("2", 0, 1, "x@10");
    over("1: b; end 1;");
    /* One came with an old date. */
    list("1 2");
    page("1", 0, 2, "b@20 c@5");
    page("1", 0, 2, "b@20 c@5");
    page("2", 0, 1, "x@10");
    over("1: b c; end 1;");
    /* One came and one went. */
    list("1 2");
    page("1", 0, 2, "d@30 b@20");
    page("1", 0, 2, "d@30 b@20");
    page("2", 0, 1, "x@10");
    over("1: d; 1: d b; end 1;");
}

static void nothing_is_concluded_from_what_was_not_read_to_its_end(void **state)
{
    (void)state;
    /* Changed while it is read: again with the next backfill. */
    list("1");
    page("1", 0, 4, "d@40 c@30");
    page("1", 2, 3, "a@10");
    over("1: d c; 1: a;");
    list("1");
    page("1", 0, 3, "d@40 c@30");
    page("1", 2, 3, "a@10");
    over("1: d c; 1: a; end 1; end all;");
    /* Fewer rows than it counts. */
    list("1");
    page("1", 0, 5, "d@40 c@30");
    page("1", 0, 5, "d@40 c@30");
    page("1", 2, 5, "");
    over("1: d c;");
    /* What was told did not get into the log. */
    list("1");
    run.source.is_sync_lost = true;
    page("1", 0, 2, "d@40 c@30");
    page("1", 0, 2, "d@40 c@30");
    over("1: d c;");
}

static void a_library_that_is_gone_has_all_read(void **state)
{
    (void)state;
    list("1 2");
    page("1", 0, 1, "a@10");
    page("2", 0, 1, "x@10");
    over("1: a; end 1; 2: x; end 2; end all;");
    list("2");
    page("2", 0, 1, "x@10");
    over("2: x; end 2; end all;");
}

static void once_a_day_it_is_read_whole(void **state)
{
    (void)state;
    list("1");
    page("1", 0, 1, "a@10");
    over("1: a; end 1; end all;");
    run.source.inventory.all[0].whole_us -= US_PER_DAY - US_PER_MIN;
    list("1");
    page("1", 0, 1, "a@10");
    over("");
    run.source.inventory.all[0].whole_us -= US_PER_MIN;
    list("1");
    page("1", 0, 1, "a@10");
    over("1: a; end 1; end all;");
    run.source.inventory.all[0].whole_us += US_PER_DAY; /* the clock was put back */
    list("1");
    page("1", 0, 1, "a@10");
    over("1: a; end 1; end all;");
}

static void a_server_that_does_not_count_or_page_is_read(void **state)
{
    (void)state;
    list("1");
    page("1", 0, -1, "b@20 a@10");
    page("1", 2, -1, "c@5");
    over("1: b a; 1: c; end 1; end all;");
    list("1");
    page("1", 0, -1, "d@30 b@20");
    over("1: d;");
    assert_int_equal(inventory_total(&run.source.inventory), 4);
    list("1");
    page("1", 0, 4, "d@30 b@20 a@10 c@5");
    over("");
}

/* What is known is kept over a restart; nonsense is not taken. */
static void what_was_read_is_remembered(void **state)
{
    (void)state;
    auto_buf struct buf b = {0};
    auto_json json_t *root = NULL, *bad = NULL;
    struct json_writer w;
    list("1 2");
    page("1", 0, 1, "a@10");
    page("2", 0, 1, "x@10");
    jw_begin(&w, &b);
    jw_object(&w);
    inventory_write(&run.source.inventory, &w);
    jw_object_end(&w);
    assert_int_equal(json_parse(buf_str(&b), 1 << 16, 4, &root, NULL), STATUS_OK);
    end(NULL);
    begin(NULL);
    inventory_read(&run.source.inventory, jget(root, "inventory"));
    list("1 2 3");
    page("1", 0, 1, "a@10");
    page("2", 0, 2, "y@20 x@10");
    page("3", 0, 1, "z@10");
    over("2: y; 3: z; end 3;");
    assert_int_equal(json_parse(STR("[[\"1\",-5,0,0],[\"1\"],5,[1,2,3,4],[\"2\",3,4,5]]"), 100, 4, &bad, NULL),
                     STATUS_OK);
    inventory_read(&run.source.inventory, bad);
    assert_int_equal(run.source.inventory.count, 1);
    inventory_read(&run.source.inventory, NULL);
    assert_int_equal(inventory_total(&run.source.inventory), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_all_then_what_is_new, begin, end),
        cmocka_unit_test_setup_teardown(another_count_has_it_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_concluded_from_what_was_not_read_to_its_end, begin, end),
        cmocka_unit_test_setup_teardown(a_library_that_is_gone_has_all_read, begin, end),
        cmocka_unit_test_setup_teardown(once_a_day_it_is_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_does_not_count_or_page_is_read, begin, end),
        cmocka_unit_test_setup_teardown(what_was_read_is_remembered, begin, end),
    };
    return cmocka_run_group_tests_name("sources/inventory", tests, NULL, NULL);
}
