/* A restore for the next start: upload or choose, look, unlock, confirm, give up. */
#include "api/restores.h"

#include <stdio.h>

#include "api/request.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"

#include "base/banned.h"

static const struct api_restores *restores_of(const struct request *r)
{
    return r->api->config.restores;
}

/* --- how it stands ----------------------------------------------------------------------------- */

static void write_facts(struct json_writer *w, const struct restore_facts *f)
{
    jw_object(w);
    jw_kv_text(w, "file", f->file);
    jw_kv_int(w, "file_bytes", f->file_bytes);
    jw_kv_int(w, "bytes", f->bytes);
    jw_kv_bool(w, "is_encrypted", f->is_encrypted);
    jw_kv_time(w, "made_at", f->made_us);
    jw_kv_text(w, "version", f->version);
    jw_kv_int(w, "schema", f->schema);
    jw_kv_int(w, "plays", f->plays);
    jw_kv_int(w, "people", f->people);
    jw_kv_int(w, "titles", f->titles);
    jw_kv_time(w, "first_play", f->first_us);
    jw_kv_time(w, "last_play", f->last_us);
    jw_kv_text(w, "by", *f->by ? f->by : NULL);
    jw_kv_time(w, "decided_at", *f->by ? f->decided_us : TIME_NONE);
    jw_object_end(w);
}

/* What is here now that the backup does not know. */
static enum status write_loss(struct json_writer *w, struct store_conn *c, int64_t made_us,
                              struct error *err)
{
    struct store_value made = {.kind = SV_TIME, .i = made_us};
    int64_t newer, all;
    TRY(store_query_int(c, "select count(*) from play where started > $1", &made, 1, 0,
                        &newer, err));
    TRY(store_query_int(c, "select count(*) from play", NULL, 0, 0, &all, err));
    jw_kv_object(w, "loss");
    jw_kv_int(w, "newer_plays", newer);
    jw_kv_int(w, "plays_now", all);
    jw_object_end(w);
    return STATUS_OK;
}

static void write_last(struct json_writer *w, const struct restored *last)
{
    jw_kv_object(w, "last");
    jw_key(w, "backup");
    write_facts(w, &last->facts);
    jw_kv_text(w, "former", last->aside);
    jw_object_end(w);
}

static enum status write_state(struct request *r, struct json_writer *w, struct error *err)
{
    const struct api_restores *k = restores_of(r);
    struct api_restore_state s;
    struct restored last;
    k->find(k->ctx, &s);
    jw_object(w);
    jw_kv_int(w, "id", s.id);
    jw_kv_text(w, "state", s.state);
    jw_kv_text(w, "step", *s.step ? s.step : NULL);
    if (s.percent >= 0)
        jw_kv_int(w, "percent", s.percent);
    else
        jw_kv_null(w, "percent");
    jw_kv_text(w, "file", *s.file ? s.file : NULL);
    jw_kv_text(w, "error", *s.error.text ? s.error.text : NULL);
    jw_key(w, "backup");
    if (s.has_facts) {
        write_facts(w, &s.facts);
        TRY(write_loss(w, r->conn, s.facts.made_us, err));
    } else {
        jw_null(w);
        jw_kv_null(w, "loss");
    }
    jw_kv_array(w, "needed");
    for (size_t i = 0; i < backup_left_out_count; i++)
        jw_text(w, backup_left_out[i]);
    jw_array_end(w);
    jw_kv_int(w, "most_bytes", k->most_bytes);
    if (k->last(k->ctx, &last)) {
        write_last(w, &last);
        restored_done(&last);
    } else {
        jw_kv_null(w, "last");
    }
    jw_object_end(w);
    return STATUS_OK;
}

static void reply_state(struct request *r, int http_status)
{
    struct buf out = {0};
    struct json_writer w;
    struct error err = {0};
    jw_begin(&w, &out);
    if (write_state(r, &w, &err) == STATUS_OK) {
        request_reply(r, http_status, &out);
    } else {
        buf_done(&out);
        request_fail(r, &err);
    }
}

void handle_restore(struct request *r)
{
    reply_state(r, 200);
}

/* --- a backup in ------------------------------------------------------------------------------- */

struct asked {
    const char *name, *backup;
    struct error err;
    enum status status;
};

static bool read_parameter(void *ctx, const char *name, const char *value)
{
    struct asked *g = ctx;
    if (!str_is_utf8(str_of(value)) || strlen(value) >= RESTORE_FILE_MAX)
        g->status = fail_field(&g->err, STATUS_INVALID, name, "at most %d bytes of UTF-8 text",
                               RESTORE_FILE_MAX - 1);
    else if (streq(name, "name"))
        g->name = *value ? value : g->name;
    else if (streq(name, "backup"))
        g->backup = value;
    else
        g->status = fail_field(&g->err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    return g->status == STATUS_OK;
}

static enum status begin(struct request *r, struct asked *g)
{
    const struct api_restores *k = restores_of(r);
    http_query_each(r->x, read_parameter, g);
    TRY(g->status);
    if (g->backup)
        return k->begin_kept(k->ctx, g->backup, &g->err);
    if (!http_body_file(r->x))
        return fail(&g->err, STATUS_INVALID, "the request's body must be the backup's file; or name one"
                    " of those that are kept: ?backup=NAME");
    return k->begin_upload(k->ctx, http_steal_body_file(r->x), g->name, &g->err);
}

void handle_restore_begin(struct request *r)
{
    struct asked g = {.name = "upload", .status = STATUS_OK};
    if (begin(r, &g) == STATUS_OK)
        reply_state(r, 202);
    else
        request_fail(r, &g.err);
}

/* --- what is asked of it ----------------------------------------------------------------------- */

void handle_restore_unlock(struct request *r)
{
    const struct api_restores *k = restores_of(r);
    struct error err = {0};
    const char *passphrase = jstr(r->body, "passphrase");
    enum status s = *passphrase ? k->unlock(k->ctx, passphrase, &err)
                                : fail_field(&err, STATUS_INVALID, "passphrase", "is missing");
    if (s == STATUS_OK)
        reply_state(r, 202);
    else
        request_fail(r, &err);
}

void handle_restore_confirm(struct request *r)
{
    const struct api_restores *k = restores_of(r);
    struct error err = {0};
    int64_t id = jint(r->body, "id", 0);
    enum status s = id > 0 ? k->confirm(k->ctx, id, r->user.name, &err)
                           : fail_field(&err, STATUS_INVALID, "id", "is missing: the id of what GET"
                                        " /restore shows");
    if (s == STATUS_OK)
        reply_state(r, 200);
    else
        request_fail(r, &err);
}

void handle_restore_drop(struct request *r)
{
    const struct api_restores *k = restores_of(r);
    struct error err = {0};
    if (k->drop(k->ctx, &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}

void handle_restore_forget(struct request *r)
{
    const struct api_restores *k = restores_of(r);
    k->forget_last(k->ctx);
    request_no_content(r);
}
