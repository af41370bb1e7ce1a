/* What an administrator decides about people; each can be taken back. */
#include <jansson.h>

#include "api/request.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/people.h"

#include "base/banned.h"

enum { BODY_MOST_BYTES = 64 * 1024 };

/* It waits for the writer, and so must not while the writer is at it for minutes. */
static bool is_busy(struct request *r)
{
    if (ingest_rederive_percent(r->api->config.ingest) < 0)
        return false;
    http_add_header(r->x, "Retry-After", "10");
    request_failf(r, STATUS_UNAVAILABLE, "", "all plays are being derived anew: try again");
    return true;
}

/* False after having answered. */
static bool read_body(struct request *r, json_t **ret)
{
    struct error err = {0};
    if (json_parse(http_body(r->x), BODY_MOST_BYTES, 4, ret, &err) == STATUS_OK &&
        json_is_object(*ret))
        return true;
    request_failf(r, STATUS_INVALID, "", "the body must be a JSON object%s%s",
                  *err.text ? ": " : "", err.text);
    return false;
}

/* A list of whole numbers; false after having answered. The caller frees *ret. */
static bool read_ids(struct request *r, const json_t *body, const char *name, int64_t **ret,
                     size_t *ret_count)
{
    const json_t *list = jget(body, name);
    size_t count = json_array_size(list);
    *ret = xcalloc(PEOPLE_DECIDE_MAX + 1, sizeof **ret);
    *ret_count = count;
    bool is_right = json_is_array(list) && count <= PEOPLE_DECIDE_MAX;
    for (size_t i = 0; is_right && i < count; i++) {
        const json_t *id = json_array_get(list, i);
        is_right = json_is_integer(id) && json_integer_value(id) > 0 &&
                   json_integer_value(id) <= INT32_MAX;
        (*ret)[i] = json_integer_value(id);
    }
    if (!is_right)
        request_failf(r, STATUS_INVALID, name, "%s must be a list of at most %d ids", name,
                      PEOPLE_DECIDE_MAX);
    return is_right;
}

static void answer(struct request *r, enum status s, int64_t decision, const struct error *err)
{
    if (s != STATUS_OK) {
        request_fail(r, err);
        return;
    }
    struct buf out = {0};
    struct json_writer w;
    jw_begin(&w, &out);
    jw_object(&w);
    jw_kv_int(&w, "decision", decision);
    jw_object_end(&w);
    request_reply(r, 200, &out);
}

typedef enum status decide_ids(struct ingest *i, const int64_t *ids, size_t count, const char *who,
                               const char *why, int64_t *ret_decision, struct error *err);

/* The body names either people or accounts. */
static void decide(struct request *r, decide_ids *about_people, decide_ids *about_accounts)
{
    auto_json json_t *body = NULL;
    auto_free int64_t *ids = NULL;
    size_t count;
    int64_t decision = 0;
    struct error err = {0};
    if (is_busy(r) || !read_body(r, &body))
        return;
    bool is_of_people = jget(body, "people") != NULL;
    if (is_of_people == (jget(body, "accounts") != NULL)) {
        request_failf(r, STATUS_INVALID, "people", "name either people or accounts, by their ids");
        return;
    }
    if (!read_ids(r, body, is_of_people ? "people" : "accounts", &ids, &count))
        return;
    enum status s = (is_of_people ? about_people : about_accounts)(
        r->api->config.ingest, ids, count, r->user.name, jstr(body, "reason"), &decision, &err);
    answer(r, s, decision, &err);
}

void handle_people_merge(struct request *r)
{
    decide(r, people_merge, people_join);
}

/* Of people: they are not each other. Of accounts: they are not the rest of their person. */
void handle_people_split(struct request *r)
{
    decide(r, people_part, people_split);
}

/* False after having answered. */
static bool read_id(struct request *r, const char *what, int64_t *ret)
{
    if (str_to_i64(str_of(r->params[0]), ret))
        return true;
    request_failf(r, STATUS_NOT_FOUND, "id", "there is no %s '%s'", what, r->params[0]);
    return false;
}

void handle_person_rename(struct request *r)
{
    auto_json json_t *body = NULL;
    int64_t id, decision = 0;
    struct error err = {0};
    if (is_busy(r) || !read_id(r, "person", &id) || !read_body(r, &body))
        return;
    const json_t *name = jget(body, "name");
    if (!json_is_string(name)) {
        request_failf(r, STATUS_INVALID, "name", "name is missing; an empty one is as the media"
                                                 " servers say");
        return;
    }
    struct str text = str_trim(str_of(json_string_value(name)));
    auto_free char *trimmed = xstrndup(text.ptr, text.len);
    enum status s = people_rename(r->api->config.ingest, id, trimmed, r->user.name, &decision, &err);
    answer(r, s, decision, &err);
}

void handle_people_undo(struct request *r)
{
    int64_t id;
    struct error err = {0};
    if (is_busy(r) || !read_id(r, "decision", &id))
        return;
    if (people_undo(r->api->config.ingest, id, r->user.name, &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}
