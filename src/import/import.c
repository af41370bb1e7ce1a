#include "import/import.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/logger.h"
#include "import/batch.h"
#include "import/file.h"
#include "import/report.h"
#include "ingest/rederive.h"
#include "store/append.h"
#include "store/cursor.h"

#include "base/banned.h"

/* Three chunks are one of DuckDB's row groups: less would have it write groups again and again. */
enum { BATCH_CHUNKS = 3 };
#define PROGRESS_US (250 * US_PER_MS)

static struct store_value sv_int(int64_t i)
{
    return (struct store_value){.kind = SV_INT, .i = i};
}

static struct store_value sv_text(const char *s)
{
    return *s ? (struct store_value){.kind = SV_TEXT, .s = str_of(s)}
              : (struct store_value){.kind = SV_NULL};
}

static enum status exec(struct store_conn *c, const char *sql, const struct store_value *v,
                        size_t n, struct error *err)
{
    auto_result duckdb_result r = {0};
    return store_query(c, sql, v, n, &r, err);
}

static void disconnect(struct store_conn **c)
{
    store_disconnect(*c);
}

/* --- beginning --------------------------------------------------------------------------------- */

static enum status make_folder(const char *folder, struct error *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail_errno(err, errno, "make the folder '%s'", folder);
    if (chmod(folder, 0700) != 0)
        return fail_errno(err, errno, "keep the folder '%s' private", folder);
    return STATUS_OK;
}

static char *copy_path(const struct import_job *job, int64_t id)
{
    return id < 0 ? xasprintf("%s/trial-%" PRId64 ".db", job->folder, -id)
                  : xasprintf("%s/import-%" PRId64 ".db", job->folder, id);
}

struct beginning {
    const struct import_job *job;
    const char *copy;
    int64_t id;
};

/* Row and file come to be together: a file without a row is swept away, a row finds its file. */
static enum status enter(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    struct beginning *b = ctx;
    int64_t others;
    TRY(store_query_int(c, "select count(*) from import where state in ('counting', 'running')",
                        NULL, 0, 0, &others, err));
    if (others)
        return fail(err, STATUS_CONFLICT, "an import is running already; one at a time");
    TRY(store_query_int(c, "select coalesce(max(import_id), 0) + 1 from import", NULL, 0, 1, &b->id,
                        err));
    int32_t server = 0;
    if (b->job->server_key)
        TRY(dims_server(d, c, b->job->server_key, &server, err));
    struct store_value v[] = {sv_int(b->id), sv_text(b->job->name),
                              {.kind = SV_TIME, .i = clock_now_us()},
                              {.kind = server ? SV_INT : SV_NULL, .i = server}};
    TRY(exec(c, "insert into import (import_id, source, file, started_at, state, rows_read,"
                " rows_added, rows_skipped, server_id) values ($1, 'tautulli', $2, $3, 'counting',"
                " 0, 0, 0, $4)", v, ARRAY_LEN(v), err));
    auto_free char *path = copy_path(b->job, b->id);
    if (rename(b->copy, path) != 0)
        return fail_errno(err, errno, "name the private copy");
    return STATUS_OK;
}

enum status import_begin(const struct import_job *job, int64_t *ret_id, struct error *err)
{
    static atomic_int_least64_t trials;
    TRY(make_folder(job->folder, err));
    struct beginning b = {.job = job, .id = -++trials};
    auto_free char *copy = copy_path(job, b.id);
    TRY(file_take(job->path, job->is_given, copy, job->max_bytes, err));
    b.copy = copy;
    enum status s = job->is_dry_run ? STATUS_OK : ingest_run(job->ingest, enter, &b, err);
    if (s != STATUS_OK) {
        unlink(copy);
        return s;
    }
    *ret_id = b.id;
    return STATUS_OK;
}

