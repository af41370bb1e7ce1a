/*
 * Where an address is: its class by the address alone, and for public ones a place from local
 * databases in MaxMind DB format. Nothing is asked over the network.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What is known of an address. Texts are UTF-8, "" where unknown. */
struct place_found {
    /* "loopback", "lan", "link-local", "cgnat", "tailscale", "ula", "public" or "unknown" (not an
     * address, or one no peer has); static, never NULL. */
    const char *address_class;
    /* False: the fields below are empty. True: country_code and the coordinates are known. */
    bool has_place;
    char country_code[8], country[96], region[96], city[96];
    double latitude, longitude; /* degrees */
};

struct places;

/*
 * Opens city databases; they are asked in this order until one has a place. With count 0 only
 * classes are told. The caller owns *ret and calls places_close(). Any thread. STATUS_IO for a
 * file that cannot be opened, STATUS_INVALID for one that is no city database; both name it.
 */
enum status places_open(const char *const *files, size_t count, struct places **ret,
                        struct error *err);
/* NULL is fine. No look-up may be under way. */
void places_close(struct places *p);
/* Fills ret for an address in text form, without port; places is a struct places * (or NULL:
 * classes only), so that this fits ingest's place_lookup. Cannot fail. Any thread, also at once. */
void places_lookup(void *places, const char *address, struct place_found *ret);
