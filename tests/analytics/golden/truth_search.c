/* The truth of the search and of the sketches: words by hand, distances by the textbook. */
#include "golden.h"

#include <math.h>
#include <stdio.h>

enum { WORDS_MAX = 16, WORD_MAX = 96 };

struct words {
    char word[WORDS_MAX][WORD_MAX];
    int count;
};

/* --- words ----------------------------------------------------------------------------------- */

/* The data's only letter with an accent is one of two bytes. */
static void fold(const char *text, char out[static WORD_MAX])
{
    size_t n = 0;
    for (; *text && n < WORD_MAX - 1; text++) {
        bool is_accented = (unsigned char)*text == 0xc3;
        text += is_accented;
        out[n++] = is_accented ? 'e' : (char)(*text >= 'A' && *text <= 'Z' ? *text | 0x20 : *text);
    }
    out[n] = '\0';
}

static bool is_part(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static void add_word(struct words *w, const char *word, size_t length)
{
    for (int i = 0; i < w->count; i++)
        if (strlen(w->word[i]) == length && strncmp(w->word[i], word, length) == 0)
            return;
    snprintf(w->word[w->count++], WORD_MAX, "%.*s", (int)length, word);
}

/* The runs of letters and digits. */
static void add_runs(struct words *w, const char *text)
{
    while (*text) {
        size_t n = 0;
        while (is_part(text[n]))
            n++;
        if (n)
            add_word(w, text, n);
        text += n ? n : 1;
    }
}

static void remove_all(char *text, const char *bad)
{
    size_t n = 0;
    for (size_t i = 0; text[i]; i++)
        if (bad ? !strchr(bad, text[i]) : is_part(text[i]))
            text[n++] = text[i];
    text[n] = '\0';
}

static struct words words_asked(const char *whole)
{
    struct words w = {.count = 0};
    struct str rest = str_of(whole), piece;
    while (str_next(&rest, ' ', &piece)) {
        char raw[WORD_MAX], cut[WORD_MAX];
        snprintf(raw, sizeof raw, "%.*s", (int)piece.len, piece.ptr);
        snprintf(cut, sizeof cut, "%s", raw);
        remove_all(cut, "'.");
        int before = w.count;
        add_runs(&w, cut);
        bool has_part = false;
        for (size_t i = 0; cut[i]; i++)
            has_part = has_part || is_part(cut[i]);
        if (w.count == before && !has_part && *raw)
            add_word(&w, raw, strlen(raw));
    }
    return w;
}

static int least3(int a, int b, int c)
{
    return a < b ? (a < c ? a : c) : (b < c ? b : c);
}

/* Damerau-Levenshtein without restriction. */
static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b), last[256] = {0};
    int d[WORD_MAX + 2][WORD_MAX + 2];
    d[0][0] = n + m;
    for (int i = 0; i <= n; i++) {
        d[i + 1][0] = n + m;
        d[i + 1][1] = i;
    }
    for (int j = 0; j <= m; j++) {
        d[0][j + 1] = n + m;
        d[1][j + 1] = j;
    }
    for (int i = 1; i <= n; i++) {
        int match = 0;
        for (int j = 1; j <= m; j++) {
            int i1 = last[(unsigned char)b[j - 1]], j1 = match;
            bool is_same = a[i - 1] == b[j - 1];
            match = is_same ? j : match;
            d[i + 1][j + 1] = least3(d[i][j] + !is_same, d[i + 1][j] + 1, d[i][j + 1] + 1);
            int swapped = d[i1][j1] + (i - i1 - 1) + 1 + (j - j1 - 1);
            if (swapped < d[i + 1][j + 1])
                d[i + 1][j + 1] = swapped;
        }
        last[(unsigned char)a[i - 1]] = i;
    }
    return d[n + 1][m + 1];
}

static int at_most_two(size_t length)
{
    return length / 4 < 2 ? (int)(length / 4) : 2;
}

