#include "import/tautulli.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "import/tautulli_file.h"

#include "base/banned.h"

enum { USERS_MAX = 100000, LIBRARIES_MAX = 10000 };

/* --- which columns there are ------------------------------------------------------------------- */

enum { TABLE_H, TABLE_M, TABLE_I, TABLE_COUNT };
static const char *const tables[TABLE_COUNT] = {
    "session_history", "session_history_metadata", "session_history_media_info"};
static const char *const aliases[TABLE_COUNT] = {"h", "m", "i"};

static const struct {
    int table;
    const char *name;
} columns[COL_COUNT] = {
#define COLUMN(id, table, name) [COL_##id] = {TABLE_##table, name},
#include "import/tautulli_columns.def"
#undef COLUMN
};

static void free_texts(char *(*texts)[TABLE_COUNT])
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        free((*texts)[i]);
}

/* What is read, with NULL for what this file does not have. */
static enum status build_query(struct tautulli *t, struct error *err)
{
    auto_cleanup(free_texts) char *have[TABLE_COUNT] = {0};
    for (size_t i = 0; i < TABLE_COUNT; i++)
        TRY(foreign_db_columns(&t->file, tables[i], &have[i], err));
    if (!have[TABLE_H] || !have[TABLE_M])
        return fail(err, STATUS_INVALID, "the database is not Tautulli's: it has no table '%s'",
                    tables[have[TABLE_H] ? TABLE_M : TABLE_H]);
    static const char *const needed[] = {"id", "started", "stopped", "user_id"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!foreign_db_has(have[TABLE_H], needed[i]))
            return fail(err, STATUS_INVALID, "the database is not Tautulli's: session_history has"
                        " no column '%s'", needed[i]);
    auto_buf struct buf sql = {0};
    for (size_t i = 0; i < COL_COUNT; i++) {
        const char *name = columns[i].name;
        buf_puts(&sql, i ? ", " : "select ");
        if (foreign_db_has(have[columns[i].table], name))
            buf_printf(&sql, "%s.\"%s\"", aliases[columns[i].table], name);
        else
            buf_puts(&sql, "null");
    }
    buf_puts(&sql, " from session_history h");
    for (size_t i = TABLE_M; i < TABLE_COUNT; i++)
        if (foreign_db_has(have[i], "id"))
            buf_printf(&sql, " left join %s %s on %s.id = h.id", tables[i], aliases[i], aliases[i]);
    buf_puts(&sql, " where h.id > ?1 and h.id <= ?2 order by h.id");
    return foreign_db_prepare(&t->file, buf_text(&sql), &t->rows, err);
}

/* --- users and libraries ----------------------------------------------------------------------- */

static const char *kept_text(struct tautulli *t, sqlite3_stmt *q, int column)
{
    return tautulli_text(&t->arena, tautulli_raw(q, column));
}

/* `list`: the columns wanted, in order; those that are not there are read as NULL. */
static enum status select_from(struct tautulli *t, const char *table, const char *const *list,
                               size_t count, sqlite3_stmt **ret, struct error *err)
{
    auto_free char *have = NULL;
    *ret = NULL;
    TRY(foreign_db_columns(&t->file, table, &have, err));
    if (!have)
        return STATUS_OK;
    auto_buf struct buf sql = {0};
    for (size_t i = 0; i < count; i++) {
        buf_puts(&sql, i ? ", " : "select ");
        if (foreign_db_has(have, list[i]))
            buf_printf(&sql, "\"%s\"", list[i]);
        else
            buf_puts(&sql, "null");
    }
    buf_printf(&sql, " from %s order by 1", table);
    foreign_db_start(&t->file);
    return foreign_db_prepare(&t->file, buf_text(&sql), ret, err);
}

