#include "ingest/people.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/clock.h"
#include "ingest/hands.h"
#include "ingest/match.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

struct account {
    int32_t person, home, sure; /* home, sure 0: none yet */
};

struct people {
    struct arena arena;
    struct match_account *accounts;
    struct account *facts; /* of the same index */
    size_t count, room, fact_room;
    struct hands hands;
    struct match_result result;
    struct store_conn *c;
    int64_t decision;
    bool is_changed;
};

static void people_done(struct people *p)
{
    arena_done(&p->arena);
    free(p->accounts);
    free(p->facts);
    hands_done(&p->hands);
    match_result_done(&p->result);
}

/* --- reading ------------------------------------------------------------------------------- */

/* Folded: NFC, without space around, in lower case (of the two small sigmas the one). */
#define FOLDED(x)                                                                              \
    "coalesce(replace(lower(nfc_normalize(regexp_replace(" x                                   \
    ", '^[\\s\\p{Z}]+|[\\s\\p{Z}]+$', '', 'g'))), 'ς', 'σ'), '')"
#define LOOSE(x)                                                                               \
    "regexp_replace(strip_accents(" FOLDED(x) "), '[^\\p{L}\\p{N}]', '', 'g')"

/* At Plex an account's key is its id at plex.tv, but for 0 (nobody) and 1 (whoever owns the server),
 * which every server has. */
static const char accounts_sql[] =
    "select account_id, person_id, home_person_id, coalesce(s.machine_id, s.key), a.key,"
    " case when s.kind <> 'plex' then '' else coalesce(plex_id,"
    "  case when regexp_full_match(a.key, '[0-9]+') and a.key not in ('0', '1') then a.key end, '') end,"
    " case when s.kind = 'plex' and a.key = '1' then " FOLDED("s.owner_login") " else '' end,"
    " " FOLDED("a.email") ", " FOLDED("a.name") ", " LOOSE("a.name")
    ", sure_id from account a join server s using (server_id) order by account_id";

static const char *kept(struct people *p, const struct cursor *r, idx_t column)
{
    struct str text = cursor_text(r, column);
    return arena_strndup(&p->arena, text.ptr, text.len);
}

static enum status read_accounts(struct people *p, struct error *err)
{
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(p->c, accounts_sql, NULL, 0, &r, err));
    while (cursor_next(&r)) {
        size_t facts = p->count;
        *GROW(p->facts, facts, p->fact_room) = (struct account){
            .person = (int32_t)cursor_int(&r, 1, 0),
            .home = (int32_t)cursor_int(&r, 2, 0),
            .sure = (int32_t)cursor_int(&r, 10, 0)};
        *GROW(p->accounts, p->count, p->room) = (struct match_account){
            .id = (int32_t)cursor_int(&r, 0, 0),
            .server = kept(p, &r, 3),
            .key = kept(p, &r, 4),
            .plex_id = kept(p, &r, 5),
            .plex_login = kept(p, &r, 6),
            .email = kept(p, &r, 7),
            .name = kept(p, &r, 8),
            .loose_name = kept(p, &r, 9)};
    }
    return STATUS_OK;
}

#define NOT_UNDONE "decision_id not in (select subject from decision where kind = 'people_undo')"

/* --- at the same time elsewhere -------------------------------------------------------------- */

/*
 * Of each pair the public addresses from which both played at once: stretches that really played, in
 * buckets of a day so that only what can meet is compared. What begins before the other's end was
 * noticed is no "at the same time": it takes a minute.
 */
static const char apart_sql[] =
    "with asked as (select distinct account_id from (select a as account_id from temp.match_pair"
    "  union all select b from temp.match_pair)),"
    " played as (select account_id, address_id, unnest(case when spans is null"
    "   then [{'f': epoch_us(started), 't': epoch_us(ended)}]"
    "   else list_transform(range(1, len(spans), 2),"
    "    lambda i: {'f': spans[i::bigint], 't': spans[(i + 1)::bigint]}) end) as s"
    "  from segment join asked using (account_id) join address using (address_id)"
    "  where address.class = 'public'),"
    " stretch as (select account_id, address_id, s.f as f, least(s.t, s.f + $1) as t"
    "  from played where s.t - s.f >= $2),"
    " daily as (select account_id, address_id, f, t, unnest(range(f // $3, t // $3 + 1)) as day"
    "  from stretch)"
    " select distinct p.n, x.address, y.address from temp.match_pair p"
    " join daily a on a.account_id = p.a join daily b on b.account_id = p.b and b.day = a.day"
    "  and a.address_id <> b.address_id and least(a.t, b.t) - greatest(a.f, b.f) >= $2"
    " join address x on x.address_id = a.address_id join address y on y.address_id = b.address_id";
