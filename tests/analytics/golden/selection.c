/* What passes, where watch time lies, and local time: by loops and libc. */
#include "golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static bool is_in(const char *list, const char *value)
{
    if (!list)
        return true;
    value = value ? value : "unknown";
    for (const char *at = list; (at = strstr(at, value)); at++)
        if (at > list && at[-1] == ' ' && at[strlen(value)] == ' ')
            return true;
    return false;
}

static bool is_number_in(const char *list, int value)
{
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    return is_in(list, value ? text : NULL);
}

const char *param_of(const struct selection *s, const char *name, const char *otherwise)
{
    static char value[64];
    struct str rest = str_of(s->params), pair, key;
    while (str_next(&rest, '&', &pair)) {
        if (!str_next(&pair, '=', &key) || !str_eq(key, str_of(name)))
            continue;
        snprintf(value, sizeof value, "%.*s", (int)pair.len, pair.ptr);
        return value;
    }
    return otherwise;
}

int library_of(const struct world *w, const struct w_play *p)
{
    int home = p->library;
    for (int i = 0; i < ITEMS && !p->library; i++) {
        const struct w_item *t = &w->items[i];
        if (t->server == server_of(w, p) && t->title == p->title && t->library &&
            (!home || t->library < home))
            home = t->library;
    }
    return home;
}

static bool selects_library(const struct selection *s, const struct w_play *p)
{
    char text[16];
    int library = s->libraries ? library_of(s->world, p) : 0;
    snprintf(text, sizeof text, "%d", library);
    return is_in(s->libraries, library ? text : NULL);
}

bool selects_kind(const struct selection *s, const struct w_play *p)
{
    const struct world *w = s->world;
    return !p->hidden_by && !streq(p->kind, "extra") && (s->with_short || !p->is_short) &&
           is_in(s->media_types, w->titles[p->title].media_type) &&
           is_number_in(s->users, person_of(w, p)) && is_number_in(s->server_ids, server_of(w, p)) &&
           selects_library(s, p);
}

bool selects_segment(const struct selection *s, const struct w_segment *g)
{
    const struct world *w = s->world;
    return is_in(s->platforms, g->device ? w->devices[g->device].platform : NULL) &&
           is_in(s->decisions, g->quality ? w->qualities[g->quality].decision : NULL);
}

static bool is_inside(const struct selection *s, int64_t at)
{
    return (s->from == TIME_NONE || at >= s->from) && (s->to == TIME_NONE || at < s->to);
}

bool selects_play(const struct selection *s, const struct w_play *p)
{
    return is_inside(s, p->started) && selects_ever(s, p);
}

bool selects_ever(const struct selection *s, const struct w_play *p)
{
    if (!selects_kind(s, p))
        return false;
    if (!p->segment_count) /* nothing is known of how it was watched */
        return is_in(s->platforms, NULL) && is_in(s->decisions, NULL);
    for (size_t i = 0; i < p->segment_count; i++)
        if (selects_segment(s, &p->segments[i]))
            return true;
    return false;
}

int64_t watch_ms_of(const struct selection *s, const struct w_play *p)
{
    if ((!s->platforms && !s->decisions) || !p->segment_count)
        return p->watch_ms;
    int64_t sum = 0;
    for (size_t k = 0; k < p->segment_count; k++)
        sum += selects_segment(s, &p->segments[k]) ? p->segments[k].watch_ms : 0;
    return sum;
}

double watch_between(const struct w_segment *g, int64_t from, int64_t to)
{
    double watch = 0;
    int64_t even[] = {g->started, g->ended};
    const int64_t *spans = g->span_count ? g->spans : even;
    size_t count = g->span_count ? g->span_count : 2;
    for (size_t i = 0; i < count; i += 2) {
        int64_t a = spans[i] > from ? spans[i] : from;
        int64_t b = spans[i + 1] < to ? spans[i + 1] : to;
        watch += b > a ? (double)(b - a) : 0;
    }
    if (!g->span_count)
        watch *= (double)(g->watch_ms * US_PER_MS) / (double)(g->ended - g->started);
    return watch;
}

double watch_selected(const struct selection *s, const struct w_segment *g)
{
    return watch_between(g, s->from == TIME_NONE ? INT64_MIN : s->from,
                         s->to == TIME_NONE ? INT64_MAX : s->to);
}

bool overlaps(const struct selection *s, const struct w_segment *g)
{
    return (s->from == TIME_NONE || g->ended > s->from) && (s->to == TIME_NONE || g->started < s->to);
}

struct local local_of(int64_t us)
{
    time_t t = (time_t)(us / US_PER_S);
    struct tm tm;
    localtime_r(&t, &tm);
    return (struct local){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                          (tm.tm_wday + 6) % 7};
}

int64_t day_of(int64_t us)
{
    struct local l = local_of(us);
    return days_from_civil(l.year, l.month, l.day);
}

int64_t week_of(int64_t us)
{
    return day_of(us) - local_of(us).weekday;
}

const char *day_text(int64_t day, char text[DAY_TEXT_MAX])
{
    int64_t year;
    int month, mday;
    civil_from_days(day, &year, &month, &mday);
    snprintf(text, DAY_TEXT_MAX, "%04d-%02d-%02d", (int)year, month, mday);
    return text;
}

int64_t day_begins(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_isdst = -1};
    return (int64_t)mktime(&tm) * US_PER_S;
}

static json_t *int_or_null(int64_t v)
{
    return v < 0 ? json_null() : json_integer(v);
}

static json_t *time_or_null(int64_t us)
{
    char text[TIME_TEXT_MAX];
    return us == TIME_NONE ? json_null() : json_string(time_format(us, text));
}

void add_row(json_t *rows, const char *types, ...)
{
    json_t *row = json_array();
    va_list ap;
    va_start(ap, types);
    for (; *types; types++) {
        json_t *v = NULL;
        if (*types == 's') {
            const char *text = va_arg(ap, const char *);
            v = text ? json_string(text) : json_null();
        } else if (*types == 'i') {
            v = json_integer(va_arg(ap, int64_t));
        } else if (*types == 'I') {
            v = int_or_null(va_arg(ap, int64_t));
        } else if (*types == 'b') {
            int b = va_arg(ap, int);
            v = b < 0 ? json_null() : json_boolean(b);
        } else if (*types == 't') {
            v = time_or_null(va_arg(ap, int64_t));
        } else {
            double d = va_arg(ap, double);
            v = isnan(d) ? json_null() : json_real(d);
        }
        json_array_append_new(row, v);
    }
    va_end(ap);
    json_array_append_new(rows, row);
}
