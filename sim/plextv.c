/* plex.tv: PINs, the window to log in at, accounts and what they have access to. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"

#include "base/banned.h"

enum { PINS_MAX = 64, PIN_LIFE_S = 900, HUGE = 8 * 1024 * 1024, TEXT = 64 };

enum tv_fault { TV_NONE, TV_SLOW, TV_BUSY, TV_FAILING, TV_GARBAGE, TV_HUGE, TV_REFUSING };
static const char *const tv_faults[] = {"none", "slow", "busy", "failing", "garbage", "huge",
                                        "refusing"};
/* What a fault is on. */
enum tv_path { TV_PINS, TV_PIN, TV_USER, TV_OWNER, TV_RESOURCES, TV_OTHER };
/* owner: the account, asked for with the token of a server. */
static const char *const tv_paths[] = {"pins", "pin", "user", "owner", "resources", "other"};

struct pin {
    int64_t id, ends_us;
    char code[26], client_id[TEXT], product[TEXT], token[21];
    bool is_gone, is_approved;
    unsigned person;
};

struct plex_tv {
    struct http_server *http;
    struct pin pins[PINS_MAX]; /* what follows under sim->lock */
    uint64_t n_pins;           /* ever */
    uint64_t asked[ARRAY_LEN(tv_paths)];
    enum tv_fault fault;
    enum tv_path faulty;
    int64_t slow_ms;
    int64_t impostor; /* who has claimed servers of their own under the ids of others; -1: nobody */
};

/* --- people: those of the world, and after them strangers ---------------------------------------- */

static int64_t account_of(unsigned person)
{
    return 20010007 + (int64_t)person * 3301;
}

static json_t *user_of(const struct sim *m, unsigned person)
{
    bool is_known = person < m->world->n_people;
    const struct person *p = is_known ? &m->world->people[person] : NULL;
    json_t *j = json_object();
    json_object_set_new(j, "id", json_integer(account_of(person)));
    json_object_set_new(j, "uuid", json_sprintf("%016" PRIx64, mix(m->world->seed, 4000 + person)));
    json_object_set_new(j, "username", json_string(is_known ? p->username : "stranger"));
    json_object_set_new(j, "title", json_string(is_known ? p->name : "A Stranger"));
    json_object_set_new(j, "email", json_string(is_known ? p->email : "stranger@example.org"));
    json_object_set_new(j, "friendlyName", json_string(""));
    json_object_set_new(j, "confirmed", json_true());
    json_object_set_new(j, "home", json_false());
    return j;
}

static json_t *resource(const char *name, const char *provides, const char *id, bool is_owned)
{
    json_t *j = json_object();
    json_object_set_new(j, "name", json_string(name));
    bool is_server = streq(provides, "server");
    json_object_set_new(j, "product", json_string(is_server ? "Plex Media Server" : "Plex Web"));
    json_object_set_new(j, "provides", json_string(provides));
    json_object_set_new(j, "clientIdentifier", json_string(id));
    json_object_set_new(j, "owned", json_boolean(is_owned));
    json_object_set_new(j, "ownerId", is_owned ? json_null() : json_integer(account_of(0)));
    json_object_set_new(j, "accessToken", json_string("of-this-server-alone"));
    json_object_set_new(j, "presence", json_true());
    json_object_set_new(j, "connections", json_array());
    return j;
}

static json_t *resources_of(const struct sim *m, unsigned person)
{
    json_t *list = json_array();
    bool is_known = person < m->world->n_people;
    char own[48];
    snprintf(own, sizeof(own), "%040" PRIx64, mix(m->world->seed, 5000 + person));
    if (person != 0)
        json_array_append_new(list, resource("A server of their own", "server", own, true));
    for (unsigned i = 0; i < m->n_servers && person == m->plex_tv->impostor; i++)
        if (m->servers[i].kind == KIND_PLEX)
            json_array_append_new(list, resource("Another of their own", "server", m->servers[i].id, true));
    json_array_append_new(list, resource("Plex Web", "client,player", "of-a-browser", true));
    for (unsigned i = 0; i < m->n_servers && is_known; i++)
        if (m->servers[i].kind == KIND_PLEX && world_has_account(m->world, person, i, m->n_servers))
            json_array_append_new(list, resource(m->servers[i].name, "server", m->servers[i].id,
                                                 person == 0));
    return list;
}

