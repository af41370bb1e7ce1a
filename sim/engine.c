#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { TICK_MS = 50, REPORT_MS = 10000 };

struct outbox {
    struct {
        struct sim_server *server;
        char *text;
    } *at;
    size_t n;
};

struct outbox *outbox_new(void)
{
    return xcalloc(1, sizeof(struct outbox));
}

void outbox_add(struct outbox *o, struct sim_server *s, char *text)
{
    o->at = xreallocarray(o->at, o->n + 1, sizeof(*o->at));
    o->at[o->n].server = s;
    o->at[o->n++].text = text;
}

void outbox_send(struct outbox *o)
{
    for (size_t i = 0; i < o->n; i++) {
        server_broadcast(o->at[i].server, o->at[i].text);
        free(o->at[i].text);
    }
    free(o->at);
    free(o);
}

int64_t server_skew_us(const struct sim_server *s)
{
    return s->fault.kind == FAULT_SKEW ? s->fault.ms * US_PER_MS : 0;
}

/* Says a change of state: Plex sends a hint, the others owe a snapshot. */
static void say(struct sim *m, struct session *s, const char *state, struct outbox *o)
{
    struct sim_server *server = &m->servers[s->server];
    s->reported_ms = s->position_ms;
    s->reported_us = clock_now_us();
    server->is_changed = true;
    if (server->kind == KIND_PLEX)
        outbox_add(o, server, plex_playing_message(server, s, state));
}

static int64_t duration_of(const struct sim *m, const struct session *s)
{
    return m->world->items[s->item].duration_ms;
}

/* Books the time since the last booking, so that the truth does not depend on the tick. */
void session_settle(struct sim *m, struct session *s)
{
    int64_t now = clock_monotonic_us();
    if (s->state == STATE_PLAYING) {
        int64_t dt = now - s->accounted_us;
        s->wall_us += dt;
        s->playing_us += (int64_t)((double)dt * m->speed);
        s->position_us += (int64_t)((double)dt * m->speed);
        s->position_ms = s->position_us / 1000;
    }
    s->accounted_us = now;
}

static void plan(struct sim *m, struct session *s)
{
    int64_t length = duration_of(m, s);
    s->pause_at_ms = -1;
    s->stop_at_ms = length;
    if (s->is_scripted)
        return;
    if (rng_chance(&m->rng, 18))
        s->stop_at_ms = length * rng_range(&m->rng, 5, 80) / 100;
    if (rng_chance(&m->rng, 45))
        s->pause_at_ms = s->position_ms + (s->stop_at_ms - s->position_ms) *
                                              rng_range(&m->rng, 2, 80) / 100;
}

struct session *session_start(struct sim *m, unsigned server, unsigned person, int device, int item,
                              int64_t position_ms, struct outbox *o)
{
    if (m->n_sessions == SESSIONS_MAX) {
        /* Forget the oldest that is over: the truth keeps the last few thousand. */
        unsigned i = 0;
        while (i < m->n_sessions && m->sessions[i]->state != STATE_STOPPED)
            i++;
        if (i == m->n_sessions)
            return NULL;
        free(m->sessions[i]);
        for (; i + 1 < m->n_sessions; i++)
            m->sessions[i] = m->sessions[i + 1];
        m->n_sessions--;
    }
    struct session *s = xcalloc(1, sizeof(*s));
    struct sim_server *at = &m->servers[server];
    s->number = m->n_sessions ? m->sessions[m->n_sessions - 1]->number + 1 : 1;
    s->server = server;
    s->person = person;
    s->device = device >= 0 ? (unsigned)device % DEVICES_EACH : rng_below(&m->rng, DEVICES_EACH);
    s->item = item >= 0 ? (unsigned)item : world_pick(m->world, person, &m->rng);
    s->position_ms = position_ms;
    s->position_us = position_ms * US_PER_MS;
    s->route = world_route(m->world, person, s->device, &m->rng);
    const struct device *d = &m->world->people[person].devices[s->device];
    s->decision = world_decide(&m->world->items[s->item], d, s->route.is_lan);
    s->plex_key = at->next_key++;
    if (at->kind == KIND_PLEX)
        snprintf(s->id, sizeof(s->id), "%024llx",
                 (unsigned long long)mix(rng_next(&m->rng), server));
    else /* per device, the same for every playback on it */
        snprintf(s->id, sizeof(s->id), "%016llx%016llx",
                 (unsigned long long)mix(at->salt, person * DEVICES_EACH + s->device),
                 (unsigned long long)mix(at->salt + 1, person * DEVICES_EACH + s->device));
    s->started_us = s->changed_us = clock_now_us();
    s->accounted_us = clock_monotonic_us();
    m->sessions[m->n_sessions++] = s;
    s->changes++;
    plan(m, s);
    say(m, s, "playing", o);
    return s;
}

