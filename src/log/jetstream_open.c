/* The way to the stream: address, login, TLS; and the stream as it has to be. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "log/jetstream.h"

#include "base/banned.h"

enum {
    PIECE_MOST = 768 << 10,
    PIECE_LEAST = 4096,
    HEADERS_MAX = 1024,
    CONNECT_MS = 2000,
    RECONNECT_MS = 500,
};
#define RETRY_NS 250000000

/* The library's own words, without the place in its source: "(conn.c:733): ...". */
static const char *reason(natsStatus s)
{
    const char *text = nats_GetLastError(NULL);
    const char *end = text ? strstr(text, "): ") : NULL;
    if (text && *text == '(' && end)
        text = end + 3;
    return text && *text ? text : natsStatus_GetText(s);
}

enum status fail_nats(natsStatus s, const char *doing, struct error *err)
{
    return fail(err, s == NATS_TIMEOUT ? STATUS_TIMEOUT : STATUS_UNAVAILABLE, "%s: NATS: %s", doing,
                reason(s));
}

/* --- the address ------------------------------------------------------------------------------- */

struct address {
    struct str login, host; /* host[:port] */
    bool is_tls;
};

static enum status parse_url(const char *url, struct address *ret, struct error *err)
{
    static const char right[] = "it must be one such as nats://192.168.1.100:4222, or tls:// with TLS";
    struct str s = str_of(url);
    *ret = (struct address){.is_tls = str_has_prefix(s, STR("tls://"))};
    if (!ret->is_tls && !str_has_prefix(s, STR("nats://")))
        return fail(err, STATUS_INVALID, "does not begin with nats:// or tls://; %s", right);
    s.ptr += ret->is_tls ? 6 : 7;
    s.len -= ret->is_tls ? 6 : 7;
    for (size_t i = s.len; i-- > 0;)
        if (s.ptr[i] == '@') {
            ret->login = (struct str){s.ptr, i};
            s = (struct str){s.ptr + i + 1, s.len - i - 1};
            break;
        }
    if (s.len && s.ptr[s.len - 1] == '/')
        s.len--;
    ret->host = s;
    bool is_well = s.len > 0 && s.ptr[0] != ':';
    for (size_t i = 0; i < s.len; i++)
        is_well = is_well && s.ptr[i] > ' ' && !strchr("/?#,@", s.ptr[i]);
    return is_well ? STATUS_OK
                   : fail(err, STATUS_INVALID, "'%.*s' is no host and port; %s", (int)s.len, s.ptr,
                          right);
}

enum status log_check_nats_url(const char *url, struct error *err)
{
    struct address ignored;
    return parse_url(url, &ignored, err);
}

static bool is_given(const char *text)
{
    return text && *text;
}

static natsStatus set_login(natsOptions *o, const char *user, const char *password,
                            const char *token)
{
    if (is_given(password))
        logger_add_secret(password);
    if (is_given(token))
        logger_add_secret(token);
    if (is_given(token))
        return natsOptions_SetToken(o, token);
    return is_given(user) ? natsOptions_SetUserInfo(o, user, is_given(password) ? password : "")
                          : NATS_OK;
}

/* user:password or token, of the address. */
static natsStatus set_address_login(natsOptions *o, struct str login)
{
    auto_free char *text = xstrndup(login.ptr, login.len);
    char *colon = strchr(text, ':');
    if (colon)
        *colon = '\0';
    natsStatus s = colon ? set_login(o, text, colon + 1, NULL) : set_login(o, NULL, NULL, text);
    secret_wipe(text, login.len);
    return s;
}

/* What happens behind our back is seen at the next call; by default it would be printed. */
static void ignore(natsConnection *c, natsSubscription *sub, natsStatus s, void *ctx)
{
    (void)c;
    (void)sub;
    (void)s;
    (void)ctx;
}

