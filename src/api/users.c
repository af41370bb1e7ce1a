/* Who can log in, and whose plays they see: for administrators. */
#include "api/request.h"

#include "api/pool.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "store/cursor.h"
#include "store/rows.h"

#include "base/banned.h"

enum { ACCOUNTS_MOST = 200, SEARCH_MOST = 200 };

/* --- the list -------------------------------------------------------------------------------- */

/* An account as the store knows it, in the order of its keys. */
struct account {
    const char *server, *server_name, *server_kind, *key, *name, *person;
};

struct accounts {
    struct arena arena;
    struct account *all;
    size_t count, room;
};

static const char *keep(struct accounts *a, struct str text)
{
    return text.len ? arena_strndup(&a->arena, text.ptr, text.len) : NULL;
}

/* Those that any login has, by a link or as plex.tv's: few of all. */
static enum status read_accounts(struct request *r, const struct auth_login *logins, size_t count,
                                 struct accounts *ret, struct error *err)
{
    static const char sql[] =
        "select s.key, s.name, s.kind, a.key, a.name, p.name from account a join server s using (server_id)"
        " left join person p using (person_id)"
        " where s.key || chr(31) || a.key in (select unnest(string_split($1, chr(30))))"
        " or (s.kind = 'plex' and a.key in (select unnest(string_split($2, chr(30)))))"
        " order by s.key, a.key";
    auto_buf struct buf links = {0}, ids = {0};
    for (size_t i = 0; i < count; i++) {
        if (*logins[i].plex_id)
            buf_printf(&ids, "%s%c", logins[i].plex_id, SCOPE_ACCOUNT_SEPARATOR);
        for (size_t k = 0; k < logins[i].link_count; k++)
            buf_printf(&links, "%s%c%s%c", logins[i].links[k].server, SCOPE_KEY_SEPARATOR,
                       logins[i].links[k].account, SCOPE_ACCOUNT_SEPARATOR);
    }
    struct store_value values[] = {{.kind = SV_TEXT, .s = str_of(buf_text(&links))},
                                   {.kind = SV_TEXT, .s = str_of(buf_text(&ids))}};
    auto_cursor struct cursor c = {0};
    TRY(cursor_open(r->conn, sql, values, ARRAY_LEN(values), &c, err));
    while (cursor_next(&c)) {
        struct account *a = GROW(ret->all, ret->count, ret->room);
        const char *texts[6];
        for (idx_t i = 0; i < ARRAY_LEN(texts); i++)
            texts[i] = keep(ret, cursor_text(&c, i));
        *a = (struct account){texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
    }
    return STATUS_OK;
}

static void write_account(struct json_writer *w, const char *server, const char *key,
                          const struct account *a, bool is_linked)
{
    jw_object(w);
    jw_kv_text(w, "server", server);
    jw_kv_text(w, "server_name", a ? a->server_name : NULL);
    jw_kv_text(w, "server_kind", a ? a->server_kind : NULL);
    jw_kv_text(w, "key", key);
    jw_kv_text(w, "account", a ? a->name : NULL);
    jw_kv_text(w, "person", a ? a->person : NULL);
    jw_kv_bool(w, "is_linked", is_linked);
    jw_kv_bool(w, "is_known", a != NULL);
    jw_object_end(w);
}

static const struct account *find_account(const struct accounts *all, const struct auth_link *l)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct account *a = &all->all[i];
        if (a->server && a->key && streq(a->server, l->server) && streq(a->key, l->account))
            return a;
    }
    return NULL;
}

static bool is_linked(const struct auth_login *l, const struct account *a)
{
    for (size_t i = 0; i < l->link_count; i++)
        if (streq(l->links[i].server, a->server) && streq(l->links[i].account, a->key))
            return true;
    return false;
}