/* In percent; 0: it does not fit. */
static int fit(const char *word, const char *typed)
{
    size_t have = strlen(word), want = strlen(typed);
    bool has_digit = false, has_part = false;
    for (size_t i = 0; i < have; i++)
        has_digit = has_digit || (word[i] >= '0' && word[i] <= '9');
    for (size_t i = 0; i < want; i++)
        has_part = has_part || is_part(typed[i]);
    if (streq(word, typed))
        return 100;
    if (strncmp(word, typed, want) == 0)
        return 90;
    if (strstr(word, typed) && (want > 2 || !has_part))
        return 80;
    if (want < 3 || have < 4 || has_digit)
        return 0;
    if (distance(word, typed) <= at_most_two(have))
        return 75 - 10 * distance(word, typed);
    char begun[WORD_MAX];
    snprintf(begun, sizeof begun, "%.*s", (int)want, word);
    if (want > 3 && have > want && distance(begun, typed) <= at_most_two(want))
        return 65 - 10 * distance(begun, typed);
    return 0;
}

static int best_fit(const char *raw, const char *typed)
{
    struct words parts = {.count = 0};
    char folded[WORD_MAX], joined[WORD_MAX];
    fold(raw, folded);
    snprintf(joined, sizeof joined, "%s", folded);
    remove_all(joined, NULL);
    add_word(&parts, folded, strlen(folded));
    add_word(&parts, joined, strlen(joined));
    add_runs(&parts, folded);
    int best = 0;
    for (int i = 0; i < parts.count; i++) {
        int one = fit(parts.word[i], typed);
        best = one > best ? one : best;
    }
    return best;
}

/* The best of the words of a text, for one that is looked for. */
static int fit_in(const char *text, const char *typed)
{
    int best = 0;
    struct str rest = str_of(text ? text : ""), piece;
    while (str_next(&rest, ' ', &piece)) {
        auto_free char *raw = xstrndup(piece.ptr ? piece.ptr : "", piece.len);
        int one = best_fit(raw, typed);
        best = one > best ? one : best;
    }
    return best;
}

/* The score of a name; -1: no hit. */
static int score(const char *q, const char *name, const char *beside, int year)
{
    char whole[WORD_MAX], folded[WORD_MAX], year_text[16];
    fold(q, whole);
    fold(name, folded);
    struct words asked = words_asked(whole);
    snprintf(year_text, sizeof year_text, "%d", year);
    int sum = 0, own = 0, words = 1;
    bool has_part = false;
    for (size_t i = 0; whole[i]; i++)
        has_part = has_part || is_part(whole[i]);
    for (const char *at = name; (at = strchr(at, ' ')); at++)
        words++;
    for (int i = 0; i < asked.count; i++) {
        int best = fit_in(name, asked.word[i]);
        own += best > 0;
        if (asked.count > 1) {
            int other = fit_in(beside, asked.word[i]);
            int of_year = year ? fit_in(year_text, asked.word[i]) : 0;
            best = other > best ? other : best;
            best = of_year > best ? of_year : best;
        }
        if (!best)
            return -1;
        sum += best;
    }
    bool begins = strncmp(folded, whole, strlen(whole)) == 0;
    if (!asked.count || !own || (strlen(whole) <= 2 && !begins && has_part))
        return -1;
    if (streq(folded, whole))
        return 100;
    if (begins)
        return 80 + 18 * (int)strlen(whole) / (int)strlen(folded);
    int share = 90 * (own < words ? own : words) / words;
    return (7 * (sum / asked.count) + share) / 10;
}

/* --- hits ------------------------------------------------------------------------------------ */

struct use {
    int64_t plays, watch_ms, last_seen;
};

static void add_use(struct use *u, const struct selection *s, const struct w_play *p)
{
    u->plays++;
    u->watch_ms += watch_ms_of(s, p);
    u->last_seen = p->ended > u->last_seen ? p->ended : u->last_seen;
}

struct looking {
    const struct selection *selection;
    char q[64], of[16];
    json_t *rows;
};

static bool is_among(const struct looking *l, const char *kind)
{
    return streq(l->of, "all") || streq(l->of, kind);
}

static int64_t or_null(int64_t v)
{
    return v ? v : -1;
}

static void look_at_titles(const struct looking *l)
{
    const struct world *w = l->selection->world;
    for (int i = 1; i <= TITLES && is_among(l, "title"); i++) {
        const struct w_title *t = &w->titles[i];
        bool is_live = streq(t->media_type, "live");
        int found = score(l->q, t->title, is_live ? NULL : t->show, is_live ? 0 : t->year);
        struct use u = {0};
        for (size_t k = 0; k < w->play_count && found >= 0; k++)
            if (w->plays[k].title == i && selects_play(l->selection, &w->plays[k]))
                add_use(&u, l->selection, &w->plays[k]);
        if (u.plays)
            add_row(l->rows, "sssIIIIIiiit", t->media_type, t->title, t->show, or_null(t->season),
                    or_null(t->episode), or_null(t->year), (int64_t)i, (int64_t)-1, (int64_t)found,
                    u.plays, u.watch_ms, u.last_seen);
    }
}