/* --- answers: under lock -------------------------------------------------------------------------- */

static json_t *errors(int code, const char *message, int status)
{
    return json_pack("{s:[{s:i,s:s,s:i}]}", "errors", "code", code, "message", message, "status", status);
}

static json_t *pin_json(const struct pin *p, int64_t now_us)
{
    char created[TIME_TEXT_MAX], ends[TIME_TEXT_MAX];
    json_t *j = json_object();
    json_object_set_new(j, "id", json_integer(p->id));
    json_object_set_new(j, "code", json_string(p->code));
    json_object_set_new(j, "product", json_string(p->product));
    json_object_set_new(j, "trusted", json_false());
    json_object_set_new(j, "clientIdentifier", json_string(p->client_id));
    json_object_set_new(j, "location", json_pack("{s:s}", "country", "DE"));
    json_object_set_new(j, "expiresIn", json_integer((p->ends_us - now_us) / US_PER_S));
    time_format(p->ends_us - PIN_LIFE_S * US_PER_S, created);
    json_object_set_new(j, "createdAt", json_string(created));
    json_object_set_new(j, "expiresAt", json_string(time_format(p->ends_us, ends)));
    json_object_set_new(j, "authToken", p->is_approved ? json_string(p->token) : json_null());
    json_object_set_new(j, "newRegistration", json_null());
    return j;
}

static json_t *make_pin(struct sim *m, const char *client_id, const char *product, int *status)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    if (!client_id || !product) {
        *status = 400;
        return errors(1000, "X-Plex-Client-Identifier is missing", 400);
    }
    struct plex_tv *tv = m->plex_tv;
    struct pin *p = &tv->pins[tv->n_pins % PINS_MAX];
    *p = (struct pin){.id = 1700000000 + (int64_t)tv->n_pins++,
                      .ends_us = clock_now_us() + PIN_LIFE_S * US_PER_S};
    for (unsigned i = 0; i < sizeof(p->code) - 1; i++)
        p->code[i] = letters[mix((uint64_t)p->id, i) % (sizeof(letters) - 1)];
    for (unsigned i = 0; i < sizeof(p->token) - 1; i++)
        p->token[i] = letters[mix((uint64_t)p->id, 100 + i) % (sizeof(letters) - 1)];
    snprintf(p->client_id, sizeof(p->client_id), "%s", client_id);
    snprintf(p->product, sizeof(p->product), "%s", product);
    *status = 201;
    return pin_json(p, clock_now_us());
}

static struct pin *pin_of(struct plex_tv *tv, int64_t id, const char *code)
{
    for (unsigned i = 0; i < PINS_MAX; i++) {
        struct pin *p = &tv->pins[i];
        bool is_it = code ? streq(p->code, code) : p->id == id;
        if (p->id && is_it && !p->is_gone && clock_now_us() < p->ends_us)
            return p;
    }
    return NULL;
}

static json_t *about_pin(struct sim *m, const char *path, const char *client_id, int *status)
{
    int64_t id = -1;
    (void)str_to_i64(str_of(path), &id);
    const struct pin *p = pin_of(m->plex_tv, id, NULL);
    if (p && client_id && streq(p->client_id, client_id))
        return pin_json(p, clock_now_us());
    *status = 404;
    return errors(1020, "Code not found or expired", 404);
}

static const struct pin *pin_of_token(const struct plex_tv *tv, const char *token)
{
    for (unsigned i = 0; i < PINS_MAX && token; i++)
        if (tv->pins[i].is_approved && streq(tv->pins[i].token, token))
            return &tv->pins[i];
    return NULL;
}

static bool is_servers(const struct sim *m, const char *token)
{
    for (unsigned i = 0; i < m->n_servers && token; i++)
        if (m->servers[i].kind == KIND_PLEX && streq(m->servers[i].token, token))
            return true;
    return false;
}

