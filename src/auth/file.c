#include "auth/inside.h"

#include "base/banned.h"

static const char SCHEMA[] =
    "pragma journal_mode=wal; pragma synchronous=full; pragma busy_timeout=5000;"
    "create table if not exists user (user_id integer primary key, name text not null unique,"
    "  role text not null, password text not null, is_configured integer not null,"
    "  created_us integer not null) strict;"
    "create table if not exists session (hash blob primary key, user_id integer not null,"
    "  created_us integer not null, expires_us integer not null) strict, without rowid;"
    /* Whom a provider knows. Their user has no password, and a name that nobody can type. */
    "create table if not exists identity (user_id integer primary key, issuer text not null,"
    "  subject text not null, name text not null, unique (issuer, subject)) strict;"
    /* Accounts on media servers that an administrator has said are theirs: by keys, as ids are the
     * store's, which can be made anew. */
    "create table if not exists link (user_id integer not null, server text not null,"
    "  account text not null, linked_us integer not null, linked_by text not null,"
    "  primary key (user_id, server, account)) strict, without rowid;"
    /* What is handed out for programs. It ends with its account, whoever removes that. */
    "create table if not exists api_token (token_id integer primary key autoincrement,"
    "  hash blob not null unique, user_id integer not null, name text not null, scope text not null,"
    "  created_us integer not null, expires_us integer, used_us integer, used_from text not null,"
    "  unique (user_id, name)) strict;"
    "create trigger if not exists account_gone after delete on user begin"
    "  delete from api_token where user_id = old.user_id; end;" AUDIT_SCHEMA;

enum status auth_file_fail(const struct auth *a, struct error *err, const char *doing)
{
    return fail(err, STATUS_IO, "%s: %s", doing, sqlite3_errmsg(a->db));
}

enum status auth_file_prepare(struct auth *a, const char *sql, sqlite3_stmt **ret, struct error *err)
{
    if (sqlite3_prepare_v2(a->db, sql, -1, ret, NULL) != SQLITE_OK)
        return auth_file_fail(a, err, "accounts");
    return STATUS_OK;
}

enum status auth_file_run(struct auth *a, sqlite3_stmt *s, struct error *err)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        return auth_file_fail(a, err, "accounts");
    return STATUS_OK;
}

enum status auth_file_change(struct auth *a, const char *sql, int64_t id, const char *second,
                        const char *third, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, sql, &s, err));
    sqlite3_bind_int64(s, 1, id);
    if (second != NULL)
        sqlite3_bind_text(s, 2, second, -1, SQLITE_STATIC);
    if (third != NULL)
        sqlite3_bind_text(s, 3, third, -1, SQLITE_STATIC);
    return auth_file_run(a, s, err);
}

/* Adds a column that a file of an earlier version has not. */
static enum status add_column(struct auth *a, const char *name, const char *sql, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select count(*) from pragma_table_info('user') where name = ?1", &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_ROW)
        return auth_file_fail(a, err, "accounts");
    if (sqlite3_column_int(s, 0) > 0)
        return STATUS_OK;
    if (sqlite3_exec(a->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return auth_file_fail(a, err, "accounts");
    return STATUS_OK;
}

enum status auth_file_open(struct auth *a, const char *path, struct error *err)
{
    if (sqlite3_open(path, &a->db) != SQLITE_OK)
        return fail(err, STATUS_IO, "open '%s': %s", path,
                    a->db ? sqlite3_errmsg(a->db) : "no memory");
    if (sqlite3_exec(a->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
        return fail(err, STATUS_IO, "'%s': %s", path, sqlite3_errmsg(a->db));
    TRY(add_column(a, "is_disabled",
                   "alter table user add column is_disabled integer not null default 0", err));
    return add_column(a, "last_login_us", "alter table user add column last_login_us integer", err);
}
