#include "../test.h"

#include <stdio.h>
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
        {"SYNC_INTERVAL=0", "SYNC_INTERVAL: 0 is out of range"},
        {"BACKUP_SCHEDULE=0", NULL},
        {"BACKUP_SCHEDULE=00", "BACKUP_SCHEDULE: '00' is not right; it must be a duration"},
        {"DUCKDB_MAX_MEMORY=4GB", NULL},
        {"DUCKDB_MAX_MEMORY=1", "DUCKDB_MAX_MEMORY: 1 is out of range"},
        {"DUCKDB_MAX_MEMORY=lots", "DUCKDB_MAX_MEMORY: 'lots' is not right; it must be a size"},
        {"ENABLE_PLEX_SYNC=maybe", "ENABLE_PLEX_SYNC: 'maybe' is not right; it must be true or"},
        {"ENABLE_PLEX_SYNC=true", "PLEX_URL: is missing"},
        {"LOG_LEVEL=loud", "LOG_LEVEL: 'loud' is no level"},
        {"LOG_FORMAT=xml", "LOG_FORMAT: 'xml' is not known"},
        {"AUTH_MODE=none", "AUTH_MODE: 'none' is not known"},
        {"AUTH_MODE=jwt, basic", NULL},
        {"AUTH_MODE=basic", NULL},
        {"AUTH_MODE=jwt,oidc", "OIDC_ISSUER_URL: is missing; AUTH_MODE has oidc"},
        {"AUTH_MODE=oidc", "OIDC_CLIENT_ID: is missing; AUTH_MODE has oidc"},
        {"AUTH_MODE=oidc ,jwt", "OIDC_REDIRECT_URL: is missing; it is this page's own address"},
        {"OIDC_ISSUER_URL=id.example", "OIDC_ISSUER_URL: 'id.example' is no https:// address"},
        {"OIDC_ISSUER_URL=https://id.example/realms/x?y", "OIDC_ISSUER_URL: 'https://id.example/realms/x?y' is no"},
        {"OIDC_REDIRECT_URL=https://c.example/api/auth/oidc/callback", NULL},
        {"OIDC_REDIRECT_URL=https://c.example/api/v1/auth/oidc/callback", NULL},
        {"OIDC_REDIRECT_URL=https://c.example/", "OIDC_REDIRECT_URL: 'https://c.example/' is not right"},
        {"OIDC_REDIRECT_URL=https://c.example/api/auth/oidc/callback?x", "OIDC_REDIRECT_URL: "},
        {"OIDC_SCOPES=openid email", NULL},
        {"OIDC_SCOPES=profile,email", "OIDC_SCOPES: 'profile,email' lacks openid"},
        {"AUTH_MODE=jwt,Basic", "AUTH_MODE: 'Basic' is not known"},
        {"AUTH_MODE=jwt,", "AUTH_MODE: '' is not known"},
        {"AUTH_MODE=plex", NULL},
        {"PLEX_TV_URL=https://tv.example:8443/x", NULL},
        {"PLEX_TV_URL=http://127.0.0.1:3000", NULL},
        {"PLEX_TV_URL=http://[::1]", NULL},
        {"PLEX_TV_URL=http://localhost.evil.example", "PLEX_TV_URL: 'http://localhost.evil.example' is no https://"},
        {"PLEX_TV_URL=http://127.0.0.1@evil.example", "PLEX_TV_URL: "},
        {"PLEX_TV_URL=http://plex.tv", "PLEX_TV_URL: 'http://plex.tv' is no https:// address"},
        {"PLEX_TV_URL=https://plex.tv/", "PLEX_TV_URL: 'https://plex.tv/' is no https:// address without / at"},
        {"PLEX_TV_URL=plex.tv", "PLEX_TV_URL: 'plex.tv' is no https:// address"},
        {"PLEX_AUTH_CLIENT_ID=an-id-of-our-own", NULL},
        {"PLEX_AUTH_CLIENT_ID=an id of our own", "PLEX_AUTH_CLIENT_ID: 'an id of our own' is not right"},
        {"PLEX_AUTH_CLIENT_ID=short", "PLEX_AUTH_CLIENT_ID: 'short' is not right; it must be at least 8"},
        {"TRUSTED_PROXIES=172.17.0.1, 10.0.0.0/8,fd00::/8", NULL},
        {"TRUSTED_PROXIES=172.17.0.1,nginx", "TRUSTED_PROXIES: 'nginx' is no address"},
        {"TRUSTED_PROXIES=x,10.0.0.1/8", "TRUSTED_PROXIES: '10.0.0.1/8' is an address within"},
        {"TRUSTED_PROXIES=10.0.0.1,", "TRUSTED_PROXIES: '' is no address"},
        {"TRUST_LOOPBACK=perhaps", "TRUST_LOOPBACK: 'perhaps' is not right"},
        {"WS_PING_INTERVAL=0s", "WS_PING_INTERVAL: 0s is out of range"},
        {"NATS_STREAM=a.b", "NATS_STREAM: 'a.b' is not right; it must be letters"},
        {"NATS_PASSWORD=some password", "NATS_PASSWORD: goes together with NATS_USER"},
        {"NATS_MAX_MEMORY=1MB", "NATS_MAX_MEMORY: 1MB is out of range"},
        {"NATS_MAX_MEMORY=536870912", NULL},
        {"BASE_PATH=/cartographus", NULL},
        {"BASE_PATH=/a/b-1_c.d~e", NULL},
        {"BASE_PATH=/apis", NULL},
        {"BASE_PATH=/", "BASE_PATH: '/' is not right"},
        {"BASE_PATH=cartographus", "BASE_PATH: 'cartographus' is not right; it must begin with /"},
        {"BASE_PATH=/cartographus/", "BASE_PATH: '/cartographus/' is not right"},
        {"BASE_PATH=/a//b", "BASE_PATH: '/a//b' is not right"},
        {"BASE_PATH=/a b", "BASE_PATH: '/a b' is not right"},
        {"BASE_PATH=/a?b", "BASE_PATH: '/a?b' is not right"},
        {"BASE_PATH=/a/../b", "BASE_PATH: '/a/../b' is not right"},
        {"BASE_PATH=/a\"b", "BASE_PATH: '/a\"b' is not right"},
        {"BASE_PATH=//host", "BASE_PATH: '//host' is not right"},
        {"BASE_PATH=/api/map", "BASE_PATH: '/api/map' is not right"},
        {"SECRET_KEY=short", "SECRET_KEY: 5 characters found, at least 32 are needed"},
        {"SERVER_LATITUDE=91", "SERVER_LATITUDE: 91 is out of range"},
        {"SERVER_LATITUDE=9", "SERVER_LATITUDE: goes together with"},
        {"PLEX_SERVERS=[{\"url\":\"plex\"}]", "PLEX_SERVERS[0].url: 'plex' has no http://"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"token\":\"abc\",\"realtime_enabled\":false,"
         "\"session_polling_enabled\":false}]", "PLEX_SESSION_POLLING_ENABLED: live updates and polling "
                                                "are both off for plex-1"},
        {"PLEX_SERVERS={}", "PLEX_SERVERS: must be a list"},
        {"PLEX_SERVERS=[{\"token\":\"abc\"}]", "PLEX_SERVERS[0].url: is missing"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\"}]", "PLEX_SERVERS[0].token: is missing"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"tokn\":\"abc\"}]",
         "PLEX_SERVERS[0].tokn: no such option of a server; did you mean token?"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"token\":\"a\",\"enabled\":\"maybe\"}]",
         "PLEX_SERVERS[0].enabled: must be true or false"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"token\":\"a\",\"session_polling_interval\":\"0s\"}]",
         "PLEX_SERVERS[0].session_polling_interval: '0s' is not right"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"token\":\"a\",\"id\":\"a b\"}]",
         "PLEX_SERVERS[0].id: 'a b' is not right"},
        {"PLEX_SERVERS=[{\"url\":\"http://p:1\",\"token\":\"a\",\"id\":\"x\"},"
         "{\"url\":\"http://q:1\",\"token\":\"a\",\"id\":\"x\"}]",
         "PLEX_SERVERS[1].id: two servers go by 'x'"},
        {"PLEX_SERVERS=[7]", "PLEX_SERVERS[0]: must be a server"},
        {"PLEX_SERVERS=[", "PLEX_SERVERS: "},
        {"JELLYFIN_SERVERS=[{\"url\":\"http://j:8096\",\"token\":\"abc\"}]", NULL},
        {"JELLYFIN_SERVERS=[{\"url\":\"http://j:8096\",\"api_key\":\"abc\"}]", NULL},
        {"EMBY_ENABLED=true", "EMBY_API_KEY: is missing"},
        {"EMBY_TOKEN_FILE=/nowhere", "EMBY_TOKEN_FILE: cannot read '/nowhere' (No such file"},
        {"PLEX_TOKEN_FILE=/tmp", "PLEX_TOKEN_FILE: '/tmp' is no file"},
        {"CONFIG_PATH=/nowhere.yaml", "CONFIG_PATH: cannot read '/nowhere.yaml' (No such file"},
        {"API_MAX_PAGE_SIZE=10", "API_DEFAULT_PAGE_SIZE: 50 is more than API_MAX_PAGE_SIZE, which is 10"},
        {"SERVER_LATITUDE=nan", "SERVER_LATITUDE: 'nan' is not right"},
        {"IMPORT_MAX_SIZE=99999999999999999999", "IMPORT_MAX_SIZE: '99999999999999999999' is not right"},
        {"DATA_DIR=\xff", "DATA_DIR: is not UTF-8"},
        {"HTTP_PORT=  ", NULL}, /* blank is not set */
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
        {"http://plex:", "is no port", NULL},
        {"plex/prefix", "did you mean http://plex:32400/prefix ?", NULL},
        {"http://plex/prefix", "did you mean http://plex:32400/prefix ?", NULL},
        {"http://pl ex:32400", "has white space in it", NULL},
        {"ftp://plex:32400", "is neither http:// nor https://", NULL},
        {"https://plex.example/base/path/", NULL, "https://plex.example/base/path"},
        {"me:a-password@plex:32400", "user and password do not belong", NULL},
        {"plex:32400?X-Plex-Token=a-password", "ends before '?'", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *url = xasprintf("PLEX_URL=%s", rows[i].url);
        const char *environment[] = {GOOD, "ENABLE_PLEX_SYNC=true", "PLEX_TOKEN=tokentoken", url, NULL};
        struct config c;
        auto_free char *faults = NULL;
        enum status s = load(environment, NULL, &c, &faults);
        if (rows[i].expected) {
            if (!strstr(faults, rows[i].expected) || strstr(faults, "a-password"))
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
        {"http:\n  port: 1\n", "http.port: no such option"},
        {"http:\n  port: 1\n", "did you mean server.port?"},
        {"HTTP_PORT: 1\n", "did you mean server.port?"},
        {"plex_server:\n  - url: a\n", "did you mean plex_servers?"},
        {"xyzzy: 1\n", "xyzzy: no such option"},
        {"plex_servers: yes\n", "plex_servers: must be a list of servers"},
        {"server:\n  port:\n    - {a: b}\n", "server.port: must be a single value"},
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

/* A server's plays hang on its key: it may not change when another one is taken out of the list. */
static void servers_of_a_kind_are_listed_and_keep_their_ids(void **state)
{
    auto_free char *token = temporary_file("token-from-a-file\n");
    auto_free char *list = xasprintf(
        "EMBY_SERVERS=[{\"url\":\"http://a:8096/emby\",\"token_file\":\"%s\",\"id\":\"attic\"},"
        "{\"url\":\"https://b\",\"api_key\":\" bbbbbbbb \",\"name\":\"Barn\",\"tls_verify\":false,"
        "\"realtime_enabled\":false},"
        "{\"url\":\"http://c:1\",\"token\":\"c\",\"session_polling_interval\":\"2m\","
        "\"session_polling_enabled\":\"off\"},"
        "{\"enabled\":false}]", token);
    const char *environment[] = {GOOD, "EMBY_ENABLED=true", "EMBY_URL=http://z:8096",
                                 "EMBY_TOKEN=zzzzzzzz", list, NULL};
    struct config c;
    auto_free char *faults = NULL;
    if (load(environment, NULL, &c, &faults) != STATUS_OK)
        fail_msg("%s", faults);
    assert_int_equal(c.server_count, 4);
    static const struct {
        const char *key, *name, *url, *token;
        int64_t interval;
        bool is_realtime, is_polling, is_unverified;
    } rows[] = {
        {"emby-1", NULL, "http://z:8096", "zzzzzzzz", 30 * US_PER_S, true, true, false},
        {"attic", NULL, "http://a:8096/emby", "token-from-a-file", 30 * US_PER_S, true, true, false},
        {"emby-3", "Barn", "https://b", "bbbbbbbb", 30 * US_PER_S, false, true, true},
        {"emby-4", NULL, "http://c:1", "c", 2 * US_PER_MIN, true, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct server_config *s = &c.servers[i];
        assert_string_equal(s->key, rows[i].key);
        if (rows[i].name)
            assert_string_equal(s->name, rows[i].name);
        else
            assert_null(s->name);
        assert_string_equal(s->url, rows[i].url);
        assert_string_equal(s->token, rows[i].token);
        assert_int_equal(s->polling_interval_us, rows[i].interval);
        assert_int_equal(s->is_realtime, rows[i].is_realtime);
        assert_int_equal(s->is_polling, rows[i].is_polling);
        assert_int_equal(s->is_tls_unverified, rows[i].is_unverified);
    }
    unlink(token);
    config_done(&c);
}

/* Samples are refused; nothing that `openssl rand -base64 48` can write ever is. */
static void placeholders_are_whole_words(void **state)
{
    static const struct {
        const char *secret;
        bool is_refused;
    } rows[] = {
        {"change-me-change-me-change-me-change-me", true},
        {"your_jwt_secret_here_at_least_32_characters", true},
        {"REPLACE_WITH_A_LONG_RANDOM_STRING_OF_48", true},
        {"placeholder.placeholder.placeholder.pl", true},
        {"xxxTODOchangemePLACEHOLDERexampleFIXMExxxTODOchangemePLACEHOLDER", false},
        {"xxx/TODO+changeme/PLACEHOLDER/change+me/your+secret/FIXME+xxx+12", false},
        {"change my socks every day of the week", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_free char *setting = xasprintf("JWT_SECRET=%s", rows[i].secret);
        const char *environment[] = {setting, "ADMIN_USERNAME=ada", "SETUP=1",
                                     "ADMIN_PASSWORD=correct horse battery", NULL};
        struct config c;
        auto_free char *faults = NULL;
        bool is_refused = load(environment, NULL, &c, &faults) != STATUS_OK;
        if (is_refused != rows[i].is_refused)
            fail_msg("%s: %s", rows[i].secret, faults);
        if (is_refused)
            assert_non_null(strstr(faults, "JWT_SECRET: this is the text of a sample"));
        assert_null(strstr(faults, rows[i].secret));
        config_done(&c);
    }
}

static void a_secret_given_twice_is_a_fault(void **state)
{
    auto_free char *path = temporary_file("a-secret-of-a-file\n"), *empty = temporary_file(" \n");
    auto_free char *file = xasprintf("EMBY_API_KEY_FILE=%s", path);
    auto_free char *none = xasprintf("EMBY_API_KEY_FILE=%s", empty);
    const struct {
        const char *first, *second, *expected;
    } rows[] = {
        {"EMBY_API_KEY=a", file, "EMBY_API_KEY: is set, and so is EMBY_API_KEY_FILE"},
        {"EMBY_API_KEY=a", "EMBY_TOKEN=b", "EMBY_TOKEN: is set, and so is EMBY_API_KEY"},
        {"EMBY_TOKEN=b", file, "EMBY_TOKEN: is set, and so is EMBY_API_KEY"},
        {none, "SETUP=1", "is empty"},
        {"EMBY_API_KEY=", file, NULL}, /* empty is not set */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *environment[] = {GOOD, rows[i].first, rows[i].second, NULL};
        struct config c;
        auto_free char *faults = NULL;
        enum status s = load(environment, NULL, &c, &faults);
        if (!rows[i].expected && s != STATUS_OK)
            fail_msg("row %zu: %s", i, faults);
        if (rows[i].expected && !strstr(faults, rows[i].expected))
            fail_msg("row %zu: said '%s', expected '%s'", i, faults, rows[i].expected);
        config_done(&c);
    }
    unlink(path);
    unlink(empty);
}

/* What `init` wrote stays in force below a file of one's own. */
static void the_own_file_lies_below_the_named_one(void **state)
{
    char folder[] = "/tmp/cartographus-config-XXXXXX";
    assert_non_null(mkdtemp(folder));
    auto_free char *own = xasprintf("%s/cartographus.yaml", folder);
    FILE *f = fopen(own, "we");
    assert_non_null(f);
    fputs("security:\n  admin_username: ada\n  admin_password: correct horse battery\n"
          "server:\n  port: 4000\n", f);
    fclose(f);
    auto_free char *named = temporary_file("server:\n  port: 5000\nsetup: true\n");
    auto_free char *data = xasprintf("DATA_DIR=%s", folder);
    const char *environment[] = {data, "JWT_SECRET=0123456789abcdef0123456789abcdef", NULL};
    struct config c;
    auto_free char *faults = NULL;
    if (load(environment, named, &c, &faults) != STATUS_OK)
        fail_msg("%s", faults);
    assert_string_equal(c.admin_username, "ada");
    assert_int_equal(c.http_port, 5000);
    assert_string_equal(c.files[0], named);
    assert_string_equal(c.files[1], own);
    config_done(&c);
    unlink(own);
    unlink(named);
    rmdir(folder);
}

static void what_is_shown_can_be_read_back(void **state)
{
    static const struct {
        const char *setting, *shown;
    } rows[] = {
        {"SYNC_INTERVAL=300s", "SYNC_INTERVAL=5m\n"},
        {"SYNC_INTERVAL=90s", "SYNC_INTERVAL=90s\n"},
        {"SESSION_TIMEOUT=7d", "SESSION_TIMEOUT=7d\n"},
        {"DUCKDB_MAX_MEMORY=4294967296", "DUCKDB_MAX_MEMORY=4GB\n"},
        {"DUCKDB_MAX_MEMORY=1536MB", "DUCKDB_MAX_MEMORY=1536MB\n"},
        {"SERVER_LATITUDE=52.520008", "SERVER_LATITUDE=52.520008\n"},
        {"ENABLE_PLEX_REALTIME=off", "ENABLE_PLEX_REALTIME=false\n"},
        {"PLEX_TOKEN=abcdefghijk", "PLEX_TOKEN=***\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *environment[] = {GOOD, rows[i].setting, "SERVER_LONGITUDE=13.4",
                                     i == 5 ? NULL : "SERVER_LATITUDE=1", NULL};
        struct config c;
        auto_free char *faults = NULL;
        if (load(environment, NULL, &c, &faults) != STATUS_OK)
            fail_msg("%s", faults);
        auto_buf struct buf shown = {0};
        config_show(&c, &shown);
        if (!strstr(buf_text(&shown), rows[i].shown))
            fail_msg("%s: %s", rows[i].setting, buf_text(&shown));
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
        cmocka_unit_test(servers_of_a_kind_are_listed_and_keep_their_ids),
        cmocka_unit_test(placeholders_are_whole_words),
        cmocka_unit_test(a_secret_given_twice_is_a_fault),
        cmocka_unit_test(the_own_file_lies_below_the_named_one),
        cmocka_unit_test(what_is_shown_can_be_read_back),
        cmocka_unit_test(secrets_come_from_files_and_are_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
