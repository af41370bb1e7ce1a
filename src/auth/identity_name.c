#include "auth/identity_name.h"

#include "base/json_read.h"
#include "base/str.h"

#include "base/banned.h"

void identity_name(const json_t *said, const char *const *members, size_t count,
                   const char *fallback, char ret[static AUTH_NAME_MAX])
{
    auto_buf struct buf clean = {0};
    for (size_t i = 0; i < count && clean.len == 0; i++)
        buf_add_clean_utf8(&clean, str_trim(str_of(jstr(said, members[i]))));
    if (clean.len == 0)
        buf_add_clean_utf8(&clean, str_of(fallback));
    size_t len = clean.len < AUTH_NAME_MAX ? clean.len : AUTH_NAME_MAX - 1;
    while (len < clean.len && len > 0 && ((unsigned char)clean.data[len] & 0xC0) == 0x80)
        len--;
    snprintf(ret, AUTH_NAME_MAX, "%.*s", (int)len, buf_text(&clean));
}
