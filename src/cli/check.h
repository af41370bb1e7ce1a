/* The parts of `check`. */
#pragma once

#include "config/config.h"

/* One line of its report. */
void check_say(const char *what, const char *verdict, const char *text);
/* Asks others than media servers: whom people log in at, and where the log is. What is not used is not
 * asked. Says of each in words; true if each is fine. */
bool check_outside(const struct config *c);
