#include "sources/source.h"

#include <math.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"

#include "base/banned.h"

#define POLL_GAP_US (200 * US_PER_MS) /* a flood of notifications makes no flood of requests */
#define RECHECK_US (2 * US_PER_S)
#define OPEN_POLL_US (5 * US_PER_S) /* a silence of OPEN_POLL_US + SLOW_US is always noticed */
/* An answer that took longer may be about anything that happened since the last word before it. */
#define SLOW_US (2 * US_PER_S)
#define LATE_US US_PER_S
#define BACKOFF_LEAST_US US_PER_S
#define BACKOFF_MOST_US (60 * US_PER_S)
#define BACKOFF_OPEN_US (10 * US_PER_S) /* while it is not known what goes on with open sessions */
#define WANTS_US (1500 * US_PER_MS)
#define POLLING_DEFAULT_US (30 * US_PER_S)
#define SYNC_DEFAULT_US (5 * US_PER_MIN)
/* Players report every 10 s: a socket that tells nothing of one for so long never will. */
#define MUTE_US (15 * US_PER_S)
#define SYNC_RETRY_US US_PER_MIN
#define IDENTITY_RETRY_US (30 * US_PER_S)
/* A clock that differs by less is right: it is told to the second, and an answer takes its time. */
#define CLOCK_RIGHT_US (5 * US_PER_S)

enum {
    POLL_TIMEOUT_MS = 10000,
    WANT_TIMEOUT_MS = 2000,
    SYNC_TIMEOUT_MS = 60000,
    SNAPSHOT_BYTES_MAX = 16 * 1024 * 1024,
    SYNC_BYTES_MAX = 64 * 1024 * 1024,
    MESSAGE_BYTES_MAX = 4 * 1024 * 1024,
    POSITION_BYTES_MAX = 64 * 1024, /* with LIBRARIES_MAX libraries */
    HISTORY_PERCENT = 60,           /* of a backfill; the rest is what libraries hold */
    JSON_DEPTH = 48,
    BLIND_AFTER_FAILURES = 3, /* with the socket open; without it at once */
};

static void poll_soon(struct source *s, int64_t delay_us);
static void start_socket(struct source *s);
static void try_token_in_address(struct source *s);
static void start_sync(void *ctx);

const char *source_state_name(enum source_state s)
{
    static const char *const names[SOURCE_STATES] = {
        "connecting", "connected", "polling", "blind", "unauthorized", "unreachable",
    };
    return names[s];
}

static const struct source_ops *const kinds[SERVER_KINDS] = {
#define SERVER_KIND(NAME, word, ...) &word##_source,
#include "model/server_kinds.def"
#undef SERVER_KIND
};

const struct source_ops *source_ops_of(enum server_kind k)
{
    return kinds[k];
}

enum server_kind source_kind_of(const json_t *root, struct source_names *ret)
{
    unsigned k = 0;
    while (k < SERVER_KINDS && !kinds[k]->recognize(root, ret))
        k++;
    return (enum server_kind)k;
}

char *source_base_url(const struct source_config *c)
{
    struct str url = str_of(c->url);
    struct str prefix = str_of(kinds[c->kind]->prefix);
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    if (url.len > prefix.len) {
        struct str tail = {url.ptr + url.len - prefix.len, prefix.len};
        url.len -= str_eq_nocase(tail, prefix) ? prefix.len : 0;
    }
    return xstrndup(url.ptr, url.len);
}

void source_add_header(struct source_request *r, const char *fmt, ...)
{
    if (r->count == SOURCE_HEADERS_MAX)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text[strcspn(text, "\r\n")] = '\0';
    r->headers[r->count++] = xstrdup(text);
    secret_wipe(text, sizeof(text));
}

void source_request_done(struct source_request *r)
{
    for (size_t i = 0; i < r->count; i++) {
        secret_wipe(r->headers[i], strlen(r->headers[i]));
        free(r->headers[i]);
    }
}
#define auto_request __attribute__((cleanup(source_request_done)))

/* Between half and the whole of 1, 2, 4, ... 60 s. */
static int64_t backoff_us(unsigned failures)
{
    int64_t most = BACKOFF_LEAST_US << (failures < 6 ? failures : 6);
    most = most < BACKOFF_MOST_US ? most : BACKOFF_MOST_US;
    uint32_t random = 0;
    (void)!getrandom(&random, sizeof(random), 0);
    int64_t us = most / 2 + (int64_t)(random % (uint64_t)(most / 2 + 1));
    return us > BACKOFF_LEAST_US ? us : BACKOFF_LEAST_US;
}

