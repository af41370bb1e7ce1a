/*
 * Logging: one line an event on stderr, logfmt or JSON, level by module. The sink is the only
 * mutable global of the program; it is set up once at start. All functions: any thread.
 *
 *     log_info("ingest", "applied", LF_INT("records", n), LF_TEXT("server", name));
 *
 * Secrets: text registered with logger_add_secret() is replaced by *** in every line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LF_KIND_TEXT, LF_KIND_INT, LF_KIND_DOUBLE } kind;
    const char *text;
    int64_t i;
    double d;
};

#define LF_TEXT(k, v) ((struct log_field){.key = (k), .kind = LF_KIND_TEXT, .text = (v)})
#define LF_INT(k, v) ((struct log_field){.key = (k), .kind = LF_KIND_INT, .i = (int64_t)(v)})
#define LF_DOUBLE(k, v) ((struct log_field){.key = (k), .kind = LF_KIND_DOUBLE, .d = (v)})
#define LF_ERROR(e) LF_TEXT("error", (e)->text)

void logger_setup(enum log_level level, enum log_format format);
/* Levels by module: "info,net=debug,ingest=trace". */
enum status logger_set_levels(const char *spec, struct error *err);
/* From now on `secret` (8 characters or more) never appears in a line. The text is copied. */
void logger_add_secret(const char *secret);
/* Copies `text` with every registered secret replaced; the caller frees it. */
char *logger_redact(const char *text);
bool logger_is_on(const char *module, enum log_level level);
/* Set by a request's thread so that its lines carry the id; NULL clears. Not copied. */
void logger_set_request(const char *request_id);
/* The thread's name in lines ("writer"). Not copied. */
void logger_set_thread(const char *name);

void logger_write(enum log_level level, const char *module, const char *message,
                  const struct log_field *fields);

#define log_at(level, module, message, ...)                                              \
    do {                                                                                 \
        if (logger_is_on((module), (level)))                                             \
            logger_write((level), (module), (message),                                   \
                         (const struct log_field[]){__VA_ARGS__ __VA_OPT__(,) {.key = NULL}}); \
    } while (0)
#define log_trace(module, ...) log_at(LOG_TRACE, module, __VA_ARGS__)
#define log_debug(module, ...) log_at(LOG_DEBUG, module, __VA_ARGS__)
#define log_info(module, ...) log_at(LOG_INFO, module, __VA_ARGS__)
#define log_warn(module, ...) log_at(LOG_WARN, module, __VA_ARGS__)
#define log_error(module, ...) log_at(LOG_ERROR, module, __VA_ARGS__)
