/* Plex: hints over its notification socket, truth from /status/sessions, facts of each item once. */
#include "sources/plex/plex.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "sources/facts.h"
#include "sources/source.h"

#include "base/banned.h"

enum { FACTS_MAX = 256, PAGES_MAX = 5000, VIEWS_A_RECORD = 200 };

enum sync_step { SYNC_ACCOUNTS, SYNC_SECTIONS, SYNC_HISTORY, SYNC_DONE };

struct plex {
    struct {
        char key[128]; /* fact_key() */
        json_t *item; /* NULL: asked for, not to be had */
    } facts[FACTS_MAX];
    size_t next_fact;

    enum sync_step step;
    unsigned page;
    int64_t newest_s;      /* newest viewedAt of the last finished backfill */
    int64_t newest_seen_s; /* of this one */
};

static struct plex *plex_of(struct source *s)
{
    if (!s->vendor)
        s->vendor = xcalloc(1, sizeof(struct plex));
    return s->vendor;
}

static void plex_free(struct source *s)
{
    struct plex *p = s->vendor;
    if (!p)
        return;
    for (size_t i = 0; i < FACTS_MAX; i++)
        json_decref(p->facts[i].item);
    free(p);
    s->vendor = NULL;
}

static void plex_headers(struct source *s, struct source_request *r)
{
    source_add_header(r, "X-Plex-Token: %s", s->config->token);
    source_add_header(r, "X-Plex-Client-Identifier: %s", s->config->client_id);
    source_add_header(r, "X-Plex-Product: Cartographus");
    source_add_header(r, "X-Plex-Platform: Linux");
    source_add_header(r, "X-Plex-Device-Name: Cartographus");
}

static void plex_socket(struct source *s, struct buf *path)
{
    buf_puts(path, "/:/websockets/notifications");
}

static bool plex_recognize(const json_t *root, struct source_names *ret)
{
    const json_t *c = jget(root, "MediaContainer");
    *ret = (struct source_names){jstr(c, "machineIdentifier"), jstr(c, "friendlyName"),
                                 jstr(c, "version"), jstr(c, "myPlexUsername")};
    return *ret->machine_id != '\0';
}

/* --- facts of items ----------------------------------------------------------------------- */

static bool is_digits(const char *s)
{
    return *s && !s[strspn(s, "0123456789")] && strlen(s) < 20;
}

/* Of a session's item: a library that was built anew gives the number to something else. */
static void fact_key(char *ret, size_t size, const char *rating_key, const json_t *row)
{
    snprintf(ret, size, "%s %s", rating_key, jstr(row, "guid"));
}

static bool find_facts(const struct plex *p, const char *key, json_t **ret)
{
    for (size_t i = 0; i < FACTS_MAX; i++)
        if (streq(p->facts[i].key, key)) {
            *ret = p->facts[i].item;
            return true;
        }
    return false;
}

static bool plex_wants(struct source *s, const json_t *root, struct buf *path, struct buf *key)
{
    struct plex *p = plex_of(s);
    const json_t *rows = jpath(root, "MediaContainer.Metadata");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char scratch[32], known[sizeof p->facts->key];
        json_t *item;
        const char *rating_key = jtext(row, "ratingKey", scratch);
        if (!rating_key || !is_digits(rating_key) || jbool(row, "live") == 1)
            continue;
        fact_key(known, sizeof known, rating_key, row);
        if (find_facts(p, known, &item))
            continue;
        buf_printf(path, "/library/metadata/%s?includeMarkers=1", rating_key);
        buf_puts(key, known);
        return true;
    }
    return false;
}

static void plex_wanted(struct source *s, const char *key, const json_t *root)
{
    static const char *const kept[] = {"Media", "Marker", "Genre", "Guid", "guid"};
    struct plex *p = plex_of(s);
    const json_t *item = json_array_get(jpath(root, "MediaContainer.Metadata"), 0);
    json_t *facts = NULL;
    if (json_is_object(item)) {
        facts = json_object();
        for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
            json_t *member = jget(item, kept[i]);
            if (member)
                json_object_set(facts, kept[i], member);
        }
    }
    size_t at = p->next_fact++ % FACTS_MAX;
    json_decref(p->facts[at].item);
    p->facts[at].item = facts;
    snprintf(p->facts[at].key, sizeof(p->facts[at].key), "%s", key);
}

