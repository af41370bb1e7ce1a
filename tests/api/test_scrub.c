#include "../test.h"

#include "api/scrub.h"

#include "base/banned.h"

static void check(struct scrubber *s, bool is_log, const char *text, const char *right)
{
    auto_buf struct buf out = {0};
    if (is_log)
        scrub_log(s, str_of(text), &out);
    else
        scrub_text(s, str_of(text), &out);
    assert_string_equal(buf_text(&out), right);
}

static void words_that_may_tell_of_somebody_are_pseudonyms(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"the store is well", "the store is well"},
        {"connect to 192.168.1.7 port 32400 failed", "connect to address-1 port 32400 failed"},
        {"192.168.1.7:32400, then 10.0.0.1, then 192.168.1.7", "address-2, then address-3, then address-1"},
        {"[fd00::1]:80 and fd00::1.", "address-4 and address-5."},
        {"GET http://nas:8096/emby?x=1: refused", "GET url-1: refused"},
        {"(nas.example.org:32400)", "(host-1)"},
        {"open '/srv/bob/x y.db': no such file", "open text-1: no such file"},
        {"open /srv/bob/x.db: no such file", "open path-1: no such file"},
        {"mail bob@example.org", "mail text-2"},
        {"can't do it", "can't do it"},
        {"'cut short", "text-3"},
        {"Plex 1.40.1.8227-c0dd5a73e answered 200", "Plex 1.40.1.8227-c0dd5a73e answered 200"},
        {"Duplicate key \"name: Bob\"", "Duplicate key text-4"},
    };
    struct scrubber *s = scrubber_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check(s, false, rows[i][0], rows[i][1]);
    scrubber_free(s);
}

static void names_are_found_as_words_whatever_their_case(void **state)
{
    struct scrubber *s = scrubber_new();
    scrubber_add_name(s, "Ann");
    scrubber_add_name(s, "Ann Marie");
    scrubber_add_name(s, "Café Müller");
    scrubber_add_name(s, "Up");
    scrubber_add_name(s, NULL);
    check(s, false, "ANN MARIE and ann know café müller", "name-1 and name-2 know name-3");
    check(s, false, "Café Müller is up; annual, Ann-Marie", "name-3 is up; annual, name-2-Marie");
    scrubber_free(s);
}

static void of_a_line_only_the_programs_own_words_stay(void **state)
{
    struct scrubber *s = scrubber_new();
    check(s, true,
          "time=2026-01-02T03:04:05.678Z level=warn module=sources msg=\"no answer\" thread=collector"
          " server=\"Attic Plex\" file=12345678 took_us=12 error=\"connect to 10.0.0.7: \\\"x y\\\" refused\"\n"
          "no line of ours, with Bob\n"
          "level=info module=app server=\"Attic Plex\" file=1\n",
          "time=2026-01-02T03:04:05.678Z level=warn module=sources msg=\"no answer\" thread=collector"
          " server=server-1 file=file-1 took_us=12 error=[connect to address-1: text-1 refused]\n"
          "level=info module=app server=server-1 file=file-2\n");
    check(s, true, "module=auth msg=\"login refused\" error=\"Bob is known to nobody\"\n",
          "module=auth msg=\"login refused\" error=error-1\n");
    check(s, true, "module=x error=\"cut short", "module=x error=\n");
    scrubber_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_may_tell_of_somebody_are_pseudonyms),
        cmocka_unit_test(names_are_found_as_words_whatever_their_case),
        cmocka_unit_test(of_a_line_only_the_programs_own_words_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
