#include "backup/retention.h"

#include "base/clock.h"
#include "base/mem.h"

#include "base/banned.h"

enum { MONDAY = 3 }; /* 1970-01-01 was a Thursday */

static int64_t day_of(int64_t us)
{
    return us / US_PER_DAY;
}

static int64_t week_of(int64_t us)
{
    return (us / US_PER_DAY + MONDAY) / 7;
}

static int64_t month_of(int64_t us)
{
    int64_t year;
    int month, day;
    civil_from_days(us / US_PER_DAY, &year, &month, &day);
    return year * 12 + month;
}

/* The newest of each of the last `most` spans that have any. */
static void mark_spans(int64_t most, int64_t (*span_of)(int64_t us), enum retention_why why,
                       const struct backup_entry *list, size_t count, unsigned *ret_why)
{
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < count && most > 0; i++) {
        int64_t span = span_of(list[i].made_us);
        if (span == last)
            continue;
        last = span;
        ret_why[i] |= why;
        most--;
    }
}

void retention_mark(const struct retention *r, const struct backup_entry *list, size_t count,
                    unsigned *ret_why)
{
    for (size_t i = 0; i < count; i++)
        ret_why[i] = i == 0 || (int64_t)i < r->newest ? KEPT_NEWEST : 0;
    mark_spans(r->daily, day_of, KEPT_DAILY, list, count, ret_why);
    mark_spans(r->weekly, week_of, KEPT_WEEKLY, list, count, ret_why);
    mark_spans(r->monthly, month_of, KEPT_MONTHLY, list, count, ret_why);
}

enum status retention_apply(const struct retention *r, const char *folder, size_t *ret_removed,
                            struct error *err)
{
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    *ret_removed = 0;
    TRY(backup_list(folder, &list, &count, err));
    auto_free unsigned *why = xcalloc(count + 1, sizeof *why);
    retention_mark(r, list, count, why);
    for (size_t i = count; i-- > 0;) { /* oldest first */
        if (why[i])
            continue;
        TRY(backup_remove(folder, list[i].name, err));
        ++*ret_removed;
    }
    return STATUS_OK;
}
