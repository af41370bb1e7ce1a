/* Plex inside: session objects as observations. Collector's thread. */
#pragma once

#include <jansson.h>

#include "base/mem.h"
#include "model/observation.h"
#include "sources/inventory.h"

/* One child of /status/sessions. `source` is the item's own metadata ("Metadata[0]" of
 * /library/metadata/KEY), or NULL while unknown: what Plex lists with a session is what it sends,
 * not what it holds. False when the session is none (no key). */
bool plex_session_read(struct arena *a, const json_t *session, const json_t *source,
                       struct observation *ret);
/* The public address of the network that the server and this session's player are both in; "" where
 * it is not told. */
const char *plex_public_address(struct arena *a, const json_t *session);
/* The item's members (what, not who), from a session, a history row or metadata. */
void plex_item_read(struct arena *a, const json_t *item, struct observation *o);
/* What a metadata item's files are: the streams of the first, the size of all of them. */
void plex_file_read(struct arena *a, const json_t *item, struct item *ret);
