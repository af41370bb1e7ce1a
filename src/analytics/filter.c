#include "analytics/filter.h"

#include <inttypes.h>
#include <stdio.h>

#include "analytics/filter_parts.h"

#include "base/banned.h"

enum { LIST_MAX = 200, TEXT_MAX = 200, DAYS_MAX = 36525, FIRST_YEAR = 1900, LAST_YEAR = 2200 };

static const char *const media_types[] = {"movie", "episode", "track", "live", NULL};
static const char *const decisions[] = {"direct play", "copy", "transcode", NULL};
static const char *const locations[] = {"lan",        "wan",   "cellular",  "public", "loopback",
                                        "link-local", "cgnat", "tailscale", "relay",  "ula", NULL};

const struct filter_list_kind filter_list_kinds[FILTER_LIST_COUNT] = {
    {"users", ON_ACCOUNT, IS_ID, "person_id", NULL},
    {"accounts", ON_ACCOUNT, IS_ID, "account_id", NULL},
    {"media_types", ON_TITLE, IS_WORD, "media_type", media_types},
    {"platforms", ON_DEVICE, IS_TEXT, "platform", NULL},
    {"players", ON_DEVICE, IS_TEXT, "player", NULL},
    {"devices", ON_DEVICE, IS_ID, "device_id", NULL},
    {"transcode_decisions", ON_QUALITY, IS_WORD, "transcode_decision", decisions},
    {"video_resolutions", ON_QUALITY, IS_TEXT, "video_resolution", NULL},
    {"video_codecs", ON_QUALITY, IS_TEXT, "video_codec", NULL},
    {"audio_codecs", ON_QUALITY, IS_TEXT, "audio_codec", NULL},
    {"libraries", ON_LIBRARY, IS_ID, "library_id", NULL},
    {"content_ratings", ON_TITLE, IS_TEXT, "content_rating", NULL},
    {"years", ON_TITLE, IS_YEAR, "year", NULL},
    {"genres", ON_TITLE, IS_TEXT, "genres", NULL},
    {"location_types", ON_LOCATION, IS_WORD, "location", locations},
    {"countries", ON_ADDRESS, IS_TEXT, "coalesce(country, country_code)", NULL},
    {"cities", ON_ADDRESS, IS_TEXT, "city", NULL},
    {"places", ON_ADDRESS, IS_ID, "place_id", NULL},
    {"server_ids", ON_SERVER, IS_ID, "server_id", NULL},
    {"titles", ON_TITLE, IS_ID, "title_id", NULL},
    {"shows", ON_TITLE, IS_TEXT, "grandparent_title", NULL},
};

/* --- life ------------------------------------------------------------------------------------ */

struct filter *filter_new(const struct filter_config *c)
{
    struct filter *f = xcalloc(1, sizeof *f);
    f->config = *c;
    f->config.time_zone = arena_strdup(&f->arena, c->time_zone);
    f->config.scope = NULL;
    if (!c->sees_all) {
        f->scope = arena_strdup(&f->arena, c->scope && c->scope->accounts ? c->scope->accounts : "");
        f->plex_id = arena_strdup(&f->arena, c->scope ? c->scope->plex_id : "");
    }
    f->with_short = c->takes_short;
    f->from_us = f->to_us = TIME_NONE;
    return f;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        free(f->lists[i].values);
    free(f->values);
    arena_done(&f->arena);
    free(f);
}

/* --- taking parameters ----------------------------------------------------------------------- */

static enum status fail_value(struct error *err, const char *name, struct str value,
                              const char *right)
{
    auto_free char *shown = xstrndup(value.ptr, value.len < 60 ? value.len : 60);
    return fail_field(err, STATUS_INVALID, name, "'%s' in %s is not right; it must be %s", shown,
                      name, right);
}

/* "movie, episode, track, live or unknown" */
static const char *all_words(struct arena *a, const char *const *words)
{
    const char *text = words[0];
    for (size_t i = 1; words[i]; i++)
        text = arena_printf(a, "%s, %s", text, words[i]);
    return arena_printf(a, "one of %s, unknown", text);
}

static bool is_word(const char *const *words, const char *value)
{
    for (size_t i = 0; words[i]; i++)
        if (streq(words[i], value))
            return true;
    return false;
}

