#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static const struct {
    const char *code;
    const char *text;
    int http;
} rows[] = {
#define X(name, text, http, level) [STATUS_##name] = {#name, text, http},
    STATUS_LIST(X)
#undef X
};

const char *status_text(enum status s)
{
    return rows[s].text;
}

const char *status_code(enum status s)
{
    return rows[s].code;
}

int status_http(enum status s)
{
    return rows[s].http;
}

static void fill(struct error *err, enum status s, const char *field, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
static void fill(struct error *err, enum status s, const char *field, const char *fmt, va_list ap)
{
    err->status = s;
    snprintf(err->field, sizeof err->field, "%s", field);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
}

enum status fail(struct error *err, enum status s, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, s, "", fmt, ap);
        va_end(ap);
    }
    return s;
}

enum status fail_field(struct error *err, enum status s, const char *field, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, s, field, fmt, ap);
        va_end(ap);
    }
    return s;
}

enum status fail_errno(struct error *err, int errno_value, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, STATUS_IO, "", fmt, ap);
        va_end(ap);
        char why[128];
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s",
                 strerror_r(errno_value, why, sizeof why));
    }
    return STATUS_IO;
}

enum status fail_prefix(struct error *err, const char *fmt, ...)
{
    if (!err)
        return STATUS_INTERNAL;
    char head[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    char whole[ERROR_TEXT_MAX * 2 + 2];
    snprintf(whole, sizeof whole, "%s: %s", head, err->text);
    memcpy(err->text, whole, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
    return err->status;
}