static json_t *answer_of(struct sim *m, struct http_exchange *x, enum tv_path where, int *status)
{
    const char *client_id = http_header(x, "X-Plex-Client-Identifier");
    if (where == TV_PINS)
        return make_pin(m, client_id, http_header(x, "X-Plex-Product"), status);
    if (where == TV_PIN)
        return about_pin(m, http_path(x) + strlen("/api/v2/pins/"), client_id, status);
    const struct pin *p = pin_of_token(m->plex_tv, http_header(x, "X-Plex-Token"));
    if (where == TV_OWNER)
        return user_of(m, 0);
    if (where == TV_OTHER && streq(http_path(x), "/api/v2/ping"))
        return json_pack("{s:b}", "pong", 1);
    if (where == TV_OTHER) {
        *status = 404;
        return errors(1002, "not found", 404);
    }
    if (!p) {
        *status = 401;
        return errors(1001, "User could not be authenticated", 401);
    }
    return where == TV_USER ? user_of(m, p->person) : resources_of(m, p->person);
}

static enum tv_path path_of(const struct sim *m, struct http_exchange *x)
{
    const char *path = http_path(x);
    if (streq(path, "/api/v2/pins") && streq(http_method(x), "POST"))
        return TV_PINS;
    if (str_has_prefix(str_of(path), STR("/api/v2/pins/")))
        return TV_PIN;
    if (streq(path, "/api/v2/user"))
        return is_servers(m, http_header(x, "X-Plex-Token")) ? TV_OWNER : TV_USER;
    return streq(path, "/api/v2/resources") ? TV_RESOURCES : TV_OTHER;
}

/* --- the window ----------------------------------------------------------------------------------- */

/* What comes after # stays in the browser: its script reads the code there. */
static const char window[] =
    "<!doctype html><html lang=en><title>Sign in to Plex</title><h1>Sign in to Plex</h1><ul id=who></ul>\n"
    "<script>\n"
    "const said = new URLSearchParams(location.hash.slice(2));\n"
    "const people = [['owner', 0], ['friend', 1], ['stranger', 1000]];\n"
    "for (const [name, person] of said.get('clientID') && said.get('code') ? people : []) {\n"
    "  const button = document.createElement('button');\n"
    "  button.textContent = `Allow ${said.get('context[device][product]')} as ${name}`;\n"
    "  button.onclick = async () => {\n"
    "    await fetch(`/auth/approve?code=${said.get('code')}&person=${person}`, { method: 'POST' });\n"
    "    document.querySelector('h1').textContent = 'You may close this window';\n"
    "  };\n"
    "  document.querySelector('#who').append(button);\n"
    "}\n"
    "</script>\n";

static void approve_by_window(struct sim *m, struct http_exchange *x)
{
    const char *code = http_query(x, "code"), *person = http_query(x, "person");
    int64_t number = -1;
    bool is_number = person && str_to_i64(str_of(person), &number) && number >= 0 && number <= 1000;
    pthread_mutex_lock(&m->lock);
    struct pin *p = code && is_number ? pin_of(m->plex_tv, 0, code) : NULL;
    if (p) {
        p->person = (unsigned)number;
        p->is_approved = true;
    }
    pthread_mutex_unlock(&m->lock);
    http_reply(x, p ? 204 : 404, NULL, STR(""));
}

/* --- serving --------------------------------------------------------------------------------------- */

static void be_slow(struct sim *m, int64_t ms)
{
    for (; ms > 0 && !atomic_load(&m->is_over); ms -= 20)
        usleep(20000);
}

/* True: answered. */
static bool answer_by_fault(struct sim *m, struct http_exchange *x, enum tv_fault fault, int64_t slow_ms)
{
    switch (fault) {
    case TV_NONE:
        return false;
    case TV_SLOW:
        be_slow(m, slow_ms);
        return false;
    case TV_BUSY:
        http_add_header(x, "Retry-After", "60");
        http_reply(x, 429, "application/json", STR("{\"errors\":[{\"code\":1003,\"status\":429}]}"));
        return true;
    case TV_FAILING:
        http_reply(x, 500, "text/html", STR("<h1>500</h1>"));
        return true;
    case TV_GARBAGE:
        http_reply(x, 200, "application/json", STR("[{\"id\":[\x01\x02nope"));
        return true;
    case TV_REFUSING:
        http_reply(x, 401, "application/json", STR("{\"errors\":[{\"code\":1001,\"status\":401}]}"));
        return true;
    case TV_HUGE: {
        char *body = xmalloc(HUGE);
        memset(body, ' ', HUGE);
        http_reply_take(x, 200, "application/json", body, HUGE);
        return true;
    }
    }
    return false;
}

