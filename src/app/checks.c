#include "app/checks.h"

#include "app/cities.h"
#include "log/log.h"
#include "log/nats_server.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "servers/servers.h"
#include "store/store.h"

#include "base/banned.h"

static enum status check_time_zone(const struct config *c, struct error *err)
{
    bool is_known = streq(c->time_zone, "UTC");
    if (!is_known)
        TRY(store_knows_time_zone(c->time_zone, &is_known, err));
    return is_known ? STATUS_OK
                    : fail(err, STATUS_INVALID, "'%s' is no time zone; it must be one such as "
                                                "Europe/Berlin or UTC", c->time_zone);
}

static enum status check_cities(const struct config *c, struct error *err)
{
    struct places *places = NULL;
    struct error why = {0};
    if (*c->city_database && cities_open(c, &places, &why) != STATUS_OK)
        return fail(err, why.status, "%s; it must be a MaxMind or DB-IP City file (.mmdb), or a folder "
                                     "of them", why.text);
    places_close(places);
    return STATUS_OK;
}

static enum status check_host(const struct config *c, struct error *err)
{
    return http_server_check_host(c->http_host, err);
}

static enum status check_nats_url(const struct config *c, struct error *err)
{
    return *c->nats_url ? log_check_nats_url(c->nats_url, err) : STATUS_OK;
}

static enum status check_nats_server(const struct config *c, struct error *err)
{
    return c->nats_embedded ? nats_server_check(err) : STATUS_OK;
}

static size_t count_stored(const struct config *c, const char *kind)
{
    auto_free char *path = xasprintf("%s/cartographus.sqlite", c->data_dir);
    return servers_count_stored(path, kind);
}

/* Who may log in by plex.tv are those who have access to a Plex server that is watched. One that was
 * added serves as well, and one that is about to be, if somebody can log in to add it. */
static enum status check_plex_login(const struct config *c, struct error *err)
{
    bool has_plex = c->plex_enabled; /* what is wrong with it has been said */
    for (unsigned i = 0; i < c->server_count; i++)
        has_plex = has_plex || c->servers[i].kind == SERVER_PLEX;
    bool can_add = c->is_setup && (config_has_auth_mode(c, "jwt") || config_has_auth_mode(c, "basic"));
    has_plex = has_plex || can_add || count_stored(c, server_kind_name(SERVER_PLEX));
    if (!config_has_auth_mode(c, "plex") || (has_plex && !c->is_demo))
        return STATUS_OK;
    return fail(err, STATUS_INVALID,
                "has plex, but no Plex server is configured%s: who has access to one may log in; set %s=true "
                "with %s and %s, or take plex out",
                c->is_demo ? " (a demo's are invented)" : "", server_kinds[SERVER_PLEX].switch_env,
                server_kinds[SERVER_PLEX].url_env, server_kinds[SERVER_PLEX].token_env);
}

/* Configured, stored, or about to be added: with none of them there is nothing to serve. */
static bool check_servers(const struct config *c, struct buf *faults)
{
    bool is_any_on = c->server_count || c->is_demo || c->is_setup;
#define SERVER_KIND(NAME, word, ...) is_any_on = is_any_on || c->word##_enabled;
#include "model/server_kinds.def"
#undef SERVER_KIND
    if (is_any_on || count_stored(c, NULL))
        return true;
    auto_buf struct buf ways = {0};
    for (size_t k = 0; k < SERVER_KINDS; k++)
        buf_printf(&ways, "%s%s=true with %s and %s", k ? ", or " : "", server_kinds[k].switch_env,
                   server_kinds[k].url_env, server_kinds[k].token_env);
    buf_printf(faults, "no media server is configured; set %s; or SETUP=true to add one "
                       "on the page, or DEMO=true to look around with invented data\n", buf_text(&ways));
    return false;
}

bool config_check_parts(const struct config *c, bool is_serving, struct buf *faults)
{
    static const struct {
        const char *option;
        enum status (*check)(const struct config *c, struct error *err);
        bool is_for_serving;
    } checks[] = {{"TZ", check_time_zone, false},
                  {"AUTH_MODE", check_plex_login, true},
                  {"CITY_DATABASE", check_cities, false},
                  {"HTTP_HOST", check_host, true},
                  {"NATS_URL", check_nats_url, false},
                  {"NATS_EMBEDDED", check_nats_server, false}};
    bool is_well = !is_serving || check_servers(c, faults);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct error err = {0};
        if ((checks[i].is_for_serving && !is_serving) || checks[i].check(c, &err) == STATUS_OK)
            continue;
        buf_printf(faults, "%s: %s\n", checks[i].option, err.text);
        is_well = false;
    }
    return is_well;
}
