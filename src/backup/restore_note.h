/* DATA/restored.json: from which backup the data beside it came. */
#pragma once

#include "backup/restore.h"

#define RESTORE_NOTE "restored.json"

enum status restore_note_write(const char *folder, const struct restore_facts *facts,
                               struct error *err);
/* False, and *ret empty, where there is none that can be read. */
bool restore_note_read(const char *folder, struct restore_facts *ret);
