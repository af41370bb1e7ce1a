#include "servers/servers.h"

#include <pthread.h>
#include <sodium.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "servers/rows.h"
#include "servers/seal.h"

#include "base/banned.h"

enum { BUSY_MS = 5000, KEY_RANDOM_BYTES = 4 };

struct servers {
    struct servers_config config;
    struct server_config *configured; /* a copy */
    struct seal_key seal_key;
    sqlite3 *db; /* NULL: is_looking, and there is no file */
    pthread_mutex_t change; /* held through a change: db, and the order of what `changed` hears */
    void (*changed)(void *ctx, const struct server_list *l);
    void *ctx;
    pthread_mutex_t lock; /* guards list; held for moments only */
    struct server_list *list;
};

const char servers_schema[] =
    "create table if not exists media_server (key text primary key, kind text not null, name text,"
    "  url text not null, token blob not null, machine_id text not null, is_enabled integer not null,"
    "  is_tls_verified integer not null, added_us integer not null) strict, without rowid";

/* --- lists ------------------------------------------------------------------------------------- */

static void entry_done(struct server_entry *e)
{
    free(e->config.key);
    free(e->config.name);
    free(e->config.url);
    if (e->config.token)
        secret_wipe(e->config.token, strlen(e->config.token));
    free(e->config.token);
    free(e->machine_id);
}

void server_list_unref(struct server_list *l)
{
    if (!l || atomic_fetch_sub(&l->refs, 1) > 1)
        return;
    for (size_t i = 0; i < l->count; i++)
        entry_done(&l->entries[i]);
    free(l->entries);
    free(l);
}

const struct server_entry *server_list_find(const struct server_list *l, const char *key)
{
    for (size_t i = 0; i < l->count; i++)
        if (streq(l->entries[i].config.key, key))
            return &l->entries[i];
    return NULL;
}

struct server_list *servers_get(struct servers *s)
{
    pthread_mutex_lock(&s->lock);
    struct server_list *l = s->list;
    atomic_fetch_add(&l->refs, 1);
    pthread_mutex_unlock(&s->lock);
    return l;
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static struct server_config copy_config(const struct server_config *c)
{
    struct server_config n = *c;
    n.key = copy(c->key);
    n.name = copy(c->name);
    n.url = copy(c->url);
    n.token = copy(c->token);
    return n;
}

/* --- rows -------------------------------------------------------------------------------------- */

static enum status db_fail(const struct servers *s, struct error *err)
{
    return fail(err, STATUS_IO, "the list of media servers: %s", sqlite3_errmsg(s->db));
}

static enum status prepare(const struct servers *s, const char *sql, sqlite3_stmt **ret,
                           struct error *err)
{
    return sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) == SQLITE_OK ? STATUS_OK : db_fail(s, err);
}

static const char *text_of(sqlite3_stmt *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q, column);
    return text ? text : "";
}

/* False: a row that this version makes nothing of. */
static bool read_row(const struct servers *s, sqlite3_stmt *q, struct server_entry *ret)
{
    enum server_kind kind;
    const char *key = text_of(q, 0);
    if (!server_kind_parse(str_of(text_of(q, 1)), &kind)) {
        log_warn("servers", "a stored server is of a kind that this version does not know",
                 LF_TEXT("server", key), LF_TEXT("kind", text_of(q, 1)));
        return false;
    }
    int len = sqlite3_column_bytes(q, 4);
    char *token = seal_open(&s->seal_key, key, sqlite3_column_blob(q, 4), (size_t)len);
    if (token)
        logger_add_secret(token);
    *ret = (struct server_entry){.config = s->config.usual[kind],
                                 .is_stored = true,
                                 .is_enabled = sqlite3_column_int(q, 6) != 0,
                                 .machine_id = xstrdup(text_of(q, 5))};
    struct server_config *c = &ret->config;
    c->kind = kind;
    c->key = xstrdup(key);
    c->name = *text_of(q, 2) ? xstrdup(text_of(q, 2)) : NULL;
    c->url = xstrdup(text_of(q, 3));
    c->token = token;
    c->is_tls_unverified = sqlite3_column_int(q, 7) == 0;
    return true;
}

