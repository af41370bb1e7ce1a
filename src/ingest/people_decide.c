#include <inttypes.h>

#include "base/json_write.h"
#include "ingest/hands.h"
#include "ingest/people.h"
#include "store/cursor.h"

#include "base/banned.h"

enum what { MERGE = 1, JOIN, PART, SPLIT, RENAME, UNDO };

struct wish {
    enum what what;
    const int64_t *ids; /* people, or of JOIN and SPLIT accounts */
    size_t count;
    int64_t subject; /* of RENAME the person, of UNDO the decision */
    const char *who, *text; /* text: why, or the new name */
    int64_t decision;
};

/* --- the accounts that it is about ----------------------------------------------------------- */

static enum status write_accounts(struct store_conn *c, struct json_writer *w, const char *sql,
                                  int64_t id, size_t *ret_count, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = id}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, sql, v, 1, &r, err));
    *ret_count = 0;
    jw_array(w);
    for (; cursor_next(&r); (*ret_count)++)
        jw_int(w, cursor_int(&r, 0, 0));
    jw_array_end(w);
    return STATUS_OK;
}

/* A group each person. */
static enum status groups_of_people(struct store_conn *c, const struct wish *k,
                                    struct json_writer *w, struct error *err)
{
    if (k->count < 2 || k->count > DECIDE_MAX || decision_has_twice(k->ids, k->count))
        return fail_field(err, STATUS_INVALID, "people", "needs 2 to %d people, each once",
                          DECIDE_MAX);
    for (size_t i = 0; i < k->count; i++) {
        size_t count;
        TRY(write_accounts(c, w, "select account_id from account where person_id = $1"
                                 " order by account_id", k->ids[i], &count, err));
        if (!count)
            return fail_field(err, STATUS_NOT_FOUND, "people", "there is no person %" PRId64,
                              k->ids[i]);
    }
    return STATUS_OK;
}

/* A group each account. */
static enum status groups_of_accounts(struct store_conn *c, const struct wish *k,
                                      struct json_writer *w, struct error *err)
{
    if (k->count < 2 || k->count > DECIDE_MAX || decision_has_twice(k->ids, k->count))
        return fail_field(err, STATUS_INVALID, "accounts", "needs 2 to %d accounts, each once",
                          DECIDE_MAX);
    for (size_t i = 0; i < k->count; i++) {
        size_t count;
        TRY(write_accounts(c, w, "select account_id from account where account_id = $1", k->ids[i],
                           &count, err));
        if (!count)
            return fail_field(err, STATUS_NOT_FOUND, "accounts", "there is no account %" PRId64,
                              k->ids[i]);
    }
    return STATUS_OK;
}

/* Those that are split off, and the rest of their person. */
static enum status groups_of_split(struct store_conn *c, const struct wish *k,
                                   struct json_writer *w, struct error *err)
{
    if (!k->count || k->count > DECIDE_MAX || decision_has_twice(k->ids, k->count))
        return fail_field(err, STATUS_INVALID, "accounts", "needs 1 to %d accounts, each once",
                          DECIDE_MAX);
    int64_t person = 0;
    jw_array(w);
    for (size_t i = 0; i < k->count; i++) {
        struct store_value v[] = {{.kind = SV_INT, .i = k->ids[i]}};
        int64_t of;
        TRY(store_query_int(c, "select person_id from account where account_id = $1", v, 1, 0, &of,
                            err));
        if (!of)
            return fail_field(err, STATUS_NOT_FOUND, "accounts", "there is no account %" PRId64,
                              k->ids[i]);
        if (person && of != person)
            return fail_field(err, STATUS_INVALID, "accounts", "must be of one person");
        person = of;
        jw_int(w, k->ids[i]);
    }
    jw_array_end(w);
    struct store_value v[] = {{.kind = SV_INT, .i = person}};
    auto_cursor struct cursor r = {0};
    TRY(cursor_open(c, "select account_id from account where person_id = $1 order by account_id", v,
                    1, &r, err));
    size_t rest = 0;
    jw_array(w);
    while (cursor_next(&r)) {
        int64_t account = cursor_int(&r, 0, 0);
        bool is_split = false;
        for (size_t i = 0; i < k->count; i++)
            is_split = is_split || k->ids[i] == account;
        if (is_split)
            continue;
        jw_int(w, account);
        rest++;
    }
    jw_array_end(w);
    return rest ? STATUS_OK
                : fail_field(err, STATUS_INVALID, "accounts",
                             "are all that person %" PRId64 " has: nothing would be left", person);
}