/* Text that says what is right, or NULL when the value is. An id comes out in its one form. */
static const char *check_value(struct filter *f, const struct filter_list_kind *kind,
                               const char **value)
{
    int64_t n;
    switch (kind->value) {
    case IS_ID:
        if (!str_to_i64(str_of(*value), &n) || n < 1 || n > INT32_MAX)
            return "whole numbers from 1 on (or unknown) with commas between";
        *value = arena_printf(&f->arena, "%" PRId64, n);
        return NULL;
    case IS_YEAR:
        if (!str_to_i64(str_of(*value), &n) || n < 1 || n > 9999)
            return "years such as 1999 (or unknown) with commas between";
        *value = arena_printf(&f->arena, "%" PRId64, n);
        return NULL;
    case IS_WORD:
        return is_word(kind->words, *value) ? NULL : all_words(&f->arena, kind->words);
    case IS_TEXT:
        break;
    }
    return strlen(*value) <= TEXT_MAX ? NULL : "at most 200 bytes a value";
}

/* Cuts the next value off *rest: up to a comma; a backslash takes a comma or backslash as it is. */
static const char *next_value(struct arena *a, const char **rest)
{
    char *value = arena_alloc(a, strlen(*rest) + 1);
    const char *at = *rest;
    size_t n = 0;
    for (; *at && *at != ','; at++) {
        if (*at == '\\' && (at[1] == ',' || at[1] == '\\'))
            at++;
        value[n++] = *at;
    }
    *rest = *at ? at + 1 : NULL;
    return value;
}

static enum status take_list(struct filter *f, size_t index, const char *text, struct error *err)
{
    const struct filter_list_kind *kind = &filter_list_kinds[index];
    struct filter_list *list = &f->lists[index];
    for (const char *rest = text; rest;) {
        const char *value = next_value(&f->arena, &rest);
        if (!*value)
            return fail_value(err, kind->name, str_of(text), "values with one comma between each");
        if (streq(value, "unknown")) {
            list->has_unknown = true;
            continue;
        }
        const char *right = check_value(f, kind, &value);
        if (right)
            return fail_value(err, kind->name, str_of(value), right);
        if (list->count == LIST_MAX)
            return fail_field(err, STATUS_INVALID, kind->name, "%s has more than %d values",
                              kind->name, LIST_MAX);
        if (list->count == list->room) {
            list->room = list->room ? list->room * 2 : 8;
            list->values = xreallocarray(list->values, list->room, sizeof *list->values);
        }
        list->values[list->count++] = value;
    }
    return STATUS_OK;
}

static enum status take_once(struct filter *f, const char **slot, const char *name,
                             const char *value, struct error *err)
{
    if (*slot)
        return fail_field(err, STATUS_INVALID, name, "%s is there twice", name);
    *slot = arena_strdup(&f->arena, value);
    return STATUS_OK;
}

static enum status take_days(struct filter *f, const char *value, struct error *err)
{
    if (f->days)
        return fail_field(err, STATUS_INVALID, "days", "days is there twice");
    int64_t n;
    if (!str_to_i64(str_of(value), &n) || n < 1 || n > DAYS_MAX)
        return fail_value(err, "days", str_of(value), "a whole number from 1 to 36525");
    f->days = n;
    return STATUS_OK;
}

static enum status take_search(struct filter *f, const char *value, struct error *err)
{
    TRY(take_once(f, &f->search, "search", value, err));
    if (strlen(value) > TEXT_MAX)
        return fail_value(err, "search", str_of(value), "at most 200 bytes of text");
    struct str rest = str_of(f->search), word;
    while (str_next(&rest, ' ', &word)) {
        if (!word.len)
            continue;
        if (f->word_count == FILTER_WORDS_MAX)
            return fail_value(err, "search", str_of(value), "at most 8 words");
        f->words[f->word_count++] = arena_strndup(&f->arena, word.ptr, word.len);
    }
    return STATUS_OK;
}

static enum status take_deleted(struct filter *f, const char *value, struct error *err)
{
    if (streq(value, "include"))
        f->deleted = WITH_DELETED;
    else if (streq(value, "only"))
        f->deleted = ONLY_DELETED;
    else
        return fail_value(err, "deleted", str_of(value), "include or only");
    return STATUS_OK;
}

static size_t find_list(const char *name)
{
    size_t i = 0;
    while (i < FILTER_LIST_COUNT && !streq(filter_list_kinds[i].name, name))
        i++;
    return i;
}

