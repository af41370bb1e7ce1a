/* The filter's relations. Only what is asked for is in the text, and no value ever is. */
#include "analytics/filter.h"

#include <inttypes.h>

#include "analytics/filter_parts.h"

#include "base/banned.h"

/* What a list chooses from, and the column of play and segment that points at it. */
struct target {
    const char *key;
    const char *from; /* NULL: the list holds the keys themselves */
};

static const struct target targets[FILTER_TABLES] = {
    [ON_SERVER] = {"server_id", NULL},
    [ON_LIBRARY] = {"library_id", NULL},
    [ON_ACCOUNT] = {"account_id", "account"},
    [ON_TITLE] = {"title_id", "title"},
    [ON_DEVICE] = {"device_id", "device"},
    [ON_QUALITY] = {"quality_id", "quality"},
    [ON_ADDRESS] = {"address_id", "address left join place using (place_id)"},
};

static bool is_active(const struct filter *f, enum filter_table t)
{
    if (t == ON_ACCOUNT && f->scope)
        return true;
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        if (filter_list_kinds[i].table == t && filter_list_is_active(&f->lists[i]))
            return true;
    return false;
}

static bool has_segment_filter(const struct filter *f)
{
    for (enum filter_table t = ON_DEVICE; t < FILTER_TABLES; t++)
        if (is_active(f, t))
            return true;
    return false;
}

/* Whether what points nowhere in this table passes. */
static bool takes_unknown(const struct filter *f, enum filter_table t)
{
    if (t == ON_ACCOUNT && f->scope)
        return false;
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        if (filter_list_kinds[i].table == t && filter_list_is_active(&f->lists[i]) &&
            !f->lists[i].has_unknown)
            return false;
    return true;
}

/* --- one list -------------------------------------------------------------------------------- */

/* The bound list as a set of rows: "select unnest(...)". */
static void add_values(struct buf *out, const struct filter_list_kind *kind)
{
    bool is_number = kind->value == IS_ID || kind->value == IS_YEAR;
    buf_printf(out, "select unnest(string_split($filter_%s, chr(31))%s)", kind->name,
               is_number ? "::integer[]" : "");
}

/* The condition on a row of the small table. */
static void add_condition(struct buf *out, const struct filter_list_kind *kind,
                          const struct filter_list *l)
{
    const char *column = kind->column;
    bool is_genre = streq(column, "genres");
    buf_puts(out, "(");
    if (l->count && is_genre) {
        buf_puts(out, "list_has_any(genres, string_split($filter_genres, chr(31)))");
    } else if (l->count) {
        buf_printf(out, "%s in (", column);
        add_values(out, kind);
        buf_puts(out, ")");
    }
    if (l->count && streq(kind->name, "countries")) {
        buf_puts(out, " or country_code in (");
        add_values(out, kind);
        buf_puts(out, ")");
    }
    if (l->has_unknown)
        buf_printf(out, "%s%s is null%s", l->count ? " or " : "", column,
                   is_genre ? " or len(genres) = 0" : "");
    buf_puts(out, ")");
}

/* --- the scope ------------------------------------------------------------------------------- */

/* scope_has() (model/scope.h) as SQL, on a row of `account`. Keys, not ids: they outlive a
 * re-derivation, and an account that is new is in it at once. */
static const char scope_sql[] =
    "account_id in (select own.account_id from account own join server on server.server_id ="
    " own.server_id where own.key <> '' and (server.key || chr(31) || own.key in"
    " (select unnest(string_split($filter_scope, chr(30)))) or (server.kind = 'plex' and own.key ="
    " $filter_plex_id)))";

void filter_scope_sql(const struct filter *f, struct buf *out)
{
    buf_puts(out, filter_is_scoped(f) ? scope_sql : "true");
}

/* --- a small table --------------------------------------------------------------------------- */

/* The keys that pass, as a query. 0 stands for a key that is not known. */
static void add_keys(const struct filter *f, enum filter_table t, struct buf *out)
{
    const struct target *target = &targets[t];
    const char *sep = " where ";
    bool is_begun = target->from;
    if (target->from)
        buf_printf(out, "select %s from %s", target->key, target->from);
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++) {
        const struct filter_list_kind *kind = &filter_list_kinds[i];
        const struct filter_list *l = &f->lists[i];
        if (kind->table != t || !filter_list_is_active(l))
            continue;
        if (target->from) {
            buf_puts(out, sep);
            add_condition(out, kind, l);
            sep = " and ";
        } else if (l->count) {
            add_values(out, kind);
            is_begun = true;
        }
    }
    if (t == ON_ACCOUNT && f->scope)
        buf_printf(out, "%s%s", sep, scope_sql);
    if (takes_unknown(f, t))
        buf_printf(out, "%sselect 0", is_begun ? " union all " : "");
}

