/* The truth of the queries about where and with what: locations, nearby, viewport, arcs, regions and
 * its other names, platforms. */
#include "golden.h"

#include <math.h>

static const char *const classes[] = {"public", "lan", "relay", "tailscale", "unknown"};
enum { CLASSES = 5, ROWS = PLACES + 1 + CLASSES };

/* A place, a class without a place (after them), or nothing known (0). */
static int row_of(const struct world *w, int address)
{
    if (!w->addresses[address].class) /* unknown, or not in the store */
        return 0;
    if (w->addresses[address].place)
        return w->addresses[address].place;
    for (int i = 0; i < CLASSES; i++)
        if (streq(classes[i], w->addresses[address].class))
            return PLACES + 1 + i;
    return 0;
}

struct sums {
    int64_t plays, first, last, told;
    double watch_us, told_ppm;
    bool people[PEOPLE + 1], is_there;
};

static void see(struct sums *t, int who, int64_t from, int64_t to)
{
    t->first = !t->is_there || from < t->first ? from : t->first;
    t->last = !t->is_there || to > t->last ? to : t->last;
    t->is_there = true;
    t->people[who] = true;
}

/* Each play counts once in each row that its segments are in. */
static void count_play(const struct selection *s, const struct w_play *p, struct sums *rows,
                       bool (*wants)(const struct w_address *a))
{
    const struct world *w = s->world;
    bool is_counted[ROWS] = {0};
    for (size_t k = 0; k < p->segment_count; k++) {
        const struct w_segment *g = &p->segments[k];
        if (!selects_segment(s, g) || !wants(&w->addresses[g->address]))
            continue;
        int row = row_of(w, g->address);
        rows[row].plays += !is_counted[row];
        is_counted[row] = true;
        see(&rows[row], person_of(w, p), g->started, g->ended);
        if (g->position_ms >= 0 && p->duration_ms > 0) {
            rows[row].told++;
            rows[row].told_ppm += round(fmin(1e6 * (double)g->position_ms / (double)p->duration_ms, 1e6));
        }
    }
}

static bool wants_all(const struct w_address *a)
{
    return true;
}

static bool wants_placed(const struct w_address *a)
{
    return a->place;
}

static void count_all(const struct selection *s, struct sums *rows, int server,
                      bool (*wants)(const struct w_address *a))
{
    const struct world *w = s->world;
    for (size_t i = 0; i < w->play_count; i++) {
        const struct w_play *p = &w->plays[i];
        if (server && server_of(w, p) != server)
            continue;
        if (selects_play(s, p)) {
            count_play(s, p, rows, wants);
            if (!p->segment_count && wants == wants_all) {
                rows[0].plays++;
                see(&rows[0], person_of(w, p), p->started, p->ended);
            }
        }
        for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
            const struct w_segment *g = &p->segments[k];
            if (!selects_segment(s, g) || !overlaps(s, g) || !wants(&w->addresses[g->address]))
                continue;
            struct sums *t = &rows[row_of(w, g->address)];
            t->watch_us += watch_selected(s, g);
            see(t, person_of(w, p), s->from > g->started ? s->from : g->started, g->ended);
        }
    }
}

static int64_t people_of(const struct sums *t)
{
    int64_t n = 0;
    for (int i = 1; i <= PEOPLE; i++)
        n += t->people[i];
    return n;
}

static json_t *locations(const struct selection *s)
{
    const struct world *w = s->world;
    struct sums all[ROWS] = {0};
    count_all(s, all, 0, wants_all);
    json_t *rows = json_array();
    for (int i = 0; i < ROWS; i++) {
        const struct sums *t = &all[i];
        if (!t->is_there)
            continue;
        bool has_place = i > 0 && i <= PLACES;
        const struct w_place *p = &w->places[has_place ? i : 0];
        int64_t last = s->to != TIME_NONE && t->last > s->to ? s->to : t->last;
        add_row(rows, "IsssFFsiiiFtt", has_place ? (int64_t)i : -1, p->country_code, p->country,
                *p->city ? p->city : NULL,
                has_place ? p->latitude : NAN, has_place ? p->longitude : NAN,
                has_place ? "public" : i ? classes[i - PLACES - 1] : NULL, t->plays, people_of(t),
                (int64_t)(t->watch_us / 1000),
                t->told ? t->told_ppm / 1e4 / (double)t->told : NAN, t->first, last);
    }
    return rows;
}