static struct http_call *fetch(struct source *s, const char *path, int64_t timeout_ms,
                               size_t most_bytes,
                               void (*done)(void *ctx, const struct http_answer *a))
{
    const char *prefix = s->ops->prefix ? s->ops->prefix : "";
    auto_free char *url = xasprintf("%s%s%s", s->base_url, prefix, path);
    auto_request struct source_request r = {0};
    source_add_header(&r, "Accept: application/json");
    s->ops->headers(s, &r);
    return http_fetch(s->loop,
                      &(struct http_request){.url = url,
                                             .headers = (const char *const *)r.headers,
                                             .timeout_ms = timeout_ms,
                                             .most_bytes = most_bytes,
                                             .tls = s->config->tls},
                      done, s);
}

static void compare_clocks(struct source *s, const struct http_answer *a)
{
    if (a->status != STATUS_OK || a->server_us == TIME_NONE)
        return;
    int64_t ahead_us = a->server_us - clock_now_us();
    bool was_right = s->ahead_us == 0;
    s->ahead_us = ahead_us > -CLOCK_RIGHT_US && ahead_us < CLOCK_RIGHT_US ? 0 : ahead_us;
    if (was_right && s->ahead_us)
        log_warn("sources", "the server's clock is wrong; its history is read by ours",
                 LF_TEXT("server", s->config->key), LF_INT("ahead_s", s->ahead_us / US_PER_S));
}

/* The answer as JSON, or why not: refused, another code, not JSON. */
static enum status read_answer(const struct http_answer *a, size_t most_bytes, json_t **ret,
                               struct error *err)
{
    if (a->status != STATUS_OK) {
        *err = a->error;
        return a->status;
    }
    if (a->code == 401 || a->code == 403)
        return fail(err, STATUS_UNAUTHORIZED, "the server refuses the token (HTTP %d)", a->code);
    if (a->code == 404)
        return fail(err, STATUS_NOT_FOUND, "the server does not know the address (HTTP 404)");
    if (a->code < 200 || a->code > 299)
        return fail(err, STATUS_UNAVAILABLE, "the server answers HTTP %d", a->code);
    struct str body = str_trim(a->body);
    if (body.len && body.ptr[0] == '<')
        return fail(err, STATUS_PROTOCOL, "the answer is a web page or XML, not JSON");
    if (json_parse(a->body, most_bytes, JSON_DEPTH, ret, err) != STATUS_OK)
        return fail(err, STATUS_PROTOCOL, "the answer is not JSON");
    return STATUS_OK;
}

/* --- what is told ------------------------------------------------------------------------- */

void source_append(struct source *s, enum log_kind kind, const struct buf *payload)
{
    if (payload->is_overflowed)
        log_warn("sources", "a record was too large", LF_TEXT("server", s->config->key));
    else
        s->sink->append(s->sink->ctx, kind, buf_str(payload));
}

void source_append_changed(struct source *s, enum log_kind kind, char **last,
                           const struct buf *payload)
{
    if (*last && streq(*last, buf_text(payload)))
        return;
    free(*last);
    *last = xstrdup(buf_text(payload));
    source_append(s, kind, payload);
}

static void flush(struct source *s)
{
    s->sink->flush(s->sink->ctx);
}

static void emit(void *ctx, const struct observation *o)
{
    struct source *s = ctx;
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    observation_write(&w, o);
    source_append(s, LOG_OBSERVATION, &b);
    s->sink->observed(s->sink->ctx, o);
}

static void changed(struct source *s)
{
    s->status.open_sessions = (unsigned)tracker_open_count(s->tracker);
    s->sink->changed(s->sink->ctx, s);
}

static void tell_coverage(struct source *s, enum source_state state, int64_t at_us,
                          const char *why)
{
    if (s->coverage == state)
        return;
    s->coverage = state;
    if (state == SOURCE_BLIND)
        s->blind_since_us = at_us;
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_int(&w, "at_us", at_us);
    jw_kv_text(&w, "state", source_state_name(state));
    jw_kv_text(&w, "why", why);
    jw_object_end(&w);
    source_append(s, LOG_COVERAGE, &b);
}

static void go_blind(struct source *s, int64_t since_us, const char *why)
{
    tracker_blind(s->tracker, since_us);
    tell_coverage(s, SOURCE_BLIND, since_us, why);
}

