/* Jellyfin: the MediaBrowser authorization header, also for the socket. */
#include "sources/mediabrowser.h"

#include "base/json_read.h"

#include "base/banned.h"

static const struct mediabrowser_kind kind = {
    .played_before = "/Items?userId=",
    .played_behind = "&",
    .has_remux = true,
};

static bool jellyfin_recognize(const json_t *root, struct source_names *ret)
{
    return mediabrowser_recognize(root, ret) && *jstr(root, "ProductName");
}

static void jellyfin_headers(struct source *s, struct source_request *r)
{
    source_add_header(r,
                      "Authorization: MediaBrowser Client=\"Cartographus\", Device=\"Server\", "
                      "DeviceId=\"%s\", Version=\"1.0\", Token=\"%s\"",
                      s->config->client_id, s->config->token);
}

static void jellyfin_socket(struct source *s, struct buf *path)
{
    buf_puts(path, "/socket");
}

const struct source_ops jellyfin_source = {
    .data = &kind,
    .public_path = "/System/Info/Public",
    .known_path = "/Sessions",
    .admin_path = "/System/ActivityLog/Entries?Limit=1",
    .recognize = jellyfin_recognize,
    .sessions_path = "/Sessions",
    .identity_path = "/System/Info/Public",
    .headers = jellyfin_headers,
    .socket = jellyfin_socket,
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
