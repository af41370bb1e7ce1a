/* The control API: scripted sessions, faults, and the truth to compare with. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

static const char *const state_names[] = {"playing", "paused", "buffering", "stopped"};
static const char *const fault_names[] = {"none", "drop", "restart", "duplicate", "reorder",
                                          "stall", "skew", "unauthorized", "garbage",
                                          "forbidden"};

static void write_session(const struct sim *m, const struct session *s, struct json_writer *w)
{
    const struct person *p = &m->world->people[s->person];
    const struct item *i = &m->world->items[s->item];
    const struct sim_server *server = &m->servers[s->server];
    char id[ID_MAX];
    jw_object(w);
    jw_kv_int(w, "id", s->number);
    jw_kv_int(w, "server", s->server);
    jw_kv_int(w, "person", s->person);
    jw_kv_text(w, "username", user_name(server, s->person));
    jw_kv_text(w, "user_id", id_user(server, s->person, id));
    jw_kv_text(w, "device_id", p->devices[s->device].id);
    jw_kv_int(w, "item", s->item);
    jw_kv_text(w, "item_id", id_item(server, s->item, id));
    jw_kv_text(w, "title", i->title);
    jw_kv_text(w, "session_id", s->id);
    jw_kv_int(w, "session_key", s->plex_key);
    jw_kv_text(w, "state", state_names[s->state]);
    jw_kv_int(w, "position_ms", s->position_ms);
    jw_kv_int(w, "duration_ms", i->duration_ms);
    jw_kv_int(w, "playing_ms", s->playing_us / US_PER_MS);
    jw_kv_int(w, "wall_playing_ms", s->wall_us / US_PER_MS);
    jw_kv_int(w, "changes", s->changes);
    jw_kv_time(w, "started", s->started_us);
    jw_kv_time(w, "stopped", s->state == STATE_STOPPED ? s->stopped_us : TIME_NONE);
    static const char *const methods[] = {"direct play", "copy", "transcode"};
    jw_kv_text(w, "method", methods[s->decision.method]);
    jw_kv_text(w, "address", s->route.address);
    jw_object_end(w);
}

static void write_truth(struct sim *m, struct json_writer *w)
{
    jw_object(w);
    jw_kv_array(w, "sessions");
    for (unsigned i = 0; i < m->n_sessions; i++) {
        session_settle(m, m->sessions[i]);
        write_session(m, m->sessions[i], w);
    }
    jw_array_end(w);
    jw_kv_array(w, "people");
    for (unsigned p = 0; p < m->world->n_people; p++) {
        int64_t playing = 0, wall = 0;
        for (unsigned i = 0; i < m->n_sessions; i++)
            if (m->sessions[i]->person == p) {
                playing += m->sessions[i]->playing_us;
                wall += m->sessions[i]->wall_us;
            }
        jw_object(w);
        jw_kv_int(w, "person", p);
        jw_kv_text(w, "username", m->world->people[p].username);
        jw_kv_int(w, "playing_ms", playing / US_PER_MS);
        jw_kv_int(w, "wall_playing_ms", wall / US_PER_MS);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_requests(const struct sim *m, struct json_writer *w)
{
    uint64_t from = m->n_requests > REQUESTS_MAX ? m->n_requests - REQUESTS_MAX : 0;
    jw_array(w);
    for (uint64_t i = from; i < m->n_requests; i++) {
        const struct request *r = &m->requests[i % REQUESTS_MAX];
        jw_object(w);
        jw_kv_int(w, "number", (int64_t)i);
        jw_kv_int(w, "server", r->server);
        jw_kv_text(w, "request", r->text);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void reply_error(struct http_exchange *x, int status, const char *text)
{
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    jw_object(&w);
    jw_kv_text(&w, "error", text);
    jw_object_end(&w);
    http_reply(x, status, "application/json", buf_str(&b));
}

/* The item named by number, or by kind ("movie", "episode", "track"): the first of it. */
static int item_of(const struct sim *m, const json_t *body)
{
    const char *kind = jstr(body, "kind");
    if (streq(kind, "movie"))
        return (int)m->world->movies[0];
    if (streq(kind, "episode"))
        return (int)m->world->episodes[0];
    if (streq(kind, "track"))
        return (int)m->world->tracks[0];
    int64_t item = jint(body, "item", -1);
    if (item < 0 || item >= (int64_t)m->world->n_items || !m->world->items[item].media)
        return -1;
    return (int)item;
}

