#include "base/logger.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log_tail.h"
#include "base/str.h"

#include "base/banned.h"

enum { MODULES_MAX = 32, SECRETS_MAX = 256, MODULE_NAME_MAX = 24, SECRET_LEAST = 8 };

static struct {
    pthread_mutex_t lock;
    enum log_format format;
    _Atomic int level;
    _Atomic int module_count;
    struct {
        char name[MODULE_NAME_MAX];
        enum log_level level;
    } modules[MODULES_MAX];
    int secret_count;
    char *secrets[SECRETS_MAX];
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

static _Thread_local const char *current_request;
static _Thread_local const char *current_thread;

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error"};

void logger_setup(enum log_level level, enum log_format format)
{
    pthread_mutex_lock(&sink.lock);
    sink.level = (int)level;
    sink.format = format;
    sink.module_count = 0;
    pthread_mutex_unlock(&sink.lock);
}

static bool parse_level(struct str s, enum log_level *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (str_eq_nocase(s, str_of(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

enum status logger_set_levels(const char *spec, struct error *err)
{
    struct str rest = str_of(spec), piece;
    int count = 0;
    pthread_mutex_lock(&sink.lock);
    while (str_next(&rest, ',', &piece)) {
        piece = str_trim(piece);
        const char *eq = piece.len ? memchr(piece.ptr, '=', piece.len) : NULL;
        enum log_level level;
        struct str word = piece;
        if (eq)
            word = (struct str){eq + 1, piece.len - (size_t)(eq + 1 - piece.ptr)};
        if (!parse_level(word, &level)) {
            pthread_mutex_unlock(&sink.lock);
            return fail(err, STATUS_INVALID,
                        "'%.*s' is no level; use trace, debug, info, warn or error",
                        (int)word.len, word.ptr);
        }
        if (!eq) {
            sink.level = (int)level;
        } else {
            size_t n = (size_t)(eq - piece.ptr);
            if (n >= MODULE_NAME_MAX || count >= MODULES_MAX) {
                pthread_mutex_unlock(&sink.lock);
                return fail(err, STATUS_INVALID, "'%.*s' is no module", (int)n, piece.ptr);
            }
            memcpy(sink.modules[count].name, piece.ptr, n);
            sink.modules[count].name[n] = '\0';
            sink.modules[count].level = level;
            count++;
        }
    }
    sink.module_count = count;
    pthread_mutex_unlock(&sink.lock);
    return STATUS_OK;
}

void logger_add_secret(const char *secret)
{
    if (!secret || strlen(secret) < SECRET_LEAST)
        return;
    pthread_mutex_lock(&sink.lock);
    bool is_known = false;
    for (int i = 0; i < sink.secret_count; i++)
        is_known = is_known || streq(sink.secrets[i], secret);
    if (!is_known && sink.secret_count < SECRETS_MAX)
        sink.secrets[sink.secret_count++] = xstrdup(secret);
    pthread_mutex_unlock(&sink.lock);
}

/* Caller holds sink.lock. */
static void add_redacted(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len;) {
        bool hit = false;
        for (int k = 0; k < sink.secret_count && !hit; k++) {
            struct str secret = str_of(sink.secrets[k]);
            if (str_has_prefix((struct str){s.ptr + i, s.len - i}, secret)) {
                buf_puts(out, "***");
                i += secret.len;
                hit = true;
            }
        }
        if (!hit)
            buf_putc(out, s.ptr[i++]);
    }
}

char *logger_redact(const char *text)
{
    struct buf out = {0};
    pthread_mutex_lock(&sink.lock);
    add_redacted(&out, str_of(text));
    pthread_mutex_unlock(&sink.lock);
    return buf_steal(&out);
}

bool logger_is_on(const char *module, enum log_level level)
{
    int count = sink.module_count;
    for (int i = 0; i < count; i++)
        if (streq(sink.modules[i].name, module))
            return level >= sink.modules[i].level;
    return (int)level >= sink.level;
}

void logger_set_request(const char *request_id)
{
    current_request = request_id;
}

void logger_set_thread(const char *name)
{
    current_thread = name;
}

static void add_logfmt_text(struct buf *out, const char *text)
{
    bool needs_quotes = *text == '\0';
    for (const char *p = text; *p && !needs_quotes; p++)
        needs_quotes = (unsigned char)*p <= ' ' || *p == '"' || *p == '=' || *p == '\\';
    if (!needs_quotes) {
        buf_puts(out, text);
        return;
    }
    struct json_writer w;
    jw_begin(&w, out);
    jw_text(&w, text);
}

static void write_logfmt(struct buf *out, enum log_level level, const char *module,
                         const char *message, const struct log_field *fields)
{
    char when[TIME_TEXT_MAX];
    buf_printf(out, "time=%s level=%s module=%s msg=", time_format(clock_now_us(), when),
               level_names[level], module);
    add_logfmt_text(out, message);
    if (current_request)
        buf_printf(out, " request=%s", current_request);
    if (current_thread)
        buf_printf(out, " thread=%s", current_thread);
    for (; fields->key; fields++) {
        buf_printf(out, " %s=", fields->key);
        if (fields->kind == LF_KIND_INT)
            buf_printf(out, "%lld", (long long)fields->i);
        else if (fields->kind == LF_KIND_DOUBLE)
            buf_printf(out, "%g", fields->d);
        else
            add_logfmt_text(out, fields->text ? fields->text : "");
    }
}

static void write_json(struct buf *out, enum log_level level, const char *module,
                       const char *message, const struct log_field *fields)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_time(&w, "time", clock_now_us());
    jw_kv_text(&w, "level", level_names[level]);
    jw_kv_text(&w, "module", module);
    jw_kv_text(&w, "msg", message);
    if (current_request)
        jw_kv_text(&w, "request", current_request);
    if (current_thread)
        jw_kv_text(&w, "thread", current_thread);
    for (; fields->key; fields++) {
        if (fields->kind == LF_KIND_INT)
            jw_kv_int(&w, fields->key, fields->i);
        else if (fields->kind == LF_KIND_DOUBLE)
            jw_kv_double(&w, fields->key, fields->d);
        else
            jw_kv_text(&w, fields->key, fields->text);
    }
    jw_object_end(&w);
}

void logger_write(enum log_level level, const char *module, const char *message,
                  const struct log_field *fields)
{
    auto_buf struct buf line = BUF_INIT(64 * 1024);
    auto_buf struct buf clean = BUF_INIT(64 * 1024);
    if (sink.format == LOG_FORMAT_JSON)
        write_json(&line, level, module, message, fields);
    else
        write_logfmt(&line, level, module, message, fields);
    pthread_mutex_lock(&sink.lock);
    add_redacted(&clean, buf_str(&line));
    buf_putc(&clean, '\n');
    bool is_json = sink.format == LOG_FORMAT_JSON;
    size_t done = 0;
    while (done < clean.len) {
        ssize_t n = write(STDERR_FILENO, clean.data + done, clean.len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (is_json) { /* the tail has one form */
        buf_clear(&line);
        buf_clear(&clean);
        write_logfmt(&line, level, module, message, fields);
        add_redacted(&clean, buf_str(&line));
        buf_putc(&clean, '\n');
    }
    pthread_mutex_unlock(&sink.lock);
    log_tail_add(buf_str(&clean));
}
