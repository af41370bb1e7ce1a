/* Who there is: the configured administrator, those whom a provider knows, and those whom an
 * administrator has made; their roles, and the accounts that are theirs. */
#include "auth/inside.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

/* argon2id, small on purpose: the machine is a home server and logins are throttled. */
enum { HASH_PASSES = 2, HASH_BYTES = 16 * 1024 * 1024 };

const char *role_name(enum role r)
{
    switch (r) {
    case ROLE_NOBODY:
        return "nobody";
    case ROLE_VIEWER:
        return "viewer";
    case ROLE_ADMIN:
        return "admin";
    }
    return "nobody";
}

enum role role_parse(const char *text)
{
    if (streq(text, "admin"))
        return ROLE_ADMIN;
    return streq(text, "viewer") ? ROLE_VIEWER : ROLE_NOBODY;
}

enum status auth_users_hash_password(const char *password, char dst[static crypto_pwhash_STRBYTES],
                                struct error *err)
{
    if (crypto_pwhash_str_alg(dst, password, strlen(password), HASH_PASSES, HASH_BYTES,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(err, STATUS_NOMEM, "no memory to hash a password");
    return STATUS_OK;
}

/* --- in memory ------------------------------------------------------------------------------- */

void auth_users_free(struct user *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(all[i].links);
        arena_done(&all[i].arena);
        scope_done(&all[i].scope);
    }
    free(all);
}

static int by_id(const void *key, const void *element)
{
    int64_t id = *(const int64_t *)key, other = ((const struct user *)element)->id;
    return (id > other) - (id < other);
}

const struct user *auth_users_find(const struct auth *a, int64_t id)
{
    return a->user_count ? bsearch(&id, a->users, a->user_count, sizeof *a->users, by_id) : NULL;
}

static const char *text_at(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? text : "";
}

static const char *text_or_null(struct arena *a, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? arena_strdup(a, text) : NULL;
}

static void read_user(sqlite3_stmt *s, struct user *u)
{
    *u = (struct user){.id = sqlite3_column_int64(s, 0),
                       .role = role_parse(text_at(s, 2)),
                       .is_configured = sqlite3_column_int(s, 3) != 0,
                       .is_disabled = sqlite3_column_int(s, 4) != 0,
                       .created_us = sqlite3_column_int64(s, 5),
                       .last_login_us = TIME_NONE};
    u->issuer = text_or_null(&u->arena, s, 7);
    u->subject = text_or_null(&u->arena, s, 8);
    snprintf(u->name, sizeof u->name, "%s", text_at(s, 1));
    if (sqlite3_column_type(s, 6) != SQLITE_NULL)
        u->last_login_us = sqlite3_column_int64(s, 6);
    u->scope.sees_all = u->role == ROLE_ADMIN;
    if (u->issuer != NULL && streq(u->issuer, PLEX_ISSUER))
        scope_set_plex_id(&u->scope, u->subject);
}

static enum status read_links(struct auth *a, struct user *all, size_t count, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select user_id, server, account, linked_us from link"
                            " order by 1, 2, 3", &s, err));
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(s, 0);
        struct user *u = count ? bsearch(&id, all, count, sizeof *all, by_id) : NULL;
        if (u == NULL)
            continue;
        u->links = xreallocarray(u->links, u->link_count + 1, sizeof *u->links);
        u->links[u->link_count++] = (struct auth_link){.server = arena_strdup(&u->arena, text_at(s, 1)),
                                                       .account = arena_strdup(&u->arena, text_at(s, 2)),
                                                       .linked_us = sqlite3_column_int64(s, 3)};
        scope_add(&u->scope, text_at(s, 1), text_at(s, 2));
    }
    return step == SQLITE_DONE ? STATUS_OK : auth_file_fail(a, err, "accounts");
}

static enum status read_users(struct auth *a, struct user **all, size_t *count, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                     "select user_id, coalesce(i.name, u.name), role, is_configured, is_disabled,"
                     " created_us, last_login_us, issuer, subject"
                     " from user u left join identity i using (user_id) order by user_id",
                     &s, err));
    int step;
    size_t room = 0;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        struct user *u = GROW(*all, *count, room);
        read_user(s, u);
    }
    if (step != SQLITE_DONE)
        return auth_file_fail(a, err, "accounts");
    return read_links(a, *all, *count, err);
}

