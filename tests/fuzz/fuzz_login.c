/*
 * What a login is made of: an ID token, its claims, a header of HTTP Basic, a cookie, what plex.tv
 * answers about a PIN, an account and its servers; the first byte says which. Nothing is taken but the
 * two tokens that these keys have signed.
 */
#include "fuzz.h"

#include "auth/basic.h"
#include "auth/id_token.h"
#include "auth/jws.h"
#include "auth/plex_answers.h"
#include "base/clock.h"
#include "base/json_read.h"

static const char keys_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"y5-bHsug32BBa8XB-2R9ThjAjugxMhttcA6BlH_NpMlWV9LPi45shDsrfh2"
    "Y281c_8R9bhM56EuYATQZEnX7aO4TKNos744y3OqEoygDr6IkrbKjQyRqCCnurQG9AXYcWsZ-IQ_FZBrHRhAna"
    "S5rCf25lDfOKt-ncedMGXsAt7HxdBRQLpril99zuOK4_HORczLoz5XPwMNbv0Wc5MAMDWj3qQNrV67zWLNBRgC"
    "SF5LFAD1Az6uQs45pD8HhsQDdmzqNt5bA1El0UyWUTabef9ak3Tl9MJ_C3zuve2v-gELeE4bMHnmtUmRa4wqt7"
    "0RwZbL2MSS7yFQRc4vuHhBxEQ\",\"e\":\"AQAB\",\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\"},{\"kty\":\"EC\""
    ",\"x\":\"9a0Ecp9VT35Tpg6dBtr-78QFVpuPGPVj-uKDqP18Z7Y\",\"y\":\"U3Ftsg8yZuR8d2T_5gJzK1Cjqr3VCx"
    "O6OmJPB2OeEMw\",\"crv\":\"P-256\",\"kid\":\"e\",\"use\":\"sig\",\"alg\":\"ES256\"}]}";

static const char *const signed_tokens[] = {
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGU"
    "iLCJhdWQiOlsiY2FydG9ncmFwaHVzIl0sImF6cCI6ImNhcnRvZ3JhcGh1cyIsInN1YiI6InUtMSIsImlhdCI6M"
    "TAwMCwiZXhwIjoyMDAwLCJub25jZSI6Im4iLCJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhbm4iLCJyb2xlcyI6WyJ"
    "hZG1pbiJdfQ.tEOgYEylsRgG-EJ-qWKbbQhtS_hmTJG1L3BIQQfqa8o2jH7JvPMs2LFA4Bo3q6V_PG-rp4a9vQ"
    "uZzOV0Yhh-t2w9K4M1nqU-EjI2h4hFN9Lz1Lzin2haAOc2h0ZoVLBCk3vX9Ura0iCG8i1P9KeZShfT-pU3hQhp"
    "NTfrWyGkWM4biQGFFisUzmyWcDS-4uCGJ9VGnlZxJDTjTvKuOaZTa2U_m1oOGw_FkRTfXrrt2WoltRF3mxgJie"
    "2xh7SGu8403g3I1s0Rs2ypd7VSUVUqyjN9K4odISZNMf1PLAzqzlvhpmKUkgEF804rMc74UigfEP-XQO7MBPpX"
    "Y4SxK4iQWQ",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGU"
    "iLCJhdWQiOlsiY2FydG9ncmFwaHVzIl0sImF6cCI6ImNhcnRvZ3JhcGh1cyIsInN1YiI6InUtMSIsImlhdCI6M"
    "TAwMCwiZXhwIjoyMDAwLCJub25jZSI6Im4iLCJwcmVmZXJyZWRfdXNlcm5hbWUiOiJhbm4iLCJyb2xlcyI6WyJ"
    "hZG1pbiJdfQ.ETGGZLDKUIM0DMWnQhtGS4tZDdpQjMdT3MnHgwaoF51sBd1MEWQzVoh1EFjv4Rf49XWP9qPY3c"
    "jaDP1WrZHjrg"};

static void fuzz_jws(struct str token)
{
    static json_t *keys;
    if (keys == NULL)
        CHECK(json_parse(str_of(keys_text), 16384, 4, &keys, NULL) == STATUS_OK);
    auto_json json_t *claims = NULL;
    struct error err = {0};
    enum status s = jws_verify(token, keys, &claims, &err);
    CHECK(s == STATUS_OK || s == STATUS_UNAUTHORIZED || s == STATUS_NOT_FOUND);
    CHECK((s == STATUS_OK) == (claims != NULL));
    bool is_signed = false;
    for (size_t i = 0; i < ARRAY_LEN(signed_tokens); i++) {
        struct str whole = str_of(signed_tokens[i]);
        size_t claims_end = (size_t)(strrchr(whole.ptr, '.') - whole.ptr);
        is_signed = is_signed || str_has_prefix(token, (struct str){whole.ptr, claims_end + 1});
        CHECK(s == STATUS_OK || !str_eq(token, whole));
    }
    CHECK(s != STATUS_OK || is_signed);
}

