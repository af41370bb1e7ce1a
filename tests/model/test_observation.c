#include "../test.h"

#include "model/observation.h"

static void the_wire_form_round_trips(void **state)
{
    struct observation o, back;
    observation_init(&o);
    o.server = "plex-1";
    o.session = "5@17";
    o.observed_us = 17;
    o.state = PLAY_PAUSED;
    o.title = "Caf\xc3\xa9 \"noir\"";
    o.position_ms = 0;
    o.secure = 0;
    o.blind_ms = 3;
    o.is_interrupted = true;
    auto_buf struct buf text = {0};
    struct json_writer w;
    jw_begin(&w, &text);
    observation_write(&w, &o);
    auto_arena struct arena a = {0};
    struct error err;
    if (observation_read(text.data, text.len, &a, &back, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_true(observation_same_but_progress(&o, &back));
    assert_int_equal(back.position_ms, 0);
    assert_int_equal(back.secure, 0);
    assert_int_equal(back.year, -1);
    assert_int_equal(back.blind_ms, 3);
    assert_true(back.is_interrupted);
    assert_string_equal(back.title, o.title);
}

static void what_is_not_an_observation_is_refused(void **state)
{
    static const char *const rows[] = {
        "{}", "[]", "null", "{\"server\":\"a\",\"session\":\"b\",\"observed_us\":1}",
        "{\"server\":\"a\",\"session\":\"b\",\"observed_us\":1,\"state\":\"dancing\"}", "{\"a\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        struct observation o;
        struct error err;
        if (observation_read(rows[i], strlen(rows[i]), &a, &o, &err) != STATUS_PROTOCOL)
            fail_msg("accepted %s", rows[i]);
    }
}

static void progress_is_told_from_change(void **state)
{
    struct observation a, b;
    observation_init(&a);
    b = a;
    b.position_ms = 5000;
    b.observed_us = 9;
    assert_true(observation_same_but_progress(&a, &b));
    b.audio_codec = "aac";
    assert_false(observation_same_but_progress(&a, &b));
    b = a;
    b.state = PLAY_PAUSED;
    assert_false(observation_same_but_progress(&a, &b));
}

static void an_old_agents_guid_names_a_film_and_no_episode(void **state)
{
    static const struct {
        const char *media_type, *guid, *id;
    } rows[] = {
        {"movie", "com.plexapp.agents.imdb://tt0113277?lang=en", "imdb:tt0113277"},
        {"movie", "com.plexapp.agents.themoviedb://949?lang=en", "tmdb:949"},
        {"movie", "com.plexapp.agents.imdb://", ""},
        {"movie", "com.plexapp.agents.none://1f2e", ""},
        {"movie", "plex://movie/5d7768", ""},
        {"movie", "", ""},
        {"episode", "com.plexapp.agents.themoviedb://1399/1/2?lang=en", ""},
        {"episode", "com.plexapp.agents.thetvdb://121361/1/2?lang=en", ""},
        {"track", "com.plexapp.agents.imdb://tt1", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_arena struct arena a = {0};
        assert_string_equal(plex_agent_id(&a, rows[i].media_type, rows[i].guid), rows[i].id);
    }
}

static void kinds_of_servers_go_by_their_words(void **state)
{
    enum server_kind kind;
    for (unsigned k = 0; k < SERVER_KINDS; k++) {
        assert_true(server_kind_parse(str_of(server_kind_name((enum server_kind)k)), &kind));
        assert_int_equal(kind, k);
    }
    assert_string_equal(server_kind_name(SERVER_PLEX), "plex"); /* in the store for good */
    assert_string_equal(server_kind_name(SERVER_JELLYFIN), "jellyfin");
    assert_string_equal(server_kind_name(SERVER_EMBY), "emby");
    assert_false(server_kind_parse(STR("Plex"), &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_form_round_trips),
        cmocka_unit_test(what_is_not_an_observation_is_refused),
        cmocka_unit_test(progress_is_told_from_change),
        cmocka_unit_test(an_old_agents_guid_names_a_film_and_no_episode),
        cmocka_unit_test(kinds_of_servers_go_by_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
