#include "ingest/dims.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/logger.h"
#include "ingest/titles.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

enum { KEY_MAX = 8192 };
#define SEPARATOR "\x1f"

/* One key and the id it stands for. */
struct entry {
    UT_hash_handle hh;
    int32_t id;
    char key[];
};

enum table { T_SERVER, T_ACCOUNT, T_PERSON, T_LIBRARY, T_DEVICE, T_QUALITY, T_PLACE,
             T_ADDRESS, TABLES };
/* How each table's ids and keys are read; the key is what the resolving function builds. */
static const char *const loaders[TABLES] = {
    [T_SERVER] = "select server_id, key from server",
    [T_ACCOUNT] = "select account_id, server_id || chr(31) || key from account",
    [T_PERSON] = "select person_id, 'id' || chr(31) || person_id from person",
    [T_LIBRARY] = "select library_id, server_id || chr(31) || key from library",
    [T_DEVICE] = "select device_id, concat_ws(chr(31), coalesce(machine_id,''), coalesce(player,''),"
                 " coalesce(product,''), coalesce(product_version,''), coalesce(platform,''),"
                 " coalesce(platform_version,'')) from device",
    [T_QUALITY] =
        "select quality_id, concat_ws(chr(31), coalesce(transcode_decision,''),"
        " coalesce(video_decision,''), coalesce(audio_decision,''), coalesce(subtitle_decision,''),"
        " coalesce(container,''), coalesce(video_codec,''), coalesce(video_resolution,''),"
        " coalesce(video_dynamic_range,''), coalesce(video_framerate,''), coalesce(audio_codec,''),"
        " coalesce(audio_language,''), coalesce(subtitle_codec,''), coalesce(subtitle_language,''),"
        " coalesce(stream_container,''), coalesce(stream_video_codec,''),"
        " coalesce(stream_video_resolution,''), coalesce(stream_video_dynamic_range,''),"
        " coalesce(stream_audio_codec,''), coalesce(hw_decode,''), coalesce(hw_encode,''),"
        " coalesce(transcode_reasons,''), coalesce(audio_channels, -1)::varchar,"
        " coalesce(stream_audio_channels, -1)::varchar) from quality",
    [T_PLACE] = "select place_id, concat_ws(chr(31), coalesce(country_code,''), coalesce(region,''),"
                " coalesce(city,'')) from place",
    [T_ADDRESS] = "select address_id, address from address",
};
static const char *const id_columns[TABLES] = {"server_id",  "account_id", "person_id",
                                               "library_id", "device_id",
                                               "quality_id", "place_id",   "address_id"};
static const char *const table_names[TABLES] = {"server", "account", "person", "library",
                                                "device", "quality", "place",  "address"};

/* What has to be known of an account to tell that it has changed. */
struct known_account {
    int32_t id, person;
    char *name, *email; /* lower case, trimmed */
};

struct dims {
    place_lookup *lookup;
    void *ctx;
    struct entry *maps[TABLES];
    int32_t last_id[TABLES];
    struct known_account *accounts;
    size_t account_count;
    bool has_news_of_people;
    struct titles *titles;
    bool is_bulk;
    duckdb_appender bulk[TABLES]; /* opened when first needed */
};

struct dims *dims_new(place_lookup *lookup, void *ctx)
{
    struct dims *d = xcalloc(1, sizeof *d);
    d->lookup = lookup;
    d->ctx = ctx;
    d->titles = titles_new();
    return d;
}

static void forget(struct dims *d)
{
    for (int t = 0; t < TABLES; t++) {
        struct entry *e, *next;
        HASH_ITER(hh, d->maps[t], e, next) {
            HASH_DEL(d->maps[t], e);
            free(e);
        }
        d->last_id[t] = 0;
    }
    for (size_t i = 0; i < d->account_count; i++) {
        free(d->accounts[i].name);
        free(d->accounts[i].email);
    }
    free(d->accounts);
    d->accounts = NULL;
    d->account_count = 0;
}

void dims_free(struct dims *d)
{
    if (!d)
        return;
    dims_bulk_drop(d);
    forget(d);
    titles_free(d->titles);
    free(d);
}