enum status auth_users_load(struct auth *a, struct error *err)
{
    struct user *all = NULL;
    size_t count = 0;
    enum status status = read_users(a, &all, &count, err);
    if (status != STATUS_OK) {
        auth_users_free(all, count);
        return status;
    }
    pthread_mutex_lock(&a->mutex);
    struct user *old = a->users;
    size_t old_count = a->user_count;
    a->users = all;
    a->user_count = count;
    pthread_mutex_unlock(&a->mutex);
    auth_users_free(old, old_count);
    return STATUS_OK;
}

bool auth_current(struct auth *a, int64_t user_id, struct auth_user *ret)
{
    pthread_mutex_lock(&a->mutex);
    const struct user *u = auth_users_find(a, user_id);
    bool is_good = u != NULL && !u->is_disabled && u->role >= ROLE_VIEWER;
    if (is_good) {
        *ret = (struct auth_user){.id = u->id, .role = u->role};
        memcpy(ret->name, u->name, sizeof ret->name);
    }
    pthread_mutex_unlock(&a->mutex);
    return is_good;
}

void auth_scope(struct auth *a, int64_t user_id, struct scope *ret)
{
    *ret = (struct scope){0};
    pthread_mutex_lock(&a->mutex);
    const struct user *u = auth_users_find(a, user_id);
    if (u != NULL && !u->is_disabled)
        scope_copy(&u->scope, ret);
    pthread_mutex_unlock(&a->mutex);
}

struct auth_login *auth_logins(struct auth *a, struct arena *arena, size_t *ret_count)
{
    pthread_mutex_lock(&a->mutex);
    struct auth_login *all = arena_alloc(arena, (a->user_count + 1) * sizeof *all);
    for (size_t i = 0; i < a->user_count; i++) {
        const struct user *u = &a->users[i];
        struct auth_login *l = &all[i];
        *l = (struct auth_login){.id = u->id,
                                 .name = arena_strdup(arena, u->name),
                                 .issuer = u->issuer ? arena_strdup(arena, u->issuer) : NULL,
                                 .subject = u->subject ? arena_strdup(arena, u->subject) : NULL,
                                 .role = u->role,
                                 .is_configured = u->is_configured,
                                 .is_disabled = u->is_disabled,
                                 .created_us = u->created_us,
                                 .last_login_us = u->last_login_us,
                                 .link_count = u->link_count};
        memcpy(l->plex_id, u->scope.plex_id, sizeof l->plex_id);
        struct auth_link *links = arena_alloc(arena, (u->link_count + 1) * sizeof *links);
        for (size_t k = 0; k < u->link_count; k++)
            links[k] = (struct auth_link){arena_strdup(arena, u->links[k].server),
                                          arena_strdup(arena, u->links[k].account),
                                          u->links[k].linked_us};
        l->links = links;
        for (size_t k = 0; k < a->session_count; k++)
            l->sessions += a->sessions[k].user_id == u->id;
    }
    *ret_count = a->user_count;
    pthread_mutex_unlock(&a->mutex);
    return all;
}

/* --- the configured administrator, passwords ------------------------------------------------- */

static enum status drop_sessions_of(struct auth *a, const char *where, const char *name,
                                    struct error *err)
{
    auto_free char *sql =
        xasprintf("delete from session where user_id in (select user_id from user where %s)", where);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, sql, &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    return auth_file_run(a, s, err);
}

static enum status drop_formerly_configured(struct auth *a, const char *name, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "delete from user where is_configured = 1 and name <> ?1", &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    TRY(auth_file_run(a, s, err));
    return auth_file_change(a, "delete from link where user_id not in (select user_id from user)"
                          " and ?1 = 0", 0, NULL, NULL, err);
}

