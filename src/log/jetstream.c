/*
 * The log in a stream of NATS JetStream. A position is the stream's sequence number, and this program
 * is the only one that appends: each message says which number it follows, so that the server refuses
 * whatever is out of order, and its id is made of its number, so that what was sent twice is there once.
 * A record that is longer than the server takes goes in several messages and is numbered as its last.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/logger.h"
#include "base/mem.h"
#include "log/jetstream.h"

#include "base/banned.h"

enum {
    IN_FLIGHT_BYTES = 4 << 20,
    ANSWER_MAX = 64 * 1024,
    SLICE_MS = 200,
    ERROR_WRONG_LAST = 10071,
};

static const char KIND[] = "Cartographus-Kind", TIME[] = "Cartographus-Time",
                  PIECE[] = "Cartographus-Piece";

static struct jetstream *of(struct log *l)
{
    return (struct jetstream *)l;
}

static void destroy_message(natsMsg **m)
{
    natsMsg_Destroy(*m);
}

#define auto_message __attribute__((cleanup(destroy_message)))

/* Texts in and out of headers. */
static int64_t header_number(natsMsg *m, const char *name, int64_t fallback)
{
    const char *text = NULL;
    int64_t n;
    if (natsMsgHeader_Get(m, name, &text) != NATS_OK || !str_to_i64(str_of(text), &n))
        return fallback;
    return n;
}

static natsStatus set_number(natsMsg *m, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return natsMsgHeader_Set(m, name, text);
}

/* --- asking ------------------------------------------------------------------------------------ */

static enum status be_connected(struct jetstream *j, struct error *err)
{
    if (natsConnection_IsClosed(j->connection))
        return fail(err, STATUS_UNAVAILABLE,
                    "NATS refused the login again and again; when it is right, start again");
    if (natsConnection_Status(j->connection) != NATS_CONN_STATUS_CONNECTED)
        return fail(err, STATUS_UNAVAILABLE, "NATS is not there; connecting again");
    return STATUS_OK;
}

/* A message that is to be answered; the answer carries number `n`. */
static natsStatus new_request(struct jetstream *j, const char *subject, uint64_t n,
                              struct str payload, natsMsg **ret)
{
    auto_free char *reply = xasprintf("%s.%" PRIu64, j->inbox, n);
    return natsMsg_Create(ret, subject, reply, payload.ptr, (int)payload.len);
}

/* The number that an answer carries. */
static uint64_t number_of(const struct jetstream *j, const natsMsg *answer)
{
    int64_t n = -1;
    const char *subject = natsMsg_GetSubject(answer);
    size_t skip = strlen(j->inbox) + 1;
    if (strlen(subject) <= skip || !str_to_i64(str_of(subject + skip), &n))
        return UINT64_MAX;
    return (uint64_t)n;
}

/* Waits for the answers first, first + 1, ... into ret, which the caller destroys also on failure. */
static enum status collect(struct jetstream *j, uint64_t first, size_t count, natsMsg **ret,
                           struct error *err)
{
    int64_t until_us = clock_monotonic_us() + ANSWER_MS * US_PER_MS;
    for (size_t have = 0; have < count;) {
        natsMsg *m = NULL;
        natsStatus s = natsSubscription_NextMsg(&m, j->answers, SLICE_MS);
        if (s == NATS_TIMEOUT) {
            TRY(be_connected(j, err));
            if (clock_monotonic_us() > until_us)
                return fail(err, STATUS_TIMEOUT, "NATS did not answer within %d s",
                            ANSWER_MS / 1000);
            continue;
        }
        if (s == NATS_NO_RESPONDERS)
            return fail(err, STATUS_UNAVAILABLE, "the stream '%s' is not there", j->stream);
        if (s != NATS_OK)
            return fail_nats(s, "wait for an answer", err);
        uint64_t at = number_of(j, m) - first;
        if (at >= count || ret[at]) { /* late: nobody waits for it any more */
            natsMsg_Destroy(m);
            continue;
        }
        ret[at] = m;
        have++;
    }
    return STATUS_OK;
}