static void write_login(struct json_writer *w, const struct auth_login *l,
                        const struct accounts *all)
{
    jw_object(w);
    jw_kv_int(w, "id", l->id);
    jw_kv_text(w, "name", l->name);
    jw_kv_text(w, "issuer", l->issuer);
    jw_kv_text(w, "role", role_name(l->role));
    jw_kv_bool(w, "is_configured", l->is_configured);
    jw_kv_bool(w, "is_disabled", l->is_disabled);
    jw_kv_time(w, "created_at", l->created_us);
    jw_kv_time(w, "last_login_at", l->last_login_us);
    jw_kv_int(w, "sessions", (int64_t)l->sessions);
    jw_kv_array(w, "accounts");
    for (size_t i = 0; i < l->link_count; i++)
        write_account(w, l->links[i].server, l->links[i].account, find_account(all, &l->links[i]), true);
    for (size_t i = 0; i < all->count && *l->plex_id; i++) {
        const struct account *a = &all->all[i];
        if (a->server && a->server_kind && a->key && streq(a->server_kind, "plex") &&
            streq(a->key, l->plex_id) && !is_linked(l, a))
            write_account(w, a->server, a->key, a, false);
    }
    jw_array_end(w);
    jw_object_end(w);
}

void handle_users(struct request *r)
{
    auto_arena struct arena arena = {0};
    size_t count = 0;
    const struct auth_login *logins = auth_logins(r->api->config.auth, &arena, &count);
    struct accounts all = {0};
    struct error err = {0};
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_array(&w, "users");
    enum status s = read_accounts(r, logins, count, &all, &err);
    for (size_t i = 0; i < count && s == STATUS_OK; i++)
        write_login(&w, &logins[i], &all);
    jw_array_end(&w);
    jw_object_end(&w);
    arena_done(&all.arena);
    free(all.all);
    request_end(r, s, &out, &err);
}

/* --- accounts to choose from ----------------------------------------------------------------- */

struct search {
    enum status status;
    struct error err;
    const char *text;
};

static bool read_search(void *ctx, const char *name, const char *value)
{
    struct search *g = ctx;
    if (!streq(name, "search"))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    else if (strlen(value) > SEARCH_MOST || !str_is_utf8(str_of(value)))
        g->status = fail_field(&g->err, STATUS_INVALID, name, "it must be UTF-8 text of %d bytes at most",
                               SEARCH_MOST);
    else
        g->text = value;
    return g->status == STATUS_OK;
}

static enum status write_choices(struct request *r, const char *search, struct buf *out,
                                 struct error *err)
{
    /* All words somewhere in what is shown of it; who plays most is looked for most. */
    static const char sql[] =
        "select s.key as server, s.name as server_name, s.kind as server_kind, a.key, a.name as account,"
        " p.name as person, coalesce(n.plays, 0) as plays"
        " from account a join server s using (server_id) left join person p using (person_id)"
        " left join (select account_id, count(*) as plays from play where not is_hidden"
        "  group by account_id) n using (account_id)"
        " where a.key <> '' and not exists (select 1 from (select unnest(string_split($1, ' ')) as word)"
        "  where word <> '' and not contains(strip_accents(lower(concat_ws(' ', a.name, p.name, a.key, s.key,"
        "  s.name))), strip_accents(lower(word))))"
        " order by plays desc, lower(a.name), s.key, a.key limit $2";
    struct store_value values[] = {{.kind = SV_TEXT, .s = str_of(search)},
                                   {.kind = SV_INT, .i = ACCOUNTS_MOST}};
    auto_result duckdb_result result = {0};
    TRY(store_query(r->conn, sql, values, ARRAY_LEN(values), &result, err));
    auto_rows struct rows rows = {0};
    TRY(rows_begin(&rows, result, ROWS_JSON, err));
    buf_puts(out, "{\"accounts\":[");
    while (rows_next(&rows, out)) {
    }
    buf_puts(out, "]}");
    return STATUS_OK;
}

void handle_user_accounts(struct request *r)
{
    struct search g = {.status = STATUS_OK, .text = ""};
    http_query_each(r->x, read_search, &g);
    struct buf out = {0};
    if (g.status == STATUS_OK)
        g.status = write_choices(r, g.text, &out, &g.err);
    request_end(r, g.status, &out, &g.err);
}

/* --- changes --------------------------------------------------------------------------------- */

static void changed(struct request *r, const struct auth_change_result *result)
{
    watchers_check(r->api);
    watchers_resync(r->api, result->user_id);
}

