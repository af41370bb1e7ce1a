/* The backfill of Jellyfin and Emby: start and stop pairs of the activity log, before its reach what
 * each account has played, and what libraries hold. */
#include "sources/mediabrowser.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/facts.h"

#include "base/banned.h"

enum { PAIRS_MAX = 20000, IDS_A_PAGE = 40, PAGES_MAX = 5000 };

enum sync_step { SYNC_USERS, SYNC_LIBRARIES, SYNC_ACTIVITY, SYNC_PAIR_ITEMS, SYNC_PLAYED, SYNC_DONE };

/* A start that may have found its stop. */
struct pair {
    char id[24];
    char user[40];
    char item[40];
    int64_t at_us;
    int64_t ended_us; /* TIME_NONE: none */
};

/* How far it was read. TIME_NONE: not at all. */
struct reach {
    int64_t oldest_us; /* from here on the activity log has told everything; INT64_MAX: nothing */
    int64_t newest_us; /* and up to here */
    int64_t played_us; /* newest LastPlayedDate */
};
static const struct reach reach_none = {INT64_MAX, TIME_NONE, TIME_NONE};

struct mediabrowser_sync {
    enum sync_step step;
    unsigned page;
    char (*users)[40];
    size_t user_count, user;
    struct pair *pairs; /* newest first, as read */
    size_t pair_count, pair_room, pair_done;
    struct pair *stops; /* not yet matched */
    size_t stop_count, stop_room;
    /* Of the last finished sync, and of this one. By the server's clock. */
    struct reach had, has;
};

static struct mediabrowser_sync *sync_of(struct source *s)
{
    if (!s->vendor) {
        struct mediabrowser_sync *y = xcalloc(1, sizeof(*y));
        y->had = y->has = reach_none;
        s->vendor = y;
    }
    return s->vendor;
}

void mediabrowser_free(struct source *s)
{
    struct mediabrowser_sync *y = s->vendor;
    if (!y)
        return;
    free(y->users);
    free(y->pairs);
    free(y->stops);
    free(y);
    s->vendor = NULL;
}

void mediabrowser_sync_reset(struct source *s)
{
    struct mediabrowser_sync *y = sync_of(s);
    y->step = SYNC_USERS;
    y->page = 0;
    y->user = y->user_count = 0;
    y->pair_count = y->pair_done = y->stop_count = 0;
    y->has = y->had;
}

void mediabrowser_position_write(struct source *s, struct json_writer *w)
{
    const struct reach *r = &sync_of(s)->had;
    jw_kv_int(w, "oldest_us", r->oldest_us);
    jw_kv_int(w, "newest_us", r->newest_us);
    jw_kv_int(w, "played_us", r->played_us);
}

void mediabrowser_position_read(struct source *s, const json_t *position)
{
    sync_of(s)->had = (struct reach){
        .oldest_us = jint(position, "oldest_us", reach_none.oldest_us),
        .newest_us = jint(position, "newest_us", reach_none.newest_us),
        .played_us = jint(position, "played_us", reach_none.played_us),
    };
}

static unsigned page_size(const struct source *s)
{
    return s->config->batch_size ? s->config->batch_size : 500;
}

bool mediabrowser_sync_next(struct source *s, struct buf *path)
{
    struct mediabrowser_sync *y = sync_of(s);
    const struct mediabrowser_kind *k = mediabrowser_kind_of(s);
    switch (y->step) {
    case SYNC_USERS:
        buf_puts(path, "/Users");
        return true;
    case SYNC_LIBRARIES:
        buf_puts(path, "/Library/VirtualFolders");
        return true;
    case SYNC_ACTIVITY:
        buf_printf(path, "/System/ActivityLog/Entries?StartIndex=%u&Limit=%u",
                   y->page * page_size(s), page_size(s));
        return true;
    case SYNC_PAIR_ITEMS:
        buf_puts(path, "/Items?Recursive=true&Fields=ProviderIds,Genres&Ids=");
        for (size_t i = y->pair_done; i < y->pair_count && i < y->pair_done + IDS_A_PAGE; i++) {
            if (i > y->pair_done)
                buf_putc(path, ',');
            buf_add_urlencoded(path, str_of(y->pairs[i].item));
        }
        return true;
    case SYNC_PLAYED:
        buf_printf(path,
                   "%s%s%sRecursive=true&Filters=IsPlayed&IncludeItemTypes=Movie,Episode,Audio&"
                   "Fields=ProviderIds,Genres&EnableUserData=true&SortBy=DatePlayed&"
                   "SortOrder=Descending&StartIndex=%u&Limit=%u",
                   k->played_before, y->users[y->user], k->played_behind, y->page * page_size(s),
                   page_size(s));
        return true;
    case SYNC_DONE:
        break;
    }
    y->had = y->has;
    return false;
}

