/* Inside of analytics: one question's SQL, run and written. The connection's thread. */
#pragma once

#include "analytics/question.h"
#include "store/store.h"

struct answer_facts {
    int64_t data_version; /* of before the query ran */
    int64_t plays;        /* that the filter leaves */
};

/* How many plays the filter leaves. */
enum status answer_count(const struct filter *f, struct store_conn *c, int64_t *ret,
                         struct error *err);
/* The rows alone, as the file that was asked for. */
enum status answer_file(const struct question *q, struct store_conn *c, struct export *e,
                        struct error *err);
/* {"data":[...],...,"meta":{...,"is_cached": and no further: whoever sends it says that. */
enum status answer_json(const struct question *q, struct store_conn *c,
                        const struct answer_facts *facts, int64_t started_us, struct buf *out,
                        struct error *err);
/* Runs it and throws the rows away, for measuring. */
enum status answer_discard(const struct question *q, struct store_conn *c, struct error *err);
/* INTERNAL when the text cannot be prepared or gives other columns than the header says. */
enum status answer_check(const struct question *q, struct store_conn *c, struct error *err);
