#include "model/scope.h"

#include <stdlib.h>

#include "base/str.h"

#include "base/banned.h"

void scope_done(struct scope *s)
{
    if (s == NULL)
        return;
    free(s->accounts);
    *s = (struct scope){0};
}

void scope_copy(const struct scope *from, struct scope *ret)
{
    *ret = *from;
    ret->accounts = from->accounts != NULL ? xstrdup(from->accounts) : NULL;
}

bool scope_is_key(const char *key)
{
    size_t len = strlen(key);
    if (len == 0 || len >= SCOPE_KEY_MAX || !str_is_utf8(str_of(key)))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
            return false;
    return true;
}

static int compare(struct str a, struct str b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

void scope_add(struct scope *s, const char *server, const char *account)
{
    auto_free char *text = xasprintf("%s%c%s", server, SCOPE_KEY_SEPARATOR, account);
    struct str rest = str_of(s->accounts), one, added = str_of(text);
    struct buf all = {0};
    bool is_in = false;
    while (rest.len > 0 && str_next(&rest, SCOPE_ACCOUNT_SEPARATOR, &one)) {
        int c = compare(one, added);
        if (!is_in && c >= 0) {
            buf_printf(&all, "%s%s", all.len ? (char[]){SCOPE_ACCOUNT_SEPARATOR, '\0'} : "", text);
            is_in = true;
        }
        if (c == 0)
            continue;
        if (all.len)
            buf_putc(&all, SCOPE_ACCOUNT_SEPARATOR);
        buf_add_str(&all, one);
    }
    if (!is_in)
        buf_printf(&all, "%s%s", all.len ? (char[]){SCOPE_ACCOUNT_SEPARATOR, '\0'} : "", text);
    free(s->accounts);
    s->accounts = buf_steal(&all);
}

void scope_set_plex_id(struct scope *s, const char *id)
{
    size_t len = strlen(id);
    s->plex_id[0] = '\0';
    if (len == 0 || len >= sizeof s->plex_id || strspn(id, "0123456789") != len || id[0] == '0' ||
        streq(id, "1"))
        return;
    memcpy(s->plex_id, id, len + 1);
}

bool scope_has(const struct scope *s, const struct scope_account *a)
{
    if (s->sees_all)
        return true;
    if (a->server == NULL || a->account == NULL || !*a->account)
        return false;
    if (*s->plex_id && a->kind != NULL && streq(a->kind, "plex") && streq(a->account, s->plex_id))
        return true;
    auto_free char *text = xasprintf("%s%c%s", a->server, SCOPE_KEY_SEPARATOR, a->account);
    struct str rest = str_of(s->accounts), one;
    while (rest.len > 0 && str_next(&rest, SCOPE_ACCOUNT_SEPARATOR, &one))
        if (str_eq(one, str_of(text)))
            return true;
    return false;
}
