/* Numbers, instants, dates, UTF-8: what parses reads back the same, what is cleaned is clean. */
#include "fuzz.h"

#include "base/clock.h"

static void numbers(struct str s)
{
    int64_t i, again;
    double d;
    if (str_to_i64(s, &i)) {
        char text[32];
        int n = snprintf(text, sizeof text, "%lld", (long long)i);
        CHECK(str_to_i64((struct str){text, (size_t)n}, &again) && again == i);
    }
    if (str_to_double(s, &d)) {
        CHECK(d == d);
        CHECK(d - d == 0);
    }
}

static void instants(struct str s)
{
    int64_t us, again, days, days_again;
    char text[TIME_TEXT_MAX];
    if (time_parse(s, &us)) {
        time_format(us, text);
        /* An offset may lead out of the four-digit years, where RFC 3339 ends. */
        if (text[0] != '-' && text[4] == '-') {
            CHECK(time_parse(str_of(text), &again));
            CHECK(again / US_PER_MS == us / US_PER_MS || us < 0);
        }
    }
    if (date_parse(s, &days)) {
        int64_t year;
        int month, day;
        civil_from_days(days, &year, &month, &day);
        snprintf(text, sizeof text, "%04d-%02d-%02d", (int)year, month, day);
        CHECK(date_parse(str_of(text), &days_again) && days_again == days);
    }
}

static void bytes(struct str s)
{
    auto_buf struct buf clean = {0}, url = {0};
    buf_add_clean_utf8(&clean, s);
    CHECK(str_is_utf8(buf_str(&clean)));
    buf_add_urlencoded(&url, s);
    CHECK(url.len <= 3 * s.len);
    for (size_t i = 0; i < url.len; i++)
        CHECK(url.data[i] > ' ' && url.data[i] < 127);
    struct str trimmed = str_trim(s), rest = s, piece;
    CHECK(trimmed.len <= s.len);
    size_t total = 0, pieces = 0;
    while (str_next(&rest, ',', &piece)) {
        total += piece.len;
        pieces++;
    }
    CHECK(pieces >= 1 && total + pieces - 1 == s.len);
    if (s.len < 64)
        CHECK(str_distance(s, s, 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = input_of(data, size);
    numbers(s);
    instants(s);
    bytes(s);
    return 0;
}