/* Jellyfin and Emby do not say which library a play was from: it is the one that has the title there. */
static const char play_library_sql[] =
    "coalesce(p.library_id, (select min(home.library_id) from item home"
    " left join title_join home_join using (title_id) where home.server_id = p.server_id"
    " and coalesce(home_join.root_id, home.title_id) = p.title_id))";

/* " and FACT.key in (...)" */
static void add_target(const struct filter *f, enum filter_table t, const char *fact,
                       struct buf *out)
{
    bool unknown = takes_unknown(f, t);
    /* A key that leads nowhere tells nothing either: the queries count it as unknown. */
    bool is_lost = unknown && targets[t].from;
    buf_printf(out, "\n    and %s%s", is_lost ? "(" : "", unknown ? "coalesce(" : "");
    if (t == ON_LIBRARY && streq(fact, "p"))
        buf_puts(out, play_library_sql);
    else
        buf_printf(out, "%s.%s", fact, targets[t].key);
    buf_printf(out, "%s in (", unknown ? ", 0)" : "");
    add_keys(f, t, out);
    buf_puts(out, ")");
    if (is_lost)
        buf_printf(out, " or %s.%s not in (select %s from %s))", fact, targets[t].key, targets[t].key,
                   targets[t].from);
}

/* Where the viewer was: what the server said and what the address is, either. */
static void add_location(const struct filter *f, struct buf *out)
{
    const struct filter_list *l = NULL;
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        if (filter_list_kinds[i].table == ON_LOCATION)
            l = &f->lists[i];
    buf_puts(out, "\n    and (");
    if (l->count)
        buf_puts(out, "s.location in (select unnest(string_split($filter_location_types, chr(31))))"
                      " or s.address_id in (select address_id from address where class in"
                      " (select unnest(string_split($filter_location_types, chr(31)))))");
    if (l->has_unknown)
        buf_printf(out, "%ss.location is null and coalesce(s.address_id, 0) in (select address_id from"
                        " address where class is null or class = 'unknown' union all select 0)",
                   l->count ? " or " : "");
    buf_puts(out, ")");
}

/* --- the facts ------------------------------------------------------------------------------- */

static void add_words(const struct filter *f, const char *column, struct buf *out)
{
    for (size_t i = 0; i < f->word_count; i++)
        buf_printf(out, "%scontains(strip_accents(lower(%s)),"
                        " strip_accents(lower($filter_search_%zu)))",
                   i ? " and " : "", column, i + 1);
}

/* All words in the title, or all in the person's name. */
static void add_search(const struct filter *f, const char *fact, struct buf *out)
{
    buf_printf(out, "\n    and (%s.title_id in (select title_id from title where ", fact);
    add_words(f, "full_title", out);
    buf_printf(out, ")\n      or %s.account_id in (select account_id from account"
                    " left join person using (person_id) where ", fact);
    add_words(f, "coalesce(person.name, account.name)", out);
    buf_puts(out, "))");
}

/* What play and segment share; both begin their condition with something before it. */
static void add_fact_conditions(const struct filter *f, const char *fact, struct buf *out)
{
    static const enum filter_table shared[] = {ON_SERVER, ON_ACCOUNT, ON_TITLE};
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (is_active(f, shared[i]))
            add_target(f, shared[i], fact, out);
    if (f->word_count)
        add_search(f, fact, out);
}

static void add_segment_conditions(const struct filter *f, struct buf *out)
{
    for (enum filter_table t = ON_DEVICE; t < ON_LOCATION; t++)
        if (is_active(f, t))
            add_target(f, t, "s", out);
    if (is_active(f, ON_LOCATION))
        add_location(f, out);
}

/* Whether a play that has no segment passes the segment filters: nothing of it is known. */
static bool takes_plays_without_segment(const struct filter *f)
{
    for (enum filter_table t = ON_DEVICE; t < FILTER_TABLES; t++)
        if (is_active(f, t) && !takes_unknown(f, t))
            return false;
    return true;
}

/* The text with `word` for each @. */
static void add_with(struct buf *out, const char *text, const char *word)
{
    struct str rest = str_of(text), piece;
    for (bool is_first = true; str_next(&rest, '@', &piece); is_first = false) {
        if (!is_first)
            buf_puts(out, word);
        buf_add_str(out, piece);
    }
}

/* Which plays count at all; a segment has these columns of its play. */
static void add_play_kind(const struct filter *f, const char *fact, struct buf *out)
{
    static const char *const kinds[] = {
        [WITHOUT_DELETED] = "not @.is_hidden",
        [WITH_DELETED] = "(not @.is_hidden or coalesce(@.hidden_by, '') = 'deleted')",
        [ONLY_DELETED] = "coalesce(@.hidden_by, '') = 'deleted'",
    };
    add_with(out, kinds[f->deleted], fact);
    add_with(out, " and @.kind <> 'extra'", fact);
    if (!f->with_short)
        add_with(out, " and not @.is_short", fact);
}

