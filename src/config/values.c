#include "config/loading.h"

#include <ctype.h>

#include "base/clock.h"

#include "base/banned.h"

bool config_parse_bool(struct str s, bool *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = str_eq_nocase(s, str_of(yes[i]));
        if (is_yes || str_eq_nocase(s, str_of(no[i]))) {
            *ret = is_yes;
            return true;
        }
    }
    return false;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit *find_unit(struct str name, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(name, str_of(units[i].name)))
            return &units[i];
    return NULL;
}

/* One or more "<number><unit>" parts, such as 1h30m; units from a table. */
static bool parse_units(struct str s, const struct unit *units, size_t count, int64_t *ret)
{
    int64_t total = 0;
    if (!s.len)
        return false;
    while (s.len) {
        size_t digits = 0;
        while (digits < s.len && isdigit((unsigned char)s.ptr[digits]))
            digits++;
        size_t end = digits;
        while (end < s.len && !isdigit((unsigned char)s.ptr[end]))
            end++;
        int64_t n;
        if (!str_to_i64((struct str){s.ptr, digits}, &n))
            return false;
        const struct unit *u =
            find_unit(str_trim((struct str){s.ptr + digits, end - digits}), units, count);
        if (!u || __builtin_mul_overflow(n, u->factor, &n) ||
            __builtin_add_overflow(total, n, &total))
            return false;
        s.ptr += end;
        s.len -= end;
    }
    *ret = total;
    return true;
}

bool config_parse_duration(struct str s, int64_t *ret_us)
{
    static const struct unit units[] = {{"ms", US_PER_MS}, {"s", US_PER_S},   {"m", US_PER_MIN},
                                        {"h", US_PER_HOUR}, {"d", US_PER_DAY}};
    *ret_us = 0;
    return str_eq(s, STR("0")) || parse_units(s, units, ARRAY_LEN(units), ret_us);
}

bool config_parse_size(struct str s, int64_t *ret_bytes)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"KB", INT64_C(1) << 10},
                                        {"MB", INT64_C(1) << 20},
                                        {"GB", INT64_C(1) << 30},
                                        {"TB", INT64_C(1) << 40},
                                        {"KiB", INT64_C(1) << 10},
                                        {"MiB", INT64_C(1) << 20},
                                        {"GiB", INT64_C(1) << 30},
                                        {"TiB", INT64_C(1) << 40}};
    return parse_units(s, units, ARRAY_LEN(units), ret_bytes);
}
