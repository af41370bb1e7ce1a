/* The schema's steps, embedded from sql/migrations/ by tools/embed_sql.py. */
#pragma once

struct migration {
    unsigned number; /* 1, 2, 3, ... */
    const char *name;
    const char *sql;
};

extern const struct migration migrations[];
extern const unsigned migration_count;
