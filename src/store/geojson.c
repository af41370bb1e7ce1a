#include "store/geojson.h"

#include <math.h>

#include "base/json_write.h"

#include "base/banned.h"

/* Positions are told to a millionth of a degree, which is 11 cm: RFC 7946 asks for no more. */
#define ROUND(v) (round((v) * 1e6) / 1e6 + 0.0)
#define RADIANS (M_PI / 180)
/* As the page's map draws them (web/src/map/arcs.ts): half a degree of the circle looks round. */
#define STEP (0.5 * RADIANS)
enum { STEPS_MOST = 128, POSITIONS_MOST = 2 * (STEPS_MOST + 1) };

bool geo_is_place(struct geo_place p)
{
    return fabs(p.latitude) <= 90 && fabs(p.longitude) <= 180; /* false of NaN */
}

static void add_position(struct geo_place p, struct buf *out)
{
    struct json_writer w;
    buf_putc(out, '[');
    jw_begin(&w, out);
    jw_double(&w, ROUND(p.longitude));
    buf_putc(out, ',');
    jw_begin(&w, out);
    jw_double(&w, ROUND(p.latitude));
    buf_putc(out, ']');
}

void geo_point(struct geo_place p, struct buf *out)
{
    buf_puts(out, "{\"type\":\"Point\",\"coordinates\":");
    add_position(p, out);
    buf_putc(out, '}');
}

/* --- the great circle -------------------------------------------------------------------------- */

struct vector {
    double x, y, z;
};

static struct vector vector_of(struct geo_place p)
{
    double around = p.longitude * RADIANS, up = p.latitude * RADIANS;
    return (struct vector){cos(up) * cos(around), cos(up) * sin(around), sin(up)};
}

static struct geo_place place_of(struct vector v)
{
    return (struct geo_place){.latitude = atan2(v.z, hypot(v.x, v.y)) / RADIANS,
                              .longitude = atan2(v.y, v.x) / RADIANS};
}

static double angle_between(struct vector a, struct vector b)
{
    double dot = a.x * b.x + a.y * b.y + a.z * b.z;
    return acos(fmin(1, fmax(-1, dot)));
}

/* The ends are as they were given; *count grows. */
static void add_circle(struct geo_place from, struct geo_place to,
                       struct geo_place at[static POSITIONS_MOST], size_t *count)
{
    struct vector a = vector_of(from), b = vector_of(to);
    double angle = angle_between(a, b);
    int steps = (int)fmin(STEPS_MOST, fmax(1, ceil(angle / STEP)));
    at[(*count)++] = from;
    for (int i = 1; i < steps; i++) {
        double p = sin((steps - i) * angle / steps) / sin(angle), q = sin(i * angle / steps) / sin(angle);
        at[(*count)++] = place_of((struct vector){p * a.x + q * b.x, p * a.y + q * b.y, p * a.z + q * b.z});
    }
    at[(*count)++] = to;
}

/* Along a meridian over the pole; its longitude there is that of the end it goes to. */
static size_t great_circle(struct geo_place from, struct geo_place to,
                           struct geo_place at[static POSITIONS_MOST])
{
    size_t count = 0;
    if (M_PI - angle_between(vector_of(from), vector_of(to)) >= 1e-6) {
        add_circle(from, to, at, &count);
        return count;
    }
    add_circle(from, (struct geo_place){90, from.longitude}, at, &count);
    add_circle((struct geo_place){90, to.longitude}, to, at, &count);
    return count;
}

/* Two neighbours lie on either side of the antimeridian where their longitudes are further apart than
 * half the earth; over a pole it is just half, and there at the pole any longitude is right. */
static bool is_crossing(struct geo_place a, struct geo_place b)
{
    return fabs(a.longitude - b.longitude) > 180 + 1e-6 && fabs(a.latitude) < 90 - 1e-9 &&
           fabs(b.latitude) < 90 - 1e-9;
}

/* Where the way from a to b, which crosses it, meets the antimeridian: of the side that a is on. */
static struct geo_place edge_of(struct geo_place a, struct geo_place b)
{
    double side = a.longitude < 0 ? -180 : 180;
    double whole = 360 - fabs(a.longitude - b.longitude), part = fabs(side - a.longitude);
    double share = whole > 0 ? part / whole : 0;
    return (struct geo_place){.latitude = a.latitude + share * (b.latitude - a.latitude), .longitude = side};
}

void geo_line(struct geo_place from, struct geo_place to, struct buf *out)
{
    struct geo_place at[POSITIONS_MOST];
    size_t count = great_circle(from, to, at), cut = 0;
    for (size_t i = 1; i < count; i++)
        if (is_crossing(at[i - 1], at[i]))
            cut = i;
    buf_printf(out, "{\"type\":\"%s\",\"coordinates\":%s[", cut ? "MultiLineString" : "LineString",
               cut ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        if (cut && i == cut) {
            struct geo_place edge = edge_of(at[i - 1], at[i]);
            buf_putc(out, ',');
            add_position(edge, out);
            buf_puts(out, "],[");
            edge.longitude = -edge.longitude;
            add_position(edge, out);
        }
        if (i)
            buf_putc(out, ',');
        add_position(at[i], out);
    }
    buf_puts(out, cut ? "]]}" : "]}");
}