static const json_t *rows_of(const json_t *root)
{
    return json_is_array(root) ? root : jget(root, "Items");
}

/* Emby users may be linked to an account at Emby Connect, which goes by an e-mail or a name; Jellyfin
 * tells of none. */
static const char *connect_email(const json_t *user)
{
    const char *login = jstr(user, "ConnectUserName");
    return strchr(login, '@') ? login : "";
}

static void take_users(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_array(&w, "accounts");
    size_t count = json_array_size(rows);
    free(y->users);
    y->users = xcalloc(count + 1, sizeof(*y->users));
    y->user_count = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *user = json_array_get(rows, i);
        const char *id = jstr(user, "Id");
        if (!*id || strlen(id) >= sizeof(*y->users) || id[strspn(id, "0123456789abcdefABCDEF-")])
            continue;
        snprintf(y->users[y->user_count++], sizeof(*y->users), "%s", id);
        jw_object(&w);
        jw_kv_text(&w, "key", id);
        jw_kv_text(&w, "name", jstr(user, "Name"));
        jw_kv_text(&w, "email", connect_email(user));
        jw_kv_bool(&w, "is_owner", jbool(jget(user, "Policy"), "IsAdministrator") == 1);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append_changed(s, LOG_ACCOUNTS, &s->accounts_told, &b);
}