/* --- the relations --------------------------------------------------------------------------- */

static bool has_from(const struct filter *f)
{
    return f->from_us != TIME_NONE;
}

static bool has_to(const struct filter *f)
{
    return f->to_us != TIME_NONE;
}

static void add_window(const struct filter *f, struct buf *out)
{
    buf_printf(out, "filter_window as (\n  select %s as from_at, %s as to_at, $filter_tz as tz)",
               has_from(f) ? "$filter_from::timestamp" : "null::timestamp",
               has_to(f) ? "$filter_to::timestamp" : "null::timestamp");
}

/* Plays with a segment that passes, and how much of them was watched so. */
static void add_match(const struct filter *f, const char *name, bool in_window, struct buf *out)
{
    buf_printf(out, ",\n%s as (\n  select s.play_id, sum(s.watch_ms)::bigint as watch_ms"
                    "\n  from segment s\n  where true", name);
    if (in_window && has_from(f)) /* no segment is before its play */
        buf_puts(out, "\n    and s.started >= $filter_from");
    add_fact_conditions(f, "s", out);
    add_segment_conditions(f, out);
    buf_puts(out, "\n  group by s.play_id)");
}

static void add_plays(const struct filter *f, const char *name, const char *match, bool in_window,
                      struct buf *out)
{
    bool by_segment = has_segment_filter(f);
    bool also_without = by_segment && takes_plays_without_segment(f);
    buf_printf(out, ",\n%s as (\n  select p.*%s, a.person_id\n  from play p", name,
               by_segment ? " replace (coalesce(m.watch_ms, p.watch_ms) as watch_ms)" : "");
    if (by_segment)
        buf_printf(out, "\n    %sjoin %s m on m.play_id = p.play_id", also_without ? "left " : "",
                   match);
    buf_puts(out, "\n    left join account a on a.account_id = p.account_id\n  where ");
    add_play_kind(f, "p", out);
    if (also_without)
        buf_puts(out, "\n    and (m.play_id is not null or p.segments = 0)");
    if (in_window && has_from(f))
        buf_puts(out, "\n    and p.started >= $filter_from");
    if (in_window && has_to(f))
        buf_puts(out, "\n    and p.started < $filter_to");
    if (is_active(f, ON_LIBRARY))
        add_target(f, ON_LIBRARY, "p", out);
    add_fact_conditions(f, "p", out);
    buf_puts(out, ")");
}

/* What the same people played at any time, however the filter narrows what is asked about. */
static void add_known(const struct filter *f, struct buf *out)
{
    buf_puts(out, ",\nknown_play as (\n  select p.*, a.person_id\n  from play p"
                  "\n    left join account a on a.account_id = p.account_id\n  where ");
    add_play_kind(f, "p", out);
    if (is_active(f, ON_ACCOUNT))
        add_target(f, ON_ACCOUNT, "p", out);
    buf_puts(out, ")");
}

/* What the servers hold, by the parts of the filter that are about titles and where they are. Items are
 * nobody's: who sees some accounts only, sees what those have played. */
/* By the titles that they count as. */
static void add_items(const struct filter *f, struct buf *out)
{
    static const enum filter_table own[] = {ON_SERVER, ON_LIBRARY, ON_TITLE};
    buf_puts(out, ",\nfiltered_item as (\n  select i.* from (select item.* replace"
                  " (coalesce(root_id, item.title_id) as title_id) from item left join title_join"
                  " using (title_id)) i\n  where true");
    for (size_t k = 0; k < ARRAY_LEN(own); k++)
        if (is_active(f, own[k]))
            add_target(f, own[k], "i", out);
    if (f->word_count) {
        buf_puts(out, "\n    and i.title_id in (select title_id from title where ");
        add_words(f, "full_title", out);
        buf_puts(out, ")");
    }
    if (f->scope)
        buf_puts(out, "\n    and i.title_id in (select title_id from known_play)");
    buf_puts(out, ")");
}

/*
 * Watch time of a segment before an instant, in whole milliseconds. The difference of two of them
 * is what lies between, so that windows that touch add up to the whole.
 */
static void add_watched_before(const char *at, struct buf *out)
{
    add_with(out,
             "case when @ <= s.started then 0 when @ >= s.ended then s.watch_ms"
             "\n        when s.spans is null then (s.watch_ms::hugeint * (epoch_us(@) -"
             " epoch_us(s.started)) // (epoch_us(s.ended) - epoch_us(s.started)))::bigint"
             "\n        else coalesce(list_sum(list_transform(range(1, len(s.spans), 2), lambda i:"
             " greatest(least(s.spans[i + 1], epoch_us(@)) - s.spans[i], 0))), 0)::bigint // 1000"
             " end",
             at);
}