void imports_sweep(const char *folder, const int64_t *unfinished, size_t count)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        bool is_needed = e->d_name[0] == '.';
        for (size_t i = 0; i < count && !is_needed; i++) {
            char name[64];
            snprintf(name, sizeof name, "import-%" PRId64 ".db", unfinished[i]);
            is_needed = streq(e->d_name, name);
        }
        auto_free char *path = xasprintf("%s/%s", folder, e->d_name);
        if (!is_needed)
            unlink(path);
    }
    closedir(dir);
}

/* --- running ----------------------------------------------------------------------------------- */

struct run {
    const struct import_job *job;
    struct import_report *report;
    struct tautulli *file; /* for what is asked once; the readers have their own */
    struct readers *readers;
    struct dims *trial;    /* of a dry run: ids of its own */
    struct batch_state state;
    char server_key[64];
    bool is_own_server;    /* made for this file */
    int64_t owner;         /* user id; -1: the file says it */
    int64_t position;
    struct import_chunk *chunks[BATCH_CHUNKS];
    size_t chunk_count;
    int64_t told_us;
};

static void run_done(struct run *r)
{
    for (size_t i = 0; i < r->chunk_count; i++)
        chunk_free(r->chunks[i]);
    readers_stop(r->readers);
    tautulli_close(r->file);
    dims_free(r->trial);
    batch_state_done(&r->state);
}

static void tell(struct run *r)
{
    r->told_us = clock_monotonic_us();
    if (r->job->progress)
        r->job->progress(r->job->ctx, r->report);
}

static enum status ask_wish(const struct run *r, struct error *err)
{
    switch (r->job->wish ? r->job->wish(r->job->ctx) : IMPORT_GO_ON) {
    case IMPORT_GO_ON:
        return STATUS_OK;
    case IMPORT_CANCEL:
        return fail(err, STATUS_CANCELLED, "cancelled");
    case IMPORT_PAUSE:
        break;
    }
    return fail(err, STATUS_UNAVAILABLE, "the program stops; the import goes on after the next"
                " start");
}

/* --- whose rows they are ----------------------------------------------------------------------- */

static enum status first_text(struct store_conn *c, const char *sql, const struct store_value *v,
                              size_t n, char *dst, size_t size, struct error *err)
{
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, sql, v, n, &q, err));
    struct str s = cursor_next(&q) ? cursor_text(&q, 0) : STR("");
    snprintf(dst, size, "%.*s", (int)s.len, s.ptr);
    return STATUS_OK;
}

/* The server asked for; else the one with the file's machine id, before others one that has been
 * imported to; else the likely one, unless it is known to be another; else one of its own. */
static enum status choose_server(struct run *r, struct store_conn *c, struct error *err)
{
    const char *machine = tautulli_machine_id(r->file), *likely = r->job->likely_server_key;
    if (r->state.server) {
        struct store_value v[] = {sv_int(r->state.server)};
        return first_text(c, "select key from server where server_id = $1", v, 1, r->server_key,
                          sizeof r->server_key, err);
    }
    snprintf(r->server_key, sizeof r->server_key, "%s",
             r->job->server_key ? r->job->server_key : "");
    if (!*r->server_key && *machine) {
        struct store_value v[] = {sv_text(machine)};
        TRY(first_text(c, "select key from server s where machine_id = $1 order by exists (select 1"
                          " from import i where i.server_id = s.server_id) desc, server_id limit 1",
                       v, 1, r->server_key, sizeof r->server_key, err));
    }
    if (!*r->server_key && likely) {
        struct store_value v[] = {sv_text(likely)};
        char other[64];
        TRY(first_text(c, "select machine_id from server where key = $1", v, 1, other, sizeof other,
                       err));
        if (!*machine || !*other)
            snprintf(r->server_key, sizeof r->server_key, "%s", likely);
    }
    if (!*r->server_key) {
        r->is_own_server = true;
        snprintf(r->server_key, sizeof r->server_key, "plex-%.12s",
                 *machine ? machine : "imported");
    }
    return STATUS_OK;
}

