#include "sql/tables.h"

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

#define TABLE(name, about, from) static const struct sql_column name##_columns[] = {
#define COLUMN(name, type, sql, about) {#name, #type, about, sql},
#define TABLE_END(name) };
#include "sql/tables.def"

const struct sql_table sql_tables[] = {
#define TABLE(name, about, from) {#name, about, from, name##_columns, ARRAY_LEN(name##_columns)},
#define COLUMN(name, type, sql, about)
#define TABLE_END(name)
#include "sql/tables.def"
};
const size_t sql_table_count = ARRAY_LEN(sql_tables);

const struct sql_example sql_examples[] = {
    {"Who watched most in the last 30 days",
     "select person.name, count(*) as plays, round(sum(watch_ms) / 3600000, 1) as hours\n"
     "from play\n"
     "join person using (person_id)\n"
     "where started >= now() - interval 30 days\n"
     "group by person.name\n"
     "order by hours desc"},
    {"Films that three people or more have seen to the end",
     "select title.full_title, count(distinct person_id) as people\n"
     "from play\n"
     "join title using (title_id)\n"
     "where play.media_type = 'movie' and is_watched\n"
     "group by title.full_title\n"
     "having count(distinct person_id) >= 3\n"
     "order by people desc, full_title"},
    {"Plays by weekday and hour",
     "select dayname(started) as weekday, hour(started) as hour, count(*) as plays\n"
     "from play\n"
     "group by weekday, hour, isodow(started)\n"
     "order by isodow(started), hour"},
    {"Transcodes by player, with their hours",
     "select device.product, device.platform, count(*) as sessions,\n"
     "  round(sum(watch_ms) / 3600000, 1) as hours\n"
     "from segment\n"
     "join quality using (quality_id)\n"
     "join device using (device_id)\n"
     "where transcode_decision = 'transcode'\n"
     "group by all\n"
     "order by hours desc"},
    {"Shows that were begun and given up",
     "select grandparent_title as series, person.name, count(distinct title_id) as episodes,\n"
     "  max(started)::date as last_seen\n"
     "from play\n"
     "join title using (title_id)\n"
     "join person using (person_id)\n"
     "where play.media_type = 'episode'\n"
     "group by series, person.name\n"
     "having last_seen < current_date - 60 and episodes < 4\n"
     "order by last_seen desc"},
    {"Where it is watched from, and how much was sent there",
     "select country, city, count(distinct person_id) as people,\n"
     "  round(sum(watch_ms / 1000 * stream_bitrate_kbps) / 8000000, 1) as gigabytes\n"
     "from segment\n"
     "join place using (place_id)\n"
     "group by all\n"
     "order by gigabytes desc"},
};
const size_t sql_example_count = ARRAY_LEN(sql_examples);

char *sql_table_select(const struct sql_table *t)
{
    struct buf sql = {0};
    for (size_t i = 0; i < t->column_count; i++) {
        const struct sql_column *c = &t->columns[i];
        buf_printf(&sql, "%s(%s)::%s as \"%s\"", i ? ", " : "select ", c->sql, c->type, c->name);
    }
    buf_printf(&sql, " %s", t->from);
    return buf_steal(&sql);
}