/* Whoever came in by a provider that is not asked any more. */
static enum status drop_other_issuers(struct auth *a, const char *const *issuers, struct error *err)
{
    static const char where[] = "user_id in (select user_id from identity"
                                " where issuer not in (select value from json_each(?1)))";
    auto_buf struct buf known = {0};
    struct json_writer w;
    jw_begin(&w, &known);
    jw_array(&w);
    for (int i = 0; i < AUTH_ISSUERS_MOST; i++) {
        if (issuers[i])
            jw_text(&w, issuers[i]);
    }
    jw_array_end(&w);
    TRY(drop_sessions_of(a, where, buf_text(&known), err));
    return api_tokens_end(a, where, buf_text(&known), err);
}

enum status auth_users_apply_configured(struct auth *a, const char *const *issuers,
                                        struct error *err)
{
    const char *name = a->admin_username ? a->admin_username : "";
    TRY(drop_sessions_of(a, "is_configured = 1 and name <> ?1", name, err));
    TRY(drop_other_issuers(a, issuers, err));
    TRY(drop_formerly_configured(a, name, err));
    if (a->admin_username == NULL) { /* no mode takes a password */
        TRY(api_tokens_end(a, "is_configured = 0 and password <> ?1", "", err));
        return drop_sessions_of(a, "is_configured = 0 and password <> ?1", "", err);
    }
    {
        auto_stmt sqlite3_stmt *s = NULL;
        TRY(auth_file_prepare(a, "select password from user where name = ?1 and role = 'admin'"
                            " and is_configured = 1 and is_disabled = 0", &s, err));
        sqlite3_bind_text(s, 1, a->admin_username, -1, SQLITE_STATIC);
        if (sqlite3_step(s) == SQLITE_ROW) {
            const char *stored = (const char *)sqlite3_column_text(s, 0);
            if (stored != NULL && crypto_pwhash_str_verify(stored, a->admin_password,
                                                           strlen(a->admin_password)) == 0)
                return STATUS_OK;
        }
    }
    TRY(drop_sessions_of(a, "name = ?1", a->admin_username, err));
    char hash[crypto_pwhash_STRBYTES];
    TRY(auth_users_hash_password(a->admin_password, hash, err));
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                     "insert into user (name, role, password, is_configured, created_us)"
                     " values (?1, 'admin', ?2, 1, ?3)"
                     " on conflict (name) do update set password = ?2, role = 'admin',"
                     " is_configured = 1, is_disabled = 0",
                     &s, err));
    sqlite3_bind_text(s, 1, a->admin_username, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, clock_now_us());
    return auth_file_run(a, s, err);
}

enum status auth_users_check_password(struct auth *a, const struct job *j, struct auth_user *ret,
                                 struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select user_id, role, password, is_disabled from user"
                            " where name = ?1", &s, err));
    sqlite3_bind_text(s, 1, j->name, -1, SQLITE_STATIC);
    bool is_known = sqlite3_step(s) == SQLITE_ROW;
    const char *stored = is_known ? (const char *)sqlite3_column_text(s, 2) : NULL;
    /* An unknown name takes as long as a known one. */
    bool is_right = crypto_pwhash_str_verify(stored ? stored : a->nobody_hash, j->password,
                                             strlen(j->password)) == 0;
    if (is_known) /* for the audit log */
        snprintf(ret->name, sizeof ret->name, "%s", j->name);
    if (!is_right || stored == NULL)
        return fail(err, STATUS_UNAUTHORIZED, "wrong user name or password");
    /* Only to whoever has the password. */
    if (sqlite3_column_int(s, 3) != 0)
        return fail(err, STATUS_DENIED, "this login is disabled: an administrator can enable it");
    ret->id = sqlite3_column_int64(s, 0);
    ret->role = role_parse(text_at(s, 1));
    return STATUS_OK;
}

/* --- those whom a provider knows ------------------------------------------------------------- */

/* A name that no login made here can have: see check_name(). */
static char *key_of(const struct auth_identity *who)
{
    return xasprintf("%s %s", who->issuer, who->subject);
}

static enum status count_users(struct auth *a, int64_t *ret, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select count(*) from user", &s, err));
    if (sqlite3_step(s) != SQLITE_ROW)
        return auth_file_fail(a, err, "accounts");
    *ret = sqlite3_column_int64(s, 0);
    return STATUS_OK;
}