static void destroy_all(natsMsg **messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        natsMsg_Destroy(messages[i]);
}

static enum status get_info(struct jetstream *j, jsStreamInfo **ret, struct error *err)
{
    jsErrCode code = 0;
    natsStatus s = js_GetStreamInfo(ret, j->js, j->stream, NULL, &code);
    if (s == NATS_NOT_FOUND || code == JSStreamNotFoundErr)
        return fail(err, STATUS_NOT_FOUND, "the stream '%s' is gone", j->stream);
    return s == NATS_OK ? STATUS_OK : fail_nats(s, "look at the stream", err);
}

/* --- appending --------------------------------------------------------------------------------- */

/* Where an append is: message after message. */
struct sender {
    const struct log_record *records;
    size_t record, piece, at; /* at: bytes of the record's payload that were sent */
};

static size_t messages_of(const struct jetstream *j, const struct log_record *r)
{
    return r->payload.len ? (r->payload.len - 1) / j->piece + 1 : 1;
}

static natsStatus new_message(struct jetstream *j, uint64_t n, uint64_t seq, const char *id,
                              enum log_kind kind, int64_t time_us, size_t piece, struct str payload,
                              natsMsg **ret)
{
    natsStatus s = new_request(j, j->subject, n, payload, ret);
    if (s == NATS_OK)
        s = natsMsgHeader_Set(*ret, "Nats-Expected-Stream", j->stream);
    if (s == NATS_OK)
        s = set_number(*ret, "Nats-Expected-Last-Sequence", (int64_t)seq - 1);
    if (s == NATS_OK && id)
        s = natsMsgHeader_Set(*ret, "Nats-Msg-Id", id);
    if (s == NATS_OK)
        s = set_number(*ret, KIND, kind);
    if (s == NATS_OK)
        s = set_number(*ret, TIME, time_us);
    if (s == NATS_OK && piece)
        s = set_number(*ret, PIECE, (int64_t)piece);
    return s;
}

static void id_of(const struct jetstream *j, uint64_t seq, char ret[static 64])
{
    snprintf(ret, 64, "%s-%" PRIu64, j->session, seq);
}

/* The sender's next message, as number seq of the stream. All but the last piece of a record go as
 * LOG_NOTHING, so that a record whose end never came is none. */
static natsStatus next_message(struct jetstream *j, struct sender *from, uint64_t n, uint64_t seq,
                               natsMsg **ret)
{
    const struct log_record *r = &from->records[from->record];
    struct str rest = {r->payload.ptr + from->at, r->payload.len - from->at};
    bool is_end = rest.len <= j->piece;
    if (!is_end)
        rest.len = j->piece;
    char id[64];
    id_of(j, seq, id);
    natsStatus s = new_message(j, n, seq, id, is_end ? r->kind : LOG_NOTHING, r->appended_us,
                               from->piece, rest, ret);
    from->at += rest.len;
    from->piece++;
    if (is_end)
        *from = (struct sender){from->records, from->record + 1, 0, 0};
    return s;
}

static enum status check_answer(struct jetstream *j, const natsMsg *m, uint64_t seq,
                                struct error *err)
{
    auto_json json_t *answer = NULL;
    struct str text = {natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m)};
    TRY(json_parse(text, ANSWER_MAX, 8, &answer, err));
    const json_t *why = jget(answer, "error");
    if (jint(why, "err_code", 0) == ERROR_WRONG_LAST)
        return fail(err, STATUS_CONFLICT, "the stream '%s' is not as we left it (%s)", j->stream,
                    jstr(why, "description"));
    if (why)
        return fail(err, STATUS_UNAVAILABLE, "the stream '%s': %s", j->stream,
                    jstr(why, "description"));
    if (jint(answer, "seq", -1) != (int64_t)seq)
        return fail(err, STATUS_CONFLICT, "the stream '%s' numbers by itself: %" PRId64
                    " instead of %" PRIu64, j->stream, jint(answer, "seq", -1), seq);
    return STATUS_OK;
}

