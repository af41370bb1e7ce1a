#include "ingest/hands.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "store/cursor.h"

#include "base/banned.h"

enum { DETAIL_BYTES_MAX = 1024 * 1024 };

void hands_done(struct hands *h)
{
    free(h->list);
    *h = (struct hands){0};
}

static void add_hand(struct hands *h, int64_t a, int64_t b, bool is_together, int64_t decision)
{
    if (a == b)
        return;
    *GROW(h->list, h->count, h->room) = (struct match_hand){
        (int32_t)(a < b ? a : b), (int32_t)(a < b ? b : a), is_together, decision};
}

static void add_groups(struct hands *h, const json_t *groups, bool is_together, int64_t decision)
{
    size_t i, k, x, y;
    json_t *left, *right, *a, *b;
    json_array_foreach (groups, i, left)
        json_array_foreach (groups, k, right) {
            if (k <= i)
                continue;
            json_array_foreach (left, x, a)
                json_array_foreach (right, y, b)
                    add_hand(h, json_integer_value(a), json_integer_value(b), is_together, decision);
        }
}

static int by_pair_then_newest(const void *a, const void *b)
{
    const struct match_hand *x = a, *y = b;
    if (x->a != y->a)
        return (x->a > y->a) - (x->a < y->a);
    if (x->b != y->b)
        return (x->b > y->b) - (x->b < y->b);
    return (x->decision < y->decision) - (x->decision > y->decision);
}

enum status hands_read(struct store_conn *c, const char *subject, struct hands *ret, struct error *err)
{
    hands_done(ret);
    struct store_value v[] = {{.kind = SV_TEXT, .s = str_of(subject)}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select decision_id, kind = $1 || '_merge', detail::varchar from decision"
                       " where kind in ($1 || '_merge', $1 || '_part') and decision_id not in"
                       " (select subject from decision where kind = $1 || '_undo')"
                       " order by decision_id", v, 1, &r, err));
    while (cursor_next(&r)) {
        auto_json json_t *detail = NULL;
        struct error why = {0};
        if (json_parse(cursor_text(&r, 2), DETAIL_BYTES_MAX, 8, &detail, &why) != STATUS_OK)
            return fail(err, STATUS_INTERNAL, "decision %" PRId64 " cannot be read: %s",
                        cursor_int(&r, 0, 0), why.text);
        add_groups(ret, jget(detail, "groups"), cursor_int(&r, 1, 0), cursor_int(&r, 0, 0));
    }
    if (ret->count < 2)
        return STATUS_OK;
    qsort(ret->list, ret->count, sizeof *ret->list, by_pair_then_newest);
    size_t count = 1;
    for (size_t i = 1; i < ret->count; i++)
        if (ret->list[i].a != ret->list[count - 1].a || ret->list[i].b != ret->list[count - 1].b)
            ret->list[count++] = ret->list[i];
    ret->count = count;
    return STATUS_OK;
}

enum status decision_insert(struct store_conn *c, const struct decision *d, int64_t *ret_id,
                            struct error *err)
{
    TRY(store_query_int(c, "select coalesce(max(decision_id), 0) + 1 from decision", NULL, 0, 1, ret_id,
                        err));
    struct store_value v[] = {{.kind = SV_INT, .i = *ret_id},
                              {.kind = SV_TIME, .i = clock_now_us()},
                              {.kind = SV_TEXT, .s = str_of(d->who)},
                              {.kind = SV_TEXT, .s = str_of(d->kind)},
                              {.kind = d->about ? SV_INT : SV_NULL, .i = d->about},
                              {.kind = d->detail.len ? SV_TEXT : SV_NULL, .s = d->detail}};
    auto_result duckdb_result r = {0};
    return store_query(c, "insert into decision values ($1, $2, $3, $4, $5, $6)", v, ARRAY_LEN(v),
                       &r, err);
}

enum status decision_check_undo(struct store_conn *c, int64_t id, const char *subject,
                                const char *kinds, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = id}, {.kind = SV_TEXT, .s = str_of(subject)}};
    int64_t is_there, is_undone;
    auto_free char *sql = xasprintf("select count(*) from decision where decision_id = $1 and kind in"
                                    " (%s)", kinds);
    TRY(store_query_int(c, sql, v, 1, 0, &is_there, err));
    TRY(store_query_int(c, "select count(*) from decision where subject = $1"
                           " and kind = $2 || '_undo'", v, 2, 0, &is_undone, err));
    if (!is_there)
        return fail_field(err, STATUS_NOT_FOUND, "id", "there is no decision %" PRId64 " about %s", id,
                          subject);
    return is_undone ? fail_field(err, STATUS_CONFLICT, "id", "decision %" PRId64
                                  " has been taken back already", id)
                     : STATUS_OK;
}

bool decision_has_twice(const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (ids[i] == ids[k])
                return true;
    return false;
}
