#include "sql/order.h"

#include "base/banned.h"

static void clean(char *dst, size_t size)
{
    auto_buf struct buf b = {0};
    dst[size - 1] = '\0';
    buf_add_clean_utf8(&b, str_of(dst));
    size_t n = b.len < size - 1 ? b.len : size - 1;
    memcpy(dst, buf_text(&b), n);
    dst[n] = '\0';
}

enum status sql_report_read(const void *bytes, size_t len, struct sql_report *ret, struct error *err)
{
    if (len != sizeof *ret)
        return fail(err, STATUS_PROTOCOL, "the process that answers reports %zu bytes", len);
    memcpy(ret, bytes, len);
    if (ret->magic != SQL_MAGIC || ret->status < STATUS_OK || ret->status > STATUS_INTERNAL ||
        ret->rows < 0 || ret->bytes < 0 || ret->took_us < 0)
        return fail(err, STATUS_PROTOCOL, "the process that answers reports what it cannot");
    clean(ret->field, sizeof ret->field);
    clean(ret->text, sizeof ret->text);
    return STATUS_OK;
}