/* Sends messages seq, seq + 1, ... of at most `count` and moves *ret_seq behind them. With a sender of
 * NULL they are empty and fill numbers that the stream has lost. */
static enum status send_some(struct jetstream *j, struct sender *from, uint64_t *seq, uint64_t count,
                             struct error *err)
{
    natsMsg *answers[IN_FLIGHT] = {0};
    uint64_t first = j->asked;
    size_t sent = 0, bytes = 0;
    natsStatus s = NATS_OK;
    while (s == NATS_OK && sent < count && sent < IN_FLIGHT && bytes < IN_FLIGHT_BYTES) {
        auto_message natsMsg *m = NULL;
        uint64_t at = *seq + sent;
        s = from ? next_message(j, from, j->asked, at, &m)
                 : new_message(j, j->asked, at, NULL, LOG_NOTHING, 0, 0, STR(""), &m);
        if (s == NATS_OK)
            s = natsConnection_PublishMsg(j->connection, m);
        bytes += s == NATS_OK ? (size_t)natsMsg_GetDataLength(m) : 0;
        j->asked++;
        sent++;
    }
    enum status result = s == NATS_OK ? collect(j, first, sent, answers, err)
                                      : fail_nats(s, "append to the log", err);
    for (size_t i = 0; result == STATUS_OK && i < sent; i++)
        result = check_answer(j, answers[i], *seq + i, err);
    destroy_all(answers, IN_FLIGHT);
    if (result == STATUS_OK)
        *seq += sent;
    return result;
}

/* A server that lost what it had acknowledged (its machine's power went away): its numbers go on where
 * they were, so that none is given out again. */
static enum status fill_up(struct jetstream *j, uint64_t last, struct error *err)
{
    log_error("log", "the stream has lost records that it had acknowledged",
              LF_INT("from", last + 1), LF_INT("to", j->end));
    for (uint64_t seq = last + 1; seq <= j->end;)
        TRY(send_some(j, NULL, &seq, j->end - seq + 1, err));
    return STATUS_OK;
}

/* After an append that did not end: how many messages of it are there. */
static enum status look(struct jetstream *j, uint64_t *ret_there, struct error *err)
{
    auto_info jsStreamInfo *info = NULL;
    TRY(get_info(j, &info, err));
    uint64_t last = info->State.LastSeq;
    *ret_there = 0;
    if (last < j->end)
        return fill_up(j, last, err);
    if (last == j->end)
        return STATUS_OK;
    auto_message natsMsg *m = NULL;
    char ours[64];
    const char *id = "";
    id_of(j, last, ours);
    natsStatus s = js_GetMsg(&m, j->js, j->stream, last, NULL, NULL);
    if (s != NATS_OK && s != NATS_NOT_FOUND)
        return fail_nats(s, "look at the stream's end", err);
    if (!m || natsMsgHeader_Get(m, "Nats-Msg-Id", &id) != NATS_OK || !streq(id, ours))
        return fail(err, STATUS_CONFLICT, "another program appends to the stream '%s'; each needs a "
                    "NATS_STREAM of its own", j->stream);
    *ret_there = last - j->end;
    return STATUS_OK;
}

static enum status append_locked(struct jetstream *j, struct log_record *records, size_t count,
                                 struct error *err)
{
    uint64_t total = 0, there = 0;
    for (size_t i = 0; i < count; i++) {
        total += messages_of(j, &records[i]);
        records[i].seq = (int64_t)(j->end + total);
    }
    TRY(be_connected(j, err));
    if (j->is_in_doubt)
        TRY(look(j, &there, err));
    if (there > total)
        return fail(err, STATUS_INTERNAL, "an append did not begin with what failed before");
    struct sender from = {.records = records};
    uint64_t seq = j->end + 1;
    for (; there; there--, seq++) {
        const struct log_record *r = &records[from.record];
        from.at += j->piece;
        from.piece++;
        if (from.at >= r->payload.len)
            from = (struct sender){records, from.record + 1, 0, 0};
    }
    j->is_in_doubt = true;
    while (seq <= j->end + total)
        TRY(send_some(j, &from, &seq, j->end + total - seq + 1, err));
    j->is_in_doubt = false;
    j->end += total;
    return STATUS_OK;
}

