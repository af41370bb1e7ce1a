#include "auth/basic.h"

#include <sodium.h>

#include "base/str.h"

#include "base/banned.h"

static bool is_clean(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return str_is_utf8(text);
}

static bool take(struct str text, char *dst, size_t size)
{
    if (text.len >= size)
        return false;
    memcpy(dst, text.ptr, text.len);
    dst[text.len] = '\0';
    return true;
}

bool basic_parse(const char *header, struct basic_credentials *ret)
{
    static const struct str scheme = {"Basic ", 6};
    struct str text = str_of(header);
    if (text.len < scheme.len || !str_eq_nocase((struct str){text.ptr, scheme.len}, scheme))
        return false;
    text = str_trim((struct str){text.ptr + scheme.len, text.len - scheme.len});
    char plain[AUTH_NAME_MAX + AUTH_PASSWORD_MAX];
    size_t len = 0;
    bool is_right = sodium_base642bin((unsigned char *)plain, sizeof plain, text.ptr, text.len, NULL,
                                      &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
                    is_clean((struct str){plain, len});
    const char *colon = is_right ? memchr(plain, ':', len) : NULL;
    size_t name = colon ? (size_t)(colon - plain) : 0;
    is_right = name > 0 && take((struct str){plain, name}, ret->name, sizeof ret->name) &&
               take((struct str){plain + name + 1, len - name - 1}, ret->password,
                    sizeof ret->password);
    secret_wipe(plain, sizeof plain);
    return is_right;
}