static void look_at_series(const struct looking *l, const char *kind, const char *media_type)
{
    const struct world *w = l->selection->world;
    struct words seen = {.count = 0};
    for (int i = 1; i <= TITLES && is_among(l, kind); i++) {
        const char *name = w->titles[i].show;
        if (!name || !streq(w->titles[i].media_type, media_type))
            continue;
        int before = seen.count;
        add_word(&seen, name, strlen(name));
        int found = seen.count > before ? score(l->q, name, NULL, 0) : -1;
        struct use u = {0};
        for (size_t k = 0; k < w->play_count && found >= 0; k++) {
            const struct w_title *t = &w->titles[w->plays[k].title];
            if (t->show && streq(t->show, name) && streq(t->media_type, media_type) &&
                selects_play(l->selection, &w->plays[k]))
                add_use(&u, l->selection, &w->plays[k]);
        }
        if (u.plays)
            add_row(l->rows, "sssIIIIIiiit", kind, name, name, (int64_t)-1, (int64_t)-1, (int64_t)-1,
                    (int64_t)-1, (int64_t)-1, (int64_t)found, u.plays, u.watch_ms, u.last_seen);
    }
}

/* Each account is called A, beside the person's own name. */
static void look_at_people(const struct looking *l)
{
    const struct world *w = l->selection->world;
    for (int i = 1; i <= PEOPLE && is_among(l, "person"); i++) {
        char name[32];
        snprintf(name, sizeof name, "Person %d", i);
        int found = score(l->q, name, NULL, 0), other = score(l->q, "A", NULL, 0);
        found = other > found ? other : found;
        struct use u = {0};
        for (size_t k = 0; k < w->play_count && found >= 0; k++)
            if (person_of(w, &w->plays[k]) == i && selects_play(l->selection, &w->plays[k]))
                add_use(&u, l->selection, &w->plays[k]);
        if (u.plays)
            add_row(l->rows, "sssIIIIIiiit", "person", name, NULL, (int64_t)-1, (int64_t)-1,
                    (int64_t)-1, (int64_t)-1, (int64_t)i, (int64_t)found, u.plays, u.watch_ms,
                    u.last_seen);
    }
}

static json_t *search(const struct selection *s, const char *of)
{
    struct looking l = {.selection = s, .rows = json_array()};
    snprintf(l.q, sizeof l.q, "%s", param_of(s, "q", ""));
    snprintf(l.of, sizeof l.of, "%s", param_of(s, "of", of));
    look_at_titles(&l);
    look_at_series(&l, "show", "episode");
    look_at_series(&l, "artist", "track");
    look_at_people(&l);
    return l.rows;
}

static json_t *everything(const struct selection *s)
{
    return search(s, "all");
}

static json_t *people(const struct selection *s)
{
    return search(s, "person");
}

/* --- sketches -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What the sketch says is not compared here: test_golden looks how far off it is. */
static void add_figure(const struct selection *s, const char *figure, double percentile, double exact,
                       json_t *rows)
{
    bool has_sketch = !streq(param_of(s, "method", "both"), "exact");
    bool is_exact = !streq(param_of(s, "method", "both"), "sketch");
    add_row(rows, "sFFFF", figure, percentile, has_sketch ? 0 : NAN, is_exact ? exact : NAN,
            has_sketch && is_exact && exact != 0 ? 0 : NAN);
}

static bool asks_for(const struct selection *s, const char *of, const char *figure)
{
    const char *asked = param_of(s, "of", of);
    return streq(asked, "all") || streq(asked, figure);
}

