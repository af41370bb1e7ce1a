/* Jellyfin: the MediaBrowser authorization header, no path prefix. */
#include "sources/mediabrowser.h"

#include "base/banned.h"

static const struct mediabrowser_kind kind = {
    .kind = SERVER_JELLYFIN,
    .prefix = "",
    .socket_path = "/socket",
    .is_emby = false,
};

const struct source_ops jellyfin_source = {
    .kind = SERVER_JELLYFIN,
    .data = &kind,
    .sessions_path = "/Sessions",
    .identity_path = "/System/Info/Public",
    .headers = mediabrowser_headers,
    .socket = mediabrowser_socket,
    .socket_opened = mediabrowser_socket_opened,
    .message = mediabrowser_message,
    .identity = mediabrowser_identity,
    .snapshot = mediabrowser_snapshot,
    .sync_reset = mediabrowser_sync_reset,
    .sync_next = mediabrowser_sync_next,
    .sync_take = mediabrowser_sync_take,
    .position_write = mediabrowser_position_write,
    .position_read = mediabrowser_position_read,
    .free = mediabrowser_free,
};