static enum status plex_snapshot(struct source *s, const json_t *root, struct arena *a,
                                 struct observation **ret, size_t *ret_count, struct error *err)
{
    const json_t *container = jget(root, "MediaContainer");
    if (!json_is_object(container))
        return fail(err, STATUS_PROTOCOL, "the list of sessions is no MediaContainer");
    const json_t *rows = jget(container, "Metadata");
    size_t room = json_array_size(rows);
    room = room < SOURCE_SESSIONS_MAX ? room : SOURCE_SESSIONS_MAX;
    *ret = arena_alloc(a, (room + 1) * sizeof(**ret));
    *ret_count = 0;
    for (size_t i = 0; i < room; i++) {
        const json_t *row = json_array_get(rows, i);
        char scratch[32], known[sizeof plex_of(s)->facts->key];
        json_t *item = NULL;
        const char *key = jtext(row, "ratingKey", scratch);
        if (key) {
            fact_key(known, sizeof known, key, row);
            (void)find_facts(plex_of(s), known, &item);
        }
        if (plex_session_read(a, row, item, &(*ret)[*ret_count]))
            ++*ret_count;
        const char *public_address = plex_public_address(a, row);
        if (*public_address)
            source_set_public_address(s, public_address);
    }
    return STATUS_OK;
}

/* --- notifications ------------------------------------------------------------------------ */

static enum source_hint take_playing(struct source *s, const json_t *row)
{
    char session_scratch[32], item_scratch[32];
    const char *session = jtext(row, "sessionKey", session_scratch);
    const char *item = jtext(row, "ratingKey", item_scratch);
    struct tracker_hint h = {
        .session = session ? session : "",
        .item_key = item ? item : "",
        .position_ms = jint(row, "viewOffset", -1),
    };
    if (!session || !play_state_parse(str_of(jstr(row, "state")), &h.state) ||
        h.state == PLAY_STOPPED)
        return HINT_POLL;
    return source_hint(s, &h, 1, false);
}

static enum source_hint plex_message(struct source *s, const json_t *root)
{
    const json_t *c = jget(root, "NotificationContainer");
    if (!json_is_object(c))
        c = root; /* servers before 2017 send it bare */
    if (!streq(jstr(c, "type"), "playing"))
        return HINT_NOTHING;
    const json_t *rows = jget(c, "PlaySessionStateNotification");
    if (!json_is_array(rows))
        rows = jget(c, "_children");
    if (json_array_size(rows) == 0)
        return HINT_POLL;
    enum source_hint all = HINT_AGREES;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        if (i < SOURCE_SESSIONS_MAX && take_playing(s, row) == HINT_POLL)
            all = HINT_POLL;
    return all;
}

/* --- backfill ----------------------------------------------------------------------------- */

static unsigned page_size(const struct source *s)
{
    return s->config->batch_size ? s->config->batch_size : 500;
}

static void plex_sync_reset(struct source *s)
{
    struct plex *p = plex_of(s);
    p->step = SYNC_ACCOUNTS;
    p->page = 0;
    p->newest_seen_s = p->newest_s;
}

static void plex_position_write(struct source *s, struct json_writer *w)
{
    jw_kv_int(w, "newest_s", plex_of(s)->newest_s);
}

static void plex_position_read(struct source *s, const json_t *position)
{
    plex_of(s)->newest_s = jint(position, "newest_s", 0);
}

