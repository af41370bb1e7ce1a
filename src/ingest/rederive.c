#include "ingest/rederive.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/append.h"
#include "store/bulk.h"
#include "store/cursor.h"

#include "base/banned.h"

/* One segment with its facts; numbers -1 and ids 0 are unknown. */
struct segment {
    int64_t id, play_id;
    bool is_import;
    struct derive_key key;
    int64_t library, device, quality, address;
    int64_t group;
    const char *media_type, *location;
    int64_t duration_ms, credits_ms, secure, relayed, bandwidth, bitrate, stream_bitrate;
    bool is_live, is_open, is_double;
    size_t play; /* its index in slice.plays */
    bool is_kept; /* for the next stretch: what it belongs to may go on there */
    int64_t low_us, high_us, watch_us, paused_us;
    struct segment_sum sum; /* of an import: times and positions only */
};

struct view {
    int64_t id;
    struct derive_key key;
    int64_t library, at_us, ended_us;
    const char *media_type;
    bool is_plex, is_kept;
};

/* A row of play: of segments, or of a view. */
struct play {
    int64_t id;
    const struct segment *first;
    const struct view *view; /* NULL: of segments */
    const char *view_hidden_by;
    struct derive_key key;
    const char *origin;
    int64_t library, started_us, ended_us, watch_us, low_us, high_us, paused_us;
    int64_t position_ms, duration_ms, credits_ms, segments;
    bool is_open, is_deleted, is_double;
};

/* Of a title that is seen from the library and on the air, too: what the first segment was. */
struct mixed_key {
    struct derive_key key;
    bool is_live;
};

/* What is derived at once: everything of some keys, or a stretch of time of them. */
struct slice {
    struct arena arena; /* texts of segments and views */
    const struct knobs *knobs;
    int64_t until_us; /* everything that starts before is there */
    struct segment *segments;
    size_t segment_count, segment_room;
    struct view *views;
    size_t view_count, view_room;
    struct state_row *rows; /* of the segment that is being read */
    size_t row_count, row_room;
    struct play *plays;
    size_t play_count, play_room;
    int64_t *deleted; /* ids of inputs whose play was deleted, ascending */
    size_t deleted_count, deleted_room;
    struct mixed_key *mixed; /* by key; of stretches, which do not hold a key's first segment */
    size_t mixed_count, mixed_room;
    struct segment **sorted; /* the segments by key and start */
    size_t sorted_room;
    duckdb_appender segment_out; /* of segments of our own */
    struct bulk joined_out;      /* temp.joined: which imported segment belongs to which play */
    struct bulk play_out;
    bool has_imports;
    atomic_int *percent; /* done, of derive_all(); NULL: nobody asks */
};

static void slice_free_rows(struct slice *s)
{
    for (size_t i = 0; i < s->segment_count; i++)
        free(s->segments[i].sum.spans);
    s->segment_count = s->segment_room = s->view_count = s->view_room = s->row_count = s->row_room =
        s->play_count = s->play_room = s->sorted_room = 0;
    free(steal_ptr(&s->segments));
    free(steal_ptr(&s->views));
    free(steal_ptr(&s->rows));
    free(steal_ptr(&s->plays));
    free(steal_ptr(&s->sorted));
    arena_done(&s->arena);
}

static void slice_done(struct slice *s)
{
    slice_free_rows(s);
    free(s->deleted);
    free(s->mixed);
    duckdb_appender_destroy(&s->segment_out);
    bulk_done(&s->joined_out);
    bulk_done(&s->play_out);
}

/* --- reading --------------------------------------------------------------------------------- */

/* The few words that repeat on every row are kept once. */
static const char *word(struct arena *a, struct str text)
{
    static const char *const known[] = {"",     "movie", "episode", "track", "live", "clip",
                                        "extra", "photo", "lan",     "wan",   "cellular"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(text, str_of(known[i])))
            return known[i];
    return arena_strndup(a, text.ptr, text.len);
}

/* What a stretch is kept open for comes first in the next one. */
static void keep_open(struct slice *s)
{
    struct arena kept = {0};
    size_t segments = 0, views = 0;
    for (size_t i = 0; i < s->segment_count; i++) {
        struct segment *g = &s->segments[i];
        if (!g->is_kept) {
            free(g->sum.spans);
            continue;
        }
        g->media_type = word(&kept, str_of(g->media_type));
        g->location = word(&kept, str_of(g->location));
        s->segments[segments++] = *g;
    }
    for (size_t i = 0; i < s->view_count; i++) {
        struct view *v = &s->views[i];
        if (!v->is_kept)
            continue;
        v->media_type = word(&kept, str_of(v->media_type));
        s->views[views++] = *v;
    }
    s->segment_count = segments;
    s->view_count = views;
    s->play_count = 0;
    arena_done(&s->arena);
    s->arena = kept;
}

/* Of `s`, an input: the title that its row counts as. */
#define TITLE "coalesce(w.root_id, s.title_id)"
#define JOIN_WHOLE " left join title_join w on w.title_id = s.title_id"
#define JOIN_TITLE JOIN_WHOLE " left join title t on t.title_id = " TITLE
#define KEY_COLUMNS                                                                               \
    "coalesce(s.server_id, 0)::integer, coalesce(s.account_id, 0)::integer,"                     \
    " coalesce(" TITLE ", 0)::integer"

/* The first columns of our own segments. */
#define FACT_COLUMNS                                                                              \
    KEY_COLUMNS ", s.library_id, s.device_id, s.quality_id, s.address_id,"  \
    " s.duration_ms, s.credits_ms, s.location, s.secure, s.relayed, s.bandwidth_kbps,"           \
    " s.bitrate_kbps, s.stream_bitrate_kbps, s.is_live, t.media_type"
