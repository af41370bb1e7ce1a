#include "store/tables.h"

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

const struct store_meaning store_meanings[] = {
    {"account", "who played: an account on a media server, with its e-mail address where that is known; person_id: whose it is"},
    {"address", "network addresses that were played from; place_id: where that is"},
    {"applied", "how far the log of observations is taken in"},
    {"applied_before", "the same of logs that were in use before"},
    {"coverage", "spans in which a media server was connected, polled only, or not seen (blind)"},
    {"decision", "every human act: plays deleted and restored, people joined and parted"},
    {"device", "players: product, platform, versions"},
    {"import", "imports of other tools' histories"},
    {"library", "libraries of the media servers"},
    {"observation", "states of observed sessions: playing, paused, with positions and times; an input, plays are made of it"},
    {"person", "humans, of whom accounts are"},
    {"person_change", "accounts that went from one person to another, when and why"},
    {"person_pair", "pairs of accounts that are, or may be, one person's"},
    {"place", "cities and countries with coordinates"},
    {"play", "one viewing of one title by one account on one server; derived. is_hidden: it counts nowhere (hidden_by says why)"},
    {"quality", "how it was delivered: codecs, resolutions, transcode decisions; one row a combination"},
    {"schema_version", "steps of the schema and when they were taken"},
    {"segment", "one session: one account, one title, one device; derived. Plays are made of segments"},
    {"segment_in", "imported sessions as they came in; an input, plays are made of it"},
    {"server", "the media servers"},
    {"session_in", "observed sessions: what their states have in common; an input, plays are made of it"},
    {"setting", "settings of the store itself"},
    {"title", "films, episodes, tracks"},
    {"title_key", "what media servers and databases call a title"},
    {"view_in", "backfilled views: account, title and one instant; an input, plays are made of it"},
};
const size_t store_meaning_count = ARRAY_LEN(store_meanings);

const char *store_table_meaning(const char *name)
{
    for (size_t i = 0; i < store_meaning_count; i++)
        if (streq(store_meanings[i].name, name))
            return store_meanings[i].meaning;
    return "";
}