#define STRETCH_MOST_US (2 * 24 * 60 * US_PER_MIN)
#define DAY_US (24 * 60 * US_PER_MIN)

static bool is_v4(const struct address *a)
{
    static const struct address_range mapped = {{{[10] = 0xff, [11] = 0xff}}, 96};
    return address_range_has(&mapped, a);
}

/* Two lines to the internet. A household has one IPv4 address and one /64 network of IPv6; one of
 * each kind cannot be told apart. */
static bool are_two_places(struct str a, struct str b)
{
    struct address x, y;
    if (!address_parse(a, &x) || !address_parse(b, &y) || is_v4(&x) != is_v4(&y))
        return false;
    return memcmp(x.bytes, y.bytes, is_v4(&x) ? 16 : 8) != 0;
}

static enum status find_apart(void *ctx, const size_t (*pairs)[2], size_t count, bool *ret,
                              struct error *err)
{
    struct people *p = ctx;
    TRY(store_exec(p->c, "create or replace temp table match_pair (n bigint, a integer, b integer)",
                   err));
    {
        auto_appender duckdb_appender a = NULL;
        TRY(append_open(p->c, "temp", "match_pair", &a, err));
        for (size_t i = 0; i < count; i++) {
            append_int(a, (int64_t)i);
            append_id(a, p->accounts[pairs[i][0]].id);
            append_id(a, p->accounts[pairs[i][1]].id);
            TRY(append_row(a, err));
        }
        TRY(append_close(a, err));
    }
    struct store_value v[] = {{.kind = SV_INT, .i = STRETCH_MOST_US},
                              {.kind = SV_INT, .i = US_PER_MIN},
                              {.kind = SV_INT, .i = DAY_US}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(p->c, apart_sql, v, ARRAY_LEN(v), &r, err));
    while (cursor_next(&r)) {
        size_t n = (size_t)cursor_int(&r, 0, 0);
        if (n < count && are_two_places(cursor_text(&r, 1), cursor_text(&r, 2)))
            ret[n] = true;
    }
    return store_exec(p->c, "drop table temp.match_pair", err);
}

/* --- writing ------------------------------------------------------------------------------- */

static enum status change(struct people *p, const char *sql, const struct store_value *v, size_t n,
                          struct error *err)
{
    auto_result duckdb_result r = {0};
    TRY(store_query(p->c, sql, v, n, &r, err));
    if (duckdb_rows_changed(&r))
        p->is_changed = true;
    return STATUS_OK;
}

/* An account that was somebody's before it could be its own. */
static enum status give_homes(struct people *p, struct dims *d, struct error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->facts[i].home)
            continue;
        TRY(dims_new_person(d, p->c, p->accounts[i].name, &p->facts[i].home, err));
        struct store_value v[] = {{.kind = SV_INT, .i = p->facts[i].home},
                                  {.kind = SV_INT, .i = p->accounts[i].id}};
        TRY(change(p, "update account set home_person_id = $1 where account_id = $2", v, 2, err));
    }
    return STATUS_OK;
}

static int32_t home_of(const struct people *p, int32_t account)
{
    size_t low = 0, high = p->count; /* by id */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->accounts[middle].id < account)
            low = middle + 1;
        else
            high = middle;
    }
    return p->facts[low].home;
}

/* What joins the account to its person: its strongest pair there. */
static const char *why_here(const struct people *p, int32_t account)
{
    enum match_why best = 0;
    for (size_t i = 0; i < p->result.pair_count; i++) {
        const struct match_pair *x = &p->result.pairs[i];
        if (x->is_joined && (x->a == account || x->b == account) && (!best || x->why < best))
            best = x->why;
    }
    return best ? match_why_word(best) : "parted";
}