static enum status check_room(struct auth *a, struct error *err)
{
    int64_t count = 0;
    TRY(count_users(a, &count, err));
    if (count >= USERS_MOST)
        return fail(err, STATUS_CONFLICT,
                    "there are %d logins already: an administrator has to delete some", USERS_MOST);
    return STATUS_OK;
}

static enum status find_identity(struct auth *a, const char *key, int64_t *ret_id,
                                 bool *ret_is_disabled, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select user_id, is_disabled from user where name = ?1", &s, err));
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    int step = sqlite3_step(s);
    *ret_id = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    *ret_is_disabled = step == SQLITE_ROW && sqlite3_column_int(s, 1) != 0;
    return step == SQLITE_ROW || step == SQLITE_DONE ? STATUS_OK : auth_file_fail(a, err, "accounts");
}

/* The login of an identity, with what the provider says of it now. */
static enum status store_identity(struct auth *a, const struct auth_identity *who, const char *key,
                                  struct auth_user *ret, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                     "insert into user (name, role, password, is_configured, created_us)"
                     " values (?1, ?2, '', 0, ?3) on conflict (name) do update set role = ?2"
                     " returning user_id",
                     &s, err));
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, role_name(who->role), -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, clock_now_us());
    if (sqlite3_step(s) != SQLITE_ROW)
        return auth_file_fail(a, err, "accounts");
    *ret = (struct auth_user){.id = sqlite3_column_int64(s, 0), .role = who->role};
    snprintf(ret->name, sizeof ret->name, "%s", who->name);
    TRY(auth_file_run(a, s, err));
    auto_stmt sqlite3_stmt *i = NULL;
    TRY(auth_file_prepare(a,
                     "insert into identity values (?1, ?2, ?3, ?4)"
                     " on conflict (user_id) do update set name = ?4",
                     &i, err));
    sqlite3_bind_int64(i, 1, ret->id);
    sqlite3_bind_text(i, 2, who->issuer, -1, SQLITE_STATIC);
    sqlite3_bind_text(i, 3, who->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(i, 4, who->name, -1, SQLITE_STATIC);
    return auth_file_run(a, i, err);
}

enum status auth_users_check_identity(struct auth *a, const struct auth_identity *who,
                                 struct auth_user *ret, struct error *err)
{
    auto_free char *key = key_of(who);
    int64_t known = 0;
    bool is_disabled = false;
    TRY(find_identity(a, key, &known, &is_disabled, err));
    bool has_role = who->role >= ROLE_VIEWER;
    /* Of somebody who is refused nothing new is kept. */
    if (known == 0 && !has_role)
        return fail(err, STATUS_DENIED,
                    "%s is known to %s, but may not log in here: none of the roles there is one of "
                    "OIDC_ADMIN_ROLES or OIDC_VIEWER_ROLES", who->name, who->issuer);
    if (known == 0)
        TRY(check_room(a, err));
    TRY(store_identity(a, who, key, ret, err));
    TRY(auth_users_load(a, err));
    if (has_role && !is_disabled)
        return STATUS_OK;
    TRY(auth_sessions_end_all_of(a, ret->id, err));
    if (is_disabled)
        return fail(err, STATUS_DENIED, "the login of %s is disabled: an administrator can enable it",
                    who->name);
    return fail(err, STATUS_DENIED,
                "%s is known to %s, but may not log in any more: none of the roles there is one of "
                "OIDC_ADMIN_ROLES or OIDC_VIEWER_ROLES", who->name, who->issuer);
}

enum status auth_users_has_entered(struct auth *a, int64_t id, struct error *err)
{
    auto_free char *sql = xasprintf("update user set last_login_us = %lld where user_id = ?1",
                                    (long long)clock_now_us());
    TRY(auth_file_change(a, sql, id, NULL, NULL, err));
    return auth_users_load(a, err);
}