enum { FACTS = 17 };

static void read_facts(struct slice *s, const struct cursor *r, struct segment *g)
{
    g->key = (struct derive_key){(int32_t)cursor_int(r, 0, 0), (int32_t)cursor_int(r, 1, 0),
                                 (int32_t)cursor_int(r, 2, 0)};
    g->library = cursor_int(r, 3, 0);
    g->device = cursor_int(r, 4, 0);
    g->quality = cursor_int(r, 5, 0);
    g->address = cursor_int(r, 6, 0);
    g->duration_ms = cursor_int(r, 7, -1);
    g->credits_ms = cursor_int(r, 8, -1);
    g->location = word(&s->arena, cursor_text(r, 9));
    g->secure = cursor_int(r, 10, -1);
    g->relayed = cursor_int(r, 11, -1);
    g->bandwidth = cursor_int(r, 12, -1);
    g->bitrate = cursor_int(r, 13, -1);
    g->stream_bitrate = cursor_int(r, 14, -1);
    g->is_live = cursor_int(r, 15, 0) == 1;
    g->media_type = word(&s->arena, cursor_text(r, 16));
}

static void end_live(struct slice *s, struct segment *g)
{
    sum_segment(s->rows, s->row_count, g->is_live || streq(g->media_type, "live"), s->knobs,
                &g->sum);
    g->watch_us = g->sum.watch_us;
    g->low_us = g->sum.watch_low_us;
    g->high_us = g->sum.watch_high_us;
    g->paused_us = g->sum.paused_us;
    s->row_count = 0;
}

static enum status read_live(struct slice *s, struct store_conn *c, const char *condition,
                             struct error *err)
{
    auto_free char *sql = xasprintf(
        "select " FACT_COLUMNS ", s.segment_id, s.is_ended, o.state, o.first_at, o.last_at,"
        " o.head_at, o.moved_at, o.first_position_ms, o.last_position_ms, o.blind_ms,"
        " o.is_interrupted from session_in s join observation o using (segment_id)"
        JOIN_TITLE
        " where %s order by s.segment_id, o.observation_id",
        condition);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    struct segment *g = NULL;
    while (cursor_next(&r)) {
        int64_t id = cursor_int(&r, FACTS, 0);
        if (!g || g->id != id) {
            if (g)
                end_live(s, g);
            g = GROW(s->segments, s->segment_count, s->segment_room);
            *g = (struct segment){.id = id, .is_open = !cursor_int(&r, FACTS + 1, 0)};
            read_facts(s, &r, g);
        }
        struct state_row *row = GROW(s->rows, s->row_count, s->row_room);
        *row = (struct state_row){.first_us = cursor_int(&r, FACTS + 3, 0),
                                  .last_us = cursor_int(&r, FACTS + 4, 0),
                                  .head_us = cursor_int(&r, FACTS + 5, 0),
                                  .moved_us = cursor_int(&r, FACTS + 6, 0),
                                  .first_position_ms = cursor_int(&r, FACTS + 7, -1),
                                  .last_position_ms = cursor_int(&r, FACTS + 8, -1),
                                  .blind_ms = cursor_int(&r, FACTS + 9, 0),
                                  .is_interrupted = cursor_int(&r, FACTS + 10, 0) == 1};
        if (!play_state_parse(cursor_text(&r, FACTS + 2), &row->state))
            return fail(err, STATUS_INTERNAL, "segment %" PRId64 " holds an unknown state", id);
    }
    if (g)
        end_live(s, g);
    return STATUS_OK;
}

/* Of `s`, a segment_in: its import counts. */
#define IS_COUNTED                                                                             \
    "coalesce(s.import_id, 0) not in (select subject from decision"                            \
    " where kind in ('delete_import', 'restore_import') and subject is not null"               \
    " group by subject having arg_max(kind, decision_id) = 'delete_import')"                   \
    " and coalesce(s.import_id, 0) not in (select import_id from import where state <> 'done')"

/* What plays are made of; the other facts go to the segment without passing here. */
static enum status read_imports(struct slice *s, struct store_conn *c, const char *condition,
                                struct error *err)
{
    auto_free char *sql = xasprintf(
        "select " KEY_COLUMNS ", s.library_id, s.device_id, s.duration_ms, s.credits_ms,"
        " s.is_live, t.media_type, s.segment_in_id, s.source_group, s.started, s.ended, s.watch_ms,"
        " s.paused_ms, s.position_ms from segment_in s" JOIN_TITLE
        " where %s and " IS_COUNTED, condition);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    while (cursor_next(&r)) {
        struct segment *g = GROW(s->segments, s->segment_count, s->segment_room);
        int64_t started_us = cursor_int(&r, 11, 0), watch_us = cursor_int(&r, 13, 0) * US_PER_MS;
        *g = (struct segment){.id = cursor_int(&r, 9, 0),
                              .is_import = true,
                              .key = {(int32_t)cursor_int(&r, 0, 0), (int32_t)cursor_int(&r, 1, 0),
                                      (int32_t)cursor_int(&r, 2, 0)},
                              .library = cursor_int(&r, 3, 0),
                              .device = cursor_int(&r, 4, 0),
                              .duration_ms = cursor_int(&r, 5, -1),
                              .credits_ms = cursor_int(&r, 6, -1),
                              .is_live = cursor_int(&r, 7, 0) == 1,
                              .media_type = word(&s->arena, cursor_text(&r, 8)),
                              .location = "",
                              /* Of one server: the same file again, longer by then, goes on with
                               * the same numbers. */
                              .group = cursor_int(&r, 10, 0),
                              .watch_us = watch_us,
                              .low_us = watch_us,
                              .high_us = watch_us,
                              .paused_us = cursor_int(&r, 14, 0) * US_PER_MS,
                              .sum = {.started_us = started_us,
                                      .ended_us = cursor_int(&r, 12, started_us),
                                      .start_position_ms = -1,
                                      .position_ms = cursor_int(&r, 15, -1)}};
        s->has_imports = true;
    }
    return STATUS_OK;
}

