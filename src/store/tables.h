/* What each table of the store is for, in words: for who gets them as files. The columns are told in
 * sql/migrations/. A table without its row here fails tests/store/test_export.c. */
#pragma once

#include <stddef.h>

struct store_meaning {
    const char *name, *meaning;
};

extern const struct store_meaning store_meanings[];
extern const size_t store_meaning_count;
/* "" where the table is not known. */
const char *store_table_meaning(const char *name);
