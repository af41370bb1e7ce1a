#include "auth/id_token.h"

#include <sodium.h>

#include "auth/identity_name.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/str.h"

#include "base/banned.h"

/* Of what a token says only so much goes into a message. */
#define SOME "'%.100s'"

static enum status check_audience(const json_t *claims, const char *client_id, struct error *err)
{
    const json_t *aud = jget(claims, "aud");
    bool is_ours = streq(jstr(claims, "aud"), client_id);
    for (size_t i = 0; i < json_array_size(aud) && !is_ours; i++) {
        const char *one = json_string_value(json_array_get(aud, i));
        is_ours = one != NULL && streq(one, client_id);
    }
    if (!is_ours)
        return fail_field(err, STATUS_UNAUTHORIZED, "aud",
                          "the token is for another client (aud " SOME "), not for OIDC_CLIENT_ID",
                          jstr(claims, "aud"));
    bool has_party = jget(claims, "azp") != NULL;
    if ((has_party || json_array_size(aud) > 1) && !streq(jstr(claims, "azp"), client_id))
        return fail_field(err, STATUS_UNAUTHORIZED, "azp",
                          "the token was made for another client (azp " SOME ")",
                          jstr(claims, "azp"));
    return STATUS_OK;
}

/* Seconds since 1970, as a JSON number that a clock can show. */
static bool read_time(const json_t *claims, const char *name, double *ret)
{
    const json_t *v = jget(claims, name);
    if (!json_is_number(v))
        return false;
    *ret = json_number_value(v);
    return *ret >= 0 && *ret < 1e11;
}

static enum status check_times(const json_t *claims, int64_t now_us, struct error *err)
{
    double now = (double)now_us / (double)US_PER_S, at;
    if (!read_time(claims, "exp", &at))
        return fail_field(err, STATUS_UNAUTHORIZED, "exp", "the token does not say when it expires (exp)");
    if (now >= at + ID_CLOCK_SKEW_S)
        return fail_field(err, STATUS_UNAUTHORIZED, "exp",
                          "the token expired %.0f s ago (exp): are both clocks right?", now - at);
    if (!read_time(claims, "iat", &at))
        return fail_field(err, STATUS_UNAUTHORIZED, "iat", "the token does not say when it was made (iat)");
    if (at > now + ID_CLOCK_SKEW_S)
        return fail_field(err, STATUS_UNAUTHORIZED, "iat",
                          "the token was made %.0f s from now (iat): are both clocks right?", at - now);
    if (jget(claims, "nbf") != NULL && (!read_time(claims, "nbf", &at) || at > now + ID_CLOCK_SKEW_S))
        return fail_field(err, STATUS_UNAUTHORIZED, "nbf",
                          "the token is not valid yet (nbf): are both clocks right?");
    return STATUS_OK;
}

enum status id_token_check(const json_t *claims, const struct id_token_expected *e,
                           struct error *err)
{
    if (!streq(jstr(claims, "iss"), e->issuer))
        return fail_field(err, STATUS_UNAUTHORIZED, "iss",
                          "the token is of another issuer (iss " SOME "), not of OIDC_ISSUER_URL",
                          jstr(claims, "iss"));
    TRY(check_audience(claims, e->client_id, err));
    TRY(check_times(claims, e->now_us, err));
    const char *nonce = jstr(claims, "nonce");
    if (strlen(nonce) != strlen(e->nonce) || sodium_memcmp(nonce, e->nonce, strlen(nonce)) != 0)
        return fail_field(err, STATUS_UNAUTHORIZED, "nonce",
                          "the token is of another login than the one that was begun (nonce)");
    size_t len = strlen(jstr(claims, "sub"));
    if (len == 0 || len >= AUTH_SUBJECT_MAX)
        return fail_field(err, STATUS_UNAUTHORIZED, "sub", "the token does not say who it is (sub)");
    return STATUS_OK;
}

static bool is_wanted(const char *role, const char *wanted)
{
    struct str rest = str_of(wanted), piece;
    while (role != NULL && *role && str_next(&rest, ',', &piece))
        if (str_eq(str_trim(piece), str_of(role)))
            return true;
    return false;
}

bool id_token_has_role(const json_t *claims, const char *claim, const char *wanted)
{
    if (streq(claim, "email") && !json_is_true(jget(claims, "email_verified")))
        return false;
    const json_t *v = jget(claims, claim);
    if (v == NULL)
        v = jpath(claims, claim);
    if (is_wanted(json_string_value(v), wanted))
        return true;
    for (size_t i = 0; i < json_array_size(v); i++)
        if (is_wanted(json_string_value(json_array_get(v, i)), wanted))
            return true;
    return false;
}

void id_token_name(const json_t *claims, char ret[static AUTH_NAME_MAX])
{
    static const char *const names[] = {"preferred_username", "name", "email", "sub"};
    identity_name(claims, names, ARRAY_LEN(names), "", ret);
}
