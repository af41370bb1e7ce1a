/*
 * The running simulation: servers, the sessions on them and the truth about what was watched.
 *
 * Threads: http threads of every server, one hub thread a server and the engine's. What is below
 * is read and written under `lock`; the world is read-only. Nothing is sent while it is held.
 * Times "_us" are the wall clock's; with speed X a player's second lasts 1/X of a real one.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json_read.h"
#include "base/str.h"
#include "net/http_server.h"
#include "net/ws_hub.h"
#include "world.h"

enum server_kind {
#define SERVER_KIND(NAME, ...) KIND_##NAME,
#include "model/server_kinds.def"
#undef SERVER_KIND
};
enum {
    KINDS = 0
#define SERVER_KIND(...) + 1
#include "model/server_kinds.def"
#undef SERVER_KIND
};
enum session_state { STATE_PLAYING, STATE_PAUSED, STATE_BUFFERING, STATE_STOPPED };
enum fault_kind { FAULT_NONE, FAULT_DROP, FAULT_RESTART, FAULT_DUPLICATE, FAULT_REORDER,
                  FAULT_STALL, FAULT_SKEW, FAULT_UNAUTHORIZED, FAULT_GARBAGE, FAULT_FORBIDDEN };

enum { SESSIONS_MAX = 4096, SERVERS_MAX = 64, STALLED_MAX = 64, WS_MAX = 64, HELD_MAX = 256,
       REQUESTS_MAX = 4096, REQUEST_TEXT_MAX = 400 };

struct session {
    int number; /* of the control API, from 1, never reused */
    unsigned server, person, device, item;
    struct route route;
    struct decision decision;
    enum session_state state;
    bool is_scripted;
    unsigned changes;                   /* starts, pauses, resumes, stops */
    int plex_key;
    char id[33];                        /* 32 hex: of the client session */
    int64_t position_ms, reported_ms;   /* true, and as the client last said */
    int64_t position_us, accounted_us;  /* as exact as the clock; the last booking (monotonic) */
    int64_t started_us, reported_us, changed_us, stopped_us, paused_since_us;
    int64_t playing_us;                 /* player's time spent in state playing */
    int64_t wall_us;                    /* wall clock spent in state playing */
    int64_t stop_at_ms, pause_at_ms, resume_at_us; /* the plan; -1: none */
};

/* A client of the push channel of a Jellyfin or Emby server. */
struct ws_user {
    struct sim_server *server;
    uint64_t client;
    bool is_open, is_subscribed, is_owed;
    int64_t interval_ms, sent_us;
    char *held; /* FAULT_REORDER: the snapshot that waits for its successor */
    int64_t held_us;
};

struct fault {
    enum fault_kind kind;
    int64_t until_us, ms;
    unsigned every, count; /* FAULT_GARBAGE: one answer of so many */
};

/* A message that waits: for its successor or for the end of a stall. */
struct held {
    char *text;
    int64_t since_us;
};

/* What was asked of a server; the last REQUESTS_MAX of all. */
struct request {
    unsigned server;
    char text[REQUEST_TEXT_MAX]; /* "GET /path?query" */
};

/* What a server calls somebody, where a test has said so; "": as the world does. */
struct renamed {
    char username[48], email[80];
};

struct sim_server {
    struct sim *sim;
    struct renamed *renamed; /* by person; NULL: nobody; under sim->lock */
    unsigned rebuilds;       /* how often its library was built anew; under sim->lock */
    bool has_no_ids;         /* it tells no ids of other providers, as of what it has not recognised */
    bool has_wrong_ids;      /* MediaBrowser's: it takes each item for another title of that name */
    int64_t *added_us;       /* of each item, TIME_NONE: it has none; NULL: as at first; shelf.c */
    unsigned number;
    enum server_kind kind;
    char name[64], token[33], id[41], version[32];
    uint64_t salt;
    uint16_t port;
    struct http_server *http;
    struct ws_hub *hub;
    int next_key;
    struct fault fault;
    bool is_changed;           /* a snapshot is owed to the subscribed */
    struct http_exchange *stalled[STALLED_MAX];
    unsigned n_stalled;
    pthread_mutex_t ws_lock;   /* of what follows; taken after sim->lock, never before */
    struct held held[HELD_MAX];
    unsigned n_held;
    struct ws_user *users[WS_MAX];
    unsigned n_users;
};

struct plex_tv; /* plextv.c */

struct sim {
    pthread_mutex_t lock;
    struct world *world;
    struct rng rng;
    double speed;
    unsigned most_sessions; /* on average, started by themselves */
    bool is_quiet, is_legacy_auth_off;
    struct sim_server servers[SERVERS_MAX];
    unsigned n_servers;
    struct session *sessions[SESSIONS_MAX];
    unsigned n_sessions;
    struct past_play *past;
    size_t n_past;
    int64_t born_us;
    struct request requests[REQUESTS_MAX];
    uint64_t n_requests; /* ever; at n_requests % REQUESTS_MAX comes the next */
    struct http_server *control;
    struct plex_tv *plex_tv;
    _Atomic bool is_over;
};