/* Works out the state from what is known; err is why the last attempt failed, or NULL. */
static void update_state(struct source *s, const struct error *err)
{
    enum source_state old = s->status.state;
    int64_t now_us = clock_now_us();
    if (s->poll_failures == 0 && s->last_good_us != TIME_NONE) {
        s->status.state = s->is_ws_open ? SOURCE_CONNECTED : SOURCE_POLLING;
        tell_coverage(s, s->status.state, now_us, err ? err->text : "");
    } else if (s->poll_failures && (!s->is_ws_open || s->poll_failures >= BLIND_AFTER_FAILURES)) {
        s->status.state = s->is_unauthorized ? SOURCE_UNAUTHORIZED
                          : s->was_reached   ? SOURCE_BLIND
                                             : SOURCE_UNREACHABLE;
        int64_t since_us = s->last_good_us != TIME_NONE ? s->last_good_us : s->started_us;
        go_blind(s, since_us, err ? err->text : "");
    }
    snprintf(s->status.error, sizeof(s->status.error), "%s", err ? err->text : "");
    if (old != s->status.state) {
        if (err && s->status.state != SOURCE_POLLING)
            log_warn("sources", source_state_name(s->status.state),
                     LF_TEXT("server", s->config->key), LF_ERROR(err));
        else
            log_info("sources", source_state_name(s->status.state),
                     LF_TEXT("server", s->config->key));
    }
    changed(s);
    flush(s);
}

enum source_hint source_hint(struct source *s, const struct tracker_hint *hints, size_t count,
                             bool is_whole)
{
    /* From a server that does not answer, a message may be as old as its silence. */
    if (s->poll_failures ||
        (s->asked_us != TIME_NONE && clock_monotonic_us() - s->asked_us > LATE_US))
        return HINT_POLL;
    return tracker_hint(s->tracker, hints, count, is_whole, clock_now_us()) ? HINT_AGREES
                                                                             : HINT_POLL;
}

static int within(int percent)
{
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

void source_set_percent(struct source *s, int percent)
{
    s->status.percent = within(percent) * HISTORY_PERCENT / 100;
    changed(s);
}

void source_set_inventory_percent(struct source *s, int percent)
{
    /* At the whole it is known only when it is told. */
    s->status.percent = HISTORY_PERCENT + within(percent) * (99 - HISTORY_PERCENT) / 100;
    changed(s);
}

static bool has_configured_place(const struct source *s)
{
    return fpclassify(s->config->latitude) != FP_ZERO || fpclassify(s->config->longitude) != FP_ZERO;
}

void source_set_public_address(struct source *s, const char *address)
{
    if (has_configured_place(s) || (s->public_address && streq(s->public_address, address)))
        return;
    free(s->public_address);
    s->public_address = xstrdup(address);
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_text(&w, "public_address", address);
    jw_object_end(&w);
    source_append(s, LOG_SERVER, &b);
}

static void tell_items(struct source *s)
{
    s->status.items = inventory_total(&s->inventory);
    changed(s);
}

/* record: NULL: nothing was read. */
static void read_position(struct source *s, const json_t *record)
{
    s->ops->position_read(s, jget(record, "position"));
    inventory_read(&s->inventory, jget(record, "inventory"));
    tell_items(s);
}

/* What was read of this very server before we started. */
static void restore_position(struct source *s, const char *machine_id)
{
    auto_json json_t *record = NULL;
    const char *text = s->config->position;
    if (text && json_parse(str_of(text), POSITION_BYTES_MAX, 4, &record, NULL) == STATUS_OK &&
        streq(jstr(record, "machine_id"), machine_id))
        read_position(s, record);
}

static void tell_position(struct source *s)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_text(&w, "machine_id", s->machine_id);
    jw_kv_object(&w, "position");
    s->ops->position_write(s, &w);
    jw_object_end(&w);
    inventory_write(&s->inventory, &w);
    jw_object_end(&w);
    source_append_changed(s, LOG_POSITION, &s->position, &b);
}

static void set_identity(struct source *s, const struct source_names *n)
{
    if (!s->machine_id) {
        restore_position(s, n->machine_id);
    } else if (!streq(s->machine_id, n->machine_id)) {
        log_warn("sources", "another server answers at this address",
                 LF_TEXT("server", s->config->key), LF_TEXT("machine_id", n->machine_id));
        read_position(s, NULL);
    }
    free(s->machine_id);
    s->machine_id = xstrdup(n->machine_id);
    if (!s->config->name && *n->name)
        snprintf(s->status.name, sizeof(s->status.name), "%s", n->name);
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "server", s->config->key);
    jw_kv_text(&w, "kind", server_kind_name(s->config->kind));
    jw_kv_text(&w, "name", s->status.name);
    jw_kv_text(&w, "machine_id", n->machine_id);
    if (has_configured_place(s)) {
        jw_kv_double(&w, "latitude", s->config->latitude);
        jw_kv_double(&w, "longitude", s->config->longitude);
    }
    jw_kv_text(&w, "version", n->version);
    if (*n->owner_login)
        jw_kv_text(&w, "owner_login", n->owner_login);
    jw_object_end(&w);
    source_append_changed(s, LOG_SERVER, &s->identity_told, &b);
}

