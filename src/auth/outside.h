/*
 * What a login asks of somebody outside: a thread with a loop of its own (net/loop.h), and how much
 * and how long an answer may be.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "net/loop.h"

enum { OUTSIDE_ANSWER_MOST = 256 * 1024, OUTSIDE_TIMEOUT_MS = 10000 };

struct outside;
/* name: the thread's, in the log. */
enum status outside_start(const char *name, struct outside **ret, struct error *err);
/* Ends the thread. What was asked lands as cancelled before this returns, what was posted and not yet
 * taken is forgotten. Once more does nothing; NULL is fine. */
void outside_stop(struct outside *o);
/* Stops, then frees. NULL is fine. */
void outside_free(struct outside *o);

/* Any thread, not after outside_stop(). */
void outside_post(struct outside *o, void (*call)(void *ctx), void *ctx);

/* In the loop's thread: */
struct loop *outside_loop(struct outside *o);
/* http_fetch() under the limits; of the request's own they stay where they are given. */
void outside_ask(struct outside *o, struct http_request r,
                 void (*done)(void *ctx, const struct http_answer *a), void *ctx);

/* The JSON object of an answer that is well; what: of whom, in words. Pure. */
enum status outside_read(const struct http_answer *a, const char *what, json_t **ret,
                         struct error *err);
