/* What the tests of ingest share: a folder with logs and stores, a feed, a fingerprint. */
#pragma once

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "ingest/ingest.h"

#include "../segments_of_plays.h"

static char folder[64];

[[maybe_unused]] static char *in_folder(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

[[maybe_unused]] static void remove_store(const char *name)
{
    auto_free char *pattern = xasprintf("%s/%s*", folder, name);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
}

[[maybe_unused]] static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cartographus-ingest-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

[[maybe_unused]] static int tear_down(void **state)
{
    (void)state;
    remove_store("");
    return rmdir(folder);
}

[[maybe_unused]] static struct log *open_log(const char *name)
{
    auto_free char *path = in_folder(name);
    struct log *l = NULL;
    struct error err;
    if (log_open(path, &l, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return l;
}

[[maybe_unused]] static struct store *open_store(const char *name)
{
    auto_free char *path = in_folder(name);
    struct store_config c = {.path = path, .max_memory = "512MB", .threads = 1};
    struct store *s = NULL;
    struct error err;
    if (store_open(&c, &s, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return s;
}

/* batch: records a transaction; progress_us: see ingest.h. */
[[maybe_unused]] static struct ingest *start_with(struct log *l, struct store *s, size_t batch,
                                                  int64_t progress_us)
{
    struct ingest_config c = {.log = l, .store = s, .knobs = knobs_default(), .batch_max = batch,
                              .progress_us = progress_us};
    struct ingest *in = NULL;
    struct error err;
    if (ingest_start(&c, &in, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return in;
}

[[maybe_unused]] static struct ingest *start(struct log *l, struct store *s)
{
    return start_with(l, s, 0, 0);
}

[[maybe_unused]] static int64_t ask(struct store *s, const char *sql)
{
    struct store_conn *c;
    struct error err;
    int64_t v = -1;
    if (store_connect(s, &c, &err) != STATUS_OK ||
        store_query_int(c, sql, NULL, 0, -1, &v, &err) != STATUS_OK)
        fail_msg("%s: %s", sql, err.text);
    store_disconnect(c);
    return v;
}

/* Whatever came to pass, segments have what their plays have. */
[[maybe_unused]] static void leave_store(struct store *s)
{
    assert_int_equal(ask(s, SEGMENTS_UNLIKE_PLAYS), 0);
    store_close(s);
}

[[maybe_unused]] static void append(struct log *l, enum log_kind kind, struct str payload)
{
    struct log_record r = {.kind = kind, .payload = payload};
    struct error err;
    if (log_append(l, &r, 1, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

[[maybe_unused]] static void see(struct log *l, const char *session, int at_s, enum play_state state,
                int position_s, const char *account, const char *title)
{
    struct observation o;
    observation_init(&o);
    o.server = "plex-1";
    o.session = session;
    o.observed_us = at_s * US_PER_S;
    o.state = state;
    o.position_ms = position_s * 1000;
    o.duration_ms = 7200 * 1000;
    o.account_key = account;
    o.account_name = account;
    o.media_type = "movie";
    o.title = title;
    o.item_key = title;
    o.year = 1999;
    o.player = "TV";
    o.address = "192.168.0.9";
    auto_buf struct buf text = {0};
    struct json_writer w;
    jw_begin(&w, &text);
    observation_write(&w, &o);
    append(l, LOG_OBSERVATION, buf_str(&text));
}

/* Everything that is derived, as one number. */
[[maybe_unused]] static int64_t fingerprint(struct store *s)
{
    return ask(s, "select (hash((select string_agg(p::varchar, '|' order by play_id) from play p),"
                  " (select string_agg(s::varchar, '|' order by segment_id) from segment s),"
                  " (select string_agg(o::varchar, '|' order by observation_id) from observation o),"
                  " (select string_agg(t::varchar, '|' order by title_id) from title t),"
                  " (select string_agg(k::varchar, '|' order by key) from title_key k),"
                  " (select string_agg(a::varchar, '|' order by account_id) from account a),"
                  " (select string_agg(p::varchar, '|' order by person_id) from person p),"
                  " (select string_agg(l::varchar, '|' order by library_id) from library l),"
                  " (select string_agg(s::varchar, '|' order by server_id) from server s),"
                  " (select string_agg(v::varchar, '|' order by view_in_id) from view_in v),"
                  " (select position from applied)) // 2)::bigint");
}

/* A record of views about that time, some told before, some of no sense. */
[[maybe_unused]] static void tell_views(struct log *l, unsigned dice, int at_s, int count)
{
    static const char *const servers[] = {"plex-1", "jellyfin-1"};
    static const char *const accounts[] = {"ada", "bob", "Zoe", ""};
    auto_buf struct buf text = {0};
    buf_printf(&text, "{\"server\":\"%s\",\"views\":[", servers[dice % 2]);
    for (int i = 0; i < count; i++) {
        dice = dice * 1664525u + 1013904223u;
        unsigned which = (dice >> 10) % 40;
        buf_printf(&text,
                   "%s{\"source_id\":\"v%u\",\"account_key\":\"%s\",\"at_us\":%d000000,"
                   "\"media_type\":\"%s\",\"item_key\":\"i%u\",\"title\":\"%s%u\",\"year\":1999,"
                   "\"genres\":\"%s\",\"provider_ids\":\"imdb:tt%u\",\"library_key\":\"%u\"}",
                   i ? "," : "", which, accounts[(dice >> 16) % 4],
                   (dice >> 18) % 11 ? at_s - (int)(dice >> 20) % 5000 : -7,
                   (dice >> 6) % 13 ? "movie" : "", which % 17, which % 3 ? "Film " : "Heat",
                   which % 3 ? which % 17 : 0, which % 2 ? "Drama;;Crime;" : "", which % 9,
                   which % 2);
    }
    buf_puts(&text, "]}");
    append(l, LOG_VIEWS, buf_str(&text));
}

/* A seeded feed of a few people who start, pause, resume and stop, while their past comes in. */
[[maybe_unused]] static void fill(struct log *l, unsigned seed, int records)
{
    static const char *const titles[] = {"Heat", "Alien", "Ran"};
    static const char *const accounts[] = {"ada", "bob", "eve"};
    static const char *const sessions[] = {"1@0", "2@0", "3@0"};
    int at = 1000, position[3] = {0}, round[3] = {0};
    for (int i = 0; i < records; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned dice = seed >> 12, who = dice % 3;
        at += 1 + (int)(dice >> 3) % 70;
        if ((dice >> 16) % 5 == 0) {
            tell_views(l, dice, at, (int)(dice >> 4) % 7);
            continue;
        }
        position[who] += (int)(dice >> 5) % 40;
        enum play_state state = (dice >> 9) % 9 == 0 ? PLAY_PAUSED : PLAY_PLAYING;
        if ((dice >> 13) % 17 == 0)
            state = PLAY_STOPPED;
        auto_free char *session = xasprintf("%s-%d", sessions[who], round[who]);
        see(l, session, at, state, position[who], accounts[who],
            titles[(unsigned)round[who] / 3 % 3]);
        if (state == PLAY_STOPPED)
            round[who]++;
    }
}