static enum status read_views(struct slice *s, struct store_conn *c, const char *condition,
                              struct error *err)
{
    auto_free char *sql = xasprintf(
        "select " KEY_COLUMNS ", s.view_in_id, s.library_id, s.viewed_at, s.ended,"
        " t.media_type, v.kind = 'plex' from view_in s" JOIN_TITLE
        " left join server v on v.server_id = s.server_id where %s", condition);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    while (cursor_next(&r)) {
        int64_t at_us = cursor_int(&r, 5, 0);
        struct view *v = GROW(s->views, s->view_count, s->view_room);
        *v = (struct view){.id = cursor_int(&r, 3, 0),
                           .key = {(int32_t)cursor_int(&r, 0, 0), (int32_t)cursor_int(&r, 1, 0),
                                   (int32_t)cursor_int(&r, 2, 0)},
                           .library = cursor_int(&r, 4, 0),
                           .at_us = at_us,
                           .ended_us = cursor_int(&r, 6, TIME_NONE),
                           .media_type = word(&s->arena, cursor_text(&r, 7)),
                           .is_plex = cursor_int(&r, 8, 0) == 1};
    }
    return STATUS_OK;
}

static enum status read_deleted(struct slice *s, struct store_conn *c, struct error *err)
{
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select subject from decision where kind in ('delete_play', 'restore_play')"
                       " and subject is not null group by subject"
                       " having arg_max(kind, decision_id) = 'delete_play' order by subject",
                    NULL, 0, &r, err));
    while (cursor_next(&r))
        *GROW(s->deleted, s->deleted_count, s->deleted_room) = cursor_int(&r, 0, 0);
    return STATUS_OK;
}

static enum status read_mixed(struct slice *s, struct store_conn *c, const char *condition,
                              struct error *err)
{
    auto_free char *sql = xasprintf(
        "with every as not materialized (select (" KEY_COLUMNS ") k,"
        " coalesce(s.is_live, false) is_live, s.started, s.segment_in_id id from segment_in s"
        JOIN_WHOLE " where %s and " IS_COUNTED " union all select (" KEY_COLUMNS "),"
        " coalesce(s.is_live, false), l.started, s.segment_id from temp.live_start l"
        " join session_in s using (segment_id)" JOIN_WHOLE ")"
        " select k[1], k[2], k[3], first(is_live order by started, id) from every"
        " where k in (select k from every where is_live) group by k having not bool_and(is_live)"
        " order by k", condition);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    while (cursor_next(&r))
        *GROW(s->mixed, s->mixed_count, s->mixed_room) = (struct mixed_key){
            .key = {(int32_t)cursor_int(&r, 0, 0), (int32_t)cursor_int(&r, 1, 0),
                    (int32_t)cursor_int(&r, 2, 0)},
            .is_live = cursor_int(&r, 3, 0) == 1};
    return STATUS_OK;
}

static bool is_deleted(const struct slice *s, int64_t id)
{
    size_t from = 0, to = s->deleted_count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (s->deleted[mid] < id)
            from = mid + 1;
        else
            to = mid;
    }
    return from < s->deleted_count && s->deleted[from] == id;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool is_extra(const char *media_type)
{
    return streq(media_type, "clip") || streq(media_type, "extra") || streq(media_type, "photo");
}

static const char *kind_of(const struct play *p)
{
    if (is_extra(p->view ? p->view->media_type : p->first->media_type))
        return "extra";
    return p->view ? "view" : "play";
}

static bool is_short_play(const struct slice *s, const struct play *p)
{
    return is_short(p->first->media_type, p->watch_us, s->knobs);
}

static const char *hidden_by(const struct play *p)
{
    return p->view ? p->view_hidden_by : p->is_deleted ? "deleted" : p->is_double ? "superseded" : "";
}

static enum status write_segment(struct slice *s, const struct segment *g, struct error *err)
{
    duckdb_appender a = s->segment_out;
    const struct play *p = &s->plays[g->play];
    append_int(a, g->id);
    append_int(a, g->play_id);
    append_text(a, "live");
    append_id(a, g->key.server);
    append_id(a, g->key.account);
    append_id(a, g->key.title);
    append_id(a, g->library);
    append_id(a, g->device);
    append_id(a, g->quality);
    append_id(a, g->address);
    append_time(a, g->sum.started_us);
    append_time(a, g->sum.ended_us);
    append_int(a, g->watch_us / US_PER_MS);
    append_int(a, g->low_us / US_PER_MS);
    append_int(a, g->high_us / US_PER_MS);
    append_int(a, g->paused_us / US_PER_MS);
    append_known(a, g->sum.start_position_ms);
    append_known(a, g->sum.position_ms);
    append_known(a, g->duration_ms);
    append_known(a, g->credits_ms);
    append_text(a, g->location);
    append_known_bool(a, g->secure);
    append_known_bool(a, g->relayed);
    append_known32(a, g->bandwidth);
    append_known32(a, g->bitrate);
    append_known32(a, g->stream_bitrate);
    duckdb_append_bool(a, g->is_open);
    duckdb_append_bool(a, g->sum.is_interrupted);
    append_list(a, g->sum.spans, g->sum.span_count);
    append_text(a, p->first->media_type);
    append_text(a, kind_of(p));
    duckdb_append_bool(a, is_short_play(s, p));
    duckdb_append_bool(a, *hidden_by(p));
    append_text(a, hidden_by(p));
    append_time(a, p->started_us);
    duckdb_append_bool(a, p->segments == 1);
    return append_row(a, err);
}