enum status auth_users_reset(struct auth *a, const char *name, struct error *err)
{
    throttle_succeeded(a->throttle, &(struct throttle_who){name, "", NULL});
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                     "select user_id from user u left join identity i using (user_id)"
                     " where u.name = ?1 or i.name = ?1",
                     &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    bool is_any = false;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        is_any = true;
        remembered_forget(a->remembered, sqlite3_column_int64(s, 0));
        TRY(auth_sessions_end_all_of(a, sqlite3_column_int64(s, 0), err));
    }
    if (step != SQLITE_DONE)
        return auth_file_fail(a, err, "accounts");
    TRY(api_tokens_end(a, "name = ?1 or user_id in (select user_id from identity where name = ?1)", name,
                       err));
    return is_any ? STATUS_OK : fail(err, STATUS_NOT_FOUND, "nobody is called '%s'", name);
}

/* --- what an administrator changes ----------------------------------------------------------- */

static enum status check_name(const char *name, struct error *err)
{
    struct str s = str_of(name);
    bool is_clean = s.len > 0 && s.len < AUTH_NAME_MAX && str_is_utf8(s) && str_eq(str_trim(s), s);
    for (size_t i = 0; i < s.len && is_clean; i++)
        is_clean = (unsigned char)s.ptr[i] >= 0x20 && s.ptr[i] != 0x7f && s.ptr[i] != ':';
    if (is_clean)
        return STATUS_OK;
    /* HTTP Basic ends a name at a colon; what a provider knows has one in its address. */
    return fail_field(err, STATUS_INVALID, "name",
                      "a login's name must be 1 to %d bytes of UTF-8 text without a colon, and without "
                      "blanks at its ends", AUTH_NAME_MAX - 1);
}

static enum status check_new_password(const char *password, struct error *err)
{
    size_t len = strlen(password);
    if (len >= AUTH_PASSWORD_LEAST && len < AUTH_PASSWORD_MAX)
        return STATUS_OK;
    return fail_field(err, STATUS_INVALID, "password", "a password must have %d to %d characters",
                      AUTH_PASSWORD_LEAST, AUTH_PASSWORD_MAX - 1);
}

static enum status add_user(struct auth *a, const struct job *j, int64_t *ret_id, struct error *err)
{
    TRY(check_name(j->name, err));
    TRY(check_new_password(j->password, err));
    TRY(check_room(a, err));
    char hash[crypto_pwhash_STRBYTES];
    TRY(auth_users_hash_password(j->password, hash, err));
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                     "insert into user (name, role, password, is_configured, created_us)"
                     " values (?1, ?2, ?3, 0, ?4) on conflict (name) do nothing returning user_id",
                     &s, err));
    sqlite3_bind_text(s, 1, j->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, role_name(j->change.role), -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, clock_now_us());
    int step = sqlite3_step(s);
    if (step == SQLITE_DONE)
        return fail_field(err, STATUS_CONFLICT, "name", "there is a login '%s' already", j->name);
    if (step != SQLITE_ROW)
        return auth_file_fail(a, err, "accounts");
    *ret_id = sqlite3_column_int64(s, 0);
    return auth_file_run(a, s, err);
}

/* What may not be done to somebody. */
static enum status check_change(const struct job *j, const struct user *u, struct error *err)
{
    enum auth_change_kind kind = j->change.kind;
    bool is_taking = kind == AUTH_REMOVE || kind == AUTH_DISABLE || kind == AUTH_SET_ROLE;
    if (is_taking && u->is_configured)
        return fail(err, STATUS_CONFLICT, "'%s' is the administrator of the configuration: change "
                    "ADMIN_USERNAME, or take jwt and basic out of AUTH_MODE", u->name);
    if (is_taking && u->id == j->change.by_id)
        return fail(err, STATUS_CONFLICT, "this is your own login: another administrator has to do that");
    if (kind == AUTH_SET_ROLE && u->issuer != NULL)
        return fail_field(err, STATUS_CONFLICT, "role", "the role of '%s' is what %s says", u->name,
                          u->issuer);
    if (kind == AUTH_SET_PASSWORD && u->issuer != NULL)
        return fail_field(err, STATUS_CONFLICT, "password", "'%s' logs in at %s, without a password here",
                          u->name, u->issuer);
    if (kind == AUTH_SET_PASSWORD && u->is_configured)
        return fail_field(err, STATUS_CONFLICT, "password", "the password of '%s' is that of the "
                          "configuration: change ADMIN_PASSWORD", u->name);
    return STATUS_OK;
}

