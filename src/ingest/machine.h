/*
 * The session state machine: which state may follow which. Nothing but these transitions ever
 * reaches the store; the table is the documentation.
 */
#pragma once

#include <stdbool.h>

#include "model/observation.h"

/* Where a session can be, seen from ingest: not there yet, or in one of the observed states. */
enum session_state { SESSION_NONE, SESSION_PLAYING, SESSION_PAUSED, SESSION_BUFFERING, SESSION_ENDED };

/* The state after `o` was seen in `from`; false when it may not follow: a stop never begins a
 * session, buffering never begins one, and nothing follows the end. */
bool session_next(enum session_state from, enum play_state seen, enum session_state *ret);
