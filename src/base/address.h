/*
 * Internet addresses and networks of them, as text and as bytes. An IPv4 address is held in its
 * mapped form (::ffff:a.b.c.d), so that both kinds compare alike. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/str.h"

enum { ADDRESS_TEXT_MAX = 46 };

struct address {
    uint8_t bytes[16];
};

/* A network: all addresses that have the first `bits` bits of `first`. */
struct address_range {
    struct address first;
    unsigned bits;
};

/* "10.0.0.1", "fd00::1", and as a proxy may write them: "10.0.0.1:80", "[fd00::1]:80". False on
 * anything else. */
bool address_parse(struct str s, struct address *ret);
/* Of a peer; false for a socket that has none. `sa` may be NULL. */
bool address_of_socket(const struct sockaddr *sa, struct address *ret);
void address_format(const struct address *a, char dst[static ADDRESS_TEXT_MAX]);

/* An address alone, or a network such as "10.0.0.0/8". The error names what is wrong with it. */
enum status address_range_parse(struct str s, struct address_range *ret, struct error *err);
bool address_range_has(const struct address_range *r, const struct address *a);
