#include "auth/token.h"

#include <sodium.h>

#include "base/str.h"

#include "base/banned.h"

void keyed_hash(const char *secret, const char *purpose, const char *owner, const void *data,
                size_t len, unsigned char ret[static TOKEN_HASH_BYTES])
{
    _Static_assert(TOKEN_HASH_BYTES == crypto_auth_hmacsha256_BYTES, "the MAC is whole");
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret, strlen(secret));
    /* With their ends, so that no purpose and owner run into each other. */
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)purpose, strlen(purpose) + 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)owner, strlen(owner) + 1);
    crypto_auth_hmacsha256_update(&state, data, len);
    crypto_auth_hmacsha256_final(&state, ret);
}

void token_make(const char *secret, const char *purpose, const char *owner,
                char ret[static TOKEN_MAX], unsigned char ret_hash[static TOKEN_HASH_BYTES])
{
    unsigned char id[TOKEN_ID_BYTES], mac[TOKEN_HASH_BYTES];
    randombytes_buf(id, sizeof id);
    keyed_hash(secret, purpose, owner, id, sizeof id, mac);
    sodium_bin2hex(ret, TOKEN_MAX, id, sizeof id);
    ret[2 * TOKEN_ID_BYTES] = '.';
    sodium_bin2hex(ret + 2 * TOKEN_ID_BYTES + 1, TOKEN_MAX - 2 * TOKEN_ID_BYTES - 1, mac, sizeof mac);
    crypto_hash_sha256(ret_hash, id, sizeof id);
}

bool token_read(const char *secret, const char *purpose, const char *owner, const char *text,
                unsigned char ret_hash[static TOKEN_HASH_BYTES])
{
    if (text == NULL || strlen(text) != TOKEN_MAX - 1 || text[2 * TOKEN_ID_BYTES] != '.')
        return false;
    unsigned char id[TOKEN_ID_BYTES], mac[TOKEN_HASH_BYTES], right[TOKEN_HASH_BYTES];
    size_t len = 0;
    if (sodium_hex2bin(id, sizeof id, text, 2 * TOKEN_ID_BYTES, NULL, &len, NULL) != 0 ||
        len != TOKEN_ID_BYTES)
        return false;
    if (sodium_hex2bin(mac, sizeof mac, text + 2 * TOKEN_ID_BYTES + 1, 2 * TOKEN_HASH_BYTES, NULL,
                       &len, NULL) != 0 ||
        len != TOKEN_HASH_BYTES)
        return false;
    keyed_hash(secret, purpose, owner, id, sizeof id, right);
    if (sodium_memcmp(mac, right, sizeof mac) != 0)
        return false;
    crypto_hash_sha256(ret_hash, id, sizeof id);
    return true;
}