/* position_ms, or position_percent of the title. */
static int64_t start_of(const struct item *i, const json_t *body)
{
    int64_t percent = jint(body, "position_percent", 0);
    return percent > 0 && percent <= 100 ? i->duration_ms * percent / 100
                                         : jint(body, "position_ms", 0);
}

static void start(struct sim *m, struct http_exchange *x, const json_t *body)
{
    int64_t server = jint(body, "server", 0), person = jint(body, "person", 0);
    int64_t device = jint(body, "device", 0);
    int item = item_of(m, body);
    if (server < 0 || server >= m->n_servers || person < 0 || person >= m->world->n_people ||
        device < 0 || device >= DEVICES_EACH || item < 0) {
        reply_error(x, 400, "server, person, device and item or kind must exist");
        return;
    }
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    struct outbox *o = outbox_new();
    pthread_mutex_lock(&m->lock);
    struct session *s = session_start(m, (unsigned)server, (unsigned)person, (int)device, item,
                                      start_of(&m->world->items[item], body), o);
    if (s) {
        s->is_scripted = true;
        s->stop_at_ms = jint(body, "stop_at_ms", m->world->items[item].duration_ms);
        s->pause_at_ms = jint(body, "pause_at_ms", -1);
        write_session(m, s, &w);
    }
    pthread_mutex_unlock(&m->lock);
    outbox_send(o);
    if (s)
        http_reply(x, 201, "application/json", buf_str(&b));
    else
        reply_error(x, 503, "no room for another session");
}

static void act(struct sim *m, struct http_exchange *x, const char *rest, const json_t *body)
{
    char *verb = NULL;
    long number = strtol(rest, &verb, 10);
    auto_buf struct buf b = {0};
    struct json_writer w;
    jw_begin(&w, &b);
    struct outbox *o = outbox_new();
    bool is_done = false;
    pthread_mutex_lock(&m->lock);
    for (unsigned i = 0; i < m->n_sessions && !is_done; i++) {
        struct session *s = m->sessions[i];
        if (s->number != number)
            continue;
        is_done = true;
        if (streq(verb, "/pause"))
            session_pause(m, s, o);
        else if (streq(verb, "/resume"))
            session_resume(m, s, o);
        else if (streq(verb, "/stop"))
            session_stop(m, s, o);
        else if (streq(verb, "/seek"))
            session_seek(m, s, jint(body, "position_ms", 0), o);
        else
            is_done = false;
        if (is_done)
            write_session(m, s, &w);
        break;
    }
    pthread_mutex_unlock(&m->lock);
    outbox_send(o);
    if (is_done)
        http_reply(x, 200, "application/json", buf_str(&b));
    else
        reply_error(x, 404, "no such session or action");
}

/* From now on a server calls somebody otherwise, or tells their e-mail: Plex of the owner (person 0),
 * Emby of those who are linked to an account there, Jellyfin of nobody. */
static void rename_user(struct sim *m, struct http_exchange *x, const json_t *body)
{
    int64_t server = jint(body, "server", -1), person = jint(body, "person", -1);
    if (server < 0 || server >= m->n_servers || person < 0 || person >= m->world->n_people) {
        reply_error(x, 400, "server and person must exist");
        return;
    }
    pthread_mutex_lock(&m->lock);
    user_rename(&m->servers[server], (unsigned)person, jstr(body, "username"), jstr(body, "email"));
    pthread_mutex_unlock(&m->lock);
    http_reply(x, 200, "application/json", STR("{}"));
}

/* {"server", "is_rebuilt": true}: its library is built anew: each item has another id, which in Plex and
 * Emby was another item's before. {"has_ids": false}: it knows no ids of other providers;
 * {"has_wrong_ids": true}: it knows those of other titles (Jellyfin and Emby). */
static void change_library(struct sim *m, struct http_exchange *x, const json_t *body)
{
    int64_t server = jint(body, "server", -1);
    if (server < 0 || server >= m->n_servers) {
        reply_error(x, 400, "server must exist");
        return;
    }
    pthread_mutex_lock(&m->lock);
    struct sim_server *s = &m->servers[server];
    s->rebuilds += jbool(body, "is_rebuilt") == 1;
    if (jbool(body, "has_ids") >= 0)
        s->has_no_ids = jbool(body, "has_ids") == 0;
    if (jbool(body, "has_wrong_ids") >= 0)
        s->has_wrong_ids = jbool(body, "has_wrong_ids") == 1;
    pthread_mutex_unlock(&m->lock);
    http_reply(x, 200, "application/json", STR("{}"));
}