static void fuzz_claims(struct str text)
{
    auto_json json_t *claims = NULL;
    if (json_parse(text, JWS_MOST_BYTES, 8, &claims, NULL) != STATUS_OK)
        return;
    struct id_token_expected e = {"https://id.example", "cartographus", "n", 1500 * US_PER_S};
    char name[AUTH_NAME_MAX];
    id_token_name(claims, name);
    CHECK(str_is_utf8(str_of(name)));
    struct error err = {0};
    if (id_token_check(claims, &e, &err) == STATUS_OK) {
        CHECK(streq(jstr(claims, "iss"), e.issuer) && streq(jstr(claims, "nonce"), e.nonce));
        CHECK(*name && *jstr(claims, "sub"));
    } else {
        CHECK(*err.field);
    }
    CHECK(!id_token_has_role(claims, "roles", ""));
    if (!json_is_true(jget(claims, "email_verified")))
        CHECK(!id_token_has_role(claims, "email", "a@b"));
    (void)id_token_has_role(claims, "realm_access.roles", "admin,other");
}

static void fuzz_basic(const char *header)
{
    struct basic_credentials c;
    if (basic_parse(header, &c))
        CHECK(*c.name && !strchr(c.name, ':') && str_is_utf8(str_of(c.name)) &&
              str_is_utf8(str_of(c.password)));
}

static bool is_word(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return false;
    return true;
}

/* What goes into addresses and headers can part none of them. */
static void fuzz_pin(struct str body)
{
    struct plex_pin pin;
    struct error err = {0};
    enum status s = plex_read_pin(body, &pin, &err);
    CHECK(s == STATUS_OK || (s == STATUS_PROTOCOL && *err.text));
    if (s == STATUS_OK)
        CHECK(pin.id > 0 && *pin.code && is_word(pin.code) && is_word(pin.token) &&
              pin.lifetime_s > 0 && pin.lifetime_s <= 900);
}

static void fuzz_user(struct str body)
{
    struct auth_identity who;
    struct error err = {0};
    enum status s = plex_read_user(body, &who, &err);
    CHECK(s == STATUS_OK || (s == STATUS_PROTOCOL && *err.text));
    if (s == STATUS_OK)
        CHECK(streq(who.issuer, PLEX_ISSUER) && who.subject[0] > '0' && who.subject[0] <= '9' &&
              *who.name && str_is_utf8(str_of(who.name)) && who.role == (enum role)0);
}

static void fuzz_servers(struct str body)
{
    static const char machines[2][PLEX_MACHINE_MAX] = {"m", ""};
    struct error err = {0};
    enum role roles[2];
    enum status s = plex_read_roles(body, machines, 2, roles, &err);
    CHECK(s == STATUS_OK || (s == STATUS_PROTOCOL && *err.text));
    if (s != STATUS_OK)
        return;
    CHECK(roles[0] == ROLE_NOBODY || memmem(body.ptr, body.len, "server", 6));
    CHECK(roles[0] != ROLE_ADMIN || memmem(body.ptr, body.len, "true", 4));
    CHECK(roles[1] == ROLE_NOBODY); /* one that has not said who it is */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    auto_free char *text = xstrndup((const char *)data + 1, size - 1);
    unsigned char hash[TOKEN_HASH_BYTES];
    switch (data[0]) {
    case 'j':
        fuzz_jws((struct str){(const char *)data + 1, size - 1});
        break;
    case 'c':
        fuzz_claims((struct str){(const char *)data + 1, size - 1});
        break;
    case 'p':
        fuzz_pin((struct str){(const char *)data + 1, size - 1});
        break;
    case 'u':
        fuzz_user((struct str){(const char *)data + 1, size - 1});
        break;
    case 'r':
        fuzz_servers((struct str){(const char *)data + 1, size - 1});
        break;
    case 'b':
        fuzz_basic(text);
        break;
    default:
        CHECK(!token_read("0123456789abcdef0123456789abcdef", "session", "", text, hash));
    }
    return 0;
}