static int32_t find(const struct dims *d, enum table t, const char *key)
{
    struct entry *e = NULL;
    HASH_FIND_STR(d->maps[t], key, e);
    return e ? e->id : 0;
}

static void remember(struct dims *d, enum table t, const char *key, int32_t id)
{
    if (find(d, t, key))
        return;
    size_t len = strlen(key);
    struct entry *e = xcalloc(1, sizeof *e + len + 1);
    e->id = id;
    memcpy(e->key, key, len + 1);
    HASH_ADD_KEYPTR(hh, d->maps[t], e->key, len, e);
    if (id > d->last_id[t])
        d->last_id[t] = id;
}

/* Lower case (ASCII) without blanks around; the caller frees it. */
static char *folded(const char *text)
{
    struct str s = str_trim(str_of(text));
    char *copy = xstrndup(s.ptr, s.len);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static void know_account(struct dims *d, int32_t id, int32_t person, const char *name,
                         const char *email)
{
    d->accounts = xreallocarray(d->accounts, d->account_count + 1, sizeof *d->accounts);
    d->accounts[d->account_count++] =
        (struct known_account){id, person, folded(name), folded(email)};
    d->has_news_of_people = true;
}

/* Calls `row` for each row of (INTEGER, VARCHAR, VARCHAR, INTEGER, INTEGER), as many as there are. */
static enum status each_row(struct store_conn *c, const char *sql,
                            void (*row)(struct dims *d, enum table t, const int32_t *ints,
                                        const char *const *texts),
                            struct dims *d, enum table t, struct error *err)
{
    auto_result duckdb_result r = {0};
    TRY(store_query(c, sql, NULL, 0, &r, err));
    idx_t columns = duckdb_column_count(&r);
    for (;;) {
        auto_cleanup(duckdb_destroy_data_chunk) duckdb_data_chunk chunk = duckdb_fetch_chunk(r);
        if (!chunk)
            return STATUS_OK;
        idx_t n = duckdb_data_chunk_get_size(chunk);
        for (idx_t i = 0; i < n; i++) {
            int32_t ints[4] = {0};
            char *owned[4] = {0};
            const char *texts[4] = {"", "", "", ""};
            size_t int_count = 0, text_count = 0;
            for (idx_t k = 0; k < columns; k++) {
                duckdb_vector v = duckdb_data_chunk_get_vector(chunk, k);
                uint64_t *valid = duckdb_vector_get_validity(v);
                bool is_null = valid && !duckdb_validity_row_is_valid(valid, i);
                void *data = duckdb_vector_get_data(v);
                if (duckdb_column_type(&r, k) == DUCKDB_TYPE_VARCHAR) {
                    if (!is_null) {
                        duckdb_string_t *s = (duckdb_string_t *)data + i;
                        owned[text_count] =
                            xstrndup(duckdb_string_t_data(s), duckdb_string_t_length(*s));
                        texts[text_count] = owned[text_count];
                    }
                    text_count++;
                } else {
                    ints[int_count++] = is_null ? 0 : ((int32_t *)data)[i];
                }
            }
            row(d, t, ints, texts);
            for (size_t k = 0; k < text_count; k++)
                free(owned[k]);
        }
    }
}

static void load_entry(struct dims *d, enum table t, const int32_t *ints, const char *const *texts)
{
    remember(d, t, texts[0], ints[0]);
    if (ints[0] > d->last_id[t])
        d->last_id[t] = ints[0];
}

static void load_account(struct dims *d, enum table t, const int32_t *ints,
                         const char *const *texts)
{
    (void)t;
    know_account(d, ints[0], ints[1], texts[0], texts[1]);
}

enum status dims_load(struct dims *d, struct store_conn *c, struct error *err)
{
    forget(d);
    for (int t = 0; t < TABLES; t++)
        TRY(each_row(c, loaders[t], load_entry, d, (enum table)t, err));
    TRY(titles_load(d->titles, c, err));
    return each_row(c, "select account_id, person_id, name, email from account",
                    load_account, d, T_ACCOUNT, err);
}

/* --- inserting ----------------------------------------------------------------------------- */

static struct store_value text(const char *s)
{
    return *s ? (struct store_value){.kind = SV_TEXT, .s = str_of(s)}
              : (struct store_value){.kind = SV_NULL};
}

static struct store_value number(int64_t n)
{
    return n == -1 ? (struct store_value){.kind = SV_NULL}
                   : (struct store_value){.kind = SV_INT, .i = n};
}

static struct store_value real(double v)
{
    return (struct store_value){.kind = SV_DOUBLE, .d = v};
}

/* --- in bulk ------------------------------------------------------------------------------- */

void dims_bulk_begin(struct dims *d)
{
    d->is_bulk = true;
    titles_bulk_begin(d->titles);
}

void dims_bulk_drop(struct dims *d)
{
    for (int t = 0; t < TABLES; t++)
        duckdb_appender_destroy(&d->bulk[t]);
    titles_bulk_drop(d->titles);
    d->is_bulk = false;
}

/* What was added so far is there for statements that follow. */
static enum status bulk_flush(struct dims *d, struct error *err)
{
    for (int t = 0; t < TABLES; t++)
        if (d->bulk[t])
            TRY(append_flush(d->bulk[t], err));
    return STATUS_OK;
}

enum status dims_bulk_end(struct dims *d, struct error *err)
{
    enum status s = bulk_flush(d, err);
    if (s == STATUS_OK)
        s = titles_bulk_end(d->titles, err);
    dims_bulk_drop(d);
    return s;
}

/* `columns`: comma separated. */
static enum status bulk_open(struct dims *d, struct store_conn *c, int table, const char *name,
                             const char *columns, struct error *err)
{
    if (d->bulk[table])
        return STATUS_OK;
    TRY(append_open(c, NULL, name, &d->bulk[table], err));
    struct str rest = str_of(columns), piece;
    while (str_next(&rest, ',', &piece)) {
        piece = str_trim(piece);
        auto_free char *column = xstrndup(piece.ptr, piece.len);
        if (duckdb_appender_add_column(d->bulk[table], column) != DuckDBSuccess)
            return fail(err, STATUS_INTERNAL, "append to %s.%s: %s", name, column,
                        duckdb_appender_error(d->bulk[table]));
    }
    return STATUS_OK;
}

static enum status bulk_value(duckdb_appender a, const struct store_value *v, struct error *err)
{
    duckdb_state state = DuckDBSuccess;
    switch (v->kind) {
    case SV_NULL:
        state = duckdb_append_null(a);
        break;
    case SV_INT:
        state = duckdb_append_int64(a, v->i);
        break;
    case SV_DOUBLE:
        state = duckdb_append_double(a, v->d);
        break;
    case SV_TEXT:
        state = duckdb_append_varchar_length(a, v->s.ptr, v->s.len);
        break;
    case SV_TIME:
        append_time(a, v->i);
        break;
    case SV_BOOL:
        state = duckdb_append_bool(a, v->i != 0);
        break;
    }
    return state == DuckDBSuccess ? STATUS_OK : store_fail(duckdb_appender_error(a), "append", err);
}

static enum status bulk_insert(struct dims *d, struct store_conn *c, enum table t, int32_t id,
                               const char *columns, const struct store_value *values, size_t count,
                               struct error *err)
{
    auto_free char *all = xasprintf("%s, %s", id_columns[t], columns);
    TRY(bulk_open(d, c, (int)t, table_names[t], all, err));
    duckdb_append_int32(d->bulk[t], id);
    for (size_t i = 0; i < count; i++)
        TRY(bulk_value(d->bulk[t], &values[i], err));
    return append_row(d->bulk[t], err);
}

/* Inserts (new id, values...) into the named columns and remembers the key. */
static enum status insert(struct dims *d, struct store_conn *c, enum table t, const char *key,
                          const char *columns, const struct store_value *values, size_t count,
                          int32_t *ret, struct error *err)
{
    int32_t id = d->last_id[t] + 1;
    if (c && d->is_bulk) {
        TRY(bulk_insert(d, c, t, id, columns, values, count, err));
    } else if (c) {
        auto_buf struct buf sql = {0};
        buf_printf(&sql, "insert into %s (%s, %s) values (%d", table_names[t], id_columns[t],
                   columns, id);
        for (size_t i = 0; i < count; i++)
            buf_printf(&sql, ", $%zu", i + 1);
        buf_putc(&sql, ')');
        auto_result duckdb_result r = {0};
        TRY(store_query(c, buf_text(&sql), values, count, &r, err));
    }
    remember(d, t, key, id);
    if (d->last_id[t] < id)
        d->last_id[t] = id;
    *ret = id;
    return STATUS_OK;
}

enum status dims_server(struct dims *d, struct store_conn *c, const char *key, int32_t *ret,
                        struct error *err)
{
    if ((*ret = find(d, T_SERVER, key)))
        return STATUS_OK;
    auto_free char *kind = xstrndup(key, strcspn(key, "-"));
    struct store_value v[] = {text(key), text(kind), text(key)};
    return insert(d, c, T_SERVER, key, "key, kind, name", v, ARRAY_LEN(v), ret, err);
}

enum status dims_adopt_server(struct dims *d, struct store_conn *c, const char *key,
                              const char *machine_id, struct error *err)
{
    static const char imported[] =
        "select s.server_id, s.key from server s where s.key <> $1 and s.kind = 'plex'"
        " and exists (select 1 from import i where i.server_id = s.server_id)"
        " and not exists (select 1 from coverage o where o.server_id = s.server_id)"
        " and not exists (select 1 from account a join server n on n.server_id = a.server_id"
        "                 where n.key = $1)"
        " and (s.machine_id = $2 or (s.machine_id is null and not exists (select 1 from server o"
        "                            where o.kind = 'plex' and o.key not in ($1, s.key))))"
        " order by s.machine_id nulls last limit 1";
    struct store_value v[] = {text(key), text(machine_id)};
    int64_t id;
    char old_key[128];
    {
        auto_cursor struct cursor q = {0};
        TRY(cursor_open(c, imported, v, 2, &q, err));
        if (!cursor_next(&q))
            return STATUS_OK;
        id = cursor_int(&q, 0, 0);
        struct str old = cursor_text(&q, 1);
        snprintf(old_key, sizeof old_key, "%.*s", (int)old.len, old.ptr);
    }
    const struct {
        const char *sql;
        struct store_value v[2];
    } steps[] = {
        {"update coverage set server_id = $1"
         " where server_id = (select server_id from server where key = $2)",
         {number(id), text(key)}},
        {"delete from server where key = $2 and server_id <> $1", {number(id), text(key)}},
        {"update server set key = $2 where server_id = $1", {number(id), text(key)}},
        {"update title_key set key = 'item:' || $1 || substr(key, 6 + length($2))"
         " where starts_with(key, 'item:' || $2 || ':')",
         {text(key), text(old_key)}},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        auto_result duckdb_result r = {0};
        TRY(store_query(c, steps[i].sql, steps[i].v, 2, &r, err));
    }
    log_info("ingest", "what was imported is this server's", LF_TEXT("server", key),
             LF_TEXT("imported_as", old_key));
    return dims_load(d, c, err);
}

/* A known account that turns out to have another name or e-mail. */
static enum status update_account(struct dims *d, struct store_conn *c, int32_t id,
                                  const char *name, const char *email, struct error *err)
{
    struct known_account *a = NULL;
    for (size_t i = 0; i < d->account_count && !a; i++)
        if (d->accounts[i].id == id)
            a = &d->accounts[i];
    auto_free char *low_name = folded(name), *low_email = folded(email);
    bool has_name = *low_name && !streq(low_name, a->name);
    bool has_email = *low_email && !streq(low_email, a->email);
    if (!has_name && !has_email)
        return STATUS_OK;
    struct store_value v[] = {text(name), text(email), number(id)};
    auto_result duckdb_result r = {0};
    if (c && d->is_bulk)
        TRY(bulk_flush(d, err));
    if (c)
        TRY(store_query(c, "update account set name = coalesce($1, name),"
                           " email = coalesce($2, email) where account_id = $3", v, 3, &r, err));
    d->has_news_of_people = true;
    if (has_name) {
        free(a->name);
        a->name = steal_ptr(&low_name);
    }
    if (has_email) {
        free(a->email);
        a->email = steal_ptr(&low_email);
    }
    return STATUS_OK;
}

enum status dims_new_person(struct dims *d, struct store_conn *c, const char *name, int32_t *ret,
                            struct error *err)
{
    struct store_value v[] = {text(name)};
    char key[32];
    snprintf(key, sizeof key, "id" SEPARATOR "%d", d->last_id[T_PERSON] + 1);
    return insert(d, c, T_PERSON, key, "name", v, 1, ret, err);
}

enum status dims_account(struct dims *d, struct store_conn *c, int32_t server, const char *key,
                         const char *name, const char *email, int32_t *ret, struct error *err)
{
    char full[KEY_MAX];
    snprintf(full, sizeof full, "%d" SEPARATOR "%s", server, key);
    if ((*ret = find(d, T_ACCOUNT, full)))
        return update_account(d, c, *ret, name, email, err);
    int32_t person;
    TRY(dims_new_person(d, c, *name ? name : key, &person, err));
    struct store_value v[] = {number(server), text(key),      text(name),
                              text(email),    number(person), number(person)};
    TRY(insert(d, c, T_ACCOUNT, full, "server_id, key, name, email, person_id, home_person_id", v,
               ARRAY_LEN(v), ret, err));
    know_account(d, *ret, person, name, email);
    return STATUS_OK;
}

int32_t dims_known_account(const struct dims *d, int32_t server, const char *key)
{
    char full[KEY_MAX];
    snprintf(full, sizeof full, "%d" SEPARATOR "%s", server, key);
    return find(d, T_ACCOUNT, full);
}

int32_t dims_person(const struct dims *d, int32_t account)
{
    for (size_t i = 0; i < d->account_count; i++)
        if (d->accounts[i].id == account)
            return d->accounts[i].person;
    return 0;
}

void dims_set_person(struct dims *d, int32_t account, int32_t person)
{
    for (size_t i = 0; i < d->account_count; i++)
        if (d->accounts[i].id == account)
            d->accounts[i].person = person;
}

bool dims_has_news_of_people(const struct dims *d)
{
    return d->has_news_of_people;
}

void dims_set_news_of_people(struct dims *d, bool has)
{
    d->has_news_of_people = has;
}

enum status dims_library(struct dims *d, struct store_conn *c, int32_t server, const char *key,
                         const char *name, int32_t *ret, struct error *err)
{
    char full[KEY_MAX];
    snprintf(full, sizeof full, "%d" SEPARATOR "%s", server, key);
    if ((*ret = find(d, T_LIBRARY, full)))
        return STATUS_OK;
    struct store_value v[] = {number(server), text(key), text(*name ? name : key)};
    return insert(d, c, T_LIBRARY, full, "server_id, key, name", v, ARRAY_LEN(v), ret, err);
}

/* --- titles -------------------------------------------------------------------------------- */

enum status dims_title(struct dims *d, struct store_conn *c, const struct observation *o,
                       int32_t *ret, struct error *err)
{
    return titles_row(d->titles, c, o, ret, err);
}

struct titles *dims_titles(const struct dims *d)
{
    return d->titles;
}

/* --- devices, qualities, addresses ---------------------------------------------------------- */

enum status dims_device(struct dims *d, struct store_conn *c, const struct observation *o,
                        int32_t *ret, struct error *err)
{
    const char *const f[] = {o->machine_id,      o->player,   o->product,
                             o->product_version, o->platform, o->platform_version};
    auto_buf struct buf key = {0};
    struct store_value v[ARRAY_LEN(f)];
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        buf_printf(&key, "%s%s", i ? SEPARATOR : "", f[i]);
        v[i] = text(f[i]);
    }
    if ((*ret = find(d, T_DEVICE, buf_text(&key))))
        return STATUS_OK;
    return insert(d, c, T_DEVICE, buf_text(&key),
                  "machine_id, player, product, product_version, platform, platform_version", v,
                  ARRAY_LEN(v), ret, err);
}

