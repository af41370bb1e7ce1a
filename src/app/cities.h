/* The city databases: the configured file, or every .mmdb of the configured or the bundled folder. */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "places/places.h"

/* A folder without any is fine: then only classes of addresses are told. places_close() it. */
enum status cities_open(const struct config *c, struct places **ret, struct error *err);
