/* Which items of the catalogue a server has, and since when: at first all of them, each before it was
 * first watched there. */
#include "sim.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

static void fill(struct sim_server *s)
{
    const struct sim *m = s->sim;
    s->added_us = xcalloc(m->world->n_items, sizeof(*s->added_us));
    for (unsigned i = 0; i < m->world->n_items; i++)
        s->added_us[i] = m->born_us - m->world->items[i].added_days_ago * US_PER_DAY;
    for (size_t n = 0; n < m->n_past; n++) {
        const struct past_play *p = &m->past[n];
        int64_t days = 1 + (int64_t)(mix(m->world->seed, p->item) % 40);
        int64_t before_us = (p->started_s - days * 86400) * US_PER_S;
        if (p->server == s->number && before_us < s->added_us[p->item])
            s->added_us[p->item] = before_us;
    }
}

int64_t shelf_added_us(struct sim_server *s, unsigned item)
{
    if (!s->added_us)
        fill(s);
    return s->added_us[item];
}

void shelf_put(struct sim_server *s, unsigned item, int64_t added_us)
{
    (void)shelf_added_us(s, item);
    s->added_us[item] = added_us;
}

static int newest_first(const void *a, const void *b)
{
    const struct shelved *x = a, *y = b;
    if (x->added_us != y->added_us)
        return x->added_us < y->added_us ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

void shelf_sort(struct shelved *all, size_t count)
{
    if (count)
        qsort(all, count, sizeof(*all), newest_first);
}
