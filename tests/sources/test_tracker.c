#include "../test.h"

#include "base/clock.h"
#include "base/str.h"
#include "sources/tracker.h"

/* One step: a snapshot at a second, written as "key:item:account:state:position_s ...", or a hint
 * in the same form after '?', a snapshot that nothing announced after '~', or blindness: '!'. What is told is written back as
 * "state key@first_s position_s[ blind_s][ interrupted];". */
struct step {
    int at_s;
    const char *what;
    const char *told; /* for a hint that does not agree it begins with "poll;" */
};

static void write_told(void *ctx, const struct observation *o)
{
    struct buf *b = ctx;
    const char *at = strrchr(o->session, '@');
    int64_t first_us = 0;
    assert_non_null(at);
    assert_true(str_to_i64(str_of(at + 1), &first_us));
    buf_printf(b, "%s %.*s@%d %d", play_state_name(o->state), (int)(at - o->session), o->session,
               (int)(first_us / US_PER_S), (int)(o->position_ms / 1000));
    if (o->blind_ms)
        buf_printf(b, " blind %d", (int)(o->blind_ms / 1000));
    if (o->is_interrupted)
        buf_printf(b, " interrupted %d", (int)(o->observed_us / US_PER_S));
    buf_putc(b, ';');
}

static size_t read_sessions(struct arena *a, const char *text, struct observation *ret)
{
    struct str rest = str_of(text), one;
    size_t count = 0;
    while (str_next(&rest, ' ', &one)) {
        if (one.len == 0)
            continue;
        struct str parts[5] = {0};
        for (size_t i = 0; i < ARRAY_LEN(parts); i++)
            assert_true(str_next(&one, ':', &parts[i]));
        struct observation *o = &ret[count++];
        int64_t seconds = 0;
        observation_init(o);
        o->session = arena_strndup(a, parts[0].ptr, parts[0].len);
        o->item_key = arena_strndup(a, parts[1].ptr, parts[1].len);
        o->account_key = arena_strndup(a, parts[2].ptr, parts[2].len);
        assert_true(play_state_parse(parts[3], &o->state));
        assert_true(str_to_i64(parts[4], &seconds));
        o->position_ms = seconds * 1000;
    }
    return count;
}

static void run_step(struct tracker *t, struct buf *told, const struct step *s)
{
    auto_arena struct arena a = {0};
    struct observation seen[8];
    int64_t now_us = s->at_s * US_PER_S;
    buf_clear(told);
    if (s->what[0] == '!') {
        tracker_blind(t, now_us);
    } else if (s->what[0] == '?') {
        size_t count = read_sessions(&a, s->what + 1, seen);
        struct tracker_hint hints[8];
        for (size_t i = 0; i < count; i++)
            hints[i] = (struct tracker_hint){.session = seen[i].session,
                                             .item_key = seen[i].item_key,
                                             .state = seen[i].state,
                                             .position_ms = seen[i].position_ms};
        if (!tracker_hint(t, hints, count, false, now_us))
            buf_puts(told, "poll;");
    } else {
        bool is_announced = s->what[0] != '~';
        size_t count = read_sessions(&a, s->what + !is_announced, seen);
        tracker_snapshot(t, seen, count, is_announced, now_us);
    }
    assert_string_equal(buf_text(told), s->told);
}

