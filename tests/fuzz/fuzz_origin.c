/* Origin, Host, Sec-Fetch-Site, one a line. A page of another host is never taken for our own. */
#include "fuzz.h"

#include "auth/origin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *origin = xstrndup(input_of(data, size).ptr, size);
    char *host = strchr(origin, '\n');
    if (host)
        *host++ = '\0';
    char *site = host ? strchr(host, '\n') : NULL;
    if (site)
        *site++ = '\0';
    bool is_same = auth_is_same_origin(origin, NULL, host, site);
    CHECK(!is_same || host);
    CHECK(!is_same || !site || !streq(site, "cross-site"));
    if (host && is_same) {
        /* The Origin's text holds the host's name as a whole. */
        size_t name = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
        auto_free char *bare = xstrndup(host, name);
        CHECK(name > 0 && strcasestr(origin, bare) != NULL);
    }
    return 0;
}
