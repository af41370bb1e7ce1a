/* The passphrase of a backup: never on the command line, where others see it. */
#pragma once

#include "base/error.h"
#include "config/config.h"

#define PASSPHRASE_OPTION "--passphrase-file"
/* All of `file` but white space around it; without a file BACKUP_PASSPHRASE, "" where there is none.
 * The caller wipes and frees it (passphrase_done). */
enum status passphrase_read(const char *file, const struct config *c, char **ret,
                            struct error *err);
void passphrase_done(char **passphrase);
