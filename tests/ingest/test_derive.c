#include "../test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "ingest/derive.h"
#include "ingest/machine.h"

enum { MAX_ROWS = 256 };

/* One observation of a script: second, state, position in seconds, blind seconds before it. */
struct seen {
    int at_s;
    enum play_state state;
    int position_s;
    int blind_s;
    bool is_interrupted;
};

static size_t fold_all(const struct seen *script, size_t count, struct state_row *rows)
{
    struct knobs k = knobs_default();
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct observation o;
        observation_init(&o);
        o.observed_us = script[i].at_s * US_PER_S;
        o.state = script[i].state;
        o.position_ms = script[i].position_s < 0 ? -1 : script[i].position_s * 1000;
        o.blind_ms = script[i].blind_s * 1000;
        o.is_interrupted = script[i].is_interrupted;
        if (!n) {
            rows[n++] = (struct state_row){o.state, o.observed_us, o.observed_us, o.observed_us,
                                           o.observed_us, o.position_ms, o.position_ms, o.blind_ms, false};
            continue;
        }
        struct fold f = fold_observation(&rows[n - 1], &o, true, &k);
        if (f.is_new_row)
            rows[n++] = f.next;
    }
    return n;
}

static void watch_time_counts_what_was_played(void **state)
{
    static const struct {
        const char *name;
        bool is_live;
        struct seen script[12];
        int watch_s, low_s, high_s, paused_s;
    } rows[] = {
        {"steady play", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 10}, {20, PLAY_PLAYING, 20}, {30, PLAY_STOPPED, 30}},
         30, 30, 30, 0},
        {"a pause is not watch time", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PAUSED, 10}, {70, PLAY_PLAYING, 10}, {80, PLAY_STOPPED, 20}},
         20, 20, 20, 60},
        {"buffering counts nothing", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_BUFFERING, 10}, {25, PLAY_PLAYING, 10}, {30, PLAY_STOPPED, 15}},
         15, 15, 15, 0},
        {"a position that stands still for over a minute is a stall", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 10}, {40, PLAY_PLAYING, 10}, {75, PLAY_PLAYING, 10},
          {110, PLAY_PLAYING, 10}, {120, PLAY_PLAYING, 20}, {130, PLAY_STOPPED, 30}},
         10 + 10 + 10, 30, 30, 0},
        {"standing still for less is not", false,
         {{0, PLAY_PLAYING, 0}, {30, PLAY_PLAYING, 0}, {55, PLAY_PLAYING, 0}, {65, PLAY_STOPPED, 10}},
         65, 65, 65, 0},
        {"live television has no position to stand still", true,
         {{0, PLAY_PLAYING, 0}, {50, PLAY_PLAYING, 0}, {100, PLAY_PLAYING, 0}, {150, PLAY_STOPPED, 0}},
         150, 150, 150, 0},
        {"silence counts five minutes at most", false,
         {{0, PLAY_PLAYING, 0}, {1000, PLAY_PLAYING, 1000}, {1010, PLAY_STOPPED, 1010}},
         310, 310, 310, 0},
        {"a seek changes nothing", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 3000}, {20, PLAY_STOPPED, 10}},
         20, 20, 20, 0},
        {"a blind span widens the bounds, not the figure", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 10}, {610, PLAY_PLAYING, 600, 600}, {620, PLAY_STOPPED, 610}},
         10 + 300 + 10, 20, 620, 0},
        {"a stop nobody saw ends where it was last seen", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 10}, {10, PLAY_STOPPED, 10, 90, true}},
         10, 10, 100, 0},
        {"of a gap only what was not seen is in doubt", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PLAYING, 10}, {40, PLAY_STOPPED, 40, 20}},
         40, 20, 40, 0},
        {"what was playing already when it was first seen", false,
         {{100, PLAY_PLAYING, 500, 90}, {110, PLAY_STOPPED, 510}},
         10, 10, 100, 0},
        {"nothing was watched before the beginning", false,
         {{100, PLAY_PAUSED, 0, 90}, {110, PLAY_PLAYING, 0}, {120, PLAY_STOPPED, 10}},
         10, 10, 10, 10},
        {"a pause that ended unseen", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PAUSED, 10}, {70, PLAY_PLAYING, 30, 40}, {80, PLAY_STOPPED, 40}},
         20, 20, 60, 60},
        {"a pause that went on unseen", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PAUSED, 10}, {70, PLAY_PAUSED, 10, 40}, {80, PLAY_STOPPED, 10}},
         10, 10, 10, 70},
        {"a pause, something watched, a pause", false,
         {{0, PLAY_PLAYING, 0}, {10, PLAY_PAUSED, 10}, {70, PLAY_PAUSED, 25, 40}, {80, PLAY_STOPPED, 25}},
         10, 10, 50, 70},
        {"a clock that goes back counts nothing", false,
         {{100, PLAY_PLAYING, 0}, {110, PLAY_PLAYING, 10}, {50, PLAY_PLAYING, 20}, {120, PLAY_STOPPED, 30}},
         20, 20, 20, 0},
    };
    struct knobs k = knobs_default();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t count = 1;
        while (count < ARRAY_LEN(rows[i].script) &&
               (rows[i].script[count].at_s || rows[i].script[count].state))
            count++;
        struct state_row folded[MAX_ROWS];
        size_t n = fold_all(rows[i].script, count, folded);
        struct segment_sum s;
        sum_segment(folded, n, rows[i].is_live, &k, &s);
        if (s.watch_us != rows[i].watch_s * US_PER_S || s.watch_low_us != rows[i].low_s * US_PER_S ||
            s.watch_high_us != rows[i].high_s * US_PER_S ||
            s.paused_us != rows[i].paused_s * US_PER_S)
            fail_msg("%s: watch %lld low %lld high %lld paused %lld", rows[i].name,
                     (long long)(s.watch_us / US_PER_S), (long long)(s.watch_low_us / US_PER_S),
                     (long long)(s.watch_high_us / US_PER_S), (long long)(s.paused_us / US_PER_S));
        int64_t sum = 0;
        for (size_t j = 0; j + 1 < s.span_count; j += 2)
            sum += s.spans[j + 1] - s.spans[j];
        assert_int_equal(sum, s.watch_us);
        free(s.spans);
    }
}

