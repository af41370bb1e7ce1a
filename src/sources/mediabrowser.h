/*
 * What Jellyfin and Emby share: their session and item objects as observations, their socket's
 * messages, their backfill. Where they differ is a parameter.
 */
#pragma once

#include "sources/source.h"

struct mediabrowser_kind {
    /* Path to what an account has played: before and behind its id, up to the other parameters. */
    const char *played_before, *played_behind;
    /* What "DirectStream" without a TranscodingInfo is: a file that is wrapped anew, or one that is
     * sent as it is. */
    bool has_remux;
};

/* The session objects that play something; `session` of each is the server's session id. */
void mediabrowser_sessions(const struct mediabrowser_kind *k, const json_t *array,
                           struct arena *a, struct observation **ret, size_t *ret_count);
/* An item object's members of an observation (what, not who). */
void mediabrowser_item(struct arena *a, const json_t *item, struct observation *o);

/* A user or item that is none: only zeros and dashes. */
bool mediabrowser_is_zero(const char *id);
/* Either of the two. */
bool mediabrowser_recognize(const json_t *root, struct source_names *ret);
const struct mediabrowser_kind *mediabrowser_kind_of(const struct source *s);

/* source_ops members; `s->ops->data` is a struct mediabrowser_kind. */
void mediabrowser_socket_opened(struct source *s);
enum source_hint mediabrowser_message(struct source *s, const json_t *root);
enum status mediabrowser_snapshot(struct source *s, const json_t *root, struct arena *a,
                                  struct observation **ret, size_t *ret_count, struct error *err);
bool mediabrowser_sync_next(struct source *s, struct buf *path);
enum status mediabrowser_sync_take(struct source *s, const json_t *root, struct error *err);
void mediabrowser_sync_reset(struct source *s);
void mediabrowser_items_path(const struct source *s, const struct library *l, unsigned start,
                             unsigned size, struct buf *path);
enum status mediabrowser_items_rows(const json_t *root, const json_t **ret_rows,
                                    int64_t *ret_total, struct error *err);
bool mediabrowser_item_of(struct arena *a, const json_t *item, struct item *ret);
void mediabrowser_position_write(struct source *s, struct json_writer *w);
void mediabrowser_position_read(struct source *s, const json_t *position);
void mediabrowser_free(struct source *s);