static enum status set_options(struct jetstream *j, const struct log_nats *c,
                               const struct address *a, struct error *err)
{
    auto_free char *plain = xasprintf("nats://%.*s", (int)a->host.len, a->host.ptr);
    auto_free char *host = xstrndup(a->host.ptr, a->host.len);
    char *port = strrchr(host, ':');
    if (port && !strchr(port, ']'))
        *port = '\0';
    natsStatus s = natsOptions_Create(&j->options);
    natsOptions *o = j->options;
    if (s == NATS_OK)
        s = natsOptions_SetURL(o, plain);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, "cartographus");
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(o, CONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(o, RECONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(o, true); /* an append waits for its answer anyway */
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(o, ignore, NULL);
    if (s == NATS_OK)
        s = a->login.len ? set_address_login(o, a->login)
                         : set_login(o, c->user, c->password, c->token);
    if (s == NATS_OK && a->is_tls)
        s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK) /* also where the server asks for TLS by itself */
        s = natsOptions_SetExpectedHostname(o, host);
    if (s == NATS_OK && is_given(c->ca_file)) {
        s = natsOptions_LoadCATrustedCertificates(o, c->ca_file);
        if (s != NATS_OK)
            return fail(err, STATUS_INVALID, "cannot read certificates from '%s'", c->ca_file);
    }
    return s == NATS_OK ? STATUS_OK : fail_nats(s, "the address of NATS", err);
}

/* --- opening ----------------------------------------------------------------------------------- */

static enum status connect_once(struct jetstream *j, const struct address *a, struct error *err)
{
    natsStatus s = natsConnection_Connect(&j->connection, j->options);
    if (s == NATS_OK)
        return STATUS_OK;
    if (s == NATS_CONNECTION_AUTH_FAILED)
        return fail(err, STATUS_UNAUTHORIZED, "NATS at %.*s refuses the login: see NATS_TOKEN, "
                    "NATS_USER and NATS_PASSWORD", (int)a->host.len, a->host.ptr);
    bool is_tls = s == NATS_SSL_ERROR || s == NATS_SECURE_CONNECTION_REQUIRED ||
                  s == NATS_SECURE_CONNECTION_WANTED;
    return fail(err, is_tls ? STATUS_DENIED : STATUS_UNAVAILABLE, "NATS at %.*s: %s%s",
                (int)a->host.len, a->host.ptr, reason(s),
                s == NATS_NO_SERVER ? "; is it running, and is that what NATS_URL should be?" : "");
}

static enum status connect_patiently(struct jetstream *j, const struct address *a,
                                     int64_t patience_us, struct error *err)
{
    int64_t until_us = clock_monotonic_us() + patience_us;
    enum status s;
    while ((s = connect_once(j, a, err)) == STATUS_UNAVAILABLE && clock_monotonic_us() < until_us) {
        const struct timespec pause = {.tv_nsec = RETRY_NS};
        nanosleep(&pause, NULL);
    }
    return s;
}

static enum status make_stream(struct jetstream *j, int64_t max_bytes, jsStreamInfo **ret,
                               struct error *err)
{
    const char *subjects[] = {j->subject};
    jsStreamConfig c;
    jsStreamConfig_Init(&c);
    c.Name = j->stream;
    c.Description = "Cartographus: what was observed and is not yet in its store";
    c.Subjects = subjects;
    c.SubjectsLen = 1;
    c.Storage = js_FileStorage;
    c.Retention = js_LimitsPolicy;
    c.Discard = js_DiscardNew; /* a full log takes nothing, rather than lose what it has */
    c.MaxBytes = max_bytes ? max_bytes : -1;
    c.AllowDirect = true;
    natsStatus s = js_AddStream(ret, j->js, &c, NULL, NULL);
    return s == NATS_OK ? STATUS_OK : fail_nats(s, "make the stream", err);
}

static enum status check_is_ours(const struct jetstream *j, const jsStreamConfig *c,
                                 struct error *err)
{
    bool is_subject = c->SubjectsLen == 1 && streq(c->Subjects[0], j->subject);
    if (is_subject && c->Storage == js_FileStorage && c->Retention == js_LimitsPolicy)
        return STATUS_OK;
    return fail(err, STATUS_CONFLICT, "the stream '%s' is another program's; name another one in "
                "NATS_STREAM", j->stream);
}

/* The stream as it has to be; an administrator's other choices stay. */
static enum status adapt_stream(struct jetstream *j, int64_t max_bytes, jsStreamInfo **info,
                                struct error *err)
{
    jsStreamConfig *c = (*info)->Config;
    TRY(check_is_ours(j, c, err));
    if (c->AllowDirect && c->Discard == js_DiscardNew && (!max_bytes || c->MaxBytes == max_bytes))
        return STATUS_OK;
    c->AllowDirect = true;
    c->Discard = js_DiscardNew;
    if (max_bytes)
        c->MaxBytes = max_bytes;
    jsStreamInfo *now = NULL;
    natsStatus s = js_UpdateStream(&now, j->js, c, NULL, NULL);
    if (s != NATS_OK)
        return fail_nats(s, "change the stream", err);
    jsStreamInfo_Destroy(*info);
    *info = now;
    return STATUS_OK;
}

