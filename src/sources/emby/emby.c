/* Emby: its own token header, everything below /emby. */
#include "sources/mediabrowser.h"

#include "base/banned.h"

static const struct mediabrowser_kind kind = {
    .kind = SERVER_EMBY,
    .prefix = "/emby",
    .socket_path = "/embywebsocket",
    .is_emby = true,
};

const struct source_ops emby_source = {
    .kind = SERVER_EMBY,
    .data = &kind,
    .sessions_path = "/emby/Sessions",
    .identity_path = "/emby/System/Info/Public",
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
