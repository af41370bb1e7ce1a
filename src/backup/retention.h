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

/* ret_keep[i] for list[i], newest first; the first one is kept in any case. */
void retention_mark(const struct retention *r, const struct backup_entry *list, size_t count,
                    bool *ret_keep);
/* Removes those that are not kept; *ret_removed counts them. */
enum status retention_apply(const struct retention *r, const char *folder, size_t *ret_removed,
                            struct error *err);