static void a_pause_of_more_than_a_day_ends_the_segment_at_its_beginning(void **state)
{
    static const struct seen script[] = {
        {0, PLAY_PLAYING, 0}, {60, PLAY_PAUSED, 60}, {90000, PLAY_PAUSED, 60}, {90010, PLAY_STOPPED, 60}};
    struct knobs k = knobs_default();
    struct state_row folded[MAX_ROWS];
    struct segment_sum s;
    sum_segment(folded, fold_all(script, ARRAY_LEN(script), folded), false, &k, &s);
    assert_int_equal(s.ended_us, 60 * US_PER_S);
    assert_int_equal(s.watch_us, 60 * US_PER_S);
    assert_int_equal(s.paused_us, 0);
    free(s.spans);
}

static void the_position_is_where_it_ended_not_how_far_somebody_jumped(void **state)
{
    static const struct seen script[] = {{0, PLAY_PLAYING, 0},     {10, PLAY_PLAYING, 5000},
                                         {20, PLAY_PLAYING, 5010}, {30, PLAY_PLAYING, 40},
                                         {40, PLAY_PLAYING, 50},   {50, PLAY_STOPPED, -1}};
    struct knobs k = knobs_default();
    struct state_row folded[MAX_ROWS];
    struct segment_sum s;
    sum_segment(folded, fold_all(script, ARRAY_LEN(script), folded), false, &k, &s);
    assert_int_equal(s.position_ms, 50 * 1000);
    free(s.spans);
}