static enum status remove_user(struct auth *a, int64_t id, struct error *err)
{
    static const char *const all[] = {"delete from link where user_id = ?1",
                                      "delete from identity where user_id = ?1",
                                      "delete from user where user_id = ?1"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        TRY(auth_file_change(a, all[i], id, NULL, NULL, err));
    return STATUS_OK;
}

static enum status set_password(struct auth *a, const struct job *j, struct error *err)
{
    TRY(check_new_password(j->password, err));
    char hash[crypto_pwhash_STRBYTES];
    TRY(auth_users_hash_password(j->password, hash, err));
    return auth_file_change(a, "update user set password = ?2 where user_id = ?1", j->change.user_id, hash,
                       NULL, err);
}

static enum status add_link(struct auth *a, const struct job *j, size_t has_already, struct error *err)
{
    if (!scope_is_key(j->server))
        return fail_field(err, STATUS_INVALID, "server", "this is no key of a media server");
    if (!scope_is_key(j->account))
        return fail_field(err, STATUS_INVALID, "account", "this is no key of an account");
    if (has_already >= LINKS_MOST)
        return fail(err, STATUS_TOO_LARGE, "a login can have %d accounts at most", LINKS_MOST);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "insert or ignore into link values (?1, ?2, ?3, ?4, ?5)", &s, err));
    sqlite3_bind_int64(s, 1, j->change.user_id);
    sqlite3_bind_text(s, 2, j->server, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, j->account, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, clock_now_us());
    sqlite3_bind_text(s, 5, j->user.name, -1, SQLITE_STATIC);
    return auth_file_run(a, s, err);
}

static enum status change_user(struct auth *a, const struct job *j, size_t link_count,
                               struct error *err)
{
    int64_t id = j->change.user_id;
    switch (j->change.kind) {
    case AUTH_ADD:
        break;
    case AUTH_REMOVE:
        return remove_user(a, id, err);
    case AUTH_SET_ROLE:
        return auth_file_change(a, "update user set role = ?2 where user_id = ?1", id,
                           role_name(j->change.role), NULL, err);
    case AUTH_SET_PASSWORD:
        return set_password(a, j, err);
    case AUTH_DISABLE:
        return auth_file_change(a, "update user set is_disabled = 1 where user_id = ?1", id, NULL, NULL, err);
    case AUTH_ENABLE:
        return auth_file_change(a, "update user set is_disabled = 0 where user_id = ?1", id, NULL, NULL, err);
    case AUTH_LINK:
        return add_link(a, j, link_count, err);
    case AUTH_UNLINK:
        return auth_file_change(a, "delete from link where user_id = ?1 and server = ?2 and account = ?3", id,
                           j->server, j->account, err);
    }
    return STATUS_OK;
}

/* What they have proved before is worth nothing any more. */
static bool ends_sessions(enum auth_change_kind kind)
{
    return kind == AUTH_REMOVE || kind == AUTH_DISABLE || kind == AUTH_SET_PASSWORD;
}

enum status auth_users_change(struct auth *a, const struct job *j, int64_t *ret_id, struct error *err)
{
    *ret_id = j->change.user_id;
    if (j->change.kind == AUTH_ADD) {
        TRY(add_user(a, j, ret_id, err));
        return auth_users_load(a, err);
    }
    /* The worker alone changes them: what is found stays until auth_users_load(). */
    const struct user *u = auth_users_find(a, j->change.user_id);
    if (u == NULL)
        return fail_field(err, STATUS_NOT_FOUND, "user", "there is no login %lld",
                          (long long)j->change.user_id);
    TRY(check_change(j, u, err));
    if (ends_sessions(j->change.kind)) {
        remembered_forget(a->remembered, u->id);
        TRY(auth_sessions_end_all_of(a, *ret_id, err));
    }
    TRY(change_user(a, j, u->link_count, err));
    return auth_users_load(a, err);
}