enum status dims_quality(struct dims *d, struct store_conn *c, const struct observation *o,
                         int32_t *ret, struct error *err)
{
    const char *const f[] = {
        o->transcode_decision, o->video_decision, o->audio_decision, o->subtitle_decision,
        o->container, o->video_codec, o->video_resolution, o->video_dynamic_range,
        o->video_framerate, o->audio_codec, o->audio_language, o->subtitle_codec,
        o->subtitle_language, o->stream_container, o->stream_video_codec,
        o->stream_video_resolution, o->stream_video_dynamic_range, o->stream_audio_codec,
        o->hw_decode, o->hw_encode, o->transcode_reasons};
    auto_buf struct buf key = {0};
    struct store_value v[ARRAY_LEN(f) + 2];
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        buf_printf(&key, "%s%s", i ? SEPARATOR : "", f[i]);
        v[i] = text(f[i]);
    }
    buf_printf(&key, SEPARATOR "%" PRId64 SEPARATOR "%" PRId64, o->audio_channels,
               o->stream_audio_channels);
    v[ARRAY_LEN(f)] = number(o->audio_channels);
    v[ARRAY_LEN(f) + 1] = number(o->stream_audio_channels);
    if ((*ret = find(d, T_QUALITY, buf_text(&key))))
        return STATUS_OK;
    return insert(d, c, T_QUALITY, buf_text(&key),
                  "transcode_decision, video_decision, audio_decision, subtitle_decision, container,"
                  " video_codec, video_resolution, video_dynamic_range, video_framerate, audio_codec,"
                  " audio_language, subtitle_codec, subtitle_language, stream_container,"
                  " stream_video_codec, stream_video_resolution, stream_video_dynamic_range,"
                  " stream_audio_codec, hw_decode, hw_encode, transcode_reasons, audio_channels,"
                  " stream_audio_channels", v, ARRAY_LEN(v), ret, err);
}