/* The definition counted over the unfolded observations, without the rows. */
static int64_t watch_by_hand(const struct seen *s, size_t count)
{
    int64_t total = 0;
    for (size_t i = 0; i + 1 < count;) {
        if (s[i].state != PLAY_PLAYING) {
            i++;
            continue;
        }
        size_t j = i; /* the last observation at the same position that playing led to */
        while (j + 1 < count && s[j].state == PLAY_PLAYING && s[j + 1].position_s == s[i].position_s)
            j++;
        int stands = s[j].at_s - s[i].at_s;
        total += stands > 60 ? 0 : stands;
        if (s[j].state == PLAY_PLAYING && j + 1 < count) {
            int gap = s[j + 1].at_s - s[j].at_s;
            total += gap > 300 ? 300 : gap;
            j++;
        }
        i = j > i ? j : i + 1;
    }
    return total * US_PER_S;
}

static void folding_loses_nothing(void **state)
{
    unsigned seed = 7;
    struct knobs k = knobs_default();
    for (int round = 0; round < 500; round++) {
        struct seen script[80];
        size_t count = 2 + (seed >> 8) % 70;
        int at = 0, position = 0;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1664525u + 1013904223u;
            unsigned dice = seed >> 16;
            bool stops = i + 1 == count;
            script[i] = (struct seen){at, stops ? PLAY_STOPPED : dice % 7 == 0 ? PLAY_PAUSED
                                                                               : PLAY_PLAYING,
                                      position, 0, false};
            int step = 1 + (int)(dice >> 3) % (dice % 11 == 0 ? 900 : 50);
            at += step;
            if (dice % 5)
                position += step;
        }
        struct state_row rows[MAX_ROWS];
        struct segment_sum s;
        sum_segment(rows, fold_all(script, count, rows), false, &k, &s);
        if (s.watch_us != watch_by_hand(script, count))
            fail_msg("round %d: %lld, by hand %lld", round, (long long)(s.watch_us / US_PER_S),
                     (long long)(watch_by_hand(script, count) / US_PER_S));
        free(s.spans);
    }
}

static void segments_join_into_plays(void **state)
{
    enum { H = 3600 };
    static const struct {
        const char *name;
        bool is_track;
        int count;
        struct {
            int from_s, to_s, start_pos_s, pos_s, device, group;
        } part[3];
        int plays[3]; /* index of the part whose play each belongs to */
    } rows[] = {
        {"a film taken up again is one play", false, 2,
         {{0, 1 * H, 0, 3600, 1, 0}, {5 * H, 6 * H, 3500, 7000, 2, 0}}, {0, 0}},
        {"more than a day later it is another", false, 2,
         {{0, 1 * H, 0, 3600, 1, 0}, {26 * H, 27 * H, 3600, 7000, 1, 0}}, {0, 1}},
        {"from the beginning again it is another", false, 2,
         {{0, 1 * H, 0, 3600, 1, 0}, {2 * H, 3 * H, 0, 3600, 1, 0}}, {0, 1}},
        {"after the end it is another", false, 2,
         {{0, 2 * H, 0, 7150, 1, 0}, {3 * H, 4 * H, 7100, 7200, 1, 0}}, {0, 1}},
        {"two devices at once are two", false, 2,
         {{0, 1 * H, 0, 3600, 1, 0}, {1800, 2 * H, 1800, 7000, 2, 0}}, {0, 1}},
        {"the one that overlaps does not hide the one that can go on", false, 3,
         {{0, 1 * H, 0, 3000, 1, 0}, {1800, 9 * H, 0, 7000, 2, 0}, {2 * H, 3 * H, 2900, 6000, 1, 0}},
         {0, 1, 0}},
        {"a song is not taken up again", true, 2, {{0, 200, 0, 200, 1, 0}, {600, 800, 100, 200, 1, 0}}, {0, 1}},
        {"but its session may break off for a moment", true, 2,
         {{0, 100, 0, 100, 1, 0}, {130, 200, 100, 200, 1, 0}}, {0, 0}},
        {"an import's own group joins where the start is not known", false, 2,
         {{0, 1 * H, -1, 3600, 1, 9}, {5 * H, 6 * H, -1, 7000, 2, 9}}, {0, 0}},
        {"and nothing else does", false, 2,
         {{0, 1 * H, -1, 3600, 1, 9}, {5 * H, 6 * H, -1, 7000, 2, 10}}, {0, 1}},
    };
    struct knobs k = knobs_default();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct play_part p[3] = {0};
        for (int j = 0; j < rows[i].count; j++)
            p[j] = (struct play_part){
                .segment_id = 100 + j,
                .started_us = rows[i].part[j].from_s * US_PER_S,
                .ended_us = rows[i].part[j].to_s * US_PER_S,
                .start_position_ms = rows[i].part[j].start_pos_s < 0 ? -1 : rows[i].part[j].start_pos_s * 1000,
                .position_ms = rows[i].part[j].pos_s * 1000,
                .duration_ms = 7200 * 1000,
                .device_id = rows[i].part[j].device,
                .group = rows[i].part[j].group};
        join_plays(p, (size_t)rows[i].count, rows[i].is_track, &k);
        for (int j = 0; j < rows[i].count; j++)
            if (p[j].play_id != 100 + rows[i].plays[j])
                fail_msg("%s: part %d is in play %lld", rows[i].name, j, (long long)p[j].play_id);
    }
}

