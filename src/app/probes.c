#include "app/probes.h"

#include <stdio.h>

#include "app/client_id.h"
#include "app/servers.h"
#include "base/mem.h"

#include "base/banned.h"

struct probing {
    struct loop *loop;
    struct probe_result *results;
    unsigned waiting;
};

struct probe_one {
    struct probing *all;
    unsigned number;
};

static void probed(void *ctx, const struct probe_result *r)
{
    struct probe_one *one = ctx;
    one->all->results[one->number] = *r;
    if (--one->all->waiting == 0)
        loop_stop(one->all->loop);
}

enum status probes_run(const struct config *c, const struct server_list *l,
                       void (*each)(void *ctx, const struct source_config *s, const struct probe_result *r),
                       void *ctx, bool *ret_is_well, struct error *err)
{
    char client_id[CLIENT_ID_MAX];
    if (client_id_read(c->data_dir, client_id, NULL) != STATUS_OK)
        snprintf(client_id, sizeof client_id, "cartographus-check"); /* it makes nothing */
    auto_free struct source_config *sources = sources_of(c, l, client_id, NULL, NULL);
    auto_free struct probe_one *ones = xcalloc(l->count + 1, sizeof *ones);
    auto_free struct probe_result *results = xcalloc(l->count + 1, sizeof *results);
    struct probing all = {.results = results};
    TRY(loop_new(&all.loop, err));
    for (unsigned i = 0; i < l->count; i++) {
        ones[i] = (struct probe_one){&all, i};
        all.waiting += !sources[i].off;
    }
    for (unsigned i = 0; i < l->count; i++)
        if (!sources[i].off)
            probe_start(all.loop, &sources[i], probed, &ones[i]);
    if (all.waiting > 0)
        loop_run(all.loop);
    loop_free(all.loop);
    *ret_is_well = true;
    for (unsigned i = 0; i < l->count; i++) {
        const struct probe_result *r = sources[i].off ? NULL : &results[i];
        each(ctx, &sources[i], r);
        *ret_is_well = *ret_is_well && (r ? r->verdict == PROBE_FINE : !l->entries[i].is_enabled);
    }
    return STATUS_OK;
}

struct describing {
    unsigned number;
    struct buf *out;
};

static void describe(void *ctx, const struct source_config *s, const struct probe_result *r)
{
    struct describing *d = ctx;
    buf_printf(d->out, "%u (%s): ", ++d->number, server_kind_name(s->kind));
    if (r == NULL)
        buf_printf(d->out, "not watched: %s\n", s->off);
    else
        buf_printf(d->out, "%s: %s\n", probe_verdict_name(r->verdict),
                   r->verdict == PROBE_FINE ? r->version : r->text);
}

void probes_describe(const struct config *c, const struct server_list *l, struct buf *out)
{
    struct describing d = {.out = out};
    struct error err = {0};
    bool is_well;
    if (probes_run(c, l, describe, &d, &is_well, &err) != STATUS_OK)
        buf_printf(out, "%s\n", err.text);
}
