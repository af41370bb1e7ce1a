#include "auth/api_token.h"

#include <pthread.h>
#include <sodium.h>

#include "auth/inside.h"
#include "auth/throttle.h"
#include "base/clock.h"
#include "base/logger.h"
#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { ALL_MOST = 2000, RANDOM_BYTES = 32 };
#define WRITE_EVERY_US US_PER_MIN

struct entry {
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct api_token token;
    bool is_used; /* since it was written */
};

struct api_tokens {
    pthread_mutex_t mutex; /* guards all below */
    struct entry *entries;
    size_t count;
    bool is_used;        /* one of them, since it was written */
    int64_t written_us;  /* monotonic: the uses */
};

static const char *const scope_names[] = {[TOKEN_READ] = "read", [TOKEN_ADMIN] = "admin"};

const char *token_scope_name(enum token_scope s)
{
    return scope_names[s];
}

bool token_scope_parse(const char *text, enum token_scope *ret)
{
    for (size_t i = TOKEN_READ; i < ARRAY_LEN(scope_names); i++)
        if (streq(text, scope_names[i])) {
            *ret = (enum token_scope)i;
            return true;
        }
    return false;
}

/* --- in memory --------------------------------------------------------------------------------- */

struct api_tokens *api_tokens_new(void)
{
    struct api_tokens *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->mutex, NULL);
    t->entries = xcalloc(ALL_MOST, sizeof *t->entries);
    t->written_us = clock_monotonic_us();
    return t;
}

void api_tokens_free(struct api_tokens *t)
{
    if (t == NULL)
        return;
    pthread_mutex_destroy(&t->mutex);
    secret_wipe(t->entries, ALL_MOST * sizeof *t->entries);
    free(t->entries);
    free(t);
}

static bool is_past(const struct api_token *t)
{
    return t->expires_us != TIME_NONE && t->expires_us <= clock_now_us();
}

static void hash_of(const char *text, unsigned char ret[static crypto_hash_sha256_BYTES])
{
    /* 256 random bits need no slow hash: nobody can try them all. */
    crypto_hash_sha256(ret, (const unsigned char *)text, strlen(text));
}

/* The caller holds the mutex. */
static struct entry *find(struct api_tokens *t, const char *text)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    hash_of(text, hash);
    for (size_t i = 0; i < t->count; i++)
        if (memcmp(t->entries[i].hash, hash, sizeof hash) == 0)
            return &t->entries[i];
    return NULL;
}

enum status auth_token(struct auth *a, const char *text, const char *address,
                       struct api_token *ret, int64_t *ret_retry_after_s, struct error *err)
{
    struct api_tokens *t = a->tokens;
    bool is_found = false, is_over = false, is_due = false;
    pthread_mutex_lock(&t->mutex);
    struct entry *e = find(t, text);
    if (e != NULL) {
        is_found = true;
        is_over = is_past(&e->token);
        if (!is_over) {
            e->token.used_us = clock_now_us();
            snprintf(e->token.used_from, sizeof e->token.used_from, "%s", address);
            e->is_used = true;
            is_due = !t->is_used && clock_monotonic_us() - t->written_us > WRITE_EVERY_US;
            t->is_used = t->is_used || is_due;
        }
        *ret = e->token;
    }
    pthread_mutex_unlock(&t->mutex);
    if (is_due)
        auth_wake(a);
    /* What its account is now counts, not what it was. */
    bool is_owned = is_found && auth_current(a, ret->owner.id, &ret->owner);
    if (is_owned && !is_over)
        return STATUS_OK;
    struct throttle_who who = {.account = NULL, .address = address};
    int64_t wait_us = throttle_try(a->throttle, &who, clock_monotonic_us());
    *ret_retry_after_s = (wait_us + US_PER_S - 1) / US_PER_S;
    if (wait_us > 0)
        return fail_field(err, STATUS_RATE_LIMITED, "Authorization",
                          "too many wrong tokens from this address: try again in %lld s",
                          (long long)*ret_retry_after_s);
    char when[TIME_TEXT_MAX];
    if (is_owned)
        return fail_field(err, STATUS_UNAUTHORIZED, "Authorization",
                          "the API token '%s' has expired at %s: make a new one", ret->name,
                          time_format(ret->expires_us, when));
    if (is_found)
        return fail_field(err, STATUS_UNAUTHORIZED, "Authorization",
                          "the login of the API token '%s' is disabled", ret->name);
    return fail_field(err, STATUS_UNAUTHORIZED, "Authorization",
                      "this API token is not known: it is mistyped, or was removed");
}