enum status filter_take(struct filter *f, const char *name, const char *value, bool *ret_is_known,
                        struct error *err)
{
    static const char *const others[] = {"start_date", "end_date", "days", "tz", "search", "short"};
    size_t list = find_list(name);
    bool is_known = list < FILTER_LIST_COUNT || (f->config.takes_deleted && streq(name, "deleted"));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        is_known = is_known || streq(name, others[i]);
    *ret_is_known = is_known;
    if (!is_known || !*value)
        return STATUS_OK;
    if (!str_is_plain(str_of(value)))
        return fail_field(err, STATUS_INVALID, name, "%s must be UTF-8 text on one line", name);
    if (list < FILTER_LIST_COUNT)
        return take_list(f, list, value, err);
    if (streq(name, "start_date"))
        return take_once(f, &f->start, name, value, err);
    if (streq(name, "end_date"))
        return take_once(f, &f->end, name, value, err);
    if (streq(name, "tz"))
        return take_once(f, &f->zone, name, value, err);
    if (streq(name, "days"))
        return take_days(f, value, err);
    if (streq(name, "search"))
        return take_search(f, value, err);
    if (streq(name, "deleted"))
        return take_deleted(f, value, err);
    if (!streq(value, "include"))
        return fail_value(err, name, str_of(value), "include");
    f->with_short = true;
    return STATUS_OK;
}

/* --- the window ------------------------------------------------------------------------------ */

static enum status fail_zone(const struct filter *f, const char *zone, struct error *err)
{
    return fail_field(err, STATUS_INVALID, "tz",
                      "'%.60s' %s is not right; it must be a time zone such as Europe/Berlin", zone,
                      f->zone ? "in tz" : "(the configured time zone)");
}

/* Today, as days from 1970-01-01, and with it whether the zone is one. */
static enum status read_today(struct filter *f, struct store_conn *c, int64_t *ret,
                              struct error *err)
{
    const char *zone = filter_time_zone(f);
    struct store_value v[] = {{.kind = SV_INT, .i = f->config.now_us},
                              {.kind = SV_TEXT, .s = str_of(zone)}};
    struct error why = {0};
    enum status s = store_query_int(c, "select epoch_us(date_trunc('day', make_timestamptz($1)"
                                       " at time zone $2)) // 86400000000", v, 2, 0, ret, &why);
    if (s == STATUS_OK)
        return STATUS_OK;
    if (strstr(why.text, "TimeZone"))
        return fail_zone(f, zone, err);
    return fail(err, s, "%s", why.text);
}

/* The first instant of a day in the zone: the first quarter of an hour whose local time is not
 * before it. A midnight may be missing, or be there twice. */
static enum status day_start(const struct filter *f, struct store_conn *c, int64_t day,
                             int64_t *ret_us, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = day},
                              {.kind = SV_TEXT, .s = str_of(filter_time_zone(f))}};
    return store_query_int(
        c,
        "select min(quarter) * 900000000 from (select unnest(range($1 * 96 - 57, $1 * 96 + 57))"
        " as quarter) where make_timestamptz(quarter * 900000000) at time zone $2"
        " >= make_timestamp($1 * 86400000000)", v, 2, 0, ret_us, err);
}

/* A date (then `days_after` says which edge of the day) or an instant. */
static enum status resolve_edge(const struct filter *f, struct store_conn *c, const char *name,
                                const char *text, int64_t days_after, int64_t *ret_us,
                                struct error *err)
{
    int64_t day, us, year;
    int month, mday;
    bool is_day = date_parse(str_of(text), &day);
    if (!is_day && !time_parse(str_of(text), &us))
        return fail_value(err, name, str_of(text),
                          "a date such as 2026-01-31, or an instant such as 2026-01-31T12:00:00Z or"
                          " 2026-01-31T12:00:00+01:00 (with + as %2B in an address)");
    civil_from_days(is_day ? day : us / US_PER_DAY, &year, &month, &mday);
    if (year < FIRST_YEAR || year > LAST_YEAR)
        return fail_value(err, name, str_of(text), "between the years 1900 and 2200");
    if (is_day)
        return day_start(f, c, day + days_after, ret_us, err);
    *ret_us = us;
    return STATUS_OK;
}

static enum status resolve_window(struct filter *f, struct store_conn *c, struct error *err)
{
    int64_t today;
    TRY(read_today(f, c, &today, err));
    if (f->days && (f->start || f->end))
        return fail_field(err, STATUS_INVALID, "days",
                          "days and %s exclude each other: give one of them",
                          f->start ? "start_date" : "end_date");
    if (f->days) {
        TRY(day_start(f, c, today - f->days + 1, &f->from_us, err));
        return day_start(f, c, today + 1, &f->to_us, err);
    }
    if (f->start)
        TRY(resolve_edge(f, c, "start_date", f->start, 0, &f->from_us, err));
    if (f->end)
        TRY(resolve_edge(f, c, "end_date", f->end, 1, &f->to_us, err));
    int64_t day;
    bool are_days = f->start && f->end && date_parse(str_of(f->start), &day) &&
                    date_parse(str_of(f->end), &day);
    if (f->start && f->end &&
        (are_days ? strcmp(f->end, f->start) < 0 : f->to_us < f->from_us))
        return fail_field(err, STATUS_INVALID, "end_date", "end_date (%.60s) is before start_date"
                          " (%.60s)", f->end, f->start);
    return STATUS_OK;
}