static enum status read_users(struct tautulli *t, struct error *err)
{
    static const char *const list[] = {"id", "user_id", "username", "friendly_name", "email",
                                       "is_admin"};
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(select_from(t, "users", list, ARRAY_LEN(list), &q, err));
    size_t room = 0, owners = 0;
    while (q && t->user_count < USERS_MAX) {
        bool has_row;
        TRY(foreign_db_step(&t->file, q, &has_row, err));
        if (!has_row)
            break;
        int64_t user_id = foreign_int(q, 1, -1);
        if (user_id < 0)
            continue;
        if (t->user_count == room) {
            room = room ? room * 2 : 64;
            t->users = xreallocarray(t->users, room, sizeof *t->users);
        }
        bool is_owner = foreign_int(q, 5, 0) == 1 && user_id > 0;
        owners += is_owner;
        t->users[t->user_count++] = (struct tautulli_user){.user_id = user_id,
                                                           .name = kept_text(t, q, 2),
                                                           .friendly_name = kept_text(t, q, 3),
                                                           .email = kept_text(t, q, 4),
                                                           .is_owner = is_owner};
    }
    /* A server has one owner; a file that says otherwise knows nothing about it. */
    for (size_t i = 0; i < t->user_count && owners > 1; i++)
        t->users[i].is_owner = false;
    return STATUS_OK;
}

/* The server that most libraries are of; the active ones count first. */
static void choose_machine(struct tautulli *t, char (*ids)[MACHINE_ID_MAX], const bool *is_active,
                           size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t score = 0;
        for (size_t k = 0; k < count; k++)
            score += streq(ids[i], ids[k]) ? is_active[k] ? 1000 : 1 : 0;
        if (*ids[i] && score > most) {
            most = score;
            memcpy(t->machine_id, ids[i], sizeof t->machine_id);
        }
    }
}

static enum status read_libraries(struct tautulli *t, struct error *err)
{
    enum { CONSIDERED = 200 };
    static const char *const list[] = {"id", "server_id", "section_id", "section_name",
                                       "section_type", "is_active"};
    char ids[CONSIDERED][MACHINE_ID_MAX];
    bool is_active[CONSIDERED];
    size_t considered = 0, room = 0;
    auto_stmt sqlite3_stmt *q = NULL;
    TRY(select_from(t, "library_sections", list, ARRAY_LEN(list), &q, err));
    while (q && t->library_count < LIBRARIES_MAX) {
        bool has_row;
        TRY(foreign_db_step(&t->file, q, &has_row, err));
        if (!has_row)
            break;
        const char *machine = kept_text(t, q, 1);
        int64_t section = foreign_int(q, 2, -1);
        if (considered < CONSIDERED) {
            snprintf(ids[considered], MACHINE_ID_MAX, "%s", machine);
            is_active[considered++] = foreign_int(q, 5, 1) == 1;
        }
        if (section <= 0)
            continue;
        if (t->library_count == room) {
            room = room ? room * 2 : 16;
            t->libraries = xreallocarray(t->libraries, room, sizeof *t->libraries);
        }
        t->libraries[t->library_count++] = (struct tautulli_library){
            .section = section, .name = kept_text(t, q, 3), .kind = kept_text(t, q, 4)};
    }
    choose_machine(t, ids, is_active, considered);
    return STATUS_OK;
}

/* --- public ------------------------------------------------------------------------------------ */

static enum status open_all(struct tautulli *t, const char *path, const atomic_bool *stop,
                            struct error *err)
{
    TRY(foreign_db_open(&t->file, path, stop, err));
    TRY(build_query(t, err));
    TRY(foreign_db_prepare(&t->file, "select id from session_history where id > ?1 order by id"
                                     " limit 1 offset ?2", &t->bound, err));
    TRY(foreign_db_prepare(&t->file, "select id from session_history where id > ?1"
                                     " order by id desc limit 1", &t->end, err));
    TRY(read_users(t, err));
    return read_libraries(t, err);
}

enum status tautulli_open(const char *path, const atomic_bool *stop, struct tautulli **ret,
                          struct error *err)
{
    struct tautulli *t = xcalloc(1, sizeof *t);
    enum status s = open_all(t, path, stop, err);
    if (s != STATUS_OK) {
        tautulli_close(t);
        return s;
    }
    *ret = t;
    return STATUS_OK;
}

