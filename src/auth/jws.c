#include "auth/jws.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include "base/json_read.h"
#include "base/mem.h"

#include "base/banned.h"

enum {
    HEADER_MOST = 4096,
    RSA_LEAST_BITS = 2048,
    NUMBER_MOST = 1024, /* bytes: RSA of 8192 bits */
    COORDINATE_BYTES = 32,
};

/* A compact JWS, its pieces still in base64url. */
struct parts {
    struct str header, claims, signature;
    struct str input; /* what is signed: header and claims with their dot */
};

static bool split(struct str token, struct parts *ret)
{
    struct str rest = token, more;
    if (!str_next(&rest, '.', &ret->header) || !str_next(&rest, '.', &ret->claims) ||
        !str_next(&rest, '.', &ret->signature) || str_next(&rest, '.', &more))
        return false;
    ret->input = (struct str){token.ptr, ret->header.len + 1 + ret->claims.len};
    return true;
}

/* base64url without padding, to the last bit; false also when it does not fit. */
static bool decode(struct str text, void *dst, size_t size, size_t *ret_len)
{
    return sodium_base642bin(dst, size, text.ptr, text.len, NULL, ret_len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static enum status read_header(struct str part, json_t **ret, struct error *err)
{
    char text[HEADER_MOST];
    size_t len = 0;
    if (!decode(part, text, sizeof text, &len) ||
        json_parse((struct str){text, len}, sizeof text, 4, ret, NULL) != STATUS_OK ||
        !json_is_object(*ret))
        return fail(err, STATUS_UNAUTHORIZED, "the token's header cannot be read");
    return STATUS_OK;
}

/* "RSA" or "EC", by the algorithm. */
static enum status kind_of_key(const json_t *header, const char **ret, struct error *err)
{
    const char *alg = jstr(header, "alg");
    if (jget(header, "crit") != NULL)
        return fail_field(err, STATUS_UNAUTHORIZED, "crit", "the token needs extensions (crit)");
    if (streq(alg, "RS256"))
        *ret = "RSA";
    else if (streq(alg, "ES256"))
        *ret = "EC";
    else if (str_eq_nocase(str_of(alg), STR("none")))
        return fail_field(err, STATUS_UNAUTHORIZED, "alg", "the token is not signed (alg none)");
    else
        return fail_field(err, STATUS_UNAUTHORIZED, "alg",
                          "the token is signed by '%.20s' (alg); RS256 and ES256 are taken", alg);
    return STATUS_OK;
}

static bool is_absent_or(const json_t *key, const char *member, const char *value)
{
    return jget(key, member) == NULL || streq(jstr(key, member), value);
}

static bool may_have_signed(const json_t *key, const char *kind, const json_t *header)
{
    const char *kid = jstr(header, "kid");
    return streq(jstr(key, "kty"), kind) && is_absent_or(key, "use", "sig") &&
           is_absent_or(key, "alg", jstr(header, "alg")) &&
           (*kid == '\0' || streq(jstr(key, "kid"), kid)) &&
           (!streq(kind, "EC") || streq(jstr(key, "crv"), "P-256"));
}

/* --- keys ------------------------------------------------------------------------------------ */

static void auto_key_fn(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
#define auto_key __attribute__((cleanup(auto_key_fn)))

static EVP_PKEY *make_key(const char *kind, OSSL_PARAM_BLD *members)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(members);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *import_rsa(const json_t *key, OSSL_PARAM_BLD *members)
{
    unsigned char n[NUMBER_MOST], e[8];
    size_t n_len = 0, e_len = 0;
    if (!decode(str_of(jstr(key, "n")), n, sizeof n, &n_len) ||
        !decode(str_of(jstr(key, "e")), e, sizeof e, &e_len) || n_len == 0 || e_len == 0)
        return NULL;
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL), *exponent = BN_bin2bn(e, (int)e_len, NULL);
    EVP_PKEY *made = NULL;
    if (modulus != NULL && exponent != NULL && BN_num_bits(modulus) >= RSA_LEAST_BITS &&
        OSSL_PARAM_BLD_push_BN(members, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(members, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        made = make_key("RSA", members);
    BN_free(modulus);
    BN_free(exponent);
    return made;
}

static EVP_PKEY *import_ec(const json_t *key, OSSL_PARAM_BLD *members)
{
    unsigned char point[1 + 2 * COORDINATE_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x = 0, y = 0;
    if (!decode(str_of(jstr(key, "x")), point + 1, COORDINATE_BYTES, &x) ||
        !decode(str_of(jstr(key, "y")), point + 1 + COORDINATE_BYTES, COORDINATE_BYTES, &y) ||
        x != COORDINATE_BYTES || y != COORDINATE_BYTES ||
        OSSL_PARAM_BLD_push_utf8_string(members, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(members, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) != 1)
        return NULL;
    return make_key("EC", members);
}

/* Only what is public of it. NULL: it is no such key, or too short. */
static EVP_PKEY *import_key(const json_t *key)
{
    OSSL_PARAM_BLD *members = OSSL_PARAM_BLD_new();
    if (members == NULL)
        return NULL;
    EVP_PKEY *made = streq(jstr(key, "kty"), "RSA") ? import_rsa(key, members) : import_ec(key, members);
    OSSL_PARAM_BLD_free(members);
    return made;
}

/* --- signatures ------------------------------------------------------------------------------ */

/* JOSE has the two numbers side by side, OpenSSL wants them in DER; its length, 0: not possible. */
static size_t to_der(const unsigned char *raw, unsigned char dst[static 2 * COORDINATE_BYTES + 16])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, COORDINATE_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(raw + COORDINATE_BYTES, COORDINATE_BYTES, NULL);
    int len = 0;
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        len = i2d_ECDSA_SIG(sig, &(unsigned char *){dst});
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool is_signed_by(EVP_PKEY *key, const struct parts *p)
{
    unsigned char signature[NUMBER_MOST], der[2 * COORDINATE_BYTES + 16];
    size_t len = 0;
    if (!decode(p->signature, signature, sizeof signature, &len))
        return false;
    const unsigned char *sig = signature;
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        if (len != 2 * COORDINATE_BYTES)
            return false;
        len = to_der(signature, der);
        sig = der;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_right = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                    EVP_DigestVerify(ctx, sig, len, (const unsigned char *)p->input.ptr, p->input.len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_right;
}

static enum status read_claims(struct str part, json_t **ret, struct error *err)
{
    auto_free char *text = xmalloc(part.len + 1);
    size_t len = 0;
    if (!decode(part, text, part.len + 1, &len) ||
        json_parse((struct str){text, len}, JWS_MOST_BYTES, 8, ret, NULL) != STATUS_OK)
        return fail(err, STATUS_UNAUTHORIZED, "what the token says cannot be read");
    if (json_is_object(*ret))
        return STATUS_OK;
    json_decref(*ret);
    *ret = NULL;
    return fail(err, STATUS_UNAUTHORIZED, "what the token says is no JSON object");
}

enum status jws_verify(struct str token, const json_t *keys, json_t **ret_claims,
                       struct error *err)
{
    struct parts parts;
    auto_json json_t *header = NULL;
    const char *kind = NULL;
    if (token.len > JWS_MOST_BYTES || !split(token, &parts))
        return fail(err, STATUS_UNAUTHORIZED, "the token is too large, or does not have three parts");
    TRY(read_header(parts.header, &header, err));
    TRY(kind_of_key(header, &kind, err));
    const json_t *list = jget(keys, "keys");
    bool is_any = false, is_right = false;
    for (size_t i = 0; i < json_array_size(list) && i < JWS_MOST_KEYS && !is_right; i++) {
        const json_t *one = json_array_get(list, i);
        auto_key EVP_PKEY *key = may_have_signed(one, kind, header) ? import_key(one) : NULL;
        is_any = is_any || key != NULL;
        is_right = key != NULL && is_signed_by(key, &parts);
    }
    ERR_clear_error();
    if (is_right)
        return read_claims(parts.claims, ret_claims, err);
    if (!is_any)
        return fail_field(err, STATUS_NOT_FOUND, "kid",
                          "the token is signed with a key that the provider does not publish (kid "
                          "'%.40s', %s)", jstr(header, "kid"), kind);
    return fail_field(err, STATUS_UNAUTHORIZED, "signature", "the token's signature is wrong");
}
