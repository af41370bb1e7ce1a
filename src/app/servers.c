#include "app/servers.h"

#include <math.h>

#include "base/mem.h"

#include "base/banned.h"

/* 0, 0 stands for a place that is not configured. */
static double degrees(double configured)
{
    return isnan(configured) ? 0 : configured;
}

struct source_config *servers_of(const struct config *c, const char *client_id)
{
    struct source_config *all = xcalloc(c->server_count + 1, sizeof *all);
    for (unsigned i = 0; i < c->server_count; i++) {
        const struct server_config *s = &c->servers[i];
        all[i] = (struct source_config){.key = s->key,
                                        .kind = s->kind,
                                        .name = s->name,
                                        .url = s->url,
                                        .token = s->token,
                                        .client_id = client_id,
                                        .is_realtime = s->is_realtime,
                                        .is_polling = s->is_polling,
                                        .polling_interval_us = s->polling_interval_us,
                                        .sync_interval_us = c->sync_interval,
                                        .batch_size = (unsigned)c->sync_batch_size,
                                        .tls = {.is_unverified = s->is_tls_unverified},
                                        .latitude = degrees(c->server_latitude),
                                        .longitude = degrees(c->server_longitude)};
    }
    return all;
}
