#include "sources/tracker.h"

#include "base/clock.h"

#include "base/banned.h"

/* Progress is told at most this often, unless the position jumps. */
#define PROGRESS_US (5 * US_PER_S)
/* A session without news is told at least this often, so that "last seen" stays true. */
#define HEARTBEAT_US (10 * US_PER_S)
/* A position this far from where the clock says it should be is a seek. */
#define JUMP_MS INT64_C(3000)
/* A change that nobody announced and that is at most this old counts as seen when it happened. */
#define UNSURE_US (3 * US_PER_S)
/* Clients report every ten to twenty seconds, so what a snapshot held may be that old already. */
#define HINT_AHEAD_MS INT64_C(20000)

struct open_session {
    struct arena arena;      /* holds the texts of `last` */
    struct observation last; /* as last handed out; position_ms and observed_us as last seen */
    char *key;
    int64_t told_us;
    int64_t told_position_ms;
    bool is_seeded;
    bool is_listed; /* in the snapshot at hand */
    struct open_session *next;
};

struct tracker {
    char *server;
    tracker_emit *emit;
    void *ctx;
    struct open_session *open;
    int64_t blind_since_us; /* TIME_NONE: not blind */
    int64_t looked_us;      /* the last snapshot; TIME_NONE: none */
    int64_t newest_id_us;   /* makes ids unique even when the clock stands still */
};

struct tracker *tracker_new(const char *server, tracker_emit *emit, void *ctx)
{
    struct tracker *t = xcalloc(1, sizeof(*t));
    t->server = xstrdup(server);
    t->emit = emit;
    t->ctx = ctx;
    t->blind_since_us = t->looked_us = TIME_NONE;
    return t;
}

void tracker_give(struct tracker *t, tracker_emit *emit, void *ctx)
{
    t->emit = emit;
    t->ctx = ctx;
}

static void free_session(struct open_session *s)
{
    arena_done(&s->arena);
    free(s->key);
    free(s);
}

void tracker_free(struct tracker *t)
{
    if (!t)
        return;
    while (t->open) {
        struct open_session *s = t->open;
        t->open = s->next;
        free_session(s);
    }
    free(t->server);
    free(t);
}

size_t tracker_open_count(const struct tracker *t)
{
    size_t count = 0;
    for (const struct open_session *s = t->open; s; s = s->next)
        count++;
    return count;
}

static struct open_session *find(struct tracker *t, const char *key)
{
    for (struct open_session *s = t->open; s; s = s->next)
        if (streq(s->key, key))
            return s;
    return NULL;
}

static void unlink_session(struct tracker *t, struct open_session *s)
{
    for (struct open_session **at = &t->open; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            return;
        }
}

void tracker_seed(struct tracker *t, const struct observation *last)
{
    const char *at = strrchr(last->session, '@');
    if (!at || last->state == PLAY_STOPPED)
        return;
    struct open_session *s = xcalloc(1, sizeof(*s));
    s->key = xstrndup(last->session, (size_t)(at - last->session));
    if (find(t, s->key)) {
        free_session(s);
        return;
    }
    observation_copy(&s->arena, last, &s->last);
    s->last.blind_ms = 0;
    s->told_us = last->observed_us;
    s->told_position_ms = last->position_ms;
    s->is_seeded = true;
    s->next = t->open;
    t->open = s;
}

/* How long it is not known what the session did: since the server went silent, or since we last
 * saw it when we start again. NULL: a session that is new. */
static int64_t blind_ms(const struct tracker *t, const struct open_session *s, int64_t now_us)
{
    int64_t since_us = t->blind_since_us;
    if (s && (s->is_seeded || since_us != TIME_NONE) && since_us < s->last.observed_us)
        since_us = s->last.observed_us;
    if (since_us == TIME_NONE || since_us >= now_us)
        return 0;
    int64_t ms = (now_us - since_us) / US_PER_MS;
    return ms ? ms : 1;
}

