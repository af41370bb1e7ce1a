#include "api/decide.h"

#include "api/request.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/hands.h"

#include "base/banned.h"

bool decide_is_busy(struct request *r)
{
    if (ingest_rederive_percent(r->api->config.ingest) < 0)
        return false;
    http_add_header(r->x, "Retry-After", "10");
    request_failf(r, STATUS_UNAVAILABLE, "", "all plays are being derived anew: try again");
    return true;
}

/* A list of whole numbers; false after having answered. The caller frees *ret. */
static bool read_ids(struct request *r, const char *name, int64_t **ret, size_t *ret_count)
{
    const json_t *list = jget(r->body, name);
    size_t count = json_array_size(list);
    *ret = xcalloc(DECIDE_MAX + 1, sizeof **ret);
    *ret_count = count;
    bool is_right = count <= DECIDE_MAX;
    for (size_t i = 0; is_right && i < count; i++) {
        (*ret)[i] = json_integer_value(json_array_get(list, i));
        is_right = (*ret)[i] > 0 && (*ret)[i] <= INT32_MAX;
    }
    if (!is_right)
        request_failf(r, STATUS_INVALID, name, "%s must be a list of at most %d ids", name,
                      DECIDE_MAX);
    return is_right;
}

void decide_answer(struct request *r, enum status s, int64_t decision, const struct error *err)
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

bool decide_read_id(struct request *r, const char *what, int64_t *ret)
{
    if (str_to_i64(str_of(r->params[0]), ret))
        return true;
    request_failf(r, STATUS_NOT_FOUND, "id", "there is no %s '%s'", what, r->params[0]);
    return false;
}

void decide_either(struct request *r, struct decide_wish one, struct decide_wish other)
{
    auto_free int64_t *ids = NULL;
    size_t count;
    int64_t decision = 0;
    struct error err = {0};
    if (decide_is_busy(r))
        return;
    bool is_one = jget(r->body, one.name) != NULL;
    bool is_other = other.run && jget(r->body, other.name) != NULL;
    if (is_one == is_other) {
        request_failf(r, STATUS_INVALID, one.name, "name either %s or %s, by their ids", one.name,
                      other.name);
        return;
    }
    const struct decide_wish *wish = is_one ? &one : &other;
    if (!read_ids(r, wish->name, &ids, &count))
        return;
    enum status s = wish->run(r->api->config.ingest, ids, count, r->user.name, jstr(r->body, "reason"),
                              &decision, &err);
    decide_answer(r, s, decision, &err);
}

void decide_undo(struct request *r, enum status (*run)(struct ingest *i, int64_t decision,
                                                       const char *who, struct error *err))
{
    int64_t id;
    struct error err = {0};
    if (decide_is_busy(r) || !decide_read_id(r, "decision", &id))
        return;
    if (run(r->api->config.ingest, id, r->user.name, &err) == STATUS_OK)
        request_no_content(r);
    else
        request_fail(r, &err);
}
