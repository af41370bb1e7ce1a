/* What an administrator decides about people; each can be taken back. */
#include "api/decide.h"
#include "api/request.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/people.h"

#include "base/banned.h"

void handle_people_merge(struct request *r)
{
    decide_either(r, (struct decide_wish){"people", people_merge},
                  (struct decide_wish){"accounts", people_join});
}

/* Of people: they are not each other. Of accounts: they are not the rest of their person. */
void handle_people_split(struct request *r)
{
    decide_either(r, (struct decide_wish){"people", people_part},
                  (struct decide_wish){"accounts", people_split});
}

void handle_person_rename(struct request *r)
{
    int64_t id, decision = 0;
    struct error err = {0};
    if (decide_is_busy(r) || !decide_read_id(r, "person", &id))
        return;
    struct str text = str_trim(str_of(jstr(r->body, "name")));
    auto_free char *trimmed = xstrndup(text.ptr, text.len);
    enum status s = people_rename(r->api->config.ingest, id, trimmed, r->user.name, &decision, &err);
    decide_answer(r, s, decision, &err);
}

void handle_people_undo(struct request *r)
{
    decide_undo(r, people_undo);
}