/* By the angle between two vectors: another way than the query's. */
static double km_between(double lat1, double lon1, double lat2, double lon2)
{
    const double r = M_PI / 180;
    double a[] = {cos(lat1 * r) * cos(lon1 * r), cos(lat1 * r) * sin(lon1 * r), sin(lat1 * r)};
    double b[] = {cos(lat2 * r) * cos(lon2 * r), cos(lat2 * r) * sin(lon2 * r), sin(lat2 * r)};
    double cross[] = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2],
                      a[0] * b[1] - a[1] * b[0]};
    double sine = sqrt(cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]);
    return 6371.0088 * atan2(sine, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

static json_t *arcs(const struct selection *s)
{
    const struct world *w = s->world;
    json_t *rows = json_array();
    for (int server = 1; server <= SERVERS; server++) {
        const struct w_server *v = &w->servers[server];
        struct sums all[ROWS] = {0};
        if (!v->has_place)
            continue;
        count_all(s, all, server, wants_placed);
        auto_free char *name = xasprintf("Server %d", server);
        for (int i = 1; i <= PLACES; i++) {
            const struct w_place *p = &w->places[i];
            if (all[i].is_there)
                add_row(rows, "isffisssfffiii", (int64_t)server, name, v->latitude, v->longitude,
                        (int64_t)i, *p->city ? p->city : NULL, p->country_code, p->country,
                        p->latitude, p->longitude,
                        km_between(v->latitude, v->longitude, p->latitude, p->longitude),
                        all[i].plays, people_of(&all[i]), (int64_t)(all[i].watch_us / 1000));
        }
    }
    return rows;
}

/* --- nearby, viewport ------------------------------------------------------------------------ */

static json_t *nearby(const struct selection *s)
{
    const struct world *w = s->world;
    struct sums all[ROWS] = {0};
    count_all(s, all, 0, wants_placed);
    json_t *rows = json_array();
    for (int i = 1; i <= PLACES; i++) {
        const struct w_place *p = &w->places[i];
        double km = km_between(50, 170, p->latitude, p->longitude);
        if (all[i].is_there && km <= 6000)
            add_row(rows, "isssfffiii", (int64_t)i, p->country_code, p->country,
                    *p->city ? p->city : NULL, p->latitude, p->longitude, km, all[i].plays,
                    people_of(&all[i]), (int64_t)(all[i].watch_us / 1000));
    }
    return rows;
}

static json_t *view_of(const struct selection *s, double west, double south, double east, double north)
{
    const struct world *w = s->world;
    struct sums all[ROWS] = {0};
    count_all(s, all, 0, wants_placed);
    json_t *rows = json_array();
    for (int i = 1; i <= PLACES; i++) {
        const struct w_place *p = &w->places[i];
        bool is_east = p->longitude >= west, is_west = p->longitude <= east;
        bool is_inside = west <= east ? is_east && is_west : is_east || is_west;
        if (all[i].is_there && is_inside && p->latitude >= south && p->latitude <= north)
            add_row(rows, "isssffiii", (int64_t)i, p->country_code, p->country,
                    *p->city ? p->city : NULL, p->latitude, p->longitude, all[i].plays,
                    people_of(&all[i]), (int64_t)(all[i].watch_us / 1000));
    }
    return rows;
}

static json_t *viewport(const struct selection *s)
{
    return view_of(s, -180, -90, 180, 90);
}

static json_t *viewport_over_the_line(const struct selection *s)
{
    return view_of(s, 100, -60, -120, 70);
}

/* --- regions --------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && streq(a, b));
}

static const char *city_of(const struct w_place *p)
{
    return *p->city ? p->city : NULL;
}

/* The first place of the same country (region, city); 0: nothing is known. */
static int region_of(const struct world *w, int place, char of)
{
    const struct w_place *p = &w->places[place];
    for (int i = 0; i < place; i++) {
        const struct w_place *o = &w->places[i];
        if (is_same(p->country_code, o->country_code) && is_same(p->country, o->country) &&
            (of == 'c' || is_same(p->region, o->region)) &&
            (of != 't' || is_same(city_of(p), city_of(o))))
            return i;
    }
    return place;
}

static void count_regions(const struct selection *s, const struct w_play *p, char of,
                          struct sums *all)
{
    const struct world *w = s->world;
    bool is_selected = selects_play(s, p), is_counted[PLACES + 1] = {0};
    if (is_selected && !p->segment_count) {
        all[0].plays++;
        see(&all[0], person_of(w, p), p->started, p->ended);
    }
    for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
        const struct w_segment *g = &p->segments[k];
        if (!selects_segment(s, g) || (!is_selected && !overlaps(s, g)))
            continue;
        int row = region_of(w, w->addresses[g->address].place, of);
        see(&all[row], person_of(w, p), g->started, g->ended);
        all[row].watch_us += overlaps(s, g) ? watch_selected(s, g) : 0;
        all[row].plays += is_selected && !is_counted[row];
        is_counted[row] = is_counted[row] || is_selected;
    }
}

/* The middle of the places of one city. */
static void middle_of(const struct world *w, int row, double *latitude, double *longitude)
{
    int n = 0;
    *latitude = *longitude = 0;
    for (int i = 1; i <= PLACES; i++) {
        if (region_of(w, i, 't') != row)
            continue;
        n++;
        *latitude += w->places[i].latitude;
        *longitude += w->places[i].longitude;
    }
    *latitude = n && city_of(&w->places[row]) ? *latitude / n : NAN;
    *longitude = n && city_of(&w->places[row]) ? *longitude / n : NAN;
}