static enum status write_play(struct slice *s, const struct play *p, struct error *err)
{
    struct bulk *a = &s->play_out;
    const char *media_type = p->first->media_type;
    double share = share_seen(p->position_ms, p->duration_ms);
    bulk_int(a, p->id);
    bulk_text(a, kind_of(p));
    bulk_text(a, p->origin);
    bulk_id(a, p->key.server);
    bulk_id(a, p->key.account);
    bulk_id(a, p->key.title);
    bulk_id(a, p->library);
    bulk_text(a, media_type);
    bulk_time(a, p->started_us);
    bulk_time(a, p->ended_us);
    bulk_int(a, p->watch_us / US_PER_MS);
    bulk_int(a, p->low_us / US_PER_MS);
    bulk_int(a, p->high_us / US_PER_MS);
    bulk_int(a, p->paused_us / US_PER_MS);
    bulk_known(a, p->position_ms);
    bulk_known(a, p->duration_ms);
    if (share >= 0)
        bulk_double(a, share * 100);
    else
        bulk_null(a);
    bulk_bool(a, is_watched(p->position_ms, p->duration_ms, p->credits_ms, s->knobs));
    bulk_bool(a, is_short_play(s, p));
    bulk_bool(a, p->is_open);
    bulk_int32(a, (int32_t)p->segments);
    bulk_bool(a, *hidden_by(p));
    bulk_text(a, hidden_by(p));
    return bulk_row(a, err);
}

static enum status write_view(struct slice *s, const struct play *p, struct error *err)
{
    struct bulk *a = &s->play_out;
    const struct view *v = p->view;
    bulk_int(a, v->id);
    bulk_text(a, kind_of(p));
    bulk_text(a, "view");
    bulk_id(a, v->key.server);
    bulk_id(a, v->key.account);
    bulk_id(a, v->key.title);
    bulk_id(a, v->library);
    bulk_text(a, v->media_type);
    bulk_time(a, v->at_us);
    bulk_time(a, v->ended_us == TIME_NONE ? v->at_us : v->ended_us);
    bulk_int(a, 0);
    bulk_int(a, 0);
    bulk_int(a, v->ended_us > v->at_us ? (v->ended_us - v->at_us) / US_PER_MS : 0);
    bulk_int(a, 0);
    for (int i = 0; i < 3; i++) /* position, duration, percent */
        bulk_null(a);
    /* Plex tells a view when the title counts as watched; the others tell nothing about it. */
    bulk_known_bool(a, v->is_plex ? 1 : -1);
    bulk_bool(a, false);
    bulk_bool(a, false);
    bulk_int32(a, 0);
    bulk_bool(a, *hidden_by(p));
    bulk_text(a, hidden_by(p));
    return bulk_row(a, err);
}

/* Notes the play of an imported segment where it is not its own. */
static enum status write_joined(struct slice *s, struct store_conn *c, const struct segment *g,
                                struct error *err)
{
    if (g->play_id == g->id)
        return STATUS_OK;
    if (!s->joined_out.appender) {
        TRY(store_exec(c, "create or replace temp table joined (segment_id bigint, play_id bigint)",
                       err));
        TRY(bulk_open(c, "temp", "joined", &s->joined_out, err));
    }
    bulk_int(&s->joined_out, g->id);
    bulk_int(&s->joined_out, g->play_id);
    return bulk_row(&s->joined_out, err);
}

/* Imported segments are their input and the play they belong to, which is written by now: they go from table
 * to table by columns, in the order in which they came in, which is that of time. */
static enum status write_imports(struct slice *s, struct store_conn *c, const char *table,
                                 const char *play_table, const char *condition, struct error *err)
{
    if (!s->has_imports)
        return STATUS_OK;
    bool are_joined = s->joined_out.appender != NULL;
    auto_free char *sql = xasprintf(
        "insert into %s select s.segment_in_id, p.play_id, 'import', s.server_id, s.account_id, " TITLE ","
        " s.library_id, s.device_id, s.quality_id, s.address_id, s.started,"
        " coalesce(s.ended, s.started), coalesce(s.watch_ms, 0), coalesce(s.watch_ms, 0),"
        " coalesce(s.watch_ms, 0), coalesce(s.paused_ms, 0), null, s.position_ms, s.duration_ms,"
        " s.credits_ms, s.location, s.secure, s.relayed, s.bandwidth_kbps, s.bitrate_kbps,"
        " s.stream_bitrate_kbps, false, false, null, p.media_type, p.kind, p.is_short, p.is_hidden,"
        " p.hidden_by, p.started, p.segments = 1 from segment_in s" JOIN_WHOLE "%s"
        " join %s p on p.play_id = %s where %s and " IS_COUNTED, table,
        are_joined ? " left join temp.joined j on j.segment_id = s.segment_in_id" : "", play_table,
        are_joined ? "coalesce(j.play_id, s.segment_in_id)" : "s.segment_in_id", condition);
    return store_exec(c, sql, err);
}

/* --- deriving -------------------------------------------------------------------------------- */

static int compare_keys(const struct derive_key *a, const struct derive_key *b)
{
    if (a->server != b->server)
        return a->server < b->server ? -1 : 1;
    if (a->account != b->account)
        return a->account < b->account ? -1 : 1;
    return a->title < b->title ? -1 : a->title > b->title;
}

