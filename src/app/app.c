#include "app/app.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "api/api.h"
#include "app/backups.h"
#include "app/cities.h"
#include "app/client_id.h"
#include "app/demo.h"
#include "app/demo_history.h"
#include "app/folder.h"
#include "app/jobs.h"
#include "app/lock.h"
#include "app/probes.h"
#include "app/restores.h"
#include "app/servers.h"
#include "app/starting.h"
#include "auth/audit.h"
#include "auth/auth.h"
#include "auth/oidc.h"
#include "auth/plex_login.h"
#include "backup/restore.h"
#include "base/logger.h"
#include "base/mem.h"
#include "ingest/ingest.h"
#include "live/live.h"
#include "log/log.h"
#include "log/nats_server.h"
#include "sources/collector.h"
#include "store/store.h"

#include "base/banned.h"

/* More records than that take so long to apply that HTTP should answer meanwhile. */
enum { BEHIND_MOST = 2000 };
enum { TRIM_EVERY_MS = 30000, MALLOC_ARENAS = 2 };
/* How long a start waits for NATS: one that starts with us, and our own that reads its store first. */
#define NATS_PATIENCE_US (10 * US_PER_S)
#define NATS_OWN_PATIENCE_US (60 * US_PER_S)

struct app {
    const struct config *config;
    const char *version;
    enum app_mode mode;
    size_t started; /* parts before this one in the table run, if their row says so */
    int lock_fd;
    struct auth *auth;
    struct oidc *oidc;
    struct plex_login *plex;
    struct store *store;
    struct nats_server *nats;
    struct log *log;
    struct places *places;
    struct ingest *ingest;
    struct live *live;
    char *import_folder;
    struct jobs *jobs;
    char *backup_folder;
    struct backups *backups;
    struct restores *restores;
    struct api *api;
    struct http_server *http;
    struct servers *servers;
    char client_id[CLIENT_ID_MAX];
    char *alive_path;
    struct collector *collector;
    struct demo_history *demo_history;
};

static const char LOG_FILE[] = "log.sqlite";

static char *in_data(const struct app *a, const char *name)
{
    return xasprintf("%s/%s", a->config->data_dir, name);
}

static enum status start_lock(struct app *a, struct error *err)
{
    TRY(data_folder_prepare(a->config->data_dir, err));
    auto_fd int fd = -1;
    TRY(data_lock(a->config->data_dir, &fd, err));
    TRY(restore_finish(a->config->data_dir, err));
    if (a->mode == APP_SERVE)
        TRY(restore_begin_staged(a->config->data_dir, err));
    a->lock_fd = steal_fd(&fd);
    return STATUS_OK;
}

static void stop_lock(struct app *a)
{
    if (a->lock_fd >= 0)
        close(a->lock_fd);
}

static enum status start_auth(struct app *a, struct error *err)
{
    auto_free char *path = in_data(a, "cartographus.sqlite");
    const struct config *k = a->config;
    bool has_password = config_has_auth_mode(k, "jwt") || config_has_auth_mode(k, "basic");
    struct auth_config c = {.path = path,
                            .jwt_secret = k->jwt_secret,
                            .admin_username = has_password ? k->admin_username : NULL,
                            .admin_password = k->admin_password,
                            .issuers = {config_has_auth_mode(k, "oidc") ? k->oidc_issuer_url : NULL,
                                        config_has_auth_mode(k, "plex") ? PLEX_ISSUER : NULL},
                            .is_offline = a->mode != APP_SERVE,
                            .session_timeout_us = k->session_timeout,
                            .audit_keep_rows = k->audit_keep_rows,
                            .audit_keep_us = k->audit_keep};
    return auth_open(&c, &a->auth, err);
}

static void stop_auth(struct app *a)
{
    auth_close(a->auth);
}

static enum status start_servers(struct app *a, struct error *err)
{
    TRY(client_id_ensure(a->config->data_dir, a->client_id, err));
    return servers_of_folder(a->config, false, &a->servers, err);
}

static void stop_servers(struct app *a)
{
    servers_close(a->servers);
}

