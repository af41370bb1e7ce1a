/* Tries each media server, all at once: what watching needs, in words. */
#pragma once

#include <stdbool.h>

#include "config/config.h"
#include "servers/servers.h"
#include "sources/probe.h"

/* `each` gets them in the order of the list; without a result those that are not watched, as they are
 * switched off or lack their token. True if each is fine or switched off. Takes seconds. A thread of
 * one's own. */
enum status probes_run(const struct config *c, const struct server_list *l,
                       void (*each)(void *ctx, const struct source_config *s, const struct probe_result *r),
                       void *ctx, bool *ret_is_well, struct error *err);
/* The same without names and addresses of servers: a line each, "1 (plex): unreachable: ...". What
 * went wrong is as it was said, and may have them. */
void probes_describe(const struct config *c, const struct server_list *l, struct buf *out);
