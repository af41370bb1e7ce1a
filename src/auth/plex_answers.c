#include "auth/plex_answers.h"

#include <inttypes.h>

#include "auth/identity_name.h"
#include "base/json_read.h"

#include "base/banned.h"

enum { SMALL_MOST = 256 * 1024, DEPTH_MOST = 16, LIFETIME_LEAST_S = 30, LIFETIME_MOST_S = 900 };

/* These go into addresses and headers. */
static bool copy_word(const char *text, char *ret, size_t size)
{
    size_t len = strlen(text);
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] >= 0x7f)
            return false;
    memcpy(ret, text, len + 1);
    return true;
}

static enum status read_object(struct str body, const char *what, json_t **ret, struct error *err)
{
    if (json_parse(body, SMALL_MOST, DEPTH_MOST, ret, NULL) != STATUS_OK)
        return fail(err, STATUS_PROTOCOL, "%s is no JSON", what);
    if (json_is_object(*ret))
        return STATUS_OK;
    json_decref(*ret);
    *ret = NULL;
    return fail(err, STATUS_PROTOCOL, "%s is no JSON object", what);
}

enum status plex_read_pin(struct str body, struct plex_pin *ret, struct error *err)
{
    auto_json json_t *j = NULL;
    TRY(read_object(body, "its answer about the PIN", &j, err));
    struct plex_pin pin = {.id = jint(j, "id", 0)};
    if (pin.id <= 0 || !copy_word(jstr(j, "code"), pin.code, sizeof pin.code))
        return fail(err, STATUS_PROTOCOL, "its answer about the PIN lacks id or code");
    pin.lifetime_s = jint(j, "expiresIn", LIFETIME_MOST_S);
    if (pin.lifetime_s > LIFETIME_MOST_S)
        pin.lifetime_s = LIFETIME_MOST_S;
    if (pin.lifetime_s < LIFETIME_LEAST_S)
        pin.lifetime_s = LIFETIME_LEAST_S;
    const char *token = jstr(j, "authToken");
    if (*token && !copy_word(token, pin.token, sizeof pin.token))
        return fail(err, STATUS_PROTOCOL, "its answer about the PIN has a token that cannot be used");
    *ret = pin;
    return STATUS_OK;
}

enum status plex_read_user(struct str body, struct auth_identity *ret, struct error *err)
{
    auto_json json_t *j = NULL;
    TRY(read_object(body, "its answer about the account", &j, err));
    int64_t id = jint(j, "id", 0);
    if (id <= 0)
        return fail(err, STATUS_PROTOCOL, "its answer about the account lacks the account's id");
    *ret = (struct auth_identity){.issuer = PLEX_ISSUER};
    snprintf(ret->subject, sizeof ret->subject, "%" PRId64, id);
    static const char *const names[] = {"username", "title", "friendlyName", "email"};
    identity_name(j, names, ARRAY_LEN(names), ret->subject, ret->name);
    return STATUS_OK;
}

static bool is_server(const char *provides)
{
    struct str rest = str_of(provides), piece;
    while (str_next(&rest, ',', &piece))
        if (str_eq(str_trim(piece), STR("server")))
            return true;
    return false;
}

enum status plex_read_roles(struct str body, const char (*machines)[PLEX_MACHINE_MAX], size_t count,
                            enum role *ret, struct error *err)
{
    auto_json json_t *list = NULL;
    if (json_parse(body, PLEX_RESOURCES_MOST, DEPTH_MOST, &list, NULL) != STATUS_OK)
        return fail(err, STATUS_PROTOCOL, "its list of servers is no JSON");
    if (!json_is_array(list))
        return fail(err, STATUS_PROTOCOL, "its list of servers is no list");
    for (size_t m = 0; m < count; m++)
        ret[m] = ROLE_NOBODY;
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (!is_server(jstr(one, "provides")))
            continue;
        enum role role = json_is_true(jget(one, "owned")) ? ROLE_ADMIN : ROLE_VIEWER;
        for (size_t m = 0; m < count; m++)
            if (*machines[m] && streq(jstr(one, "clientIdentifier"), machines[m]) && role > ret[m])
                ret[m] = role;
    }
    return STATUS_OK;
}
