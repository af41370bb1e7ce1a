/*
 * A bounded queue of pointers between threads: the only way threads meet. Any thread may push or
 * pop. Closing wakes everybody; what is in the queue can still be popped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* capacity >= 1 */
struct queue *queue_new(size_t capacity);
/* The queue must be empty or its items owned elsewhere. NULL is fine. */
void queue_free(struct queue *q);
/* False when full or closed: the caller keeps the item and says so (503, "busy"). */
bool queue_try_push(struct queue *q, void *item);
/* Waits at most timeout_us (negative: for ever); NULL on time-out, or when closed and empty. */
void *queue_pop(struct queue *q, int64_t timeout_us);
void queue_close(struct queue *q);
bool queue_is_closed(struct queue *q);
size_t queue_length(struct queue *q);