/* --- engine.c: all under lock ----------------------------------------------------------------- */

struct outbox; /* messages to send once the lock is released */
void outbox_add(struct outbox *o, struct sim_server *s, char *text /* taken over */);
struct outbox *outbox_new(void);
/* Sends and frees; not under lock. */
void outbox_send(struct outbox *o);

/* item -1: what the person fancies; NULL when there is no room. */
struct session *session_start(struct sim *m, unsigned server, unsigned person, int device, int item,
                              int64_t position_ms, struct outbox *o);
void session_pause(struct sim *m, struct session *s, struct outbox *o);
void session_resume(struct sim *m, struct session *s, struct outbox *o);
void session_seek(struct sim *m, struct session *s, int64_t to_ms, struct outbox *o);
void session_stop(struct sim *m, struct session *s, struct outbox *o);
/* Books what it has played until now. */
void session_settle(struct sim *m, struct session *s);
/* Not under lock: the engine's thread, until sim->is_over. */
void *engine_run(void *sim);
int64_t server_skew_us(const struct sim_server *s); /* how far ahead its clock is */

/* --- server.c ----------------------------------------------------------------------------------- */
enum status server_listen(struct sim_server *s, uint16_t port, struct error *err);
void server_close(struct sim_server *s);
/* every: see struct fault; 1 is every answer. */
void server_fault(struct sim_server *s, enum fault_kind kind, int64_t ms, unsigned every);
/* Not under lock: ends faults whose time is over, answers what was stalled, restarts. */
void server_tend(struct sim_server *s);
/* Not under lock: pushes snapshots that are owed. */
void server_push(struct sim_server *s);
/* Not under lock: one text frame to everybody, as the fault of the moment lets it. */
void server_broadcast(struct sim_server *s, const char *text);

/* --- the protocols: build an answer under lock --------------------------------------------------- */
struct answer {
    int status;
    const char *content_type; /* static */
    char *body;               /* malloc()ed, NULL: none */
    int64_t total;            /* Plex: -1, or X-Plex-Container-Total-Size */
    int64_t start;
};
void plex_answer(struct sim_server *s, struct http_exchange *x, struct answer *a,
                 struct outbox *o);
char *plex_playing_message(const struct sim_server *s, const struct session *n, const char *state);
void mb_answer(struct sim_server *s, struct http_exchange *x, struct answer *a, struct outbox *o);
/* Is the token of this request right? */
bool mb_is_allowed(const struct sim_server *s, struct http_exchange *x);
/* The whole Sessions message. The caller frees. */
char *mb_sessions_message(struct sim_server *s);

/* --- plextv.c: plex.tv, where people log in ------------------------------------------------------ */
enum status plex_tv_open(struct sim *m, uint16_t port, struct error *err);
uint16_t plex_tv_port(const struct sim *m);
void plex_tv_close(struct sim *m);
/* The control API's /plex-tv: what there is, and after {"approve": person}, {"deny": true}, {"expire":
 * true} (the newest PIN), {"impostor": person, who from now on owns a server of each Plex server's machine
 * id; -1: nobody} or {"fault": one of them, "on": one of the paths, "ms"}. False: none of them. */
bool plex_tv_control(struct sim *m, const json_t *body, struct buf *out);

void control_handle(void *sim, struct http_exchange *x);

/* --- shelf.c: under lock ------------------------------------------------------------------------ */
/* Since when the server has the item; TIME_NONE: it does not. */
int64_t shelf_added_us(struct sim_server *s, unsigned item);
void shelf_put(struct sim_server *s, unsigned item, int64_t added_us);
struct shelved {
    unsigned item;
    int64_t added_us;
};
void shelf_sort(struct shelved *all, size_t count); /* newest first */

/* --- ids (server.c) ------------------------------------------------------------------------------ */
enum { ID_MAX = 40 };
const char *id_item(const struct sim_server *s, unsigned item, char dst[static ID_MAX]);
int item_by_id(const struct sim_server *s, const char *id); /* -1: none */
const char *id_user(const struct sim_server *s, unsigned person, char dst[static ID_MAX]);
int user_by_id(const struct sim_server *s, const char *id);
/* What the server calls a person; their e-mail ("": it tells none). Under lock. */
const char *user_name(const struct sim_server *s, unsigned person);
const char *user_email(const struct sim_server *s, unsigned person);
void user_rename(struct sim_server *s, unsigned person, const char *username, const char *email);

/* The past of server 0 of `servers`. */
struct tautulli_options {
    const char *path;
    uint64_t seed;
    unsigned days, servers;
    size_t rows; /* 0: as habits go; else about that many, all of them on the one server */
    int64_t until_s;
};
int tautulli_write(const struct tautulli_options *o);