static json_t *regions_of(const struct selection *s, char of)
{
    const struct world *w = s->world;
    struct sums all[PLACES + 1] = {0};
    double known = 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < w->play_count; i++)
        count_regions(s, &w->plays[i], of, all);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i <= PLACES; i++) {
            const struct w_place *p = &w->places[i];
            double latitude = NAN, longitude = NAN;
            bool is_known = of == 'c' ? p->country || p->country_code
                            : of == 'r' ? p->region != NULL : city_of(p) != NULL;
            known += !pass && is_known ? all[i].watch_us : 0;
            if (!pass || !all[i].is_there)
                continue;
            if (of == 't')
                middle_of(w, i, &latitude, &longitude);
            add_row(rows, "ssssFFiiiF", p->country_code, p->country, of == 'c' ? NULL : p->region,
                    of == 't' ? city_of(p) : NULL, latitude, longitude, all[i].plays,
                    people_of(&all[i]), (int64_t)(all[i].watch_us / 1000),
                    is_known && known > 0 ? all[i].watch_us / known : NAN);
        }
    }
    return rows;
}

static json_t *countries(const struct selection *s)
{
    return regions_of(s, 'c');
}

static json_t *regions(const struct selection *s)
{
    return regions_of(s, 'r');
}

static json_t *cities(const struct selection *s)
{
    return regions_of(s, 't');
}

/* --- platforms ------------------------------------------------------------------------------- */

enum { VALUES_MAX = DEVICES + 1 };

struct value {
    const char *name;
    int device; /* 0: not told apart by it */
    struct sums sums;
};

static struct value *value_of(const struct world *w, struct value *all, size_t *n, int device,
                              bool by_device)
{
    const struct w_device *d = &w->devices[device];
    const char *name = by_device ? d->player : d->platform;
    int own = by_device ? device : 0;
    for (size_t i = 0; i < *n; i++)
        if (all[i].device == own && (all[i].name == name || (all[i].name && name &&
                                                             streq(all[i].name, name))))
            return &all[i];
    all[*n] = (struct value){.name = name, .device = own};
    return &all[(*n)++];
}

static void count_values(const struct selection *s, const struct w_play *p, struct value *all,
                         size_t *n, bool by_device)
{
    const struct world *w = s->world;
    bool is_selected = selects_play(s, p), is_counted[VALUES_MAX] = {0};
    if (is_selected && !p->segment_count) {
        struct value *v = value_of(w, all, n, 0, by_device);
        v->sums.plays++;
        see(&v->sums, person_of(w, p), p->started, p->ended);
    }
    for (size_t k = 0; k < p->segment_count && selects_kind(s, p); k++) {
        const struct w_segment *g = &p->segments[k];
        if (!selects_segment(s, g) || (!is_selected && !overlaps(s, g)))
            continue;
        struct value *v = value_of(w, all, n, g->device, by_device);
        see(&v->sums, person_of(w, p), g->started, g->ended);
        if (overlaps(s, g))
            v->sums.watch_us += watch_selected(s, g);
        v->sums.plays += is_selected && !is_counted[v - all];
        is_counted[v - all] = is_counted[v - all] || is_selected;
    }
}

static json_t *platforms(const struct selection *s, bool by_device)
{
    static struct value all[VALUES_MAX];
    size_t n = 0;
    memset(all, 0, sizeof all);
    for (size_t i = 0; i < s->world->play_count; i++)
        count_values(s, &s->world->plays[i], all, &n, by_device);
    double known = 0;
    for (size_t i = 0; i < n; i++)
        known += all[i].device || (!by_device && all[i].name) ? all[i].sums.watch_us : 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct sums *t = &all[i].sums;
        bool is_known = all[i].device || (!by_device && all[i].name);
        int64_t last = s->to != TIME_NONE && t->last > s->to ? s->to : t->last;
        add_row(rows, "sIiiiFt", all[i].name, all[i].device ? (int64_t)all[i].device : -1,
                t->plays, people_of(t), (int64_t)(t->watch_us / 1000),
                is_known && known > 0 ? t->watch_us / known : NAN, last);
    }
    return rows;
}

static json_t *platforms_told_apart(const struct selection *s)
{
    return platforms(s, false);
}

static json_t *devices(const struct selection *s)
{
    return platforms(s, true);
}

const struct truth place_truths[] = {
    {"locations", "", locations, 7},
    {"arcs", "", arcs, 5},
    {"nearby", "latitude=50&longitude=170&km=6000", nearby, 5},
    {"viewport", "", viewport, 5},
    {"viewport", "west=100&south=-60&east=-120&north=70", viewport_over_the_line, 5},
    {"regions", "", countries, 4},
    {"regions", "of=region", regions, 4},
    {"countries", "", countries, 4},
    {"cities", "", cities, 4},
    {"platforms", "", platforms_told_apart, 2},
    {"platforms", "of=device", devices, 2},
    {0},
};