/* From now on a server has an item ({"there": true}, added this instant) or has it no more. */
static void shelve(struct sim *m, struct http_exchange *x, const json_t *body)
{
    int64_t server = jint(body, "server", -1);
    int item = item_of(m, body), is_there = jbool(body, "there");
    if (server < 0 || server >= m->n_servers || item < 0 || is_there < 0) {
        reply_error(x, 400, "server and item or kind must exist; there is true or false");
        return;
    }
    auto_buf struct buf b = {0};
    struct json_writer w;
    char id[ID_MAX];
    jw_begin(&w, &b);
    pthread_mutex_lock(&m->lock);
    shelf_put(&m->servers[server], (unsigned)item, is_there ? clock_now_us() : TIME_NONE);
    jw_object(&w);
    jw_kv_text(&w, "item_id", id_item(&m->servers[server], (unsigned)item, id));
    jw_kv_text(&w, "title", m->world->items[item].title);
    jw_object_end(&w);
    pthread_mutex_unlock(&m->lock);
    http_reply(x, 200, "application/json", buf_str(&b));
}

static void fault(struct sim *m, struct http_exchange *x, const json_t *body)
{
    int64_t server = jint(body, "server", -1), ms = jint(body, "ms", 1000);
    int64_t every = jint(body, "every", 1);
    for (unsigned i = 0; i < ARRAY_LEN(fault_names); i++)
        if (streq(fault_names[i], jstr(body, "kind")) && server >= 0 && server < m->n_servers &&
            every > 0) {
            server_fault(&m->servers[server], (enum fault_kind)i, ms, (unsigned)every);
            http_reply(x, 200, "application/json", STR("{}"));
            return;
        }
    reply_error(x, 400, "server or kind is unknown");
}

void control_handle(void *sim, struct http_exchange *x)
{
    struct sim *m = sim;
    const char *path = http_path(x);
    bool is_post = streq(http_method(x), "POST");
    auto_json json_t *body = NULL;
    if (http_body(x).len && json_parse(http_body(x), 65536, 8, &body, NULL) != STATUS_OK) {
        reply_error(x, 400, "the body is no JSON");
        return;
    }
    if (is_post && streq(path, "/sessions")) {
        start(m, x, body);
    } else if (is_post && str_has_prefix(str_of(path), STR("/sessions/"))) {
        act(m, x, path + 10, body);
    } else if (is_post && streq(path, "/people")) {
        rename_user(m, x, body);
    } else if (is_post && streq(path, "/library")) {
        change_library(m, x, body);
    } else if (is_post && streq(path, "/items")) {
        shelve(m, x, body);
    } else if (is_post && streq(path, "/fault")) {
        fault(m, x, body);
    } else if (streq(path, "/plex-tv")) {
        auto_buf struct buf b = {0};
        if (plex_tv_control(m, body, &b))
            http_reply(x, 200, "application/json", buf_str(&b));
        else
            reply_error(x, 400, "there is no such PIN, fault or path");
    } else if (is_post && streq(path, "/quiet")) {
        struct outbox *o = outbox_new();
        pthread_mutex_lock(&m->lock);
        m->is_quiet = true;
        for (unsigned i = 0; i < m->n_sessions; i++)
            if (!m->sessions[i]->is_scripted)
                session_stop(m, m->sessions[i], o);
        pthread_mutex_unlock(&m->lock);
        outbox_send(o);
        http_reply(x, 200, "application/json", STR("{}"));
    } else if (!is_post && (streq(path, "/truth") || streq(path, "/requests"))) {
        auto_buf struct buf b = {0};
        struct json_writer w;
        jw_begin(&w, &b);
        pthread_mutex_lock(&m->lock);
        if (streq(path, "/truth"))
            write_truth(m, &w);
        else
            write_requests(m, &w);
        pthread_mutex_unlock(&m->lock);
        http_reply(x, 200, "application/json", buf_str(&b));
    } else {
        reply_error(x, 404, "no such address");
    }
}
