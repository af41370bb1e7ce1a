/* The queries, as tools/build_queries.py makes the table from sql/analytics/: read-only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/json_write.h"

enum query_type { QUERY_INT = 1, QUERY_DOUBLE, QUERY_TEXT, QUERY_BOOL, QUERY_TIME };
const char *query_type_name(enum query_type t); /* "int" */

struct query_param {
    const char *name;
    enum query_type type; /* QUERY_INT, QUERY_DOUBLE or QUERY_TEXT */
    const char *default_value;
    const char *const *choices; /* of a text, ends with NULL; without: any text */
    double least, most;         /* of a number; most of any text: its bytes */
    const char *help;
};

struct query_column {
    const char *name;
    enum query_type type;
    bool may_be_null;
    const char *help;
};

/* How well the filter can tell the plays that a row counts. */
enum query_behind {
    BEHIND_EXACT = 1, /* these and no other */
    BEHIND_AMONG,     /* among others */
    BEHIND_NONE,
};

struct query {
    const char *name; /* the route: "data-quality", "search/fuzzy" */
    const char *title;
    const char *question;
    const char *row; /* what one row is */
    const char *about;
    enum role role; /* who may ask */
    int64_t cache_s;
    bool takes_short; /* short plays count here, whatever the filter says */
    const struct query_param *params;
    size_t param_count;
    const struct query_column *columns;
    size_t column_count;
    enum query_behind behind;
    const char *behind_why; /* why not better; "" for BEHIND_EXACT */
    const char *behind_sql; /* an expression: the filter of the plays behind a row; "" for none */
    const char *sql;        /* begins with `with` or `select` */
};

/* Sorted by name. */
extern const struct query query_catalogue[];
extern const size_t query_count;

/* Whether a row may have a place: columns latitude and longitude. */
bool query_has_place(const struct query *q);
/* NULL where there is none of that name. */
const struct query *query_find(const char *name);
/* The query as an object of GET /analytics. */
void query_write(const struct query *q, struct json_writer *w);