/* A provider that is down keeps nobody from starting: what is wrong with it is said. */
static void told_of_provider(void *ctx, const struct oidc_begun *r)
{
    (void)ctx;
    if (r->status != STATUS_OK)
        log_warn("auth", "nobody can log in by OpenID Connect", LF_ERROR(&r->error));
}

struct oidc_config app_oidc(const struct config *c)
{
    return (struct oidc_config){.issuer = c->oidc_issuer_url,
                                .client_id = c->oidc_client_id,
                                .client_secret = c->oidc_client_secret,
                                .redirect_url = c->oidc_redirect_url,
                                .scopes = c->oidc_scopes,
                                .roles_claim = c->oidc_roles_claim,
                                .admin_roles = c->oidc_admin_roles,
                                .viewer_roles = c->oidc_viewer_roles,
                                .jwt_secret = c->jwt_secret};
}

static enum status start_oidc(struct app *a, struct error *err)
{
    const struct config *k = a->config;
    if (!config_has_auth_mode(k, "oidc"))
        return STATUS_OK;
    struct oidc_config c = app_oidc(k);
    if (strncmp(c.issuer, "https://", 8) != 0)
        log_warn("auth", "OIDC_ISSUER_URL is no https address: who is in between can log in",
                 LF_TEXT("issuer", c.issuer));
    TRY(oidc_start(&c, &a->oidc, err));
    oidc_begin(a->oidc, told_of_provider, NULL);
    return STATUS_OK;
}

static void stop_oidc(struct app *a)
{
    oidc_free(a->oidc);
}

/* A store that does not open, and has come with a backup, has a way back. */
static enum status tell_restored(const struct app *a, struct error *err)
{
    struct restored last;
    if (!restore_last(a->config->data_dir, &last))
        return err->status;
    enum status s = fail_prefix(err, "this store came with the restore of '%s' (the way back: cartographus"
                                " restore --undo)", last.facts.file);
    restored_done(&last);
    return s;
}

static enum status start_store(struct app *a, struct error *err)
{
    auto_free char *path = in_data(a, "cartographus.duckdb");
    auto_free char *memory = xasprintf("%lldB", (long long)a->config->duckdb_max_memory);
    struct store_config c = {.path = path,
                             .max_memory = memory,
                             .threads = (unsigned)a->config->duckdb_threads};
    bool was_damaged = false;
    enum status s = store_open(&c, &a->store, &was_damaged, err);
    if (s != STATUS_OK)
        return tell_restored(a, err);
    if (was_damaged)
        log_warn("app", "the store's WAL was damaged and is set aside");
    return STATUS_OK;
}

static void stop_store(struct app *a)
{
    store_close(a->store);
}

static enum status start_nats(struct app *a, struct error *err)
{
    if (!a->config->nats_embedded)
        return STATUS_OK;
    auto_free char *folder = in_data(a, "nats");
    struct nats_server_config c = {.folder = folder,
                                   .max_memory = a->config->nats_max_memory,
                                   .max_store = a->config->nats_max_store};
    return nats_server_start(&c, &a->nats, err);
}

static void stop_nats(struct app *a)
{
    nats_server_stop(a->nats);
}

struct log_nats app_nats(const struct config *c)
{
    return (struct log_nats){.url = c->nats_url,
                             .user = c->nats_user,
                             .password = c->nats_password,
                             .token = c->nats_token,
                             .ca_file = c->nats_tls_ca,
                             .stream = c->nats_stream};
}

static enum status start_log(struct app *a, struct error *err)
{
    const struct config *c = a->config;
    struct log_nats n = app_nats(c);
    n.patience_us = NATS_PATIENCE_US;
    if (a->nats)
        n = (struct log_nats){.url = nats_server_url(a->nats),
                              .stream = c->nats_stream,
                              .max_bytes = c->nats_max_store,
                              .patience_us = NATS_OWN_PATIENCE_US};
    auto_free char *path = in_data(a, LOG_FILE);
    if (!*n.url)
        return log_open(path, &a->log, err);
    TRY(log_open_nats(&n, &a->log, err));
    log_info("app", "the log is in NATS", LF_TEXT("home", log_home(a->log)));
    return STATUS_OK;
}

