#include "store/tables.h"

#include "base/str.h"

#include "base/banned.h"

const char *store_table_meaning(const char *name)
{
#define STORE_TABLE(table, meaning) \
    if (streq(name, #table))        \
        return meaning;
#include "store/tables.def"
    return "";
}
