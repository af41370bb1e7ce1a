#include <inttypes.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "ingest/hands.h"
#include "ingest/titles.h"
#include "store/cursor.h"

#include "base/banned.h"

enum what { MERGE = 1, PART, SPLIT, UNDO };

struct wish {
    enum what what;
    const int64_t *ids; /* titles, or of SPLIT rows */
    size_t count;
    int64_t subject; /* of UNDO the decision */
    const char *who, *why;
    const struct knobs *knobs;
    int64_t decision;
};

#define ROOT "coalesce((select root_id from title_join where title_id = $1), $1)"

/* The rows that count as the title, as a list of JSON. */
static enum status write_title(struct store_conn *c, struct json_writer *w, int64_t id,
                               const char **media_type, struct arena *a, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = id}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select title_id, media_type from title where title_id = $1 or title_id in"
                       " (select title_id from title_join where root_id = $1) order by title_id", v, 1,
                    &r, err));
    size_t count = 0;
    jw_array(w);
    for (; cursor_next(&r); count++) {
        struct str type = cursor_text(&r, 1);
        *media_type = arena_strndup(a, type.ptr, type.len);
        jw_int(w, cursor_int(&r, 0, 0));
    }
    jw_array_end(w);
    return count ? STATUS_OK
                 : fail_field(err, STATUS_NOT_FOUND, "titles", "there is no title %" PRId64, id);
}

/* A group each title; who names one that counts as another one means that. */
static enum status groups_of_titles(struct store_conn *c, const struct wish *k,
                                    struct json_writer *w, struct error *err)
{
    auto_arena struct arena a = {0};
    auto_free int64_t *roots = xcalloc(k->count + 1, sizeof *roots);
    const char *first = "", *type = "";
    if (k->count < 2 || k->count > DECIDE_MAX)
        return fail_field(err, STATUS_INVALID, "titles", "needs 2 to %d titles, each once",
                          DECIDE_MAX);
    for (size_t i = 0; i < k->count; i++) {
        struct store_value v[] = {{.kind = SV_INT, .i = k->ids[i]}};
        TRY(store_query_int(c, "select " ROOT "::bigint", v, 1, k->ids[i], &roots[i], err));
    }
    if (decision_has_twice(roots, k->count))
        return fail_field(err, STATUS_INVALID, "titles", "needs 2 to %d titles, each once: two of these"
                          " are one title already", DECIDE_MAX);
    for (size_t i = 0; i < k->count; i++) {
        TRY(write_title(c, w, roots[i], &type, &a, err));
        first = i ? first : type;
        if (k->what == MERGE && !streq(first, type))
            return fail_field(err, STATUS_INVALID, "titles",
                              "must be of one media type: title %" PRId64 " is a %s, %" PRId64 " a %s",
                              roots[0], first, roots[i], type);
    }
    return STATUS_OK;
}

static bool has(const struct wish *k, int64_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->ids[i] == id)
            return true;
    return false;
}

/* Those that are split off, and the rest of their title. */
static enum status groups_of_split(struct store_conn *c, const struct wish *k, struct json_writer *w,
                                   struct error *err)
{
    if (!k->count || k->count > DECIDE_MAX || decision_has_twice(k->ids, k->count))
        return fail_field(err, STATUS_INVALID, "items", "needs 1 to %d items, each once",
                          DECIDE_MAX);
    int64_t root = 0;
    jw_array(w);
    for (size_t i = 0; i < k->count; i++) {
        struct store_value v[] = {{.kind = SV_INT, .i = k->ids[i]}};
        int64_t of, is_there;
        TRY(store_query_int(c, "select count(*) from title where title_id = $1", v, 1, 0, &is_there, err));
        TRY(store_query_int(c, "select " ROOT "::bigint", v, 1, 0, &of, err));
        if (!is_there)
            return fail_field(err, STATUS_NOT_FOUND, "items", "there is no item %" PRId64, k->ids[i]);
        if (root && of != root)
            return fail_field(err, STATUS_INVALID, "items", "must be of one title");
        root = of;
        jw_int(w, k->ids[i]);
    }
    jw_array_end(w);
    struct store_value v[] = {{.kind = SV_INT, .i = root}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select title_id from title where title_id = $1 or title_id in"
                       " (select title_id from title_join where root_id = $1) order by title_id", v, 1,
                    &r, err));
    size_t rest = 0;
    jw_array(w);
    while (cursor_next(&r)) {
        if (has(k, cursor_int(&r, 0, 0)))
            continue;
        jw_int(w, cursor_int(&r, 0, 0));
        rest++;
    }
    jw_array_end(w);
    return rest ? STATUS_OK
                : fail_field(err, STATUS_INVALID, "items",
                             "are all that title %" PRId64 " has: nothing would be left", root);
}

static enum status write_detail(struct store_conn *c, const struct wish *k, struct buf *out,
                                struct error *err)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "groups");
    TRY(k->what == SPLIT ? groups_of_split(c, k, &w, err) : groups_of_titles(c, k, &w, err));
    jw_array_end(&w);
    if (*k->why)
        jw_kv_text(&w, "why", k->why);
    jw_object_end(&w);
    return STATUS_OK;
}

static enum status decide(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    static const char *const kinds[] = {[MERGE] = "titles_merge", [PART] = "titles_part",
                                        [SPLIT] = "titles_part", [UNDO] = "titles_undo"};
    struct wish *k = ctx;
    auto_buf struct buf detail = {0};
    if (k->what == UNDO)
        TRY(decision_check_undo(c, k->subject, "titles", "'titles_merge', 'titles_part'", err));
    else
        TRY(write_detail(c, k, &detail, err));
    TRY(decision_insert(c, &(struct decision){kinds[k->what], k->who, k->subject, buf_str(&detail)},
                        &k->decision, err));
    struct titles *t = dims_titles(d);
    const struct title_move *moves;
    size_t count;
    TRY(titles_read_hands(t, c, err));
    TRY(titles_match(t, c, k->decision, &moves, &count, err));
    return derive_moved(c, moves, count, NULL, 0, k->knobs, err);
}

static enum status run(struct ingest *i, struct wish *k, int64_t *ret, struct error *err)
{
    if (strlen(k->why) > DECIDE_WHY_MAX)
        return fail_field(err, STATUS_INVALID, "reason", "must have at most %d bytes", DECIDE_WHY_MAX);
    k->knobs = ingest_knobs(i);
    TRY(ingest_run(i, decide, k, err));
    if (ret)
        *ret = k->decision;
    return STATUS_OK;
}

enum status titles_merge(struct ingest *i, const int64_t *titles, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = MERGE, .ids = titles, .count = count, .who = who, .why = why};
    return run(i, &k, ret_decision, err);
}

enum status titles_part(struct ingest *i, const int64_t *titles, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = PART, .ids = titles, .count = count, .who = who, .why = why};
    return run(i, &k, ret_decision, err);
}

enum status titles_split(struct ingest *i, const int64_t *items, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = SPLIT, .ids = items, .count = count, .who = who, .why = why};
    return run(i, &k, ret_decision, err);
}

enum status titles_undo(struct ingest *i, int64_t decision, const char *who, struct error *err)
{
    struct wish k = {.what = UNDO, .subject = decision, .who = who, .why = ""};
    return run(i, &k, NULL, err);
}
