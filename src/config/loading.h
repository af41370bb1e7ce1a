/* Inside of config: one load on its way, and what its parts do. */
#pragma once

#include <jansson.h>

#include "base/str.h"
#include "config/config.h"

enum option_type { TYPE_TEXT, TYPE_LIST, TYPE_BOOL, TYPE_INT, TYPE_SIZE, TYPE_DURATION, TYPE_DOUBLE };

/* A row of options.def. */
struct option {
    const char *env;
    const char *yaml;
    enum option_type type;
    const char *fallback;
    double least, most;
    bool is_secret;
    const char *help;
    size_t offset; /* in struct config */
};
extern const struct option config_options[];
extern const size_t config_option_count;

struct loading {
    const struct config_origin *origin;
    const char *const *environment;
    json_t *yaml; /* flat: "section.name" -> text; lists of objects as JSON arrays */
    struct config *out;
    struct buf faults;
    bool *has_fault; /* by option: something was said about its value */
    bool *is_given;  /* by option: a value was found, rightly or not */
};

/* One line for people: the option, what was found, what is right. */
void config_fault(struct loading *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says so in the log where `trimmed` is less than `value`. */
void config_tell_trimmed(const char *option, struct str trimmed, const char *value);
/* Whether something was said about the value of the option of that name, wherever it came from. */
bool config_has_fault(const struct loading *l, const char *env);
/* Whether the option of that name has a value of its own, wherever it came from. */
bool config_is_given(const struct loading *l, const char *env);
/* Value in the command line or the environment; NULL when not set, empty or blank. */
const char *config_env(const struct loading *l, const char *name);
/* Contents of the file that `path` names, trimmed; `from` is the option that named it. NULL after
 * a fault. The caller wipes and frees it. */
char *config_secret_file(struct loading *l, const char *from, const char *path);
/* The other name of a secret, so that a filter for TOKEN hides it: JELLYFIN_API_KEY is also
 * JELLYFIN_TOKEN. False: it has none. */
bool config_alias(const struct option *o, char dst[static 64]);

/* values.c: text to value; false: it is none */
bool config_parse_bool(struct str s, bool *ret);
bool config_parse_duration(struct str s, int64_t *ret_us);
bool config_parse_size(struct str s, int64_t *ret_bytes);

/* names.c: what is not ours is told, with what may be meant */
void config_check_yaml_names(struct loading *l, json_t *yaml, const char *file);
void config_check_environment(const struct loading *l);

/* servers.c: out->servers from the options of each kind and the lists */
void config_load_servers(struct loading *l);

/* checks.c: what a single option cannot know */
void config_check_values(struct loading *l);
void config_check_for_serving(struct loading *l);
