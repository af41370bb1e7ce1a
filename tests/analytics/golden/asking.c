#include "asking.h"

#include <math.h>
#include <time.h>

#include "analytics/analytics.h"

struct world world;
struct store_conn *conn;
static struct store *store;

int asking_set_up(void **state)
{
    struct store_config c = {.path = ":memory:", .max_memory = "512MB", .threads = 1};
    struct error err = {0};
    world_make(&world);
    if (store_open(&c, &store, NULL, &err) != STATUS_OK ||
        store_connect(store, &conn, &err) != STATUS_OK || world_write(&world, conn, &err) != STATUS_OK) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

int asking_tear_down(void **state)
{
    store_disconnect(conn);
    store_close(store);
    world_free(&world);
    return 0;
}

/* --- what is asked --------------------------------------------------------------------------- */

const char *const zones[ZONES_COUNT] = {"America/New_York", "Europe/Berlin"};

const struct filter_case filters[FILTERS_COUNT] = {
    {"", {0}, {0}, {0}},
    {"start_date=2025-12-29&end_date=2026-01-04", {2025, 12, 29}, {2026, 1, 5}, {0}},
    {"start_date=2025-10-25&end_date=2025-11-03", {2025, 10, 25}, {2025, 11, 4}, {0}},
    {"start_date=2026-03-07&end_date=2026-03-30&media_types=movie,episode", {2026, 3, 7},
     {2026, 3, 31}, {.media_types = " movie episode "}},
    {"start_date=2026-02-01&users=1,2,unknown", {2026, 2, 1}, {0}, {.users = " 1 2 unknown "}},
    {"end_date=2026-01-31&platforms=Android,unknown", {0}, {2026, 2, 1},
     {.platforms = " Android unknown "}},
    {"server_ids=2&transcode_decisions=transcode", {0}, {0},
     {.server_ids = " 2 ", .decisions = " transcode "}},
    {"start_date=2026-01-10&end_date=2026-01-11&short=include", {2026, 1, 10}, {2026, 1, 12},
     {.with_short = true}},
    {"start_date=2025-12-01&libraries=2,6,unknown", {2025, 12, 1}, {0},
     {.libraries = " 2 6 unknown "}},
    {"start_date=2020-01-01&end_date=2020-01-03", {2020, 1, 1}, {2020, 1, 4}, {0}},
};

struct selection selection_of(const struct filter_case *f)
{
    struct selection s = f->selection;
    s.world = &world;
    s.from = f->from[0] ? day_begins(f->from[0], f->from[1], f->from[2]) : TIME_NONE;
    s.to = f->to[0] ? day_begins(f->to[0], f->to[1], f->to[2]) : TIME_NONE;
    return s;
}

void use_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
    struct tm tm = {.tm_year = 126, .tm_mon = 6, .tm_mday = 1, .tm_isdst = -1};
    if (mktime(&tm) % 86400 == 0)
        fail_msg("this machine does not know the zone %s (install tzdata)", zone);
}

static void take_all(struct question *q, const char *params)
{
    struct str rest = str_of(params), pair;
    struct error err = {0};
    while (str_next(&rest, '&', &pair)) {
        struct str name, value = pair;
        if (!pair.len || !str_next(&value, '=', &name))
            continue;
        auto_free char *n = xstrndup(name.ptr, name.len);
        auto_free char *v = value.ptr ? xstrndup(value.ptr, value.len) : xstrdup("");
        if (question_take(q, n, v, &err) != STATUS_OK)
            fail_msg("%s: %s", params, err.text);
    }
}

/* What the query answers. */
json_t *ask_whole(const struct query *query, const char *zone, const char *params,
                   const char *filter, const char *more)
{
    const struct filter_config config = {.time_zone = zone, .now_us = world.now, .sees_all = true};
    struct question *q = question_new(query, &config);
    take_all(q, params);
    take_all(q, filter);
    take_all(q, more);
    struct analytics *a = analytics_new(store, 0);
    auto_buf struct buf key = {0}, out = {0};
    struct error err = {0};
    enum status s = question_finish(q, &err);
    analytics_key(a, q, &key);
    if (s == STATUS_OK)
        s = analytics_answer(a, q, buf_text(&key), conn, &out, &err);
    json_t *root = NULL;
    if (s == STATUS_OK)
        s = json_parse(buf_str(&out), 64 << 20, 20, &root, &err);
    if (s != STATUS_OK)
        fail_msg("%s?%s&%s: %s", query->name, params, filter, err.text);
    analytics_free(a);
    question_free(q);
    return root;
}

/* The rows of it, as truth has them. */
json_t *ask(const struct query *query, const char *zone, const char *params,
                   const char *filter, const char *more)
{
    json_t *root = ask_whole(query, zone, params, filter, more);
    json_t *data = json_incref(jget(root, "data"));
    json_decref(root);
    return data;
}

/* Rounding: milliseconds are whole in each segment and bucket. */
bool is_near(const char *column, const json_t *got, const json_t *want)
{
    if (streq(column, "sketch") || streq(column, "difference")) /* the sketches' own test looks how far off */
        return json_is_null(got) == json_is_null(want);
    if (json_is_integer(got) && json_is_integer(want)) {
        int64_t off = llabs(json_integer_value(got) - json_integer_value(want));
        if (streq(column, "watch_ms") || streq(column, "unknown_ms"))
            return (double)off <= 60 + 1e-7 * (double)json_integer_value(want);
        return streq(column, "bytes") ? (double)off <= 3e5 + 1e-6 * (double)json_integer_value(want)
                                      : off == 0;
    }
    if (json_is_number(got) && json_is_number(want))
        return fabs(json_number_value(got) - json_number_value(want)) <=
               1e-6 * fmax(1, fabs(json_number_value(want)));
    return json_equal(got, want);
}

const struct truth *const all_truths[TRUTHS_COUNT] = {time_truths, people_truths, place_truths,
                                                 quality_truths, stream_truths, delivery_truths,
                                                 engagement_truths, together_truths, person_truths,
                                                 title_truths, comparison_truths, search_truths, library_truths};
