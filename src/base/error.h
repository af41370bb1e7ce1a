/*
 * Errors: one closed list of statuses, one error object on the caller's stack.
 *
 * A function that can fail returns enum status and takes a `struct error *err` last. On success
 * nothing is written to err. Library code never logs: the boundary that handles an error logs it.
 * err may be NULL where the caller does not want the text.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

/* X(name, text, HTTP status, log level: 'e' error, 'w' warning, 'i' info) */
#define STATUS_LIST(X)                                     \
    X(OK, "ok", 200, 'i')                                  \
    X(NOMEM, "out of memory", 503, 'e')                    \
    X(INVALID, "invalid", 400, 'i')                        \
    X(UNAUTHORIZED, "login required", 401, 'i')            \
    X(DENIED, "denied", 403, 'i')                          \
    X(NOT_FOUND, "not found", 404, 'i')                    \
    X(CONFLICT, "conflict", 409, 'i')                      \
    X(TOO_LARGE, "too large", 413, 'i')                    \
    X(RATE_LIMITED, "too many requests", 429, 'i')         \
    X(TIMEOUT, "timed out", 504, 'w')                      \
    X(UNAVAILABLE, "unavailable", 503, 'w')                \
    X(IO, "input/output error", 500, 'e')                  \
    X(PROTOCOL, "protocol error", 502, 'w')                \
    X(CANCELLED, "cancelled", 499, 'i')                    \
    X(INTERNAL, "internal error", 500, 'e')

enum [[nodiscard]] status {
#define X(name, text, http, level) STATUS_##name,
    STATUS_LIST(X)
#undef X
};

enum { ERROR_TEXT_MAX = 512, ERROR_FIELD_MAX = 64 };

/* What went wrong, for people. `field` names the parameter, option or column at fault, or is "". */
struct error {
    enum status status;
    char field[ERROR_FIELD_MAX];
    char text[ERROR_TEXT_MAX];
};

/* The status in lower-case words ("not found"). Never NULL. */
const char *status_text(enum status s);
/* The status as an upper-case code ("NOT_FOUND"), used in the API's error shape. Never NULL. */
const char *status_code(enum status s);
/* The HTTP status that goes with it. */
int status_http(enum status s);

/* Fills err (if not NULL) and returns s, so that `return fail(err, STATUS_IO, ...)` reads well. */
enum status fail(struct error *err, enum status s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As fail(), naming the parameter, option or column at fault. */
enum status fail_field(struct error *err, enum status s, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* As fail(), with strerror of errno_value appended after ": ". */
enum status fail_errno(struct error *err, int errno_value, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "text: " in front of what err already says; returns err's status. */
enum status fail_prefix(struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The only macro that returns: hands a failure on unchanged. */
#define TRY(expr)                                  \
    do {                                           \
        enum status try_status_ = (expr);          \
        if (try_status_ != STATUS_OK)              \
            return try_status_;                    \
    } while (0)