enum status dims_address(struct dims *d, struct store_conn *c, const char *address, int32_t *ret,
                         struct error *err)
{
    *ret = 0;
    if (!*address || (*ret = find(d, T_ADDRESS, address)))
        return STATUS_OK;
    struct place_found found = {.address_class = "unknown"};
    if (d->lookup)
        d->lookup(d->ctx, address, &found);
    int32_t place = 0;
    if (found.has_place) {
        char key[512];
        snprintf(key, sizeof key, "%s" SEPARATOR "%s" SEPARATOR "%s", found.country_code,
                 found.region, found.city);
        place = find(d, T_PLACE, key);
        struct store_value v[] = {text(found.country_code), text(found.country), text(found.region),
                                  text(found.city), real(found.latitude), real(found.longitude)};
        if (!place)
            TRY(insert(d, c, T_PLACE, key,
                       "country_code, country, region, city, latitude, longitude", v, ARRAY_LEN(v),
                       &place, err));
    }
    struct store_value v[] = {text(address), text(found.address_class), number(place ? place : -1)};
    return insert(d, c, T_ADDRESS, address, "address, class, place_id", v, ARRAY_LEN(v), ret, err);
}

enum status dims_resolve(struct dims *d, struct store_conn *c, const struct observation *o,
                         struct fact_ids *ret, struct error *err)
{
    struct fact_ids ids = {0};
    TRY(dims_server(d, c, o->server, &ids.server, err));
    if (*o->account_key)
        TRY(dims_account(d, c, ids.server, o->account_key, o->account_name, o->account_email,
                         &ids.account, err));
    TRY(dims_title(d, c, o, &ids.title, err));
    if (*o->library_key)
        TRY(dims_library(d, c, ids.server, o->library_key, o->library_name, &ids.library, err));
    TRY(dims_device(d, c, o, &ids.device, err));
    TRY(dims_quality(d, c, o, &ids.quality, err));
    TRY(dims_address(d, c, o->address, &ids.address, err));
    *ret = ids;
    return STATUS_OK;
}
