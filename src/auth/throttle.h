/*
 * Delay after failed logins, by account and by address, or by known device. Bounded memory: the
 * entry that is free soonest makes room. Any thread.
 */
#pragma once

#include <stdint.h>

struct throttle;
struct throttle *throttle_new(void);
void throttle_free(struct throttle *t); /* NULL is fine */
/* A device that this account has logged in from before counts by itself: strangers who guess at the
 * account's password, or share its address, do not lock it out, and it wins no tries for others. */
struct throttle_who {
    const char *account; /* NULL: a token was tried, which is counted by address, apart from logins */
    const char *address;
    const char *device; /* NULL: not known */
};
/*
 * Asks whether a try may be made now. 0: yes, and it is counted as a failure until
 * throttle_succeeded() says otherwise, so that tries in parallel count too. Else: microseconds to
 * wait.
 */
int64_t throttle_try(struct throttle *t, const struct throttle_who *who, int64_t now_us);
void throttle_succeeded(struct throttle *t, const struct throttle_who *who);
