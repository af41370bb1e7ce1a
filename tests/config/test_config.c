#include "../test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"

#define GOOD                                                                        \
    "JWT_SECRET=0123456789abcdef0123456789abcdef", "ADMIN_USERNAME=ada",            \
        "ADMIN_PASSWORD=correct horse battery", "SETUP=true"

static enum status load(const char *const *environment, const char *file, struct config *c, char **faults)
{
    struct config_origin origin = {.environment = environment, .file = file};
    return config_load(&origin, true, c, faults);
}

static void every_fault_names_its_option(void **state)
{
    static const struct {
        const char *setting;
        const char *expected; /* NULL: accepted */
    } rows[] = {
        {"HTTP_PORT=0", "HTTP_PORT: 0 is out of range"},
        {"HTTP_PORT=80a", "HTTP_PORT: '80a' is not right"},
        {"HTTP_PORT=", NULL}, /* empty is not set */
        {"SYNC_INTERVAL=5x", "SYNC_INTERVAL: '5x' is not right; it must be a duration"},
        {"SYNC_INTERVAL=7d", NULL},
        {"SYNC_INTERVAL=1h30m", NULL},
        {"DUCKDB_MAX_MEMORY=4GB", NULL},
        {"DUCKDB_MAX_MEMORY=1", "DUCKDB_MAX_MEMORY: 1 is out of range"},
        {"DUCKDB_MAX_MEMORY=lots", "DUCKDB_MAX_MEMORY: 'lots' is not right; it must be a size"},
        {"ENABLE_PLEX_SYNC=maybe", "ENABLE_PLEX_SYNC: 'maybe' is not right; it must be true or"},
        {"ENABLE_PLEX_SYNC=true", "PLEX_URL: is missing"},
        {"LOG_LEVEL=loud", "LOG_LEVEL: 'loud' is no level"},
        {"LOG_FORMAT=xml", "LOG_FORMAT: 'xml' is not known"},
        {"AUTH_MODE=none", "AUTH_MODE: 'none' is not known"},
        {"SERVER_LATITUDE=91", "SERVER_LATITUDE: 91 is out of range"},
        {"SERVER_LATITUDE=9", "SERVER_LATITUDE: goes together with"},
        {"PLEX_SERVERS=[{\"url\":\"plex\"}]", "PLEX_SERVERS[0].url: 'plex' has no http://"},
        {"PLEX_SERVERS={}", "PLEX_SERVERS: must be a list"},
        {"JELLYFIN_SERVERS=[{\"url\":\"http://j:8096\",\"token\":\"abc\"}]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *environment[] = {GOOD, rows[i].setting, NULL};
        struct config c;
        auto_free char *faults = NULL;
        enum status s = load(environment, NULL, &c, &faults);
        if (!rows[i].expected && s != STATUS_OK)
            fail_msg("%s: %s", rows[i].setting, faults);
        if (rows[i].expected && !strstr(faults, rows[i].expected))
            fail_msg("%s: said '%s', expected '%s'", rows[i].setting, faults, rows[i].expected);
        config_done(&c);
    }
}

static void urls_are_refused_with_the_likely_right_one(void **state)
{
    static const struct {
        const char *url;
        const char *expected;
        const char *plain;
    } rows[] = {
        {"http://10.0.0.1:32400", NULL, "http://10.0.0.1:32400"},
        {" http://10.0.0.1:32400/ ", NULL, "http://10.0.0.1:32400"},
        {"https://plex.example", NULL, "https://plex.example"},
        {"http://plex:80/prefix/", NULL, "http://plex:80/prefix"},
        {"http://[::1]:32400", NULL, "http://[::1]:32400"},
        {"10.0.0.1:32400", "did you mean http://10.0.0.1:32400 ?", NULL},
        {"10.0.0.1", "did you mean http://10.0.0.1:32400 ?", NULL},
        {"http://plex", "did you mean http://plex:32400 ?", NULL},
        {"http://me:pw@plex:32400", "user and password do not belong", NULL},
        {"http://plex:32400?x=1", "ends before '?'", NULL},
        {"http://:32400", "names no host", NULL},
        {"http://plex:99999", "is no port", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *url = xasprintf("PLEX_URL=%s", rows[i].url);
        const char *environment[] = {GOOD, "ENABLE_PLEX_SYNC=true", "PLEX_TOKEN=tokentoken", url, NULL};
        struct config c;
        auto_free char *faults = NULL;
        enum status s = load(environment, NULL, &c, &faults);
        if (rows[i].expected) {
            if (!strstr(faults, rows[i].expected))
                fail_msg("%s: said '%s'", rows[i].url, faults);
        } else {
            if (s != STATUS_OK)
                fail_msg("%s: %s", rows[i].url, faults);
            assert_string_equal(c.servers[0].url, rows[i].plain);
            assert_string_equal(c.servers[0].key, "plex-1");
        }
        config_done(&c);
    }
}

static void what_is_missing_is_said_at_once(void **state)
{
    const char *environment[] = {"JWT_SECRET=short", NULL};
    struct config c;
    auto_free char *faults = NULL;
    assert_int_equal(load(environment, NULL, &c, &faults), STATUS_INVALID);
    assert_non_null(strstr(faults, "JWT secret too short: 5 characters found"));
    assert_non_null(strstr(faults, "openssl rand -base64 48"));
    assert_non_null(strstr(faults, "ADMIN_USERNAME: is missing"));
    assert_non_null(strstr(faults, "ADMIN_PASSWORD: 0 characters found"));
    assert_non_null(strstr(faults, "SETUP=true"));
    assert_non_null(strstr(faults, "DEMO=true"));
    config_done(&c);
}

static char *temporary_file(const char *text)
{
    char *path = xstrdup("/tmp/cartographus-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void environment_wins_over_yaml_over_default(void **state)
{
    auto_free char *path = temporary_file("server:\n  port: 4000\nsync:\n  interval: 1m\n"
                                          "jellyfin_servers:\n  - url: http://a:8096\n"
                                          "    token: abcdefgh\n    name: Attic\n");
    const char *environment[] = {GOOD, "HTTP_PORT=5000", NULL};
    struct config c;
    auto_free char *faults = NULL;
    if (load(environment, path, &c, &faults) != STATUS_OK)
        fail_msg("%s", faults);
    assert_int_equal(c.http_port, 5000);
    assert_int_equal(c.sync_interval, US_PER_MIN);
    assert_int_equal(c.api_max_page_size, 200);
    assert_int_equal(c.server_count, 1);
    assert_string_equal(c.servers[0].name, "Attic");
    unlink(path);
    config_done(&c);
}

static void a_slip_in_yaml_is_named_with_its_remedy(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"server:\n  prt: 1\n", "server.prt: no such option"},
        {"server:\n  prt: 1\n", "did you mean server.port?"},
        {"a: [b: {c: 1}]\n", "line 1"},
        {"server:\n  port: 1\n  port: 2\n", "given twice"},
        {"server: {port: 1\n", "line"},
        {"- 1\n", "expected lines such as name: value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *path = temporary_file(rows[i].text);
        const char *environment[] = {GOOD, NULL};
        struct config c;
        auto_free char *faults = NULL;
        assert_int_equal(load(environment, path, &c, &faults), STATUS_INVALID);
        if (!strstr(faults, rows[i].expected))
            fail_msg("%s: said '%s'", rows[i].text, faults);
        unlink(path);
        config_done(&c);
    }
}

static void secrets_come_from_files_and_are_never_shown(void **state)
{
    auto_free char *path = temporary_file("fedcba9876543210fedcba9876543210\n");
    auto_free char *setting = xasprintf("JWT_SECRET_FILE=%s", path);
    const char *environment[] = {setting, "ADMIN_USERNAME=ada", "ADMIN_PASSWORD=correct horse battery",
                           "SETUP=1", NULL};
    struct config c;
    auto_free char *faults = NULL;
    if (load(environment, NULL, &c, &faults) != STATUS_OK)
        fail_msg("%s", faults);
    assert_string_equal(c.jwt_secret, "fedcba9876543210fedcba9876543210");
    auto_buf struct buf shown = {0};
    config_show(&c, &shown);
    assert_null(strstr(buf_text(&shown), "fedcba"));
    assert_null(strstr(buf_text(&shown), "horse"));
    assert_non_null(strstr(buf_text(&shown), "JWT_SECRET=***"));
    unlink(path);
    config_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_names_its_option),
        cmocka_unit_test(urls_are_refused_with_the_likely_right_one),
        cmocka_unit_test(what_is_missing_is_said_at_once),
        cmocka_unit_test(environment_wins_over_yaml_over_default),
        cmocka_unit_test(a_slip_in_yaml_is_named_with_its_remedy),
        cmocka_unit_test(secrets_come_from_files_and_are_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
