/*
 * The audit log: who logged in or was refused, who changed what, who took data out. In a table of
 * DATA/cartographus.sqlite, kept by number and age (AUDIT_KEEP_ROWS, AUDIT_KEEP). No body and no
 * secret is in it. What is noted waits in bounded memory until auth's worker has written it.
 */
#pragma once

#include "auth/auth.h"

/* refused: a login; they are kept by a number of their own, so that strangers push nothing out. */
enum audit_kind { AUDIT_LOGIN = 1, AUDIT_REFUSED, AUDIT_CHANGE, AUDIT_EXPORT };
const char *audit_kind_name(enum audit_kind k); /* "login" */
bool audit_kind_parse(const char *text, enum audit_kind *ret);

struct audit_row {
    int64_t id;
    int64_t at_us;
    enum audit_kind kind;
    char who[AUTH_NAME_MAX];   /* "": nobody who is known */
    char via[24];              /* "form", "session", "token", "command line", ... */
    char token[AUTH_NAME_MAX]; /* name of the API token; "" none */
    char address[64];          /* "": this machine, by the command line */
    char action[96];           /* "DELETE /plays/{id}" */
    char detail[256];          /* on what, with what; secrets that are known are masked */
    int status;                /* of the answer, as in HTTP */
};

/* Notes it, with the time of now; `id` and `at_us` are not looked at. Any thread; waits for nothing.
 * Where too much waits to be written it is lost, which the log says. */
void audit_note(struct auth *a, const struct audit_row *row);
/* The same into the file of a data folder that nobody holds but the caller. */
enum status audit_note_offline(const char *path, const struct audit_row *row, struct error *err);

struct audit_filter {
    enum audit_kind kind; /* 0: all */
    char search[AUTH_NAME_MAX]; /* in who, token, address, action or detail; "": all */
    int64_t before_id;    /* 0: from the newest */
    size_t limit;
};
struct audit_answer {
    enum status status;
    struct error error;
    const struct audit_row *rows; /* newest first; valid during `done` */
    size_t count;
    bool has_more;
};
typedef void audit_done(void *ctx, const struct audit_answer *answer);
/* `done` runs in auth's worker, once, if OK is returned. Any thread. */
enum status audit_list(struct auth *a, const struct audit_filter *f, audit_done *done, void *ctx,
                       struct error *err);

/* Since the start. Any thread. */
struct audit_counts {
    int64_t refused_logins, logins;
    int64_t lost; /* rows that were never written */
};
void audit_get_counts(struct auth *a, struct audit_counts *ret);
