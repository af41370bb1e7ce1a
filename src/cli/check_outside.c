#include "cli/check.h"

#include <semaphore.h>

#include "app/app.h"
#include "auth/plex_login.h"
#include "base/mem.h"

#include "base/banned.h"

/* An answer that another thread brings. */
struct waiting {
    sem_t is_there;
    struct error error;
};

static bool say_of(const char *what, const char *where, enum status s, const struct error *err)
{
    check_say(what, s == STATUS_OK ? "fine" : "failing", s == STATUS_OK ? where : err->text);
    return s == STATUS_OK;
}

static void told_of_provider(void *ctx, const struct oidc_begun *r)
{
    struct waiting *w = ctx;
    w->error = r->error;
    w->error.status = r->status;
    sem_post(&w->is_there);
}

static enum status try_oidc(const struct config *c, struct error *err)
{
    struct oidc_config k = app_oidc(c);
    struct oidc *o = NULL;
    TRY(oidc_start(&k, &o, err));
    struct waiting w = {0};
    sem_init(&w.is_there, 0, 0);
    oidc_begin(o, told_of_provider, &w);
    while (sem_wait(&w.is_there) != 0)
        ;
    oidc_free(o);
    sem_destroy(&w.is_there);
    *err = w.error;
    return w.error.status;
}

static void told_of_plex(void *ctx, const struct error *why)
{
    struct waiting *w = ctx;
    w->error = why ? *why : (struct error){.status = STATUS_OK};
    sem_post(&w->is_there);
}

static enum status try_plex(const struct config *c, struct error *err)
{
    struct plex_login_config k = {.base_url = c->plex_tv_url, .client_id = ""};
    struct plex_login *p = NULL;
    TRY(plex_login_start(&k, &p, err));
    struct waiting w = {0};
    sem_init(&w.is_there, 0, 0);
    plex_login_try(p, told_of_plex, &w);
    while (sem_wait(&w.is_there) != 0)
        ;
    plex_login_free(p);
    sem_destroy(&w.is_there);
    *err = w.error;
    return w.error.status;
}

bool check_outside(const struct config *c)
{
    struct error err = {0};
    bool is_well = true;
    if (config_has_auth_mode(c, "oidc") && *c->oidc_issuer_url)
        is_well = say_of("OpenID Connect", c->oidc_issuer_url, try_oidc(c, &err), &err) && is_well;
    if (config_has_auth_mode(c, "plex"))
        is_well = say_of("plex.tv", c->plex_tv_url, try_plex(c, &err), &err) && is_well;
    if (*c->nats_url) {
        struct log_nats n = app_nats(c);
        auto_free char *stream = xasprintf("stream %s", c->nats_stream); /* the address may hold a password */
        is_well = say_of("NATS", stream, log_try_nats(&n, &err), &err) && is_well;
    }
    return is_well;
}
