#include "model/observation.h"

#include "base/clock.h"
#include "base/json_read.h"

#include "base/banned.h"

enum { TEXT_MAX = 2000, RECORD_MAX = 256 * 1024 };

const struct server_kind_row server_kinds[SERVER_KINDS] = {
#define SERVER_KIND(NAME, word, article, label, port, switch_env, realtime_env, token_env,  \
                    token_yaml, token)                                                      \
    {#word,     article,   label,            port, token, switch_env, #NAME "_URL",                 \
     token_env, #NAME "_SERVERS", #word "_servers"},
#include "model/server_kinds.def"
#undef SERVER_KIND
};
static const char *const state_names[] = {"playing", "paused", "buffering", "stopped"};

static bool find_name(const char *const *names, size_t count, struct str s, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(s, str_of(names[i]))) {
            *ret = i;
            return true;
        }
    return false;
}

const char *server_kind_name(enum server_kind k)
{
    return server_kinds[k].name;
}

bool server_kind_parse(struct str s, enum server_kind *ret)
{
    for (unsigned i = 0; i < SERVER_KINDS; i++)
        if (str_eq(s, str_of(server_kinds[i].name))) {
            *ret = (enum server_kind)i;
            return true;
        }
    return false;
}

const char *play_state_name(enum play_state s)
{
    return state_names[s];
}

bool play_state_parse(struct str s, enum play_state *ret)
{
    unsigned i;
    if (!find_name(state_names, ARRAY_LEN(state_names), s, &i))
        return false;
    *ret = (enum play_state)i;
    return true;
}

void observation_init(struct observation *o)
{
    *o = (struct observation){.server = "", .session = ""};
#define X(member) o->member = "";
    OBSERVATION_TEXTS(X)
#undef X
#define X(member) o->member = -1;
    OBSERVATION_INTS(X)
#undef X
}

void observation_copy(struct arena *a, const struct observation *from, struct observation *ret)
{
    *ret = *from;
    ret->server = arena_strdup(a, from->server);
    ret->session = arena_strdup(a, from->session);
#define X(member) ret->member = *from->member ? arena_strdup(a, from->member) : "";
    OBSERVATION_TEXTS(X)
#undef X
}

const char *plex_agent_id(struct arena *a, const char *media_type, const char *guid)
{
    static const char *const agents[][2] = {{"com.plexapp.agents.imdb://", "imdb"},
                                            {"com.plexapp.agents.themoviedb://", "tmdb"}};
    for (size_t i = 0; i < ARRAY_LEN(agents) && streq(media_type, "movie"); i++) {
        size_t skip = strlen(agents[i][0]);
        size_t len = strncmp(guid, agents[i][0], skip) == 0 ? strcspn(guid + skip, "?/ ") : 0;
        if (len)
            return arena_printf(a, "%s:%.*s", agents[i][1], (int)len, guid + skip);
    }
    return "";
}

bool observation_same_but_progress(const struct observation *a, const struct observation *b)
{
    if (a->state != b->state || !streq(a->server, b->server) || !streq(a->session, b->session))
        return false;
#define X(member)                      \
    if (!streq(a->member, b->member))  \
        return false;
    OBSERVATION_TEXTS(X)
#undef X
    struct observation c = *b;
    c.position_ms = a->position_ms;
    c.bandwidth_kbps = a->bandwidth_kbps;
#define X(member)                \
    if (a->member != c.member)   \
        return false;
    OBSERVATION_INTS(X)
#undef X
    return true;
}

void observation_write(struct json_writer *w, const struct observation *o)
{
    jw_object(w);
    jw_kv_text(w, "server", o->server);
    jw_kv_text(w, "session", o->session);
    jw_kv_int(w, "observed_us", o->observed_us);
    jw_kv_text(w, "state", play_state_name(o->state));
    if (o->blind_ms)
        jw_kv_int(w, "blind_ms", o->blind_ms);
    if (o->is_interrupted)
        jw_kv_bool(w, "interrupted", true);
#define X(member)       \
    if (*o->member)     \
        jw_kv_text(w, #member, o->member);
    OBSERVATION_TEXTS(X)
#undef X
#define X(member)            \
    if (o->member != -1)     \
        jw_kv_int(w, #member, o->member);
    OBSERVATION_INTS(X)
#undef X
    jw_object_end(w);
}

static const char *take_text(const json_t *root, const char *key, struct arena *a)
{
    char scratch[32];
    const char *s = jtext(root, key, scratch);
    if (!s || !*s)
        return "";
    size_t len = strlen(s);
    if (len > TEXT_MAX) {
        len = TEXT_MAX;
        while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
            len--;
    }
    return arena_strndup(a, s, len);
}

static void read_facts(const json_t *object, struct arena *a, struct observation *o)
{
#define X(member) o->member = take_text(object, #member, a);
    OBSERVATION_TEXTS(X)
#undef X
#define X(member) o->member = jint(object, #member, -1);
    OBSERVATION_INTS(X)
#undef X
}

void observation_read_facts(const json_t *object, struct arena *a, struct observation *ret)
{
    observation_init(ret);
    read_facts(object, a, ret);
}

enum status observation_read(const char *json, size_t len, struct arena *a,
                             struct observation *ret, struct error *err)
{
    auto_json json_t *root = NULL;
    TRY(json_parse((struct str){json, len}, RECORD_MAX, 4, &root, err));
    struct observation o;
    observation_init(&o);
    o.server = take_text(root, "server", a);
    o.session = take_text(root, "session", a);
    o.observed_us = jint(root, "observed_us", TIME_NONE);
    if (!*o.server || !*o.session || o.observed_us == TIME_NONE ||
        !play_state_parse(str_of(jstr(root, "state")), &o.state))
        return fail(err, STATUS_PROTOCOL,
                    "an observation needs server, session, observed_us and state");
    o.blind_ms = jint(root, "blind_ms", 0);
    o.is_interrupted = jbool(root, "interrupted") == 1;
    read_facts(root, a, &o);
    *ret = o;
    return STATUS_OK;
}
