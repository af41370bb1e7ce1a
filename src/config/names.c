#include "config/loading.h"

#include <stdio.h>

#include "base/logger.h"

#include "base/banned.h"

static bool is_known_yaml(const char *path)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (streq(config_options[i].yaml, path))
            return true;
    for (size_t i = 0; i < SERVER_KINDS; i++)
        if (streq(server_kinds[i].list_yaml, path))
            return true;
    return false;
}

/* By spelling, or by its last piece ("port" for "http.port"); NULL: nothing near. */
static const char *nearest_yaml(const char *path)
{
    const char *near = NULL, *dot = strrchr(path, '.');
    size_t best = 4;
    for (size_t i = 0; i < config_option_count; i++) {
        size_t d = str_distance(str_of(path), str_of(config_options[i].yaml), 3);
        if (d < best) {
            best = d;
            near = config_options[i].yaml;
        }
    }
    for (size_t i = 0; i < config_option_count && !near; i++) {
        const char *own = strrchr(config_options[i].yaml, '.');
        if (own && streq(own + 1, dot ? dot + 1 : path))
            near = config_options[i].yaml;
        else if (str_eq_nocase(str_of(config_options[i].env), str_of(path)))
            near = config_options[i].yaml;
    }
    for (size_t i = 0; i < SERVER_KINDS && !near; i++)
        if (str_distance(str_of(path), str_of(server_kinds[i].list_yaml), 2) <= 2)
            near = server_kinds[i].list_yaml;
    return near;
}

void config_check_yaml_names(struct loading *l, json_t *yaml, const char *file)
{
    const char *path;
    json_t *value;
    json_object_foreach(yaml, path, value) {
        if (is_known_yaml(path))
            continue;
        const char *near = nearest_yaml(path);
        config_fault(l, "%s: no such option in '%s'%s%s%s", path, file, near ? "; did you mean " : "",
                     near ? near : "", near ? "?" : "");
    }
}

static bool is_own_name(struct str name)
{
    char alias[64];
    struct str bare = name;
    if (name.len > 5 && memcmp(name.ptr + name.len - 5, "_FILE", 5) == 0)
        bare.len -= 5;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *o = &config_options[i];
        if (str_eq(bare, str_of(o->env)) || (config_alias(o, alias) && str_eq(bare, str_of(alias))))
            return true;
    }
    for (size_t i = 0; i < SERVER_KINDS; i++)
        if (str_eq(bare, str_of(server_kinds[i].list_env)))
            return true;
    return false;
}

/* A name in the environment that is one slip away from one of ours: said, but it may be another
 * program's, so it is no fault. */
void config_check_environment(const struct loading *l)
{
    for (const char *const *e = l->environment; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq || eq - *e < 8)
            continue;
        struct str name = {*e, (size_t)(eq - *e)};
        if (is_own_name(name))
            continue;
        for (size_t i = 0; i < config_option_count; i++) {
            const char *own = config_options[i].env;
            if (str_distance(name, str_of(own), 1) != 1)
                continue;
            auto_free char *found = xstrndup(name.ptr, name.len);
            log_warn("config", "this name in the environment is none of ours; did you mean another?",
                     LF_TEXT("found", found), LF_TEXT("known", own));
            break;
        }
    }
}