bool auth_token_lives(struct auth *a, const char *text)
{
    struct api_tokens *t = a->tokens;
    pthread_mutex_lock(&t->mutex);
    const struct entry *e = find(t, text);
    bool lives = e != NULL && !is_past(&e->token);
    pthread_mutex_unlock(&t->mutex);
    return lives;
}

/* --- the file ---------------------------------------------------------------------------------- */

static void copy_text(sqlite3_stmt *s, int column, char *dst, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(dst, size, "%s", text ? text : "");
}

static int64_t time_or_none(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? TIME_NONE
                                                         : sqlite3_column_int64(s, column);
}

static void bind_time(sqlite3_stmt *s, int at, int64_t us)
{
    if (us == TIME_NONE)
        sqlite3_bind_null(s, at);
    else
        sqlite3_bind_int64(s, at, us);
}

/* False: a row that is none. */
static bool read_row(sqlite3_stmt *s, struct entry *ret)
{
    const void *hash = sqlite3_column_blob(s, 1);
    char scope[8], role[16];
    if (hash == NULL || sqlite3_column_bytes(s, 1) != (int)sizeof ret->hash)
        return false;
    *ret = (struct entry){.token = {.id = sqlite3_column_int64(s, 0),
                                    .created_us = sqlite3_column_int64(s, 4),
                                    .expires_us = time_or_none(s, 5),
                                    .used_us = time_or_none(s, 6),
                                    .owner.id = sqlite3_column_int64(s, 8)}};
    memcpy(ret->hash, hash, sizeof ret->hash);
    copy_text(s, 2, ret->token.name, sizeof ret->token.name);
    copy_text(s, 3, scope, sizeof scope);
    copy_text(s, 7, ret->token.used_from, sizeof ret->token.used_from);
    copy_text(s, 9, ret->token.owner.name, sizeof ret->token.owner.name);
    copy_text(s, 10, role, sizeof role);
    ret->token.owner.role = role_parse(role);
    return token_scope_parse(scope, &ret->token.scope);
}

/* What is not written yet of an entry's use stays. The caller holds the mutex. */
static void keep_use(const struct api_tokens *t, struct entry *e)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct entry *old = &t->entries[i];
        if (old->token.id != e->token.id || !old->is_used)
            continue;
        e->is_used = true;
        e->token.used_us = old->token.used_us;
        memcpy(e->token.used_from, old->token.used_from, sizeof e->token.used_from);
    }
}

enum status api_tokens_load(struct auth *a, struct error *err)
{
    struct api_tokens *t = a->tokens;
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                "select t.token_id, t.hash, t.name, t.scope, t.created_us, t.expires_us, t.used_us,"
                " t.used_from, u.user_id, coalesce(i.name, u.name), u.role"
                " from api_token t join user u using (user_id) left join identity i using (user_id)"
                " order by t.token_id desc limit ?1",
                &s, err));
    sqlite3_bind_int(s, 1, ALL_MOST);
    struct entry *fresh = xcalloc(ALL_MOST, sizeof *fresh);
    size_t count = 0;
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW && count < ALL_MOST)
        count += read_row(s, &fresh[count]);
    enum status status = step == SQLITE_DONE ? STATUS_OK : auth_file_fail(a, err, "API tokens");
    pthread_mutex_lock(&t->mutex);
    struct entry *old = fresh;
    if (status == STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            keep_use(t, &fresh[i]);
        old = t->entries;
        t->entries = fresh;
        t->count = count;
    }
    pthread_mutex_unlock(&t->mutex);
    secret_wipe(old, ALL_MOST * sizeof *old);
    free(old);
    return status;
}

static void copy_entries(struct api_tokens *t, struct entry **ret, size_t *ret_count)
{
    pthread_mutex_lock(&t->mutex);
    *ret = xcalloc(t->count + 1, sizeof **ret);
    memcpy(*ret, t->entries, t->count * sizeof **ret);
    *ret_count = t->count;
    for (size_t i = 0; i < t->count; i++)
        t->entries[i].is_used = false;
    t->is_used = false;
    t->written_us = clock_monotonic_us();
    pthread_mutex_unlock(&t->mutex);
}

static enum status write_use(struct auth *a, const struct api_token *t, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "update api_token set used_us = ?2, used_from = ?3 where token_id = ?1", &s,
                          err));
    sqlite3_bind_int64(s, 1, t->id);
    bind_time(s, 2, t->used_us);
    sqlite3_bind_text(s, 3, t->used_from, -1, SQLITE_STATIC);
    return auth_file_run(a, s, err);
}

