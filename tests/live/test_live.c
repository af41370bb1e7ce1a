#include "../test.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "live/live.h"

#include "base/banned.h"

struct frames {
    char type[8][32];
    char account[8][64];
    size_t own_count;
    size_t count;
    json_t *last;
};

/* Keeps those for who sees everything; of the others how often whose, and that they name no person. */
static void take(void *ctx, const struct scope_account *whose, struct str text)
{
    struct frames *f = ctx;
    if (whose != NULL) {
        snprintf(f->account[f->own_count++], sizeof f->account[0], "%s/%s/%s", whose->kind, whose->server, whose->account);
        assert_null(strstr(text.ptr, "Somebody Else"));
        return;
    }
    json_decref(f->last);
    f->last = NULL;
    struct error err;
    assert_int_equal(json_parse(text, 1 << 20, 8, &f->last, &err), STATUS_OK);
    snprintf(f->type[f->count++], sizeof f->type[0], "%s", jstr(f->last, "type"));
}

static int64_t server_of(void *ctx, const char *server, char ret_name[static LIVE_NAME_MAX],
                         const char **ret_kind)
{
    snprintf(ret_name, LIVE_NAME_MAX, "Den");
    *ret_kind = "plex";
    return 7;
}

static void a_session_starts_moves_and_stops(void **state)
{
    struct frames frames = {0};
    struct live_config c = {.lookup = {.server = server_of}, .frame = take, .ctx = &frames};
    struct live *l = live_new(&c);
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.session = "12@1700000000000000";
    o.observed_us = 1700000005000000;
    o.state = PLAY_PLAYING;
    o.title = "A \"quoted\" film";
    o.account_name = "ann";
    o.position_ms = 5000;
    live_observe(l, &o);
    json_t *data = json_object_get(frames.last, "data");
    assert_string_equal(jstr(data, "started_at"), "2023-11-14T22:13:20.000Z");
    assert_string_equal(jstr(data, "person"), "ann");
    assert_int_equal(jint(data, "server_id", 0), 7);
    assert_true(json_is_null(json_object_get(data, "year")));

    o.state = PLAY_PAUSED;
    live_observe(l, &o);
    assert_string_equal(jstr(json_object_get(frames.last, "data"), "state"), "paused");

    auto_buf struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    live_write(l, &(struct scope){.sees_all = true}, &w);
    auto_json json_t *all = NULL;
    assert_int_equal(json_parse(buf_str(&out), 1 << 20, 8, &all, NULL), STATUS_OK);
    assert_int_equal(json_array_size(all), 1);

    o.state = PLAY_STOPPED;
    live_observe(l, &o);
    live_observe(l, &o);
    assert_int_equal(live_count(l), 0);
    assert_int_equal(frames.count, 3);
    assert_string_equal(frames.type[0], "session_start");
    assert_string_equal(frames.type[1], "session_progress");
    assert_string_equal(frames.type[2], "session_stop");
    json_decref(frames.last);
    live_free(l);
}

static int64_t person_of(void *ctx, const char *server, const char *account_key, char ret_name[static LIVE_NAME_MAX])
{
    snprintf(ret_name, LIVE_NAME_MAX, "Somebody Else");
    return 3;
}

static size_t count_seen(struct live *l, const struct scope *scope, const char *person)
{
    auto_buf struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    live_write(l, scope, &w);
    auto_json json_t *all = NULL;
    assert_int_equal(json_parse(buf_str(&out), 1 << 20, 8, &all, NULL), STATUS_OK);
    for (size_t i = 0; i < json_array_size(all); i++)
        assert_string_equal(jstr(json_array_get(all, i), "person"), person);
    return json_array_size(all);
}

static void who_sees_one_account_sees_its_sessions_under_its_own_name(void **state)
{
    (void)state;
    struct frames frames = {0};
    struct live_config c = {.lookup = {.server = server_of, .person = person_of}, .frame = take, .ctx = &frames};
    struct live *l = live_new(&c);
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.account_name = "ann";
    o.account_key = "7";
    o.session = "1@1700000000000000";
    o.state = PLAY_PLAYING;
    live_observe(l, &o);
    o.account_key = "77";
    o.session = "2@1700000000000000";
    live_observe(l, &o);
    assert_int_equal(count_seen(l, &(struct scope){.sees_all = true}, "Somebody Else"), 2);
    assert_int_equal(count_seen(l, &(struct scope){0}, ""), 0);
    auto_scope struct scope linked = {0}, at_plex = {0};
    scope_add(&linked, "plex-1", "7");
    scope_set_plex_id(&at_plex, "77");
    assert_int_equal(count_seen(l, &linked, "ann"), 1);
    assert_int_equal(count_seen(l, &at_plex, "ann"), 1);
    /* The session goes over to another account: its end is for one, its beginning for the other. */
    o.account_key = "8";
    live_observe(l, &o);
    assert_int_equal(count_seen(l, &at_plex, "ann"), 0);
    static const char *const whose[] = {"plex/plex-1/7", "plex/plex-1/77", "plex/plex-1/77", "plex/plex-1/8"};
    assert_int_equal(frames.own_count, ARRAY_LEN(whose));
    for (size_t i = 0; i < ARRAY_LEN(whose); i++)
        assert_string_equal(frames.account[i], whose[i]);
    assert_string_equal(frames.type[2], "session_stop");
    assert_string_equal(frames.type[3], "session_start");
    /* A key too long to tell from others is nobody's. */
    char longest[SCOPE_KEY_MAX + 20];
    memset(longest, '7', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    o.account_key = longest;
    o.session = "3@1700000000000000";
    live_observe(l, &o);
    assert_string_equal(frames.account[4], "plex//");
    json_decref(frames.last);
    live_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_session_starts_moves_and_stops),
                                       cmocka_unit_test(who_sees_one_account_sees_its_sessions_under_its_own_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
