/* Inside of api: decisions of an administrator, each of which can be taken back. Every function that
 * returns false has answered. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/ingest.h"

struct request;

/* A decision waits for the writer, and so must not be asked for while that is at it for minutes. */
bool decide_is_busy(struct request *r);
/* Reads {id}; `what` in words. */
bool decide_read_id(struct request *r, const char *what, int64_t *ret);
/* Answers with the decision's number, or the error. */
void decide_answer(struct request *r, enum status s, int64_t decision, const struct error *err);

typedef enum status decide_ids(struct ingest *i, const int64_t *ids, size_t count, const char *who,
                               const char *why, int64_t *ret_decision, struct error *err);
struct decide_wish {
    const char *name; /* of the body's member that lists the ids */
    decide_ids *run;  /* NULL: there is no such list */
};
/* Does what the body asks for, which names exactly one of the two lists, and maybe a reason. */
void decide_either(struct request *r, struct decide_wish one, struct decide_wish other);
/* Takes {id} back. */
void decide_undo(struct request *r, enum status (*run)(struct ingest *i, int64_t decision,
                                                       const char *who, struct error *err));
