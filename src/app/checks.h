/* What of the configuration only other parts can judge: before anything is opened or made. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "config/config.h"

/* Adds a line for each fault, as config_load() does; false when there is one. `is_serving` as there. */
bool config_check_parts(const struct config *c, bool is_serving, struct buf *faults);