void api_tokens_write_uses(struct auth *a, bool is_last)
{
    struct api_tokens *t = a->tokens;
    pthread_mutex_lock(&t->mutex);
    bool is_due = is_last || clock_monotonic_us() - t->written_us > WRITE_EVERY_US;
    pthread_mutex_unlock(&t->mutex);
    if (!is_due)
        return;
    auto_free struct entry *all = NULL;
    size_t count = 0;
    copy_entries(t, &all, &count);
    struct error err = {0};
    for (size_t i = 0; i < count; i++)
        if (all[i].is_used && write_use(a, &all[i].token, &err) != STATUS_OK)
            log_warn("auth", "when an API token was used is not in the file", LF_ERROR(&err));
}

enum status api_tokens_end(struct auth *a, const char *where, const char *value, struct error *err)
{
    auto_free char *sql = xasprintf(
        "delete from api_token where user_id in (select user_id from user where %s)", where);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, sql, &s, err));
    sqlite3_bind_text(s, 1, value, -1, SQLITE_STATIC);
    a->are_accounts_changed = true;
    return auth_file_run(a, s, err);
}

/* --- what is asked for ------------------------------------------------------------------------- */

struct order {
    struct api_token_order add;
    int64_t id, account_id;
    enum status (*run)(struct auth *a, struct order *o, struct api_tokens_answer *answer);
    struct api_token *tokens; /* of the answer; freed after it */
    api_tokens_done *done;
    void *ctx;
};

static void answer(struct auth *a, void *ctx)
{
    struct order *o = ctx;
    struct api_tokens_answer said = {0};
    said.status = o->run(a, o, &said);
    o->done(o->ctx, &said);
    secret_wipe(said.text, sizeof said.text);
    free(o->tokens);
    free(o);
}

static enum status submit(struct auth *a, struct order from, struct error *err)
{
    struct order *o = xmalloc(sizeof *o);
    *o = from;
    enum status s = auth_submit_call(a, answer, o, err);
    if (s != STATUS_OK)
        free(o);
    return s;
}

static enum status find_account(struct auth *a, const struct api_token_order *o, int64_t *ret,
                                struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                "select user_id from user u left join identity i using (user_id) where case"
                " when ?1 <> '' then u.name = ?1 or i.name = ?1 when ?2 <> 0 then user_id = ?2"
                " else is_configured end limit 2",
                &s, err));
    sqlite3_bind_text(s, 1, o->account, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, o->account_id);
    if (sqlite3_step(s) != SQLITE_ROW)
        return *o->account ? fail_field(err, STATUS_NOT_FOUND, "account",
                                        "nobody who can log in is called '%s'", o->account)
                           : fail_field(err, STATUS_NOT_FOUND, "account",
                                        "there is no account whose token it could be: name one that "
                                        "has logged in");
    *ret = sqlite3_column_int64(s, 0);
    if (sqlite3_step(s) == SQLITE_ROW)
        return fail_field(err, STATUS_CONFLICT, "account", "more than one account is called '%s'",
                          o->account);
    return STATUS_OK;
}

static enum status check_name(struct auth *a, const char *name, int64_t account_id, struct error *err)
{
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "select count(*), coalesce(sum(name = ?1), 0) from api_token where user_id = ?2",
                &s, err));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, account_id);
    if (sqlite3_step(s) != SQLITE_ROW)
        return auth_file_fail(a, err, "API tokens");
    if (sqlite3_column_int64(s, 1) > 0)
        return fail_field(err, STATUS_CONFLICT, "name", "there is a token '%s' already", name);
    if (sqlite3_column_int64(s, 0) >= API_TOKENS_OF_ONE)
        return fail_field(err, STATUS_CONFLICT, "name",
                          "there are %d tokens of this account, the most that are possible: remove one",
                          API_TOKENS_OF_ONE);
    return STATUS_OK;
}

