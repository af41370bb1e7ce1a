/*
 * Which backups are kept: the newest ones, and of each of the last days, weeks and months that have
 * any the newest. Days are UTC, as the names are; weeks begin on Monday.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backup/backup.h"

struct retention {
    int64_t newest, daily, weekly, monthly;
};

/* Why one is kept; 0: it is not. */
enum retention_why { KEPT_NEWEST = 1, KEPT_DAILY = 2, KEPT_WEEKLY = 4, KEPT_MONTHLY = 8 };

/* ret_why[i] for list[i], newest first: the reasons that hold. The first one is kept in any case. */
void retention_mark(const struct retention *r, const struct backup_entry *list, size_t count,
                    unsigned *ret_why);
/* Removes those that are not kept; *ret_removed counts them. */
enum status retention_apply(const struct retention *r, const char *folder, size_t *ret_removed,
                            struct error *err);