void tautulli_close(struct tautulli *t)
{
    if (!t)
        return;
    sqlite3_finalize(t->rows);
    sqlite3_finalize(t->bound);
    sqlite3_finalize(t->end);
    foreign_db_close(&t->file);
    for (size_t i = 0; i < FACT_KINDS; i++)
        dictionary_done(&t->facts[i]);
    free(t->users);
    free(t->libraries);
    arena_done(&t->arena);
    free(t);
}

enum status tautulli_count(struct tautulli *t, int64_t *ret, struct error *err)
{
    auto_stmt sqlite3_stmt *q = NULL;
    bool has_row;
    TRY(foreign_db_prepare(&t->file, "select count(*) from session_history", &q, err));
    foreign_db_start(&t->file);
    TRY(foreign_db_step(&t->file, q, &has_row, err));
    *ret = has_row ? sqlite3_column_int64(q, 0) : 0;
    return STATUS_OK;
}

const char *tautulli_machine_id(const struct tautulli *t)
{
    return t->machine_id;
}

const struct tautulli_user *tautulli_users(const struct tautulli *t, size_t *ret_count)
{
    *ret_count = t->user_count;
    return t->users;
}

void tautulli_set_owner(struct tautulli *t, int64_t user_id)
{
    for (size_t i = 0; i < t->user_count; i++)
        t->users[i].is_owner = t->users[i].user_id == user_id;
}

const struct tautulli_library *tautulli_libraries(const struct tautulli *t, size_t *ret_count)
{
    *ret_count = t->library_count;
    return t->libraries;
}

const struct tautulli_user *tautulli_user(const struct tautulli *t, int64_t user_id)
{
    for (size_t i = 0; i < t->user_count; i++)
        if (t->users[i].user_id == user_id)
            return &t->users[i];
    return NULL;
}

const char *tautulli_account_key(const struct tautulli *t, int64_t user_id, struct arena *a)
{
    const struct tautulli_user *u = tautulli_user(t, user_id);
    return u && u->is_owner ? "1" : arena_printf(a, "%" PRId64, user_id);
}

static enum status first_int(struct tautulli *t, sqlite3_stmt *q, int64_t *ret, bool *ret_has_row,
                             struct error *err)
{
    foreign_db_start(&t->file);
    enum status s = foreign_db_step(&t->file, q, ret_has_row, err);
    if (s == STATUS_OK && *ret_has_row)
        *ret = sqlite3_column_int64(q, 0);
    sqlite3_reset(q);
    return s;
}

enum status tautulli_bound(struct tautulli *t, int64_t after, int64_t count, int64_t *ret_last,
                           bool *ret_is_end, struct error *err)
{
    bool has_row;
    sqlite3_bind_int64(t->bound, 1, after);
    sqlite3_bind_int64(t->bound, 2, count - 1);
    TRY(first_int(t, t->bound, ret_last, &has_row, err));
    if (has_row) {
        *ret_is_end = false;
        return STATUS_OK;
    }
    sqlite3_bind_int64(t->end, 1, after);
    TRY(first_int(t, t->end, ret_last, &has_row, err));
    *ret_is_end = !has_row;
    return STATUS_OK;
}

enum status tautulli_read(struct tautulli *t, struct import_chunk *c, struct error *err)
{
    sqlite3_bind_int64(t->rows, 1, c->after);
    sqlite3_bind_int64(t->rows, 2, c->last);
    foreign_db_start(&t->file);
    t->now_us = clock_now_us();
    enum status s = STATUS_OK;
    while (s == STATUS_OK && c->rows_read < IMPORT_CHUNK_ROWS) {
        bool has_row;
        s = foreign_db_step(&t->file, t->rows, &has_row, err);
        if (s != STATUS_OK || !has_row)
            break;
        c->rows_read++;
        tautulli_take_row(t, c);
    }
    sqlite3_reset(t->rows);
    return s;
}
