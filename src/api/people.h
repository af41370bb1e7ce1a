/* Inside of api: people as JSON. Queries, each bound to the values of the filter that made it. */
#pragma once

#include <stdint.h>

#include "analytics/filter.h"
#include "base/json_write.h"
#include "base/str.h"
#include "store/store.h"

struct request;

/* Appends "with" and the relations of the filter, then person_plays (what each person watched of it) and
 * seen_account (accounts that the asker may see, with their servers and reasons). */
void people_relations(const struct filter *f, struct buf *sql);
/* Further relations: person_accounts, one row a person with the list of their accounts. */
#define PEOPLE_ACCOUNT                                                                                   \
    "{'id': account_id, 'name': name, 'key': key, 'email': email, 'is_owner': coalesce(is_owner,"  \
    " false), 'server_id': server_id, 'server': server, 'server_kind': server_kind,"               \
    " 'reasons': whys}"
#define PEOPLE_ACCOUNTS                                                                        \
    ",\nperson_accounts as (\n  select person_id, list(" PEOPLE_ACCOUNT " order by account_id) as accounts," \
    "\n    count(distinct sure_id) > 1 as is_by_name, min(account_id) as oldest"                \
    "\n  from seen_account group by person_id)"
/* What happened to people, newest first; bound to $page_limit, $page_from, $person
 * (0: all). */
extern const char people_history_sql[];