static const char *library_kind(const char *type)
{
    static const struct {
        const char *type, *kind;
    } kinds[] = {{"movies", "movie"}, {"tvshows", "show"}, {"music", "artist"},
                 {"homevideos", "clip"}, {"musicvideos", "clip"}, {"photos", "photo"}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (streq(type, kinds[i].type))
            return kinds[i].kind;
    return "mixed";
}

/* Collections and playlists hold what other libraries hold. */
static bool has_titles(const char *type)
{
    return !*type || streq(type, "movies") || streq(type, "tvshows") || streq(type, "music") ||
           streq(type, "mixed");
}

static void take_libraries(struct source *s, const json_t *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_array(&w, "libraries");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char scratch[32];
        const char *key = jtext(row, "ItemId", scratch);
        if (!key)
            continue;
        jw_object(&w);
        jw_kv_text(&w, "key", key);
        jw_kv_text(&w, "name", jstr(row, "Name"));
        const char *type = jstr(row, "CollectionType");
        jw_kv_text(&w, "kind", library_kind(type));
        jw_object_end(&w);
        if (has_titles(type))
            inventory_add(&s->inventory, key, 0);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append_changed(s, LOG_LIBRARIES, &s->libraries_told, &b);
}

static void push_pair(struct pair **list, size_t *count, size_t *room, const struct pair *p)
{
    if (*count >= PAIRS_MAX)
        return;
    if (*count == *room) {
        *room = *room ? 2 * *room : 64;
        *list = xreallocarray(*list, *room, sizeof(**list));
    }
    (*list)[(*count)++] = *p;
}

/* Entries come newest first, so a stop is met before its start. */
static void take_entry(struct mediabrowser_sync *y, const json_t *row)
{
    char scratch[32];
    const char *type = jstr(row, "Type");
    struct pair p = {.ended_us = TIME_NONE};
    if (!time_parse(str_of(jstr(row, "Date")), &p.at_us))
        return;
    if (p.at_us > y->has.newest_us)
        y->has.newest_us = p.at_us;
    bool is_stop = false;
    if (streq(type, "VideoPlaybackStopped") || streq(type, "AudioPlaybackStopped") ||
        streq(type, "playback.stop"))
        is_stop = true;
    else if (!streq(type, "VideoPlayback") && !streq(type, "AudioPlayback") &&
             !streq(type, "playback.start"))
        return;
    const char *id = jtext(row, "Id", scratch);
    snprintf(p.id, sizeof(p.id), "%s", id ? id : "");
    snprintf(p.user, sizeof(p.user), "%s", jstr(row, "UserId"));
    char item_scratch[32];
    const char *item = jtext(row, "ItemId", item_scratch);
    snprintf(p.item, sizeof(p.item), "%s", item ? item : "");
    if (!*p.item || !*p.user || !*p.id || mediabrowser_is_zero(p.item))
        return;
    if (p.at_us < y->has.oldest_us)
        y->has.oldest_us = p.at_us;
    if (is_stop) {
        push_pair(&y->stops, &y->stop_count, &y->stop_room, &p);
        return;
    }
    for (size_t i = y->stop_count; i-- > 0;) {
        struct pair *stop = &y->stops[i];
        if (streq(stop->user, p.user) && streq(stop->item, p.item) &&
            stop->at_us - p.at_us < US_PER_DAY) {
            p.ended_us = stop->at_us;
            *stop = y->stops[--y->stop_count];
            break;
        }
    }
    /* Still open or cut off by a restart; or told by an earlier sync. */
    if (p.ended_us != TIME_NONE && p.ended_us >= y->had.newest_us)
        push_pair(&y->pairs, &y->pair_count, &y->pair_room, &p);
}

static void after_activity(struct mediabrowser_sync *y)
{
    y->page = 0;
    y->pair_done = 0;
    if (y->pair_count)
        y->step = SYNC_PAIR_ITEMS;
    else
        y->step = y->user_count ? SYNC_PLAYED : SYNC_DONE;
}

static void begin_views(struct source *s, struct json_writer *w, struct buf *b)
{
    buf_clear(b);
    jw_begin(w, b);
    jw_object(w);
    jw_kv_text(w, "server", s->config->key);
    jw_kv_array(w, "views");
}

static void end_views(struct source *s, struct json_writer *w, struct buf *b, size_t count)
{
    jw_array_end(w);
    jw_object_end(w);
    if (count)
        source_append(s, LOG_VIEWS, b);
}

static void take_pair_items(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    auto_arena struct arena a = {0};
    struct json_writer w;
    begin_views(s, &w, &b);
    size_t written = 0;
    size_t until = y->pair_done + IDS_A_PAGE;
    for (; y->pair_done < y->pair_count && y->pair_done < until; y->pair_done++) {
        const struct pair *p = &y->pairs[y->pair_done];
        size_t i;
        json_t *row;
        json_array_foreach (rows, i, row) {
            char scratch[32];
            const char *id = jtext(row, "Id", scratch);
            if (!id || strcasecmp(id, p->item) != 0)
                continue;
            struct observation item;
            observation_init(&item);
            mediabrowser_item(&a, row, &item);
            char source_id[64];
            snprintf(source_id, sizeof(source_id), "activity:%s", p->id);
            source_write_view(s, &w, source_id, p->user, p->at_us, p->ended_us, &item);
            written++;
            break;
        }
    }
    end_views(s, &w, &b, written);
}

/* False when everything further is known already. */
static bool take_played(struct source *s, struct mediabrowser_sync *y, const json_t *rows)
{
    auto_buf struct buf b = {0};
    auto_arena struct arena a = {0};
    struct json_writer w;
    begin_views(s, &w, &b);
    size_t written = 0;
    bool is_more = true;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        int64_t at_us;
        const char *date = jstr(jget(row, "UserData"), "LastPlayedDate");
        if (!time_parse(str_of(date), &at_us) || at_us <= 0)
            continue;
        if (at_us < y->had.played_us) {
            is_more = false;
            break;
        }
        if (at_us > y->has.played_us)
            y->has.played_us = at_us;
        if (at_us >= y->has.oldest_us)
            continue; /* told by the activity log, with its end */
        struct observation item;
        observation_init(&item);
        mediabrowser_item(&a, row, &item);
        if (!*item.item_key)
            continue;
        char source_id[160];
        snprintf(source_id, sizeof(source_id), "played:%s:%.48s:%lld", y->users[y->user],
                 item.item_key, (long long)(at_us / US_PER_S));
        source_write_view(s, &w, source_id, y->users[y->user], at_us, TIME_NONE, &item);
        written++;
    }
    end_views(s, &w, &b, written);
    return is_more;
}

