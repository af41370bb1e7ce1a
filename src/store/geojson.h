/* Geometries as RFC 7946 has them: [longitude, latitude] in degrees of WGS 84. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct geo_place {
    double latitude, longitude;
};

/* Whether it is on the earth: finite, within 90 and 180 degrees. */
bool geo_is_place(struct geo_place p);
/* Appends a Point. */
void geo_point(struct geo_place p, struct buf *out);
/* Appends the great circle between two places: a LineString, or a MultiLineString of two where it
 * crosses the antimeridian, cut at it. Opposite ends have no one great circle: they get the one over
 * the north pole. */
void geo_line(struct geo_place from, struct geo_place to, struct buf *out);
