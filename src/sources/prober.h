/* Tries media servers on request (probe.h) in a thread of its own, so that no one who asks waits. */
#pragma once

#include "sources/probe.h"

enum { PROBES_MAX = 8 }; /* under way at a time */

struct prober;
enum status prober_start(struct prober **ret, struct error *err);
/* Ends what is under way: each is answered. What is asked from now on is UNAVAILABLE. */
void prober_stop(struct prober *p);
/* Stops, then frees. NULL is fine. */
void prober_free(struct prober *p);
/* `c` is copied. `done` runs once in the prober's thread, or in that of prober_stop(), if OK is
 * returned. RATE_LIMITED: PROBES_MAX are under way. Any thread. */
enum status prober_ask(struct prober *p, const struct source_config *c,
                       void (*done)(void *ctx, const struct probe_result *r), void *ctx, struct error *err);
