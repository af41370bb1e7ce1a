/* Keys of accounts, one a line: those before the empty line are a viewer's, those after it are asked for.
 * Whatever the keys are, exactly what was given is seen. */
#include "fuzz.h"

#include "base/mem.h"
#include "model/scope.h"

enum { KEYS_MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup(input_of(data, size).ptr, size);
    auto_arena struct arena arena = {0};
    auto_scope struct scope scope = {0}, other = {0};
    const char *given[KEYS_MOST];
    size_t count = 0;
    bool is_asking = false;
    struct str rest = str_of(text), line;
    while (str_next(&rest, '\n', &line)) {
        char *server = arena_strndup(&arena, line.ptr, line.len);
        char *account = strchr(server, ' ');
        if (account)
            *account++ = '\0';
        if (line.len == 0) {
            is_asking = true;
        } else if (!is_asking && account && count < KEYS_MOST && scope_is_key(server) && scope_is_key(account)) {
            scope_add(&scope, server, account);
            given[count++] = arena_printf(&arena, "%s %s", server, account);
        } else if (!is_asking && !account) {
            scope_set_plex_id(&scope, server);
        } else if (account) {
            bool is_given = false;
            const char *asked = arena_printf(&arena, "%s %s", server, account);
            for (size_t i = 0; i < count; i++)
                is_given = is_given || streq(given[i], asked);
            bool is_own = *scope.plex_id && streq(account, scope.plex_id);
            CHECK(scope_has(&scope, &(struct scope_account){server, "emby", account}) == is_given);
            CHECK(scope_has(&scope, &(struct scope_account){server, "plex", account}) == (is_given || is_own));
        }
    }
    CHECK(!streq(scope.plex_id, "1"));
    /* The order in which they were given is not in the text. */
    for (size_t i = count; i-- > 0;) {
        char *server = arena_strdup(&arena, given[i]), *account = strchr(server, ' ');
        *account++ = '\0';
        scope_add(&other, server, account);
    }
    CHECK(streq(scope.accounts ? scope.accounts : "", other.accounts ? other.accounts : ""));
    return 0;
}
