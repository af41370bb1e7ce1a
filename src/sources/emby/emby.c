/* Emby: routes below /emby, a token header of its own; the socket may need it in its address. */
#include "sources/mediabrowser.h"

#include "base/json_read.h"

#include "base/banned.h"

static const struct mediabrowser_kind kind = {
    .played_before = "/Users/",
    .played_behind = "/Items?",
    .has_remux = false,
};

static bool emby_recognize(const json_t *root, struct source_names *ret)
{
    return mediabrowser_recognize(root, ret) && !*jstr(root, "ProductName");
}

static void emby_headers(struct source *s, struct source_request *r)
{
    source_add_header(r, "X-Emby-Token: %s", s->config->token);
}

static void emby_socket(struct source *s, struct buf *path)
{
    buf_puts(path, "/embywebsocket?deviceId=");
    buf_add_urlencoded(path, str_of(s->config->client_id));
}

static void emby_socket_token(struct source *s, struct buf *path)
{
    buf_puts(path, "&api_key=");
    buf_add_urlencoded(path, str_of(s->config->token));
}

const struct source_ops emby_source = {
    .data = &kind,
    .prefix = "/emby",
    .public_path = "/System/Info/Public",
    .known_path = "/Sessions",
    .admin_path = "/System/ActivityLog/Entries?Limit=1",
    .recognize = emby_recognize,
    .sessions_path = "/Sessions",
    .identity_path = "/System/Info/Public",
    .headers = emby_headers,
    .socket = emby_socket,
    .socket_token = emby_socket_token,
    .socket_opened = mediabrowser_socket_opened,
    .message = mediabrowser_message,
    .snapshot = mediabrowser_snapshot,
    .sync_reset = mediabrowser_sync_reset,
    .items_path = mediabrowser_items_path,
    .items_rows = mediabrowser_items_rows,
    .item_read = mediabrowser_item_of,
    .sync_next = mediabrowser_sync_next,
    .sync_take = mediabrowser_sync_take,
    .position_write = mediabrowser_position_write,
    .position_read = mediabrowser_position_read,
    .free = mediabrowser_free,
};
