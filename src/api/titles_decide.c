/* What an administrator decides about titles; each can be taken back. */
#include "api/decide.h"
#include "api/request.h"
#include "ingest/titles.h"

#include "base/banned.h"

void handle_titles_merge(struct request *r)
{
    decide_either(r, (struct decide_wish){"titles", titles_merge}, (struct decide_wish){0});
}

/* Of titles: they are not each other. Of items: they are not the rest of their title. */
void handle_titles_split(struct request *r)
{
    decide_either(r, (struct decide_wish){"items", titles_split},
                  (struct decide_wish){"titles", titles_part});
}

void handle_titles_undo(struct request *r)
{
    decide_undo(r, titles_undo);
}