static void handle(void *ctx, struct http_exchange *x)
{
    struct sim *m = ctx;
    if (streq(http_path(x), "/auth") && streq(http_method(x), "GET")) {
        http_reply(x, 200, "text/html; charset=utf-8", str_of(window));
        return;
    }
    if (streq(http_path(x), "/auth/approve") && streq(http_method(x), "POST")) {
        approve_by_window(m, x);
        return;
    }
    enum tv_path where = path_of(m, x);
    struct plex_tv *tv = m->plex_tv;
    pthread_mutex_lock(&m->lock);
    tv->asked[where]++;
    enum tv_fault fault = tv->faulty == where ? tv->fault : TV_NONE;
    int64_t slow_ms = tv->slow_ms;
    pthread_mutex_unlock(&m->lock);
    if (answer_by_fault(m, x, fault, slow_ms))
        return;
    int status = 200;
    pthread_mutex_lock(&m->lock);
    json_t *j = answer_of(m, x, where, &status);
    pthread_mutex_unlock(&m->lock);
    char *body = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    http_reply_take(x, status, "application/json", body, strlen(body));
}

enum status plex_tv_open(struct sim *m, uint16_t port, struct error *err)
{
    m->plex_tv = xcalloc(1, sizeof(*m->plex_tv));
    m->plex_tv->impostor = -1;
    const struct http_server_config http = {.host = "127.0.0.1", .port = port, .threads = 2, .ctx = m,
                                            .handle = handle};
    return http_server_start(&http, &m->plex_tv->http, err);
}

uint16_t plex_tv_port(const struct sim *m)
{
    return http_server_port(m->plex_tv->http);
}

void plex_tv_close(struct sim *m)
{
    http_server_stop(m->plex_tv->http);
    free(m->plex_tv);
}

/* --- the control API: under lock ------------------------------------------------------------------ */

static int index_of(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (streq(words[i], word))
            return (int)i;
    return -1;
}

static void write_all(const struct plex_tv *tv, struct buf *out)
{
    struct json_writer w;
    jw_begin(&w, out);
    jw_object(&w);
    jw_kv_array(&w, "pins");
    uint64_t from = tv->n_pins > PINS_MAX ? tv->n_pins - PINS_MAX : 0;
    for (uint64_t i = from; i < tv->n_pins; i++) {
        const struct pin *p = &tv->pins[i % PINS_MAX];
        jw_object(&w);
        jw_kv_int(&w, "id", p->id);
        jw_kv_text(&w, "code", p->code);
        jw_kv_text(&w, "client_id", p->client_id);
        jw_kv_text(&w, "product", p->product);
        jw_kv_text(&w, "token", p->token);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_kv_object(&w, "asked");
    for (size_t i = 0; i < ARRAY_LEN(tv_paths); i++)
        jw_kv_int(&w, tv_paths[i], (int64_t)tv->asked[i]);
    jw_object_end(&w);
    jw_object_end(&w);
}

static bool act(struct plex_tv *tv, const json_t *body)
{
    struct pin *newest = tv->n_pins ? &tv->pins[(tv->n_pins - 1) % PINS_MAX] : NULL;
    int64_t person = jint(body, "approve", -1);
    if (jget(body, "fault")) {
        int fault = index_of(tv_faults, ARRAY_LEN(tv_faults), jstr(body, "fault"));
        int on = index_of(tv_paths, ARRAY_LEN(tv_paths), jget(body, "on") ? jstr(body, "on") : "pins");
        if (fault < 0 || on < 0)
            return false;
        tv->fault = (enum tv_fault)fault;
        tv->faulty = (enum tv_path)on;
        tv->slow_ms = jint(body, "ms", 1000);
        return true;
    }
    if (jget(body, "impostor")) {
        tv->impostor = jint(body, "impostor", -1);
        return true;
    }
    if (!newest)
        return false;
    if (json_is_true(jget(body, "deny")) || json_is_true(jget(body, "expire")))
        newest->is_gone = true;
    if (person >= 0 && person <= 1000) {
        newest->person = (unsigned)person;
        newest->is_approved = true;
    }
    return true;
}

bool plex_tv_control(struct sim *m, const json_t *body, struct buf *out)
{
    pthread_mutex_lock(&m->lock);
    bool is_done = !body || act(m->plex_tv, body);
    write_all(m->plex_tv, out);
    pthread_mutex_unlock(&m->lock);
    return is_done;
}