static void stop_log(struct app *a)
{
    log_close(a->log);
}

static enum status start_places(struct app *a, struct error *err)
{
    return cities_open(a->config, &a->places, err);
}

static void stop_places(struct app *a)
{
    places_close(a->places);
}

/* "Berlin, DE" for the page's cards. */
static bool place_of(void *ctx, const char *address, char ret_place[static LIVE_NAME_MAX],
                     const char **ret_class)
{
    const struct app *a = ctx;
    struct place_found found;
    places_lookup(a->places, address, &found);
    *ret_class = found.address_class;
    if (!found.has_place)
        return false;
    const char *country = *found.country ? found.country : found.country_code;
    snprintf(ret_place, LIVE_NAME_MAX, "%s%s%s", found.city, *found.city ? ", " : "", country);
    return true;
}

/* Records that are to be applied before anything else. */
static enum status count_behind(const struct app *a, int64_t *ret, struct error *err)
{
    struct store_conn *conn = NULL;
    int64_t position = 0;
    TRY(store_connect(a->store, &conn, err));
    enum status s = store_query_int(conn, "select position from applied", NULL, 0, 0, &position, err);
    store_disconnect(conn);
    *ret = log_last(a->log) - position;
    return s;
}

static enum status start_ingest(struct app *a, struct error *err)
{
    struct log *former = NULL; /* the log was in the file, and is elsewhere now */
    auto_free char *path = in_data(a, LOG_FILE);
    if ((a->nats || *a->config->nats_url) && access(path, F_OK) == 0)
        TRY(log_open(path, &former, err));
    struct ingest_config c = {.log = a->log, .former = former, .store = a->store,
                              .knobs = knobs_default(),
                              .lookup = places_lookup,
                              .lookup_ctx = a->places};
    struct starting *starting = NULL;
    int64_t behind = 0;
    enum status s = a->mode == APP_SERVE ? count_behind(a, &behind, err) : STATUS_OK;
    if (s == STATUS_OK && behind > BEHIND_MOST)
        s = starting_begin(a->config, a->version, behind, &starting, err);
    if (s == STATUS_OK)
        s = ingest_start(&c, &a->ingest, err);
    starting_end(starting);
    log_close(former);
    return s;
}

static void stop_ingest(struct app *a)
{
    ingest_stop(a->ingest);
}

static int64_t server_of(void *ctx, const char *key, char ret_name[static LIVE_NAME_MAX],
                         const char **ret_kind)
{
    const struct app *a = ctx;
    int64_t id = ingest_server(a->ingest, key, ret_name, LIVE_NAME_MAX);
    auto_server_list struct server_list *l = servers_get(a->servers);
    const struct server_entry *e = server_list_find(l, key);
    if (e) {
        *ret_kind = server_kind_name(e->config.kind);
        if (e->config.name) /* also of a server that has not said yet who it is */
            snprintf(ret_name, LIVE_NAME_MAX, "%s", e->config.name);
    }
    return id;
}

static int64_t person_of(void *ctx, const char *server, const char *account_key,
                         char ret_name[static LIVE_NAME_MAX])
{
    const struct app *a = ctx;
    return ingest_person(a->ingest, server, account_key, ret_name, LIVE_NAME_MAX);
}

/* Of the Plex servers that are watched, those that have said who they are, now or in another run. */
static size_t plex_machines(void *ctx, char (*ret)[PLEX_MACHINE_MAX])
{
    const struct app *a = ctx;
    size_t count = 0;
    auto_server_list struct server_list *l = servers_get(a->servers);
    for (size_t i = 0; i < l->count && count < PLEX_SERVERS_MOST; i++) {
        const struct server_config *s = &l->entries[i].config;
        if (s->kind == SERVER_PLEX && ingest_machine(a->ingest, s->key, ret[count], PLEX_MACHINE_MAX))
            count++;
    }
    return count;
}

