#include "live/live.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

/* No home plays more at once; beyond it a server is confused and its sessions are not shown. */
enum { SESSIONS_MOST = 4096 };

struct entry {
    struct arena arena; /* owns o's texts */
    struct observation o;
    int64_t started_us;
};

struct live {
    struct live_config config;
    pthread_mutex_t mutex;
    struct entry *entries;
    size_t count;
};

struct live *live_new(const struct live_config *c)
{
    struct live *l = xcalloc(1, sizeof *l);
    l->config = *c;
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->count; i++)
        arena_done(&l->entries[i].arena);
    free(l->entries);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

static struct entry *find(struct live *l, const struct observation *o)
{
    for (size_t i = 0; i < l->count; i++) {
        if (streq(l->entries[i].o.session, o->session) && streq(l->entries[i].o.server, o->server))
            return &l->entries[i];
    }
    return NULL;
}

/* A session's key ends in "@<first seen us>". */
static int64_t started_of(const struct observation *o)
{
    const char *at = strrchr(o->session, '@');
    int64_t us;
    return at != NULL && str_to_i64(str_of(at + 1), &us) ? us : o->observed_us;
}

static void kv_known(struct json_writer *w, const char *key, const char *text)
{
    jw_kv_text(w, key, text[0] != '\0' ? text : NULL);
}

static void kv_number(struct json_writer *w, const char *key, int64_t n)
{
    if (n < 0)
        jw_kv_null(w, key);
    else
        jw_kv_int(w, key, n);
}

static void kv_flag(struct json_writer *w, const char *key, int64_t n)
{
    if (n < 0)
        jw_kv_null(w, key);
    else
        jw_kv_bool(w, key, n != 0);
}

static int64_t write_server(const struct live *l, struct json_writer *w, const char *server)
{
    const struct live_lookup *k = &l->config.lookup;
    char name[LIVE_NAME_MAX] = "";
    const char *kind = "";
    int64_t id = k->server != NULL ? k->server(k->ctx, server, name, &kind) : 0;
    if (id > 0)
        jw_kv_int(w, "server_id", id);
    else
        jw_kv_null(w, "server_id");
    jw_kv_text(w, "server", name[0] != '\0' ? name : server);
    kv_known(w, "server_kind", kind);
    return id;
}

/* Whose playing it is, in words that outlive the entry. */
struct owner {
    char server[SCOPE_KEY_MAX], account[SCOPE_KEY_MAX];
    const char *kind;
};

static void find_owner(const struct live *l, const struct observation *o, struct owner *ret)
{
    const struct live_lookup *k = &l->config.lookup;
    char name[LIVE_NAME_MAX];
    *ret = (struct owner){.kind = ""};
    if (k->server != NULL)
        (void)k->server(k->ctx, o->server, name, &ret->kind);
    /* A key that is too long is nobody's: cut off it could be another's. */
    if (strlen(o->server) >= SCOPE_KEY_MAX || strlen(o->account_key) >= SCOPE_KEY_MAX)
        return;
    snprintf(ret->server, sizeof ret->server, "%s", o->server);
    snprintf(ret->account, sizeof ret->account, "%s", o->account_key);
}

static bool is_in(const struct live *l, const struct scope *scope, const struct observation *o)
{
    struct owner owner;
    if (scope->sees_all)
        return true;
    find_owner(l, o, &owner);
    return scope_has(scope, &(struct scope_account){owner.server, owner.kind, owner.account});
}

static void write_session(const struct live *l, struct json_writer *w, const struct entry *e, bool sees_all)
{
    const struct observation *o = &e->o;
    const struct live_lookup *k = &l->config.lookup;
    char person[LIVE_NAME_MAX] = "", place[LIVE_NAME_MAX] = "";
    const char *address_class = "";
    int64_t person_id = 0;
    if (sees_all && k->person)
        person_id = k->person(k->ctx, o->server, o->account_key, person);
    if (!person_id)
        snprintf(person, sizeof person, "%s", o->account_name);
    if (k->place != NULL && o->address[0] != '\0' &&
        !k->place(k->ctx, o->address, place, &address_class))
        place[0] = '\0';
    jw_object(w);
    jw_kv_text(w, "id", o->session);
    write_server(l, w, o->server);
    jw_kv_text(w, "state", play_state_name(o->state));
    if (person_id)
        jw_kv_int(w, "person_id", person_id);
    else
        jw_kv_null(w, "person_id");
    kv_known(w, "person", person);
    kv_known(w, "account", o->account_name);
    kv_known(w, "media_type", o->media_type);
    kv_known(w, "title", o->title);
    kv_known(w, "parent_title", o->parent_title);
    kv_known(w, "grandparent_title", o->grandparent_title);
    kv_number(w, "season", o->season);
    kv_number(w, "episode", o->episode);
    kv_number(w, "year", o->year);
    kv_number(w, "position_ms", o->position_ms);
    kv_number(w, "duration_ms", o->duration_ms);
    jw_kv_time(w, "started_at", e->started_us);
    jw_kv_time(w, "updated_at", o->observed_us);
    kv_known(w, "player", o->player);
    kv_known(w, "product", o->product);
    kv_known(w, "platform", o->platform);
    kv_known(w, "location", o->location);
    kv_known(w, "place", place);
    kv_known(w, "address_class", address_class);
    kv_known(w, "transcode_decision", o->transcode_decision);
    kv_known(w, "video_decision", o->video_decision);
    kv_known(w, "audio_decision", o->audio_decision);
    kv_known(w, "video_codec", o->video_codec);
    kv_known(w, "video_resolution", o->video_resolution);
    kv_known(w, "video_dynamic_range", o->video_dynamic_range);
    kv_known(w, "stream_video_codec", o->stream_video_codec);
    kv_known(w, "stream_video_resolution", o->stream_video_resolution);
    kv_known(w, "audio_codec", o->audio_codec);
    kv_known(w, "stream_audio_codec", o->stream_audio_codec);
    kv_known(w, "container", o->container);
    kv_number(w, "bandwidth_kbps", o->bandwidth_kbps);
    kv_flag(w, "secure", o->secure);
    kv_flag(w, "relayed", o->relayed);
    kv_known(w, "hw_decode", o->hw_decode);
    kv_known(w, "hw_encode", o->hw_encode);
    jw_object_end(w);
}

