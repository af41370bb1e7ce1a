#include "net/ws_accept.h"

#include <stdint.h>

#include "base/banned.h"

enum { SHA1_BLOCK = 64, SHA1_WORDS = 5, KEY_MAX = 128 };

static uint32_t rotate(uint32_t v, unsigned n)
{
    return (v << n) | (v >> (32 - n));
}

static void sha1_block(uint32_t h[static SHA1_WORDS], const unsigned char *p)
{
    uint32_t w[80];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (unsigned i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) {
            f = (b & c) | (~b & d);
            k = 0x5a827999;
        } else if (i < 40) {
            f = b ^ c ^ d;
            k = 0x6ed9eba1;
        } else if (i < 60) {
            f = (b & c) | (b & d) | (c & d);
            k = 0x8f1bbcdc;
        } else {
            f = b ^ c ^ d;
            k = 0xca62c1d6;
        }
        uint32_t t = rotate(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = t;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void ws_base64(const unsigned char *src, size_t len, char *dst)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v = (uint32_t)src[i] << 16;
        if (left > 1)
            v |= (uint32_t)src[i + 1] << 8;
        if (left > 2)
            v |= src[i + 2];
        *dst++ = digits[v >> 18];
        *dst++ = digits[v >> 12 & 63];
        *dst++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *dst++ = left > 2 ? digits[v & 63] : '=';
    }
    *dst = '\0';
}

void ws_accept_key(struct str key, char ret[static WS_ACCEPT_TEXT])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[4 * SHA1_BLOCK] = {0};
    size_t len = key.len < KEY_MAX ? key.len : KEY_MAX;
    memcpy(text, key.ptr, len);
    memcpy(text + len, guid, sizeof(guid) - 1);
    len += sizeof(guid) - 1;
    text[len] = 0x80;
    size_t blocks = (len + 9 + SHA1_BLOCK - 1) / SHA1_BLOCK;
    uint64_t bits = (uint64_t)len * 8;
    for (unsigned i = 0; i < 8; i++)
        text[blocks * SHA1_BLOCK - 1 - i] = (unsigned char)(bits >> (8 * i));
    uint32_t h[SHA1_WORDS] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for (size_t i = 0; i < blocks; i++)
        sha1_block(h, text + i * SHA1_BLOCK);
    unsigned char digest[4 * SHA1_WORDS];
    for (unsigned i = 0; i < sizeof(digest); i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    ws_base64(digest, sizeof(digest), ret);
}