/* --- finishing ------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, takes doubles out and makes the one text that is bound. */
static void finish_list(struct filter *f, struct filter_list *l)
{
    if (!l->count)
        return;
    qsort(l->values, l->count, sizeof *l->values, compare_texts);
    size_t kept = 1;
    for (size_t i = 1; i < l->count; i++)
        if (!streq(l->values[i], l->values[kept - 1]))
            l->values[kept++] = l->values[i];
    l->count = kept;
    auto_buf struct buf text = {0};
    for (size_t i = 0; i < kept; i++) {
        if (i)
            buf_putc(&text, FILTER_SEPARATOR);
        buf_puts(&text, l->values[i]);
    }
    l->bound = arena_strndup(&f->arena, buf_text(&text), text.len);
}

static void add_value(struct filter *f, const char *name, struct store_value value)
{
    if (f->value_count == f->value_room) {
        f->value_room = f->value_room ? f->value_room * 2 : 16;
        f->values = xreallocarray(f->values, f->value_room, sizeof *f->values);
    }
    f->values[f->value_count++] =
        (struct store_named){.name = arena_printf(&f->arena, "filter_%s", name), .value = value};
}

static struct store_value text_value(const char *s)
{
    return (struct store_value){.kind = SV_TEXT, .s = str_of(s)};
}

static void bind_values(struct filter *f)
{
    add_value(f, "tz", text_value(filter_time_zone(f)));
    if (f->from_us != TIME_NONE)
        add_value(f, "from", (struct store_value){.kind = SV_TIME, .i = f->from_us});
    if (f->to_us != TIME_NONE)
        add_value(f, "to", (struct store_value){.kind = SV_TIME, .i = f->to_us});
    if (f->scope) {
        add_value(f, "scope", text_value(f->scope));
        add_value(f, "plex_id", text_value(f->plex_id));
    }
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        if (f->lists[i].count)
            add_value(f, filter_list_kinds[i].name, text_value(f->lists[i].bound));
    for (size_t i = 0; i < f->word_count; i++)
        add_value(f, arena_printf(&f->arena, "search_%zu", i + 1), text_value(f->words[i]));
}

enum status filter_finish(struct filter *f, struct store_conn *c, struct error *err)
{
    TRY(resolve_window(f, c, err));
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++)
        finish_list(f, &f->lists[i]);
    bind_values(f);
    return STATUS_OK;
}

bool filter_is_scoped(const struct filter *f)
{
    return f->scope != NULL;
}

int64_t filter_from_us(const struct filter *f)
{
    return f->from_us;
}

int64_t filter_to_us(const struct filter *f)
{
    return f->to_us;
}

const char *filter_time_zone(const struct filter *f)
{
    return f->zone ? f->zone : f->config.time_zone;
}

const struct store_named *filter_values(const struct filter *f, size_t *ret_count)
{
    *ret_count = f->value_count;
    return f->values;
}

void filter_key(const struct filter *f, struct buf *out)
{
    buf_printf(out, "tz=%s", filter_time_zone(f));
    if (f->from_us != TIME_NONE)
        buf_printf(out, "\nfrom=%" PRId64, f->from_us);
    if (f->to_us != TIME_NONE)
        buf_printf(out, "\nto=%" PRId64, f->to_us);
    if (f->scope)
        buf_printf(out, "\nscope=%s %s", f->plex_id, f->scope);
    for (size_t i = 0; i < FILTER_LIST_COUNT; i++) {
        if (!filter_list_is_active(&f->lists[i]))
            continue;
        buf_printf(out, "\n%s=%s", filter_list_kinds[i].name,
                   f->lists[i].count ? f->lists[i].bound : "");
        if (f->lists[i].has_unknown)
            buf_printf(out, "%cunknown", FILTER_SEPARATOR);
    }
    for (size_t i = 0; i < f->word_count; i++)
        buf_printf(out, "\nsearch=%s", f->words[i]);
    if (f->with_short)
        buf_puts(out, "\nshort");
    if (f->deleted != WITHOUT_DELETED)
        buf_printf(out, "\ndeleted=%d", (int)f->deleted);
}