static bool plex_sync_next(struct source *s, struct buf *path)
{
    struct plex *p = plex_of(s);
    switch (p->step) {
    case SYNC_ACCOUNTS:
        buf_puts(path, "/accounts");
        return true;
    case SYNC_SECTIONS:
        buf_puts(path, "/library/sections");
        return true;
    case SYNC_HISTORY:
        /* No viewedAt filter: spelt as one server does not expect it, it is silently ignored. */
        buf_printf(path,
                   "/status/sessions/history/all?sort=viewedAt:desc&X-Plex-Container-Start=%u"
                   "&X-Plex-Container-Size=%u",
                   p->page * page_size(s), page_size(s));
        return true;
    case SYNC_DONE:
        break;
    }
    p->newest_s = p->newest_seen_s;
    return false;
}

static void take_accounts(struct source *s, const json_t *rows)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_array(&w, "accounts");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char scratch[32];
        const char *id = jtext(row, "id", scratch);
        if (!id || streq(id, "0"))
            continue;
        jw_object(&w);
        jw_kv_text(&w, "key", id);
        jw_kv_text(&w, "name", jstr(row, "name"));
        jw_kv_text(&w, "email", "");
        jw_kv_bool(&w, "is_owner", streq(id, "1"));
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append_changed(s, LOG_ACCOUNTS, &s->accounts_told, &b);
}

/* The number that a library's films, episodes or tracks go by; 0: it holds none. */
static unsigned played_type(const char *kind)
{
    return streq(kind, "movie") ? 1 : streq(kind, "show") ? 4 : streq(kind, "artist") ? 10 : 0;
}

static void take_sections(struct source *s, const json_t *rows)
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
        const char *key = jtext(row, "key", scratch);
        if (!key)
            continue;
        jw_object(&w);
        jw_kv_text(&w, "key", key);
        jw_kv_text(&w, "name", jstr(row, "title"));
        jw_kv_text(&w, "kind", jstr(row, "type"));
        jw_object_end(&w);
        unsigned type = played_type(jstr(row, "type"));
        if (type && is_digits(key))
            inventory_add(&s->inventory, key, type);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    source_append_changed(s, LOG_LIBRARIES, &s->libraries_told, &b);
}

static void write_history_row(const struct source *s, struct json_writer *w, const json_t *row,
                              int64_t viewed_s)
{
    auto_arena struct arena a = {0};
    struct observation item;
    observation_init(&item);
    plex_item_read(&a, row, &item);
    char scratch[32];
    const char *account = jtext(row, "accountID", scratch);
    const char *key = jstr(row, "historyKey");
    const char *tail = strrchr(key, '/');
    char source_id[160];
    if (tail && tail[1])
        snprintf(source_id, sizeof(source_id), "history:%.64s", tail + 1);
    else
        snprintf(source_id, sizeof(source_id), "viewed:%lld:%.32s:%.32s:%.48s",
                 (long long)viewed_s, account ? account : "", item.item_key, item.title);
    source_write_view(s, w, source_id, account ? account : "", viewed_s * US_PER_S, TIME_NONE, &item);
}

/* False when everything further is known already. */
static bool take_history(struct source *s, struct plex *p, const json_t *rows)
{
    auto_buf struct buf b = {0};
    bool is_more = true;
    size_t count = json_array_size(rows);
    for (size_t i = 0; i < count && is_more;) {
        struct json_writer w;
        size_t written = 0;
        buf_clear(&b);
        jw_begin(&w, &b);
        jw_object(&w);
        jw_kv_text(&w, "server", s->config->key);
        jw_kv_array(&w, "views");
        for (; i < count && written < VIEWS_A_RECORD; i++) {
            const json_t *row = json_array_get(rows, i);
            int64_t viewed_s = jint(row, "viewedAt", 0);
            if (viewed_s <= 0 || viewed_s > INT64_C(100000000000))
                continue;
            if (viewed_s < p->newest_s) {
                is_more = false;
                break;
            }
            if (viewed_s > p->newest_seen_s)
                p->newest_seen_s = viewed_s;
            write_history_row(s, &w, row, viewed_s);
            written++;
        }
        jw_array_end(&w);
        jw_object_end(&w);
        if (written)
            source_append(s, LOG_VIEWS, &b);
    }
    return is_more;
}