static enum status find_server(struct run *r, struct store_conn *c, struct error *err)
{
    struct store_value v[] = {sv_text(r->server_key)};
    int64_t id;
    TRY(store_query_int(c, "select server_id from server where key = $1", v, 1, 0, &id, err));
    r->state.server = (int32_t)id;
    return STATUS_OK;
}

static bool same_text(const char *a, struct str b)
{
    return *a && str_eq_nocase(str_of(a), b);
}

/* The owner goes by the number 1 at the server itself, by that of plex.tv in Tautulli. Where the
 * file does not say who it is, the owner whom the store knows may be among its users. */
static enum status find_owner(struct run *r, struct store_conn *c, struct error *err)
{
    size_t count;
    const struct tautulli_user *users = tautulli_users(r->file, &count);
    r->owner = -1;
    for (size_t i = 0; i < count; i++)
        if (users[i].is_owner)
            return STATUS_OK;
    struct store_value v[] = {sv_int(r->state.server)};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, "select name, email from account where server_id = $1 and key = '1'", v, 1,
                    &q, err));
    if (!cursor_next(&q))
        return STATUS_OK;
    for (size_t i = 0; i < count && r->owner < 0; i++)
        if (users[i].user_id > 0 && (same_text(users[i].name, cursor_text(&q, 0)) ||
                                     same_text(users[i].email, cursor_text(&q, 1))))
            r->owner = users[i].user_id;
    if (r->owner >= 0)
        tautulli_set_owner(r->file, r->owner);
    return STATUS_OK;
}

/* --- in the writer's thread -------------------------------------------------------------------- */

static enum status set_up(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    struct run *r = ctx;
    TRY(dims_server(d, c, r->server_key, &r->state.server, err));
    struct store_value v[] = {sv_int(r->state.server), sv_text(tautulli_machine_id(r->file))};
    if (r->is_own_server)
        TRY(exec(c, "update server set machine_id = coalesce(machine_id, $2),"
                    " name = 'Plex (Tautulli)' where server_id = $1", v, 2, err));
    struct store_value id[] = {sv_int(r->state.import_id)};
    TRY(exec(c, "update import set state = 'running' where import_id = $1", id, 1, err));
    return report_save(c, r->report, r->state.server, r->position, err);
}

static enum status write_batch(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    struct run *r = ctx;
    struct store_value id[] = {sv_int(r->state.import_id)};
    int64_t position, next_id;
    TRY(store_query_int(c, "select position from import where import_id = $1 and state = 'running'",
                        id, 1, INT64_MAX, &position, err));
    if (position != r->position)
        return fail(err, STATUS_CONFLICT, "the import was changed while it ran");
    dims_bulk_begin(d);
    enum status s = STATUS_OK;
    for (size_t i = 0; i < r->chunk_count && s == STATUS_OK; i++)
        s = batch_resolve(&r->state, c, d, r->chunks[i], err);
    if (s == STATUS_OK)
        s = dims_bulk_end(d, err);
    else
        dims_bulk_drop(d);
    TRY(s);
    TRY(input_next_id(c, &next_id, err));
    TRY(batch_append(&r->state, c, r->chunks, r->chunk_count, &next_id, err));
    return report_save(c, r->report, r->state.server, r->chunks[r->chunk_count - 1]->last, err);
}

