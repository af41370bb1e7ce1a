/*
 * One watched media server: what a vendor has to provide (struct source_ops, one folder each), and
 * the driver they all share (source.c): connecting, polling, coverage, backfill. Everything here
 * runs in the collector's thread.
 */
#pragma once

#include <jansson.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "model/observation.h"
#include "net/loop.h"
#include "sources/alive.h"
#include "sources/inventory.h"
#include "sources/tracker.h"

/* Texts are borrowed for as long as the source lives. */
struct source_config {
    const char *key; /* "plex-1" */
    enum server_kind kind;
    const char *name; /* NULL: as it calls itself */
    const char *url; /* scheme://host[:port][/prefix] */
    const char *token;
    const char *client_id; /* who we are, the same for good */
    bool is_realtime;
    bool is_polling;
    int64_t polling_interval_us; /* 0: 30 s */
    int64_t sync_interval_us;    /* 0: 5 min */
    unsigned batch_size;         /* rows a page; 0: 500 */
    const char *position; /* the newest LOG_POSITION record about it; NULL: none */
    const char *off;      /* why it is not watched; NULL: it is */
    struct tls_options tls;
    double latitude, longitude; /* where it is; 0, 0: not configured */
};

enum source_state {
    SOURCE_CONNECTING,
    SOURCE_CONNECTED,
    SOURCE_POLLING,
    SOURCE_BLIND,
    SOURCE_UNAUTHORIZED,
    SOURCE_UNREACHABLE,
    SOURCE_STATES,
};
/* "connecting", ... */
const char *source_state_name(enum source_state s);

struct source_status {
    char key[64];
    char name[128]; /* as configured, else as it calls itself, else the key */
    enum source_state state;
    char error[ERROR_TEXT_MAX]; /* "" when well */
    char history_error[ERROR_TEXT_MAX]; /* why the last backfill failed; "": it did not */
    char items_error[ERROR_TEXT_MAX];   /* the same of what its libraries hold */
    int64_t items;              /* in its libraries, as it counts them; -1: not known */
    int percent;                /* of the running backfill; 100: done; -1: none yet */
    int64_t last_event_us;      /* last good word from the server; TIME_NONE: none */
    unsigned open_sessions;
};

struct source;

enum source_hint {
    HINT_NOTHING,
    HINT_POLL,   /* something may have changed */
    HINT_AGREES, /* was taken */
};

enum { SOURCE_HEADERS_MAX = 8, SOURCE_SESSIONS_MAX = 2000 };

