#include "sources/probe.h"

#include <stdio.h>

#include "base/json_read.h"

#include "base/banned.h"

enum { ANSWER_MOST = 16 * 1024 * 1024, ANSWER_DEPTH = 48 };

enum step { STEP_WHO, STEP_WHO_ELSE, STEP_TOKEN, STEP_RIGHT };

struct probe {
    struct loop *loop;
    const struct source_config *config;
    void (*done)(void *ctx, const struct probe_result *r);
    void *ctx;
    enum step step;
    enum server_kind other; /* that is tried next in STEP_WHO_ELSE */
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

/* As one asks a server of this kind. */
static void ask(struct probe *p, enum step step, enum server_kind kind)
{
    p->step = step;
    const struct source_config *c = p->config;
    const struct source_ops *ops = source_ops_of(kind);
    const char *path = step == STEP_TOKEN   ? ops->known_path
                       : step == STEP_RIGHT ? ops->admin_path
                                            : ops->public_path;
    auto_free char *base = source_base_url(c);
    auto_free char *url = xasprintf("%s%s%s", base, ops->prefix ? ops->prefix : "", path);
    struct source_request r = {0};
    source_add_header(&r, "Accept: application/json");
    /* The token is shown to nobody before it is known who that is. */
    if (step == STEP_TOKEN || step == STEP_RIGHT) {
        struct source asker = {.config = c, .ops = ops};
        ops->headers(&asker, &r);
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

static void keep_names(struct probe *p, enum server_kind kind, const struct source_names *names)
{
    p->result.kind = kind;
    if (*names->machine_id)
        snprintf(p->result.machine_id, sizeof p->result.machine_id, "%s", names->machine_id);
    if (*names->name)
        snprintf(p->result.name, sizeof p->result.name, "%s", names->name);
    if (*names->version)
        snprintf(p->result.version, sizeof p->result.version, "%s", names->version);
}

static void who_else(struct probe *p)
{
    while (p->other < SERVER_KINDS && p->other == p->config->kind)
        p->other++;
    if (p->other < SERVER_KINDS)
        ask(p, STEP_WHO_ELSE, p->other++);
    else
        end(p, PROBE_OTHER, "something answers there, but it is no media server; is the port right, "
                            "or a path missing?");
}

static void who(struct probe *p, const json_t *root)
{
    struct source_names names;
    enum server_kind kind = source_kind_of(root, &names), wanted = p->config->kind;
    if (kind == SERVER_KINDS) {
        who_else(p);
    } else if (kind != wanted) {
        p->result.kind = kind;
        end(p, PROBE_OTHER, "this is %s %s server, not %s", server_kinds[kind].article,
            server_kinds[kind].label, server_kinds[wanted].label);
    } else {
        keep_names(p, kind, &names);
        ask(p, STEP_TOKEN, kind);
    }
}

static void unreachable(struct probe *p, const struct http_answer *a)
{
    const char *help = a->is_tls_fault               ? "; https:// and http:// mixed up, or a "
                                                       "certificate that is not trusted?"
                       : a->status == STATUS_TIMEOUT ? "; a firewall, or the wrong address?"
                       : a->status == STATUS_PROTOCOL ? "; https:// and http:// mixed up?"
                       : a->status == STATUS_DENIED  ? "; give the address it redirects to"
                       : a->status == STATUS_TOO_LARGE
                           ? "; this is no media server"
                           : "; does it run, are address and port right, and is it reachable from here?";
    end(p, a->is_tls_fault ? PROBE_TLS : PROBE_UNREACHABLE, "%s%s", a->error.text, help);
}

static void refused(struct probe *p, int code)
{
    const char *token = server_kinds[p->config->kind].token;
    if (p->step == STEP_RIGHT)
        end(p, PROBE_FORBIDDEN, "the token is valid but may not see what others watch (HTTP %d); "
                                "give %s", code, token);
    else if (code == 403)
        end(p, PROBE_FORBIDDEN, "the token has no rights on this server (HTTP 403); give %s",
            token);
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
        struct source_names names;
        if (source_ops_of(p->config->kind)->recognize(root, &names))
            keep_names(p, p->config->kind, &names);
        ask(p, STEP_RIGHT, p->config->kind);
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
    if (a->status == STATUS_CANCELLED)
        end(p, PROBE_UNREACHABLE, "stopped");
    else if (a->status != STATUS_OK && p->step != STEP_WHO_ELSE)
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
    *p = (struct probe){.loop = l, .config = c, .done = done, .ctx = ctx, .result.kind = SERVER_KINDS};
    ask(p, STEP_WHO, c->kind);
}