static bool plex_token(void *ctx, const char *machine, char ret[static PLEX_TOKEN_MAX])
{
    const struct app *a = ctx;
    char id[PLEX_MACHINE_MAX];
    auto_server_list struct server_list *l = servers_get(a->servers);
    for (size_t i = 0; i < l->count; i++) {
        const struct server_config *s = &l->entries[i].config;
        if (s->kind != SERVER_PLEX || s->token == NULL || !*s->token ||
            strlen(s->token) >= PLEX_TOKEN_MAX || !ingest_machine(a->ingest, s->key, id, sizeof id) ||
            !streq(id, machine))
            continue;
        snprintf(ret, PLEX_TOKEN_MAX, "%s", s->token);
        return true;
    }
    return false;
}

static enum status start_plex_login(struct app *a, struct error *err)
{
    const struct config *k = a->config;
    if (!config_has_auth_mode(k, "plex"))
        return STATUS_OK;
    struct plex_login_config c = {
        .base_url = k->plex_tv_url,
        .client_id = *k->plex_auth_client_id ? k->plex_auth_client_id : a->client_id,
        .machines = plex_machines,
        .token = plex_token,
        .ctx = a};
    return plex_login_start(&c, &a->plex, err);
}

static void stop_plex_login(struct app *a)
{
    plex_login_free(a->plex);
}

static void frame(void *ctx, struct str text)
{
    const struct app *a = ctx;
    api_broadcast(a->api, text);
}

static void session_frame(void *ctx, const struct scope_account *whose, struct str text)
{
    const struct app *a = ctx;
    api_tell_session(a->api, whose, text);
}

static enum status start_live(struct app *a, struct error *err)
{
    struct live_config c = {
        .lookup = {.ctx = a, .place = place_of, .person = person_of, .server = server_of},
        .frame = session_frame,
        .ctx = a};
    a->live = live_new(&c);
    return STATUS_OK;
}

static void stop_live(struct app *a)
{
    live_free(a->live);
}

static bool likely_server(void *ctx, char ret_key[static SERVER_KEY_MAX + 1])
{
    const struct app *a = ctx;
    auto_server_list struct server_list *l = servers_get(a->servers);
    return servers_only_plex(l, ret_key);
}

static enum status start_job_list(struct app *a, struct error *err)
{
    a->import_folder = in_data(a, "imports");
    struct jobs_config c = {.store = a->store,
                            .ingest = a->ingest,
                            .knobs = knobs_default(),
                            .folder = a->import_folder,
                            .import_max_bytes = a->config->import_max_size,
                            .likely_server = likely_server,
                            .frame = frame,
                            .ctx = a};
    return jobs_new(&c, &a->jobs, err);
}

static void stop_job_list(struct app *a)
{
    jobs_free(a->jobs);
    free(a->import_folder);
}

/* A demo's backups stay out of the folder where real ones are. */
char *app_backup_folder(const struct config *c)
{
    return *c->backup_dir && !demo_is_folder(c->data_dir) ? xstrdup(c->backup_dir)
                                                          : xasprintf("%s/backups", c->data_dir);
}

/* Nobody asked for it, so no request is noted. */
static void backup_was_due(void *ctx, const char *name, bool is_well)
{
    const struct app *a = ctx;
    struct audit_row row = {.kind = AUDIT_CHANGE, .via = "schedule", .action = "backup",
                            .status = is_well ? 200 : 500};
    snprintf(row.detail, sizeof row.detail, "%s", name);
    audit_note(a->auth, &row);
}

static enum status start_backups(struct app *a, struct error *err)
{
    const struct config *o = a->config;
    bool is_demo = demo_is_folder(o->data_dir);
    a->backup_folder = app_backup_folder(o);
    struct backups_config c = {.store = a->store,
                               .ingest = a->ingest,
                               .log = a->log,
                               .data_dir = o->data_dir,
                               .folder = a->backup_folder,
                               .version = a->version,
                               .is_demo = is_demo,
                               .was_due = backup_was_due,
                               .ctx = a,
                               .form = {.is_zstd = streq(o->backup_compression, "zstd"),
                                        .passphrase = o->backup_passphrase},
                               .every_us = is_demo || a->mode != APP_SERVE ? 0 : o->backup_schedule,
                               .retention = {.newest = o->backup_keep_newest,
                                             .daily = o->backup_keep_daily,
                                             .weekly = o->backup_keep_weekly,
                                             .monthly = o->backup_keep_monthly}};
    enum status s = backups_start(&c, &a->backups, err);
    if (s != STATUS_OK)
        free(steal_ptr(&a->backup_folder));
    return s;
}

