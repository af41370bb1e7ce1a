#include "sources/probe.h"

#include <stdio.h>

#include "base/json_read.h"

#include "base/banned.h"

enum { ANSWER_MOST = 16 * 1024 * 1024, ANSWER_DEPTH = 48, KIND_NONE = SERVER_KINDS };

/* What each kind is asked, in this order. */
struct questions {
    const struct source_ops *ops;
    const char *who;   /* answered to anybody */
    const char *token; /* to any token that it knows */
    const char *right; /* to administrators: what watching everybody needs */
    const char *who_may; /* in words */
};

static const struct questions questions[SERVER_KINDS] = {
    [SERVER_PLEX] = {&plex_source, "/identity", "/", "/status/sessions",
                     "the token of the server's owner"},
    [SERVER_JELLYFIN] = {&jellyfin_source, "/System/Info/Public", "/Sessions",
                         "/System/ActivityLog/Entries?Limit=1",
                         "an API key, or a token of an administrator"},
    [SERVER_EMBY] = {&emby_source, "/emby/System/Info/Public", "/emby/Sessions",
                     "/emby/System/ActivityLog/Entries?Limit=1",
                     "an API key, or a token of an administrator"},
};
static const char *const kind_words[] = {"Plex", "Jellyfin", "Emby"};

enum step { STEP_WHO, STEP_WHO_ELSE, STEP_TOKEN, STEP_RIGHT };

struct probe {
    struct loop *loop;
    const struct source_config *config;
    void (*done)(void *ctx, const struct probe_result *r);
    void *ctx;
    enum step step;
    unsigned other; /* the kind that is tried in STEP_WHO_ELSE */
    struct probe_result result;
};

const char *probe_verdict_name(enum probe_verdict v)
{
    static const char *const names[] = {
#define X(name, word) word,
        PROBE_VERDICTS(X)
#undef X
    };
    return names[v];
}