static enum status write_detail(struct store_conn *c, const struct wish *k, struct buf *out,
                                struct error *err)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    if (k->what == RENAME) {
        jw_kv_text(&w, "name", k->text);
    } else {
        jw_kv_array(&w, "groups");
        if (k->what == JOIN)
            TRY(groups_of_accounts(c, k, &w, err));
        else if (k->what == SPLIT)
            TRY(groups_of_split(c, k, &w, err));
        else
            TRY(groups_of_people(c, k, &w, err));
        jw_array_end(&w);
        if (*k->text)
            jw_kv_text(&w, "why", k->text);
    }
    jw_object_end(&w);
    return STATUS_OK;
}

/* --- the decision ---------------------------------------------------------------------------- */

static enum status check_person(struct store_conn *c, int64_t person, struct error *err)
{
    struct store_value v[] = {{.kind = SV_INT, .i = person}};
    int64_t count;
    TRY(store_query_int(c, "select count(*) from account where person_id = $1", v, 1, 0, &count,
                        err));
    return count ? STATUS_OK
                 : fail_field(err, STATUS_NOT_FOUND, "id", "there is no person %" PRId64, person);
}

static enum status decide(void *ctx, struct store_conn *c, struct dims *d, struct error *err)
{
    static const char *const kinds[] = {[MERGE] = "people_merge",  [JOIN] = "people_merge",
                                        [PART] = "people_part",    [SPLIT] = "people_part",
                                        [RENAME] = "people_rename", [UNDO] = "people_undo"};
    struct wish *k = ctx;
    auto_buf struct buf detail = {0};
    if (k->what == RENAME)
        TRY(check_person(c, k->subject, err));
    if (k->what == UNDO)
        TRY(decision_check_undo(c, k->subject, "people",
                                "'people_merge', 'people_part', 'people_rename'", err));
    else
        TRY(write_detail(c, k, &detail, err));
    TRY(decision_insert(c, &(struct decision){kinds[k->what], k->who, k->subject, buf_str(&detail)},
                        &k->decision, err));
    bool is_changed;
    return people_match(c, d, k->decision, &is_changed, err);
}

static enum status run(struct ingest *i, struct wish *k, int64_t *ret, struct error *err)
{
    size_t most = k->what == RENAME ? PEOPLE_NAME_MAX : DECIDE_WHY_MAX;
    if (strlen(k->text) > most)
        return fail_field(err, STATUS_INVALID, k->what == RENAME ? "name" : "reason",
                          "must have at most %zu bytes", most);
    TRY(ingest_run(i, decide, k, err));
    if (ret)
        *ret = k->decision;
    return STATUS_OK;
}

enum status people_merge(struct ingest *i, const int64_t *people, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = MERGE, .ids = people, .count = count, .who = who, .text = why};
    return run(i, &k, ret_decision, err);
}

enum status people_join(struct ingest *i, const int64_t *accounts, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = JOIN, .ids = accounts, .count = count, .who = who, .text = why};
    return run(i, &k, ret_decision, err);
}

enum status people_part(struct ingest *i, const int64_t *people, size_t count, const char *who,
                        const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = PART, .ids = people, .count = count, .who = who, .text = why};
    return run(i, &k, ret_decision, err);
}

enum status people_split(struct ingest *i, const int64_t *accounts, size_t count, const char *who,
                         const char *why, int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = SPLIT, .ids = accounts, .count = count, .who = who, .text = why};
    return run(i, &k, ret_decision, err);
}

enum status people_rename(struct ingest *i, int64_t person, const char *name, const char *who,
                          int64_t *ret_decision, struct error *err)
{
    struct wish k = {.what = RENAME, .subject = person, .who = who, .text = name};
    return run(i, &k, ret_decision, err);
}

enum status people_undo(struct ingest *i, int64_t decision, const char *who, struct error *err)
{
    struct wish k = {.what = UNDO, .subject = decision, .who = who, .text = ""};
    return run(i, &k, NULL, err);
}
