/*
 * Turns whole snapshots of what plays on one server into observations: start, change, progress,
 * stop. An explicit machine with no I/O and no clock of its own, so that every order of events can
 * be tested.
 *
 * Invariant: what is open here is exactly what the observations handed out so far say is open.
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/observation.h"

struct tracker;
typedef void tracker_emit(void *ctx, const struct observation *o);

/* Observations go to `emit` with ctx, borrowed for the call. `server` is copied. */
struct tracker *tracker_new(const char *server, tracker_emit *emit, void *ctx);
/* Hands it on: from now on observations go to this `emit` with this ctx. */
void tracker_give(struct tracker *t, tracker_emit *emit, void *ctx);
/* NULL is fine. */
void tracker_free(struct tracker *t);

/* A session that was open when we last stopped, as last observed (its `session` is the full
 * "<key>@<first seen>"). The next snapshot continues it, blind since then, or stops it there. */
void tracker_seed(struct tracker *t, const struct observation *last);

/* From `since_us` on nothing is known; the next snapshot's observations say how long that was. Until
 * then nothing had changed, else it would have been told: what is open is told as last seen then. */
void tracker_blind(struct tracker *t, int64_t since_us);

/* Everything that plays now; `session` of each holds the server's own session key, `server` and
 * observed_us are ignored. A key met twice counts once. is_announced: the server told of a change
 * just before; otherwise a change that is met may be as old as the last look, and its observation
 * says so in blind_ms. */
void tracker_snapshot(struct tracker *t, const struct observation *sessions, size_t count,
                      bool is_announced, int64_t now_us);

/* What a notification says about one session. */
struct tracker_hint {
    const char *session; /* the server's key */
    const char *item_key;
    enum play_state state;
    int64_t position_ms;           /* -1: not told */
    const struct observation *full; /* everything, where the notification holds it; or NULL */
};

/* Takes positions from hints that agree with what is known. False when any does not (or when
 * is_whole and a known session is missing): then nothing was taken and a snapshot is due. */
bool tracker_hint(struct tracker *t, const struct tracker_hint *hints, size_t count, bool is_whole,
                  int64_t now_us);

/* Sessions open now. */
size_t tracker_open_count(const struct tracker *t);