static void remove_entry(struct live *l, struct entry *e)
{
    arena_done(&e->arena);
    *e = l->entries[--l->count];
}

static void frame_begin(struct json_writer *w, struct buf *out, const char *type)
{
    jw_begin(w, out);
    jw_object(w);
    jw_kv_text(w, "type", type);
    jw_key(w, "data");
}

static void stop(struct live *l, struct entry *e, const struct observation *o, struct buf *out)
{
    struct json_writer w;
    frame_begin(&w, out, "session_stop");
    jw_object(&w);
    jw_kv_text(&w, "id", o->session);
    write_server(l, &w, o->server);
    jw_object_end(&w);
    jw_object_end(&w);
    remove_entry(l, e);
}

static void put(struct live *l, struct entry *e, const struct observation *o, struct buf *out,
                struct buf *own)
{
    const char *type = "session_progress";
    if (e == NULL) {
        if (l->count == SESSIONS_MOST)
            return;
        type = "session_start";
        l->entries = xreallocarray(l->entries, l->count + 1, sizeof *l->entries);
        e = &l->entries[l->count++];
        *e = (struct entry){.started_us = started_of(o)};
    }
    struct arena fresh = {0};
    observation_copy(&fresh, o, &e->o);
    arena_done(&e->arena);
    e->arena = fresh;
    struct buf *const texts[] = {out, own};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json_writer w;
        frame_begin(&w, texts[i], type);
        write_session(l, &w, e, texts[i] == out);
        jw_object_end(&w);
    }
}

static void tell(struct live *l, const struct owner *o, const struct buf *all, const struct buf *own)
{
    struct scope_account whose = {o->server, o->kind, o->account};
    if (all->len == 0 || all->is_overflowed || l->config.frame == NULL)
        return;
    l->config.frame(l->config.ctx, NULL, buf_str(all));
    l->config.frame(l->config.ctx, &whose, buf_str(own));
}

void live_observe(struct live *l, const struct observation *o)
{
    enum { MOST = 64 * 1024 };
    auto_buf struct buf gone = BUF_INIT(MOST), out = BUF_INIT(MOST), own = BUF_INIT(MOST);
    struct owner before = {.kind = ""}, now;
    pthread_mutex_lock(&l->mutex);
    struct entry *e = find(l, o);
    if (e != NULL)
        find_owner(l, &e->o, &before);
    find_owner(l, o, &now);
    /* Who could see it is told of its end; who can see it now, of a beginning. */
    bool is_another = e != NULL && o->state != PLAY_STOPPED && !streq(e->o.account_key, o->account_key);
    if (e != NULL && (is_another || o->state == PLAY_STOPPED)) {
        stop(l, e, o, &gone);
        e = NULL;
    }
    if (o->state != PLAY_STOPPED)
        put(l, e, o, &out, &own);
    pthread_mutex_unlock(&l->mutex);
    tell(l, &before, &gone, &gone);
    tell(l, &now, &out, &own);
}

static int by_start(const void *a, const void *b)
{
    const struct entry *const *x = a;
    const struct entry *const *y = b;
    return ((*x)->started_us > (*y)->started_us) - ((*x)->started_us < (*y)->started_us);
}

void live_write(struct live *l, const struct scope *scope, struct json_writer *w)
{
    pthread_mutex_lock(&l->mutex);
    auto_free const struct entry **order = xcalloc(l->count + 1, sizeof(struct entry *));
    for (size_t i = 0; i < l->count; i++)
        order[i] = &l->entries[i];
    qsort(order, l->count, sizeof *order, by_start);
    jw_array(w);
    for (size_t i = 0; i < l->count; i++)
        if (is_in(l, scope, &order[i]->o))
            write_session(l, w, order[i], scope->sees_all);
    jw_array_end(w);
    pthread_mutex_unlock(&l->mutex);
}

size_t live_count(struct live *l)
{
    pthread_mutex_lock(&l->mutex);
    size_t n = l->count;
    pthread_mutex_unlock(&l->mutex);
    return n;
}

void live_each(struct live *l, void (*each)(void *ctx, const struct observation *o), void *ctx)
{
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < l->count; i++)
        each(ctx, &l->entries[i].o);
    pthread_mutex_unlock(&l->mutex);
}
