/* The serving program: an ordered start, a stop in reverse. */
#pragma once

#include "base/error.h"
#include "config/config.h"

/* Serves until SIGINT or SIGTERM. Main thread; logs its own progress. */
enum status app_serve(const struct config *c, const char *version, struct error *err);
