#include "config/loading.h"

#include <inttypes.h>
#include <math.h>

#include "base/clock.h"

#include "base/banned.h"

/* In the largest unit that says it exactly. */
static void add_duration(struct buf *out, int64_t us)
{
    static const struct {
        int64_t us;
        const char *unit;
    } units[] = {{US_PER_DAY, "d"}, {US_PER_HOUR, "h"}, {US_PER_MIN, "m"}, {US_PER_S, "s"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (us && us % units[i].us == 0) {
            buf_printf(out, "%" PRId64 "%s", us / units[i].us, units[i].unit);
            return;
        }
    buf_printf(out, "%" PRId64 "ms", us / US_PER_MS);
}

static void add_size(struct buf *out, int64_t bytes)
{
    static const char *const units[] = {"", "KB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes && bytes % 1024 == 0 && unit + 1 < ARRAY_LEN(units)) {
        bytes /= 1024;
        unit++;
    }
    buf_printf(out, "%" PRId64 "%s", bytes, units[unit]);
}

static void add_value(const struct config *c, const struct option *o, struct buf *out)
{
    const char *slot = (const char *)c + o->offset;
    int64_t i = 0;
    double d;
    bool b;
    if (o->type == TYPE_INT || o->type == TYPE_SIZE || o->type == TYPE_DURATION)
        memcpy(&i, slot, sizeof i);
    switch (o->type) {
    case TYPE_TEXT:
    case TYPE_LIST: {
        const char *text = *(char *const *)(const void *)slot;
        buf_puts(out, o->is_secret && *text ? "***" : text);
        return;
    }
    case TYPE_BOOL:
        memcpy(&b, slot, sizeof b);
        buf_puts(out, b ? "true" : "false");
        return;
    case TYPE_DOUBLE:
        memcpy(&d, slot, sizeof d);
        if (!isnan(d))
            buf_printf(out, "%.15g", d);
        return;
    case TYPE_DURATION:
        add_duration(out, i);
        return;
    case TYPE_SIZE:
        add_size(out, i);
        return;
    case TYPE_INT:
        buf_printf(out, "%" PRId64, i);
        return;
    }
}

void config_show(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < CONFIG_FILES_MAX && c->files[i]; i++)
        buf_printf(out, "# file: %s\n", c->files[i]);
    for (size_t i = 0; i < config_option_count; i++) {
        buf_printf(out, "%s=", config_options[i].env);
        add_value(c, &config_options[i], out);
        buf_putc(out, '\n');
    }
    for (unsigned i = 0; i < c->server_count; i++) {
        const struct server_config *s = &c->servers[i];
        buf_printf(out, "# server %s: %s at %s, token ***, live updates %s, polling %s", s->key,
                   s->name ? s->name : s->key, s->url, s->is_realtime ? "on" : "off",
                   s->is_polling ? "every " : "off");
        if (s->is_polling)
            add_duration(out, s->polling_interval_us);
        buf_puts(out, s->is_tls_unverified ? ", certificate not checked\n" : "\n");
    }
}

void config_describe(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        const char *slot = (const char *)c + o->offset;
        double d;
        buf_printf(out, "%s=", o->env);
        if (o->type == TYPE_TEXT || o->type == TYPE_LIST) {
            const char *text = *(char *const *)(const void *)slot;
            buf_puts(out, streq(text, o->fallback) ? text : *text ? "(set)" : "");
        } else if (o->type == TYPE_DOUBLE) { /* a place */
            memcpy(&d, slot, sizeof d);
            buf_puts(out, isnan(d) ? "" : "(set)");
        } else {
            add_value(c, o, out);
        }
        buf_putc(out, '\n');
    }
    for (unsigned i = 0; i < c->server_count; i++) {
        const struct server_config *s = &c->servers[i];
        buf_printf(out, "# server %u: %s, %s, live updates %s, polling %s%s\n", i + 1,
                   server_kind_name(s->kind),
                   str_has_prefix(str_of(s->url), STR("https:")) ? "https" : "http",
                   s->is_realtime ? "on" : "off", s->is_polling ? "on" : "off",
                   s->is_tls_unverified ? ", certificate not checked" : "");
    }
}

void config_help(struct buf *out)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        char alias[64];
        buf_printf(out, "  %-34s %s%s%s%s%s%s\n", o->env, o->help, *o->fallback ? " (default " : "",
                   o->fallback, *o->fallback ? ")" : "", config_alias(o, alias) ? "; also " : "",
                   config_alias(o, alias) ? alias : "");
    }
    for (size_t k = 0; k < SERVER_KINDS; k++)
        buf_printf(out, "%s%s", k ? ", " : "  ", server_kinds[k].list_env);
    buf_puts(out,
             "\n"
             "                                     more than one server of a kind:\n"
             "                                     [{\"url\":\"http://host:32400\",\"token\":\"...\","
             "\"name\":\"Attic\",\"id\":\"attic\"}]\n"
             "\nEvery secret X, and each list of servers, may be in a file that X_FILE names. Empty "
             "means not set.\nThe same options in YAML (cartographus config docs has their names) are "
             "read from the file that\n--config or CONFIG_PATH names, else ./config.yaml, "
             "./config.yml or /etc/cartographus/config.yaml,\nand below that from "
             "DATA/cartographus.yaml. Environment goes over file, file over default.\n");
}

void config_sample(struct buf *out)
{
    buf_puts(out, "# Every option of Cartographus with its default. Take the # away before a name to set "
                  "it.\n");
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        buf_printf(out, "\n# %s\n#%s=%s\n", o->help, o->env, o->fallback);
    }
}

void config_docs(struct buf *out)
{
    buf_puts(out, "| Environment | YAML | Default | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        char alias[64];
        buf_printf(out, "| `%s`", o->env);
        if (config_alias(o, alias))
            buf_printf(out, " or `%s`", alias);
        buf_printf(out, "%s | `%s` | %s%s%s | %s |\n", o->is_secret ? ", or with `_FILE`" : "", o->yaml,
                   *o->fallback ? "`" : "", o->fallback, *o->fallback ? "`" : "", o->help);
    }
    for (size_t k = 0; k < SERVER_KINDS; k++)
        buf_printf(out, "| `%s`, or with `_FILE` | `%s` | | more servers of a kind: a list, each with "
                        "`url`, `token` (or `token_file`) and, where wanted, `name`, `id`, `enabled`, "
                        "`realtime_enabled`, `session_polling_enabled`, `session_polling_interval`, "
                        "`tls_verify` |\n", server_kinds[k].list_env, server_kinds[k].list_yaml);
}
