/*
 * Demo mode: simulated media servers in a child process, data in a folder of its own. Nothing of it
 * ever touches the real store.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

struct demo {
    pid_t child;
    int keep_alive; /* the child's standard input: it ends when this is closed */
};

/* Starts cartographus-sim (beside the executable), points `c` at its servers and at DATA/demo.
 * Main thread, before the program's other threads. */
enum status demo_start(struct config *c, struct demo *ret, struct error *err);
/* Ends the child and waits for it. */
void demo_stop(struct demo *d);
