/* Tries each configured media server, all at once: what watching needs, in words. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "sources/probe.h"

/* `each` gets them in the order of the configuration; true if each is fine. Takes seconds. A thread of
 * one's own. */
enum status probes_run(const struct config *c,
                       void (*each)(void *ctx, const struct source_config *s, const struct probe_result *r),
                       void *ctx, bool *ret_is_well, struct error *err);
/* The same without names and addresses of servers: a line each, "1 (plex): unreachable: ...". What
 * went wrong is as it was said, and may have them. */
void probes_describe(const struct config *c, struct buf *out);
