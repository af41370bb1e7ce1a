#include "store/cell.h"

#include <math.h>

#include "base/clock.h"
#include "base/json_write.h"

#include "base/banned.h"

static enum status read_struct(duckdb_logical_type type, struct cell_type *ret, struct error *err)
{
    size_t count = duckdb_struct_type_child_count(type);
    ret->parts = xcalloc(count, sizeof *ret->parts);
    ret->names = xcalloc(count, sizeof *ret->names);
    for (size_t i = 0; i < count; i++) {
        auto_type duckdb_logical_type part = duckdb_struct_type_child_type(type, i);
        char *name = duckdb_struct_type_child_name(type, i);
        ret->names[i] = xstrdup(name);
        duckdb_free(name);
        ret->part_count = i + 1;
        TRY(cell_type_read(part, &ret->parts[i], err));
    }
    return STATUS_OK;
}

/* Stored as a list of key and value. */
static enum status read_map(duckdb_logical_type type, struct cell_type *ret, struct error *err)
{
    static const char *const names[] = {"key", "value"};
    duckdb_logical_type types[] = {duckdb_map_type_key_type(type), duckdb_map_type_value_type(type)};
    ret->parts = xcalloc(1, sizeof *ret->parts);
    ret->part_count = 1;
    struct cell_type *pair = &ret->parts[0];
    *pair = (struct cell_type){.id = DUCKDB_TYPE_STRUCT};
    pair->parts = xcalloc(ARRAY_LEN(types), sizeof *pair->parts);
    pair->names = xcalloc(ARRAY_LEN(types), sizeof *pair->names);
    enum status s = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        pair->names[i] = xstrdup(names[i]);
        pair->part_count = i + 1;
        if (s == STATUS_OK)
            s = cell_type_read(types[i], &pair->parts[i], err);
        duckdb_destroy_logical_type(&types[i]);
    }
    return s;
}

enum status cell_type_read(duckdb_logical_type type, struct cell_type *ret, struct error *err)
{
    *ret = (struct cell_type){.id = duckdb_get_type_id(type)};
    enum status s = STATUS_OK;
    switch ((int)ret->id) {
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_INTERVAL:
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_SQLNULL:
        break;
    case DUCKDB_TYPE_DECIMAL:
        ret->stored = duckdb_decimal_internal_type(type);
        ret->scale = duckdb_decimal_scale(type);
        break;
    case DUCKDB_TYPE_LIST: {
        auto_type duckdb_logical_type part = duckdb_list_type_child_type(type);
        ret->parts = xcalloc(1, sizeof *ret->parts);
        ret->part_count = 1;
        s = cell_type_read(part, &ret->parts[0], err);
        break;
    }
    case DUCKDB_TYPE_STRUCT:
        s = read_struct(type, ret, err);
        break;
    case DUCKDB_TYPE_MAP:
        s = read_map(type, ret, err);
        break;
    default:
        s = fail(err, STATUS_INTERNAL, "a value of type %d has no text form", (int)ret->id);
    }
    if (s != STATUS_OK)
        cell_type_done(ret);
    return s;
}

void cell_type_set_foreign(struct cell_type *t)
{
    t->is_foreign = true;
    for (size_t i = 0; i < t->part_count; i++)
        cell_type_set_foreign(&t->parts[i]);
}

void cell_type_done(struct cell_type *t)
{
    for (size_t i = 0; i < t->part_count; i++) {
        cell_type_done(&t->parts[i]);
        if (t->names)
            free(t->names[i]);
    }
    free(t->parts);
    free(t->names);
    *t = (struct cell_type){0};
}

struct cell_vector cell_vector(duckdb_vector v)
{
    return (struct cell_vector){v, duckdb_vector_get_data(v), duckdb_vector_get_validity(v)};
}

/* --- numbers --------------------------------------------------------------------------------- */

