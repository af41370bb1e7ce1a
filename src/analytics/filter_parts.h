/* Inside of the filter: what filter.c reads and checks, and filter_sql.c writes. */
#pragma once

#include "analytics/filter.h"
#include "base/clock.h"
#include "base/mem.h"

enum { FILTER_WORDS_MAX = 8 };

/* The small table whose rows a list chooses; the facts that point at them are kept. */
enum filter_table {
    ON_SERVER,
    ON_LIBRARY,
    ON_ACCOUNT,
    ON_TITLE,
    /* Of a segment. */
    ON_DEVICE,
    ON_QUALITY,
    ON_ADDRESS,
    ON_LOCATION, /* no table of its own: what the server said and the class of the address */
    FILTER_TABLES,
};

/* What a list's values are. */
enum filter_value { IS_ID, IS_YEAR, IS_TEXT, IS_WORD };

struct filter_list_kind {
    const char *name;
    enum filter_table table;
    enum filter_value value;
    const char *column;        /* of the table (and what it is joined with) */
    const char *const *words;  /* IS_WORD: the possible ones, NULL at the end */
};

#define FILTER_LIST_COUNT 21
extern const struct filter_list_kind filter_list_kinds[FILTER_LIST_COUNT];

struct filter_list {
    const char **values; /* without `unknown`; ascending once finished */
    size_t count, room;
    bool has_unknown;
    const char *bound; /* values with FILTER_SEPARATOR between, once finished */
};

/* Between the values of a list that is bound as one text; no value holds it. */
#define FILTER_SEPARATOR '\x1f'

enum filter_deleted { WITHOUT_DELETED, WITH_DELETED, ONLY_DELETED };

struct filter {
    struct arena arena;
    struct filter_config config;
    const char *scope;   /* accounts as in struct scope, bound; NULL: sees all */
    const char *plex_id; /* bound; NULL: sees all */
    struct filter_list lists[FILTER_LIST_COUNT];
    const char *start, *end, *zone, *search; /* as given; NULL: not */
    int64_t days;                            /* 0: not given */
    bool with_short;
    enum filter_deleted deleted;
    const char *words[FILTER_WORDS_MAX]; /* of the search */
    size_t word_count;
    int64_t from_us, to_us;
    struct store_named *values;
    size_t value_count, value_room;
};

static inline bool filter_list_is_active(const struct filter_list *l)
{
    return l->count > 0 || l->has_unknown;
}
