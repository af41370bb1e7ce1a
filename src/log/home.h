/* Inside of log: what a home of the log does. log.c calls it; what is told here of threads and records
 * is the home's to keep. */
#pragma once

#include <pthread.h>

#include "log/log.h"

/* A read ends with the record that reaches this. */
enum { LOG_READ_BYTES = 1 << 20 };

typedef enum status log_each(void *ctx, const struct log_record *r, struct error *err);

struct log_ops {
    enum status (*append)(struct log *l, struct log_record *records, size_t count,
                          struct error *err);
    enum status (*read)(struct log *l, int64_t after, size_t most, log_each *each, void *ctx,
                        struct error *err);
    enum status (*trim)(struct log *l, int64_t seq, struct error *err);
    enum status (*rest_done)(struct log *l, struct error *err); /* NULL: it is never a rest */
    void (*close)(struct log *l); /* frees all, also what is half open; calls log_done() */
};

/* First member of each home's own struct. */
struct log {
    const struct log_ops *ops;
    char *home; /* log_home() */
    char *rest_of; /* log_rest_of(); NULL: none */
    pthread_mutex_t lock;
    pthread_cond_t appended;
    int64_t last;  /* guarded by lock, as is what follows */
    bool is_woken;
};

void log_init(struct log *l, const struct log_ops *ops);
void log_done(struct log *l);

/* Records copied out, so that they are handed on without a lock. */
struct log_copy {
    struct buf texts;
    struct log_copied {
        struct log_record record;
        size_t at; /* of the payload in texts */
    } *list;
    size_t count, room;
};
#define LOG_COPY_INIT ((struct log_copy){.texts = BUF_INIT(256u << 20)})
/* The record's payload is copied; a further piece of the same goes to the end of texts. */
void log_copy_add(struct log_copy *c, const struct log_record *r);
enum status log_copy_tell(struct log_copy *c, log_each *each, void *ctx, struct error *err);
void log_copy_done(struct log_copy *c);
#define auto_log_copy __attribute__((cleanup(log_copy_done)))
