/* P, the columns of a play, in their order: what the play itself has, and names of what it points at. */
#include "api/plays.h"

#include "base/mem.h"

#include "base/banned.h"

/* Rows of a small table: joined by DuckDB, or looked up by number while rows are written. */
struct part {
    const char *own;  /* of page_key p; else the rest: */
    const char *name; /* of the names */
    const char *key;  /* of p, or of page_main m */
    const char *id, *columns, *from;
};

static const struct part parts[] = {
    {.own = "p.play_id as id, p.started, p.ended, p.watch_ms, p.watch_low_ms, p.watch_high_ms, p.paused_ms,"
            " p.percent, p.is_watched, p.is_short, p.is_open, coalesce(p.hidden_by, '') = 'deleted' as"
            " is_deleted, p.kind, p.origin, p.server_id"},
    {NULL, "server", "p.server_id", "server_id", "name as server, kind as server_kind", "server"},
    {.own = "p.person_id"},
    {NULL, "person", "p.person_id", "person_id", "name as person", "person"},
    {.own = "p.media_type, p.title_id"},
    {NULL, "title", "p.title_id", "title_id",
     "title, parent_title, grandparent_title, full_title, season, episode, year", "title"},
    {.own = "p.duration_ms, p.segments"},
    {NULL, "device", "m.device_id", "device_id", "platform, player", "device"},
    {NULL, "quality", "m.quality_id", "quality_id", "transcode_decision, video_resolution", "quality"},
    {NULL, "place", "m.address_id", "address_id",
     "nullif(concat_ws(', ', city, coalesce(country, country_code)), '') as place,"
     " latitude as _latitude, longitude as _longitude",
     "address left join place using (place_id)"},
    {NULL, "library", "p.library_id", "library_id", "name as library", "library"},
};

/* Which segment tells how a play was watched: that with most watch time. Nearly all plays have one. */
static const char main_sql[] =
    "page_main as (\n  select play_id, device_id, quality_id, address_id from segment"
    "\n  where play_id in (select play_id from page_key where segments = 1)"
    "\n  union all (\n  select distinct on (play_id) play_id, device_id, quality_id, address_id"
    "\n  from segment where play_id in (select play_id from page_key where segments > 1)"
    "\n  order by play_id, watch_ms desc, segment_id))";

static const char from_sql[] =
    "\nfrom page_key p left join page_main m on m.play_id = p.play_id";

void plays_select(bool is_joined, const char *further, struct buf *out)
{
    buf_printf(out, "%s\nselect ", main_sql);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const struct part *p = &parts[i];
        if (p->own)
            buf_printf(out, "%s, ", p->own);
        else if (is_joined)
            buf_printf(out, "the_%s.* exclude (_%s), ", p->name, p->name);
        else
            buf_printf(out, "%s as \"@%s\", ", p->key, p->name);
    }
    buf_printf(out, "%s%s", further, from_sql);
    for (size_t i = 0; is_joined && i < ARRAY_LEN(parts); i++) {
        const struct part *p = &parts[i];
        if (!p->own)
            buf_printf(out, "\n  left join (select %s as _%s, %s from %s) the_%s on _%s = %s", p->id, p->name,
                       p->columns, p->from, p->name, p->name, p->key);
    }
}

/* --- names by number --------------------------------------------------------------------------- */

static void new_names(const struct part *p, const struct filter *f, struct store_conn *c, size_t i,
                      struct plays_names *ret)
{
    struct buf sql = {0};
    struct lookup_config config = {0};
    ret->columns[i] = xasprintf("@%s", p->name);
    if (filter_is_scoped(f) && streq(p->from, "person")) { /* it says what people are called */
        buf_puts(&sql, "with ");
        filter_sql(f, &sql);
        buf_putc(&sql, '\n');
        config.values = filter_values(f, &config.count);
    }
    buf_printf(&sql, "select %s, %s from %s where %s in (select unnest(string_split($ids, ',')::integer[]))",
               p->id, p->columns, p->from, p->id);
    ret->sql[i] = buf_steal(&sql);
    config.column = ret->columns[i];
    config.sql = ret->sql[i];
    ret->list[i] = lookup_new(&config, c);
}

void plays_names_begin(const struct filter *f, struct store_conn *c, struct plays_names *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!parts[i].own)
            new_names(&parts[i], f, c, count++, ret);
}

void plays_names_done(struct plays_names *n)
{
    for (size_t i = 0; i < PLAYS_NAMES; i++) {
        lookup_free(n->list[i]);
        free(n->sql[i]);
        free(n->columns[i]);
    }
    *n = (struct plays_names){0};
}
