#include "analytics/question.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { GIVEN_MAX = 64 };

struct given {
    char *name, *value;
};

struct question {
    const struct query *query;
    bool is_file;
    enum export_format format; /* of a file */
    enum question_compare compare;
    bool is_explained;
    struct filter_config config;
    struct scope scope;   /* config's */
    char *time_zone;      /* config's */
    struct filter *filter;
    struct given given[GIVEN_MAX]; /* all that were taken, sorted by name once finished */
    size_t given_count;
    struct store_named *values; /* of the query's own parameters, in its order */
};

static enum status parse_param(const struct query_param *p, const char *value,
                               struct store_value *ret, struct error *err)
{
    struct str text = str_of(value);
    if (p->type == QUERY_INT || p->type == QUERY_DOUBLE) {
        double number;
        int64_t whole = 0;
        bool is_right = str_to_double(text, &number) && number >= p->least && number <= p->most &&
                        (p->type == QUERY_DOUBLE || str_to_i64(text, &whole));
        if (!is_right)
            return fail_field(err, STATUS_INVALID, p->name,
                              "'%.60s' is not right; it must be a %snumber from %.15g to %.15g",
                              value, p->type == QUERY_INT ? "whole " : "", p->least, p->most);
        *ret = p->type == QUERY_INT ? (struct store_value){.kind = SV_INT, .i = whole}
                                    : (struct store_value){.kind = SV_DOUBLE, .d = number};
        return STATUS_OK;
    }
    if (!p->choices) {
        if ((double)text.len > p->most || !str_is_plain(text))
            return fail_field(err, STATUS_INVALID, p->name, "it must be text on one line of at most"
                              " %.15g bytes", p->most);
        *ret = (struct store_value){.kind = SV_TEXT, .s = text};
        return STATUS_OK;
    }
    auto_buf struct buf choices = {0};
    for (const char *const *c = p->choices; *c; c++) {
        if (streq(*c, value)) {
            *ret = (struct store_value){.kind = SV_TEXT, .s = str_of(*c)};
            return STATUS_OK;
        }
        buf_printf(&choices, "%s%s", choices.len ? ", " : "", *c);
    }
    return fail_field(err, STATUS_INVALID, p->name, "'%.60s' is not right; it must be one of %s",
                      value, buf_text(&choices));
}

struct question *question_new(const struct query *query, const struct filter_config *config)
{
    struct question *q = xcalloc(1, sizeof *q);
    q->query = query;
    q->compare = COMPARE_NOTHING;
    q->config = *config;
    q->config.time_zone = q->time_zone = xstrdup(config->time_zone);
    if (config->scope)
        scope_copy(config->scope, &q->scope);
    q->config.scope = &q->scope;
    q->config.takes_short = query->takes_short;
    q->filter = filter_new(&q->config);
    q->values = xcalloc(query->param_count, sizeof *q->values);
    for (size_t i = 0; i < query->param_count; i++) {
        const struct query_param *p = &query->params[i];
        q->values[i].name = p->name;
        /* The build has checked the defaults. */
        (void)parse_param(p, p->default_value, &q->values[i].value, NULL);
    }
    return q;
}

void question_free(struct question *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->given_count; i++) {
        free(q->given[i].name);
        free(q->given[i].value);
    }
    filter_free(q->filter);
    free(q->values);
    scope_done(&q->scope);
    free(q->time_zone);
    free(q);
}

/* Where `value` stands among the words, or that it must be one of them. */
static enum status take_word(const char *name, const char *value, const char *const words[],
                             int *ret_place, struct error *err)
{
    auto_buf struct buf right = {0};
    for (int i = 0; words[i]; i++) {
        if (streq(words[i], value)) {
            *ret_place = i;
            return STATUS_OK;
        }
        buf_printf(&right, "%s%s", i ? ", " : "", words[i]);
    }
    return fail_field(err, STATUS_INVALID, name, "'%.60s' is not right; it must be one of %s",
                      value, buf_text(&right));
}

/* What every query takes. */
static enum status take_common(struct question *q, const char *name, const char *value,
                               bool *ret_is_known, struct error *err)
{
    static const char *const compares[] = {"previous", "year", NULL};
    static const char *const yes_or_no[] = {"0", "1", NULL};
    int place = 0;
    *ret_is_known = true;
    if (streq(name, "format")) {
        q->is_file = export_parse(value, &q->format);
        if (!q->is_file && !streq(value, "json"))
            return fail_field(err, STATUS_INVALID, name, "'%.60s' is not right; it must be one of json,"
                              " csv, ndjson, parquet, geojson", value);
    } else if (streq(name, "compare")) {
        TRY(take_word(name, value, compares, &place, err));
        q->compare = COMPARE_PREVIOUS + (enum question_compare)place;
    } else if (streq(name, "explain")) {
        TRY(take_word(name, value, yes_or_no, &place, err));
        q->is_explained = place == 1;
    } else {
        *ret_is_known = false;
    }
    return STATUS_OK;
}

static enum status take_own(struct question *q, const char *name, const char *value,
                            bool *ret_is_known, struct error *err)
{
    *ret_is_known = false;
    for (size_t i = 0; i < q->query->param_count; i++) {
        if (!streq(q->query->params[i].name, name))
            continue;
        *ret_is_known = true;
        return parse_param(&q->query->params[i], value, &q->values[i].value, err);
    }
    return STATUS_OK;
}