enum status mediabrowser_sync_take(struct source *s, const json_t *root, struct error *err)
{
    struct mediabrowser_sync *y = sync_of(s);
    const json_t *rows = rows_of(root);
    if (!json_is_array(rows))
        return fail(err, STATUS_PROTOCOL, "the answer holds no list");
    size_t count = json_array_size(rows);
    bool is_last = count < page_size(s) || ++y->page >= PAGES_MAX;
    switch (y->step) {
    case SYNC_USERS:
        take_users(s, y, rows);
        y->page = 0;
        y->step = SYNC_LIBRARIES;
        source_set_percent(s, 5);
        break;
    case SYNC_LIBRARIES:
        take_libraries(s, rows);
        y->page = 0;
        y->step = SYNC_ACTIVITY;
        source_set_percent(s, 10);
        break;
    case SYNC_ACTIVITY: {
        bool is_known = false;
        for (size_t i = 0; i < count; i++) {
            const json_t *row = json_array_get(rows, i);
            int64_t at_us;
            /* A day of overlap: a stop may come long after the start we saw last time. */
            if (y->had.newest_us != TIME_NONE && time_parse(str_of(jstr(row, "Date")), &at_us) &&
                at_us < y->had.newest_us - US_PER_DAY)
                is_known = true;
            take_entry(y, row);
        }
        if (is_last || is_known)
            after_activity(y);
        source_set_percent(s, 15);
        break;
    }
    case SYNC_PAIR_ITEMS:
        take_pair_items(s, y, rows);
        source_set_percent(s, 20 + (int)(40 * y->pair_done / (y->pair_count ? y->pair_count : 1)));
        if (y->pair_done >= y->pair_count) {
            y->page = 0;
            y->step = y->user_count ? SYNC_PLAYED : SYNC_DONE;
        }
        break;
    case SYNC_PLAYED:
        if (!take_played(s, y, rows) || is_last) {
            y->page = 0;
            if (++y->user >= y->user_count)
                y->step = SYNC_DONE;
        }
        source_set_percent(s, 60 + (int)(40 * y->user / (y->user_count ? y->user_count : 1)));
        break;
    case SYNC_DONE:
        break;
    }
    return STATUS_OK;
}

/* By the day of their coming: neither server sorts by the day of a change. */
void mediabrowser_items_path(const struct source *s, const struct library *l, unsigned start,
                             unsigned size, struct buf *path)
{
    buf_puts(path, "/Items?ParentId=");
    buf_add_urlencoded(path, str_of(l->key));
    buf_printf(path,
               "&Recursive=true&IncludeItemTypes=Movie,Episode,Audio&SortBy=DateCreated"
               "&SortOrder=Descending&Fields=ProviderIds,Genres,DateCreated,MediaSources"
               "&EnableUserData=false&EnableImages=false&StartIndex=%u&Limit=%u", start, size);
}

enum status mediabrowser_items_rows(const json_t *root, const json_t **ret_rows,
                                    int64_t *ret_total, struct error *err)
{
    *ret_rows = rows_of(root);
    *ret_total = jint(root, "TotalRecordCount", -1);
    if (!json_is_array(*ret_rows))
        return fail(err, STATUS_PROTOCOL, "the answer holds no list");
    return STATUS_OK;
}
