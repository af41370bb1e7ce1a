#include "cli/args.h"

#include <stdio.h>

#include "base/str.h"

#include "base/banned.h"

static const struct arg_option common[] = {
    {"--help", NULL, "this text", NULL, NULL},
    {"--data", "DIR", "the data folder (else DATA_DIR, else ./data)", NULL, NULL},
    {"--config", "FILE", "the configuration file (else CONFIG_PATH, else ./config.yaml, ...)", NULL,
     NULL},
};
enum { COMMON_HELP, COMMON_DATA, COMMON_CONFIG };

void args_nearest(const char *given, const char *const *names, size_t count, char dst[static 80])
{
    const char *near = NULL;
    size_t best = 3;
    for (size_t i = 0; i < count; i++) {
        size_t d = str_distance(str_of(given), str_of(names[i]), 2);
        if (d < best && 2 * d <= strlen(names[i])) {
            best = d;
            near = names[i];
        }
    }
    dst[0] = '\0';
    if (near)
        snprintf(dst, 80, "; did you mean '%s'?", near);
}

static void print_options(const struct arg_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[40];
        snprintf(left, sizeof left, "%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        printf("  %-18s %s\n", left, options[i].help);
    }
}

static void help(const struct args *a)
{
    printf("usage: cartographus %s\n\n%s\n\noptions:\n", a->usage, a->about);
    print_options(a->options, a->option_count);
    print_options(common, ARRAY_LEN(common));
    printf("\nexit status: %s\n", a->statuses ? a->statuses : "0 ok, 1 failed, 2 wrong usage");
}

static int wrong(const struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int wrong(const struct args *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("cartographus: ", stderr);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nusage: cartographus %s (--help tells more)\n", a->usage);
    return EXIT_USAGE;
}

static const struct arg_option *find(const struct args *a, const char *name, size_t len)
{
    const struct str given = {name, len};
    for (size_t i = 0; i < a->option_count; i++)
        if (str_eq(given, str_of(a->options[i].name)))
            return &a->options[i];
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (str_eq(given, str_of(common[i].name)))
            return &common[i];
    return NULL;
}

static int unknown(const struct args *a, const char *given, size_t len)
{
    const char *names[32];
    size_t n = 0;
    for (size_t i = 0; i < a->option_count && n < ARRAY_LEN(names) - ARRAY_LEN(common); i++)
        names[n++] = a->options[i].name;
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        names[n++] = common[i].name;
    auto_free char *name = xstrndup(given, len);
    char hint[80];
    args_nearest(name, names, n, hint);
    return wrong(a, "'%s' is no option here%s", name, hint);
}

/* One option at argv[*at]; *at is left at its last piece. */
static int read_option(struct cli *c, const struct args *a, int argc, char **argv, int *at)
{
    const char *given = argv[*at];
    const char *equals = strchr(given, '=');
    size_t len = equals ? (size_t)(equals - given) : strlen(given);
    if (streq(given, "-h")) {
        help(a);
        return EXIT_OK;
    }
    const struct arg_option *o = find(a, given, len);
    if (!o)
        return unknown(a, given, len);
    if (!o->value) {
        if (equals)
            return wrong(a, "%s takes no value", o->name);
        if (o == &common[COMMON_HELP]) {
            help(a);
            return EXIT_OK;
        }
        *o->ret_is_on = true;
        return ARGS_GO_ON;
    }
    if (!equals && *at + 1 >= argc)
        return wrong(a, "%s needs a value: %s", o->name, o->value);
    const char *value = equals ? equals + 1 : argv[++*at];
    if (o == &common[COMMON_DATA])
        cli_set_data(c, value);
    else if (o == &common[COMMON_CONFIG])
        c->origin.file = value;
    else
        *o->ret_text = value;
    return ARGS_GO_ON;
}

bool args_common(struct cli *c, int argc, char **argv, int *at)
{
    static const struct args none = {.usage = "[--data DIR] [--config FILE] SUBCOMMAND"};
    struct str given = str_of(argv[*at]);
    for (size_t i = COMMON_DATA; i < ARRAY_LEN(common); i++) {
        struct str name = str_of(common[i].name);
        if (str_has_prefix(given, name) && (given.len == name.len ? *at + 1 < argc
                                                                  : given.ptr[name.len] == '='))
            return read_option(c, &none, argc, argv, at) == ARGS_GO_ON;
    }
    return false;
}

int args_read(struct cli *c, const struct args *a, int *argc, char **argv)
{
    int kept = 0;
    bool are_options_over = false;
    for (int i = 0; i < *argc; i++) {
        if (!are_options_over && streq(argv[i], "--")) {
            are_options_over = true;
        } else if (!are_options_over && argv[i][0] == '-' && argv[i][1] != '\0') {
            int status = read_option(c, a, *argc, argv, &i);
            if (status != ARGS_GO_ON)
                return status;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    if (kept > a->most)
        return wrong(a, "'%s' is one argument too many", argv[a->most]);
    if (kept < a->least)
        return wrong(a, "an argument is missing");
    return ARGS_GO_ON;
}

bool args_is_format(const char *given, const char *const *formats, size_t count, const char *words)
{
    for (size_t i = 0; i < count; i++)
        if (streq(formats[i], given))
            return true;
    char hint[80];
    args_nearest(given, formats, count, hint);
    fprintf(stderr, "cartographus: --format: '%s' is not known%s; it must be %s\n", given, hint, words);
    return false;
}
