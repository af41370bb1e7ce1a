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
static void mark_spans(int64_t most, int64_t (*span_of)(int64_t us), const struct backup_entry *list,
                       size_t count, bool *ret_keep)
{
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < count && most > 0; i++) {
        int64_t span = span_of(list[i].made_us);
        if (span == last)
            continue;
        last = span;
        ret_keep[i] = true;
        most--;
    }
}

void retention_mark(const struct retention *r, const struct backup_entry *list, size_t count,
                    bool *ret_keep)
{
    for (size_t i = 0; i < count; i++)
        ret_keep[i] = i == 0 || (int64_t)i < r->newest;
    mark_spans(r->daily, day_of, list, count, ret_keep);
    mark_spans(r->weekly, week_of, list, count, ret_keep);
    mark_spans(r->monthly, month_of, list, count, ret_keep);
}

enum status retention_apply(const struct retention *r, const char *folder, size_t *ret_removed,
                            struct error *err)
{
    auto_free struct backup_entry *list = NULL;
    size_t count = 0;
    *ret_removed = 0;
    TRY(backup_list(folder, &list, &count, err));
    auto_free bool *keep = xcalloc(count + 1, sizeof *keep);
    retention_mark(r, list, count, keep);
    for (size_t i = count; i-- > 0;) { /* oldest first */
        if (keep[i])
            continue;
        TRY(backup_remove(folder, list[i].name, err));
        ++*ret_removed;
    }
    return STATUS_OK;
}
