/*
 * The handshake's answer key (RFC 6455, 4.2.2): both ends of a WebSocket need it.
 */
#pragma once

#include "base/str.h"

enum { WS_ACCEPT_TEXT = 29 };

/* Writes base64(SHA-1(key + GUID)) of a Sec-WebSocket-Key. Any thread. */
void ws_accept_key(struct str key, char ret[static WS_ACCEPT_TEXT]);
/* Base64 with padding; dst has room for 4 * ((len + 2) / 3) + 1 characters. Any thread. */
void ws_base64(const unsigned char *src, size_t len, char *dst);
