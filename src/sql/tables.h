/* The tables that people's own SQL sees, with what each column means; from tables.def. */
#pragma once

#include <stddef.h>

struct sql_column {
    const char *name, *type, *about;
    const char *sql; /* of the store */
};

struct sql_table {
    const char *name, *about;
    const char *from; /* of the store */
    const struct sql_column *columns;
    size_t column_count;
};

extern const struct sql_table sql_tables[];
extern const size_t sql_table_count;

/* Questions to begin with. */
struct sql_example {
    const char *title, *sql;
};
extern const struct sql_example sql_examples[];
extern const size_t sql_example_count;

/* "select ... from ..." of the store, in memory of the caller's. */
char *sql_table_select(const struct sql_table *t);
