#include "../test.h"

#include "auth/basic.h"
#include "base/str.h"

#include "base/banned.h"

static void headers_are_read_or_refused(void **state)
{
    static const struct {
        const char *header;
        const char *name, *password; /* NULL: refused */
    } rows[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"bAsIc dGVzdDoxMjPCow==", "test", "123\u00a3"}, /* RFC 7617's own */
        {"Basic YTpiOmM=", "a", "b:c"},
        {"Basic YTo=", "a", ""},
        {"Basic", NULL, NULL},
        {"Basic ", NULL, NULL},
        {"Bearer YTpi", NULL, NULL},
        {"Basic YWI=", NULL, NULL}, /* no colon */
        {"Basic OmI=", NULL, NULL}, /* no name */
        {"Basic YTpi!", NULL, NULL},
        {"Basic YTpi YTpi", NULL, NULL},
        {"Basic YTr/", NULL, NULL},     /* no UTF-8 */
        {"Basic YQA6Yg==", NULL, NULL}, /* a NUL */
        {"Basic YQo6Yg==", NULL, NULL}, /* a line's end */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct basic_credentials c = {0};
        bool is_read = basic_parse(rows[i].header, &c);
        if (is_read != (rows[i].name != NULL))
            fail_msg("'%s' was %s", rows[i].header, is_read ? "read" : "refused");
        if (is_read) {
            assert_string_equal(c.name, rows[i].name);
            assert_string_equal(c.password, rows[i].password);
        }
    }
}

static void what_is_too_long_is_refused(void **state)
{
    char header[4000] = "Basic ";
    memset(header + 6, 'Q', sizeof header - 7);
    struct basic_credentials c;
    assert_false(basic_parse(header, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read_or_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