static void end(struct probe *p, enum probe_verdict v, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void end(struct probe *p, enum probe_verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    p->result.verdict = v;
    vsnprintf(p->result.text, sizeof p->result.text, fmt, ap);
    va_end(ap);
    p->done(p->ctx, &p->result);
    free(p);
}

static void answered(void *ctx, const struct http_answer *a);

static void ask(struct probe *p, enum step step, const char *path)
{
    p->step = step;
    const struct source_config *c = p->config;
    auto_free char *url = xasprintf("%s%s", c->url, path);
    struct source_request r = {0};
    /* The token is shown to nobody before it is known who that is. */
    if (step == STEP_TOKEN || step == STEP_RIGHT) {
        struct source asker = {.config = c, .ops = questions[c->kind].ops};
        asker.ops->headers(&asker, &r);
    } else {
        source_add_header(&r, "Accept: application/json");
    }
    http_fetch(p->loop,
               &(struct http_request){.url = url,
                                      .headers = (const char *const *)r.headers,
                                      .timeout_ms = PROBE_TIMEOUT_MS,
                                      .most_bytes = ANSWER_MOST,
                                      .tls = c->tls},
               answered, p);
    source_request_done(&r);
}

/* Which kind of server says this of itself; KIND_NONE: none. */
static unsigned kind_of(const json_t *root)
{
    if (*jstr(jget(root, "MediaContainer"), "machineIdentifier"))
        return SERVER_PLEX;
    if (!*jstr(root, "Id") || !*jstr(root, "Version"))
        return KIND_NONE;
    return *jstr(root, "ProductName") ? SERVER_JELLYFIN : SERVER_EMBY;
}

static void keep_names(struct probe *p, const json_t *root)
{
    const json_t *box = jget(root, "MediaContainer");
    const char *name = box ? jstr(box, "friendlyName") : jstr(root, "ServerName");
    const char *version = box ? jstr(box, "version") : jstr(root, "Version");
    if (*name)
        snprintf(p->result.name, sizeof p->result.name, "%s", name);
    if (*version)
        snprintf(p->result.version, sizeof p->result.version, "%s", version);
}

static void who_else(struct probe *p)
{
    while (p->other < SERVER_KINDS && p->other == p->config->kind)
        p->other++;
    if (p->other < SERVER_KINDS)
        ask(p, STEP_WHO_ELSE, questions[p->other++].who);
    else
        end(p, PROBE_OTHER, "something answers there, but it is no media server; is the port right, "
                            "or a path missing?");
}

static void who(struct probe *p, const json_t *root)
{
    unsigned kind = kind_of(root);
    if (kind == KIND_NONE) {
        who_else(p);
    } else if (kind != p->config->kind) {
        end(p, PROBE_OTHER, "this is a%s %s server, configured as %s", kind == SERVER_EMBY ? "n" : "",
            kind_words[kind], kind_words[p->config->kind]);
    } else {
        keep_names(p, root);
        ask(p, STEP_TOKEN, questions[kind].token);
    }
}

static void unreachable(struct probe *p, const struct http_answer *a)
{
    const char *help = a->status == STATUS_TIMEOUT     ? "; a firewall, or the wrong address?"
                       : a->status == STATUS_PROTOCOL  ? "; https:// and http:// mixed up, or a "
                                                         "certificate that is not trusted?"
                       : a->status == STATUS_DENIED    ? "; give the address it redirects to"
                                                       : "; does it run, are address and port right, "
                                                         "and is it reachable from here?";
    end(p, PROBE_UNREACHABLE, "%s%s", a->error.text, help);
}

static void refused(struct probe *p, int code)
{
    const struct questions *q = &questions[p->config->kind];
    if (p->step == STEP_RIGHT)
        end(p, PROBE_FORBIDDEN, "the token is valid but may not see what others watch (HTTP %d); "
                                "give %s", code, q->who_may);
    else if (code == 403)
        end(p, PROBE_FORBIDDEN, "the token has no rights on this server (HTTP 403); give %s",
            q->who_may);
    else
        end(p, PROBE_UNAUTHORIZED, "the server does not know the token (HTTP %d): expired, revoked, "
                                   "or not copied whole; make a new one", code);
}

/* The right server, asked with the token. */
static void token_answered(struct probe *p, const struct http_answer *a, const json_t *root)
{
    if (a->code == 401 || a->code == 403) {
        refused(p, a->code);
    } else if (a->code != 200 || !root) {
        end(p, PROBE_FAILING, "the server answers %s (HTTP %d)",
            a->code == 200 ? "what is not JSON" : "with an error", a->code);
    } else if (p->step == STEP_TOKEN) {
        keep_names(p, root);
        ask(p, STEP_RIGHT, questions[p->config->kind].right);
    } else {
        end(p, PROBE_FINE, "%s", "");
    }
}

static void answered(void *ctx, const struct http_answer *a)
{
    struct probe *p = ctx;
    auto_json json_t *root = NULL;
    struct error ignored;
    if (a->status == STATUS_OK && a->code == 200)
        (void)!json_parse(a->body, ANSWER_MOST, ANSWER_DEPTH, &root, &ignored);
    if (a->status != STATUS_OK && p->step != STEP_WHO_ELSE)
        unreachable(p, a);
    else if (a->code >= 500 && p->step == STEP_WHO)
        end(p, PROBE_FAILING, "the server answers with an error (HTTP %d); is it starting, or a "
                              "proxy in front without it?", a->code);
    else if (p->step == STEP_WHO || p->step == STEP_WHO_ELSE)
        who(p, root);
    else
        token_answered(p, a, root);
}

void probe_start(struct loop *l, const struct source_config *c,
                 void (*done)(void *ctx, const struct probe_result *r), void *ctx)
{
    struct probe *p = xcalloc(1, sizeof *p);
    *p = (struct probe){.loop = l, .config = c, .done = done, .ctx = ctx};
    ask(p, STEP_WHO, questions[c->kind].who);
}