/* How long ago a change may have happened that nobody announced. */
static int64_t unsure_ms(int64_t since_us, bool is_announced, int64_t now_us)
{
    if (is_announced || since_us == TIME_NONE || now_us - since_us <= UNSURE_US)
        return 0;
    return (now_us - since_us) / US_PER_MS;
}

static void tell(struct tracker *t, struct open_session *s)
{
    s->told_us = s->last.observed_us;
    s->told_position_ms = s->last.position_ms;
    t->emit(t->ctx, &s->last);
    s->last.blind_ms = 0;
}

void tracker_blind(struct tracker *t, int64_t since_us)
{
    bool was_blind = t->blind_since_us != TIME_NONE;
    if (was_blind && since_us >= t->blind_since_us)
        return;
    t->blind_since_us = since_us;
    for (struct open_session *s = t->open; s && !was_blind; s = s->next) {
        if (since_us > s->last.observed_us)
            s->last.observed_us = since_us;
        if (s->last.observed_us > s->told_us)
            tell(t, s);
    }
}

static void stop(struct tracker *t, struct open_session *s, bool is_announced, int64_t now_us)
{
    struct observation o = s->last;
    o.state = PLAY_STOPPED;
    o.blind_ms = blind_ms(t, s, now_us);
    o.is_interrupted = o.blind_ms > 0;
    if (!o.is_interrupted) {
        o.blind_ms = unsure_ms(o.observed_us, is_announced, now_us);
        o.observed_us = now_us > o.observed_us ? now_us : o.observed_us;
    }
    t->emit(t->ctx, &o);
    unlink_session(t, s);
    free_session(s);
}

static void start(struct tracker *t, const struct observation *seen, bool is_announced,
                  int64_t now_us)
{
    struct open_session *s = xcalloc(1, sizeof(*s));
    s->key = xstrdup(seen->session);
    observation_copy(&s->arena, seen, &s->last);
    t->newest_id_us = now_us > t->newest_id_us ? now_us : t->newest_id_us + 1;
    s->last.server = t->server;
    s->last.session = arena_printf(&s->arena, "%s@%lld", s->key, (long long)t->newest_id_us);
    s->last.observed_us = now_us;
    s->last.is_interrupted = false;
    s->last.blind_ms = blind_ms(t, NULL, now_us);
    if (!s->last.blind_ms)
        s->last.blind_ms = unsure_ms(t->looked_us, is_announced, now_us);
    s->is_listed = true;
    s->next = t->open;
    t->open = s;
    tell(t, s);
}

/* Unknown on either side never tells two apart. */
static bool differs(const char *a, const char *b)
{
    return *a && *b && !streq(a, b);
}

static bool is_another(const struct observation *a, const struct observation *b)
{
    if (differs(a->item_key, b->item_key) || differs(a->account_key, b->account_key) ||
        differs(a->machine_id, b->machine_id))
        return true;
    return !*a->item_key && !*b->item_key && differs(a->title, b->title);
}

static bool is_jump(const struct observation *a, const struct observation *b)
{
    if (a->position_ms < 0 || b->position_ms < 0 || a->position_ms == b->position_ms)
        return false;
    int64_t moved_ms = b->position_ms - a->position_ms;
    int64_t passed_ms = (b->observed_us - a->observed_us) / US_PER_MS;
    /* Positions come late, so running behind the clock is no news; running back or ahead is. */
    return moved_ms < -JUMP_MS || moved_ms > passed_ms + 10 * JUMP_MS;
}

static void tell_progress(struct tracker *t, struct open_session *s, const struct observation *old)
{
    int64_t silent_us = s->last.observed_us - s->told_us;
    bool has_moved = s->last.position_ms != s->told_position_ms;
    if (s->last.blind_ms || is_jump(old, &s->last) || (has_moved && silent_us >= PROGRESS_US) ||
        silent_us >= HEARTBEAT_US)
        tell(t, s);
}