static int compare_segments(const void *left, const void *right)
{
    const struct segment *a = *(struct segment *const *)left;
    const struct segment *b = *(struct segment *const *)right;
    int by_key = compare_keys(&a->key, &b->key);
    if (by_key)
        return by_key;
    if (a->sum.started_us != b->sum.started_us)
        return a->sum.started_us < b->sum.started_us ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int compare_views(const void *left, const void *right)
{
    const struct view *a = left, *b = right;
    int by_key = compare_keys(&a->key, &b->key);
    if (by_key)
        return by_key;
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int compare_plays(const void *left, const void *right)
{
    const struct play *a = left, *b = right;
    if (a->started_us != b->started_us)
        return a->started_us < b->started_us ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int compare_mixed(const void *left, const void *right)
{
    const struct mixed_key *a = left, *b = right;
    return compare_keys(&a->key, &b->key);
}

/* Whether the first segment of the key, of which these are the first here, is live television. */
static bool is_first_live(const struct slice *s, struct segment *const *g)
{
    const struct mixed_key want = {.key = g[0]->key}, *found = NULL;
    if (s->mixed_count)
        found = bsearch(&want, s->mixed, s->mixed_count, sizeof want, compare_mixed);
    return found ? found->is_live : g[0]->is_live;
}

static void add_to_play(struct slice *s, struct play *p, const struct segment *g)
{
    if (!p->first)
        *p = (struct play){.id = g->play_id, .first = g, .key = g->key, .origin = "import",
                           .library = g->library, .started_us = g->sum.started_us,
                           .ended_us = g->sum.ended_us, .position_ms = -1, .duration_ms = -1,
                           .credits_ms = -1};
    if (!g->is_import)
        p->origin = "live";
    if (g->sum.ended_us > p->ended_us)
        p->ended_us = g->sum.ended_us;
    p->watch_us += g->watch_us;
    p->low_us += g->low_us;
    p->high_us += g->high_us;
    p->paused_us += g->paused_us;
    if (g->sum.position_ms > p->position_ms)
        p->position_ms = g->sum.position_ms;
    if (g->duration_ms >= 0)
        p->duration_ms = g->duration_ms;
    if (g->credits_ms >= 0)
        p->credits_ms = g->credits_ms;
    if (g->library)
        p->library = g->library;
    p->segments++;
    p->is_open = p->is_open || g->is_open;
    p->is_deleted = p->is_deleted || is_deleted(s, g->id);
    p->is_double = g->is_double;
}

/* A server tells a view from so long before the play's start ... */
#define VIEW_EARLY_US (10 * US_PER_MIN)

/* ... to so long after its end. */
static int64_t view_late_us(int64_t duration_ms)
{
    int64_t most_ms = INT64_MAX / 4 / US_PER_MS; /* a file's own word on it may be anything */
    int64_t us = (duration_ms < most_ms ? duration_ms : most_ms) * US_PER_MS;
    return us > 10 * US_PER_MIN ? us : 10 * US_PER_MIN;
}

static bool holds(const struct play *p, int64_t at_us)
{
    return at_us >= p->started_us - VIEW_EARLY_US &&
           at_us < p->ended_us + view_late_us(p->duration_ms);
}

/* Which segments make one play; hidden ones make plays of their own, hidden ones. */
static void join_segments(const struct slice *s, struct segment **g, size_t count, bool is_live)
{
    auto_free struct play_part *parts = xcalloc(count ? count : 1, sizeof *parts);
    auto_free struct play_part *some = xcalloc(count ? count : 1, sizeof *some);
    bool is_track_or_live = is_live || streq(g[0]->media_type, "track") ||
                            streq(g[0]->media_type, "live");
    size_t imported = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i] = (struct play_part){.segment_id = g[i]->id,
                                      .started_us = g[i]->sum.started_us,
                                      .ended_us = g[i]->sum.ended_us,
                                      .start_position_ms = g[i]->sum.start_position_ms,
                                      .position_ms = g[i]->sum.position_ms,
                                      .duration_ms = g[i]->duration_ms,
                                      .watch_us = g[i]->watch_us,
                                      .device_id = g[i]->device,
                                      .group = g[i]->group,
                                      .is_import = g[i]->is_import,
                                      .is_open = g[i]->is_open};
        imported += g[i]->is_import;
    }
    if (imported && imported < count)
        hide_doubles(parts, count);
    for (int is_hidden = 0; is_hidden < 2; is_hidden++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if (parts[i].is_hidden == is_hidden)
                some[n++] = parts[i];
        join_plays(some, n, is_track_or_live, s->knobs);
        for (size_t i = 0, k = 0; i < count && k < n; i++) {
            if (parts[i].is_hidden != is_hidden)
                continue;
            g[i]->is_double = is_hidden;
            g[i]->play_id = some[k++].play_id;
        }
    }
}

/* Of one account and title on one server: segments by start and views that may have to do with each
 * other. */
static enum status derive_piece(struct slice *s, struct store_conn *c, struct segment **g,
                                size_t count, bool is_live, const struct view *views,
                                size_t view_count, struct error *err)
{
    size_t from = s->play_count;
    if (count)
        join_segments(s, g, count, is_live);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j-- > 0 && g[i]->sum.head_blind_us;)
            if (g[j]->play_id == g[i]->play_id) {
                g[i]->high_us -= blind_overlap(&g[j]->sum, &g[i]->sum);
                break;
            }
        size_t p = s->play_count;
        while (p > from && s->plays[p - 1].id != g[i]->play_id)
            p--;
        if (p == from) {
            *GROW(s->plays, s->play_count, s->play_room) = (struct play){0};
            p = s->play_count;
        }
        g[i]->play = p - 1;
        add_to_play(s, &s->plays[p - 1], g[i]);
    }
    for (size_t i = 0; i < count; i++)
        TRY(g[i]->is_import ? write_joined(s, c, g[i], err) : write_segment(s, g[i], err));
    size_t to = s->play_count;
    for (size_t i = 0; i < view_count; i++) {
        const struct view *v = &views[i];
        const char *why = is_deleted(s, v->id) ? "deleted" : "";
        for (size_t p = from; p < to && !*why; p++)
            if (holds(&s->plays[p], v->at_us))
                why = "superseded";
        *GROW(s->plays, s->play_count, s->play_room) = (struct play){
            .id = v->id, .view = v, .view_hidden_by = why, .started_us = v->at_us};
    }
    return STATUS_OK;
}