static enum status jetstream_append(struct log *l, struct log_record *records, size_t count,
                                    struct error *err)
{
    struct jetstream *j = of(l);
    pthread_mutex_lock(&j->io);
    enum status s = append_locked(j, records, count, err);
    pthread_mutex_unlock(&j->io);
    return s;
}

/* --- reading ----------------------------------------------------------------------------------- */

/* What a read has put together. */
struct reader {
    struct log_copy copy;
    size_t most;
    size_t begun; /* where in copy.texts the record begins whose pieces come */
    int64_t pieces;
    bool is_full;
};

/* True for an answer that says that there is no such message. */
static bool is_missing(natsMsg *answer)
{
    return header_number(answer, "Status", 0) == 404;
}

static void drop_begun(struct reader *r)
{
    r->copy.texts.len = r->begun;
    if (r->copy.texts.data)
        r->copy.texts.data[r->begun] = '\0';
    r->pieces = 0;
}

static void take(struct reader *r, natsMsg *m, uint64_t seq)
{
    enum log_kind kind = (enum log_kind)header_number(m, KIND, LOG_NOTHING);
    int64_t piece = header_number(m, PIECE, 0);
    struct str data = {natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m)};
    if (piece != r->pieces) /* the end of what was begun never came */
        drop_begun(r);
    if (piece != r->pieces)
        return;
    if (kind == LOG_NOTHING) {
        buf_add_str(&r->copy.texts, data);
        r->pieces = data.len ? r->pieces + 1 : 0;
        return;
    }
    struct log_record record = {.seq = (int64_t)seq, .kind = kind,
                                .appended_us = header_number(m, TIME, 0), .payload = data};
    log_copy_add(&r->copy, &record);
    struct log_copied *c = &r->copy.list[r->copy.count - 1];
    c->at = r->begun;
    c->record.payload.len = r->copy.texts.len - r->begun;
    r->begun = r->copy.texts.len;
    r->pieces = 0;
    r->is_full = r->copy.count >= r->most || r->copy.texts.len >= LOG_READ_BYTES ||
                 r->copy.texts.is_overflowed;
}

/* What is behind the end of a read was sent for nothing: of long records few are asked for. */
static void adapt_ask(struct jetstream *j, size_t count, size_t bytes)
{
    if (bytes > LOG_READ_BYTES)
        j->ask = count * LOG_READ_BYTES / bytes + 1;
    else if (count == j->ask)
        j->ask *= 2;
    if (j->ask > IN_FLIGHT)
        j->ask = IN_FLIGHT;
}

/* Takes messages seq, seq + 1, ..., at most `count`, until the reader is full. */
static enum status read_some(struct jetstream *j, struct reader *r, uint64_t seq, size_t count,
                             struct error *err)
{
    natsMsg *answers[IN_FLIGHT] = {0};
    uint64_t first = j->asked;
    size_t bytes = 0;
    natsStatus s = NATS_OK;
    for (size_t i = 0; s == NATS_OK && i < count; i++) {
        char ask[48];
        int len = snprintf(ask, sizeof ask, "{\"seq\":%" PRIu64 "}", seq + i);
        auto_message natsMsg *m = NULL;
        s = new_request(j, j->get_subject, j->asked++, (struct str){ask, (size_t)len}, &m);
        if (s == NATS_OK)
            s = natsConnection_PublishMsg(j->connection, m);
    }
    enum status result = s == NATS_OK ? collect(j, first, count, answers, err)
                                      : fail_nats(s, "read the log", err);
    for (size_t i = 0; result == STATUS_OK && i < count; i++)
        bytes += (size_t)natsMsg_GetDataLength(answers[i]);
    if (result == STATUS_OK)
        adapt_ask(j, count, bytes);
    for (size_t i = 0; result == STATUS_OK && i < count && !r->is_full; i++) {
        /* A follower of a cluster may not have it yet: only the leader's word counts. */
        auto_message natsMsg *again = NULL;
        bool is_gone = is_missing(answers[i]);
        if (is_gone) {
            s = js_GetMsg(&again, j->js, j->stream, seq + i, NULL, NULL);
            if (s != NATS_OK && s != NATS_NOT_FOUND)
                result = fail_nats(s, "read the log", err);
        }
        if (result == STATUS_OK && (again || !is_gone))
            take(r, again ? again : answers[i], seq + i);
    }
    destroy_all(answers, IN_FLIGHT);
    return result;
}

