/* The live list of media servers: configured, stored, changed by several threads. */
#include "../test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "servers/servers.h"

static char folder[] = "/tmp/servers-XXXXXX";
static char path[64], key_path[64];
static struct server_config configured[] = {
    {.kind = SERVER_PLEX, .key = (char[]){"plex-1"}, .url = (char[]){"http://p:1"}, .token = (char[]){"token-1"},
     .is_realtime = true}};

static struct servers *open_list(bool is_looking)
{
    struct servers_config c = {.path = path, .key_path = key_path, .secret = "", .configured = configured,
                               .configured_count = ARRAY_LEN(configured), .is_looking = is_looking};
    for (unsigned k = 0; k < SERVER_KINDS; k++)
        c.usual[k] = (struct server_config){.is_realtime = true, .is_polling = true};
    struct servers *s = NULL;
    struct error err = {0};
    if (servers_open(&c, &s, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return s;
}

static int make_folder(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.sqlite", folder);
    snprintf(key_path, sizeof key_path, "%s/secret.key", folder);
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"a.sqlite", "a.sqlite-wal", "a.sqlite-shm", "b.sqlite", "secret.key"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *file = xasprintf("%s/%s", folder, names[i]);
        unlink(file);
    }
    return 0;
}

static int remove_folder(void **state)
{
    return rmdir(folder);
}

static struct server_change change(const char *url, const char *token, const char *machine_id)
{
    struct server_change c = SERVER_CHANGE_NOTHING;
    c.url = url;
    c.token = token;
    c.machine_id = machine_id;
    return c;
}

static void stored_ones_come_after_configured_ones_and_stay(void **state)
{
    struct error err;
    char key[SERVER_KEY_MAX + 1], other[SERVER_KEY_MAX + 1];
    struct servers *s = open_list(false);
    struct server_change c = change("http://j:8096", "token-of-j", "machine-j");
    assert_int_equal(servers_count_stored(path, NULL), 0);
    assert_int_equal(servers_add(s, SERVER_JELLYFIN, NULL, &c, key, &err), STATUS_OK);
    assert_int_equal(strncmp(key, "jellyfin-", 9), 0);
    assert_int_equal(servers_add(s, SERVER_JELLYFIN, NULL, &c, other, &err), STATUS_CONFLICT);
    c.machine_id = "machine-k";
    assert_int_equal(servers_add(s, SERVER_JELLYFIN, "den", &c, other, &err), STATUS_OK);
    assert_string_equal(other, "den");
    auto_server_list struct server_list *held = servers_get(s);
    assert_int_equal(held->count, 3);
    assert_string_equal(held->entries[0].config.key, "plex-1");
    assert_false(held->entries[0].is_stored);
    struct server_change edit = SERVER_CHANGE_NOTHING;
    edit.name = "Attic";
    edit.is_enabled = 0;
    assert_int_equal(servers_edit(s, key, &edit, &err), STATUS_OK);
    assert_int_equal(servers_edit(s, "plex-1", &edit, &err), STATUS_CONFLICT);
    assert_int_equal(servers_edit(s, "nobody", &edit, &err), STATUS_NOT_FOUND);
    assert_int_equal(servers_remove(s, "plex-1", &err), STATUS_CONFLICT);
    assert_int_equal(servers_remove(s, "den", &err), STATUS_OK);
    /* Who holds a list keeps what it saw. */
    assert_int_equal(held->count, 3);
    assert_null(server_list_find(held, key)->config.name);
    servers_close(s);
    assert_int_equal(servers_count_stored(path, NULL), 1);
    assert_int_equal(servers_count_stored(path, "no kind"), 0);

    s = open_list(true);
    auto_server_list struct server_list *again = servers_get(s);
    const struct server_entry *e = server_list_find(again, key);
    assert_int_equal(again->count, 2);
    assert_string_equal(e->config.token, "token-of-j");
    assert_string_equal(e->config.name, "Attic");
    assert_string_equal(e->machine_id, "machine-j");
    assert_true(e->is_stored && !e->is_enabled && e->config.is_polling && !e->config.is_tls_unverified);
    servers_close(s);
}

static void another_key_leaves_them_without_their_tokens(void **state)
{
    struct error err;
    char key[SERVER_KEY_MAX + 1];
    struct servers *s = open_list(false);
    struct server_change c = change("http://e:8096", "token-of-e", "machine-e");
    assert_int_equal(servers_add(s, SERVER_EMBY, NULL, &c, key, &err), STATUS_OK);
    servers_close(s);
    unlink(key_path);
    s = open_list(false);
    {
        auto_server_list struct server_list *l = servers_get(s);
        assert_null(server_list_find(l, key)->config.token);
    }
    struct server_change token = change(NULL, "token-of-e", NULL);
    assert_int_equal(servers_edit(s, key, &token, &err), STATUS_OK);
    auto_server_list struct server_list *l = servers_get(s);
    assert_string_equal(server_list_find(l, key)->config.token, "token-of-e");
    servers_close(s);
}

static void a_backup_has_the_servers_and_no_token(void **state)
{
    struct error err;
    char key[SERVER_KEY_MAX + 1];
    auto_free char *copy = xasprintf("%s/b.sqlite", folder);
    struct servers *s = open_list(false);
    struct server_change c = change("http://e:8096", "token-of-e", "machine-e");
    assert_int_equal(servers_add(s, SERVER_EMBY, NULL, &c, key, &err), STATUS_OK);
    assert_int_equal(servers_backup(path, copy, &err), STATUS_OK);
    servers_close(s);
    assert_int_equal(servers_count_stored(copy, NULL), 1);
    unlink(path);
    assert_int_equal(rename(copy, path), 0);
    s = open_list(false);
    auto_server_list struct server_list *l = servers_get(s);
    assert_string_equal(server_list_find(l, key)->config.url, "http://e:8096");
    assert_null(server_list_find(l, key)->config.token);
    servers_close(s);
}

static void there_is_a_most(void **state)
{
    struct error err;
    char key[SERVER_KEY_MAX + 1];
    struct servers *s = open_list(false);
    struct server_change c = change("http://e:8096", "token-of-e", "");
    for (unsigned i = 1; i < SERVERS_MAX; i++)
        assert_int_equal(servers_add(s, SERVER_EMBY, NULL, &c, key, &err), STATUS_OK);
    assert_int_equal(servers_add(s, SERVER_EMBY, NULL, &c, key, &err), STATUS_TOO_LARGE);
    servers_close(s);
}

static void a_configured_one_by_the_same_key_is_a_fault(void **state)
{
    struct error err = {0};
    char key[SERVER_KEY_MAX + 1];
    struct servers_config c = {.path = path, .key_path = key_path, .secret = ""};
    struct servers *s = NULL;
    assert_int_equal(servers_open(&c, &s, &err), STATUS_OK);
    struct server_change one = change("http://p:1", "token-of-p", "machine-p");
    assert_int_equal(servers_add(s, SERVER_PLEX, "plex-1", &one, key, &err), STATUS_OK);
    servers_close(s);
    c.configured = configured;
    c.configured_count = 1;
    assert_int_equal(servers_open(&c, &s, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "give the configured one an id of its own"));
}

/* --- threads ----------------------------------------------------------------------------------- */

struct busy {
    struct servers *servers;
    atomic_bool is_over;
    atomic_uint added;
    size_t heard; /* within changes, which come one after the other */
};

static void heard(void *ctx, const struct server_list *l)
{
    struct busy *b = ctx;
    b->heard = l->count;
}

static void *change_much(void *ctx)
{
    struct busy *b = ctx;
    for (int i = 0; i < 20; i++) {
        char key[SERVER_KEY_MAX + 1];
        struct error err;
        struct server_change c = change("http://e:8096", "token-of-e", "the same machine");
        if (servers_add(b->servers, SERVER_EMBY, NULL, &c, key, &err) != STATUS_OK)
            continue;
        atomic_fetch_add(&b->added, 1);
        c = change(NULL, "another token", NULL);
        (void)!servers_edit(b->servers, key, &c, &err);
        if (i < 19)
            (void)!servers_remove(b->servers, key, &err);
    }
    return NULL;
}

static void *read_much(void *ctx)
{
    struct busy *b = ctx;
    while (!atomic_load(&b->is_over)) {
        auto_server_list struct server_list *l = servers_get(b->servers);
        unsigned stored = 0;
        for (size_t i = 0; i < l->count; i++)
            stored += l->entries[i].is_stored;
        if (stored > 1)
            return ctx;
    }
    return NULL;
}

static void many_at_once_never_see_a_machine_twice(void **state)
{
    struct busy b = {.servers = open_list(false)};
    pthread_t writers[3], readers[2];
    servers_listen(b.servers, NULL, heard, &b);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        pthread_create(&readers[i], NULL, read_much, &b);
    for (size_t i = 0; i < ARRAY_LEN(writers); i++)
        pthread_create(&writers[i], NULL, change_much, &b);
    for (size_t i = 0; i < ARRAY_LEN(writers); i++)
        pthread_join(writers[i], NULL);
    atomic_store(&b.is_over, true);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        void *saw_two;
        pthread_join(readers[i], &saw_two);
        assert_null(saw_two);
    }
    assert_true(atomic_load(&b.added) > 0);
    auto_server_list struct server_list *l = servers_get(b.servers);
    assert_int_equal(b.heard, l->count);
    servers_close(b.servers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(stored_ones_come_after_configured_ones_and_stay, remove_files),
        cmocka_unit_test_teardown(another_key_leaves_them_without_their_tokens, remove_files),
        cmocka_unit_test_teardown(a_backup_has_the_servers_and_no_token, remove_files),
        cmocka_unit_test_teardown(there_is_a_most, remove_files),
        cmocka_unit_test_teardown(a_configured_one_by_the_same_key_is_a_fault, remove_files),
        cmocka_unit_test_teardown(many_at_once_never_see_a_machine_twice, remove_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
