/*
 * HTTP while the program starts: where a long log is to be applied first, after a restore or a damaged
 * WAL, the port answers that it starts, and why, instead of not at all.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

struct starting;

/* Listens as the program will; `records` are to be applied. What is given is borrowed. */
enum status starting_begin(const struct config *c, const char *version, int64_t records,
                           struct starting **ret, struct error *err);
/* The port is free again. NULL is fine. */
void starting_end(struct starting *s);
