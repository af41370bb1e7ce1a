#include "analytics/analytics.h"

#include <inttypes.h>

#include "analytics/answer.h"
#include "analytics/cache.h"
#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

struct analytics {
    struct store *store;
    struct cache *cache;
    _Atomic int64_t hits, misses;
};

struct analytics *analytics_new(struct store *store, size_t most_cached_bytes)
{
    struct analytics *a = xcalloc(1, sizeof *a);
    a->store = store;
    a->cache = cache_new(most_cached_bytes);
    return a;
}

void analytics_free(struct analytics *a)
{
    if (!a)
        return;
    cache_free(a->cache);
    free(a);
}

void analytics_key(struct analytics *a, const struct question *q, struct buf *out)
{
    question_key(q, out);
    buf_printf(out, " %" PRId64, store_data_version(a->store));
}

/* An answer is kept up to where it says whether it is fresh. */
static void finish(bool is_cached, struct buf *out)
{
    buf_puts(out, is_cached ? "true}}" : "false}}");
}

bool analytics_remembered(struct analytics *a, const char *key, struct buf *out)
{
    if (!cache_get(a->cache, key, out))
        return false;
    a->hits++;
    finish(true, out);
    return true;
}

/* One small answer, kept for all queries. */
enum status analytics_count(struct analytics *a, const struct filter *f, struct store_conn *c,
                            int64_t *ret, struct error *err)
{
    auto_buf struct buf key = {0}, known = {0};
    buf_printf(&key, "plays %" PRId64 " ", store_data_version(a->store));
    filter_key(f, &key);
    if (cache_get(a->cache, buf_text(&key), &known) && str_to_i64(buf_str(&known), ret))
        return STATUS_OK;
    TRY(answer_count(f, c, ret, err));
    buf_clear(&known);
    buf_printf(&known, "%" PRId64, *ret);
    cache_put(a->cache, buf_text(&key), buf_str(&known), US_PER_HOUR);
    return STATUS_OK;
}

static enum status work_out(struct analytics *a, struct question *q, struct store_conn *c,
                            struct buf *out, struct error *err)
{
    struct answer_facts facts = {.data_version = store_data_version(a->store)};
    int64_t started_us = clock_monotonic_us();
    TRY(question_resolve(q, c, err));
    TRY(analytics_count(a, question_filter(q), c, &facts.plays, err));
    TRY(answer_json(q, c, &facts, started_us, out, err));
    if (out->is_overflowed)
        return fail(err, STATUS_TOO_LARGE, "the answer is too large; ask for less at once");
    return STATUS_OK;
}

enum status analytics_answer(struct analytics *a, struct question *q, const char *key,
                             struct store_conn *c, struct buf *out, struct error *err)
{
    int64_t keep_us = question_query(q)->cache_s * US_PER_S;
    bool is_known = cache_get_or_claim(a->cache, key, out);
    *(is_known ? &a->hits : &a->misses) += 1;
    enum status s = is_known ? STATUS_OK : work_out(a, q, c, out, err);
    if (!is_known && s == STATUS_OK && keep_us > 0)
        cache_put(a->cache, key, buf_str(out), keep_us);
    else if (!is_known)
        cache_give_up(a->cache, key);
    if (s == STATUS_OK)
        finish(is_known, out);
    return s;
}

enum status analytics_file(struct question *q, struct store_conn *c, struct export *e,
                           struct error *err)
{
    TRY(question_resolve(q, c, err));
    return answer_file(q, c, e, err);
}

void analytics_get_stats(struct analytics *a, struct analytics_stats *ret)
{
    *ret = (struct analytics_stats){.hits = a->hits, .misses = a->misses,
                                    .bytes = cache_bytes(a->cache), .entries = cache_count(a->cache)};
}

enum status analytics_check(struct store_conn *c, struct error *err)
{
    const struct filter_config all = {.time_zone = "UTC", .now_us = clock_now_us(),
                                      .sees_all = true};
    for (size_t i = 0; i < query_count; i++) {
        struct question *q = question_new(&query_catalogue[i], &all);
        enum status s = question_finish(q, err);
        if (s == STATUS_OK)
            s = question_resolve(q, c, err);
        if (s == STATUS_OK)
            s = answer_check(q, c, err);
        question_free(q);
        if (s != STATUS_OK)
            return fail_prefix(err, "query '%s'", query_catalogue[i].name);
    }
    return STATUS_OK;
}