/* Names that people and libraries have in Tautulli, and who owns the server. */
static enum status take_names(struct run *r, struct store_conn *c, struct dims *d, struct error *err)
{
    dims_set_news_of_people(d, true);
    TRY(store_exec(c, "create or replace temp table import_user (account_id integer,"
                      " friendly_name varchar, is_owner boolean, plex_id varchar);"
                      " create or replace temp table"
                      " import_library (key varchar, kind varchar)", err));
    size_t users, libraries;
    const struct tautulli_user *u = tautulli_users(r->file, &users);
    const struct tautulli_library *l = tautulli_libraries(r->file, &libraries);
    {
        auto_arena struct arena keys = {0};
        auto_appender duckdb_appender a = NULL;
        TRY(append_open(c, "temp", "import_user", &a, err));
        for (size_t i = 0; i < users; i++) {
            append_id(a, dims_known_account(d, r->state.server,
                                            tautulli_account_key(r->file, u[i].user_id, &keys)));
            append_text(a, u[i].friendly_name);
            append_bool(a, u[i].is_owner);
            char plex_id[32];
            snprintf(plex_id, sizeof plex_id, "%" PRId64, u[i].user_id);
            append_text(a, u[i].user_id > 0 ? plex_id : "");
            TRY(append_row(a, err));
        }
        TRY(append_close(a, err));
    }
    {
        auto_appender duckdb_appender a = NULL;
        TRY(append_open(c, "temp", "import_library", &a, err));
        for (size_t i = 0; i < libraries; i++) {
            char key[32];
            snprintf(key, sizeof key, "%" PRId64, l[i].section);
            append_text(a, key);
            append_text(a, l[i].kind);
            TRY(append_row(a, err));
        }
        TRY(append_close(a, err));
    }
    struct store_value v[] = {sv_int(r->state.server)};
    TRY(exec(c, "update library set kind = l.kind from temp.import_library l where"
                " library.server_id = $1 and library.key = l.key and library.kind is null", v, 1,
             err));
    return store_exec(
        c,
        "update account set is_owner = true from temp.import_user u where u.is_owner"
        " and account.account_id = u.account_id and account.is_owner is distinct from true;"
        /* what it calls an owner, whose key at the server is another one */
        "update account set friendly_name = coalesce(u.friendly_name, account.friendly_name),"
        " plex_id = u.plex_id from temp.import_user u where account.account_id = u.account_id;"
        "drop table temp.import_user; drop table temp.import_library", err);
}

static enum status count_added(struct run *r, struct store_conn *c, struct error *err)
{
    struct store_value v[] = {sv_int(r->state.import_id)};
    auto_cursor struct cursor q = {0};
    TRY(cursor_open(c, "select count(distinct a.person_id), "
                       " count(distinct coalesce(w.root_id, s.title_id)),"
                       " min(s.started), max(s.ended), count(*) from segment_in s"
                       " left join title_join w on w.title_id = s.title_id"
                       " left join account a using (account_id) where s.import_id = $1", v, 1, &q,
                    err));
    if (!cursor_next(&q))
        return STATUS_OK;
    r->report->people = cursor_int(&q, 0, 0);
    r->report->titles = cursor_int(&q, 1, 0);
    r->report->from_us = cursor_int(&q, 2, TIME_NONE);
    r->report->to_us = cursor_int(&q, 3, TIME_NONE);
    return STATUS_OK;
}

/* From here on the rows count. */
static enum status finish(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    struct run *r = ctx;
    struct store_value v[] = {sv_int(r->state.import_id),
                              {.kind = SV_TIME, .i = r->report->ended_us}};
    TRY(take_names(r, c, d, err));
    TRY(count_added(r, c, err));
    TRY(exec(c, "update import set state = 'done', ended_at = $2 where import_id = $1", v, 2, err));
    /* Rows of an import that was undone, which this one has taken back under the same ids. */
    TRY(exec(c, "delete from segment_in s where s.import_id in (select import_id from import"
                " where state = 'undone') and exists (select 1 from segment_in n"
                " where n.import_id = $1 and n.segment_in_id = s.segment_in_id)", v, 1, err));
    TRY(report_save(c, r->report, r->state.server, r->position, err));
    if (!r->report->rows_added)
        return STATUS_OK;
    return derive_import(c, r->state.import_id, &r->job->knobs, err);
}

struct giving_up {
    int64_t id;
    const char *state;
    const struct import_report *report;
    int32_t server;
    int64_t position;
};