/* *ret NULL: there is no such stream yet. */
static enum status find_stream(struct jetstream *j, jsStreamInfo **ret, struct error *err)
{
    jsErrCode code = 0;
    natsStatus s = js_GetStreamInfo(ret, j->js, j->stream, NULL, &code);
    if (s == NATS_NO_RESPONDERS || code == JSNotEnabledErr || code == JSNotEnabledForAccountErr)
        return fail(err, STATUS_INVALID, "NATS runs without JetStream, which the log needs: start it "
                    "with -js, or put jetstream {} in its configuration");
    return s == NATS_OK || s == NATS_NOT_FOUND ? STATUS_OK : fail_nats(s, "look for the stream", err);
}

static natsStatus begin_jetstream(struct jetstream *j)
{
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = ANSWER_MS;
    return natsConnection_JetStream(&j->js, j->connection, &options);
}

static enum status open_stream(struct jetstream *j, int64_t max_bytes, struct error *err)
{
    auto_free char *wildcard = NULL;
    natsStatus s = begin_jetstream(j);
    if (s == NATS_OK)
        s = natsInbox_Create(&j->inbox);
    if (s == NATS_OK) {
        wildcard = xasprintf("%s.*", j->inbox);
        s = natsConnection_SubscribeSync(&j->answers, j->connection, wildcard);
    }
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits(j->answers, -1, -1);
    if (s != NATS_OK)
        return fail_nats(s, "open the log", err);
    auto_info jsStreamInfo *info = NULL;
    TRY(find_stream(j, &info, err));
    TRY(info ? adapt_stream(j, max_bytes, &info, err) : make_stream(j, max_bytes, &info, err));
    if (!info->Config->AllowDirect)
        return fail(err, STATUS_INVALID, "NATS is older than 2.9, which the log needs");
    int64_t most = natsConnection_GetMaxPayload(j->connection) - HEADERS_MAX;
    if (most < PIECE_LEAST)
        return fail(err, STATUS_INVALID, "NATS takes messages of %" PRId64 " bytes (max_payload), "
                    "which is too little", most + HEADERS_MAX);
    j->piece = most < PIECE_MOST ? (size_t)most : PIECE_MOST;
    j->first = info->State.FirstSeq;
    j->end = info->State.LastSeq;
    j->base.last = (int64_t)j->end;
    char made[TIME_TEXT_MAX];
    j->base.home = xasprintf("nats %s %s", j->stream, time_format(info->Created / 1000, made));
    return STATUS_OK;
}

static enum status connect_to(struct jetstream *j, const struct log_nats *c, struct error *err)
{
    struct address a;
    TRY(parse_url(c->url, &a, err));
    j->stream = xstrdup(c->stream);
    j->subject = xasprintf("%s.log", c->stream);
    TRY(set_options(j, c, &a, err));
    return connect_patiently(j, &a, c->patience_us, err);
}

enum status log_try_nats(const struct log_nats *c, struct error *err)
{
    struct jetstream *j = jetstream_new();
    auto_info jsStreamInfo *info = NULL;
    enum status s = connect_to(j, c, err);
    natsStatus begun = s == STATUS_OK ? begin_jetstream(j) : NATS_OK;
    if (begun != NATS_OK)
        s = fail_nats(begun, "open the log", err);
    if (s == STATUS_OK)
        s = find_stream(j, &info, err);
    if (s == STATUS_OK && info)
        s = check_is_ours(j, info->Config, err);
    log_close(&j->base);
    return s;
}

enum status log_open_nats(const struct log_nats *c, struct log **ret, struct error *err)
{
    uint8_t random[SESSION_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return fail(err, STATUS_INTERNAL, "no random numbers");
    struct jetstream *j = jetstream_new();
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(j->session + 2 * i, 3, "%02x", random[i]);
    j->get_subject = xasprintf("$JS.API.DIRECT.GET.%s", c->stream);
    enum status s = connect_to(j, c, err);
    if (s == STATUS_OK)
        s = open_stream(j, c->max_bytes, err);
    if (s != STATUS_OK) {
        log_close(&j->base);
        return s;
    }
    *ret = &j->base;
    return STATUS_OK;
}
