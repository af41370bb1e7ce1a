#include "app/servers.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"

#include "base/banned.h"

/* 0, 0 stands for a place that is not configured. */
static double degrees(double configured)
{
    return isnan(configured) ? 0 : configured;
}

enum status servers_of_folder(const struct config *c, bool is_looking, struct servers **ret,
                              struct error *err)
{
    auto_free char *path = xasprintf("%s/cartographus.sqlite", c->data_dir);
    auto_free char *key_path = xasprintf("%s/secret.key", c->data_dir);
    struct servers_config k = {.path = path,
                               .key_path = key_path,
                               .secret = c->secret_key,
                               .configured = c->servers,
                               .configured_count = c->server_count,
                               .is_looking = is_looking};
    config_usual_servers(c, k.usual);
    return servers_open(&k, ret, err);
}

static const char *why_off(const struct server_entry *e)
{
    return !e->is_enabled ? "switched off" : !e->config.token ? "its token is needed" : NULL;
}

struct source_config *sources_of(const struct config *c, const struct server_list *l,
                                 const char *client_id, struct ingest *ingest, struct arena *a)
{
    struct source_config *all = xcalloc(l->count + 1, sizeof *all);
    auto_free const char **keys = xcalloc(l->count + 1, sizeof *keys);
    auto_free const char **positions = xcalloc(l->count + 1, sizeof *positions);
    for (size_t i = 0; i < l->count; i++)
        keys[i] = l->entries[i].config.key;
    if (ingest && l->count)
        ingest_positions(ingest, keys, l->count, a, positions);
    for (size_t i = 0; i < l->count; i++) {
        const struct server_config *s = &l->entries[i].config;
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
                                        .position = positions[i],
                                        .off = why_off(&l->entries[i]),
                                        .tls = {.is_unverified = s->is_tls_unverified},
                                        .latitude = degrees(c->server_latitude),
                                        .longitude = degrees(c->server_longitude)};
    }
    return all;
}

bool servers_only_plex(const struct server_list *l, char ret[static SERVER_KEY_MAX + 1])
{
    unsigned count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->entries[i].config.kind == SERVER_PLEX && count++ == 0)
            snprintf(ret, SERVER_KEY_MAX + 1, "%s", l->entries[i].config.key);
    return count == 1;
}
