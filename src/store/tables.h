/* What each table of the store is for, in words; from tables.def. */
#pragma once

/* "" where the table is not known. */
const char *store_table_meaning(const char *name);
