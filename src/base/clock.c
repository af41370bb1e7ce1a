#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/banned.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Howard Hinnant's days_from_civil and civil_from_days (public formulae, "chrono-compatible
 * low-level date algorithms"). */
int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2);
}

/* Exports write millions of times: printf would be most of their work. */
static void put_two(char *dst, unsigned v)
{
    memcpy(dst, &two_digits[v * 2], 2);
}

const char *time_format(int64_t us, char dst[static TIME_TEXT_MAX])
{
    int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
    if (rest < 0) {
        rest += US_PER_DAY;
        days--;
    }
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    int hour = (int)(rest / US_PER_HOUR), minute = (int)(rest / US_PER_MIN % 60),
        second = (int)(rest / US_PER_S % 60), ms = (int)(rest / US_PER_MS % 1000);
    if (year < 0 || year > 9999) {
        snprintf(dst, TIME_TEXT_MAX, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                 hour, minute, second, ms);
        return dst;
    }
    memcpy(dst, "0000-00-00T00:00:00.000Z", sizeof "0000-00-00T00:00:00.000Z");
    put_two(dst, (unsigned)year / 100);
    put_two(dst + 2, (unsigned)year % 100);
    put_two(dst + 5, (unsigned)month);
    put_two(dst + 8, (unsigned)day);
    put_two(dst + 11, (unsigned)hour);
    put_two(dst + 14, (unsigned)minute);
    put_two(dst + 17, (unsigned)second);
    put_two(dst + 20, (unsigned)ms / 10);
    dst[22] = (char)('0' + ms % 10);
    return dst;
}

static bool digits(struct str *s, int n, int *ret)
{
    if (s->len < (size_t)n)
        return false;
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (s->ptr[i] - '0');
    }
    s->ptr += n;
    s->len -= (size_t)n;
    *ret = v;
    return true;
}

static bool take(struct str *s, char c)
{
    if (!s->len || s->ptr[0] != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static bool take_date(struct str *s, int64_t *ret_days)
{
    int year, month, day;
    if (!digits(s, 4, &year) || !take(s, '-') || !digits(s, 2, &month) || !take(s, '-') ||
        !digits(s, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1)
        return false;
    int64_t days = days_from_civil(year, month, day);
    int64_t y;
    int m, d;
    civil_from_days(days, &y, &m, &d);
    if (y != year || m != month || d != day)
        return false;
    *ret_days = days;
    return true;
}

bool date_parse(struct str s, int64_t *ret_days)
{
    return take_date(&s, ret_days) && s.len == 0;
}

bool time_parse(struct str s, int64_t *ret_us)
{
    int64_t days;
    int hour, minute, second;
    if (!take_date(&s, &days) || !(take(&s, 'T') || take(&s, 't') || take(&s, ' ')) ||
        !digits(&s, 2, &hour) || !take(&s, ':') || !digits(&s, 2, &minute) || !take(&s, ':') ||
        !digits(&s, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t fraction = 0;
    if (take(&s, '.')) {
        int64_t scale = US_PER_S / 10;
        int seen = 0, digit;
        while (digits(&s, 1, &digit)) {
            if (++seen > 9)
                return false;
            fraction += digit * scale;
            scale /= 10;
        }
        if (!seen)
            return false;
    }
    int64_t offset = 0;
    if (!take(&s, 'Z') && !take(&s, 'z')) {
        int64_t sign;
        if (take(&s, '+'))
            sign = 1;
        else if (take(&s, '-'))
            sign = -1;
        else
            return false;
        int oh, om;
        if (!digits(&s, 2, &oh))
            return false;
        (void)take(&s, ':');
        if (!digits(&s, 2, &om) || oh > 23 || om > 59)
            return false;
        offset = sign * (oh * US_PER_HOUR + om * US_PER_MIN);
    }
    if (s.len)
        return false;
    *ret_us = days * US_PER_DAY + hour * US_PER_HOUR + minute * US_PER_MIN + second * US_PER_S +
              fraction - offset;
    return true;
}

const char *duration_format(int64_t us, char dst[static DURATION_TEXT_MAX])
{
    int64_t s = us / US_PER_S;
    if (s < 60)
        snprintf(dst, DURATION_TEXT_MAX, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(dst, DURATION_TEXT_MAX, "%" PRId64 "m %" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(dst, DURATION_TEXT_MAX, "%" PRId64 "h %" PRId64 "m", s / 3600, s / 60 % 60);
    else
        snprintf(dst, DURATION_TEXT_MAX, "%" PRId64 "d %" PRId64 "h", s / 86400, s / 3600 % 24);
    return dst;
}