static const char COLUMNS[] = "key, kind, name, url, token, machine_id, is_enabled, is_tls_verified";

static enum status read_rows(const struct servers *s, struct server_list *l, struct error *err)
{
    if (!s->db)
        return STATUS_OK;
    auto_free char *sql =
        xasprintf("select %s from media_server order by added_us, key limit %d", COLUMNS, SERVERS_MAX);
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(prepare(s, sql, &q, err));
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && l->count < SERVERS_MAX)
        l->count += read_row(s, q, &l->entries[l->count]);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? STATUS_OK : db_fail(s, err);
}

/* The list anew, from the configuration and the rows. */
static enum status load(struct servers *s, struct error *err)
{
    struct server_list *l = xcalloc(1, sizeof *l);
    atomic_init(&l->refs, 1);
    l->entries = xcalloc(SERVERS_MAX, sizeof *l->entries);
    for (size_t i = 0; i < s->config.configured_count && l->count < SERVERS_MAX; i++)
        l->entries[l->count++] = (struct server_entry){.config = copy_config(&s->configured[i]),
                                                       .is_enabled = true,
                                                       .machine_id = xstrdup("")};
    enum status status = read_rows(s, l, err);
    if (status != STATUS_OK) {
        server_list_unref(l);
        return status;
    }
    pthread_mutex_lock(&s->lock);
    struct server_list *former = s->list;
    s->list = l;
    pthread_mutex_unlock(&s->lock);
    server_list_unref(former);
    return STATUS_OK;
}