static void has_changed(void *ctx, const struct auth_change_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        request_fail(r, &result->error);
        return;
    }
    changed(r, result);
    request_no_content(r);
}

static void has_added(void *ctx, const struct auth_change_result *result)
{
    struct request *r = ctx;
    if (result->status != STATUS_OK) {
        request_fail(r, &result->error);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "id", result->user_id);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

static void ask(struct request *r, struct auth_change *c, auth_change_done *done)
{
    struct error err = {0};
    c->by_id = r->user.id;
    c->by_name = r->user.name;
    http_keep(r->x);
    if (auth_change(r->api->config.auth, c, done, r, &err) != STATUS_OK)
        request_fail(r, &err);
}

/* The number in the path; false after having answered. */
static bool read_id(struct request *r, int64_t *ret)
{
    if (str_to_i64(str_of(r->params[0]), ret) && *ret > 0)
        return true;
    request_failf(r, STATUS_NOT_FOUND, "user", "there is no login '%s'", r->params[0]);
    return false;
}

void handle_user_add(struct request *r)
{
    const char *role = jstr(r->body, "role");
    struct auth_change c = {.kind = AUTH_ADD,
                            .name = jstr(r->body, "name"),
                            .password = jstr(r->body, "password"),
                            .role = *role ? role_parse(role) : ROLE_VIEWER};
    request_note(r, "%.60s, %s", c.name, role_name(c.role));
    ask(r, &c, has_added);
}

void handle_user_change(struct request *r)
{
    struct auth_change c = {0};
    const json_t *is_disabled = jget(r->body, "is_disabled");
    if (!read_id(r, &c.user_id))
        return;
    if (json_object_size(r->body) != 1) {
        request_failf(r, STATUS_INVALID, is_disabled ? "is_disabled" : "",
                      "the body must have one of role, password and is_disabled");
        return;
    }
    if (jget(r->body, "role")) {
        c.kind = AUTH_SET_ROLE;
        c.role = role_parse(jstr(r->body, "role"));
        request_note(r, "role %s", role_name(c.role));
    } else if (jget(r->body, "password")) {
        c.kind = AUTH_SET_PASSWORD;
        c.password = jstr(r->body, "password");
        request_note(r, "another password");
    } else {
        c.kind = json_is_true(is_disabled) ? AUTH_DISABLE : AUTH_ENABLE;
        request_note(r, "%s", json_is_true(is_disabled) ? "disabled" : "enabled");
    }
    ask(r, &c, has_changed);
}

void handle_user_remove(struct request *r)
{
    struct auth_change c = {.kind = AUTH_REMOVE};
    if (read_id(r, &c.user_id))
        ask(r, &c, has_changed);
}

/* A link to nothing would be silent: it is refused. */
static enum status check_account(struct request *r, struct error *err)
{
    struct store_value keys[] = {{.kind = SV_TEXT, .s = str_of(r->params[1])},
                                 {.kind = SV_TEXT, .s = str_of(r->params[2])}};
    int64_t count = 0;
    TRY(store_query_int(r->conn, "select count(*) from account a join server s using (server_id)"
                                 " where s.key = $1 and a.key = $2", keys, ARRAY_LEN(keys), 0, &count, err));
    if (count > 0)
        return STATUS_OK;
    return fail_field(err, STATUS_NOT_FOUND, "key",
                      "there is no account '%.60s' on a server '%.60s'; GET /api/v1/user-accounts lists them",
                      r->params[2], r->params[1]);
}

void handle_user_link(struct request *r)
{
    struct auth_change c = {.kind = AUTH_LINK, .server = r->params[1], .account = r->params[2]};
    struct error err = {0};
    if (!read_id(r, &c.user_id))
        return;
    if (check_account(r, &err) != STATUS_OK) {
        request_fail(r, &err);
        return;
    }
    pool_forget(r); /* the auth worker goes on with it */
    ask(r, &c, has_changed);
}

void handle_user_unlink(struct request *r)
{
    struct auth_change c = {.kind = AUTH_UNLINK, .server = r->params[1], .account = r->params[2]};
    if (read_id(r, &c.user_id))
        ask(r, &c, has_changed);
}