static void stop_backups(struct app *a)
{
    backups_stop(a->backups);
    free(a->backup_folder);
}

static enum status start_restores(struct app *a, struct error *err)
{
    const struct config *o = a->config;
    struct restores_config c = {.data_dir = o->data_dir,
                                .backup_folder = a->backup_folder,
                                .passphrase = o->backup_passphrase,
                                .is_demo = demo_is_folder(o->data_dir),
                                .most_bytes = o->restore_max_size};
    return restores_start(&c, &a->restores, err);
}

static void stop_restores(struct app *a)
{
    restores_stop(a->restores);
}

static enum status start_jobs(struct app *a, struct error *err)
{
    return jobs_start(a->jobs, err);
}

static void stop_jobs(struct app *a)
{
    jobs_stop(a->jobs);
}

static enum status start_api(struct app *a, struct error *err)
{
    struct api_config c = {.config = a->config,
                           .version = a->version,
                           .client_id = a->client_id,
                           .auth = a->auth,
                           .oidc = a->oidc,
                           .plex = a->plex,
                           .servers = a->servers,
                           .store = a->store,
                           .live = a->live,
                           .ingest = a->ingest,
                           .log = a->log,
                           .probe = probes_describe,
                           .imports = jobs_imports(a->jobs),
                           .import_folder = a->import_folder,
                           .backups = backups_api(a->backups),
                           .restores = restores_api(a->restores)};
    return api_new(&c, &a->api, err);
}

static void stop_api(struct app *a)
{
    api_free(a->api);
}

static enum status start_http(struct app *a, struct error *err)
{
    auto_free char *socket_path = in_data(a, APP_SOCKET);
    struct http_server_config c = {.host = a->mode == APP_SERVE ? a->config->http_host : NULL,
                                   .port = (uint16_t)a->config->http_port,
                                   .socket_path = socket_path,
                                   .base_path = a->config->base_path,
                                   .ctx = a->api,
                                   .body_policy = api_body_policy,
                                   .handle = api_handle};
    TRY(http_server_start(&c, &a->http, err));
    if (a->mode == APP_SERVE)
        log_info("app", "listening", LF_TEXT("host", a->config->http_host),
                 LF_INT("port", http_server_port(a->http)), LF_TEXT("base_path", a->config->base_path));
    return STATUS_OK;
}

static void stop_http(struct app *a)
{
    api_stop(a->api);
    http_server_stop(a->http);
}

static void observed(void *ctx, const struct observation *o)
{
    const struct app *a = ctx;
    live_observe(a->live, o);
}

/* After each change; in the thread that made it. */
static void servers_changed(void *ctx, const struct server_list *l)
{
    struct app *a = ctx;
    auto_arena struct arena positions = {0};
    auto_free struct source_config *sources =
        sources_of(a->config, l, a->client_id, a->ingest, &positions);
    collector_set(a->collector, sources, l->count);
}

static enum status start_collector(struct app *a, struct error *err)
{
    auto_arena struct arena texts = {0};
    size_t open_count = 0;
    const struct observation *open = ingest_open_sessions(a->ingest, &texts, &open_count);
    auto_server_list struct server_list *l = servers_get(a->servers);
    auto_free struct source_config *sources = sources_of(a->config, l, a->client_id, a->ingest, &texts);
    a->alive_path = in_data(a, "alive");
    struct collector_config k = {.sources = sources,
                                 .source_count = l->count,
                                 .log = a->log,
                                 .alive_path = a->alive_path,
                                 .open = open,
                                 .open_count = open_count,
                                 .live = observed,
                                 .ctx = a};
    enum status s = collector_start(&k, &a->collector, err);
    if (s != STATUS_OK) {
        free(steal_ptr(&a->alive_path));
        return s;
    }
    api_set_collector(a->api, a->collector);
    servers_listen(a->servers, l, servers_changed, a); /* the port was open already */
    return STATUS_OK;
}