static enum status plex_sync_take(struct source *s, const json_t *root, struct error *err)
{
    struct plex *p = plex_of(s);
    const json_t *c = jget(root, "MediaContainer");
    if (!json_is_object(c))
        return fail(err, STATUS_PROTOCOL, "the answer is no MediaContainer");
    const json_t *rows;
    switch (p->step) {
    case SYNC_ACCOUNTS:
        take_accounts(s, jget(c, "Account"));
        p->step = SYNC_SECTIONS;
        source_set_percent(s, 5);
        break;
    case SYNC_SECTIONS:
        take_sections(s, jget(c, "Directory"));
        p->step = SYNC_HISTORY;
        source_set_percent(s, 10);
        break;
    case SYNC_HISTORY: {
        rows = jget(c, "Metadata");
        size_t count = json_array_size(rows);
        int64_t total = jint(c, "totalSize", 0);
        int64_t read = (int64_t)p->page * page_size(s) + (int64_t)count;
        bool is_more = count > 0 && take_history(s, p, rows);
        /* More than was asked for: the server does not page and has told all. */
        if (count > page_size(s) || (total > 0 && read >= total) ||
            (total <= 0 && count < page_size(s)) || ++p->page >= PAGES_MAX)
            is_more = false;
        if (!is_more)
            p->step = SYNC_DONE;
        else if (total > 0)
            source_set_percent(s, 10 + (int)(90 * read / total));
        break;
    }
    case SYNC_DONE:
        break;
    }
    return STATUS_OK;
}

/* --- what libraries hold ------------------------------------------------------------------ */

static void plex_items_path(const struct source *s, const struct library *l, unsigned start,
                            unsigned size, struct buf *path)
{
    buf_printf(path,
               "/library/sections/%s/all?type=%u&sort=updatedAt:desc&includeGuids=1"
               "&X-Plex-Container-Start=%u&X-Plex-Container-Size=%u", l->key, l->type, start, size);
}

static enum status plex_items_rows(const json_t *root, const json_t **ret_rows,
                                   int64_t *ret_total, struct error *err)
{
    const json_t *c = jget(root, "MediaContainer");
    if (!json_is_object(c))
        return fail(err, STATUS_PROTOCOL, "the answer is no MediaContainer");
    *ret_rows = jget(c, "Metadata"); /* an empty one is left out */
    *ret_total = jint(c, "totalSize", -1);
    return STATUS_OK;
}

static int64_t time_of(const json_t *row, const char *key)
{
    int64_t at_s = jint(row, key, 0);
    return at_s > 0 && at_s < INT64_C(100000000000) ? at_s * US_PER_S : TIME_NONE;
}

static bool plex_item_of(struct arena *a, const json_t *row, struct item *ret)
{
    plex_item_read(a, row, &ret->what);
    const char *type = ret->what.media_type;
    if (!*ret->what.item_key ||
        !(streq(type, "movie") || streq(type, "episode") || streq(type, "track")))
        return false;
    plex_file_read(a, row, ret);
    ret->added_us = time_of(row, "addedAt");
    ret->changed_us = time_of(row, "updatedAt");
    if (ret->changed_us == TIME_NONE)
        ret->changed_us = ret->added_us;
    return true;
}

const struct source_ops plex_source = {
    .public_path = "/identity",
    .known_path = "/",
    .admin_path = "/status/sessions",
    .recognize = plex_recognize,
    .sessions_path = "/status/sessions",
    .identity_path = "/",
    .headers = plex_headers,
    .socket = plex_socket,
    .message = plex_message,
    .wants = plex_wants,
    .wanted = plex_wanted,
    .snapshot = plex_snapshot,
    .sync_reset = plex_sync_reset,
    .sync_next = plex_sync_next,
    .sync_take = plex_sync_take,
    .items_path = plex_items_path,
    .items_rows = plex_items_rows,
    .item_read = plex_item_of,
    .position_write = plex_position_write,
    .position_read = plex_position_read,
    .free = plex_free,
};
