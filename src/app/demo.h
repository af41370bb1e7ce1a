/*
 * Demo mode: simulated media servers in a child process, data in a folder of its own. Nothing of it
 * ever touches the real store.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

struct demo {
    pid_t child;
    int keep_alive; /* the child's standard input: it ends when this is closed */
};

/* Is this a demo's folder? Nothing real may be written to it, nor a demo to any other. */
bool demo_is_folder(const char *folder);
/* When the invented past of a demo's folder ends. */
enum status demo_until(const char *folder, int64_t *ret_s, struct error *err);

/* Starts cartographus-sim (beside the executable), points `c` at its servers and at DATA/demo.
 * Main thread, before the program's other threads. */
enum status demo_start(struct config *c, struct demo *ret, struct error *err);
/* Ends the child and waits for it. */
void demo_stop(struct demo *d);
