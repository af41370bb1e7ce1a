/* X-Forwarded-For, -Proto, -Host, a list of trusted proxies, one a line. Nobody but a trusted peer
 * decides who asks, and what is found is an address that was there. */
#include "fuzz.h"

#include <arpa/inet.h>

#include "auth/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = input_of(data, size), piece;
    char *lines[4] = {0};
    for (size_t i = 0; i < 4 && str_next(&rest, '\n', &piece); i++)
        lines[i] = xstrndup(piece.ptr, piece.len);
    struct sockaddr_in peer = {.sin_family = AF_INET};
    CHECK(inet_pton(AF_INET, "198.51.100.7", &peer.sin_addr) == 1);
    struct trusted_proxies named = trusted_proxies_parse(lines[3] ? lines[3] : "");
    struct trusted_proxies ours = trusted_proxies_parse("198.51.100.0/24");
    struct request_origin r = {(const void *)&peer, "localhost:3857", lines[0], lines[1], lines[2]};
    struct asker a;
    struct address found;
    struct trusted_proxies nobody = {0};
    asker_find(&nobody, &r, &a);
    CHECK(streq(a.address, "198.51.100.7") && !a.scheme && streq(a.host, "localhost:3857"));
    asker_find(&named, &r, &a);
    CHECK(address_parse(str_of(a.address), &found));
    asker_find(&ours, &r, &a);
    CHECK(address_parse(str_of(a.address), &found) && strlen(a.host) < ASKER_HOST_MAX);
    CHECK(lines[0] || streq(a.address, "198.51.100.7"));
    free(named.ranges);
    free(ours.ranges);
    for (size_t i = 0; i < 4; i++)
        free(lines[i]);
    return 0;
}