static enum status move_accounts(struct people *p, struct dims *d, struct error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct account *a = &p->facts[i];
        int32_t account = p->accounts[i].id, person = home_of(p, p->result.oldest[i]);
        struct store_value sure[] = {{.kind = SV_INT, .i = p->result.surest[i]},
                                     {.kind = SV_INT, .i = account}};
        if (a->sure != p->result.surest[i])
            TRY(change(p, "update account set sure_id = $1 where account_id = $2", sure, 2, err));
        if (a->person == person)
            continue;
        struct store_value v[] = {
            {.kind = SV_INT, .i = account},
            {.kind = SV_INT, .i = person},
            {.kind = SV_INT, .i = a->person},
            {.kind = SV_TIME, .i = clock_now_us()},
            {.kind = SV_TEXT, .s = str_of(why_here(p, account))},
            {.kind = p->decision ? SV_INT : SV_NULL, .i = p->decision}};
        TRY(change(p, "update account set person_id = $2 where account_id = $1", v, 2, err));
        TRY(change(p, "insert into person_change select $4, $1, $3, $2, $5, $6", v, ARRAY_LEN(v), err));
        dims_set_person(d, account, person);
    }
    return STATUS_OK;
}

/* What somebody chose; else what an import calls one of its accounts; else what the oldest account that
 * has a name goes by. */
static const char names_sql[] =
    "update person set name = w.name from (select a.person_id, coalesce(any_value(nullif(c.name, '')),"
      "  arg_min(a.friendly_name, a.account_id), arg_min(a.name, a.account_id),"
    "  arg_min(a.key, a.account_id)) as name"
    " from account a left join (select subject as person_id, arg_max(detail->>'name', decision_id)"
    "   as name from decision where kind = 'people_rename' and " NOT_UNDONE " group by subject) c"
    "  on c.person_id = a.person_id group by a.person_id) w"
    " where person.person_id = w.person_id and person.name is distinct from w.name";

static bool is_same_pair(const struct cursor *r, const struct match_pair *x)
{
    return cursor_int(r, 0, 0) == x->a && cursor_int(r, 1, 0) == x->b &&
           (cursor_int(r, 2, 0) != 0) == x->is_joined &&
           str_eq(cursor_text(r, 3), str_of(match_why_word(x->why))) &&
           str_eq(cursor_text(r, 4), str_of(match_against_word(x->against)));
}

static enum status are_pairs_known(const struct people *p, bool *ret, struct error *err)
{
    auto_cursor struct cursor r = {0};
    size_t i = 0;
    TRY(cursor_open(p->c, "select account_id, other_id, is_joined, why, against from person_pair"
                          " order by account_id, other_id", NULL, 0, &r, err));
    *ret = false;
    for (; cursor_next(&r); i++)
        if (i >= p->result.pair_count || !is_same_pair(&r, &p->result.pairs[i]))
            return STATUS_OK;
    *ret = i == p->result.pair_count;
    return STATUS_OK;
}

static enum status write_pairs(struct people *p, struct error *err)
{
    bool are_known;
    TRY(are_pairs_known(p, &are_known, err));
    if (are_known)
        return STATUS_OK;
    p->is_changed = true;
    TRY(store_exec(p->c, "delete from person_pair", err));
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(p->c, NULL, "person_pair", &a, err));
    for (size_t i = 0; i < p->result.pair_count; i++) {
        const struct match_pair *x = &p->result.pairs[i];
        append_id(a, x->a);
        append_id(a, x->b);
        append_bool(a, x->is_joined);
        append_text(a, match_why_word(x->why));
        duckdb_append_varchar(a, match_against_word(x->against));
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

enum status people_match(struct store_conn *c, struct dims *d, int64_t decision, bool *ret_is_changed,
                         struct error *err)
{
    auto_cleanup(people_done) struct people p = {.c = c, .decision = decision};
    TRY(read_accounts(&p, err));
    TRY(hands_read(c, "people", &p.hands, err));
    TRY(match_people(p.accounts, p.count, p.hands.list, p.hands.count, find_apart, &p, &p.result, err));
    TRY(give_homes(&p, d, err));
    TRY(move_accounts(&p, d, err));
    TRY(write_pairs(&p, err));
    TRY(change(&p, names_sql, NULL, 0, err));
    *ret_is_changed = p.is_changed;
    return STATUS_OK;
}