/* Until when something else of the same key may have to do with it. */
static int64_t segment_reach(const struct segment *g, const struct knobs *k)
{
    int64_t end = g->sum.ended_us > g->sum.started_us ? g->sum.ended_us : g->sum.started_us;
    int64_t after = view_late_us(g->duration_ms);
    if (k->resume_gap_us > after)
        after = k->resume_gap_us;
    if (k->same_session_us > after)
        after = k->same_session_us;
    return end + after;
}

/* One account and title on one server, in pieces that lie too far apart to have to do with each
 * other; one to which a later stretch may still add is kept for it. */
static enum status derive_key(struct slice *s, struct store_conn *c, struct segment **g,
                              size_t count, struct view *v, size_t view_count, struct error *err)
{
    bool is_live = count && is_first_live(s, g);
    for (size_t i = 0, k = 0; i < count || k < view_count;) {
        size_t i_end = i, k_end = k;
        int64_t reach = INT64_MIN;
        while (i_end < count || k_end < view_count) {
            bool is_view = i_end == count || (k_end < view_count &&
                                              v[k_end].at_us < g[i_end]->sum.started_us);
            int64_t start = is_view ? v[k_end].at_us : g[i_end]->sum.started_us;
            if (reach != INT64_MIN && start > reach)
                break;
            int64_t end = is_view ? start + VIEW_EARLY_US : segment_reach(g[i_end], s->knobs);
            reach = end > reach ? end : reach;
            is_view ? k_end++ : i_end++;
        }
        if (reach < s->until_us)
            TRY(derive_piece(s, c, count ? g + i : NULL, i_end - i, is_live,
                             view_count ? v + k : NULL, k_end - k, err));
        for (; i < i_end; i++)
            g[i]->is_kept = reach >= s->until_us;
        for (; k < k_end; k++)
            v[k].is_kept = reach >= s->until_us;
    }
    return STATUS_OK;
}

static void sort_slice(struct slice *s)
{
    if (s->segment_count > s->sorted_room) {
        s->sorted_room = s->segment_room;
        s->sorted = xreallocarray(s->sorted, s->sorted_room, sizeof *s->sorted);
    }
    for (size_t i = 0; i < s->segment_count; i++)
        s->sorted[i] = &s->segments[i];
    if (s->segment_count)
        qsort(s->sorted, s->segment_count, sizeof *s->sorted, compare_segments);
    if (s->view_count)
        qsort(s->views, s->view_count, sizeof *s->views, compare_views);
}

/* In the order of time, by which most queries ask for them. */
static enum status write_plays(struct slice *s, struct error *err)
{
    if (s->play_count)
        qsort(s->plays, s->play_count, sizeof *s->plays, compare_plays);
    for (size_t i = 0; i < s->play_count; i++)
        TRY(s->plays[i].view ? write_view(s, &s->plays[i], err)
                             : write_play(s, &s->plays[i], err));
    return STATUS_OK;
}

/* Derives what is read and appends the rows; imported segments are left to write_imports(). To what
 * stays here a later stretch may add: its plays come a little later than others of their time. */
static enum status derive_slice(struct slice *s, struct store_conn *c, struct error *err)
{
    sort_slice(s);
    for (size_t i = 0, v = 0; i < s->segment_count || v < s->view_count;) {
        const struct derive_key *key =
            v == s->view_count || (i < s->segment_count &&
                                   compare_keys(&s->sorted[i]->key, &s->views[v].key) <= 0)
                ? &s->sorted[i]->key
                : &s->views[v].key;
        size_t i_end = i, v_end = v;
        while (i_end < s->segment_count && compare_keys(&s->sorted[i_end]->key, key) == 0)
            i_end++;
        while (v_end < s->view_count && compare_keys(&s->views[v_end].key, key) == 0)
            v_end++;
        TRY(derive_key(s, c, i_end > i ? &s->sorted[i] : NULL, i_end - i,
                       v_end > v ? &s->views[v] : NULL, v_end - v, err));
        i = i_end;
        v = v_end;
    }
    TRY(write_plays(s, err));
    keep_open(s);
    return STATUS_OK;
}

/* --- portions ---------------------------------------------------------------------------------- */

#define IS_TOUCHED                                                                             \
    "exists (select 1 from temp.touched k where k.server_id = coalesce(s.server_id, 0)"        \
    " and k.account_id = coalesce(s.account_id, 0) and k.title_id = coalesce(s.title_id, 0))"

/* Keys up to here are derived at once, without counting what they have. */
enum { FEW_KEYS = 1000, ROW_GROUP = 122880, SLICE_ROWS = ROW_GROUP / 2,
       PART_ROWS = ROW_GROUP * 2 };

static enum status begin_touched(struct store_conn *c, struct error *err)
{
    return store_exec(c, "create or replace temp table touched_key (server_id integer,"
                         " account_id integer, title_id integer)", err);
}

