/*
 * Sockets that libmicrohttpd handed over to the WebSocket hub: closing one goes through the handle
 * that came with it. Any thread. Private to net/.
 */
#pragma once

struct MHD_UpgradeResponseHandle;
void upgraded_remember(int fd, struct MHD_UpgradeResponseHandle *handle);
/* Closes fd: through its handle, or plainly where it has none. */
void upgraded_close(int fd);