static bool is_parameter(struct question *q, const char *name)
{
    bool is_known = streq(name, "format") || streq(name, "compare") || streq(name, "explain");
    for (size_t i = 0; i < q->query->param_count; i++)
        is_known = is_known || streq(q->query->params[i].name, name);
    if (!is_known)
        (void)filter_take(q->filter, name, "", &is_known, NULL);
    return is_known;
}

enum status question_take(struct question *q, const char *name, const char *value,
                          struct error *err)
{
    if (!str_is_utf8(str_of(value)))
        return fail_field(err, STATUS_INVALID, name, "it must be UTF-8 text");
    if (question_given(q, name))
        return fail_field(err, STATUS_INVALID, name, "'%.60s' is there twice", name);
    if (q->given_count == GIVEN_MAX)
        return fail_field(err, STATUS_INVALID, name, "there are too many parameters");
    if (!*name && !*value)
        return STATUS_OK;
    if (!is_parameter(q, name))
        return fail_field(err, STATUS_INVALID, name, "there is no parameter '%.60s'", name);
    bool is_known;
    if (!*value)
        return STATUS_OK;
    struct given *g = &q->given[q->given_count++];
    *g = (struct given){xstrdup(name), xstrdup(value)}; /* the query's values point into it */
    TRY(take_common(q, name, g->value, &is_known, err));
    if (!is_known)
        TRY(take_own(q, name, g->value, &is_known, err));
    if (!is_known)
        TRY(filter_take(q->filter, name, g->value, &is_known, err));
    return STATUS_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct given *)a)->name, ((const struct given *)b)->name);
}

enum status question_finish(struct question *q, struct error *err)
{
    qsort(q->given, q->given_count, sizeof q->given[0], by_name);
    if (q->is_file && q->format == EXPORT_GEOJSON && !query_has_place(q->query))
        return fail_field(err, STATUS_INVALID, "format", "the rows of '%s' have no place: geojson is for"
                          " locations, cities, arcs and the others that have a latitude", q->query->name);
    if (q->compare != COMPARE_NOTHING && q->is_file)
        return fail_field(err, STATUS_INVALID, "compare", "it goes with format=json only");
    if (q->compare != COMPARE_NOTHING && !question_given(q, "days") &&
        !question_given(q, "start_date"))
        return fail_field(err, STATUS_INVALID, "compare",
                          "it needs a period: days, or start_date with or without end_date");
    return STATUS_OK;
}

const struct query *question_query(const struct question *q)
{
    return q->query;
}

bool question_is_file(const struct question *q, enum export_format *ret)
{
    if (q->is_file && ret)
        *ret = q->format;
    return q->is_file;
}

enum question_compare question_compare(const struct question *q)
{
    return q->compare;
}

bool question_is_explained(const struct question *q)
{
    return q->is_explained;
}

bool question_sees_all(const struct question *q)
{
    return q->config.sees_all;
}

int64_t question_now_us(const struct question *q)
{
    return q->config.now_us;
}

const char *question_given(const struct question *q, const char *name)
{
    for (size_t i = 0; i < q->given_count; i++)
        if (streq(q->given[i].name, name))
            return q->given[i].value;
    return NULL;
}

/* Percent-encoded, so that no value can look like two parameters. */
static void add_given(struct buf *out, const struct given *g)
{
    buf_putc(out, '&');
    buf_add_urlencoded(out, str_of(g->name));
    buf_putc(out, '=');
    buf_add_urlencoded(out, str_of(g->value));
}

void question_key(const struct question *q, struct buf *out)
{
    buf_printf(out, "%s?", q->query->name);
    for (size_t i = 0; i < q->given_count; i++)
        add_given(out, &q->given[i]);
    buf_printf(out, " %s %" PRId64 " ", q->config.time_zone, q->config.now_us / (15 * US_PER_MIN));
    if (q->config.sees_all)
        buf_puts(out, "all");
    else
        buf_printf(out, "of %s %s", q->scope.plex_id, q->scope.accounts ? q->scope.accounts : "");
}

enum status question_resolve(struct question *q, struct store_conn *c, struct error *err)
{
    return filter_finish(q->filter, c, err);
}

struct filter *question_filter(const struct question *q)
{
    return q->filter;
}

static bool is_of_window(const char *name)
{
    return streq(name, "days") || streq(name, "start_date") || streq(name, "end_date");
}

enum status question_filter_of(const struct question *q, int64_t from_us, int64_t to_us,
                               struct store_conn *c, struct filter **ret, struct error *err)
{
    struct filter *f = filter_new(&q->config);
    char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
    bool is_known;
    enum status s = filter_take(f, "start_date", time_format(from_us, from), &is_known, err);
    if (s == STATUS_OK)
        s = filter_take(f, "end_date", time_format(to_us, to), &is_known, err);
    for (size_t i = 0; i < q->given_count && s == STATUS_OK; i++)
        if (!is_of_window(q->given[i].name))
            s = filter_take(f, q->given[i].name, q->given[i].value, &is_known, err);
    if (s == STATUS_OK)
        s = filter_finish(f, c, err);
    if (s == STATUS_OK)
        *ret = f;
    else
        filter_free(f);
    return s;
}

const struct store_named *question_values(const struct question *q, size_t *ret_count)
{
    *ret_count = q->query->param_count;
    return q->values;
}
