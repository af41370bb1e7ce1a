/*
 * A query with its parameters, read from a request and checked: the query's own, the filter's, and
 * what every query takes: format, explain, compare. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "analytics/catalogue.h"
#include "analytics/filter.h"
#include "base/error.h"
#include "store/export.h"

enum question_compare { COMPARE_NOTHING = 1, COMPARE_PREVIOUS, COMPARE_YEAR };

struct question;
/* The query is borrowed for ever; of the configuration everything is copied. */
struct question *question_new(const struct query *q, const struct filter_config *config);
void question_free(struct question *q); /* NULL is fine */

/* For each parameter of the request. An empty value is as if it were not there. INVALID, with the
 * field: no such parameter, twice the same, or a value that is not right. */
enum status question_take(struct question *q, const char *name, const char *value,
                          struct error *err);
/* After the last one. INVALID: parameters that do not go together. */
enum status question_finish(struct question *q, struct error *err);

const struct query *question_query(const struct question *q);
/* False: JSON; else the answer is a file. */
bool question_is_file(const struct question *q, enum export_format *ret);
enum question_compare question_compare(const struct question *q);
bool question_is_explained(const struct question *q);
bool question_sees_all(const struct question *q);
/* The instant that "today" is of. */
int64_t question_now_us(const struct question *q);
/* The value of one of the filter's parameters as given, or NULL. */
const char *question_given(const struct question *q, const char *name);

/* Everything that the answer depends on but the data: the asker's scope and, because of "today",
 * the quarter of an hour it is asked in, among it. Two questions of equal keys are the same. */
void question_key(const struct question *q, struct buf *out);

/* Resolves the window; before the filter is used. The connection's thread. */
enum status question_resolve(struct question *q, struct store_conn *c, struct error *err);
struct filter *question_filter(const struct question *q);
/* The same question's filter about another window, [from, to): the caller owns *ret. */
enum status question_filter_of(const struct question *q, int64_t from_us, int64_t to_us,
                               struct store_conn *c, struct filter **ret, struct error *err);
/* The values of the query's own parameters, by name. Owned by the question. */
const struct store_named *question_values(const struct question *q, size_t *ret_count);