static void watched_and_short_have_their_thresholds(void **state)
{
    struct knobs k = knobs_default();
    assert_true(is_watched(85, 100, -1, &k));
    assert_false(is_watched(84, 100, -1, &k));
    assert_true(is_watched(70, 100, 70, &k));
    assert_false(is_watched(-1, 100, -1, &k));
    assert_false(is_watched(50, -1, -1, &k)); /* an unknown length is no reason to call it watched */
    assert_true(is_short("movie", 119 * US_PER_S, &k));
    assert_false(is_short("movie", 120 * US_PER_S, &k));
    assert_true(is_short("track", 14 * US_PER_S, &k));
    assert_false(is_short("track", 15 * US_PER_S, &k));
    assert_true(share_seen(-1, 100) < 0);
    assert_true(share_seen(150, 100) <= 1);
}

static void only_allowed_transitions_happen(void **state)
{
    static const struct {
        enum session_state from;
        enum play_state seen;
        bool ok;
        enum session_state to;
    } rows[] = {
        {SESSION_NONE, PLAY_PLAYING, true, SESSION_PLAYING},
        {SESSION_NONE, PLAY_PAUSED, true, SESSION_PAUSED},
        {SESSION_NONE, PLAY_STOPPED, false, 0},
        {SESSION_NONE, PLAY_BUFFERING, false, 0},
        {SESSION_PLAYING, PLAY_PAUSED, true, SESSION_PAUSED},
        {SESSION_PAUSED, PLAY_STOPPED, true, SESSION_ENDED},
        {SESSION_BUFFERING, PLAY_PLAYING, true, SESSION_PLAYING},
        {SESSION_ENDED, PLAY_PLAYING, false, 0},
        {SESSION_ENDED, PLAY_STOPPED, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum session_state to = SESSION_NONE;
        assert_int_equal(session_next(rows[i].from, rows[i].seen, &to), rows[i].ok);
        if (rows[i].ok)
            assert_int_equal(to, rows[i].to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watch_time_counts_what_was_played),
        cmocka_unit_test(a_pause_of_more_than_a_day_ends_the_segment_at_its_beginning),
        cmocka_unit_test(the_position_is_where_it_ended_not_how_far_somebody_jumped),
        cmocka_unit_test(folding_loses_nothing),
        cmocka_unit_test(segments_join_into_plays),
        cmocka_unit_test(watched_and_short_have_their_thresholds),
        cmocka_unit_test(only_allowed_transitions_happen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