void session_pause(struct sim *m, struct session *s, struct outbox *o)
{
    if (s->state != STATE_PLAYING)
        return;
    session_settle(m, s);
    s->state = STATE_PAUSED;
    s->changes++;
    s->paused_since_us = s->changed_us = clock_now_us();
    s->resume_at_us = -1;
    if (!s->is_scripted)
        s->resume_at_us = clock_now_us() +
                          (int64_t)((double)rng_range(&m->rng, 5, 600) * 1e6 / m->speed);
    say(m, s, "paused", o);
}

void session_resume(struct sim *m, struct session *s, struct outbox *o)
{
    if (s->state != STATE_PAUSED)
        return;
    session_settle(m, s);
    s->state = STATE_PLAYING;
    s->changes++;
    s->changed_us = clock_now_us();
    say(m, s, "playing", o);
}

void session_seek(struct sim *m, struct session *s, int64_t to_ms, struct outbox *o)
{
    if (s->state == STATE_STOPPED)
        return;
    session_settle(m, s);
    int64_t length = duration_of(m, s);
    s->position_ms = to_ms < 0 ? 0 : to_ms > length ? length : to_ms;
    s->position_us = s->position_ms * 1000;
    say(m, s, s->state == STATE_PAUSED ? "paused" : "playing", o);
}

void session_stop(struct sim *m, struct session *s, struct outbox *o)
{
    if (s->state == STATE_STOPPED)
        return;
    session_settle(m, s);
    s->state = STATE_STOPPED;
    s->changes++;
    if (s->position_ms > duration_of(m, s))
        s->position_ms = duration_of(m, s);
    s->stopped_us = s->changed_us = clock_now_us();
    say(m, s, "stopped", o);
}

static void step(struct sim *m, struct session *s, struct outbox *o)
{
    int64_t now = clock_now_us();
    session_settle(m, s);
    bool is_music = m->world->items[s->item].kind == ITEM_TRACK;
    if (s->state == STATE_PLAYING && s->position_ms >= s->stop_at_ms) {
        bool is_end = s->stop_at_ms >= duration_of(m, s);
        session_stop(m, s, o);
        int next = world_next_episode(m->world, s->item);
        if (is_end && !s->is_scripted && !m->is_quiet && next >= 0 && !is_music &&
            rng_chance(&m->rng, 70))
            session_start(m, s->server, s->person, (int)s->device, next, 0, o);
    } else if (s->state == STATE_PLAYING && s->pause_at_ms >= 0 &&
               s->position_ms >= s->pause_at_ms) {
        s->pause_at_ms = -1;
        session_pause(m, s, o);
    } else if (s->state == STATE_PAUSED && s->resume_at_us >= 0 && now >= s->resume_at_us) {
        session_resume(m, s, o);
    } else if ((double)(now - s->reported_us) * m->speed >= REPORT_MS * 1000.0) {
        say(m, s, s->state == STATE_PAUSED ? "paused" : "playing", o);
    }
}

/* Starts what people fancy while fewer play than wanted. */
static void start_some(struct sim *m, unsigned playing, struct outbox *o)
{
    if (m->is_quiet || playing >= m->most_sessions || !m->n_servers)
        return;
    if (playing * 2 >= m->most_sessions && !rng_chance(&m->rng, 4))
        return;
    unsigned server = rng_below(&m->rng, m->n_servers);
    unsigned person = rng_below(&m->rng, m->world->n_people);
    unsigned device = rng_below(&m->rng, DEVICES_EACH);
    if (!world_has_account(m->world, person, server, m->n_servers) ||
        m->world->people[person].is_deleted)
        return;
    for (unsigned i = 0; i < m->n_sessions; i++) {
        const struct session *s = m->sessions[i];
        if (s->state != STATE_STOPPED && s->person == person && s->device == device)
            return;
    }
    session_start(m, server, person, (int)device, -1, 0, o);
}

void *engine_run(void *sim)
{
    struct sim *m = sim;
    while (!atomic_load(&m->is_over)) {
        usleep(TICK_MS * 1000);
        struct outbox *o = outbox_new();
        pthread_mutex_lock(&m->lock);
        unsigned playing = 0;
        unsigned n = m->n_sessions;
        for (unsigned i = 0; i < n && i < m->n_sessions; i++) {
            struct session *s = m->sessions[i];
            if (s->state == STATE_STOPPED)
                continue;
            playing++;
            step(m, s, o);
        }
        start_some(m, playing, o);
        pthread_mutex_unlock(&m->lock);
        outbox_send(o);
        for (unsigned i = 0; i < m->n_servers; i++) {
            server_tend(&m->servers[i]);
            server_push(&m->servers[i]);
        }
    }
    return NULL;
}