static void count_different(const struct selection *s, const char *of, json_t *rows)
{
    static const char *const figures[] = {"people",    "accounts", "titles",   "devices",
                                          "platforms", "players",  "addresses"};
    const struct world *w = s->world;
    static bool ids[ARRAY_LEN(figures)][PLAYS];
    struct words names[2] = {{.count = 0}, {.count = 0}};
    memset(ids, 0, sizeof ids);
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (!selects_play(s, p))
            continue;
        ids[0][person_of(w, p)] = ids[1][p->account] = ids[2][p->title] = true;
        for (size_t k = 0; k < p->segment_count; k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g))
                continue;
            ids[3][g->device] = ids[6][g->address] = true;
            const struct w_device *d = &w->devices[g->device];
            if (g->device && d->platform)
                add_word(&names[0], d->platform, strlen(d->platform));
            if (g->device && d->player)
                add_word(&names[1], d->player, strlen(d->player));
        }
    }
    for (size_t f = 0; f < ARRAY_LEN(figures); f++) {
        int64_t count = f == 4 || f == 5 ? names[f - 4].count : 0;
        for (int i = 1; i < PLAYS; i++)
            count += ids[f][i];
        if (asks_for(s, of, figures[f]))
            add_figure(s, figures[f], NAN, (double)count, rows);
    }
}

size_t measured(const struct selection *s, const char *figure, double *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < s->world->play_count; i++) {
        const struct w_play *p = &s->world->plays[i];
        if (!selects_play(s, p) || !streq(p->kind, "play"))
            continue;
        int64_t paused = 0;
        for (size_t k = 0; k < p->segment_count; k++)
            paused += p->segments[k].paused_ms;
        double amount = streq(figure, "watch_ms") ? (double)watch_ms_of(s, p)
                        : streq(figure, "percent") ? p->percent : (double)paused;
        if (streq(figure, "watch_ms") || (streq(figure, "percent") ? amount >= 0 : amount > 0))
            ret[count++] = amount;
    }
    qsort(ret, count, sizeof *ret, by_size);
    return count;
}

static void spread(const struct selection *s, const char *of, json_t *rows)
{
    static const char *const figures[] = {"watch_ms", "paused_ms", "percent"};
    static const double percentiles[] = {0.5, 0.75, 0.9, 0.95, 0.99};
    static double values[PLAYS];
    for (size_t f = 0; f < ARRAY_LEN(figures); f++) {
        size_t count = asks_for(s, of, figures[f]) ? measured(s, figures[f], values) : 0;
        for (size_t i = 0; i < ARRAY_LEN(percentiles) && count; i++) {
            double place = percentiles[i] * (double)(count - 1);
            size_t low = (size_t)place, high = low + 1 < count ? low + 1 : low;
            double exact = values[low] + (values[high] - values[low]) * (place - (double)low);
            add_figure(s, figures[f], percentiles[i], exact, rows);
        }
    }
}

static json_t *approximate(const struct selection *s)
{
    json_t *rows = json_array();
    count_different(s, "all", rows);
    spread(s, "all", rows);
    return rows;
}

static json_t *distinct(const struct selection *s)
{
    json_t *rows = json_array();
    count_different(s, "people", rows);
    return rows;
}

static json_t *percentile(const struct selection *s)
{
    json_t *rows = json_array();
    spread(s, "watch_ms", rows);
    return rows;
}

const struct truth search_truths[] = {
    {"search/fuzzy", "q=titel 7&limit=100", everything, 8},
    {"search/fuzzy", "q=théta&limit=100", everything, 8},
    {"search/fuzzy", "q=THETTA tilte&limit=100", everything, 8},
    {"search/fuzzy", "q=100%&limit=100", everything, 8},
    {"search/fuzzy", "q=%&limit=100", everything, 8},
    {"search/fuzzy", "q=_&limit=100", everything, 8},
    {"search/fuzzy", "q=zeta_z&limit=100", everything, 8},
    {"search/fuzzy", "q=gamma g&limit=100", everything, 8},
    {"search/fuzzy", "q=gama&of=show&limit=100", everything, 8},
    {"search/fuzzy", "q=beta, two&of=artist&limit=100", everything, 8},
    {"search/fuzzy", "q=alp&limit=100", everything, 8},
    {"search/fuzzy", "q=be&limit=100", everything, 8},
    {"search/fuzzy", "q=a&limit=100", everything, 8},
    {"search/fuzzy", "q=title 1999&of=title&limit=100", everything, 8},
    {"search/users", "q=persno 3&limit=100", people, 8},
    {"search/users", "q=person 1&limit=100", people, 8},
    {"approximate", "", approximate, 2},
    {"approximate", "method=exact", approximate, 2},
    {"approximate", "method=sketch", approximate, 2},
    {"approximate", "of=titles", approximate, 2},
    {"approximate/distinct", "", distinct, 2},
    {"approximate/distinct", "of=platforms", distinct, 2},
    {"approximate/percentile", "", percentile, 2},
    {"approximate/percentile", "of=percent", percentile, 2},
    {0}};
