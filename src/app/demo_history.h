/*
 * The demo's history of its Plex server: a Tautulli database of that server's own past, invented by
 * the simulator, taken in by an import as a person would. Once, at the demo's first start, in a
 * thread of its own: the start does not wait.
 */
#pragma once

#include "api/imports.h"
#include "base/error.h"

struct store;
struct demo_history;

/* Everything is borrowed until demo_history_stop(). */
struct demo_history_config {
    const char *folder; /* the demo's */
    struct store *store;
    const struct api_imports *imports;
};

enum status demo_history_start(const struct demo_history_config *c, struct demo_history **ret,
                               struct error *err);
void demo_history_stop(struct demo_history *h); /* NULL is fine */