static enum status give_up(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    const struct giving_up *g = ctx;
    struct store_value v[] = {sv_int(g->id), {.kind = SV_TIME, .i = g->report->ended_us},
                              sv_text(g->state)};
    int64_t is_on;
    TRY(store_query_int(c, "select count(*) from import where import_id = $1"
                           " and state in ('counting', 'running')", v, 1, 0, &is_on, err));
    if (!is_on)
        return STATUS_OK;
    TRY(exec(c, "delete from segment_in where import_id = $1", v, 1, err));
    TRY(exec(c, "update import set state = $3, ended_at = $2 where import_id = $1", v, 3, err));
    return report_save(c, g->report, g->server, g->position, err);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static void recycle(struct run *r)
{
    for (size_t i = 0; i < r->chunk_count; i++)
        readers_recycle(r->readers, r->chunks[i]);
    r->chunk_count = 0;
}

static enum status take_batch(struct run *r, struct error *err)
{
    for (size_t i = 0; i < r->chunk_count; i++) {
        report_add(r->report, r->chunks[i]);
        if (!r->trial)
            continue;
        TRY(batch_resolve(&r->state, NULL, r->trial, r->chunks[i], err));
        batch_count(&r->state, r->trial, r->chunks[i]);
    }
    if (!r->trial)
        TRY(ingest_run(r->job->ingest, write_batch, r, err));
    r->position = r->chunks[r->chunk_count - 1]->last;
    recycle(r);
    return STATUS_OK;
}

static enum status read_all(struct run *r, struct error *err)
{
    for (;;) {
        struct import_chunk *c;
        bool is_end;
        TRY(ask_wish(r, err));
        TRY(readers_next(r->readers, PROGRESS_US, &c, &is_end, err));
        if (c)
            r->chunks[r->chunk_count++] = c;
        if (r->chunk_count == BATCH_CHUNKS || (is_end && r->chunk_count))
            TRY(take_batch(r, err));
        if (clock_monotonic_us() - r->told_us > PROGRESS_US)
            tell(r);
        if (is_end)
            return STATUS_OK;
    }
}

static unsigned reader_threads(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
}

/* Everything before the first row. */
static enum status prepare(struct run *r, const char *path, struct store_conn *c,
                           struct error *err)
{
    TRY(tautulli_open(path, NULL, &r->file, err));
    if (!r->report->rows_total)
        TRY(tautulli_count(r->file, &r->report->rows_total, err));
    TRY(choose_server(r, c, err));
    TRY(find_server(r, c, err));
    TRY(find_owner(r, c, err));
    snprintf(r->report->server, sizeof r->report->server, "%s", r->server_key);
    r->report->state = IMPORT_RUNNING;
    struct readers_config k = {.path = path, .store = r->job->store, .server = r->state.server,
                               .owner = r->owner, .after = r->position,
                               .chunk_rows = r->job->chunk_rows, .threads = reader_threads()};
    TRY(readers_start(&k, &r->readers, err));
    if (r->job->is_dry_run) {
        r->trial = dims_new(NULL, NULL);
        TRY(dims_load(r->trial, c, err));
        TRY(dims_server(r->trial, NULL, r->server_key, &r->state.server, err));
    } else {
        TRY(ingest_run(r->job->ingest, set_up, r, err));
    }
    r->state.server_key = r->server_key;
    tell(r);
    return STATUS_OK;
}

static enum status run(struct run *r, const char *path, struct error *err)
{
    auto_cleanup(disconnect) struct store_conn *c = NULL;
    TRY(store_connect(r->job->store, &c, err));
    if (!r->job->is_dry_run)
        TRY(report_load(c, r->state.import_id, r->report, &r->state.server, &r->position, err));
    if (r->report->state != IMPORT_COUNTING && r->report->state != IMPORT_RUNNING)
        return fail(err, STATUS_CONFLICT, "import %" PRId64 " has ended", r->state.import_id);
    TRY(prepare(r, path, c, err));
    TRY(read_all(r, err));
    readers_stop(steal_ptr(&r->readers)); /* their chunks are not needed to derive */
    r->report->ended_us = clock_now_us();
    if (!r->job->is_dry_run)
        TRY(ingest_run(r->job->ingest, finish, r, err));
    if (r->job->is_dry_run) {
        r->report->people = (int64_t)r->state.people.count;
        r->report->titles = (int64_t)r->state.titles.count;
        r->report->from_us = r->state.from_us;
        r->report->to_us = r->state.to_us;
    }
    r->report->state = IMPORT_DONE;
    return STATUS_OK;
}

/* It ended badly: says so in the store and takes back what was written. False: it is not over. */
static bool end_badly(struct run *r, enum status s, const struct error *why)
{
    bool is_cancelled = s == STATUS_CANCELLED;
    r->report->ended_us = clock_now_us();
    r->report->rows_added = 0;
    r->report->state = is_cancelled ? IMPORT_CANCELLED : IMPORT_FAILED;
    snprintf(r->report->error, sizeof r->report->error, "%s", is_cancelled ? "" : why->text);
    struct giving_up g = {.id = r->state.import_id, .report = r->report,
                          .state = import_state_name(r->report->state),
                          .server = r->state.server, .position = r->position};
    struct error err;
    if (r->job->is_dry_run || ingest_run(r->job->ingest, give_up, &g, &err) == STATUS_OK)
        return true;
    log_error("import", "the end of an import could not be noted", LF_INT("import", g.id),
              LF_ERROR(&err));
    return false;
}

enum status import_run(const struct import_job *job, int64_t id, struct import_report *ret,
                       struct error *err)
{
    report_init(ret);
    ret->import_id = id;
    ret->is_dry_run = job->is_dry_run;
    if (job->is_dry_run) {
        snprintf(ret->source, sizeof ret->source, "tautulli");
        snprintf(ret->file, sizeof ret->file, "%s", job->name);
        ret->started_us = clock_now_us();
    }
    auto_cleanup(run_done) struct run r = {.job = job, .report = ret, .position = INT64_MIN,
                                           .state = {.import_id = id, .from_us = TIME_NONE,
                                                     .to_us = TIME_NONE}};
    auto_free char *path = copy_path(job, id);
    struct error text = {0}, *why = err ? err : &text;
    enum status s = run(&r, path, why);
    bool is_over = s == STATUS_OK || (s != STATUS_UNAVAILABLE && end_badly(&r, s, why));
    if (is_over)
        unlink(path);
    tell(&r);
    return s;
}

/* --- undoing ----------------------------------------------------------------------------------- */

struct undoing {
    const struct knobs *knobs;
    int64_t id;
    const char *who;
};

static enum status undo(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    (void)d;
    const struct undoing *u = ctx;
    struct import_report r;
    TRY(import_get(c, u->id, &r, err));
    if (r.state != IMPORT_DONE)
        return fail(err, STATUS_CONFLICT, "import %" PRId64 " is %s: there is nothing to undo",
                    u->id, import_state_name(r.state));
    struct store_value v[] = {sv_int(u->id), sv_text(u->who),
                              {.kind = SV_TIME, .i = clock_now_us()}};
    TRY(exec(c, "insert into decision select coalesce(max(decision_id), 0) + 1, $3, $2,"
                " 'delete_import', $1, null from decision", v, 3, err));
    TRY(exec(c, "update import set state = 'undone' where import_id = $1", v, 1, err));
    return derive_import(c, u->id, u->knobs, err);
}

enum status import_undo(struct ingest *i, const struct knobs *k, int64_t id, const char *who,
                        struct error *err)
{
    struct undoing u = {.knobs = k, .id = id, .who = who};
    return ingest_run(i, undo, &u, err);
}