static void go_on(struct tracker *t, struct open_session *s, const struct observation *seen,
                  bool is_announced, int64_t now_us)
{
    struct observation o = *seen;
    o.server = t->server;
    o.session = s->last.session;
    o.observed_us = now_us > s->last.observed_us ? now_us : s->last.observed_us;
    o.blind_ms = blind_ms(t, s, now_us);
    o.is_interrupted = false;
    if (o.position_ms < 0)
        o.position_ms = s->last.position_ms;
    s->is_seeded = false;
    if (observation_same_but_progress(&s->last, &o)) {
        struct observation old = s->last;
        s->last.observed_us = o.observed_us;
        s->last.position_ms = o.position_ms;
        s->last.bandwidth_kbps = o.bandwidth_kbps;
        s->last.blind_ms = o.blind_ms;
        tell_progress(t, s, &old);
        return;
    }
    if (!o.blind_ms && o.state != s->last.state)
        o.blind_ms = unsure_ms(s->last.observed_us, is_announced, now_us);
    struct arena arena = {0};
    struct observation kept;
    observation_copy(&arena, &o, &kept);
    arena_done(&s->arena);
    s->arena = arena;
    s->last = kept;
    tell(t, s);
}

void tracker_snapshot(struct tracker *t, const struct observation *sessions, size_t count,
                      bool is_announced, int64_t now_us)
{
    for (struct open_session *s = t->open; s; s = s->next)
        s->is_listed = false;
    /* Stops first: what ended frees its key, and readers never see one device twice. */
    for (size_t i = 0; i < count; i++) {
        struct open_session *s = find(t, sessions[i].session);
        if (s && !s->is_listed && !is_another(&s->last, &sessions[i]))
            s->is_listed = true;
    }
    for (struct open_session *s = t->open, *next; s; s = next) {
        next = s->next;
        if (!s->is_listed)
            stop(t, s, is_announced, now_us);
        else
            s->is_listed = false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!*sessions[i].session || sessions[i].state == PLAY_STOPPED)
            continue;
        struct open_session *s = find(t, sessions[i].session);
        if (s && s->is_listed)
            continue;
        if (s && is_another(&s->last, &sessions[i]))
            continue;
        if (s) {
            s->is_listed = true;
            go_on(t, s, &sessions[i], is_announced, now_us);
        } else {
            start(t, &sessions[i], is_announced, now_us);
        }
    }
    t->blind_since_us = TIME_NONE;
    t->looked_us = now_us;
}

static bool agrees(const struct open_session *s, const struct tracker_hint *h, int64_t now_us)
{
    if (s->is_seeded || h->state != s->last.state || differs(h->item_key, s->last.item_key))
        return false;
    if (h->full) {
        struct observation o = *h->full;
        o.server = s->last.server;
        o.session = s->last.session;
        if (!observation_same_but_progress(&s->last, &o))
            return false;
    }
    if (h->position_ms < 0 || s->last.position_ms < 0)
        return h->position_ms < 0;
    int64_t moved_ms = h->position_ms - s->last.position_ms;
    int64_t passed_ms = (now_us - s->last.observed_us) / US_PER_MS;
    return moved_ms >= 0 && moved_ms <= passed_ms + HINT_AHEAD_MS;
}

bool tracker_hint(struct tracker *t, const struct tracker_hint *hints, size_t count, bool is_whole,
                  int64_t now_us)
{
    if (t->blind_since_us != TIME_NONE || (is_whole && count != tracker_open_count(t)))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct open_session *s = find(t, hints[i].session);
        if (!s || !agrees(s, &hints[i], now_us))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct open_session *s = find(t, hints[i].session);
        if (!s)
            return false;
        struct observation old = s->last;
        s->last.observed_us = now_us > old.observed_us ? now_us : old.observed_us;
        if (hints[i].position_ms >= 0)
            s->last.position_ms = hints[i].position_ms;
        tell_progress(t, s, &old);
    }
    return true;
}