enum { WHOLE_TEXT_MAX = 48 };
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static unsigned digits_of(uint64_t v)
{
    unsigned n = 1;
    for (; v >= 10000; v /= 10000)
        n += 4;
    return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Nearly all numbers are of 64 bits, without a scale: two digits at a time, where they are to stand. */
static void add_small(int64_t v, struct buf *out)
{
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;
    unsigned digits = digits_of(rest);
    char *to = buf_room(out, digits + 1);
    if (!to)
        return;
    if (v < 0)
        *to++ = '-';
    for (char *at = to + digits; at > to + 1; rest /= 100)
        memcpy(at -= 2, &two_digits[rest % 100 * 2], 2);
    if (digits % 2)
        *to = (char)('0' + rest);
    buf_wrote(out, digits + (v < 0));
}

/* Writes v / 10^scale at the end of dst and returns where it begins. */
static struct str whole_text(wide v, unsigned scale, char dst[static WHOLE_TEXT_MAX])
{
    uwide rest = v < 0 ? -(uwide)v : (uwide)v;
    char *at = dst + WHOLE_TEXT_MAX;
    unsigned digits = 0;
    /* Sixty-four bit division is many times faster, and nearly always enough. */
    do {
        unsigned digit;
        if (rest >> 64) {
            digit = (unsigned)(rest % 10);
            rest /= 10;
        } else {
            uint64_t small = (uint64_t)rest;
            digit = (unsigned)(small % 10);
            rest = small / 10;
        }
        *--at = (char)('0' + digit);
        if (++digits == scale)
            *--at = '.';
    } while (rest || digits <= scale);
    if (v < 0)
        *--at = '-';
    return (struct str){at, (size_t)(dst + WHOLE_TEXT_MAX - at)};
}

static wide hugeint(const void *data, idx_t row)
{
    const duckdb_hugeint *h = (const duckdb_hugeint *)data + row;
    return (wide)(((uwide)(uint64_t)h->upper << 64) | h->lower);
}

/* A whole number; false when the type is none. */
static bool read_whole(duckdb_type id, const void *data, idx_t row, wide *ret)
{
    switch ((int)id) {
    case DUCKDB_TYPE_TINYINT:
        return *ret = ((const int8_t *)data)[row], true;
    case DUCKDB_TYPE_SMALLINT:
        return *ret = ((const int16_t *)data)[row], true;
    case DUCKDB_TYPE_INTEGER:
        return *ret = ((const int32_t *)data)[row], true;
    case DUCKDB_TYPE_BIGINT:
        return *ret = ((const int64_t *)data)[row], true;
    case DUCKDB_TYPE_HUGEINT:
        return *ret = hugeint(data, row), true;
    case DUCKDB_TYPE_UTINYINT:
        return *ret = ((const uint8_t *)data)[row], true;
    case DUCKDB_TYPE_USMALLINT:
        return *ret = ((const uint16_t *)data)[row], true;
    case DUCKDB_TYPE_UINTEGER:
        return *ret = ((const uint32_t *)data)[row], true;
    case DUCKDB_TYPE_UBIGINT:
        return *ret = ((const uint64_t *)data)[row], true;
    default:
        return false;
    }
}

/* --- values ---------------------------------------------------------------------------------- */

struct str cell_text(const struct cell_vector *v, idx_t row)
{
    const duckdb_string_t *s = (const duckdb_string_t *)v->data + row;
    return duckdb_string_is_inlined(*s)
               ? (struct str){s->value.inlined.inlined, s->value.inlined.length}
               : (struct str){s->value.pointer.ptr, s->value.pointer.length};
}

static void add_time(const struct cell_type *t, struct buf *out, int64_t us)
{
    char *to = buf_room(out, TIME_TEXT_MAX);
    if (!to)
        return;
    size_t len = strlen(time_format(us, to));
    bool is_elsewhere = t->is_foreign && t->id != DUCKDB_TYPE_TIMESTAMP_TZ; /* of whatever zone */
    buf_wrote(out, is_elsewhere ? len - strlen("Z") : len);
}

static void add_date(struct buf *out, int32_t days)
{
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    buf_printf(out, "%04lld-%02d-%02d", (long long)year, month, day);
}

/* A length of time as a clock would show it; it may be of many hours. */
static void add_clock(struct buf *out, int64_t us)
{
    uint64_t rest = us < 0 ? -(uint64_t)us : (uint64_t)us, part = rest % US_PER_S;
    rest /= US_PER_S;
    buf_printf(out, "%s%02llu:%02u:%02u", us < 0 ? "-" : "", (unsigned long long)(rest / 3600),
               (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
    if (part)
        buf_printf(out, ".%06u", (unsigned)part);
}

static void add_count(struct buf *out, int64_t n, const char *unit, bool *is_begun)
{
    if (n)
        buf_printf(out, "%s%lld %s%s", *is_begun ? " " : "", (long long)n, unit,
                   n == 1 || n == -1 ? "" : "s");
    *is_begun = *is_begun || n;
}

/* As DuckDB writes it: "1 year 2 months 3 days 04:05:06". */
static void add_interval(struct buf *out, const duckdb_interval *v)
{
    bool is_begun = false;
    add_count(out, v->months / 12, "year", &is_begun);
    add_count(out, v->months % 12, "month", &is_begun);
    add_count(out, v->days, "day", &is_begun);
    if (!v->micros && is_begun)
        return;
    if (is_begun)
        buf_putc(out, ' ');
    add_clock(out, v->micros);
}

/* Of seconds and milliseconds; what is out of reach stays at its end. */
static int64_t to_us(int64_t n, int64_t us_each)
{
    int64_t us;
    if (__builtin_mul_overflow(n, us_each, &us))
        return n < 0 ? -INT64_MAX : INT64_MAX;
    return us;
}

/* All that is not text, list or struct, as it stands in either format; empty where it is no
 * number of this world. */
static void add_rare(const struct cell_type *t, const void *data, idx_t row, struct buf *out)
{
    char text[WHOLE_TEXT_MAX];
    wide whole;
    struct json_writer w;
    switch ((int)t->id) {
    case DUCKDB_TYPE_FLOAT:
        jw_begin(&w, out);
        jw_double(&w, (double)((const float *)data)[row]);
        break;
    case DUCKDB_TYPE_DOUBLE:
        jw_begin(&w, out);
        jw_double(&w, ((const double *)data)[row]);
        break;
    case DUCKDB_TYPE_TIMESTAMP_S:
        add_time(t, out, to_us(((const int64_t *)data)[row], US_PER_S));
        break;
    case DUCKDB_TYPE_TIMESTAMP_MS:
        add_time(t, out, to_us(((const int64_t *)data)[row], US_PER_MS));
        break;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        add_time(t, out, ((const int64_t *)data)[row] / 1000);
        break;
    case DUCKDB_TYPE_TIME:
        add_clock(out, ((const int64_t *)data)[row]);
        break;
    case DUCKDB_TYPE_INTERVAL:
        add_interval(out, (const duckdb_interval *)data + row);
        break;
    case DUCKDB_TYPE_DATE:
        add_date(out, ((const int32_t *)data)[row]);
        break;
    case DUCKDB_TYPE_DECIMAL:
        if (read_whole(t->stored, data, row, &whole))
            buf_add_str(out, whole_text(whole, t->scale, text));
        break;
    default:
        if (read_whole(t->id, data, row, &whole))
            buf_add_str(out, whole_text(whole, 0, text));
    }
}

/* Most columns are of few types; these are by far the quicker for not being among the others. */
static void add_plain(const struct cell_type *t, const void *data, idx_t row, struct buf *out)
{
    switch ((int)t->id) {
    case DUCKDB_TYPE_BOOLEAN:
        buf_add_str(out, ((const bool *)data)[row] ? STR("true") : STR("false"));
        break;
    case DUCKDB_TYPE_INTEGER:
        add_small(((const int32_t *)data)[row], out);
        break;
    case DUCKDB_TYPE_BIGINT:
        add_small(((const int64_t *)data)[row], out);
        break;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        add_time(t, out, ((const int64_t *)data)[row]);
        break;
    default:
        add_rare(t, data, row, out);
    }
}

static void add_json_text(struct str s, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_str(&w, s);
}

static bool is_inexact_elsewhere(const struct cell_type *t, const void *data, idx_t row)
{
    const wide most = (INT64_C(1) << 53) - 1;
    wide whole;
    return t->is_foreign && read_whole(t->id, data, row, &whole) && (whole > most || whole < -most);
}

static bool is_quoted(const struct cell_type *t, const void *data, idx_t row)
{
    switch ((int)t->id) {
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_INTERVAL:
    case DUCKDB_TYPE_DATE:
        return true;
    default:
        return is_inexact_elsewhere(t, data, row);
    }
}

static void add_json_list(const struct cell_type *t, const struct cell_vector *v, idx_t row,
                          struct buf *out)
{
    const duckdb_list_entry entry = ((const duckdb_list_entry *)v->data)[row];
    const struct cell_vector parts = cell_vector(duckdb_list_vector_get_child(v->vector));
    buf_putc(out, '[');
    for (idx_t i = 0; i < entry.length; i++) {
        if (i)
            buf_putc(out, ',');
        cell_json(&t->parts[0], &parts, entry.offset + i, out);
    }
    buf_putc(out, ']');
}

static void add_json_struct(const struct cell_type *t, const struct cell_vector *v, idx_t row,
                            struct buf *out)
{
    buf_putc(out, '{');
    for (size_t i = 0; i < t->part_count; i++) {
        if (i)
            buf_putc(out, ',');
        add_json_text(str_of(t->names[i]), out);
        buf_putc(out, ':');
        const struct cell_vector part = cell_vector(duckdb_struct_vector_get_child(v->vector, i));
        cell_json(&t->parts[i], &part, row, out);
    }
    buf_putc(out, '}');
}

void cell_json(const struct cell_type *t, const struct cell_vector *v, idx_t row, struct buf *out)
{
    if (t->id == DUCKDB_TYPE_SQLNULL || cell_is_null(v, row)) {
        buf_add_str(out, STR("null"));
    } else if (t->id == DUCKDB_TYPE_VARCHAR) {
        add_json_text(cell_text(v, row), out);
    } else if (t->id == DUCKDB_TYPE_LIST || t->id == DUCKDB_TYPE_MAP) {
        add_json_list(t, v, row, out);
    } else if (t->id == DUCKDB_TYPE_STRUCT) {
        add_json_struct(t, v, row, out);
    } else if (is_quoted(t, v->data, row)) {
        buf_putc(out, '"');
        add_plain(t, v->data, row, out);
        buf_putc(out, '"');
    } else {
        add_plain(t, v->data, row, out);
    }
}

/* A formula begins with one of these, in some spreadsheet or other. */
static bool is_formula(struct str s)
{
    return s.len && memchr("=+-@\t\r", s.ptr[0], 6);
}

static bool has_special_byte(struct str s)
{
    bool is_found = false;
    for (size_t i = 0; i < s.len; i++)
        is_found |= s.ptr[i] == '"' || s.ptr[i] == ',' || s.ptr[i] == '\r' || s.ptr[i] == '\n';
    return is_found;
}

void cell_csv_text(struct str s, struct buf *out)
{
    bool is_guarded = is_formula(s), has_special = has_special_byte(s);
    if (has_special)
        buf_putc(out, '"');
    if (is_guarded)
        buf_putc(out, '\'');
    for (size_t i = 0; has_special && i < s.len; i++) {
        if (s.ptr[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, s.ptr[i]);
    }
    if (has_special)
        buf_putc(out, '"');
    else
        buf_add_str(out, s);
}

static void add_csv_list(const struct cell_type *t, const struct cell_vector *v, idx_t row,
                         struct buf *out)
{
    const struct cell_type *part = &t->parts[0];
    const duckdb_list_entry entry = ((const duckdb_list_entry *)v->data)[row];
    const struct cell_vector parts = cell_vector(duckdb_list_vector_get_child(v->vector));
    auto_buf struct buf text = {0};
    for (idx_t i = 0; i < entry.length; i++) {
        if (i)
            buf_add_str(&text, STR("; "));
        if (cell_is_null(&parts, entry.offset + i))
            continue;
        if (part->id == DUCKDB_TYPE_VARCHAR)
            buf_add_str(&text, cell_text(&parts, entry.offset + i));
        else
            cell_json(part, &parts, entry.offset + i, &text);
    }
    cell_csv_text(buf_str(&text), out);
}

void cell_csv(const struct cell_type *t, const struct cell_vector *v, idx_t row, struct buf *out)
{
    if (t->id == DUCKDB_TYPE_SQLNULL || cell_is_null(v, row))
        return;
    const void *data = v->data;
    if (t->id == DUCKDB_TYPE_VARCHAR) {
        cell_csv_text(cell_text(v, row), out);
    } else if (t->id == DUCKDB_TYPE_LIST || t->id == DUCKDB_TYPE_MAP) {
        add_csv_list(t, v, row, out);
    } else if (t->id == DUCKDB_TYPE_STRUCT) {
        auto_buf struct buf text = {0};
        cell_json(t, v, row, &text);
        cell_csv_text(buf_str(&text), out);
    } else if (t->id == DUCKDB_TYPE_DOUBLE && !isfinite(((const double *)data)[row])) {
        return;
    } else if (t->id == DUCKDB_TYPE_FLOAT && !isfinite(((const float *)data)[row])) {
        return;
    } else {
        add_plain(t, data, row, out);
    }
}
