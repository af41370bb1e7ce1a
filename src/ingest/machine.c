#include "ingest/machine.h"

#include <assert.h>

#include "base/banned.h"

/* Row: where it is. Column: what was seen. SESSION_NONE: not allowed, nothing changes. */
static const enum session_state transitions[][4] = {
    /*                       playing            paused            buffering          stopped */
    [SESSION_NONE]      = {SESSION_PLAYING, SESSION_PAUSED, SESSION_NONE,      SESSION_NONE},
    [SESSION_PLAYING]   = {SESSION_PLAYING, SESSION_PAUSED, SESSION_BUFFERING, SESSION_ENDED},
    [SESSION_PAUSED]    = {SESSION_PLAYING, SESSION_PAUSED, SESSION_BUFFERING, SESSION_ENDED},
    [SESSION_BUFFERING] = {SESSION_PLAYING, SESSION_PAUSED, SESSION_BUFFERING, SESSION_ENDED},
    [SESSION_ENDED]     = {SESSION_NONE,    SESSION_NONE,   SESSION_NONE,      SESSION_NONE},
};

bool session_next(enum session_state from, enum play_state seen, enum session_state *ret)
{
    enum session_state to = transitions[from][seen];
    if (to == SESSION_NONE)
        return false;
    /* The invariant: an end is reached from an open session only, and is final. */
    assert(from != SESSION_ENDED && (to != SESSION_ENDED || from != SESSION_NONE));
    *ret = to;
    return true;
}