static void bind_text(sqlite3_stmt *q, int at, const char *text)
{
    if (text)
        sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

/* Writes an entry as it is to be, in one statement: it is there whole or not at all. */
static enum status write_row(const struct servers *s, const struct server_entry *e, bool is_new,
                             struct error *err)
{
    static const char insert[] = "insert into media_server values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    static const char update[] =
        "update media_server set name = ?3, url = ?4, token = ?5, machine_id = ?6, is_enabled = ?7,"
        " is_tls_verified = ?8 where key = ?1 and kind = ?2";
    const struct server_config *c = &e->config;
    auto_buf struct buf sealed = {0};
    if (c->token)
        seal(&s->seal_key, c->key, c->token, &sealed);
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(prepare(s, is_new ? insert : update, &q, err));
    bind_text(q, 1, c->key);
    bind_text(q, 2, server_kind_name(c->kind));
    bind_text(q, 3, c->name);
    bind_text(q, 4, c->url);
    sqlite3_bind_blob(q, 5, buf_text(&sealed), (int)sealed.len, SQLITE_STATIC);
    bind_text(q, 6, e->machine_id);
    sqlite3_bind_int(q, 7, e->is_enabled);
    sqlite3_bind_int(q, 8, !c->is_tls_unverified);
    if (is_new)
        sqlite3_bind_int64(q, 9, clock_now_us());
    return sqlite3_step(q) == SQLITE_DONE ? STATUS_OK : db_fail(s, err);
}

/* --- changes ------------------------------------------------------------------------------------- */

static void set(char **text, const char *to)
{
    if (!to)
        return;
    free(*text);
    *text = xstrdup(to);
}

static void change_entry(struct server_entry *e, const struct server_change *c)
{
    set(&e->config.url, c->url);
    set(&e->machine_id, c->machine_id);
    set(&e->config.name, c->name);
    if (e->config.name && !*e->config.name) {
        free(e->config.name);
        e->config.name = NULL;
    }
    if (c->token) {
        if (e->config.token)
            secret_wipe(e->config.token, strlen(e->config.token));
        set(&e->config.token, c->token);
        logger_add_secret(c->token);
    }
    e->is_enabled = c->is_enabled < 0 ? e->is_enabled : c->is_enabled;
    e->config.is_tls_unverified = c->is_tls_verified < 0 ? e->config.is_tls_unverified
                                                         : !c->is_tls_verified;
}

/* Within `change`. */
static void tell(struct servers *s)
{
    auto_server_list struct server_list *l = servers_get(s);
    if (s->changed)
        s->changed(s->ctx, l);
}

static enum status check_new(const struct server_list *l, enum server_kind kind, const char *key,
                             const char *machine_id, struct error *err)
{
    if (l->count >= SERVERS_MAX)
        return fail(err, STATUS_TOO_LARGE, "there are %d media servers, which is the most", SERVERS_MAX);
    if (server_list_find(l, key))
        return fail(err, STATUS_CONFLICT, "there is a media server '%s' already", key);
    for (size_t i = 0; i < l->count; i++)
        if (l->entries[i].config.kind == kind && *machine_id && streq(l->entries[i].machine_id, machine_id))
            return fail(err, STATUS_CONFLICT, "this server is there already, as '%s'",
                        l->entries[i].config.key);
    return STATUS_OK;
}

static void fresh_key(const struct server_list *l, enum server_kind kind,
                      char ret[static SERVER_KEY_MAX + 1])
{
    do {
        unsigned char random[KEY_RANDOM_BYTES];
        char text[2 * KEY_RANDOM_BYTES + 1];
        randombytes_buf(random, sizeof random);
        sodium_bin2hex(text, sizeof text, random, sizeof random);
        snprintf(ret, SERVER_KEY_MAX + 1, "%s-%s", server_kind_name(kind), text);
    } while (server_list_find(l, ret));
}

static enum status add(struct servers *s, enum server_kind kind, const char *key,
                       const struct server_change *c, char ret_key[static SERVER_KEY_MAX + 1],
                       struct error *err)
{
    auto_server_list struct server_list *l = servers_get(s);
    if (key)
        snprintf(ret_key, SERVER_KEY_MAX + 1, "%s", key);
    else
        fresh_key(l, kind, ret_key);
    TRY(check_new(l, kind, ret_key, c->machine_id ? c->machine_id : "", err));
    struct server_entry e = {.config = {.kind = kind,
                                        .key = xstrdup(ret_key),
                                        .url = xstrdup("")},
                             .is_stored = true,
                             .is_enabled = true,
                             .machine_id = xstrdup("")};
    change_entry(&e, c);
    enum status status = write_row(s, &e, true, err);
    entry_done(&e);
    TRY(status);
    TRY(load(s, err));
    tell(s);
    return STATUS_OK;
}

enum status servers_add(struct servers *s, enum server_kind kind, const char *key,
                        const struct server_change *c, char ret_key[static SERVER_KEY_MAX + 1],
                        struct error *err)
{
    pthread_mutex_lock(&s->change);
    enum status status = add(s, kind, key, c, ret_key, err);
    pthread_mutex_unlock(&s->change);
    return status;
}

static enum status find_stored(const struct server_list *l, const char *key,
                               const struct server_entry **ret, struct error *err)
{
    *ret = server_list_find(l, key);
    if (!*ret)
        return fail(err, STATUS_NOT_FOUND, "there is no media server '%.60s'", key);
    if (!(*ret)->is_stored)
        return fail(err, STATUS_CONFLICT, "'%s' comes from the configuration (environment or file); change "
                                          "it there and start again", key);
    return STATUS_OK;
}

static enum status edit(struct servers *s, const char *key, const struct server_change *c,
                        struct error *err)
{
    auto_server_list struct server_list *l = servers_get(s);
    const struct server_entry *now;
    TRY(find_stored(l, key, &now, err));
    struct server_entry e = *now;
    e.config = copy_config(&now->config);
    e.machine_id = xstrdup(now->machine_id);
    change_entry(&e, c);
    enum status status = write_row(s, &e, false, err);
    entry_done(&e);
    TRY(status);
    TRY(load(s, err));
    tell(s);
    return STATUS_OK;
}

enum status servers_edit(struct servers *s, const char *key, const struct server_change *c,
                         struct error *err)
{
    pthread_mutex_lock(&s->change);
    enum status status = edit(s, key, c, err);
    pthread_mutex_unlock(&s->change);
    return status;
}

static enum status remove_one(struct servers *s, const char *key, struct error *err)
{
    auto_server_list struct server_list *l = servers_get(s);
    const struct server_entry *now;
    TRY(find_stored(l, key, &now, err));
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(prepare(s, "delete from media_server where key = ?1", &q, err));
    bind_text(q, 1, key);
    if (sqlite3_step(q) != SQLITE_DONE)
        return db_fail(s, err);
    TRY(load(s, err));
    tell(s);
    return STATUS_OK;
}

enum status servers_remove(struct servers *s, const char *key, struct error *err)
{
    pthread_mutex_lock(&s->change);
    enum status status = remove_one(s, key, err);
    pthread_mutex_unlock(&s->change);
    return status;
}

void servers_listen(struct servers *s, const struct server_list *seen,
                    void (*changed)(void *ctx, const struct server_list *l), void *ctx)
{
    pthread_mutex_lock(&s->change);
    s->changed = changed;
    s->ctx = ctx;
    if (s->list != seen)
        tell(s);
    pthread_mutex_unlock(&s->change);
}

/* --- life ---------------------------------------------------------------------------------------- */

static enum status open_db(struct servers *s, struct error *err)
{
    bool is_looking = s->config.is_looking;
    int flags = SQLITE_OPEN_READWRITE | (is_looking ? 0 : SQLITE_OPEN_CREATE);
    if (is_looking && !servers_count_stored(s->config.path, NULL))
        return STATUS_OK;
    if (sqlite3_open_v2(s->config.path, &s->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(s->db, BUSY_MS) != SQLITE_OK ||
        (!is_looking && sqlite3_exec(s->db, "pragma journal_mode=wal; pragma synchronous=full", NULL, NULL,
                                     NULL) != SQLITE_OK) ||
        (!is_looking && sqlite3_exec(s->db, servers_schema, NULL, NULL, NULL) != SQLITE_OK))
        return fail(err, STATUS_IO, "open '%s': %s", s->config.path,
                    s->db ? sqlite3_errmsg(s->db) : "out of memory");
    return STATUS_OK;
}

static enum status check_keys(const struct servers *s, struct error *err)
{
    const struct server_list *l = s->list;
    for (size_t i = 0; i < l->count; i++) {
        const struct server_config *c = &l->entries[i].config;
        if (!l->entries[i].is_stored)
            continue;
        if (server_list_find(l, c->key)->is_stored == false)
            return fail(err, STATUS_INVALID,
                        "the plays of a server that was added on the page are kept under '%s', and a "
                        "configured server goes by that, too; give the configured one an id of its own "
                        "(PLEX_SERVER_ID and the like, or id in a list)", c->key);
        if (!c->is_realtime && !c->is_polling)
            log_warn("servers", "live updates and polling are both off for its kind: nothing tells what "
                                "plays there", LF_TEXT("server", c->key));
        if (!c->token)
            log_warn("servers", "the token of a server is missing or sealed with another key; give it "
                                "again on the page or by: cartographus server edit",
                     LF_TEXT("server", c->key));
    }
    return STATUS_OK;
}

enum status servers_open(const struct servers_config *c, struct servers **ret, struct error *err)
{
    struct servers *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->change, NULL);
    pthread_mutex_init(&s->lock, NULL);
    s->config = *c;
    s->configured = xcalloc(c->configured_count + 1, sizeof *s->configured);
    for (size_t i = 0; i < c->configured_count; i++)
        s->configured[i] = copy_config(&c->configured[i]);
    enum status status = seal_key_load(c->secret, c->key_path, !c->is_looking, &s->seal_key, err);
    if (status == STATUS_OK)
        status = open_db(s, err);
    if (status == STATUS_OK)
        status = load(s, err);
    if (status == STATUS_OK)
        status = check_keys(s, err);
    if (status != STATUS_OK) {
        servers_close(s);
        return status;
    }
    *ret = s;
    return STATUS_OK;
}

void servers_close(struct servers *s)
{
    if (!s)
        return;
    server_list_unref(s->list);
    sqlite3_close(s->db);
    for (size_t i = 0; i < s->config.configured_count; i++) {
        struct server_entry e = {.config = s->configured[i]};
        entry_done(&e);
    }
    free(s->configured);
    sodium_memzero(&s->seal_key, sizeof s->seal_key);
    pthread_mutex_destroy(&s->change);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
