#include "import/rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

struct import_chunk *chunk_new(void)
{
    struct import_chunk *c = xcalloc(1, sizeof *c);
    c->rows = xreallocarray(NULL, IMPORT_CHUNK_ROWS, sizeof *c->rows);
    return c;
}

void chunk_free(struct import_chunk *c)
{
    if (!c)
        return;
    arena_done(&c->arena);
    free(c->rows);
    free(c->facts);
    free(c->known);
    free(c);
}

void chunk_clear(struct import_chunk *c)
{
    c->row_count = c->fact_count = c->known_count = 0;
    c->rows_read = 0;
    memset(c->why, 0, sizeof c->why);
    arena_reset(&c->arena);
}

struct import_fact *chunk_fact(struct import_chunk *c, enum import_fact_kind kind, uint32_t local)
{
    if (c->fact_count == c->fact_room) {
        c->fact_room = c->fact_room ? c->fact_room * 2 : 256;
        c->facts = xreallocarray(c->facts, c->fact_room, sizeof *c->facts);
    }
    struct import_fact *f = &c->facts[c->fact_count++];
    f->kind = kind;
    f->local = local;
    observation_init(&f->o);
    return f;
}

const struct known_row *chunk_known(const struct import_chunk *c, int64_t source_row,
                                    int64_t started_us)
{
    size_t from = 0, to = c->known_count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (c->known[mid].source_row < source_row)
            from = mid + 1;
        else
            to = mid;
    }
    const struct known_row *found = NULL;
    for (; from < c->known_count && c->known[from].source_row == source_row; from++)
        if (c->known[from].started_us == started_us && (!found || !c->known[from].is_undone))
            found = &c->known[from];
    return found;
}

void chunk_note(struct import_chunk *c, enum import_why why, int64_t source_row, struct str text)
{
    struct import_why_count *w = &c->why[why];
    if (w->count++)
        return;
    auto_buf struct buf clean = {0};
    buf_add_clean_utf8(&clean, (struct str){text.ptr, text.len < 100 ? text.len : 100});
    int n = snprintf(w->sample, sizeof w->sample, "row %" PRId64, source_row);
    if (clean.len)
        snprintf(w->sample + n, sizeof w->sample - (size_t)n, ": %s", buf_text(&clean));
}
