/*
 * Tries a media server as it is configured, for people: is somebody there, is it the right kind of
 * server, does it know the token, and may the token do what watching needs.
 */
#pragma once

#include "net/loop.h"
#include "sources/source.h"

/* X(name, word): how it went, told apart. */
#define PROBE_VERDICTS(X)                                                                \
    X(FINE, "fine")                                                                      \
    X(UNREACHABLE, "unreachable")   /* refused, name unknown, no answer */               \
    X(TLS, "tls")                   /* its certificate is not trusted, or it speaks none */ \
    X(OTHER, "another server")      /* it answers, but is no media server of this kind */ \
    X(UNAUTHORIZED, "unauthorized") /* it does not know the token */                     \
    X(FORBIDDEN, "forbidden")       /* it knows the token, which may not do this */      \
    X(FAILING, "failing")           /* it is the right one, but answers nonsense */

enum probe_verdict {
#define X(name, word) PROBE_##name,
    PROBE_VERDICTS(X)
#undef X
};
const char *probe_verdict_name(enum probe_verdict v);

struct probe_result {
    enum probe_verdict verdict;
    enum server_kind kind;       /* that answers; SERVER_KINDS: none that is known */
    char name[128], version[64]; /* as the server says; "" unknown */
    char machine_id[128];        /* its own, for good; "" unknown */
    char text[ERROR_TEXT_MAX];   /* what is wrong and what helps, in words; "" when fine */
};

/* Nothing that the other side says is repeated in `text`.
 * Starts it; `done` runs once in the loop's thread, also when the loop is freed. `c` is borrowed
 * until then. At most PROBE_TIMEOUT_MS a call, of which there are up to five. */
enum { PROBE_TIMEOUT_MS = 10000 };
void probe_start(struct loop *l, const struct source_config *c,
                 void (*done)(void *ctx, const struct probe_result *r), void *ctx);