static enum status read_locked(struct jetstream *j, struct reader *r, uint64_t after,
                               struct error *err)
{
    uint64_t seq = after + 1, end = (uint64_t)log_last(&j->base);
    if (seq > end || !r->most)
        return STATUS_OK;
    TRY(be_connected(j, err));
    if (seq < j->first)
        seq = j->first;
    while (seq <= end && !r->is_full) {
        size_t count = r->most - r->copy.count;
        if (count > j->ask)
            count = j->ask;
        if (count > end - seq + 1)
            count = (size_t)(end - seq + 1);
        TRY(read_some(j, r, seq, count, err));
        seq += count;
    }
    if (!r->is_full) { /* all was read: what has no record is passed over */
        drop_begun(r);
        if (!r->copy.count || r->copy.list[r->copy.count - 1].record.seq < (int64_t)end)
            log_copy_add(&r->copy, &(struct log_record){.seq = (int64_t)end, .kind = LOG_NOTHING,
                                                        .payload = STR("")});
    }
    return STATUS_OK;
}

static void reader_done(struct reader *r)
{
    log_copy_done(&r->copy);
}

static enum status jetstream_read(struct log *l, int64_t after, size_t most, log_each *each,
                                  void *ctx, struct error *err)
{
    struct jetstream *j = of(l);
    auto_cleanup(reader_done) struct reader r = {.copy = LOG_COPY_INIT, .most = most};
    pthread_mutex_lock(&j->io);
    enum status s = read_locked(j, &r, (uint64_t)after, err);
    pthread_mutex_unlock(&j->io);
    TRY(s);
    return log_copy_tell(&r.copy, each, ctx, err);
}

static enum status jetstream_trim(struct log *l, int64_t seq, struct error *err)
{
    struct jetstream *j = of(l);
    jsOptions options;
    jsOptions_Init(&options);
    options.Stream.Purge.Sequence = (uint64_t)seq + 1; /* up to but not including */
    pthread_mutex_lock(&j->io);
    enum status s = be_connected(j, err);
    if (s == STATUS_OK && seq > 0 && (uint64_t)seq >= j->first) {
        natsStatus done = js_PurgeStream(j->js, j->stream, &options, NULL);
        if (done == NATS_OK)
            j->first = (uint64_t)seq + 1;
        else
            s = fail_nats(done, "trim the log", err);
    }
    pthread_mutex_unlock(&j->io);
    return s;
}

/* --- life -------------------------------------------------------------------------------------- */

static void jetstream_close(struct log *l)
{
    struct jetstream *j = of(l);
    natsSubscription_Destroy(j->answers);
    natsInbox_Destroy(j->inbox);
    jsCtx_Destroy(j->js);
    natsConnection_Destroy(j->connection);
    natsOptions_Destroy(j->options);
    free(j->stream);
    free(j->subject);
    free(j->get_subject);
    pthread_mutex_destroy(&j->io);
    log_done(l);
    free(j);
}

struct jetstream *jetstream_new(void)
{
    static const struct log_ops ops = {jetstream_append, jetstream_read, jetstream_trim,
                                       NULL, jetstream_close};
    struct jetstream *j = xcalloc(1, sizeof *j);
    log_init(&j->base, &ops);
    pthread_mutex_init(&j->io, NULL);
    j->ask = IN_FLIGHT;
    return j;
}
