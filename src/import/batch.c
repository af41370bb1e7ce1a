#include "import/batch.h"

#include "base/clock.h"
#include "ingest/titles.h"
#include "store/bulk.h"

#include "base/banned.h"

void batch_state_done(struct batch_state *s)
{
    for (size_t r = 0; r < READERS_MOST; r++)
        for (size_t k = 0; k < FACT_KINDS; k++)
            free(s->ids[r][k]);
    free(s->people.bits);
    free(s->titles.bits);
}

static void remember(struct batch_state *s, unsigned reader, const struct import_fact *f,
                     int32_t id)
{
    size_t *room = &s->room[reader][f->kind];
    int32_t **ids = &s->ids[reader][f->kind];
    if (f->local >= *room) {
        *room = (size_t)f->local * 2 + 64;
        *ids = xreallocarray(*ids, *room, sizeof **ids);
    }
    (*ids)[f->local] = id;
}

static enum status resolve(const struct batch_state *s, struct store_conn *c, struct dims *d,
                           struct import_fact *f, int32_t *ret, struct error *err)
{
    const struct observation *o = &f->o;
    switch (f->kind) {
    case FACT_ACCOUNT:
        return dims_account(d, c, s->server, o->account_key, o->account_name, o->account_email, ret,
                            err);
    case FACT_TITLE:
        f->o.server = s->server_key;
        return dims_title(d, c, o, ret, err);
    case FACT_LIBRARY:
        return dims_library(d, c, s->server, o->library_key, o->library_name, ret, err);
    case FACT_DEVICE:
        return dims_device(d, c, o, ret, err);
    case FACT_QUALITY:
        return dims_quality(d, c, o, ret, err);
    case FACT_ADDRESS:
        return dims_address(d, c, o->address, ret, err);
    case FACT_KINDS:
        break;
    }
    return fail(err, STATUS_INTERNAL, "a fact of no kind");
}

enum status batch_resolve(struct batch_state *s, struct store_conn *c, struct dims *d,
                          const struct import_chunk *chunk, struct error *err)
{
    for (size_t i = 0; i < chunk->fact_count; i++) {
        int32_t id = 0;
        TRY(resolve(s, c, d, &chunk->facts[i], &id, err));
        remember(s, chunk->reader, &chunk->facts[i], id);
    }
    const struct title_move *moves;
    size_t count;
    /* Of a dry run, which has no writer that would do it. */
    return c ? STATUS_OK : titles_match(dims_titles(d), NULL, 0, &moves, &count, err);
}

static int32_t id_of(const struct batch_state *s, const struct import_chunk *chunk,
                     const struct import_row *r, enum import_fact_kind kind)
{
    return r->local[kind] ? s->ids[chunk->reader][kind][r->local[kind]] : 0;
}

/* Columns as in sql/migrations, table segment_in. */
static enum status append(const struct batch_state *s, const struct import_chunk *chunk,
                          const struct import_row *r, int64_t id, struct bulk *a,
                          struct error *err)
{
    bulk_int(a, id);
    bulk_int32(a, (int32_t)s->import_id);
    bulk_int(a, r->source_row);
    bulk_int(a, r->source_group);
    bulk_id(a, s->server);
    bulk_id(a, id_of(s, chunk, r, FACT_ACCOUNT));
    bulk_id(a, id_of(s, chunk, r, FACT_TITLE));
    bulk_id(a, id_of(s, chunk, r, FACT_LIBRARY));
    bulk_id(a, id_of(s, chunk, r, FACT_DEVICE));
    bulk_id(a, id_of(s, chunk, r, FACT_QUALITY));
    bulk_id(a, id_of(s, chunk, r, FACT_ADDRESS));
    bulk_time(a, r->started_us);
    bulk_time(a, r->ended_us);
    bulk_int(a, r->watch_ms);
    bulk_int(a, r->paused_ms);
    bulk_known(a, r->position_ms);
    bulk_known(a, r->duration_ms);
    bulk_known(a, r->credits_ms);
    bulk_text(a, r->location);
    bulk_known_bool(a, r->secure);
    bulk_known_bool(a, r->relayed);
    bulk_known32(a, r->bandwidth_kbps);
    bulk_known32(a, r->bitrate_kbps);
    bulk_known32(a, r->stream_bitrate_kbps);
    bulk_bool(a, r->is_live);
    return bulk_row(a, err);
}

enum status batch_append(const struct batch_state *s, struct store_conn *c,
                         struct import_chunk *const *chunks, size_t count, int64_t *next_id,
                         struct error *err)
{
    auto_bulk struct bulk a = {0};
    TRY(bulk_open(c, NULL, "segment_in", &a, err));
    for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < chunks[k]->row_count; i++) {
            const struct import_row *r = &chunks[k]->rows[i];
            TRY(append(s, chunks[k], r, r->same_as ? r->same_as : (*next_id)++, &a, err));
        }
    }
    return bulk_close(&a, err);
}

static void set_add(struct id_set *s, int32_t id)
{
    size_t byte = (size_t)id / 8;
    if (id <= 0)
        return;
    if (byte >= s->room) {
        size_t room = byte * 2 + 64;
        s->bits = xreallocarray(s->bits, room, 1);
        memset(s->bits + s->room, 0, room - s->room);
        s->room = room;
    }
    unsigned char bit = (unsigned char)(1u << (id % 8));
    s->count += !(s->bits[byte] & bit);
    s->bits[byte] |= bit;
}

void batch_count(struct batch_state *s, const struct dims *d, const struct import_chunk *chunk)
{
    int32_t account = 0, person = 0;
    for (size_t i = 0; i < chunk->row_count; i++) {
        const struct import_row *r = &chunk->rows[i];
        int32_t other = id_of(s, chunk, r, FACT_ACCOUNT);
        if (other != account)
            person = dims_person(d, other);
        account = other;
        set_add(&s->people, person);
        set_add(&s->titles, titles_root(dims_titles(d), id_of(s, chunk, r, FACT_TITLE)));
        if (s->from_us == TIME_NONE || r->started_us < s->from_us)
            s->from_us = r->started_us;
        if (s->to_us == TIME_NONE || r->ended_us > s->to_us)
            s->to_us = r->ended_us;
    }
}