static void sessions_start_change_and_stop(void **state)
{
    static const struct {
        const char *name;
        struct step steps[8];
    } rows[] = {
        {"start, pause, stop",
         {{10, "1:a:u:playing:0", "playing 1@10 0;"},
          {20, "1:a:u:paused:10", "paused 1@10 10;"},
          {30, "", "stopped 1@10 10;"},
          {31, "", ""}}},
        {"the same snapshot again changes nothing",
         {{10, "1:a:u:playing:5", "playing 1@10 5;"},
          {11, "1:a:u:playing:5", ""},
          {12, "1:a:u:playing:6 1:a:u:playing:6", ""}}},
        {"progress now and then",
         {{10, "1:a:u:playing:0", "playing 1@10 0;"},
          {12, "1:a:u:playing:2", ""},
          {15, "1:a:u:playing:5", "playing 1@10 5;"},
          {26, "1:a:u:playing:5", "playing 1@10 5;"}}},
        {"a seek back is told at once",
         {{10, "1:a:u:playing:500", "playing 1@10 500;"},
          {11, "1:a:u:playing:100", "playing 1@10 100;"}}},
        {"another item under the same key",
         {{10, "1:a:u:playing:7", "playing 1@10 7;"},
          {20, "1:b:u:playing:0", "stopped 1@10 7;playing 1@20 0;"}}},
        {"another account under the same key",
         {{10, "1:a:u:playing:7", "playing 1@10 7;"},
          {20, "1:a:v:playing:8", "stopped 1@10 7;playing 1@20 8;"}}},
        {"a key used again later is a new session",
         {{10, "1:a:u:playing:7", "playing 1@10 7;"},
          {20, "", "stopped 1@10 7;"},
          {30, "1:a:u:playing:9", "playing 1@30 9;"}}},
        {"a gap widens what goes on and cuts what has gone",
         {{10, "1:a:u:playing:0 2:b:v:playing:0", "playing 1@10 0;playing 2@10 0;"},
          {12, "!", "playing 2@10 0;playing 1@10 0;"},
          {13, "!", ""},
          {60, "1:a:u:playing:50", "stopped 2@10 0 blind 48 interrupted 12;playing 1@10 50 blind 48;"},
          {61, "1:a:u:playing:51", ""}}},
        {"what begins in a gap may have begun with it",
         {{10, "!", ""},
          {60, "1:a:u:playing:50", "playing 1@60 50 blind 50;"}}},
        {"a change that nobody announced may be as old as the last look",
         {{10, "~1:a:u:playing:0", "playing 1@10 0;"},
          {20, "~1:a:u:playing:10", "playing 1@10 10;"},
          {22, "~1:a:u:playing:12 2:b:v:playing:0", "playing 2@22 0;"},
          {37, "~1:a:u:playing:27 2:b:v:paused:5 3:c:w:playing:9",
           "playing 1@10 27;paused 2@22 5 blind 15;playing 3@37 9 blind 15;"},
          {47, "~1:a:u:playing:37", "stopped 3@37 9 blind 10;stopped 2@22 5 blind 10;playing 1@10 37;"}}},
        {"hints move positions, nothing else",
         {{10, "1:a:u:playing:0", "playing 1@10 0;"},
          {20, "?1:a:u:playing:10", "playing 1@10 10;"},
          {20, "?1:a:u:playing:10", ""},
          {21, "?1:a:u:playing:0", "poll;"},
          {22, "?1:a:u:paused:12", "poll;"},
          {23, "?9:a:u:playing:1", "poll;"},
          {24, "?1:b:u:playing:11", "poll;"},
          {25, "1:a:u:playing:15", "playing 1@10 15;"}}},
        {"while blind no hint agrees",
         {{10, "1:a:u:playing:0", "playing 1@10 0;"},
          {11, "!", "playing 1@10 0;"},
          {12, "?1:a:u:playing:2", "poll;"}}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_buf struct buf told = {0};
        struct tracker *t = tracker_new("plex-1", write_told, &told);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].steps) && rows[i].steps[k].what; k++)
            run_step(t, &told, &rows[i].steps[k]);
        tracker_free(t);
    }
}

static void seeded_sessions_go_on_or_end_where_they_were_seen(void **state)
{
    static const struct {
        const char *snapshot, *told;
    } rows[] = {
        {"1:a:u:playing:90", "playing 1@10 90 blind 80;"},
        {"1:b:u:playing:0", "stopped 1@10 20 blind 80 interrupted 20;playing 1@100 0;"},
        {"", "stopped 1@10 20 blind 80 interrupted 20;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_buf struct buf told = {0};
        struct tracker *t = tracker_new("plex-1", write_told, &told);
        struct observation open;
        observation_init(&open);
        open.server = "plex-1";
        open.session = "1@10000000";
        open.item_key = "a";
        open.account_key = "u";
        open.state = PLAY_PLAYING;
        open.position_ms = 20000;
        open.observed_us = 20 * US_PER_S;
        tracker_seed(t, &open);
        run_step(t, &told, &(struct step){100, rows[i].snapshot, rows[i].told});
        tracker_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_start_change_and_stop),
        cmocka_unit_test(seeded_sessions_go_on_or_end_where_they_were_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
