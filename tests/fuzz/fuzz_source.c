/*
 * What a media server says, one line each: a letter for the kind of answer, then JSON. The vendor's
 * reading and the tracker run as in the collector, without a network. SOURCE is set by the build.
 *
 *     s sessions   m message on the socket   i identity   f facts of an item   y answer to a backfill
 *     r a backfill begins   w what libraries hold is next, whatever is left of the history
 */
#include "fuzz.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "sources/source.h"

enum { BYTES = 1 << 16, DEPTH = 48, LINES_MAX = 64 };

struct run {
    struct source source;
    int64_t now_us;
};

static void appended(void *ctx, enum log_kind kind, struct str payload)
{
    auto_json json_t *root = NULL;
    auto_arena struct arena a = {0};
    struct observation o;
    struct error err = {0};
    (void)ctx;
    CHECK(json_parse(payload, payload.len, 8, &root, &err) == STATUS_OK);
    CHECK(streq(jstr(root, "server"), "server-1"));
    if (kind == LOG_OBSERVATION)
        CHECK(observation_read(payload.ptr, payload.len, &a, &o, &err) == STATUS_OK);
}

static void observed(void *ctx, const struct observation *o)
{
    (void)ctx;
    CHECK(o->session[0] != '\0' && o->observed_us >= 0);
    CHECK(o->position_ms >= -1 && o->duration_ms >= -1);
}

static void flushed(void *ctx)
{
    (void)ctx;
}

static void changed(void *ctx, struct source *s)
{
    (void)ctx;
    CHECK(s->status.percent >= -1 && s->status.percent <= 100);
}

static void tell(void *ctx, const struct observation *o)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    observation_write(&w, o);
    appended(ctx, LOG_OBSERVATION, buf_str(&b));
    observed(ctx, o);
}

static void snapshot(struct run *r, const json_t *root)
{
    struct source *s = &r->source;
    auto_arena struct arena a = {0};
    auto_buf struct buf path = {0}, key = {0};
    struct observation *seen;
    size_t count;
    struct error err = {0};
    if (s->ops->wants && s->ops->wants(s, root, &path, &key)) {
        CHECK(path.len && path.data[0] == '/' && !strpbrk(path.data, " \r\n"));
        s->ops->wanted(s, buf_text(&key), NULL);
    }
    if (s->ops->snapshot(s, root, &a, &seen, &count, &err) != STATUS_OK) {
        CHECK(err.text[0] != '\0');
        return;
    }
    CHECK(count <= SOURCE_SESSIONS_MAX);
    r->now_us += US_PER_S;
    tracker_snapshot(s->tracker, seen, count, r->now_us % (3 * US_PER_S) == 0, r->now_us);
    CHECK(tracker_open_count(s->tracker) <= count);
}

static void begin(struct source *s)
{
    s->ops->sync_reset(s);
    s->is_inventory = false;
    inventory_list(&s->inventory);
}

static void begin_inventory(struct source *s)
{
    s->is_inventory = true;
    inventory_begin(s);
}

static void backfill(struct run *r, const json_t *root)
{
    struct source *s = &r->source;
    auto_buf struct buf path = {0};
    struct error err = {0};
    if (!s->is_inventory && !s->ops->sync_next(s, &path))
        begin_inventory(s);
    if (s->is_inventory && !inventory_next(s, &path))
        return;
    CHECK(path.len && path.data[0] == '/' && !strpbrk(path.data, " \r\n"));
    enum status status = s->is_inventory ? inventory_take(s, root, &err) : s->ops->sync_take(s, root, &err);
    if (status != STATUS_OK)
        CHECK(err.text[0] != '\0');
    CHECK(inventory_total(&s->inventory) >= -1);
}

/* What is known of libraries outlives a restart. */
static void remember(struct source *s)
{
    auto_buf struct buf b = {0};
    auto_json json_t *root = NULL;
    struct json_writer w;
    int64_t total = inventory_total(&s->inventory);
    jw_begin(&w, &b);
    jw_object(&w);
    inventory_write(&s->inventory, &w);
    jw_object_end(&w);
    CHECK(json_parse(buf_str(&b), BYTES * 4, 4, &root, NULL) == STATUS_OK);
    inventory_read(&s->inventory, jget(root, "inventory"));
    CHECK(inventory_total(&s->inventory) == total);
}

static void take(struct run *r, char kind, const json_t *root)
{
    struct source *s = &r->source;
    struct source_names names;
    switch (kind) {
    case 's':
        snapshot(r, root);
        break;
    case 'm':
        (void)s->ops->message(s, root);
        break;
    case 'i':
        if (s->ops->recognize(root, &names))
            CHECK(names.machine_id[0] != '\0' && names.name && names.version);
        break;
    case 'f':
        if (s->ops->wanted)
            s->ops->wanted(s, "11", root);
        break;
    case 'y':
        backfill(r, root);
        break;
    default:
        break;
    }
}

/* For the timers of the vendors; it never runs. */
static struct loop *loop_once(void)
{
    static struct loop *loop;
    if (!loop)
        CHECK(loop_new(&loop, NULL) == STATUS_OK);
    return loop;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct source_config config = {
        .key = "server-1", .url = "http://127.0.0.1", .token = "t", .batch_size = 3};
    struct run r = {.now_us = US_PER_DAY};
    const struct source_sink sink = {appended, observed, flushed, changed, &r};
    logger_setup(LOG_ERROR, LOG_FORMAT_LOGFMT);
    r.source = (struct source){.config = &config, .ops = &SOURCE, .sink = &sink, .loop = loop_once()};
    r.source.tracker = tracker_new(config.key, tell, &r);
    begin(&r.source);
    struct str rest = input_of(data, size), line;
    for (int lines = 0; lines < LINES_MAX && str_next(&rest, '\n', &line); lines++) {
        auto_json json_t *root = NULL;
        if (line.len && line.ptr[0] == 'r')
            begin(&r.source);
        else if (line.len && line.ptr[0] == 'w')
            begin_inventory(&r.source);
        else if (line.len && json_parse((struct str){line.ptr + 1, line.len - 1}, BYTES, DEPTH,
                                        &root, NULL) == STATUS_OK)
            take(&r, line.ptr[0], root);
    }
    tracker_snapshot(r.source.tracker, NULL, 0, false, r.now_us + US_PER_S);
    CHECK(tracker_open_count(r.source.tracker) == 0);
    loop_timer_cancel(r.source.loop, r.source.keep_alive);
    remember(&r.source);
    inventory_done(&r.source.inventory);
    r.source.ops->free(&r.source);
    char *const told[] = {r.source.accounts_told, r.source.libraries_told, r.source.public_address};
    for (size_t i = 0; i < ARRAY_LEN(told); i++)
        free(told[i]);
    tracker_free(r.source.tracker);
    return 0;
}
