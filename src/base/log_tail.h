/*
 * The last lines of the log, in bounded memory: what a support bundle has of it. There is no log
 * file. As secrets are masked in the lines, they are here. All functions: any thread.
 */
#pragma once

#include "base/str.h"

enum { LOG_TAIL_BYTES = 256 * 1024 };

/* A line with its end, as logfmt whatever LOG_FORMAT says. One longer than all is left out. */
void log_tail_add(struct str line);
/* A copy, oldest first, of whole lines; the caller frees it. */
char *log_tail_copy(void);