static void add_window_ms(const struct filter *f, struct buf *out)
{
    if (!has_from(f) && !has_to(f)) {
        buf_puts(out, "s.watch_ms");
        return;
    }
    buf_puts(out, "case when ");
    if (has_from(f))
        buf_puts(out, "s.started >= $filter_from");
    if (has_from(f) && has_to(f))
        buf_puts(out, " and ");
    if (has_to(f))
        buf_puts(out, "s.ended <= $filter_to");
    buf_puts(out, " then s.watch_ms else\n      ");
    if (has_to(f))
        add_watched_before("$filter_to", out);
    else
        buf_puts(out, "s.watch_ms");
    if (has_from(f)) {
        buf_puts(out, "\n      - ");
        add_watched_before("$filter_from", out);
    }
    buf_puts(out, " end");
}

/* " and X.started ..." for what overlaps the window. */
static void add_overlap(const struct filter *f, const char *fact, struct buf *out)
{
    if (has_to(f))
        buf_printf(out, "\n    and %s.started < $filter_to", fact);
    if (has_from(f)) /* what has no length is at its start; the first condition skips row groups */
        add_with(out, "\n    and @.ended >= $filter_from"
                      " and (@.ended > $filter_from or @.started >= $filter_from)", fact);
}

/* " from segment s ..." with what all relations of segments ask of the segment and its play. */
static void add_segment_rows(const struct filter *f, struct buf *out)
{
    buf_puts(out, "\n  from segment s left join account a on a.account_id = s.account_id\n  where ");
    add_play_kind(f, "s", out);
    if (is_active(f, ON_LIBRARY)) { /* the play's, not the segment's own */
        buf_puts(out, "\n    and s.play_id in (select p.play_id from play p where true");
        add_overlap(f, "p", out);
        add_target(f, ON_LIBRARY, "p", out);
        buf_puts(out, ")");
    }
    add_fact_conditions(f, "s", out);
    add_segment_conditions(f, out);
}

static void add_segments(const struct filter *f, struct buf *out)
{
    buf_puts(out, ",\nfiltered_segment as not materialized (\n  select s.*, a.person_id,\n    ");
    add_window_ms(f, out);
    buf_puts(out, " as window_ms");
    add_segment_rows(f, out);
    add_overlap(f, "s", out);
    buf_puts(out, ")");
}

static void add_parts(const struct filter *f, struct buf *out)
{
    buf_puts(out, ",\nfiltered_part as not materialized (\n  select s.*, a.person_id");
    add_segment_rows(f, out);
    if (has_from(f)) /* no segment is before its play: the first condition skips row groups */
        buf_puts(out, "\n    and s.started >= $filter_from and s.play_started >= $filter_from");
    if (has_to(f))
        buf_puts(out, "\n    and s.play_started < $filter_to");
    buf_puts(out, ")");
}

/* Where the period is open its edges are those of the data. No segment outlasts its play, but a play that
 * began before the period is not in filtered_play. */
static void add_edge(const struct filter *f, struct buf *out)
{
    buf_printf(out, ",\nfiltered_edge as (\n  select %s as data_first,\n    %s as data_last",
               has_from(f) ? "null::timestamp" : "min(started)",
               has_to(f) ? "null::timestamp"
                         : "greatest(max(started) + interval 1 microsecond, max(ended))");
    if (has_from(f) && !has_to(f)) {
        buf_puts(out, "\n  from (select started, ended from filtered_play union all\n"
                      "    select null, s.ended");
        add_segment_rows(f, out);
        add_overlap(f, "s", out);
        buf_puts(out, ")");
    } else if (!has_from(f)) {
        buf_puts(out, "\n  from filtered_play");
    }
    buf_puts(out, ")");
}

/* People as the asker knows them: by the names of their own accounts. What a person is called may come from
 * another's account, which the two were merged by. Every query that says `person` reads this instead. */
static void add_people(struct buf *out)
{
    buf_printf(out, "person as (\n  select person_id, arg_min(name, account_id) as name from account"
                    "\n  where person_id is not null and %s\n  group by person_id),\n", scope_sql);
}

void filter_sql(const struct filter *f, struct buf *out)
{
    if (filter_is_scoped(f))
        add_people(out);
    add_window(f, out);
    if (has_segment_filter(f)) {
        add_match(f, "filter_match", true, out);
        add_match(f, "filter_match_ever", false, out);
    }
    add_plays(f, "filtered_play", "filter_match", true, out);
    add_plays(f, "filtered_ever", "filter_match_ever", false, out);
    add_known(f, out);
    add_items(f, out);
    add_segments(f, out);
    add_parts(f, out);
    add_edge(f, out);
}
