/*
 * Questions answered: the query's SQL on the filter's relations, run once and remembered until the
 * data changes. What an answer says beside its rows is in docs/internals/api.md.
 */
#pragma once

#include <stddef.h>

#include "analytics/catalogue.h"
#include "analytics/question.h"
#include "base/error.h"
#include "store/store.h"

struct analytics;
/* The store is borrowed. */
struct analytics *analytics_new(struct store *store, size_t most_cached_bytes);
void analytics_free(struct analytics *a); /* NULL is fine; after its last user */

/* Prepares every query: INTERNAL, naming it, when its text does not fit the schema or its columns
 * are not what its header says. The connection's thread. */
enum status analytics_check(struct store_conn *c, struct error *err);

/* The question together with the state of the data: an answer under an equal key is the answer.
 * Any thread. */
void analytics_key(struct analytics *a, const struct question *q, struct buf *out);
/* An earlier answer under that key, appended to out; false when there is none. Any thread. */
bool analytics_remembered(struct analytics *a, const char *key, struct buf *out);
/* Of the answers that are kept; since the start. Any thread. */
struct analytics_stats {
    int64_t hits, misses;
    size_t bytes, entries;
};
void analytics_get_stats(struct analytics *a, struct analytics_stats *ret);
/* How many plays the filter, which is finished, leaves; kept until the data changes. The connection's
 * thread. */
enum status analytics_count(struct analytics *a, const struct filter *f, struct store_conn *c,
                            int64_t *ret, struct error *err);
/* The rows as the file that is asked for; it is not kept. As analytics_answer. */
enum status analytics_file(struct question *q, struct store_conn *c, struct export *e,
                           struct error *err);
/* Answers in JSON, waiting where another thread is at the same question. INVALID: the filter does not go
 * together. The connection's thread. */
enum status analytics_answer(struct analytics *a, struct question *q, const char *key,
                             struct store_conn *c, struct buf *out, struct error *err);
