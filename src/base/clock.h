/*
 * Time. One type everywhere: int64_t microseconds since 1970-01-01T00:00:00Z ("_us"). Calendar
 * work in a person's zone is done in SQL (DuckDB's ICU); C only knows UTC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define US_PER_MIN (60 * US_PER_S)
#define US_PER_HOUR (60 * US_PER_MIN)
#define US_PER_DAY (24 * US_PER_HOUR)

/* No time known. */
#define TIME_NONE INT64_MIN

/* The wall clock. */
int64_t clock_now_us(void);
/* A clock that never jumps, for deadlines and durations. */
int64_t clock_monotonic_us(void);

enum { TIME_TEXT_MAX = 40 };
/* Writes RFC 3339 in UTC with milliseconds ("2026-01-02T03:04:05.678Z") and returns dst. */
const char *time_format(int64_t us, char dst[static TIME_TEXT_MAX]);
/* Parses RFC 3339 / ISO 8601 with offset or Z and up to 9 fraction digits. */
bool time_parse(struct str s, int64_t *ret_us);
/* Days from 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t days_from_civil(int64_t year, int month, int day);
void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);
/* "YYYY-MM-DD" -> days from 1970-01-01; false on anything that is not a real date. */
bool date_parse(struct str s, int64_t *ret_days);
/* "2h 3m", "45s", "3d 4h": for people. */
enum { DURATION_TEXT_MAX = 32 };
const char *duration_format(int64_t us, char dst[static DURATION_TEXT_MAX]);
