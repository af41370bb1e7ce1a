#include "ingest/servers.h"

#include "store/cursor.h"

#include "base/banned.h"

#define POSITION_PREFIX "backfill:" /* names of settings */

static struct store_value sv_degrees(const json_t *j, const char *key, double most)
{
    double v = jdouble(j, key, 1000);
    return v >= -most && v <= most ? (struct store_value){.kind = SV_DOUBLE, .d = v}
                                   : (struct store_value){.kind = SV_NULL};
}

/* Where a public address is, as latitude and longitude; where it is not known they stay. */
static void locate(const struct writer *w, const char *address, struct store_value *latitude,
                   struct store_value *longitude)
{
    struct place_found found = {0};
    if (!*address || !w->lookup)
        return;
    w->lookup(w->lookup_ctx, address, &found);
    if (!found.has_place)
        return;
    *latitude = (struct store_value){.kind = SV_DOUBLE, .d = found.latitude};
    *longitude = (struct store_value){.kind = SV_DOUBLE, .d = found.longitude};
}

/* From `at` on the server's coverage is `state`, whatever was said about later before. */
enum status apply_coverage(struct writer *w, const struct log_record *r, const json_t *j,
                           struct error *err)
{
    int64_t at = jint(j, "at_us", TIME_NONE);
    const char *state = jstr(j, "state");
    if (!is_time(at) || !*state) {
        writer_skip(w, r, "coverage needs a time and a state");
        return STATUS_OK;
    }
    int32_t server;
    TRY(dims_server(w->dims, w->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_time(at), sv_text(state),
                              sv_text(jstr(j, "why"))};
    int64_t goes_on;
    TRY(store_query_int(w->conn,
                        "select count(*) from coverage where server_id = $1 and started <= $2"
                        " and ended is null and state = $3", v, 3, 0, &goes_on, err));
    if (goes_on)
        return STATUS_OK;
    TRY(writer_exec(w, "delete from coverage where server_id = $1 and started >= $2", v, 2, err));
    TRY(writer_exec(w, "update coverage set ended = $2 where server_id = $1"
                       " and (ended is null or ended > $2)", v, 2, err));
    w->has_changes = true;
    return writer_exec(w, "insert into coverage values ($1, $2, null, $3, $4)", v, 4, err);
}

enum status apply_accounts(struct writer *w, const json_t *j, struct error *err)
{
    int32_t server, account;
    TRY(dims_server(w->dims, w->conn, jstr(j, "server"), &server, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(j, "accounts"), i, one) {
        char scratch[32];
        const char *key = jtext(one, "key", scratch);
        if (!key || !*key)
            continue;
        TRY(dims_account(w->dims, w->conn, server, key, jstr(one, "name"), jstr(one, "email"),
                         &account, err));
        int is_owner = jbool(one, "is_owner");
        struct store_value v[] = {sv_int(account), {.kind = SV_BOOL, .i = is_owner}};
        if (is_owner >= 0)
            TRY(writer_exec(w, "update account set is_owner = $2 where account_id = $1"
                               " and is_owner is distinct from $2", v, 2, err));
    }
    w->has_changes = true;
    return STATUS_OK;
}

enum status apply_libraries(struct writer *w, const json_t *j, struct error *err)
{
    int32_t server, library;
    TRY(dims_server(w->dims, w->conn, jstr(j, "server"), &server, err));
    size_t i;
    json_t *one;
    json_array_foreach(jget(j, "libraries"), i, one) {
        char scratch[32];
        const char *key = jtext(one, "key", scratch);
        if (!key || !*key)
            continue;
        TRY(dims_library(w->dims, w->conn, server, key, jstr(one, "name"), &library, err));
        struct store_value v[] = {sv_int(library), sv_text(jstr(one, "name")),
                                  sv_text(jstr(one, "kind"))};
        TRY(writer_exec(w, "update library set name = coalesce($2, name),"
                           " kind = coalesce($3, kind) where library_id = $1"
                           " and (name is distinct from coalesce($2, name)"
                           " or kind is distinct from coalesce($3, kind))", v, 3, err));
    }
    w->has_changes = true;
    return STATUS_OK;
}

enum status apply_server(struct writer *w, const json_t *j, struct error *err)
{
    int32_t server;
    if (streq(jstr(j, "kind"), "plex") && *jstr(j, "machine_id"))
        TRY(dims_adopt_server(w->dims, w->conn, jstr(j, "server"), jstr(j, "machine_id"), err));
    TRY(dims_server(w->dims, w->conn, jstr(j, "server"), &server, err));
    struct store_value v[] = {sv_int(server), sv_text(jstr(j, "kind")), sv_text(jstr(j, "name")),
                              sv_text(jstr(j, "machine_id")), sv_text(jstr(j, "version")),
                              sv_degrees(j, "latitude", 90), sv_degrees(j, "longitude", 180),
                              sv_text(jstr(j, "owner_login"))};
    locate(w, jstr(j, "public_address"), &v[5], &v[6]);
    w->has_changes = w->has_new_names = true;
    return writer_exec(w, "update server set kind = coalesce($2, kind), name = coalesce($3, name),"
                          " machine_id = coalesce($4, machine_id), version = coalesce($5, version),"
                          " latitude = coalesce($6, latitude),"
                          " longitude = coalesce($7, longitude),"
                          " owner_login = coalesce($8, owner_login) where server_id = $1",
                       v, ARRAY_LEN(v), err);
}

/* In the same transaction as the views before it, so that a kill loses both or neither. */
enum status apply_position(struct writer *w, const struct log_record *r, const json_t *j,
                           struct error *err)
{
    auto_free char *name = xasprintf(POSITION_PREFIX "%s", jstr(j, "server"));
    struct store_value v[] = {sv_text(name), {.kind = SV_TEXT, .s = r->payload}};
    TRY(writer_exec(w, "delete from setting where name = $1", v, 1, err));
    return writer_exec(w, "insert into setting values ($1, $2)", v, 2, err);
}

enum status read_position(struct store_conn *c, const char *server, struct arena *a,
                          const char **ret, struct error *err)
{
    auto_free char *name = xasprintf(POSITION_PREFIX "%s", server);
    struct store_value v[] = {sv_text(name)};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select value from setting where name = $1", v, 1, &r, err));
    if (cursor_next(&r)) {
        struct str text = cursor_text(&r, 0);
        *ret = arena_strndup(a, text.ptr, text.len);
    }
    return STATUS_OK;
}
