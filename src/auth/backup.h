/* The accounts for a backup. */
#pragma once

#include "base/error.h"

/* Copies the accounts, without passwords, and the audit log of the live file `from` to the new file
 * `to`; sessions, API tokens and whatever else is in the file stay out. By a connection of its own. Any
 * thread. */
enum status auth_backup(const char *from, const char *to, struct error *err);
