/*
 * What Jellyfin and Emby share: their session and item objects as observations, their socket's
 * messages, their backfill. Where they differ is a parameter.
 */
#pragma once

#include "sources/source.h"

struct mediabrowser_kind {
    enum server_kind kind;
    const char *prefix;      /* in front of every route: "" or "/emby" */
    const char *socket_path; /* "/socket" */
    bool is_emby;
};

/* The session objects that play something; `session` of each is the server's session id. */
void mediabrowser_sessions(const struct mediabrowser_kind *k, const json_t *array,
                           struct arena *a, struct observation **ret, size_t *ret_count);
/* An item object's members of an observation (what, not who). */
void mediabrowser_item(struct arena *a, const json_t *item, struct observation *o);

/* A user or item that is none: only zeros and dashes. */
bool mediabrowser_is_zero(const char *id);
const struct mediabrowser_kind *mediabrowser_kind_of(const struct source *s);

/* source_ops members; `s->ops->data` is a struct mediabrowser_kind. */
void mediabrowser_headers(struct source *s, struct source_request *r);
void mediabrowser_socket(struct source *s, struct buf *url);
void mediabrowser_socket_opened(struct source *s);
enum source_hint mediabrowser_message(struct source *s, const json_t *root);
enum status mediabrowser_identity(struct source *s, const json_t *root, struct error *err);
enum status mediabrowser_snapshot(struct source *s, const json_t *root, struct arena *a,
                                  struct observation **ret, size_t *ret_count, struct error *err);
bool mediabrowser_sync_next(struct source *s, struct buf *path);
enum status mediabrowser_sync_take(struct source *s, const json_t *root, struct error *err);
void mediabrowser_sync_reset(struct source *s);
void mediabrowser_position_write(struct source *s, struct json_writer *w);
void mediabrowser_position_read(struct source *s, const json_t *position);
void mediabrowser_free(struct source *s);