static enum status write_keys(struct store_conn *c, const struct derive_key *keys, size_t count,
                              struct error *err)
{
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, "temp", "touched_key", &a, err));
    for (size_t i = 0; i < count; i++) {
        duckdb_append_int32(a, keys[i].server);
        duckdb_append_int32(a, keys[i].account);
        duckdb_append_int32(a, keys[i].title);
        TRY(append_row(a, err));
    }
    return append_close(a, err);
}

/* Whoever has played a moved title: what it left, where it went, and itself. */
static enum status write_moved(struct store_conn *c, const struct title_move *moves, size_t count,
                               struct error *err)
{
    if (!count)
        return STATUS_OK;
    TRY(store_exec(c, "create or replace temp table moved (title_id integer, other_id integer)", err));
    auto_appender duckdb_appender a = NULL;
    TRY(append_open(c, "temp", "moved", &a, err));
    for (size_t i = 0; i < count; i++) {
        const int32_t others[] = {moves[i].row, moves[i].from, moves[i].to};
        for (size_t k = 0; k < ARRAY_LEN(others); k++) {
            duckdb_append_int32(a, moves[i].row);
            duckdb_append_int32(a, others[k]);
            TRY(append_row(a, err));
        }
    }
    TRY(append_close(a, err));
    return store_exec(c, "insert into temp.touched_key select coalesce(server_id, 0),"
                         " coalesce(account_id, 0), other_id from (select server_id, account_id, title_id"
                         "  from segment_in union select server_id, account_id, title_id from session_in"
                         "  union select server_id, account_id, title_id from view_in)"
                         " join temp.moved using (title_id);"
                         " drop table temp.moved", err);
}

/* Each title stands for all rows that count as it: inputs know those, what is derived knows the title. */
static enum status end_touched(struct store_conn *c, int64_t *ret_count, struct error *err)
{
    TRY(store_exec(c, "create or replace temp table touched as with whole as (select distinct server_id,"
                      " account_id, coalesce(w.root_id, title_id) as root_id from temp.touched_key"
                      "  left join title_join w using (title_id))"
                      " select server_id, account_id, root_id as title_id from whole union all"
                      " select server_id, account_id, w.title_id from whole"
                      "  join title_join w using (root_id)", err));
    return store_query_int(c, "select count(*) from temp.touched", NULL, 0, 0, ret_count, err);
}

/* Ids go up with time nearly, so that few rows are looked at between the first and the last. */
static enum status read_live_of(struct slice *s, struct store_conn *c, const char *condition,
                                const char *within, struct error *err)
{
    auto_free char *sql = xasprintf("select min(segment_id), max(segment_id) from temp.live_start"
                                    " where started %s", within);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    if (!cursor_next(&r) || !cursor_int(&r, 1, 0))
        return STATUS_OK;
    auto_free char *live = xasprintf(
        "s.segment_id between %" PRId64 " and %" PRId64 " and s.segment_id in"
        " (select segment_id from temp.live_start where started %s) and %s", cursor_int(&r, 0, 0),
        cursor_int(&r, 1, 0), within, condition);
    return read_live(s, c, live, err);
}

static enum status derive_stretch(struct slice *s, struct store_conn *c, const char *condition,
                                  int64_t from_us, int64_t until_us, struct error *err)
{
    auto_free char *within = xasprintf("between make_timestamp(%" PRId64 ") and make_timestamp(%"
                                       PRId64 ")", from_us, until_us - 1);
    auto_free char *imported = xasprintf("s.started %s and %s", within, condition);
    auto_free char *viewed = xasprintf("s.viewed_at %s and %s", within, condition);
    TRY(read_live_of(s, c, condition, within, err));
    TRY(read_imports(s, c, imported, err));
    TRY(read_views(s, c, viewed, err));
    TRY(derive_slice(s, c, err));
    TRY(append_flush(s->segment_out, err));
    TRY(bulk_flush(&s->play_out, err));
    return store_trim(c, err);
}

/* Everything that meets the condition, a stretch of time after the other, so that memory stays
 * bounded. */
static enum status derive_stretches(struct slice *s, struct store_conn *c, const char *condition,
                                    struct error *err)
{
    auto_free char *starts = xasprintf(
        "create or replace temp table live_start as select s.segment_id,"
        " arg_min(o.first_at, o.observation_id) started from session_in s"
        " join observation o using (segment_id) where %s group by s.segment_id", condition);
    TRY(store_exec(c, starts, err));
    TRY(read_mixed(s, c, condition, err));
    auto_free char *sql = xasprintf(
        "select time_bucket(interval 1 hour, started), count(*), sum(count(*)) over ()::bigint from"
        " (select started from temp.live_start"
        " union all select started from segment_in s where %s"
        " union all select viewed_at from view_in s where %s) group by 1 order by 1",
        condition, condition);
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, NULL, 0, &r, err));
    int64_t from = 0, rows = 0, done = 0, hour = 0;
    while (cursor_next(&r)) {
        int64_t n = cursor_int(&r, 1, 0);
        hour = cursor_int(&r, 0, 0);
        if (rows && rows + n > SLICE_ROWS) {
            if (s->percent)
                *s->percent = (int)(100 * done / cursor_int(&r, 2, 1));
            s->until_us = hour;
            TRY(derive_stretch(s, c, condition, from, hour, err));
            rows = 0;
        }
        if (!rows)
            from = hour;
        rows += n;
        done += n;
    }
    s->until_us = INT64_MAX;
    if (rows)
        TRY(derive_stretch(s, c, condition, from, hour + US_PER_HOUR, err));
    return store_exec(c, "drop table temp.live_start", err);
}