void source_write_members(struct json_writer *w, const struct observation *item)
{
    const struct {
        const char *key, *text;
    } texts[] = {
        {"media_type", item->media_type},
        {"item_key", item->item_key},
        {"file_key", item->file_key},
        {"guid", item->guid},
        {"provider_ids", item->provider_ids},
        {"title", item->title},
        {"parent_title", item->parent_title},
        {"grandparent_title", item->grandparent_title},
        {"grandparent_key", item->grandparent_key},
        {"library_key", item->library_key},
        {"library_name", item->library_name},
        {"content_rating", item->content_rating},
        {"genres", item->genres},
        {"container", item->container},
        {"video_codec", item->video_codec},
        {"video_resolution", item->video_resolution},
        {"video_dynamic_range", item->video_dynamic_range},
        {"audio_codec", item->audio_codec},
    };
    const struct {
        const char *key;
        int64_t value;
    } ints[] = {
        {"duration_ms", item->duration_ms},
        {"year", item->year},
        {"season", item->season},
        {"episode", item->episode},
        {"bitrate_kbps", item->bitrate_kbps},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (*texts[i].text)
            jw_kv_text(w, texts[i].key, texts[i].text);
    for (size_t i = 0; i < ARRAY_LEN(ints); i++)
        if (ints[i].value >= 0)
            jw_kv_int(w, ints[i].key, ints[i].value);
}

void source_write_view(const struct source *s, struct json_writer *w, const char *source_id,
                       const char *account_key, int64_t at_us, int64_t ended_us,
                       const struct observation *item)
{
    jw_object(w);
    jw_kv_int(w, "at_us", at_us - s->ahead_us);
    if (ended_us != TIME_NONE)
        jw_kv_int(w, "ended_us", ended_us - s->ahead_us);
    jw_kv_text(w, "source_id", source_id);
    if (*account_key)
        jw_kv_text(w, "account_key", account_key);
    source_write_members(w, item);
    jw_object_end(w);
}

/* --- identity ----------------------------------------------------------------------------- */

static void ask_identity(void *ctx);
static void apply_snapshot(struct source *s);

static enum status take_identity(struct source *s, const json_t *root, struct error *err)
{
    struct source_names names;
    enum server_kind kind = source_kind_of(root, &names);
    const struct server_kind_row *wanted = &server_kinds[s->config->kind];
    if (kind == SERVER_KINDS)
        return fail(err, STATUS_PROTOCOL, "the server does not say who it is");
    if (kind != s->config->kind)
        return fail(err, STATUS_PROTOCOL, "this is %s %s server, not %s %s server",
                    server_kinds[kind].article, server_kinds[kind].label, wanted->article,
                    wanted->label);
    set_identity(s, &names);
    return STATUS_OK;
}

static void took_identity(void *ctx, const struct http_answer *a)
{
    struct source *s = ctx;
    auto_json json_t *root = NULL;
    struct error err;
    s->identity = NULL;
    if (a->status == STATUS_CANCELLED)
        return;
    enum status status = read_answer(a, SNAPSHOT_BYTES_MAX, &root, &err);
    if (status == STATUS_OK)
        status = take_identity(s, root, &err);
    /* Only of a server that is known it is known how far its history was read. */
    if (!s->is_sync_running && s->status.percent < 100) {
        loop_timer_cancel(s->loop, s->sync_timer);
        start_sync(s);
    }
    if (status == STATUS_OK) {
        flush(s);
    } else {
        log_warn("sources", "the server's identity is not known", LF_TEXT("server", s->config->key),
                 LF_ERROR(&err));
        if (!s->identity_timer)
            s->identity_timer = loop_timer_start(s->loop, IDENTITY_RETRY_US, ask_identity, s);
    }
    if (s->snapshot && !s->want)
        apply_snapshot(s);
}

static void ask_identity(void *ctx)
{
    struct source *s = ctx;
    s->identity_timer = NULL;
    if (!s->identity)
        s->identity =
            fetch(s, s->ops->identity_path, POLL_TIMEOUT_MS, SNAPSHOT_BYTES_MAX, took_identity);
}

/* --- polling ------------------------------------------------------------------------------ */

/* Where polling is off only a connect, a hint and an open session are reasons to ask. */
static void schedule_poll(struct source *s)
{
    bool has_open = tracker_open_count(s->tracker) > 0;
    bool is_recheck = s->is_recheck_due && (has_open || !s->config->is_polling);
    int64_t delay_us = s->config->polling_interval_us > 0 ? s->config->polling_interval_us
                                                          : POLLING_DEFAULT_US;
    if (!s->config->is_polling && !has_open && !is_recheck)
        return;
    if (has_open && delay_us > OPEN_POLL_US)
        delay_us = OPEN_POLL_US;
    if (is_recheck) {
        s->is_recheck_due = false;
        delay_us = RECHECK_US < delay_us ? RECHECK_US : delay_us;
    }
    poll_soon(s, delay_us);
}

static void poll_over(struct source *s)
{
    if (s->is_poll_wanted) {
        s->is_poll_wanted = false;
        poll_soon(s, 0);
    } else {
        schedule_poll(s);
    }
}

static void poll_failed(struct source *s, const struct error *err)
{
    s->is_unauthorized = err->status == STATUS_UNAUTHORIZED;
    s->ws_refused_us = TIME_NONE;
    unsigned failures = s->poll_failures++;
    s->is_poll_wanted = s->is_recheck_due = false;
    s->is_hinted = s->is_hinted || s->is_announced;
    update_state(s, err);
    int64_t delay_us = failures ? backoff_us(failures - 1) : POLL_GAP_US;
    if (tracker_open_count(s->tracker) && delay_us > BACKOFF_OPEN_US)
        delay_us = BACKOFF_OPEN_US;
    poll_soon(s, delay_us);
}

static void apply_snapshot(struct source *s)
{
    auto_arena struct arena a = {0};
    auto_json json_t *root = s->snapshot;
    s->snapshot = NULL;
    struct observation *seen;
    size_t count;
    struct error err;
    if (s->ops->snapshot(s, root, &a, &seen, &count, &err) != STATUS_OK) {
        poll_failed(s, &err);
        return;
    }
    bool had_failed = s->poll_failures;
    if (s->was_slow && s->last_good_us != TIME_NONE && s->coverage != SOURCE_BLIND)
        go_blind(s, s->last_good_us, "no answer in time");
    s->poll_failures = 0;
    s->asked_us = TIME_NONE;
    s->is_unauthorized = false;
    s->was_reached = true;
    s->last_good_us = s->status.last_event_us = s->snapshot_us;
    /* A socket that was open since the last look would have told of an older change. */
    tracker_snapshot(s->tracker, seen, count, s->is_announced || s->is_ws_steady, s->snapshot_us);
    s->is_ws_steady = s->is_ws_open && s->has_ws_told;
    try_token_in_address(s);
    update_state(s, NULL);
    if ((had_failed || !s->machine_id) && !s->identity && !s->identity_timer)
        ask_identity(s);
    poll_over(s);
}

static void next_want(struct source *s);

static void took_wanted(void *ctx, const struct http_answer *a)
{
    struct source *s = ctx;
    auto_json json_t *root = NULL;
    struct error err;
    s->want = NULL;
    auto_free char *key = s->want_key;
    s->want_key = NULL;
    if (a->status == STATUS_CANCELLED)
        return;
    enum status status = read_answer(a, SNAPSHOT_BYTES_MAX, &root, &err);
    if (a->status == STATUS_OK)
        s->ops->wanted(s, key, status == STATUS_OK ? root : NULL);
    else
        s->wants_until_us = 0; /* slow or gone: asked for again with the next snapshot */
    next_want(s);
}

static void next_want(struct source *s)
{
    auto_buf struct buf path = {0};
    auto_buf struct buf key = {0};
    if (s->ops->wants && clock_monotonic_us() < s->wants_until_us &&
        s->ops->wants(s, s->snapshot, &path, &key)) {
        s->want_key = buf_steal(&key);
        s->want = fetch(s, buf_text(&path), WANT_TIMEOUT_MS, SNAPSHOT_BYTES_MAX, took_wanted);
        return;
    }
    /* The first one: whose plays these are is told before the plays. */
    if (s->last_good_us == TIME_NONE && !s->machine_id && !s->identity_timer)
        ask_identity(s);
    else
        apply_snapshot(s);
}

static void took_sessions(void *ctx, const struct http_answer *a)
{
    struct source *s = ctx;
    struct error err;
    s->poll = NULL;
    if (a->status == STATUS_CANCELLED)
        return;
    s->was_reached = a->status == STATUS_OK;
    compare_clocks(s, a);
    json_t *root = NULL;
    if (read_answer(a, SNAPSHOT_BYTES_MAX, &root, &err) != STATUS_OK) {
        poll_failed(s, &err);
        return;
    }
    s->snapshot = root;
    s->snapshot_us = clock_now_us();
    s->was_slow = clock_monotonic_us() - s->asked_us > SLOW_US;
    s->wants_until_us = clock_monotonic_us() + WANTS_US;
    next_want(s);
}

static void poll_now(void *ctx)
{
    struct source *s = ctx;
    s->poll_timer = NULL;
    s->polled_us = clock_monotonic_us();
    if (s->asked_us == TIME_NONE)
        s->asked_us = s->polled_us;
    s->is_announced = s->is_hinted;
    s->is_hinted = false;
    s->poll =
        fetch(s, s->ops->sessions_path, POLL_TIMEOUT_MS, SNAPSHOT_BYTES_MAX, took_sessions);
}

/* At most one poll is under way, and polls keep their distance. */
static void poll_soon(struct source *s, int64_t delay_us)
{
    if (s->poll || s->snapshot) {
        s->is_poll_wanted = true;
        return;
    }
    int64_t gap_us = s->polled_us + POLL_GAP_US - clock_monotonic_us();
    loop_timer_cancel(s->loop, s->poll_timer);
    s->poll_timer =
        loop_timer_start(s->loop, delay_us > gap_us ? delay_us : gap_us, poll_now, s);
}

/* --- the socket --------------------------------------------------------------------------- */

static void reopen_socket(void *ctx)
{
    struct source *s = ctx;
    s->ws_timer = NULL;
    start_socket(s);
}

static void send_keep_alive(void *ctx)
{
    struct source *s = ctx;
    s->keep_alive = loop_timer_start(s->loop, s->keep_alive_us, send_keep_alive, s);
    if (s->is_ws_open)
        (void)ws_send(s->ws, STR("{\"MessageType\":\"KeepAlive\"}"), NULL);
}

void source_keep_alive(struct source *s, int64_t interval_us)
{
    if (s->keep_alive && s->keep_alive_us == interval_us)
        return;
    loop_timer_cancel(s->loop, s->keep_alive);
    s->keep_alive_us = interval_us;
    send_keep_alive(s);
}

static void socket_opened(void *ctx)
{
    struct source *s = ctx;
    s->is_ws_open = true;
    s->has_ws_told = false;
    s->ws_opened_us = clock_monotonic_us();
    s->ws_failures = 0;
    if (s->ops->socket_opened)
        s->ops->socket_opened(s);
    update_state(s, NULL);
    poll_soon(s, 0); /* what happened before is not told again */
}

static void socket_message(void *ctx, struct str text)
{
    struct source *s = ctx;
    auto_json json_t *root = NULL;
    enum source_hint hint = HINT_POLL;
    if (json_parse(text, MESSAGE_BYTES_MAX, JSON_DEPTH, &root, NULL) == STATUS_OK)
        hint = s->ops->message(s, root);
    s->has_ws_told = s->has_ws_told || hint != HINT_NOTHING;
    if (hint == HINT_POLL) {
        s->is_recheck_due = s->is_hinted = true;
        if (s->poll_failures == 0 || clock_monotonic_us() - s->polled_us >= BACKOFF_LEAST_US)
            poll_soon(s, 0);
    } else {
        if (s->asked_us == TIME_NONE && s->poll_failures == 0)
            s->last_good_us = clock_now_us();
        s->status.last_event_us = clock_now_us();
        changed(s);
        flush(s);
    }
}

static void drop_socket(struct source *s)
{
    s->is_ws_open = s->is_ws_steady = false;
    loop_timer_cancel(s->loop, s->keep_alive);
    s->keep_alive = NULL;
    ws_close(s->loop, s->ws);
    s->ws = NULL;
}

static void socket_closed(void *ctx, const struct error *why)
{
    struct source *s = ctx;
    bool was_open = s->is_ws_open;
    drop_socket(s);
    if (why->status == STATUS_CANCELLED)
        return;
    /* Until it fell silent the socket was as good as a poll. */
    if (was_open && why->status != STATUS_TIMEOUT && s->asked_us == TIME_NONE &&
        s->poll_failures == 0)
        s->last_good_us = clock_now_us();
    log_info("sources", "socket closed", LF_TEXT("server", s->config->key), LF_ERROR(why));
    if (why->status == STATUS_DENIED && s->poll_failures == 0 && s->ops->socket_token) {
        s->ws_refused_us = clock_monotonic_us();
        poll_soon(s, 0); /* is the token itself right? */
    }
    s->ws_timer = loop_timer_start(s->loop, backoff_us(s->ws_failures++), reopen_socket, s);
    if (was_open)
        update_state(s, why);
    /* Where polling is off the next try to connect is the time to ask. */
    if (s->poll_failures == 0 && was_open == s->config->is_polling)
        poll_soon(s, 0);
}

static void start_socket(struct source *s)
{
    static const struct ws_client_events events = {socket_opened, socket_message, socket_closed};
    auto_buf struct buf url = {0};
    buf_puts(&url, s->base_url);
    s->ops->socket(s, &url);
    if (s->is_token_in_address)
        s->ops->socket_token(s, &url);
    auto_request struct source_request r = {0};
    s->ops->headers(s, &r);
    s->ws = ws_open(s->loop,
                    &(struct ws_client_options){.url = buf_text(&url),
                                                .headers = (const char *const *)r.headers,
                                                .most_bytes = MESSAGE_BYTES_MAX,
                                                .tls = s->config->tls},
                    &events, s);
    secret_wipe(url.data, url.len);
}

/* Called when a poll was answered: the token itself is right. */
static void try_token_in_address(struct source *s)
{
    if (!s->ops->socket_token || s->is_token_in_address)
        return;
    bool is_refused = s->ws_refused_us != TIME_NONE && s->ws_refused_us <= s->polled_us;
    bool is_mute = s->is_ws_open && !s->has_ws_told && tracker_open_count(s->tracker) &&
                   clock_monotonic_us() - s->ws_opened_us >= MUTE_US;
    if (!is_refused && !is_mute)
        return;
    log_info("sources", "the socket takes no token from a header; trying it in the address",
             LF_TEXT("server", s->config->key));
    s->is_token_in_address = true;
    if (is_mute) {
        drop_socket(s);
        start_socket(s);
    }
}

/* --- backfill ----------------------------------------------------------------------------- */

/* What was read so far is in the log, and is not read again. */
static void keep_position(struct source *s)
{
    if (!s->is_sync_lost && s->machine_id)
        tell_position(s);
}

/* is_well: the accounts and the history were read; what libraries hold counts for itself. */
static void sync_over(struct source *s, bool is_well)
{
    s->is_sync_running = s->is_inventory = false;
    int64_t every_us =
        s->config->sync_interval_us > 0 ? s->config->sync_interval_us : SYNC_DEFAULT_US;
    if (s->is_sync_lost)
        read_position(s, NULL);
    s->is_sync_lost = false;
    if (is_well) {
        s->status.percent = 100;
        tell_items(s);
    } else {
        if (every_us > SYNC_RETRY_US)
            every_us = SYNC_RETRY_US;
        changed(s);
    }
    s->sync_timer = loop_timer_start(s->loop, every_us, start_sync, s);
    flush(s);
}

/* Of the part that runs: the history, or what libraries hold. */
static void set_sync_error(struct source *s, const char *text)
{
    char *error = s->is_inventory ? s->status.items_error : s->status.history_error;
    snprintf(error, ERROR_TEXT_MAX, "%s", text);
}

/* Also of libraries that were read before one that was not. */
static void keep_inventory(struct source *s)
{
    if (s->is_inventory)
        keep_position(s);
}

static void next_sync(struct source *s);

static void took_sync(void *ctx, const struct http_answer *a)
{
    struct source *s = ctx;
    auto_json json_t *root = NULL;
    struct error err;
    s->sync = NULL;
    if (a->status == STATUS_CANCELLED)
        return;
    enum status status = read_answer(a, SYNC_BYTES_MAX, &root, &err);
    if (status == STATUS_OK)
        status = s->is_inventory ? inventory_take(s, root, &err) : s->ops->sync_take(s, root, &err);
    flush(s);
    if (status != STATUS_OK) {
        log_warn("sources", s->is_inventory ? "libraries were not read" : "backfill failed",
                 LF_TEXT("server", s->config->key), LF_ERROR(&err));
        set_sync_error(s, err.text);
        keep_inventory(s);
        sync_over(s, s->is_inventory);
        return;
    }
    next_sync(s);
}

static void next_sync(struct source *s)
{
    auto_buf struct buf path = {0};
    if (!s->is_inventory && !s->ops->sync_next(s, &path)) {
        log_debug("sources", "backfill done", LF_TEXT("server", s->config->key));
        set_sync_error(s, "");
        keep_position(s);
        s->is_inventory = true;
        inventory_begin(s);
    }
    if (s->is_inventory && !inventory_next(s, &path)) {
        const char *gap = inventory_gap(&s->inventory);
        set_sync_error(s, gap ? gap : "");
        keep_inventory(s);
        sync_over(s, true);
        return;
    }
    s->sync = fetch(s, buf_text(&path), SYNC_TIMEOUT_MS, SYNC_BYTES_MAX, took_sync);
}

static void start_sync(void *ctx)
{
    struct source *s = ctx;
    s->sync_timer = NULL;
    if (s->is_sync_running)
        return;
    s->is_sync_running = true;
    s->ops->sync_reset(s);
    inventory_list(&s->inventory);
    next_sync(s);
}

void source_sync_now(struct source *s)
{
    if (s->is_sync_running)
        return;
    loop_timer_cancel(s->loop, s->sync_timer);
    source_set_percent(s, 0);
    start_sync(s);
}

void source_lost(struct source *s)
{
    s->is_sync_lost = true;
}

/* --- life --------------------------------------------------------------------------------- */

struct source *source_new(const struct source_config *c, struct loop *l,
                          const struct source_sink *sink)
{
    struct source *s = xcalloc(1, sizeof(*s));
    s->config = c;
    s->ops = kinds[c->kind];
    s->loop = l;
    s->sink = sink;
    s->tracker = tracker_new(c->key, emit, s);
    s->started_us = clock_now_us();
    s->last_good_us = s->asked_us = s->ws_refused_us = TIME_NONE;
    s->blind_since_us = s->started_us;
    s->polled_us = clock_monotonic_us() - POLL_GAP_US;
    s->coverage = SOURCE_CONNECTING;
    s->status = (struct source_status){
        .state = SOURCE_CONNECTING, .percent = -1, .items = -1, .last_event_us = TIME_NONE};
    snprintf(s->status.key, sizeof(s->status.key), "%s", c->key);
    snprintf(s->status.name, sizeof(s->status.name), "%s", c->name ? c->name : c->key);
    s->base_url = source_base_url(c);
    return s;
}

void source_seed(struct source *s, const struct observation *open)
{
    tracker_seed(s->tracker, open);
}

void source_blind(struct source *s, int64_t since_us)
{
    s->coverage = SOURCE_BLIND; /* the log says so already */
    s->blind_since_us = since_us;
    tracker_blind(s->tracker, since_us);
}

static bool is_watched(const struct source *s)
{
    return s->coverage == SOURCE_CONNECTED || s->coverage == SOURCE_POLLING;
}

void source_alive(const struct source *s, struct alive_entry *ret)
{
    *ret = (struct alive_entry){.until_us = s->blind_since_us};
    snprintf(ret->key, sizeof(ret->key), "%s", s->config->key);
    if (!is_watched(s))
        return;
    ret->until_us = s->last_good_us;
    if (s->is_ws_open && s->asked_us == TIME_NONE && ws_heard_us(s->ws) > ret->until_us)
        ret->until_us = ws_heard_us(s->ws);
}

void source_start(struct source *s)
{
    changed(s);
    if (s->config->is_polling || !s->config->is_realtime)
        poll_soon(s, 0);
    if (s->config->is_realtime)
        start_socket(s);
}

void source_stop(struct source *s, const char *why)
{
    if (is_watched(s))
        go_blind(s, s->asked_us == TIME_NONE ? clock_now_us() : s->last_good_us, why);
}

void source_end(struct source *s, const char *why)
{
    source_stop(s, why);
    tracker_snapshot(s->tracker, NULL, 0, false, clock_now_us() + US_PER_MS);
}

void source_take_over(struct source *s, struct source *old, const char *why)
{
    source_stop(old, why);
    tracker_free(s->tracker);
    s->tracker = steal_ptr(&old->tracker);
    tracker_give(s->tracker, emit, s);
    s->blind_since_us = old->blind_since_us;
    if (old->coverage == SOURCE_BLIND)
        s->coverage = SOURCE_BLIND;
}

void source_rename(struct source *s, const struct source_config *c)
{
    s->config = c;
    if (c->name)
        snprintf(s->status.name, sizeof(s->status.name), "%s", c->name);
    changed(s);
    if (s->machine_id && !s->identity_timer)
        ask_identity(s); /* with it the store hears of the name */
}

void source_free(struct source *s)
{
    if (!s)
        return;
    struct loop_timer *const timers[] = {s->ws_timer, s->keep_alive, s->poll_timer,
                                         s->identity_timer, s->sync_timer};
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_timer_cancel(s->loop, timers[i]);
    struct http_call *const calls[] = {s->poll, s->want, s->identity, s->sync};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        http_call_cancel(s->loop, calls[i]);
    ws_close(s->loop, s->ws);
    json_decref(s->snapshot);
    s->ops->free(s);
    inventory_done(&s->inventory);
    tracker_free(s->tracker);
    free(s->want_key);
    free(s->machine_id);
    char *const told[] = {s->position, s->identity_told, s->accounts_told, s->libraries_told};
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        free(told[i]);
    free(s->public_address);
    free(s->base_url);
    free(s);
}