static void make_text(char ret[static API_TOKEN_MAX])
{
    unsigned char random[RANDOM_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(ret, API_TOKEN_PREFIX, strlen(API_TOKEN_PREFIX));
    sodium_bin2base64(ret + strlen(API_TOKEN_PREFIX), API_TOKEN_MAX - strlen(API_TOKEN_PREFIX), random,
                      sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    secret_wipe(random, sizeof random);
}

/* The tokens of one account, or all: what the answer says. */
static void give(struct api_tokens *t, struct order *o, int64_t account_id, int64_t id,
                 struct api_tokens_answer *said)
{
    pthread_mutex_lock(&t->mutex);
    o->tokens = xcalloc(t->count + 1, sizeof *o->tokens);
    for (size_t i = 0; i < t->count; i++) {
        const struct api_token *one = &t->entries[i].token;
        if ((account_id == 0 || one->owner.id == account_id) && (id == 0 || one->id == id))
            o->tokens[said->count++] = *one;
    }
    pthread_mutex_unlock(&t->mutex);
    said->tokens = o->tokens;
}

static enum status add(struct auth *a, struct order *o, struct api_tokens_answer *said)
{
    struct error *err = &said->error;
    int64_t account_id = 0, now = clock_now_us();
    TRY(find_account(a, &o->add, &account_id, err));
    TRY(check_name(a, o->add.name, account_id, err));
    char text[API_TOKEN_MAX];
    unsigned char hash[crypto_hash_sha256_BYTES];
    make_text(text);
    hash_of(text, hash);
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a,
                "insert into api_token (hash, user_id, name, scope, created_us, expires_us, used_from)"
                " values (?1, ?2, ?3, ?4, ?5, ?6, '')", &s, err));
    sqlite3_bind_blob(s, 1, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, account_id);
    sqlite3_bind_text(s, 3, o->add.name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, token_scope_name(o->add.scope), -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, now);
    bind_time(s, 6, o->add.days == 0 ? TIME_NONE : now + o->add.days * US_PER_DAY);
    TRY(auth_file_run(a, s, err));
    int64_t id = sqlite3_last_insert_rowid(a->db);
    TRY(api_tokens_load(a, err));
    give(a->tokens, o, 0, id, said);
    memcpy(said->text, text, sizeof said->text);
    secret_wipe(text, sizeof text);
    return STATUS_OK;
}

static enum status check_order(struct api_token_order *o, struct error *err)
{
    struct str name = str_trim(str_of(o->name));
    bool is_clean = name.len > 0 && name.len < API_TOKEN_NAME_MAX;
    for (size_t i = 0; i < name.len; i++)
        is_clean = is_clean && (unsigned char)name.ptr[i] >= ' ' && name.ptr[i] != 0x7f;
    if (!is_clean)
        return fail_field(err, STATUS_INVALID, "name", "must have 1 to %d bytes, none of them a "
                          "control character", API_TOKEN_NAME_MAX - 1);
    memmove(o->name, name.ptr, name.len);
    o->name[name.len] = '\0';
    if (o->days < 0 || o->days > API_TOKEN_DAYS_MOST)
        return fail_field(err, STATUS_INVALID, "days", "must be 1 to %d, or 0 for one that does not "
                          "expire", API_TOKEN_DAYS_MOST);
    return STATUS_OK;
}

enum status auth_token_add(struct auth *a, const struct api_token_order *order,
                           api_tokens_done *done, void *ctx, struct error *err)
{
    struct order o = {.add = *order, .run = add, .done = done, .ctx = ctx};
    TRY(check_order(&o.add, err));
    return submit(a, o, err);
}

static enum status list(struct auth *a, struct order *o, struct api_tokens_answer *said)
{
    give(a->tokens, o, o->account_id, 0, said);
    return STATUS_OK;
}

enum status auth_token_list(struct auth *a, int64_t account_id, api_tokens_done *done, void *ctx,
                            struct error *err)
{
    struct order o = {.account_id = account_id, .run = list, .done = done, .ctx = ctx};
    return submit(a, o, err);
}

static enum status remove_one(struct auth *a, struct order *o, struct api_tokens_answer *said)
{
    struct error *err = &said->error;
    give(a->tokens, o, o->account_id, o->id, said);
    if (said->count == 0)
        return fail_field(err, STATUS_NOT_FOUND, "id", "there is no such token");
    auto_stmt sqlite3_stmt *s = NULL;
    TRY(auth_file_prepare(a, "delete from api_token where token_id = ?1", &s, err));
    sqlite3_bind_int64(s, 1, o->id);
    TRY(auth_file_run(a, s, err));
    return api_tokens_load(a, err);
}

enum status auth_token_remove(struct auth *a, int64_t id, int64_t account_id,
                              api_tokens_done *done, void *ctx, struct error *err)
{
    struct order o = {.id = id, .account_id = account_id, .run = remove_one, .done = done, .ctx = ctx};
    return submit(a, o, err);
}