static enum status open_output(struct slice *s, struct store_conn *c, const char *segment_table,
                               const char *play_table, struct error *err)
{
    TRY(read_deleted(s, c, err));
    TRY(append_open(c, NULL, segment_table, &s->segment_out, err));
    return bulk_open(c, NULL, play_table, &s->play_out, err);
}

static enum status close_output(struct slice *s, struct error *err)
{
    TRY(append_close(s->segment_out, err));
    if (s->joined_out.appender)
        TRY(bulk_close(&s->joined_out, err));
    return bulk_close(&s->play_out, err);
}

/* A row group at a time: DuckDB holds one in memory for each thread that it gives some of. */
static enum status write_imports_by_parts(struct slice *s, struct store_conn *c, const char *table,
                                          const char *play_table, const char *condition,
                                          struct error *err)
{
    int64_t from, last;
    TRY(store_query_int(c, "select min(segment_in_id) from segment_in", NULL, 0, 0, &from, err));
    TRY(store_query_int(c, "select max(segment_in_id) from segment_in", NULL, 0, -1, &last, err));
    for (; from <= last; from += PART_ROWS) {
        auto_free char *part = xasprintf("s.segment_in_id between %" PRId64 " and %" PRId64
                                         " and %s", from, from + PART_ROWS - 1, condition);
        TRY(write_imports(s, c, table, play_table, part, err));
        TRY(store_trim(c, err));
    }
    return STATUS_OK;
}

/* Derives what meets the condition into these tables. */
static enum status derive_many(struct store_conn *c, const char *segment_table,
                               const char *play_table, const char *condition,
                               const struct knobs *k, atomic_int *percent, struct error *err)
{
    auto_cleanup(slice_done) struct slice s = {.knobs = k, .percent = percent};
    TRY(open_output(&s, c, segment_table, play_table, err));
    TRY(derive_stretches(&s, c, condition, err));
    TRY(close_output(&s, err));
    slice_free_rows(&s);
    return write_imports_by_parts(&s, c, segment_table, play_table, condition, err);
}

/* Replaces the rows of what temp.touched names. */
static enum status derive_touched(struct store_conn *c, bool are_few, const struct knobs *k,
                                  struct error *err)
{
    TRY(store_exec(c, "delete from segment s where " IS_TOUCHED
                      "; delete from play s where " IS_TOUCHED, err));
    if (!are_few)
        return derive_many(c, "segment", "play", IS_TOUCHED, k, NULL, err);
    auto_cleanup(slice_done) struct slice s = {.knobs = k, .until_us = INT64_MAX};
    TRY(open_output(&s, c, "segment", "play", err));
    TRY(read_live(&s, c, IS_TOUCHED, err));
    TRY(read_imports(&s, c, IS_TOUCHED, err));
    TRY(read_views(&s, c, IS_TOUCHED, err));
    TRY(derive_slice(&s, c, err));
    TRY(close_output(&s, err));
    return write_imports(&s, c, "segment", "play", IS_TOUCHED, err);
}

enum status derive_moved(struct store_conn *c, const struct title_move *moves, size_t move_count,
                         const struct derive_key *keys, size_t count, const struct knobs *k,
                         struct error *err)
{
    int64_t touched;
    if (!count && !move_count)
        return STATUS_OK;
    TRY(begin_touched(c, err));
    TRY(write_keys(c, keys, count, err));
    TRY(write_moved(c, moves, move_count, err));
    TRY(end_touched(c, &touched, err));
    return derive_touched(c, touched <= FEW_KEYS, k, err);
}

enum status derive_keys(struct store_conn *c, const struct derive_key *keys, size_t count,
                        const struct knobs *k, struct error *err)
{
    return derive_moved(c, NULL, 0, keys, count, k, err);
}

enum status derive_import(struct store_conn *c, int64_t import_id, const struct knobs *k,
                          struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = import_id}};
    int64_t is_most;
    TRY(store_query_int(c, "select 2 * (select count(*) from segment_in where import_id = $1) >="
                           " (select count(*) from segment_in) + (select count(*) from session_in)"
                           " + (select count(*) from view_in)", v, 1, 0, &is_most, err));
    if (is_most)
        return derive_all(c, k, NULL, err);
    int64_t touched;
    auto_result duckdb_result r = {0};
    TRY(begin_touched(c, err));
    TRY(store_query(c, "insert into temp.touched_key select distinct coalesce(server_id, 0),"
                       " coalesce(account_id, 0), coalesce(title_id, 0) from segment_in"
                       " where import_id = $1", v, 1, &r, err));
    TRY(end_touched(c, &touched, err));
    return derive_touched(c, false, k, err);
}

enum status derive_all(struct store_conn *c, const struct knobs *k, atomic_int *percent,
                       struct error *err)
{
    TRY(store_exec(c, "create table segment_next as from segment limit 0;"
                      "create table play_next as from play limit 0", err));
    TRY(derive_many(c, "segment_next", "play_next", "true", k, percent, err));
    return store_exec(c, "drop table segment; alter table segment_next rename to segment;"
                         "drop table play; alter table play_next rename to play", err);
}

enum status input_next_id(struct store_conn *c, int64_t *ret, struct error *err)
{
    /* An id that a decision names is never given out again. */
    return store_query_int(c, "select coalesce(max(id), 0)::bigint + 1 from"
                              " (select max(segment_id) id from session_in union all"
                              " select max(segment_in_id) from segment_in union all"
                              " select max(view_in_id) from view_in union all"
                              " select max(subject) from decision"
                              " where kind in ('delete_play', 'restore_play'))",
                           NULL, 0, 1, ret, err);
}