/* Headers of a request; the texts are freed after it. */
struct source_request {
    char *headers[SOURCE_HEADERS_MAX + 1];
    size_t count;
};
void source_add_header(struct source_request *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void source_request_done(struct source_request *r); /* wipes and frees them */

/* What a server says of itself; "" where it does not. Borrowed from what it said. */
struct source_names {
    const char *machine_id; /* its own, for good */
    const char *name, *version;
    const char *owner_login; /* by which its owner logs in at plex.tv: a name or an e-mail */
};

/*
 * What a vendor has to provide. NULL is allowed where it says so. Paths begin with '/' and are put
 * behind the configured address; no token is in them. `root` is parsed JSON of any shape, NULL for
 * none: take it by base/json_read.h, which answers for members that are missing or of another type.
 * A function that fails says why in *err (STATUS_PROTOCOL: the answer is not what it should be).
 * None may block, start a thread or ask the clock or the network by itself.
 */
struct source_ops {
    const void *data; /* the vendor's own constants; NULL: none */
    /* Stands before every path but the socket's; an address that ends with it counts without.
     * NULL: none. */
    const char *prefix;

    /* Asked by `check` (probe.c): answered to anybody; to every token that the server knows; only
     * to one that may see what others watch. */
    const char *public_path, *known_path, *admin_path;
    /* Whether `root`, an answer to public_path or identity_path, is of this kind of server and no
     * other, and which one it is. */
    bool (*recognize)(const json_t *root, struct source_names *ret);

    const char *sessions_path; /* everything that plays: the truth */
    const char *identity_path; /* which server it is, with its name */
    /* Of every request and of the socket's handshake, with the token (source_add_header). That JSON
     * is wanted is said already. At most SOURCE_HEADERS_MAX - 1, of 1 KB each. */
    void (*headers)(struct source *s, struct source_request *r);

    /* The socket's address behind the configured one. */
    void (*socket)(struct source *s, struct buf *path);
    /* Adds the token to it, for servers that do not take it from a header: asked for only after a
     * socket without was refused or told nothing. NULL: the headers do. */
    void (*socket_token)(struct source *s, struct buf *path);
    /* Subscribes, where that is needed. NULL: nothing to say. */
    void (*socket_opened)(struct source *s);
    /* One message: HINT_NOTHING for what is not about what plays; HINT_POLL where it is, but does not
     * say what; else what source_hint() makes of what it says. */
    enum source_hint (*message)(struct source *s, const json_t *root);

    /* Path of one more thing to fetch before `root` can be understood; false: none. `key` names it
     * and comes back with the answer (NULL: it could not be had). NULL: never anything. */
    bool (*wants)(struct source *s, const json_t *root, struct buf *path, struct buf *key);
    void (*wanted)(struct source *s, const char *key, const json_t *root);
    /* The answer to sessions_path: one observation for each session that plays, at most
     * SOURCE_SESSIONS_MAX, in `a` with their texts. Sets `session` (the server's own key for it) and
     * what is known; `server` and `observed_us` are the driver's. */
    enum status (*snapshot)(struct source *s, const json_t *root, struct arena *a,
                            struct observation **ret, size_t *ret_count, struct error *err);

    /* Backfill, one request after the other: begin; the next path, false when done; its answer,
     * which must bring it nearer to the end. Accounts and libraries by source_append_changed(), the
     * latter by inventory_add(), too; views by source_write_view(), progress by
     * source_set_percent(). */
    void (*sync_reset)(struct source *s);
    bool (*sync_next)(struct source *s, struct buf *path);
    enum status (*sync_take)(struct source *s, const json_t *root, struct error *err);
    /* What libraries hold (inventory.h): path of a page of one of those that inventory_add() was told
     * of, what was changed last first; its rows, borrowed, and how many the server counts in all (-1: it
     * does not say); one of them, with texts in the arena. False: none that counts. */
    void (*items_path)(const struct source *s, const struct library *l, unsigned start,
                       unsigned size, struct buf *path);
    enum status (*items_rows)(const json_t *root, const json_t **ret_rows, int64_t *ret_total,
                              struct error *err);
    bool (*item_read)(struct arena *a, const json_t *row, struct item *ret);
    /* How far the last finished backfill read, as members of an object; NULL: nothing was read. */
    void (*position_write)(struct source *s, struct json_writer *w);
    void (*position_read)(struct source *s, const json_t *position);
    /* Frees s->vendor; it may never have been made. */
    void (*free)(struct source *s);
};

#define SERVER_KIND(NAME, word, ...) extern const struct source_ops word##_source;
#include "model/server_kinds.def"
#undef SERVER_KIND
const struct source_ops *source_ops_of(enum server_kind k);
/* The kind of server that says this of itself; SERVER_KINDS: none. */
enum server_kind source_kind_of(const json_t *root, struct source_names *ret);
/* The configured address without the prefix of its kind. The caller frees. */
char *source_base_url(const struct source_config *c);

/* What a source tells its owner. */
struct source_sink {
    void (*append)(void *ctx, enum log_kind kind, struct str payload);
    /* After its record was handed to append. */
    void (*observed)(void *ctx, const struct observation *o);
    /* The owner puts appended records into the log: called at the end of every turn. */
    void (*flush)(void *ctx);
    void (*changed)(void *ctx, struct source *s); /* status */
    void *ctx;
};

struct source {
    const struct source_config *config;
    const struct source_ops *ops;
    struct loop *loop;
    const struct source_sink *sink;
    struct tracker *tracker;
    void *vendor; /* the vendor's own state */
    struct source_status status;

    struct ws_client *ws;
    bool is_ws_open;
    bool has_ws_told;         /* something of what plays, since it opened */
    bool is_ws_steady;        /* had so already at the last snapshot */
    bool is_token_in_address; /* of the socket */
    int64_t ws_opened_us;     /* monotonic */
    int64_t ws_refused_us;    /* monotonic; TIME_NONE: not since a poll failed */
    unsigned ws_failures;
    struct loop_timer *ws_timer;
    struct loop_timer *keep_alive;
    int64_t keep_alive_us;

    struct http_call *poll;
    struct loop_timer *poll_timer;
    bool is_poll_wanted; /* once more, when the one in flight is done */
    bool is_hinted;      /* a change was announced that no answer has shown yet */
    bool is_announced;   /* the poll that is under way was asked for by an announcement */
    int64_t asked_us;    /* monotonic, since when an answer is missing; TIME_NONE: none is */
    bool is_recheck_due; /* a change was announced: look once more a little later */
    int64_t polled_us;   /* monotonic, when the last poll began */
    unsigned poll_failures;
    json_t *snapshot; /* waiting for what `wants` asked for; the first one for the identity, too */
    struct http_call *want;
    char *want_key;
    int64_t snapshot_us; /* our clock, when its answer came */
    bool was_slow;
    int64_t wants_until_us; /* monotonic: later than this a snapshot waits for nothing more */

    bool is_unauthorized, was_reached;
    int64_t started_us;
    int64_t last_good_us;  /* TIME_NONE: never */
    enum source_state coverage; /* last told: CONNECTED, POLLING, BLIND; CONNECTING: none */
    int64_t blind_since_us; /* while it is neither CONNECTED nor POLLING */

    char *base_url;
    struct http_call *identity;
    struct loop_timer *identity_timer;
    char *machine_id; /* NULL until known */
    int64_t ahead_us; /* how far the server's clock is ahead of ours; 0 where it is about right */
    char *public_address; /* NULL until known */

    struct http_call *sync;
    struct loop_timer *sync_timer;
    bool is_sync_running;
    bool is_inventory; /* what it is at is what libraries hold; before that, the history */
    bool is_sync_lost; /* records of it did not get into the log: all is to be read again */
    struct inventory inventory;
    /* The records of their kinds last told. */
    char *position, *identity_told, *accounts_told, *libraries_told;
};

struct source *source_new(const struct source_config *c, struct loop *l,
                          const struct source_sink *sink);
/* Before source_start(). */
void source_seed(struct source *s, const struct observation *open);
/* Nobody has watched since then; after source_seed(), before source_start(). */
void source_blind(struct source *s, int64_t since_us);
void source_start(struct source *s);
/* Until when it is known what happened on the server, for DATA/alive. */
void source_alive(const struct source *s, struct alive_entry *ret);
/* Says that nobody watches from now on. Then only source_free(). */
void source_stop(struct source *s, const char *why);
/* The same, for good: what is open ends, as interrupted. */
void source_end(struct source *s, const char *why);
/* Between source_new() and source_start(): goes on with the open sessions of `old`, which is the same
 * server under other settings. Then only source_free(old). */
void source_take_over(struct source *s, struct source *old, const char *why);
/* Only the name is another one. */
void source_rename(struct source *s, const struct source_config *c);
/* NULL is fine. */
void source_free(struct source *s);
void source_sync_now(struct source *s);
/* Records did not get into the log: the next backfill reads everything again. */
void source_lost(struct source *s);

/* --- for the vendors ---------------------------------------------------------------------- */

void source_append(struct source *s, enum log_kind kind, const struct buf *payload);
/* Only where it says something else than `*last`, which becomes it. */
void source_append_changed(struct source *s, enum log_kind kind, char **last,
                           const struct buf *payload);
/* What the server's network goes by on the internet: where it is, unless that is configured. */
void source_set_public_address(struct source *s, const char *address);
/* What a message says, if it can be believed now. */
enum source_hint source_hint(struct source *s, const struct tracker_hint *hints, size_t count,
                             bool is_whole);
void source_set_percent(struct source *s, int percent);
void source_keep_alive(struct source *s, int64_t interval_us);
/* The item and stream members of an observation that are known. */
void source_write_members(struct json_writer *w, const struct observation *item);
void source_set_inventory_percent(struct source *s, int percent);
/* Writes one view's members (item members of `item`). Times are by the server's clock and written
 * by ours. TIME_NONE: no end known. */
void source_write_view(const struct source *s, struct json_writer *w, const char *source_id,
                       const char *account_key, int64_t at_us, int64_t ended_us,
                       const struct observation *item);