static void stop_collector(struct app *a)
{
    api_set_collector(a->api, NULL);
    servers_listen(a->servers, NULL, NULL, NULL);
    collector_stop(a->collector);
    free(a->alive_path);
}

static enum status start_demo_history(struct app *a, struct error *err)
{
    if (!a->config->is_demo)
        return STATUS_OK;
    struct demo_history_config c = {.folder = a->config->data_dir, .store = a->store,
                                    .imports = jobs_imports(a->jobs)};
    return demo_history_start(&c, &a->demo_history, err);
}

static void stop_demo_history(struct app *a)
{
    demo_history_stop(a->demo_history);
}

/* Started from top to bottom, stopped from bottom to top. Offline all but those that watch. */
static const struct {
    const char *name;
    enum status (*start)(struct app *a, struct error *err);
    void (*stop)(struct app *a);
    bool is_serving_only;
} parts[] = {
    {"lock", start_lock, stop_lock, false},
    {"auth", start_auth, stop_auth, false},
    {"servers", start_servers, stop_servers, false},
    {"oidc", start_oidc, stop_oidc, true},
    {"store", start_store, stop_store, false},
    {"nats", start_nats, stop_nats, false},
    {"log", start_log, stop_log, false},
    {"places", start_places, stop_places, false},
    {"ingest", start_ingest, stop_ingest, false},
    {"plex login", start_plex_login, stop_plex_login, true},
    {"live", start_live, stop_live, false},
    {"job list", start_job_list, stop_job_list, false},
    {"backups", start_backups, stop_backups, false},
    {"restores", start_restores, stop_restores, false},
    {"api", start_api, stop_api, false},
    {"jobs", start_jobs, stop_jobs, false},
    {"http", start_http, stop_http, false},
    {"collector", start_collector, stop_collector, true},
    {"demo history", start_demo_history, stop_demo_history, true},
};

static bool is_wanted(const struct app *a, size_t part)
{
    return a->mode == APP_SERVE || !parts[part].is_serving_only;
}

enum status app_start(const struct config *c, const char *version, enum app_mode mode,
                      struct app **ret, struct error *err)
{
    struct app *a = xcalloc(1, sizeof *a);
    a->config = c;
    a->version = version;
    a->mode = mode;
    a->lock_fd = -1;
    umask(077);
    mallopt(M_ARENA_MAX, MALLOC_ARENAS); /* else up to 8 a processor, each keeping what it once had */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is a full disk: an error, no death */
    for (; a->started < ARRAY_LEN(parts); a->started++) {
        enum status s = is_wanted(a, a->started) ? parts[a->started].start(a, err) : STATUS_OK;
        if (s != STATUS_OK) {
            app_stop(a);
            return s;
        }
    }
    *ret = a;
    return STATUS_OK;
}

void app_stop(struct app *a)
{
    if (a == NULL)
        return;
    while (a->started > 0) {
        if (!is_wanted(a, --a->started))
            continue;
        log_debug("app", "stop", LF_TEXT("part", parts[a->started].name));
        parts[a->started].stop(a);
    }
    free(a);
}

/* Meanwhile what bulk work has freed goes back to the system: malloc() keeps it for ever else. */
static void wait_for_signal(const sigset_t *signals)
{
    auto_fd int fd = signalfd(-1, signals, SFD_CLOEXEC);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct signalfd_siginfo info;
    while (fd >= 0 && poll(&p, 1, TRIM_EVERY_MS) == 0)
        malloc_trim(0);
    if (fd < 0 || read(fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    log_info("app", "stopping", LF_INT("signal", info.ssi_signo));
}

enum status app_serve(const struct config *c, const char *version, struct error *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct app *a = NULL;
    TRY(app_start(c, version, APP_SERVE, &a, err));
    wait_for_signal(&signals);
    app_stop(a);
    return STATUS_OK;
}
