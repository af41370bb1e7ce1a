#include "ingest/title_keys.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/str.h"

#include "base/banned.h"

void title_keys_done(struct title_keys *k)
{
    arena_done(&k->arena);
}

enum title_key_kind title_key_kind(const char *key)
{
    static const struct {
        const char *prefix;
        enum title_key_kind kind;
    } kinds[] = {{"plex://", TITLE_KEY_GUID}, {"file:", TITLE_KEY_FILE}, {"item:", TITLE_KEY_ITEM},
                 {"text:", TITLE_KEY_TEXT},  {"name:", TITLE_KEY_NAME}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_has_prefix(str_of(key), str_of(kinds[i].prefix)))
            return kinds[i].kind;
    return TITLE_KEY_ID;
}

/* Lower case (ASCII) without blanks around. */
static const char *folded(struct arena *a, const char *text)
{
    struct str s = str_trim(str_of(text));
    char *copy = arena_strndup(a, s.ptr, s.len);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static void add(struct title_keys *k, const char *key)
{
    for (size_t i = 0; i < k->count; i++)
        if (streq(k->key[i], key))
            return;
    k->key[k->count++] = key;
}

static void add_file(const struct observation *o, struct title_keys *k)
{
    if (o->season >= 0 || o->episode >= 0)
        add(k, arena_printf(&k->arena, "file:%s:%" PRId64 ":%" PRId64 ":%s", o->media_type, o->season,
                            o->episode, o->file_key));
    else
        add(k, arena_printf(&k->arena, "file:%s:%s", o->media_type, o->file_key));
}

static void add_names(const struct observation *o, struct title_keys *k)
{
    struct arena *a = &k->arena;
    const char *title = folded(a, o->title), *parent = folded(a, o->parent_title),
               *grandparent = folded(a, o->grandparent_title);
    if (streq(o->media_type, "movie") && *title && o->year > 0)
        add(k, arena_printf(a, "text:movie:%s:%" PRId64, title, o->year));
    else if (streq(o->media_type, "episode") && *grandparent && o->season >= 0 && o->episode >= 0)
        add(k, arena_printf(a, "text:episode:%s:%" PRId64 ":%" PRId64, grandparent, o->season,
                            o->episode));
    else if (streq(o->media_type, "track") && *grandparent && *title)
        add(k, arena_printf(a, "text:track:%s:%s:%s", grandparent, parent, title));
    if (!k->count) /* deleted items and the like: the names are all there is */
        add(k, arena_printf(a, "text:%s:%s:%s:%s", o->media_type, grandparent, parent, title));
    if (*title)
        add(k, arena_printf(a, "name:%s:%s:%s", o->media_type, grandparent, title));
}

void title_keys_build(const struct observation *o, struct title_keys *k)
{
    *k = (struct title_keys){0};
    if (str_has_prefix(str_of(o->guid), STR("plex://")))
        add(k, arena_strdup(&k->arena, o->guid));
    struct str rest = str_of(o->provider_ids), piece;
    while (k->count < TITLE_KEYS_MAX - 5 && str_next(&rest, ' ', &piece)) {
        const char *colon = piece.len ? memchr(piece.ptr, ':', piece.len) : NULL;
        if (colon && colon > piece.ptr && colon + 1 < piece.ptr + piece.len)
            add(k, arena_printf(&k->arena, "%s:%.*s", o->media_type, (int)piece.len, piece.ptr));
    }
    if (*o->file_key)
        add_file(o, k);
    if (*o->item_key) {
        k->item = arena_printf(&k->arena, "item:%s:%s", o->server, o->item_key);
        add(k, k->item);
    }
    add_names(o, k);
}

/* --- ids ------------------------------------------------------------------------------------- */

/* "movie:imdb:" of "movie:imdb:tt1"; 0: it has no such beginning. */
static size_t space_length(const char *key)
{
    const char *first = strchr(key, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    return second ? (size_t)(second - key) + 1 : 0;
}

static unsigned rank_of(const char *key)
{
    static const char *const believed[TITLE_RANKS - 1] = {"imdb:", "tmdb:", "tvdb:"};
    const char *provider = strchr(key, ':');
    for (unsigned i = 0; i < ARRAY_LEN(believed); i++)
        if (provider && str_has_prefix(str_of(provider + 1), str_of(believed[i])))
            return i;
    return TITLE_RANKS - 1;
}

enum title_ids title_keys_compare(const char *a, const char *b, unsigned *rank)
{
    *rank = 0;
    if (title_key_kind(a) == TITLE_KEY_GUID) /* Plex gives a title a new one now and then */
        return streq(a, b) ? TITLE_IDS_SAME : TITLE_IDS_NOTHING;
    if (title_key_kind(a) != TITLE_KEY_ID || title_key_kind(b) != TITLE_KEY_ID)
        return TITLE_IDS_NOTHING;
    size_t space = space_length(a);
    if (!space || strncmp(a, b, space) != 0)
        return TITLE_IDS_NOTHING;
    *rank = rank_of(a);
    return streq(a, b) ? TITLE_IDS_SAME : TITLE_IDS_DIFFER;
}

enum title_ids title_ids_compare(const char *const *a, size_t a_count, const char *const *b,
                                 size_t b_count)
{
    bool is_same[TITLE_RANKS] = {0}, is_other[TITLE_RANKS] = {0};
    for (size_t i = 0; i < a_count; i++)
        for (size_t k = 0; k < b_count; k++) {
            unsigned rank;
            enum title_ids said = title_keys_compare(a[i], b[k], &rank);
            is_same[rank] = is_same[rank] || said == TITLE_IDS_SAME;
            is_other[rank] = is_other[rank] || said == TITLE_IDS_DIFFER;
        }
    for (unsigned r = 0; r < TITLE_RANKS; r++) {
        if (is_same[r])
            return TITLE_IDS_SAME;
        if (is_other[r])
            return TITLE_IDS_DIFFER;
    }
    return TITLE_IDS_NOTHING;
}
